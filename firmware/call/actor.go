package call

import (
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// mailbox bounds what a call may have pending; a call that does not keep up is ended.
const mailbox = 128

// actor runs one call. Only its goroutine touches state, legs and timers.
type actor struct {
	x    *Exchange
	plan Plan
	log  *slog.Logger
	in   chan any
	done chan struct{}
	once sync.Once

	state  State
	legs   map[tel.LegID]Leg
	timers []*time.Timer
	shown  tel.CallChanged
}

func newActor(x *Exchange, plan Plan, s State) *actor {
	return &actor{
		x: x, plan: plan, state: s, log: x.cfg.Log.With("call", s.Call),
		in: make(chan any, mailbox), done: make(chan struct{}), legs: map[tel.LegID]Leg{},
	}
}

// tell hands a message to the call; false means that the call is over or does not keep up.
func (a *actor) tell(m any) bool {
	select {
	case <-a.done:
		return false
	default:
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

func (a *actor) legEvent(e LegEvent) { a.tell(e) }

// stop ends the goroutine without another message.
func (a *actor) stop() { a.once.Do(func() { close(a.done) }) }

func (a *actor) run() {
	defer a.x.remove(a.state.Call)
	defer func() {
		for _, t := range a.timers {
			t.Stop()
		}
	}()
	for a.state.Stage != tel.StageEnded {
		select {
		case <-a.done:
			return
		case m := <-a.in:
			a.handle(m)
		}
	}
	a.stop()
	a.drain()
}

// drain answers what arrived between the end of the call and the end of its mailbox.
func (a *actor) drain() {
	for {
		select {
		case m := <-a.in:
			a.handle(m)
		default:
			return
		}
	}
}

// handle runs one input; a panic ends this call and no other.
func (a *actor) handle(m any) {
	defer func() {
		if p := recover(); p != nil {
			a.log.Error("call ended by a fault of ours", "panic", p, "stack", string(debug.Stack()))
			for _, l := range a.legs {
				l.Hangup(tel.CauseInternalError)
			}
			a.x.cfg.Queue(tel.CallerGone{Call: a.state.Call, Cause: tel.CauseInternalError})
			if a.state.Offer != "" {
				a.x.cfg.Queue(tel.TalkEnded{Offer: a.state.Offer, Cause: tel.CauseInternalError})
			}
			a.state.Stage = tel.StageEnded
			a.forget()
		}
	}()
	state, effects := Next(a.state, m, time.Now())
	a.state = state
	a.persist()
	for _, e := range effects {
		a.perform(e)
	}
	a.show()
}

// persist writes the state before any message that depends on it leaves.
func (a *actor) persist() {
	j := a.x.cfg.Journal
	if j == nil || a.state.Stage == tel.StageEnded {
		return
	}
	b, err := a.state.Snapshot()
	if err == nil {
		err = j.Put(journalKind, string(a.state.Call), b)
	}
	if err != nil {
		a.log.Warn("call would not survive a crash now", "err", err)
	}
}

func (a *actor) forget() {
	if j := a.x.cfg.Journal; j != nil {
		if err := j.Delete(journalKind, string(a.state.Call)); err != nil {
			a.log.Warn("ended call stays in the journal", "err", err)
		}
	}
}

// show tells observers when something that they see has changed.
func (a *actor) show() {
	if now := a.state.changed(); now != a.shown {
		if now.Stage != a.shown.Stage {
			a.log.Info("call", "stage", now.Stage, "direction", now.Direction, "from", now.From.Masked(), "to", now.To.Masked(),
				"via", now.Via, "queue", now.Queue, "agent", now.Agent)
		}
		a.shown = now
		a.x.cfg.Publish(now)
	}
}

func (a *actor) perform(e Effect) {
	caller := a.legs[a.state.Caller.ID]
	switch e := e.(type) {
	case DoAlert:
		if caller != nil {
			caller.Alert(e.Early)
		}
	case DoAccept:
		if caller != nil {
			caller.Accept()
		}
	case DoHangup:
		if l := a.legs[e.Leg]; l != nil {
			l.Hangup(e.Cause)
		}
	case DoPlay:
		if l := a.legs[e.Leg]; l != nil {
			l.Play(e.Sound)
		}
	case DoHush:
		if l := a.legs[e.Leg]; l != nil {
			l.Hush()
		}
	case DoJoin:
		a.join(e.A, e.B)
	case DoPart:
		if l := a.legs[e.Leg]; l != nil {
			l.Part()
		}
	case DoDigit:
		from, to := a.legs[e.From], a.legs[e.To]
		if from != nil && to != nil && !(from.PassesDTMF() && to.PassesDTMF()) {
			to.SendDTMF(string(e.Digit))
		}
	case DoDialDevices:
		a.dialDevices(e)
	case DoDialOut:
		a.dialOut(e)
	case DoTellQueue:
		if !a.x.cfg.Queue(e.Message) {
			a.log.Error("queue does not take messages", "message", e.Message)
		}
	case DoCommand:
		a.x.cfg.Command(e.Agent, e.Command, e.Reason)
	case DoResolve:
		a.handle(Rerouted{a.plan.Resolve(e.To, time.Now())})
	case DoWake:
		a.timers = append(a.timers, time.AfterFunc(time.Until(e.At), func() { a.tell(Wake{e.Key}) }))
	case DoEnd:
		a.end(e.Record)
	}
}

func (a *actor) join(x, y tel.LegID) {
	lx, ly := a.legs[x], a.legs[y]
	if lx == nil || ly == nil {
		return
	}
	if err := lx.Join(ly); err != nil {
		a.log.Warn("audio is not joined; a party may have gone in this instant", "err", err)
	}
}

func (a *actor) outgoing(ring time.Duration) Outgoing {
	return Outgoing{Call: a.state.Call, From: a.state.From, FromName: a.state.FromName, Ring: ring, Emergency: a.state.Emergency}
}

func (a *actor) dialDevices(e DoDialDevices) {
	devices := e.Devices
	if e.Agent != "" {
		devices = a.plan.Devices(e.Agent)
	}
	d := Dialed{Key: e.Key, Cause: tel.CauseUnreachable}
	for _, dev := range devices {
		legs, err := a.x.cfg.Dialer.DialDevice(dev, a.outgoing(e.Ring), a.legEvent)
		if err != nil {
			a.log.Warn("phone cannot be rung", "device", dev, "err", err)
		}
		for _, l := range legs {
			a.legs[l.ID()] = l
			d.Legs = append(d.Legs, LegState{ID: l.ID(), Party: l.Party(), Ref: l.Ref()})
		}
	}
	a.handle(d)
}

func (a *actor) dialOut(e DoDialOut) {
	d := Dialed{Key: e.Key, Cause: tel.CauseCongestion}
	l, err := a.x.cfg.Dialer.DialOut(e.Via, e.Number, a.outgoing(ringOutside), a.legEvent)
	if err != nil {
		a.log.Warn("line does not take the call", "via", e.Via, "err", err)
	} else {
		a.legs[l.ID()] = l
		d.Legs = []LegState{{ID: l.ID(), Party: l.Party(), Ref: l.Ref()}}
	}
	a.handle(d)
}

// end writes the record; the notes of the audio are taken while the legs still know them.
func (a *actor) end(r tel.CallEnded) {
	for _, id := range []tel.LegID{a.callerLeg(), a.peerLeg()} {
		if l := a.legs[id]; l != nil {
			r.Media = append(r.Media, l.Note())
		}
	}
	a.x.cfg.Record(r)
	a.forget()
}

// callerLeg and peerLeg find the legs even when the state already forgot the id of the one that
// ended.
func (a *actor) callerLeg() tel.LegID { return a.byParty(a.state.Caller) }

func (a *actor) peerLeg() tel.LegID {
	if a.state.Peer == nil {
		return ""
	}
	return a.byParty(*a.state.Peer)
}

func (a *actor) byParty(s LegState) tel.LegID {
	if s.ID != "" {
		return s.ID
	}
	for id, l := range a.legs {
		if l.Ref() == s.Ref {
			return id
		}
	}
	return ""
}

// recover finds the legs again after a restart. It runs before the goroutine starts.
func (a *actor) recover(find Finder) {
	s := &a.state
	s.Recovered = true
	take := func(l LegState) bool {
		leg, ok := find.Find(l.ID, l.Ref, l.Party, a.legEvent)
		if ok {
			a.legs[l.ID] = leg
		}
		return ok
	}
	for _, g := range s.Groups { // each is ended: the queue offers again, the caller never left
		for _, l := range g.Legs {
			if take(l) {
				a.legs[l.ID].Hangup(tel.CauseCancelled)
			}
		}
		if g.Offer != "" {
			a.x.cfg.Queue(tel.OfferFailed{Offer: g.Offer, Cause: tel.CauseCancelled})
		}
	}
	ringing := len(s.Groups) > 0
	s.Groups, s.Early = nil, ""
	callerHere := take(s.Caller)
	peerHere := s.Peer == nil || take(*s.Peer)
	switch {
	case !callerHere:
		s.Caller.ID = ""
		a.tell(End{tel.CauseTimeout})
	case !peerHere:
		s.Peer.ID = ""
		a.tell(End{tel.CauseTimeout})
	default:
		a.resume(ringing)
	}
}

// resume puts the audio of a recovered call back to where it was.
func (a *actor) resume(ringing bool) {
	s := &a.state
	switch {
	case s.Peer != nil && (s.Caller.Held || s.Peer.Held):
		other := s.Caller.ID
		if s.Caller.Held {
			other = s.Peer.ID
		}
		a.legs[other].Play(music)
	case s.Peer != nil:
		a.join(s.Caller.ID, s.Peer.ID)
	case s.Queue != "":
		if s.Stage == tel.StageRinging {
			s.Stage = tel.StageWaiting
		}
		a.legs[s.Caller.ID].Play(music)
		a.x.cfg.Queue(tel.Enqueue{ // changes nothing when the place survived too
			Call: s.Call, Queue: s.Queue, Caller: s.From, Name: s.FromName, Priority: s.Priority, EnqueuedAt: s.Enqueued,
		})
	case ringing && s.Direction != tel.Outbound:
		a.tell(Rerouted{a.plan.Route(s.Caller.Party, s.From, s.To, time.Now())})
	default:
		a.tell(End{tel.CauseTimeout})
	}
}
