// Package chair owns the conference rooms: one goroutine runs the pure machine of package conference for each, keeps
// what must survive a crash, and checks the codes at the door.
package chair

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/conference"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The kinds of what the chair keeps in the hot journal; the guard has one key.
const (
	JournalKind = "conference"
	GuardKind   = "conference_guard"
	guardKey    = "guard"
)

const (
	// backlog bounds the messages that wait; calls beyond it are told no.
	backlog = 1024
	// look is how often it is seen who speaks, while there is somebody to be heard.
	look = time.Second
)

// Errors of orders.
var (
	ErrNoRoom   = errors.New("there is no such conference room")
	ErrNoMember = errors.New("this party is not in the room any more")
	ErrNoTape   = errors.New("this conference is not recorded on demand")
	ErrClosed   = errors.New("the conference rooms are closed")
)

// Room is a room with the codes that open it; an empty one opens to nobody but by the other rule: without PIN
// participants come in by # alone, without both nobody is asked.
type Room struct {
	conference.Spec
	PIN, LeaderPIN string
}

// Asks reports whether callers are asked for a code.
func (r Room) Asks() bool { return r.PIN != "" || r.LeaderPIN != "" }

// HotJournal keeps the last value of each key through a crash of the process.
type HotJournal interface {
	Put(kind, key string, value []byte) error
	Delete(kind, key string) error
}

// Recorder records rooms. Its methods never wait for the disk.
type Recorder interface {
	// Begin begins a part; failed, if it is called, says why the part has ended by itself, or could not begin.
	Begin(p conference.Part, voices []conference.TapeVoice, failed func(why string))
	// Keep says who is there, and whose voices are kept from now on.
	Keep(id string, voices []conference.TapeVoice)
	// Pause keeps nothing of a part until it is called with no reason.
	Pause(id, why string)
	End(id, why string)
	// Forget deletes all parts of chains for good, also those that run.
	Forget(chains []string)
}

// Config wires the chair to its neighbours. All but Journal and Recorder are needed.
type Config struct {
	Log     *slog.Logger
	Rooms   []Room
	Send    func(tel.ToCall)                           // to a call; must not block
	Mix     func(tel.ConferenceID, []conference.Voice) // lets the legs hear each other
	Speaks  func(tel.LegID) bool                       // is the leg heard to speak at this moment?
	Publish func(tel.Event)                            // live view; must not block
	Journal HotJournal                                 // nil: rooms do not survive a crash
	// Recorder records the rooms; nil: none is recorded.
	Recorder Recorder
	// Kept and Guard are what the journal holds of an earlier process.
	Kept  map[string][]byte
	Guard map[string][]byte
}

// Chair owns the rooms. Its methods may be called from any goroutine.
type Chair struct {
	cfg  Config
	in   chan any
	halt chan struct{}
	once sync.Once
	wg   sync.WaitGroup

	// Owned by run.
	rooms map[tel.ConferenceID]*room
	guard conference.Guard
}

// room is one of them.
type room struct {
	Room
	state conference.State
	shown tel.ConferenceChanged
}

// The messages to run beside those of calls.
type (
	configure struct{ rooms []Room }
	returned  struct{}
	failed    struct {
		room    tel.ConferenceID
		id, why string
	}
	check struct {
		room         tel.ConferenceID
		caller, code string
		answer       func(ok, leader bool)
	}
	order struct {
		room  tel.ConferenceID
		order conference.Order
		reply chan error
	}
)

// New makes the chair and takes over what an earlier process kept: its members are waited for until Returned.
func New(cfg Config) *Chair {
	c := &Chair{cfg: cfg, in: make(chan any, backlog), halt: make(chan struct{}), rooms: map[tel.ConferenceID]*room{}}
	for key, b := range cfg.Kept {
		s, err := conference.Restore(b)
		if err != nil {
			cfg.Log.Warn("a conference of the earlier process is lost", "room", key, "err", err)
			c.forget(key)
			continue
		}
		c.rooms[s.Spec.ID] = &room{Room: Room{Spec: s.Spec}, state: s}
	}
	for _, b := range cfg.Guard {
		g, err := conference.RestoreGuard(b)
		if err != nil {
			cfg.Log.Warn("wrong codes of the earlier process are forgotten", "err", err)
			continue
		}
		c.guard = g
	}
	c.configure(cfg.Rooms)
	c.wg.Go(c.run)
	return c
}

// Close ends the owner; what the journal holds stays for the next process. It waits for the goroutine.
func (c *Chair) Close() {
	c.once.Do(func() { close(c.halt) })
	c.wg.Wait()
}

// Tell hands a message of a call to its room; false: the owner is overloaded, or closed.
func (c *Chair) Tell(m tel.ToConference) bool { return c.post(m) }

// Configure takes the rooms of a new configuration. Who is in one that is gone is sent away.
func (c *Chair) Configure(rooms []Room) { c.must(configure{rooms}) }

// Returned says that the calls of the earlier process are back.
func (c *Chair) Returned() { c.must(returned{}) }

// Check says whether a code opens a room to a caller, and whether as its leader. Answer is called once and
// must not block. Who guesses is shut out for longer and longer; meanwhile every code is
// wrong.
func (c *Chair) Check(of tel.ConferenceID, caller, code string, answer func(ok, leader bool)) {
	if !c.post(check{of, caller, code, answer}) {
		answer(false, false)
	}
}

// Order carries out what somebody at the page wants. Errors: ErrNoRoom, ErrNoMember, ErrNoTape, ErrClosed, or that of ctx.
func (c *Chair) Order(ctx context.Context, of tel.ConferenceID, o conference.Order) error {
	reply := make(chan error, 1)
	select {
	case c.in <- order{of, o, reply}:
	case <-c.halt:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-reply:
		return err
	case <-c.halt:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Chair) post(m any) bool {
	select {
	case c.in <- m:
		return true
	default:
		c.cfg.Log.Error("the conference rooms do not keep up with their messages")
		return false
	}
}

// must waits for room in the mailbox: what is told so seldom must not be lost.
func (c *Chair) must(m any) {
	select {
	case c.in <- m:
	case <-c.halt:
	}
}

func (c *Chair) run() {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-c.halt:
			return
		case m := <-c.in:
			c.handle(m)
		case <-tick.C:
			for _, r := range c.rooms {
				switch {
				case r.state.Due():
					c.next(r, conference.Tick{})
				case len(r.state.Members) > 1:
					c.show(r)
				}
			}
		}
	}
}

func (c *Chair) handle(m any) {
	switch m := m.(type) {
	case tel.EnterConference:
		r := c.rooms[m.Conference]
		if r == nil {
			c.cfg.Send(tel.SeatRefused{Call: m.Call, Why: tel.SeatGone})
			return
		}
		c.next(r, m)
	case tel.LeaveConference:
		c.apply(m.Conference, m)
	case tel.ConferenceKey:
		c.apply(m.Conference, m)
	case tel.ConferenceHeld:
		c.apply(m.Conference, m)
	case tel.ConferenceSaid:
		c.apply(m.Conference, m)
	case failed:
		c.apply(m.room, conference.TapeFailed{ID: m.id, Why: m.why})
	case configure:
		c.configure(m.rooms)
	case returned:
		for _, r := range c.rooms {
			c.next(r, conference.Returned{})
		}
	case check:
		m.answer(c.opens(m))
	case order:
		m.reply <- c.order(m)
	}
}

func (c *Chair) apply(id tel.ConferenceID, m any) {
	if r := c.rooms[id]; r != nil {
		c.next(r, m)
	}
}

// next runs the machine: the journal first, then what others hear of it.
func (c *Chair) next(r *room, in any) {
	state, effects := conference.Next(r.state, in, time.Now())
	changed := !reflect.DeepEqual(state, r.state)
	r.state = state
	if changed {
		c.keep(r)
	}
	for _, e := range effects {
		switch e := e.(type) {
		case conference.Tell:
			c.cfg.Send(e.Message)
		case conference.Mix:
			c.cfg.Mix(r.ID, e.Voices)
		default:
			c.record(r, e, effects)
		}
	}
	c.show(r)
}

// record carries out the effects of recording.
func (c *Chair) record(r *room, e conference.Effect, all []conference.Effect) {
	to := c.cfg.Recorder
	if to == nil {
		if e, ok := e.(conference.Tape); ok {
			c.failed(r.ID, e.ID, "nothing records")
		}
		return
	}
	switch e := e.(type) {
	case conference.Tape:
		var voices []conference.TapeVoice
		for _, x := range all { // of the same instant
			if k, ok := x.(conference.Keep); ok && k.ID == e.ID {
				voices = k.Voices
			}
		}
		id := r.ID
		to.Begin(e.Part, voices, func(why string) { c.failed(id, e.ID, why) })
	case conference.Keep:
		to.Keep(e.ID, e.Voices)
	case conference.PauseTape:
		to.Pause(e.ID, e.Why)
	case conference.EndTape:
		to.End(e.ID, e.Why)
	case conference.ForgetTape:
		to.Forget([]string{e.Chain})
	}
}

// failed tells a room that a part of its recording has ended by itself. It may be called from any goroutine, the owner's
// too, and does not wait.
func (c *Chair) failed(of tel.ConferenceID, id, why string) { c.post(failed{of, id, why}) }

// keep writes a room that has members, and forgets one that has none.
func (c *Chair) keep(r *room) {
	if len(r.state.Members) == 0 {
		c.forget(string(r.ID))
		return
	}
	b, err := r.state.Snapshot()
	c.put(JournalKind, string(r.ID), b, err)
}

func (c *Chair) put(kind, key string, b []byte, err error) {
	if c.cfg.Journal == nil {
		return
	}
	if err == nil {
		err = c.cfg.Journal.Put(kind, key, b)
	}
	if err != nil {
		c.cfg.Log.Warn("a conference room would not survive a crash now", "kind", kind, "room", key, "err", err)
	}
}

func (c *Chair) forget(key string) {
	if j := c.cfg.Journal; j != nil {
		if err := j.Delete(JournalKind, key); err != nil {
			c.cfg.Log.Warn("a conference that is over stays in the journal", "room", key, "err", err)
		}
	}
}

// show tells observers when something that they see has changed.
func (c *Chair) show(r *room) {
	now := r.state.Shown(c.cfg.Speaks)
	if !reflect.DeepEqual(now, r.shown) {
		r.shown = now
		c.cfg.Publish(now)
	}
}

func (c *Chair) configure(rooms []Room) {
	is := map[tel.ConferenceID]bool{}
	for _, spec := range rooms {
		is[spec.ID] = true
		r := c.rooms[spec.ID]
		if r == nil {
			r = &room{state: conference.State{Spec: spec.Spec}}
			c.rooms[spec.ID] = r
		}
		r.Room = spec
		c.next(r, conference.Configured{Spec: &spec.Spec})
	}
	for id, r := range c.rooms {
		if !is[id] {
			c.next(r, conference.Configured{})
			delete(c.rooms, id)
		}
	}
}

// opens reports whether a code opens a room, and whether as its leader.
func (c *Chair) opens(q check) (ok, leader bool) {
	r := c.rooms[q.room]
	if r == nil {
		return false, false
	}
	same := func(pin string) bool {
		return pin != "" && subtle.ConstantTimeCompare([]byte(q.code), []byte(pin)) == 1
	}
	lead, take := same(r.LeaderPIN), same(r.PIN)
	if q.code == "" && r.PIN == "" { // participants need none: nothing is guessed
		return true, false
	}
	now := time.Now()
	switch {
	case c.guard.Closed(q.caller, now):
		c.cfg.Log.Warn("a caller who guesses codes of conference rooms is kept out", "room", q.room)
		return false, false
	case lead || take:
		if _, erred := c.guard.Guessers[q.caller]; erred {
			c.guard.Right(q.caller)
			c.keepGuard()
		}
		return true, lead
	default:
		c.guard.Wrong(q.caller, now)
		c.keepGuard()
		return false, false
	}
}

func (c *Chair) keepGuard() {
	b, err := c.guard.Snapshot()
	c.put(GuardKind, guardKey, b, err)
}

func (c *Chair) order(o order) error {
	r := c.rooms[o.room]
	if r == nil {
		return ErrNoRoom
	}
	switch o.order.What {
	case conference.Mute, conference.Unmute, conference.Remove:
		there := false
		for _, m := range r.state.Members {
			there = there || m.Call == o.order.Call
		}
		if !there {
			return ErrNoMember
		}
	case conference.Record, conference.RecordStop:
		if !r.state.Recordable() {
			return ErrNoTape
		}
	}
	c.next(r, o.order)
	return nil
}
