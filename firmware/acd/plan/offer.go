package plan

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// offer reserves the agent for the caller and asks the call to ring.
func (s *step) offer(e *Entry, a *Agent, why string) {
	q := s.Queues[e.Queue]
	o := &Offer{
		ID: s.offerID(), Call: e.Call, Queue: e.Queue, Agent: a.Spec.ID,
		Phase: Reserved, Made: s.now, Deadline: s.now.Add(lease),
	}
	s.Offers[o.ID] = o
	e.Offers = append(e.Offers, o.ID)
	e.Offered++
	a.Offer, a.Talking, a.Held, a.Alerted = o.ID, false, false, false
	if _, member := q.pos[a.Spec.ID]; member { // an assigned agent need not be
		q.Last = a.Spec.ID
	}
	s.ringsProgressively(e, q)
	s.arm(offerEnds, string(o.ID))
	s.touchOffer(o)
	s.touchEntry(e)
	s.touchQueue(q)
	s.changed(a)
	s.send(tel.Offer{Offer: o.ID, Call: e.Call, Queue: e.Queue, Agent: a.Spec.ID, Ring: q.Spec.Ring})
	s.publish(tel.QueueOffered{Queue: e.Queue, Call: e.Call, Offer: o.ID, Agent: a.Spec.ID, At: s.now, Why: why})
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
	case Reserved, Ringing:
		s.fail(o, m.Cause, false)
	case Talking:
		s.endTalk(o)
	case Void:
		s.forget(o)
	}
}

// fail ends an offer that the agent did not take. When the call does not know yet, it is told.
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
		s.send(tel.Withdraw{Offer: o.ID, Call: o.Call, Cause: cause})
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
	}
	if a := s.Agents[o.Agent]; a != nil && a.Offer == o.ID {
		a.Offer, a.Talking, a.Held, a.Alerted = "", false, false, false
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
	if e == nil || a == nil || (a.Offer != o.ID && a.Talking) {
		if o.Phase == Void {
			s.send(tel.Withdraw{Offer: o.ID, Call: o.Call, Cause: tel.CauseCancelled})
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
	s.served(o, e)
	e.Offers = slices.DeleteFunc(e.Offers, func(id tel.OfferID) bool { return id == o.ID })
	a.Offer, a.Talking, a.Held, a.Alerted = o.ID, true, false, false
	a.Misses, a.Fails, a.RestUntil = 0, 0, time.Time{}
	if !a.WrapUntil.IsZero() || a.WrapOwed > 0 { // picked up in after-call work: the new call brings its own
		a.WrapUntil, a.WrapQueue, a.WrapCall, a.WrapOwed = time.Time{}, "", "", 0
	}
	s.touchOffer(o)
	s.changed(a)
	s.leave(e, tel.OutcomeAnswered, o.Agent, "", tel.CauseAnsweredElsewhere)
}

func (s *step) talkEnded(m tel.TalkEnded) {
	o := s.Offers[m.Offer]
	if o == nil {
		return
	}
	switch o.Phase {
	case Talking:
		s.endTalk(o)
	case Reserved, Ringing:
		s.fail(o, m.Cause, false)
	case Void:
		s.forget(o)
	}
}
