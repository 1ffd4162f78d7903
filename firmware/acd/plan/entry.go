package plan

import (
	"slices"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The reasons of an overflow, as tel.Overflow lists them.
const (
	whyMaxWait  = "max_wait"
	whyFull     = "queue_full"
	whyNoAgents = "no_agents"
	whyClosed   = "closed"
	whyNoSkill  = "no_skill"   // no member can ever serve this caller
	whyNoMember = "no_members" // the queue has none
	whyMoved    = "moved"      // by a supervisor
)

// enqueue gives the caller a place. A caller who already waits in the same queue keeps it; one who
// moves to another queue leaves the first.
func (s *step) enqueue(m tel.Enqueue) {
	if old := s.Entries[m.Call]; old != nil {
		if old.Queue == m.Queue {
			return
		}
		s.leave(old, tel.OutcomeOverflow, "", "queue:"+string(m.Queue), tel.CauseCancelled)
	}
	at := m.EnqueuedAt.Round(0).UTC()
	if m.EnqueuedAt.IsZero() || at.After(s.now) {
		at = s.now
	}
	e := &Entry{
		Call: m.Call, Queue: m.Queue, Caller: m.Caller, Name: m.Name, Priority: m.Priority,
		EnqueuedAt: at, Arrived: s.now, Needs: clean(m.Needs),
	}
	q := s.Queues[m.Queue]
	if q != nil {
		e.Sticky = s.servedBy(q, m.Caller)
		s.assess(q, e)
	}
	switch {
	case q == nil:
		s.turnAway(e, "", whyClosed)
	case !s.servable(q, e):
		s.turnAway(e, q.Spec.NoSkillTo, q.hopeless())
	case len(s.Entries) >= MaxEntries, q.Spec.MaxLength > 0 && len(q.waiting) >= q.Spec.MaxLength:
		s.turnAway(e, q.Spec.FullTo, whyFull)
	default:
		s.Entries[e.Call] = e
		i, _ := slices.BinarySearchFunc(q.waiting, e, byTurn)
		q.waiting = slices.Insert(q.waiting, i, e)
		s.arm(waitEnds, string(e.Call))
		s.arm(emptyEnds, string(e.Queue))
		s.arm(opensMore, string(e.Call))
		s.touchEntry(e)
		s.publish(tel.QueueJoined{
			Queue: e.Queue, Call: e.Call, Caller: e.Caller, Name: e.Name, At: e.EnqueuedAt, Priority: e.Priority,
		})
	}
}

// turnAway answers a caller who gets no place: with a destination if there is one, and always with
// a record.
func (s *step) turnAway(e *Entry, to, why string) {
	s.send(tel.Overflow{Call: e.Call, To: to, Why: why})
	s.publish(tel.QueueLeft{
		Queue: e.Queue, Call: e.Call, Caller: e.Caller, Joined: e.EnqueuedAt, Left: s.now,
		Outcome: tel.OutcomeRefused, To: to,
	})
}

// leave ends the wait: it takes the caller out, withdraws the offers that still ring and writes the
// one record of the wait.
func (s *step) leave(e *Entry, outcome tel.QueueOutcome, agent tel.AgentID, to string, losers tel.Cause) {
	delete(s.Entries, e.Call)
	if q := s.Queues[e.Queue]; q != nil {
		if i, ok := slices.BinarySearchFunc(q.waiting, e, byTurn); ok {
			q.waiting = slices.Delete(q.waiting, i, i+1)
		}
	}
	s.touchEntry(e)
	for _, id := range e.Offers {
		s.end(s.Offers[id], losers, true)
	}
	s.publish(tel.QueueLeft{
		Queue: e.Queue, Call: e.Call, Caller: e.Caller, Joined: e.EnqueuedAt, Left: s.now,
		Outcome: outcome, Agent: agent, Offers: e.Offered, To: to,
	})
}

// overflow sends a waiting caller on.
func (s *step) overflow(e *Entry, outcome tel.QueueOutcome, to, why string) {
	s.leave(e, outcome, "", to, tel.CauseCancelled)
	s.send(tel.Overflow{Call: e.Call, To: to, Why: why})
}

func (s *step) callerGone(m tel.CallerGone) {
	e := s.Entries[m.Call]
	if e == nil {
		return
	}
	outcome := tel.OutcomeAbandoned
	switch m.Cause {
	case tel.CauseInternalError, tel.CauseInterfaceFailure, tel.CauseNetworkFailure,
		tel.CauseMediaTimeout, tel.CauseTimeout, tel.CausePreempted:
		outcome = tel.OutcomeFailed
	}
	s.leave(e, outcome, "", "", tel.CauseCancelled)
}

// waitedTooLong sends the caller on, unless an agent rings: then the ring may finish first.
func (s *step) waitedTooLong(e *Entry) {
	e.Overdue = true
	s.touchEntry(e)
	s.leaveIfOverdue(e)
}

func (s *step) leaveIfOverdue(e *Entry) {
	if e == nil || !e.Overdue || len(e.Offers) > 0 || s.Entries[e.Call] != e {
		return
	}
	to := ""
	if q := s.Queues[e.Queue]; q != nil {
		to = q.Spec.MaxWaitTo
	}
	s.overflow(e, tel.OutcomeOverflow, to, whyMaxWait)
}

// stayedEmpty sends on every caller whose grace is over.
func (s *step) stayedEmpty(q *Queue) {
	for _, e := range slices.Clone(q.waiting) {
		if !q.leavesEmpty(e).After(s.now) {
			s.overflow(e, tel.OutcomeOverflow, q.Spec.EmptyTo, whyNoAgents)
		}
	}
	s.arm(emptyEnds, string(q.Spec.ID))
}
