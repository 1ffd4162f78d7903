// Package party makes call legs of telephone lines: a GSM or analog call joins at line.Event, and
// from there nothing differs from a SIP call.
package party

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/call/voice"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// ErrNoLine is returned for a route through a line that does not exist.
var ErrNoLine = errors.New("no such line")

// refPrefix marks a leg of this package in a call's snapshot; the line's id follows.
const refPrefix = "line:"

// commandLimit bounds how long a modem may take to accept a command; what happens afterwards
// arrives as an event.
const commandLimit = 45 * time.Second

// Config wires the lines to their neighbours.
type Config struct {
	Log      *slog.Logger
	Engine   *media.Engine
	Sounds   voice.Sounds
	Language func() string
	Arrive   func(in call.Arrival, makeLeg func(func(call.LegEvent)) call.Leg) (tel.CallID, error)
	Changed  func(tel.LineChanged)
}

// Board owns the lines: one goroutine for each follows its events.
type Board struct {
	cfg Config
	wg  sync.WaitGroup

	mu      sync.Mutex // guards what follows
	posts   map[tel.LineID]*post
	retired map[*post]struct{} // until their call has ended
}

// post is one line and the leg that uses it now.
type post struct {
	b    *Board
	line line.Line
	log  *slog.Logger

	close func() error  // once
	ended chan struct{} // closed when run has returned
	gone  chan struct{} // closed when a retired line is released

	mu      sync.Mutex // guards what follows
	leg     *leg
	retired bool
}

// New returns a board without lines.
func New(cfg Config) *Board {
	return &Board{cfg: cfg, posts: map[tel.LineID]*post{}, retired: map[*post]struct{}{}}
}

// Add puts a line to use; the board closes it.
func (b *Board) Add(l line.Line) {
	p := &post{
		b: b, line: l, log: b.cfg.Log.With("line", l.ID()), close: sync.OnceValue(l.Close),
		ended: make(chan struct{}), gone: make(chan struct{}),
	}
	b.mu.Lock()
	b.posts[l.ID()] = p
	b.mu.Unlock()
	b.wg.Go(p.run)
}

// Line is a line in use, for what it does beside calls; ok is false while there is none of that name.
func (b *Board) Line(id tel.LineID) (l line.Line, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok := b.posts[id]
	if !ok {
		return nil, false
	}
	return p.line, true
}

// Retire takes a line out of use: no new call, and it is closed when the call that is up has ended.
// gone is closed when the device is free again; busy tells whether a call is up. A line that is not
// there is gone.
func (b *Board) Retire(id tel.LineID) (gone <-chan struct{}, busy bool) {
	b.mu.Lock()
	p := b.posts[id]
	if p == nil {
		b.mu.Unlock()
		free := make(chan struct{})
		close(free)
		return free, false
	}
	delete(b.posts, id)
	b.retired[p] = struct{}{}
	b.mu.Unlock()
	p.mu.Lock()
	p.retired, busy = true, p.leg != nil
	p.mu.Unlock()
	if !busy {
		b.wg.Go(p.release)
	}
	return p.gone, busy
}

// release closes a retired line whose last call has ended.
func (p *post) release() {
	if err := p.close(); err != nil {
		p.log.Warn("line does not close", "err", err)
	}
	<-p.ended
	p.b.mu.Lock()
	delete(p.b.retired, p)
	p.b.mu.Unlock()
	close(p.gone)
}

// Close closes every line and waits for their goroutines.
func (b *Board) Close() error {
	b.mu.Lock()
	all := b.posts
	b.posts = map[tel.LineID]*post{}
	var draining []*post
	for p := range b.retired {
		draining = append(draining, p)
	}
	b.mu.Unlock()
	var errs []error
	for _, p := range all {
		errs = append(errs, p.close())
	}
	for _, p := range draining {
		errs = append(errs, p.close())
	}
	b.wg.Wait()
	return errors.Join(errs...)
}

// DialLine calls a number through a line.
func (b *Board) DialLine(id tel.LineID, to tel.Number, _ call.Outgoing, events func(call.LegEvent)) (call.Leg, error) {
	b.mu.Lock()
	p := b.posts[id]
	b.mu.Unlock()
	if p == nil {
		return nil, fmt.Errorf("%w: %s", ErrNoLine, id)
	}
	if !p.line.Caps().FullDuplex && !to.Emergency() { // somebody may come to look, even after a silent call
		return nil, fmt.Errorf("line %s has no sound: %w", id, line.ErrNoSupport)
	}
	l, err := p.newLeg("", events)
	if err != nil {
		return nil, err
	}
	l.command("dial", func(ctx context.Context) error { return p.line.Dial(ctx, to) }, func(err error) {
		l.ended(call.LegEvent{Cause: causeOf(err)})
	})
	return l, nil
}

// causeOf is why a line refused to dial.
func causeOf(err error) tel.Cause {
	switch {
	case errors.Is(err, line.ErrBusy), errors.Is(err, line.ErrRefused):
		return tel.CauseCongestion
	case errors.Is(err, line.ErrDown):
		return tel.CauseInterfaceFailure
	default:
		return tel.CauseNetworkFailure
	}
}

// newLeg takes the line for a call; there is at most one at a time.
func (p *post) newLeg(id tel.LegID, events func(call.LegEvent)) (*leg, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leg != nil || p.retired {
		return nil, fmt.Errorf("line %s: %w", p.line.ID(), line.ErrBusy)
	}
	sound := &lateMedia{line: p.line}
	half, err := voice.Open(voice.Config{
		Log: p.log, Engine: p.b.cfg.Engine, Sounds: p.b.cfg.Sounds, Language: p.b.cfg.Language,
		Party: refPrefix + string(p.line.ID()), Events: events,
	}, media.LegConfig{ID: id, Line: sound, DetectDTMF: !p.line.Caps().DTMFDetect})
	if err != nil {
		return nil, err
	}
	p.leg = &leg{Half: half, post: p, events: events, sound: sound}
	return p.leg, nil
}

func (p *post) current() *leg {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leg
}

// run follows the line's events until the line is closed.
func (p *post) run() {
	defer close(p.ended)
	for e := range p.line.Events() {
		switch e.Kind {
		case line.Incoming:
			p.incoming(e)
		case line.Status:
			p.b.cfg.Changed(e.Status)
		case line.Recovered:
			p.recovered()
		case line.Proceeding, line.Alerting, line.Connected, line.Digit, line.Ended:
			if l := p.current(); l != nil {
				l.event(e)
			}
		}
	}
	if l := p.current(); l != nil {
		l.ended(call.LegEvent{Cause: tel.CauseInterfaceFailure})
	}
}

// recoverLimit is how long a modem may take after a restart to tell that its call is still up.
const recoverLimit = 30 * time.Second

// Find implements part of call.Finder for lines: the leg has its audio again when the modem reports
// the call of the earlier process, and ends when it does not.
func (b *Board) Find(ref string, id tel.LegID, events func(call.LegEvent)) (call.Leg, bool) {
	name, ok := strings.CutPrefix(ref, refPrefix)
	b.mu.Lock()
	p := b.posts[tel.LineID(name)]
	b.mu.Unlock()
	if !ok || p == nil {
		return nil, false
	}
	l, err := p.newLeg(id, events)
	if err != nil {
		p.log.Warn("call of an earlier process cannot be taken up", "err", err)
		return nil, false
	}
	l.lost = time.AfterFunc(recoverLimit, func() { l.ended(call.LegEvent{Cause: tel.CauseInterfaceFailure}) })
	return l, true
}

// recovered hears that the modem kept a call through our restart; Connected follows when its sound is
// up. Without a leg that waits for it nobody on our side knows the call any more, and it is ended.
func (p *post) recovered() {
	if l := p.current(); l != nil && l.lost != nil && l.lost.Stop() {
		p.log.Info("call of an earlier process goes on")
		return
	}
	p.log.Warn("line has a call that nobody knows; it is ended")
	p.hangup(tel.CauseInterfaceFailure)
}

func (p *post) hangup(why tel.Cause) {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	if err := p.line.Hangup(ctx, why); err != nil {
		p.log.Warn("line does not hang up", "err", err)
	}
}

func (p *post) incoming(e line.Event) {
	if p.current() != nil {
		return // the ring of a call that we already know
	}
	if !p.line.Caps().FullDuplex {
		p.log.Warn("caller gets the busy tone: the sound of this line does not reach the box", "from", e.Number.Masked())
		p.hangup(tel.CauseBusy)
		return
	}
	sink := make(chan func(call.LegEvent), 1)
	get := sync.OnceValue(func() func(call.LegEvent) { return <-sink })
	l, err := p.newLeg("", func(e call.LegEvent) { get()(e) })
	if err != nil {
		p.log.Error("caller on the line cannot be taken", "err", err)
		p.hangup(tel.CauseCongestion)
		return
	}
	_, err = p.b.cfg.Arrive(call.Arrival{From: l.Party(), Caller: e.Number}, func(events func(call.LegEvent)) call.Leg {
		sink <- events
		return l
	})
	if err != nil {
		p.log.Warn("caller on the line is refused", "err", err)
		sink <- func(call.LegEvent) {}
		l.Hangup(tel.CauseCongestion)
	}
}
