package plan

import (
	"time"
)

// owesWrapUp is how much after-call work follows a call of a queue: the agent's own time goes before the
// queue's.
func (a *Agent) owesWrapUp(q *Queue) time.Duration {
	switch {
	case q == nil || !a.LoggedIn || a.Removed || a.Spec.WrapUp < 0:
		return 0
	case a.Spec.WrapUp > 0:
		return a.Spec.WrapUp
	default:
		return q.Spec.WrapUp
	}
}

// wrapUp begins after-call work. It belongs to the agent: it binds for every queue, whatever happens
// to the one that delivered the call.
func (s *step) wrapUp(a *Agent, d time.Duration) {
	a.WrapOwed, a.WrapUntil = 0, s.now.Add(d)
	s.arm(wrapUpEnds, string(a.Spec.ID))
}

func (s *step) finishWrapUp(e FinishWrapUp) {
	a := s.agent(e.Agent)
	if a == nil {
		return
	}
	if a.WrapUntil.IsZero() && a.WrapOwed == 0 {
		s.refuse(ErrNoWrapUp)
		return
	}
	s.wrapUpEnded(a, s.now)
}

func (s *step) extendWrapUp(e ExtendWrapUp) {
	a := s.agent(e.Agent)
	if a == nil {
		return
	}
	if a.WrapUntil.IsZero() {
		s.refuse(ErrNoWrapUp)
		return
	}
	// Compared before adding, so that an absurd duration cannot wrap around.
	if e.By <= 0 || e.By > maxWrapUp || a.WrapUntil.Add(e.By).After(s.now.Add(maxWrapUp)) {
		s.refuse(ErrExtension)
		return
	}
	a.WrapUntil = a.WrapUntil.Add(e.By)
	s.arm(wrapUpEnds, string(a.Spec.ID))
	s.changed(a)
}

func (s *step) wrapUpEnded(a *Agent, at time.Time) {
	s.idleFrom(a, at)
	a.WrapUntil, a.WrapQueue, a.WrapCall, a.WrapOwed = time.Time{}, "", "", 0
	s.changed(a)
}

// endTalk starts the after-call work of the queue that delivered the call, or owes it while the agent
// still talks with somebody else.
func (s *step) endTalk(o *Offer) {
	s.forget(o)
	a := s.Agents[o.Agent]
	if a == nil || a.Offer != o.ID {
		return
	}
	s.idleFrom(a, s.now)
	s.credit(a, o.Queue, Tally{Talk: s.talked(o.Answered)})
	a.Offer, a.Talking, a.Accepted, a.Held, a.Alerted = "", false, false, false, false
	if d := a.owesWrapUp(s.Queues[o.Queue]); d > 0 {
		a.WrapQueue, a.WrapCall = o.Queue, o.Call
		if a.holds() {
			a.WrapOwed, a.WrapUntil = d, time.Time{}
		} else {
			s.wrapUp(a, d)
		}
	}
	s.changed(a)
}
