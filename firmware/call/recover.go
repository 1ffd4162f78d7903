package call

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// recover finds the legs again after a restart, but for those that another call has been given. It runs before the
// goroutine starts, and tells the queues nothing: standing does.
func (a *actor) recover(find Finder, given HandedOver) {
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
		if _, twice := a.legs[l.ID]; twice || given.has(l.ID) { // who transfers is a party, too
			return true
		}
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
	case given.OK:
		a.tell(given)
	default:
		a.resume(ringing)
	}
}

// standing is all that the queues' owner must know of a call that survived: what it does not say is over.
func (s *State) standing() tel.Standing {
	st := tel.Standing{Call: s.Call}
	if s.Waiting && s.Callback == nil { // the place of a request to be called back is no caller's
		w := s.place()
		st.Waits = &w
	}
	legs := append([]LegState{s.Caller}, s.Paged...)
	if s.Peer != nil {
		legs = append(legs, *s.Peer)
	}
	for _, w := range s.Watchers {
		legs = append(legs, w.LegState)
	}
	for _, l := range legs {
		switch {
		case l.Offer != "":
			h := tel.HeldOffer{Offer: l.Offer, Queue: s.Queue, Agent: l.Agent, Talking: !s.calling(), Since: s.Answered, Held: l.Held}
			if s.Callback != nil {
				h.Callback = s.Callback.ID
			}
			st.Holds = append(st.Holds, h)
		case l.Engaged:
			st.On = append(st.On, tel.EngagedOnCall{AgentEngaged: s.engagement(l.Agent), Held: l.Held})
		}
	}
	return st
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
	case s.Onward != nil && s.Onward.Number != "":
		a.tell(Rerouted{a.routed(DoRoute{As: s.Onward.As, Number: s.Onward.Number})})
	case s.Onward != nil:
		a.tell(Rerouted{a.plan.Resolve(s.Onward.To, s.Onward.As, time.Now())})
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

// resumeWait lets the caller wait on. A greeting or an announcement that was cut is over.
func (a *actor) resumeWait() {
	s := &a.state
	if !s.Waiting {
		return
	}
	if s.Stage == tel.StageRinging {
		s.Stage = tel.StageWaiting
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

// has says that the leg is one of those that were handed over.
func (h HandedOver) has(leg tel.LegID) bool {
	return h.OK && leg != "" && (leg == h.Leg || slices.Contains(h.Along, leg))
}

// handedOver finds the calls that had given a leg to another when the process died, and did not know yet that the other
// has it. Both have written the leg down; it is the other's, in whatever order they are restored.
func handedOver(all []State) map[tel.CallID]HandedOver {
	has := map[tel.LegID][]int{}
	for i := range all {
		for _, leg := range all[i].conversing() {
			has[leg] = append(has[leg], i)
		}
	}
	found := map[tel.CallID]HandedOver{}
	for i := range all {
		leg := all[i].givesAway()
		for _, to := range has[leg] {
			if to == i || all[to].givesAway() == leg {
				continue
			}
			h := HandedOver{Leg: leg, Into: all[to].Call, OK: true}
			for _, w := range all[i].followers() {
				if slices.Contains(has[w.ID], to) {
					h.Along = append(h.Along, w.ID)
				}
			}
			found[all[i].Call] = h
		}
	}
	return found
}

// conversing are the legs of those who are in the call, but for what rings.
func (s *State) conversing() (all []tel.LegID) {
	if s.Caller.ID != "" {
		all = append(all, s.Caller.ID)
	}
	if s.Peer != nil && s.Peer.ID != "" {
		all = append(all, s.Peer.ID)
	}
	for _, w := range s.Watchers {
		all = append(all, w.ID)
	}
	return all
}

// givesAway is the leg that is offered to another call, which has not answered yet; empty: none.
func (s *State) givesAway() tel.LegID {
	switch {
	case s.AnswerBy.IsZero():
	case s.Moving != nil && s.Moving.Attended && s.Peer != nil:
		if s.Moving.By.ID == s.Peer.ID {
			return s.Caller.ID
		}
		return s.Peer.ID
	case s.Moving == nil && s.Stage == tel.StageRouting:
		return s.Caller.ID
	}
	return ""
}
