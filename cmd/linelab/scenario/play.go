package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/drivers/serialport/wire"
	"github.com/pronto-pbx/pronto/firmware/line"
)

// Stage is where a scenario is played.
type Stage struct {
	Out io.Writer // one line for each happening; nil: nobody reads
	// Dir is where the modem's ports modem0-at and modem0-pcm appear for another program, which is the box
	// then; empty: the box is the product's own driver, and the ports are in memory.
	Dir string
}

// Errors of a play.
var (
	// ErrUnmet means that an expectation did not come true in its time.
	ErrUnmet = errors.New("this did not happen")
	// ErrNoBox means that a sentence needs a box of our own.
	ErrNoBox = errors.New("here the box is another program, which nobody can ask or tell")
)

// play is a scenario in progress.
type play struct {
	ctx   context.Context
	stage Stage
	start time.Time
	ready chan struct{} // closed when sim is set
	sim   *gsmsim.Sim
	box   *box // nil where another program is the box

	book *book

	mu      sync.Mutex // guards what follows, and Out
	answers time.Duration
	auto    bool // who is dialled answers after answers
	over    bool // nobody may write to Out any more
}

// Play plays a scenario to its end. The error names the line whose sentence could not be played or did not
// come true; ErrUnmet and ErrNoBox tell the two kinds apart.
func Play(ctx context.Context, s *Script, stage Stage) error {
	if stage.Out == nil {
		stage.Out = io.Discard
	}
	p := &play{ctx: ctx, stage: stage, start: time.Now(), ready: make(chan struct{}), book: newBook()}
	if err := p.check(s); err != nil {
		return err
	}
	if err := p.open(s.Steps); err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	err := p.run(s)
	err = errors.Join(err, p.close())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	return err
}

// check refuses what cannot be played here before anything begins.
func (p *play) check(s *Script) error {
	if p.stage.Dir == "" {
		return nil
	}
	for _, step := range s.Steps {
		for _, form := range sentences {
			if form.words == step.Words && form.box {
				return fmt.Errorf("%s:%d: %s: %w", s.Name, step.Line, step.Text, ErrNoBox)
			}
		}
	}
	return nil
}

// open makes the modem as the settings say, and the box.
func (p *play) open(steps []Step) error {
	bus := &wire.Bus{}
	box := newBox(p.book)
	sc := gsmsim.Config{
		Dialed:   func(number string) { p.book.note("dialled", number); p.dialled() },
		Digit:    func(d byte) { p.book.note("pressed", string(rune(d))) },
		Messaged: func(m gsmsim.Message) { p.book.note("sent", m.Text) },
		Ended:    func() { p.book.note("over", "") },
		Source:   box.farSays, Sink: box.farHears,
	}
	gc := gsm.Config{ID: "gsm0", Name: "Mobile", Bus: bus, Inbox: box, Locate: gsm.AtPaths("at", "pcm"), PINs: &tries{}}
	if p.stage.Dir == "" {
		sc.Ports = func() (command, audio serialport.Stream, err error) { return bus.Plug("at"), bus.Plug("pcm"), nil }
	} else {
		sc.Command, sc.Audio = filepath.Join(p.stage.Dir, "modem0-at"), filepath.Join(p.stage.Dir, "modem0-pcm")
	}
	for _, s := range steps {
		switch s.Words {
		case "modem clock":
			n, _ := integer(s.Args["1"]) // Parse has checked what follows
			sc.PPM = float64(n)
		case "modem pin":
			sc.PIN, gc.PIN = s.Args["1"], s.Args["1"]
		case "modem boot":
			sc.Boot, _ = duration(s.Args["1"])
		case "modem rings":
			sc.RingEvery, _ = duration(s.Args["every"])
		}
	}
	p.book.told = func(f fact) { p.say("  %s", f) }
	var err error
	if p.sim, err = gsmsim.New(sc); err != nil {
		return fmt.Errorf("plug the modem in: %w", err)
	}
	close(p.ready)
	if p.stage.Dir != "" {
		return nil
	}
	l, err := gsm.Open(gc)
	if err != nil {
		return errors.Join(err, p.sim.Close())
	}
	p.box = box
	box.open(l)
	return nil
}

func (p *play) close() error {
	var err error
	if p.box != nil {
		err = p.box.close()
	}
	return errors.Join(err, p.sim.Close())
}

// dialled lets whom the box has called answer, where the scenario says that everybody does.
func (p *play) dialled() {
	p.mu.Lock()
	auto, after := p.auto, p.answers
	p.mu.Unlock()
	if !auto {
		return
	}
	<-p.ready
	_ = p.sim.RemoteAlert() // the call may be over already
	if p.pause(after) {
		_ = p.sim.RemoteAnswer()
	}
}

func (p *play) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.ctx.Done():
		return false
	}
}

func (p *play) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over { // the network tells some things beside the play
		return
	}
	fmt.Fprintf(p.stage.Out, "%9.3f %s\n", time.Since(p.start).Seconds(), fmt.Sprintf(format, args...))
}

func (p *play) run(s *Script) error {
	for _, step := range s.Steps {
		wait := step.After
		if step.At >= 0 {
			wait = time.Until(p.start.Add(step.At))
		}
		if !p.pause(max(0, wait)) {
			return p.ctx.Err()
		}
		p.say("%s", step.Text)
		if err := p.step(step); err != nil {
			return fmt.Errorf("%s:%d: %s: %w", s.Name, step.Line, step.Text, err)
		}
	}
	if err := p.sim.RemoteHangup(); err != nil && !errors.Is(err, gsmsim.ErrNoCall) {
		return fmt.Errorf("%s: the last call does not end: %w", s.Name, err)
	}
	if p.box != nil && !p.book.await(p.ctx, defaultWithin, func() bool { return p.book.begun == p.book.ended }) {
		return fmt.Errorf("%s: the box still has a call when all is over: %w", s.Name, ErrUnmet)
	}
	return nil
}

// causes are the facts that a sentence can lead to. What came of earlier sentences is forgotten when it is
// played, so that an expectation is never met by the past.
var causes = map[string][]string{
	"caller rings": ofCalls, "box dials": ofCalls,
	"fault":       {"outage"},
	"box presses": {"pressed"}, "caller presses": {"key"},
	"box writes": {"sent"}, "caller writes": {"message"},
}

func (p *play) step(s Step) error {
	p.book.forget(causes[s.Words]...)
	a := s.Args
	switch s.Words {
	case "modem clock", "modem pin", "modem boot", "modem rings":
		return nil // open has done it
	case "caller rings":
		return p.sim.Ring(a["1"])
	case "caller writes":
		from := a["from"]
		if from == "" {
			from = "+393331234567"
		}
		return p.sim.Deliver(from, a["1"])
	case "caller presses":
		for _, d := range []byte(a["1"]) {
			if err := p.sim.RemoteDTMF(d); err != nil {
				return err
			}
		}
		return nil
	case "caller hangs_up":
		return p.sim.RemoteHangup()
	case "party alerts":
		return p.sim.RemoteAlert()
	case "party answers":
		return p.partyAnswers(a["after"])
	case "party busy":
		return p.sim.RemoteBusy()
	case "party declines":
		return p.sim.RemoteReject("Call rejected")
	case "fault":
		return p.sim.Strike(a["1"], a["2"])
	case "heal":
		if a["1"] == "all" {
			return p.sim.HealAll()
		}
		return p.sim.Heal(a["1"])
	case "expect service", "expect outage", "expect ringing", "expect alerting", "expect connected", "expect sound", "expect key", "expect end",
		"expect message", "expect dialled", "expect over", "expect pressed", "expect sent":
		return p.expect(s)
	default:
		return p.box.step(p.ctx, s)
	}
}

// partyAnswers answers now, or lets everybody answer from now on.
func (p *play) partyAnswers(after string) error {
	if after == "" {
		return p.sim.RemoteAnswer()
	}
	d, err := duration(after)
	p.mu.Lock()
	p.auto, p.answers = true, d
	p.mu.Unlock()
	return err
}

// expect waits for what shall happen.
func (p *play) expect(s Step) error {
	limit := defaultWithin
	if w := s.Args["within"]; w != "" {
		limit, _ = duration(w)
	}
	what, want := s.Words[len("expect "):], s.Args["1"]
	start := time.Now()
	met := func() bool { return p.book.take(what, want) }
	switch what {
	case "service":
		met = func() bool { return p.book.up }
	case "sound":
		if !p.box.hear(p.ctx, limit) {
			return fmt.Errorf("not within %v: %w", limit, ErrUnmet)
		}
		return nil
	case "key", "pressed":
		met = func() bool { return p.book.takeAll(what, want) }
	}
	if !p.book.await(p.ctx, limit, met) {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		return fmt.Errorf("not within %v; %s: %w", limit, p.book.last(what), ErrUnmet)
	}
	p.say("  %s after %s s", what, strconv.FormatFloat(time.Since(start).Seconds(), 'f', 1, 64))
	return nil
}

// tries is a gsm.PINMemory for one play.
type tries struct {
	mu   sync.Mutex
	keys map[string]bool
}

// Tried implements gsm.PINMemory.
func (t *tries) Tried(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.keys[key]
}

// Remember implements gsm.PINMemory.
func (t *tries) Remember(key string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keys == nil {
		t.keys = map[string]bool{}
	}
	t.keys[key] = true
	return nil
}

// Forget implements gsm.PINMemory.
func (t *tries) Forget(key string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.keys, key)
	return nil
}

var (
	_ line.Inbox    = (*box)(nil)
	_ gsm.PINMemory = (*tries)(nil)
)
