package call

import (
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// mailbox bounds what a call may have pending; a call that does not keep up is ended.
const mailbox = 128

// actor runs one call. Only its goroutine touches state, legs and timers.
type actor struct {
	x    *Exchange
	id   tel.CallID
	plan Plan
	log  *slog.Logger
	in   chan any
	halt chan struct{} // closed to end the goroutine before the call's own end
	over chan struct{} // closed when the call has ended
	once sync.Once

	mu        sync.Mutex // orders tell and the end: what tell has taken will be handled
	closed    bool
	abandoned bool // the next process takes the call over: no leg is touched

	state   State
	legs    map[tel.LegID]held
	moved   map[tel.LegID]*actor   // legs that another call has taken: what still comes for them goes there
	offered map[tel.LegID]LegEvent // legs offered to another call, with their end if it came meanwhile
	timers  []*time.Timer
	shown   tel.CallChanged
	seen    []tel.PartyChanged
	taking  *adoption         // the Adopt at hand
	told    int               // spans of supervision whose end observers know
	watched []tel.Supervision // that run, as observers know them

	// What the exchange looks at; written by the actor.
	ringing atomic.Pointer[ringing]      // what others may pick up
	urgent  atomic.Bool                  // an emergency call
	talk    atomic.Pointer[conversation] // what others may supervise
}

// held is a leg and the sink of its events, which goes with it to another call.
type held struct {
	Leg
	sink *sink
}

// sink delivers a leg's events to the call that has the leg now.
type sink struct{ owner atomic.Pointer[actor] }

func (s *sink) event(e LegEvent) {
	for {
		a := s.owner.Load()
		if a.tell(e) || s.owner.Load() == a {
			return
		}
	}
}

func (a *actor) newSink() *sink {
	s := &sink{}
	s.owner.Store(a)
	return s
}

func newActor(x *Exchange, plan Plan, s State) *actor {
	return &actor{
		x: x, id: s.Call, plan: plan, state: s, log: x.cfg.Log.With("call", s.Call),
		in: make(chan any, mailbox), halt: make(chan struct{}), over: make(chan struct{}),
		legs: map[tel.LegID]held{}, moved: map[tel.LegID]*actor{}, offered: map[tel.LegID]LegEvent{},
	}
}

// tell hands a message to the call; false means that the call is over or does not keep up.
func (a *actor) tell(m any) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	select {
	case a.in <- m:
		return true
	default:
		a.log.Error("call does not keep up with its messages and is ended")
		a.stop()
		return false
	}
}

// stop ends the goroutine before another message.
func (a *actor) stop() { a.once.Do(func() { close(a.halt) }) }

// abandon ends the goroutine and leaves legs and journal as they are.
func (a *actor) abandon() {
	a.mu.Lock()
	a.abandoned, a.closed = true, true
	a.mu.Unlock()
	a.stop()
}

func (a *actor) run() {
	defer a.x.remove(a)
	defer func() {
		for _, t := range a.timers {
			t.Stop()
		}
	}()
	ended := a.live()
	close(a.over)
	if !ended {
		return
	}
	a.quieten()
	for {
		m, more := a.last()
		if !more {
			return
		}
		a.handle(m) // what arrived between the end of the call and the end of its mailbox
	}
}

// live runs the call until it ends; false means that the next process has it.
func (a *actor) live() (ended bool) {
	for a.state.Stage != tel.StageEnded {
		select {
		case <-a.halt:
			a.mu.Lock()
			abandoned := a.abandoned
			a.mu.Unlock()
			if abandoned {
				return false
			}
			a.giveUp()
		case m := <-a.in:
			a.handle(m)
		}
	}
	return true
}

// quieten stays with a call that has ended until no phone rings for its offers any more, and no longer than
// the queue waits for that.
func (a *actor) quieten() {
	if len(a.state.Owed) == 0 {
		return
	}
	limit := time.NewTimer(tel.SettleWithin)
	defer limit.Stop()
	for len(a.state.Owed) > 0 {
		select {
		case <-a.halt:
			return
		case <-limit.C:
			return
		case <-a.x.closing:
			return
		case m := <-a.in:
			a.handle(m)
		}
	}
}

// last is the next message of a call that has ended; when there is none the mailbox closes.
func (a *actor) last() (m any, more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case m = <-a.in:
		return m, true
	default:
		a.closed = true
		return nil, false
	}
}

// handle runs one input; a panic ends this call and no other.
func (a *actor) handle(m any) {
	defer func() {
		if p := recover(); p != nil {
			a.log.Error("call ended by a fault of ours", "panic", p, "stack", string(debug.Stack()))
			a.giveUp()
		}
	}()
	m, mine := a.unwrap(m)
	if !mine {
		return
	}
	defer func() { a.taking = nil }()
	state, effects := Next(a.state, m, time.Now())
	a.state = state
	a.persist()
	for _, e := range effects {
		a.perform(e)
	}
	a.show()
}

// unwrap does what a message asks of the actor itself. False says that it was for another call.
func (a *actor) unwrap(m any) (in any, mine bool) {
	switch m := m.(type) {
	case LegEvent:
		if to := a.moved[m.Leg]; to != nil {
			to.tell(m)
			return nil, false
		}
		if m.Kind == LegEnded {
			if _, ok := a.offered[m.Leg]; ok {
				a.offered[m.Leg] = m
			}
			a.drop(m.Leg)
		}
		if m.Kind == LegAnswered {
			a.x.answered(m.Leg)
		}
		if m.Kind == LegQuiet && len(a.state.Owed) == 0 { // nobody waits for it
			return nil, false
		}
	case adoption:
		a.taking = &m
		if m.Target.Watch != nil {
			m.Permit = a.permitted(m.Adopt)
		}
		return m.Adopt, true
	case handed:
		a.gave(m)
		return m.HandedOver, true
	}
	return m, true
}

// giveUp ends a call whose handling has failed: every party and the queues learn of it.
func (a *actor) giveUp() {
	for _, l := range a.legs {
		l.Hangup(tel.CauseInternalError)
	}
	s := &a.state
	if r := a.x.cfg.Recorder; r != nil && s.Tape.Now != "" {
		r.End(s.Tape.Now, TapeCallEnd)
	}
	if s.Stage == tel.StageEnded {
		s.Owed = nil // the queue's own time limit counts
		return
	}
	for _, g := range s.Groups {
		s.oweGroup(g)
	}
	if s.Told > 0 {
		a.report(DoReport{tel.CauseInternalError.SIPStatus(), true})
	}
	if s.Waiting {
		a.x.cfg.Queue(tel.CallerGone{Call: s.Call, Cause: tel.CauseInternalError})
	}
	for _, l := range []*LegState{&s.Caller, s.Peer} {
		switch {
		case l == nil:
		case l.Offer != "":
			a.x.cfg.Queue(tel.TalkEnded{Offer: l.Offer, Cause: tel.CauseInternalError})
		case l.Engaged:
			a.x.cfg.Queue(tel.AgentDisengaged{Agent: l.Agent, Call: s.Call})
		}
	}
	a.loseWatchers()
	if s.Seat != nil {
		a.room(DoTellRoom{tel.LeaveConference{Call: s.Call, Conference: s.Seat.Room}})
	}
	if s.Parked != nil {
		a.x.unpark(s.Parked.Slot, a)
	}
	s.Stage = tel.StageEnded
	a.showParties(nil)
	a.showWatchers()
	a.forget()
}

// persist writes the state before any message that depends on it leaves.
func (a *actor) persist() {
	j := a.x.cfg.Journal
	if j == nil || a.state.Stage == tel.StageEnded {
		return
	}
	b, err := a.state.Snapshot()
	if err == nil {
		err = j.Put(JournalKind, string(a.state.Call), b)
	}
	if err != nil {
		a.log.Warn("call would not survive a crash now", "err", err)
	}
}

func (a *actor) forget() {
	if j := a.x.cfg.Journal; j != nil {
		if err := j.Delete(JournalKind, string(a.state.Call)); err != nil {
			a.log.Warn("ended call stays in the journal", "err", err)
		}
	}
}

// show tells observers when something that they see has changed.
func (a *actor) show() {
	a.showParties(a.state.parties())
	a.showWatchers()
	if now := a.state.changed(); now != a.shown {
		if now.Stage != a.shown.Stage {
			a.log.Info("call", "stage", now.Stage, "direction", now.Direction, "from", now.From.Masked(), "to", now.To.Masked(),
				"via", now.Via, "queue", now.Queue, "agent", now.Agent)
		}
		a.shown = now
		a.urgent.Store(a.state.Emergency)
		a.x.cfg.Publish(now)
	}
}

// showParties publishes what has changed of the phones' parts, and lets others pick up what rings.
func (a *actor) showParties(now []tel.PartyChanged) {
	for _, p := range a.seen {
		if find(now, p.Leg) == nil {
			p.Phase = tel.PartyGone
			a.x.cfg.Publish(p)
		}
	}
	rings := &ringing{since: a.state.Since}
	for _, p := range now {
		if was := find(a.seen, p.Leg); was == nil || *was != p {
			a.x.cfg.Publish(p)
		}
		if p.Phase == tel.PartyRinging {
			rings.parties = append(rings.parties, p.Party)
		}
	}
	a.seen = now
	a.ringing.Store(rings)
}

func find(all []tel.PartyChanged, leg tel.LegID) *tel.PartyChanged {
	for i := range all {
		if all[i].Leg == leg {
			return &all[i]
		}
	}
	return nil
}

// keep takes a leg into the call; drop notes its end. The record still asks it for its notes.
func (a *actor) keep(l Leg, s *sink) {
	a.legs[l.ID()] = held{l, s}
	a.x.index(l, a, false)
}

// keepRinging takes a leg into the call whose phone rings.
func (a *actor) keepRinging(l Leg, s *sink) {
	a.legs[l.ID()] = held{l, s}
	a.x.index(l, a, true)
}

func (a *actor) drop(id tel.LegID) {
	if _, ok := a.legs[id]; ok {
		a.x.unindex(id, a)
	}
}
