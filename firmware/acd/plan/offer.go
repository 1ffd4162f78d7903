package plan

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// mostRang is how many of those whose phones rang the record of a wait names.
const mostRang = 16

// offer reserves the agent for the caller and asks the call to ring.
func (s *step) offer(e *Entry, a *Agent, why tel.OfferReason) {
	q := s.Queues[e.Queue]
	o := &Offer{
		ID: s.offerID(), Call: e.Call, Queue: e.Queue, Agent: a.Spec.ID,
		Phase: Reserved, Made: s.now, Deadline: s.now.Add(lease),
	}
	s.Offers[o.ID] = o
	e.Offers = append(e.Offers, o.ID)
	e.Offered++
	if len(e.Rang) < mostRang && !slices.Contains(e.Rang, a.Spec.ID) {
		e.Rang = append(e.Rang, a.Spec.ID)
	}
	a.Offer, a.Talking, a.Accepted, a.Held, a.Alerted = o.ID, false, false, false, false
	if _, member := q.pos[a.Spec.ID]; member { // an assigned agent need not be
		q.Last = a.Spec.ID
	}
	s.ringsProgressively(e, q)
	s.arm(offerEnds, string(o.ID))
	s.touchOffer(o)
	s.touchEntry(e)
	s.touchQueue(q)
	s.changed(a)
	m := tel.Offer{Offer: o.ID, Call: e.Call, Queue: e.Queue, Agent: a.Spec.ID, Ring: q.Spec.Ring, Whisper: q.whisper(e)}
	if e.Callback != "" {
		m.Callback = tel.Callback{ID: e.Callback, Number: e.Caller, Name: e.Name}
	}
	s.send(m)
	s.publish(tel.QueueOffered{Queue: e.Queue, Call: e.Call, Offer: o.ID, Agent: a.Spec.ID, At: s.now, Why: why})
}

// accepted says that an agent has picked up for the caller.
func (s *State) accepted(e *Entry) bool {
	return slices.ContainsFunc(e.Offers, func(id tel.OfferID) bool { return s.Offers[id].Phase == Accepted })
}

func (s *step) offerRinging(m tel.OfferRinging) {
	o := s.Offers[m.Offer]
	if o == nil || o.Phase != Reserved {
		return
	}
	ring := QueueSpec{}.Defaults().Ring
	if q := s.Queues[o.Queue]; q != nil {
		ring = q.Spec.Ring
	}
	o.Phase, o.Deadline = Ringing, s.now.Add(ring)
	s.arm(offerEnds, string(o.ID))
	s.touchOffer(o)
	if a := s.Agents[o.Agent]; a != nil && a.Offer == o.ID {
		a.Alerted = true
		s.changed(a)
	}
}

// offerExpired ends the lease, the ring time or the memory of an offer.
func (s *step) offerExpired(o *Offer) {
	switch o.Phase {
	case Reserved:
		s.fail(o, tel.CauseTimeout, true)
	case Ringing:
		s.fail(o, tel.CauseNoAnswer, true)
	case Accepted: // our own fault: the call never said how it went on
		s.withdraw(o, tel.CauseTimeout)
	case Void:
		s.forget(o)
	case Talking: // has no deadline
	}
}

func (s *step) offerFailed(m tel.OfferFailed) {
	o := s.Offers[m.Offer]
	if o == nil {
		return
	}
	switch o.Phase {
	case Accepted, Reserved, Ringing:
		if o.Phase == Accepted && m.Cause == tel.CauseCancelled { // by the call, as after a restart: the agent did take it
			s.withdraw(o, m.Cause)
			return
		}
		// An agent who picked up too late still has phones that are being told so: the call is asked when
		// they are.
		s.fail(o, m.Cause, m.Cause == tel.CauseAnsweredElsewhere)
	case Talking:
		s.endTalk(o)
	case Void:
		s.forget(o)
	}
}

// fail ends an offer that the agent did not take. When the call does not know yet, or must say when all is
// quiet, it is told.
func (s *step) fail(o *Offer, cause tel.Cause, tell bool) {
	e, q, a := s.Entries[o.Call], s.Queues[o.Queue], s.Agents[o.Agent]
	s.end(o, cause, tell)
	if cause != tel.CauseAnsweredElsewhere {
		s.blame(a, e, q, cause)
	}
	s.leaveIfOverdue(e)
}

// withdraw ends an offer through no fault of the agent.
func (s *step) withdraw(o *Offer, cause tel.Cause) {
	s.end(o, cause, true)
	s.leaveIfOverdue(s.Entries[o.Call])
}

// end frees the agent and the caller from an offer that was not answered. A withdrawn offer is
// kept for a moment: the agent may have answered while the withdrawal was on its way.
func (s *step) end(o *Offer, cause tel.Cause, tell bool) {
	if tell {
		s.send(tel.Withdraw{Offer: o.ID, Call: o.Call, Agent: o.Agent, Cause: cause})
		o.Phase, o.Deadline = Void, s.now.Add(voidFor)
		s.arm(offerEnds, string(o.ID))
		s.touchOffer(o)
	} else {
		s.forget(o)
	}
	if e := s.Entries[o.Call]; e != nil {
		e.Offers = slices.DeleteFunc(e.Offers, func(id tel.OfferID) bool { return id == o.ID })
		if e.For == o.Agent {
			e.For = ""
		}
		s.touchEntry(e)
		if e.Callback != "" && len(e.Offers) == 0 {
			s.callAgain(e)
		}
		s.armAnnounce(e)
		s.arm(nobodySkilled, string(e.Call))
	}
	if a := s.Agents[o.Agent]; a != nil && a.Offer == o.ID {
		a.Offer, a.Talking, a.Accepted, a.Held, a.Alerted = "", false, false, false, false
		if tell {
			s.settle(a, o.ID)
		}
		s.changed(a)
	}
	s.publish(tel.QueueOfferEnded{Queue: o.Queue, Call: o.Call, Offer: o.ID, Agent: o.Agent, Cause: cause, At: s.now})
}

func (s *step) forget(o *Offer) {
	delete(s.Offers, o.ID)
	s.touchOffer(o)
}

// offerAnswered makes the agent talk. An answer that crossed our withdrawal counts if the caller
// still waits and the agent talks with nobody else: two people already hear each other, and the
// state follows the facts.
func (s *step) offerAnswered(m tel.OfferAnswered) {
	o := s.Offers[m.Offer]
	if o == nil || o.Phase == Talking {
		return
	}
	e, a := s.Entries[o.Call], s.Agents[o.Agent]
	if a == nil || (a.Offer != o.ID && a.onLine()) || e == nil && o.Phase != Void {
		if o.Phase == Void {
			s.send(tel.Withdraw{Offer: o.ID, Call: o.Call, Agent: o.Agent, Cause: tel.CauseCancelled})
		}
		return
	}
	if other := s.Offers[a.Offer]; other != nil && other.ID != o.ID {
		if other.Call == o.Call { // rung again meanwhile; the caller is about to leave as answered
			s.end(other, tel.CauseAnsweredElsewhere, true)
		} else {
			s.withdraw(other, tel.CauseBusy)
		}
	}
	o.Phase, o.Deadline, o.Answered = Talking, time.Time{}, s.now
	a.Offer, a.Talking, a.Accepted, a.Held, a.Alerted = o.ID, true, false, false, false
	a.Misses, a.Fails, a.RestUntil = 0, 0, time.Time{}
	if !a.WrapUntil.IsZero() || a.WrapOwed > 0 { // picked up in after-call work: the new call brings its own
		a.WrapUntil, a.WrapQueue, a.WrapCall, a.WrapOwed = time.Time{}, "", "", 0
	}
	if a.Settling == o.ID {
		a.Settling, a.SettleBy, a.Next = "", time.Time{}, nil
	}
	s.keepServer(o, e)
	s.touchOffer(o)
	s.changed(a)
	if e == nil { // the caller's record was written when the wait ended; the two talk all the same
		s.servedAfterAll(o.Call, o.Agent)
		return
	}
	e.Offers = slices.DeleteFunc(e.Offers, func(id tel.OfferID) bool { return id == o.ID })
	s.leave(e, tel.OutcomeAnswered, o.Agent, "", tel.CauseAnsweredElsewhere)
	s.callbackReached(e, o.Agent)
}

// offerAccepted keeps the agent for the caller while the whisper is said or the customer is called.
// What else rings for the caller goes on until the bridge: the agent may hang up before. A customer is
// called by one agent only. An answer that crossed our withdrawal has nothing to keep: the call hangs
// the agent up when it reads it.
func (s *step) offerAccepted(m tel.OfferAccepted) {
	o := s.Offers[m.Offer]
	if o == nil || o.Phase != Reserved && o.Phase != Ringing {
		return
	}
	e, a := s.Entries[o.Call], s.Agents[o.Agent]
	if e == nil || a == nil {
		return
	}
	longest := whisperFor
	if e.Callback != "" {
		longest = customerFor
	}
	o.Phase, o.Deadline = Accepted, s.now.Add(longest)
	a.Accepted, a.Alerted = true, false
	s.arm(offerEnds, string(o.ID))
	s.touchOffer(o)
	s.changed(a)
	if c := s.Callbacks[e.Callback]; c != nil {
		for _, id := range slices.Clone(e.Offers) {
			if id != o.ID {
				s.end(s.Offers[id], tel.CauseAnsweredElsewhere, true)
			}
		}
		s.showCallback(c)
	}
}

func (s *step) talkEnded(m tel.TalkEnded) {
	o := s.Offers[m.Offer]
	if o == nil {
		return
	}
	switch o.Phase {
	case Talking:
		s.endTalk(o)
	case Reserved, Ringing, Accepted:
		s.fail(o, m.Cause, false)
	case Void:
		s.forget(o)
	}
}
