package call

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// recover finds the legs again after a restart. It runs before the goroutine starts.
func (a *actor) recover(find Finder) {
	s := &a.state
	s.Recovered = true
	if r := a.x.cfg.Recorder; r != nil && s.Tape.Refused && s.Tape.Chain != "" {
		r.Forget(append([]string{s.Tape.Chain}, s.Tape.Also...)) // in case that the process died before it was done
	}
	if s.resumeTape(time.Now()) {
		a.tell(Wake{wakeTape})
	}
	if s.Told > 0 {
		a.report(DoReport{Status: s.Told})
	}
	take := func(l LegState) bool {
		sink := a.newSink()
		leg, ok := find.Find(l.ID, l.Ref, l.Party, sink.event)
		if ok {
			a.keep(leg, sink)
			// The process may have died after it had noted that it answers, and before it did.
			if u, is := leg.(Unanswered); is && l.Up && u.Unanswered() {
				leg.Accept()
			}
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
	s.Owed = nil // the dialer knows what still rings of the earlier process
	ringing := len(s.Groups) > 0
	s.Groups, s.Early = nil, ""
	for _, l := range s.Paged { // an announcement is not taken up again: who speaks hears that it is over
		if take(l) {
			a.legs[l.ID].Hangup(tel.CauseNormal)
		}
	}
	if s.Moving != nil && (s.Moving.By.ID == "" || !take(s.Moving.By)) {
		s.Moving.By.ID = ""
	}
	if s.Accepted != nil { // the agent is offered the caller again
		if take(*s.Accepted) {
			a.legs[s.Accepted.ID].Hangup(tel.CauseCancelled)
		}
		a.x.cfg.Queue(tel.OfferFailed{Offer: s.Accepted.Offer, Cause: tel.CauseCancelled})
		s.Accepted = nil
	}
	a.recoverWatchers(take)
	callerHere := take(s.Caller)
	peerHere := s.Peer == nil || take(*s.Peer)
	switch {
	case s.Summons != nil: // there is no caller yet
		s.Caller.ID = ""
		a.tell(Summon{*s.Summons})
	case !callerHere && s.Script != nil: // a message may have been left
		s.Caller.ID = ""
		a.tell(Scripted{ivr.Left{}})
		a.tell(Scripted{ivr.Resumed{}})
	case !callerHere:
		s.Caller.ID = ""
		a.tell(End{tel.CauseTimeout})
	case !peerHere:
		s.Peer.ID = ""
		a.tell(End{tel.CauseTimeout})
	default:
		a.talkGoesOn()
		a.resume(ringing)
	}
}

// talkGoesOn tells the queue once more that its agent talks, or holds: the process may have died after it had noted
// that, and before it said so. Where the queue knows it nothing changes.
func (a *actor) talkGoesOn() {
	s := &a.state
	if s.Peer == nil {
		return
	}
	for _, l := range []*LegState{&s.Caller, s.Peer} {
		if l.Offer == "" {
			continue
		}
		a.x.cfg.Queue(tel.OfferAnswered{Offer: l.Offer})
		if l.Held {
			a.x.cfg.Queue(tel.AgentHeld{Agent: l.Agent, Call: s.Call, Held: true})
		}
	}
}

// resume puts a recovered call back to where it was.
func (a *actor) resume(ringing bool) {
	s := &a.state
	switch {
	case s.Peer != nil && (s.Caller.Held || s.Peer.Held):
		other := s.Caller.ID
		if s.Caller.Held {
			other = s.Peer.ID
		}
		a.legs[other].Play(music)
		a.resumeHandOver()
	case s.Peer != nil:
		a.join(s.Caller.ID, s.Peer.ID)
		a.resumeHandOver()
	case s.Parked != nil:
		a.resumePark()
	case s.Seat != nil:
		a.room(DoEnter{Again: true})
		if s.Caller.Held {
			a.room(DoTellRoom{tel.ConferenceHeld{Call: s.Call, Conference: s.Seat.Room, Held: true}})
		}
	case s.Script != nil:
		a.resumeWait()
		a.tell(Scripted{ivr.Resumed{}})
	case s.calling():
		s.Callback.Dialed = true
		a.legs[s.Caller.ID].Play(ringback)
		a.tell(Rerouted{a.plan.Resolve(s.callbackTo(), "", time.Now())})
	case s.Page:
		a.tell(End{tel.CauseNormal})
	case s.Moving != nil && s.Moving.Returned:
		s.Moving.Returned = false
		a.tell(Rerouted{Decision{Kind: Refuse, Cause: tel.CauseNoAnswer}}) // rings the transferor once more
	case s.Moving != nil:
		a.legs[s.Caller.ID].Play(ringback)
		a.tell(Rerouted{a.plan.Route(s.As, s.From, s.Moving.To, time.Now())})
	case s.Waiting:
		a.legs[s.Caller.ID].Play(music)
		a.resumeWait()
	case ringing && (s.Direction != tel.Outbound || s.Emergency):
		a.tell(Rerouted{a.plan.Route(s.In, s.From, s.To, time.Now())})
	default:
		a.tell(End{tel.CauseTimeout})
	}
}

// resumeWait makes sure of the place in a queue; nothing changes when it survived too. A greeting or an
// announcement that was cut is over.
func (a *actor) resumeWait() {
	s := &a.state
	if !s.Waiting {
		return
	}
	if s.Stage == tel.StageRinging {
		s.Stage = tel.StageWaiting
	}
	a.x.cfg.Queue(tel.Enqueue{
		Call: s.Call, Queue: s.Queue, Caller: s.From, Name: s.FromName, Priority: s.Priority, Needs: s.Needs, EnqueuedAt: s.Enqueued,
	})
	a.x.cfg.Queue(tel.CallerGreeted{Call: s.Call})
	if s.Saying {
		a.x.cfg.Queue(tel.Announced{Call: s.Call})
	}
	s.Greeted, s.Saying = true, false
}

// resumePark takes the place again, or goes on looking for one.
func (a *actor) resumePark() {
	p := a.state.Parked
	a.legs[a.state.Caller.ID].Play(music)
	slots, until := p.Slots, p.Until
	if p.Slot != "" {
		slots = []tel.Number{p.Slot}
		p.For = max(time.Until(until), time.Second)
	}
	p.Slot = ""
	a.tell(ParkedAt{a.x.park(slots, a)})
}

// resumeHandOver gives an attended transfer that was under way a clean end: the parties are where they
// were, and the transferor is told so.
func (a *actor) resumeHandOver() {
	if m := a.state.Moving; m != nil && m.Attended {
		a.tell(HandedOver{Cause: tel.CauseTimeout})
	}
}
