package linetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// FarEnd is the network, the other party and the trouble behind a line. Its methods may be called from
// any goroutine.
type FarEnd interface {
	Ring(number string) error // empty: withheld
	Alert() error
	Answer() error
	Busy() error
	Reject() error
	Hangup() error
	Press(digit byte) error
	Dialed() <-chan string // numbers that the line dialled
	Pressed() <-chan byte  // digits that the line sent
	Speak(hz float64)      // the far end says a tone from now on; 0 is silence
	Heard(n int) []int16   // the last n samples that the far end heard, fewer when it heard no more
	Forget()               // Heard starts anew

	RefuseDial(on bool) // the modem answers an error to a dial command
	Garbage() error     // noise on the command port
	Mute(on bool)       // the modem answers nothing
	Unplug() error
	Plug() error
}

// Recaller is the exchange of a line that can flash: each flash that it has recognised is told once.
type Recaller interface{ Recalls() <-chan struct{} }

// Rig is one line with its far end. Line is closed by the suite.
type Rig struct {
	Line line.Line
	Far  FarEnd
}

// patience bounds every wait; a rig runs with short timings, so nothing comes near it.
const patience = 15 * time.Second

// Run proves the contract of line.Line. open makes a rig whose modem is plugged in; it is called once
// for each case.
func Run(t *testing.T, open func(t *testing.T) Rig) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { prove(t, open, c.play) })
	}
}

// RunInBubble proves it in virtual time, for a rig that waits for nothing outside of it.
func RunInBubble(t *testing.T, open func(t *testing.T) Rig) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { prove(t, open, c.play) })
		})
	}
}

func prove(t *testing.T, open func(t *testing.T) Rig, play func(*run)) {
	r := &run{T: t, Rig: open(t)}
	closed := false
	defer func() {
		if !closed {
			_ = r.Line.Close()
		}
	}()
	r.service(true)
	play(r)
	if err := r.Line.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	closed = true
	r.finish()
}

var cases = []struct {
	name string
	play func(*run)
}{
	{"a caller is answered, both hear each other, and the caller hangs up", answeredCaller},
	{"a dialled party answers, both hear each other, and the box hangs up", answeredParty},
	{"digits pass both ways", digits},
	{"a flash reaches the exchange and ends no call, and a line without it says so", flash},
	{"a withheld number is an empty one", withheld},
	{"a caller who gives up ends once", givesUp},
	{"a caller is refused by a hang-up", refused},
	{"a busy party is busy", busyParty},
	{"a party who declines has rejected", rejecting},
	{"a modem that refuses to dial leaves no call", refusedDial},
	{"dialling while a caller rings is busy", glare},
	{"a hang-up while the far end rings ends once", hangupWhileRinging},
	{"a dial given up by its caller leaves no call behind", abandonedDial},
	{"two hang-ups end once", twoHangups},
	{"commands without a call say so", noCall},
	{"a modem that is pulled out ends its call and serves again when it is back", unplugged},
	{"a modem that falls silent can still be hung up, and serves again", muted},
	{"garbage on the command port ends no call", garbage},
	{"closing in a call ends it", closing},
}

// run is one case in progress.
type run struct {
	*testing.T
	Rig
	begun, ended int
	last         line.EventKind
	up           bool
}

// event returns the next event that is no change of status.
func (r *run) event() line.Event {
	r.Helper()
	timeout := time.After(patience)
	for {
		select {
		case e, ok := <-r.Line.Events():
			if !ok {
				r.Fatal("the events ended")
			}
			if r.note(e); e.Kind != line.Status {
				return e
			}
		case <-timeout:
			r.Fatal("no event came")
		}
	}
}

// note keeps the books: one Ended per call, and nothing after it.
func (r *run) note(e line.Event) {
	r.Helper()
	switch e.Kind {
	case line.Status:
		r.up = e.Status.Up
		return
	case line.Incoming, line.Proceeding, line.Recovered:
		r.begun++
	case line.Ended:
		r.ended++
	}
	if e.Kind != line.Incoming && e.Kind != line.Proceeding && e.Kind != line.Recovered && r.last == line.Ended {
		r.Errorf("event %d came after Ended", e.Kind)
	}
	r.last = e.Kind
}

func (r *run) want(kind line.EventKind) line.Event {
	r.Helper()
	e := r.event()
	if e.Kind != kind {
		r.Fatalf("event kind %d (cause %v), want %d", e.Kind, e.Cause, kind)
	}
	return e
}

func (r *run) wantEnd(cause tel.Cause) {
	r.Helper()
	if e := r.want(line.Ended); e.Cause != cause {
		r.Errorf("ended as %v, want %v", e.Cause, cause)
	}
	if _, err := r.Line.Media(); err == nil {
		r.Error("the audio outlives the call")
	}
}

// service waits until the line says that it is up, or down.
func (r *run) service(up bool) {
	r.Helper()
	timeout := time.After(patience)
	for r.up != up {
		select {
		case e, ok := <-r.Line.Events():
			if !ok {
				r.Fatal("the events ended")
			}
			if r.note(e); e.Kind != line.Status {
				r.Fatalf("event %d while waiting for service", e.Kind)
			}
		case <-timeout:
			r.Fatalf("service did not become %v", up)
		}
	}
}

// finish reads to the close of the events and checks the books.
func (r *run) finish() {
	r.Helper()
	for e := range r.Line.Events() {
		r.note(e)
	}
	if r.begun != r.ended {
		r.Errorf("%d calls began, %d ended", r.begun, r.ended)
	}
}

func (r *run) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *run) ctx() context.Context { return r.Context() }

const (
	caller = "+393331234567"
	party  = "0612345678"
)

// answer brings a caller to Connected.
func (r *run) answer() line.Media {
	r.Helper()
	r.must(r.Far.Ring(caller))
	if e := r.want(line.Incoming); e.Number != caller {
		r.Errorf("caller %q, want %q", e.Number, caller)
	}
	if _, err := r.Line.Media(); err == nil {
		r.Error("audio before Connected")
	}
	r.must(r.Line.Answer(r.ctx()))
	r.want(line.Connected)
	return r.sound()
}

// sound is the audio of the call that is up; a line whose sound stays in its modem has none, and says so.
func (r *run) sound() line.Media {
	r.Helper()
	m, err := r.Line.Media()
	if !r.Line.Caps().FullDuplex {
		if !errors.Is(err, line.ErrNoSupport) {
			r.Errorf("the audio of a line that has none: %v", err)
		}
		return nil
	}
	r.must(err)
	return m
}

// talk proves that both ends hear each other, where the line carries sound.
func (r *run) talk(m line.Media) {
	r.Helper()
	if m != nil {
		r.must(BothWays(m, r.Far))
	}
}

// knowsAnswer reports whether the line can tell an answer from the far end's ringing.
func (r *run) knowsAnswer() bool { return r.Line.Caps().AnswerSupervision != line.AnswerUnknown }

// alert lets the far end ring. A line that cannot tell it from an answer takes it for one.
func (r *run) alert() {
	r.Helper()
	r.must(r.Far.Alert())
	if r.knowsAnswer() {
		r.want(line.Alerting)
		return
	}
	r.want(line.Connected)
}

// dial brings a dialled call to Proceeding.
func (r *run) dial() {
	r.Helper()
	r.must(r.Line.Dial(r.ctx(), party))
	r.want(line.Proceeding)
	select {
	case n := <-r.Far.Dialed():
		if n != party {
			r.Errorf("dialled %q, want %q", n, party)
		}
	case <-time.After(patience):
		r.Fatal("the network got no call")
	}
}

func answeredCaller(r *run) {
	m := r.answer()
	r.talk(m)
	if m == nil {
		r.must(r.Far.Hangup())
		r.wantEnd(tel.CauseNormal)
		return
	}
	if s := m.Stats(); s.FramesIn == 0 || s.FramesOut == 0 || s.Overruns != 0 {
		r.Errorf("stats %+v", s)
	}
	r.must(r.Far.Hangup())
	r.wantEnd(tel.CauseNormal)
	var f line.Frame
	if m.ReadFrame(&f) || m.WriteFrame(&f) {
		r.Error("the audio of an ended call still takes frames")
	}
}

func answeredParty(r *run) {
	r.dial()
	r.alert()
	r.must(r.Far.Answer())
	if r.knowsAnswer() {
		r.want(line.Connected)
	}
	r.talk(r.sound())
	r.must(r.Line.Hangup(r.ctx(), tel.CauseNormal))
	r.wantEnd(tel.CauseNormal)
}

func digits(r *run) {
	r.answer()
	const keys = "0123456789*#"
	if r.Line.Caps().DTMFDetect {
		for i := range len(keys) {
			r.must(r.Far.Press(keys[i]))
			if e := r.want(line.Digit); e.Digit != keys[i] {
				r.Errorf("digit %q, want %q", e.Digit, keys[i])
			}
		}
	}
	r.must(r.Line.SendDTMF(r.ctx(), keys))
	for i := range len(keys) {
		select {
		case d := <-r.Far.Pressed():
			if d != keys[i] {
				r.Errorf("the far end got %q, want %q", d, keys[i])
			}
		case <-time.After(patience):
			r.Fatal("the far end got no digit")
		}
	}
	if err := r.Line.SendDTMF(r.ctx(), "12x"); err == nil {
		r.Error("x passed as a digit")
	}
	r.must(r.Far.Hangup())
	r.wantEnd(tel.CauseNormal)
}

func flash(r *run) {
	able := r.Line.Caps().Flash
	want := line.ErrNoSupport
	if able {
		want = line.ErrNoCall
	}
	if err := r.Line.Flash(r.ctx()); !errors.Is(err, want) {
		r.Errorf("flash without a call: %v, want %v", err, want)
	}
	m := r.answer()
	if !able {
		if err := r.Line.Flash(r.ctx()); !errors.Is(err, line.ErrNoSupport) {
			r.Errorf("flash on a line without it: %v, want ErrNoSupport", err)
		}
	} else {
		exchange, ok := r.Far.(Recaller)
		if !ok {
			r.Fatal("a line that flashes has an exchange that is no Recaller")
		}
		for range 2 { // to the exchange, and back to the party
			r.must(r.Line.Flash(r.ctx()))
			select {
			case <-exchange.Recalls():
			case <-time.After(patience):
				r.Fatal("the exchange recognised no flash")
			}
		}
	}
	r.talk(m)
	r.must(r.Far.Hangup())
	r.wantEnd(tel.CauseNormal)
}

func withheld(r *run) {
	r.must(r.Far.Ring(""))
	if e := r.want(line.Incoming); e.Number != "" {
		r.Errorf("number %q", e.Number)
	}
	r.must(r.Far.Hangup())
	r.wantEnd(tel.CauseCancelled)
}

func givesUp(r *run) {
	r.must(r.Far.Ring(caller))
	r.want(line.Incoming)
	r.must(r.Far.Hangup())
	r.wantEnd(tel.CauseCancelled)
	if err := r.Line.Answer(r.ctx()); err == nil {
		r.Error("a caller who has gone was answered")
	}
}

func refused(r *run) {
	r.must(r.Far.Ring(caller))
	r.want(line.Incoming)
	r.must(r.Line.Hangup(r.ctx(), tel.CauseRejected))
	r.wantEnd(tel.CauseRejected)
}

func busyParty(r *run) {
	r.dial()
	r.must(r.Far.Busy())
	r.wantEnd(tel.CauseBusy)
}

func rejecting(r *run) {
	r.dial()
	r.alert()
	r.must(r.Far.Reject())
	if !r.knowsAnswer() { // then it cannot tell a refusal from a hang-up either
		r.wantEnd(tel.CauseNormal)
		return
	}
	r.wantEnd(tel.CauseRejected)
}

func refusedDial(r *run) {
	r.Far.RefuseDial(true)
	if err := r.Line.Dial(r.ctx(), party); !errors.Is(err, line.ErrRefused) {
		r.Errorf("dial: %v, want ErrRefused", err)
	}
	r.Far.RefuseDial(false)
	r.dial() // the line is free at once, and no event of the refused call was sent
	r.must(r.Far.Busy())
	r.wantEnd(tel.CauseBusy)
}

func glare(r *run) {
	r.must(r.Far.Ring(caller))
	if err := r.Line.Dial(r.ctx(), party); !errors.Is(err, line.ErrBusy) {
		r.Errorf("dial while ringing: %v, want ErrBusy", err)
	}
	r.want(line.Incoming)
	if err := r.Line.Dial(r.ctx(), party); !errors.Is(err, line.ErrBusy) {
		r.Errorf("dial after Incoming: %v, want ErrBusy", err)
	}
	r.must(r.Line.Answer(r.ctx()))
	r.want(line.Connected)
	r.must(r.Far.Hangup())
	r.wantEnd(tel.CauseNormal)
}

func hangupWhileRinging(r *run) {
	r.dial()
	r.alert()
	r.must(r.Line.Hangup(r.ctx(), tel.CauseCancelled))
	r.wantEnd(tel.CauseCancelled)
}

func abandonedDial(r *run) {
	ctx, cancel := context.WithCancel(r.ctx())
	cancel()
	switch err := r.Line.Dial(ctx, party); {
	case err == nil: // accepted in the same moment: then it is a call, and ours to end
		r.want(line.Proceeding)
		r.must(r.Line.Hangup(r.ctx(), tel.CauseCancelled))
		r.wantEnd(tel.CauseCancelled)
	case !errors.Is(err, context.Canceled):
		r.Errorf("dial: %v", err)
	}
	// The line becomes free in bounded time.
	deadline := time.Now().Add(patience)
	err := r.Line.Dial(r.ctx(), party)
	for errors.Is(err, line.ErrBusy) && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond) // polling for a state that has no event
		err = r.Line.Dial(r.ctx(), party)
	}
	r.must(err)
	r.want(line.Proceeding)
	r.must(r.Line.Hangup(r.ctx(), tel.CauseCancelled))
	r.wantEnd(tel.CauseCancelled)
}

func twoHangups(r *run) {
	r.answer()
	r.must(r.Line.Hangup(r.ctx(), tel.CauseNormal))
	r.must(r.Line.Hangup(r.ctx(), tel.CausePreempted))
	r.wantEnd(tel.CauseNormal)
	r.must(r.Line.Hangup(r.ctx(), tel.CauseNormal))
}

func noCall(r *run) {
	if err := r.Line.Answer(r.ctx()); !errors.Is(err, line.ErrNoCall) {
		r.Errorf("answer: %v", err)
	}
	if err := r.Line.SendDTMF(r.ctx(), "1"); !errors.Is(err, line.ErrNoCall) {
		r.Errorf("digits: %v", err)
	}
	if _, err := r.Line.Media(); r.Line.Caps().FullDuplex && !errors.Is(err, line.ErrNoCall) {
		r.Errorf("media: %v", err)
	}
	r.must(r.Line.Hangup(r.ctx(), tel.CauseNormal))
	if err := r.Line.Dial(r.ctx(), "not a number"); !errors.Is(err, tel.ErrNumber) {
		r.Errorf("dial: %v", err)
	}
}

func unplugged(r *run) {
	m := r.answer()
	r.must(r.Far.Unplug())
	r.wantEnd(tel.CauseInterfaceFailure)
	var f line.Frame
	if m != nil && m.ReadFrame(&f) {
		r.Error("audio from a modem that is not there")
	}
	r.service(false)
	if err := r.Line.Dial(r.ctx(), party); !errors.Is(err, line.ErrDown) {
		r.Errorf("dial without a modem: %v, want ErrDown", err)
	}
	r.must(r.Far.Plug())
	r.service(true)
	r.talk(r.answer())
	r.must(r.Far.Hangup())
	r.wantEnd(tel.CauseNormal)
}

func muted(r *run) {
	r.answer()
	r.Far.Mute(true)
	start := time.Now()
	r.must(r.Line.Hangup(r.ctx(), tel.CauseNormal))
	if d := time.Since(start); d > time.Second {
		r.Errorf("hang-up waited %v for a silent modem", d)
	}
	r.wantEnd(tel.CauseNormal)
	r.service(false)
	r.Far.Mute(false)
	r.service(true)
}

func garbage(r *run) {
	m := r.answer()
	for range 20 {
		r.must(r.Far.Garbage())
	}
	r.talk(m)
	r.must(r.Line.SendDTMF(r.ctx(), "5"))
	r.must(r.Far.Hangup())
	r.wantEnd(tel.CauseNormal)
}

func closing(r *run) {
	r.answer()
	if err := r.Line.Close(); err != nil {
		r.Errorf("close: %v", err)
	}
	if err := r.Line.Dial(r.ctx(), party); !errors.Is(err, line.ErrDown) {
		r.Errorf("dial after close: %v", fmt.Sprint(err))
	}
}
