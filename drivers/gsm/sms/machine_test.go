package sms_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/sms"
	"github.com/pronto-pbx/pronto/firmware/line"
)

var plan = sms.Plan{Memories: []string{"SM", "ME"}, Sweep: 10 * time.Minute, Rest: 30 * time.Second, Command: 5 * time.Second, Network: 40 * time.Second}

var both = sms.Room{Read: true, Send: true}

const (
	hello = "00040B919333214365F7000062117270000000" + "0141"
	half  = "00040B9193332143"
)

// play feeds events to a machine, with one second between them, and returns what it did in short words.
func play(events ...sms.Event) (did []string) {
	var s sms.State
	now := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	for _, e := range events {
		var effects []sms.Effect
		s, effects = sms.Next(s, e, now, both, &plan)
		for _, f := range effects {
			did = append(did, short(f))
		}
		now = now.Add(time.Second)
	}
	return did
}

func short(f sms.Effect) string {
	switch f.Kind {
	case sms.Ask:
		return f.Command.Text
	case sms.Commit:
		return fmt.Sprint("commit ", f.Part.Kind)
	case sms.Deliver:
		return fmt.Sprint("deliver ", f.Part.Kind)
	case sms.Sent:
		return fmt.Sprint("sent ", f.Token, " ", f.Reference, " ", f.Err)
	default:
		return fmt.Sprint(f.Memory, " ", f.Used, "/", f.Total)
	}
}

func TestTheMachineStepByStep(t *testing.T) {
	started := sms.Event{Kind: sms.Started}
	good := func(lines ...string) sms.Event {
		return sms.Event{Kind: sms.Replied, Answer: sms.Answer{OK: true, Lines: lines}}
	}
	bad := func(code int) sms.Event {
		return sms.Event{Kind: sms.Replied, Answer: sms.Answer{Code: code}}
	}
	silent := sms.Event{Kind: sms.Replied, Answer: sms.Answer{Silent: true, Code: -1}}
	safe := sms.Event{Kind: sms.Committed}
	send := func(token uint64, more bool) sms.Event {
		return sms.Event{Kind: sms.Send, Outgoing: sms.Outgoing{Token: token, PDU: sms.PDU{Hex: "00AA", Octets: 1}, More: more}}
	}
	swept := []sms.Event{started, good("+CPMS: 0,20,0,20,0,20"), good(), good("+CPMS: 0,20,0,20,0,20"), good()}
	sweep := []string{`AT+CPMS="SM"`, "SM 0/20", "AT+CMGL=4", `AT+CPMS="ME"`, "ME 0/20", "AT+CMGL=4"}
	after := func(more ...sms.Event) []sms.Event { return append(append([]sms.Event(nil), swept...), more...) }
	did := func(more ...string) []string { return append(append([]string(nil), sweep...), more...) }
	notified := sms.Event{Kind: sms.Notified, Slot: sms.Slot{Memory: "ME", Index: 3}}
	tests := map[string]struct {
		events []sms.Event
		want   []string
	}{
		"both memories are looked through at the start": {swept, sweep},
		"a memory that the modem has not is left out":   {[]sms.Event{started, bad(302), good("+CPMS: 1,20"), good()}, []string{`AT+CPMS="SM"`, `AT+CPMS="ME"`, "ME 1/20", "AT+CMGL=4"}},
		"what is listed is committed, then deleted, and the list is read again": {
			[]sms.Event{started, good("+CPMS: 1,20"), good("+CMGL: 7,0,,20", hello), safe, good(), good()},
			[]string{`AT+CPMS="SM"`, "SM 1/20", "AT+CMGL=4", "commit 1", "AT+CMGD=7", "AT+CMGL=4", `AT+CPMS="ME"`},
		},
		"what cannot be deleted is not listed for ever": {
			[]sms.Event{started, good("+CPMS: 1,20"), good("+CMGL: 7,0,,20", hello), safe, bad(321)},
			[]string{`AT+CPMS="SM"`, "SM 1/20", "AT+CMGL=4", "commit 1", "AT+CMGD=7", `AT+CPMS="ME"`},
		},
		"our own stored messages are left alone": {
			[]sms.Event{started, good("+CPMS: 1,20"), good("+CMGL: 7,3,,20", hello)},
			[]string{`AT+CPMS="SM"`, "SM 1/20", "AT+CMGL=4", `AT+CPMS="ME"`},
		},
		"a notified one is read from its memory": {
			after(notified, good("+CMGR: 0,,20", hello), safe, good()),
			did("AT+CMGR=3", "commit 1", "AT+CMGD=3"),
		},
		"what is not safe is not deleted": {
			after(notified, good("+CMGR: 0,,20", hello), sms.Event{Kind: sms.Committed, Err: errors.New("disk full")}),
			did("AT+CMGR=3", "commit 1"),
		},
		"an empty place is no message": {after(notified, bad(321)), did("AT+CMGR=3")},
		"a broken one is read three times and kept": {
			after(notified, good("+CMGR: 0,,20", half), good("+CMGR: 0,,20", half), good("+CMGR: 0,,20", half), safe, good()),
			did("AT+CMGR=3", "AT+CMGR=3", "AT+CMGR=3", "commit 3", "AT+CMGD=3"),
		},
		"a silent modem is left in peace": {after(notified, silent, sms.Event{Kind: sms.Turned}), did("AT+CMGR=3")},
		"a part is sent":                  {after(send(1, false), good("+CMGS: 9")), did("AT+CMGS=1", "sent 1 9 <nil>")},
		"the link is kept for the next":   {after(send(1, true), bad(-1), good("+CMGS: 9")), did("AT+CMMS=1", "AT+CMGS=1", "sent 1 9 <nil>")},
		"an OK without reference is sent": {after(send(1, false), good()), did("AT+CMGS=1", "sent 1 -1 <nil>")},
		"a refusal has its reason":        {after(send(1, false), bad(331)), did("AT+CMGS=1", "sent 1 -1 message refused: no network")},
		"a full memory is looked through": {
			after(send(1, false), bad(322)), did("AT+CMGS=1", "sent 1 -1 message refused: the memory is full", `AT+CPMS="SM"`),
		},
		"a modem that goes while it sends leaves doubt, and none about the rest": {
			after(send(1, false), send(2, false), sms.Event{Kind: sms.Lost}),
			did("AT+CMGS=1", "sent 1 -1 "+line.ErrUncertain.Error(), "sent 2 -1 "+line.ErrDown.Error()),
		},
		"who does not wait any more sends nothing": {
			after(send(1, false), send(2, false), sms.Event{Kind: sms.Abandoned, Token: 2}, good("+CMGS: 1")),
			did("AT+CMGS=1", "sent 2 -1 "+line.ErrTimeout.Error(), "sent 1 1 <nil>"),
		},
		"a report that comes within an answer is not lost": {
			after(notified, good("000601"+"038111F0"+"6211727000000062117270000000"+"00", "+CMGR: 0,,20", hello), safe),
			did("AT+CMGR=3", "deliver 2", "commit 1", "AT+CMGD=3"),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := play(tt.events...); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("did\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(tt.want, "\n "))
			}
		})
	}
}

func TestACallKeepsMessagesWaiting(t *testing.T) {
	now := time.Now()
	s, did := sms.Next(sms.State{}, sms.Event{Kind: sms.Started}, now, sms.Room{}, &plan)
	s, more := sms.Next(s, sms.Event{Kind: sms.Send, Outgoing: sms.Outgoing{Token: 1}}, now, sms.Room{}, &plan)
	if len(did) != 0 || len(more) != 1 || !errors.Is(more[0].Err, line.ErrBusy) || !s.Deadline.IsZero() {
		t.Errorf("in a call it did %v %v, and wakes at %v", did, more, s.Deadline)
	}
	if _, did = sms.Next(s, sms.Event{Kind: sms.Turned}, now, both, &plan); len(did) != 1 {
		t.Errorf("after the call it did %v", did)
	}
}

// world is a modem, an inbox and senders that do what they like.
type world struct {
	t      *testing.T
	random *rand.Rand
	s      sms.State
	now    time.Time
	room   sms.Room
	asked  *sms.Command // under way
	waits  bool         // for the inbox
	safe   bool         // the inbox has what is to be deleted
	sent   map[uint64]int
	token  uint64
}

func (w *world) step(e sms.Event) {
	var effects []sms.Effect
	w.s, effects = sms.Next(w.s, e, w.now, w.room, &plan)
	for _, f := range effects {
		w.check(f)
	}
}

func (w *world) check(f sms.Effect) {
	switch f.Kind {
	case sms.Ask:
		if w.asked != nil || w.waits {
			w.t.Fatalf("%q is asked while %v is under way", f.Command.Text, w.asked)
		}
		isDelete := strings.HasPrefix(f.Command.Text, "AT+CMGD")
		if isDelete != w.safe {
			w.t.Fatalf("%q, and safe is %v", f.Command.Text, w.safe)
		}
		if strings.HasPrefix(f.Command.Text, "AT+CMGS") && !w.room.Send {
			w.t.Fatal("a message is sent in a call")
		}
		c := f.Command
		w.asked, w.safe = &c, false
	case sms.Commit:
		if w.asked != nil || w.waits {
			w.t.Fatal("two things at once")
		}
		w.waits = true
	case sms.Sent:
		w.sent[f.Token]++
	case sms.Deliver, sms.Storage:
	}
}

func (w *world) answer() sms.Answer {
	a := sms.Answer{OK: w.random.IntN(4) > 0, Code: -1}
	switch n := w.random.IntN(20); {
	case n == 0:
		return sms.Answer{Silent: true, Given: w.random.IntN(2) == 0, Code: -1}
	case strings.HasPrefix(w.asked.Text, "AT+CMGL"):
		for i := range w.random.IntN(3) {
			a.Lines = append(a.Lines, fmt.Sprintf("+CMGL: %d,%d,,%d", i, w.random.IntN(4), 20), []string{hello, half}[w.random.IntN(2)])
		}
	case strings.HasPrefix(w.asked.Text, "AT+CMGR"):
		a.Lines = []string{"+CMGR: 0,,20", []string{hello, half}[w.random.IntN(2)]}[:w.random.IntN(3)]
	case strings.HasPrefix(w.asked.Text, "AT+CPMS"):
		a.Lines = []string{"+CPMS: 1,20"}
	}
	return a
}

func (w *world) turn() {
	w.now = w.now.Add(time.Duration(w.random.IntN(2000)) * time.Millisecond)
	switch n := w.random.IntN(20); {
	case n < 9 && w.asked != nil:
		a := w.answer()
		w.asked = nil
		w.step(sms.Event{Kind: sms.Replied, Answer: a})
	case n < 9 && w.waits:
		var err error
		if w.random.IntN(4) == 0 {
			err = errors.New("disk full")
		}
		w.waits, w.safe = false, err == nil
		w.step(sms.Event{Kind: sms.Committed, Err: err})
		w.safe = false
	case n < 12:
		w.token++
		w.sent[w.token] = 0
		w.step(sms.Event{Kind: sms.Send, Outgoing: sms.Outgoing{Token: w.token, More: w.random.IntN(2) == 0}})
	case n < 14:
		w.step(sms.Event{Kind: sms.Notified, Slot: sms.Slot{Memory: []string{"SM", "ME", ""}[w.random.IntN(3)], Index: w.random.IntN(9) - 1}})
	case n == 14:
		w.step(sms.Event{Kind: sms.Abandoned, Token: 1 + w.random.Uint64N(w.token+1)})
	case n == 15:
		w.step(sms.Event{Kind: sms.Pushed, Raw: hello, Octets: -1})
	case n == 16 && w.random.IntN(20) == 0:
		w.step(sms.Event{Kind: sms.Lost})
		w.asked, w.waits, w.safe = nil, false, false
		for token, n := range w.sent {
			if n != 1 {
				w.t.Fatalf("part %d was settled %d times when the modem went", token, n)
			}
		}
		w.step(sms.Event{Kind: sms.Started})
	default:
		w.room = sms.Room{Read: w.random.IntN(4) > 0, Send: w.random.IntN(2) > 0}
		w.step(sms.Event{Kind: sms.Turned})
	}
	for token, n := range w.sent {
		if n > 1 {
			w.t.Fatalf("part %d was settled %d times", token, n)
		}
	}
}

// Whatever the modem, the inbox and the calls do: one command at a time, nothing is deleted that is not
// safe, each part to send is settled once, and in the end all is done.
func TestPropertiesOfTheMachine(t *testing.T) {
	for seed := range uint64(300) {
		w := &world{t: t, random: rand.New(rand.NewPCG(seed, 1)), now: time.Now(), sent: map[uint64]int{}}
		w.step(sms.Event{Kind: sms.Started})
		for range 500 {
			w.turn()
		}
		w.finish(seed)
	}
}

// finish lets a healthy modem without calls do what is left.
func (w *world) finish(seed uint64) {
	w.room = both
	for range 2000 {
		switch {
		case w.asked != nil:
			w.asked = nil
			w.step(sms.Event{Kind: sms.Replied, Answer: sms.Answer{OK: true}})
		case w.waits:
			w.waits, w.safe = false, true
			w.step(sms.Event{Kind: sms.Committed})
			w.safe = false
		default:
			w.now = w.now.Add(time.Second)
			w.step(sms.Event{Kind: sms.Turned})
		}
	}
	for token, n := range w.sent {
		if n != 1 {
			w.t.Fatalf("seed %d: part %d was settled %d times in the end", seed, token, n)
		}
	}
	if w.s.Deadline.IsZero() {
		w.t.Fatalf("seed %d: it never wakes again", seed)
	}
}
