package plan

import (
	"slices"
	"time"

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
	whyKey      = "exit_key"
)

// enqueue gives the caller a place. A caller who already waits in the same queue keeps it; one who
// moves to another queue leaves the first.
func (s *step) enqueue(m tel.Enqueue) {
	if old := s.Entries[m.Call]; old != nil {
		if old.Queue == m.Queue || old.Callback != "" {
			return
		}
		s.leave(old, tel.OutcomeWithdrawn, "", "queue:"+string(m.Queue), tel.CauseCancelled)
	}
	e := &Entry{
		Call: m.Call, Queue: m.Queue, Caller: m.Caller, Name: m.Name, Priority: m.Priority,
		EnqueuedAt: earlier(m.EnqueuedAt, s.now), Arrived: s.now, Needs: clean(m.Needs),
	}
	if m.EnqueuedAt.IsZero() {
		e.EnqueuedAt = s.now
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
	case s.Draining.turnsAway(e.EnqueuedAt, s.now):
		s.turnAway(e, q.Spec.FullTo, whyClosed)
	case len(s.Entries) >= MaxEntries, q.Spec.MaxLength > 0 && q.callers >= q.Spec.MaxLength:
		s.turnAway(e, q.Spec.FullTo, whyFull)
	case q.Spec.Waiting.RefuseEmpty && !q.EmptySince.IsZero() && !q.EmptySince.Add(q.Spec.EmptyGrace).After(s.now):
		s.turnAway(e, q.Spec.EmptyTo, whyNoAgents)
	default:
		s.reclaim(e)
		s.enter(e)
		s.publish(e.joined())
	}
}

// joined tells observers of the caller's place.
func (e *Entry) joined() tel.QueueJoined {
	return tel.QueueJoined{Queue: e.Queue, Call: e.Call, Caller: e.Caller, Name: e.Name, At: e.EnqueuedAt, Due: e.due, Priority: e.Priority, Needs: e.needs}
}

// enter puts an entry into its place.
func (s *step) enter(e *Entry) {
	q := s.Queues[e.Queue]
	s.Entries[e.Call] = e
	s.assess(q, e)
	i, _ := slices.BinarySearchFunc(q.waiting, e, byTurn)
	q.waiting = slices.Insert(q.waiting, i, e)
	if e.Callback == "" {
		q.callers++
	}
	s.arm(waitEnds, string(e.Call))
	s.arm(emptyEnds, string(e.Queue))
	s.arm(opensMore, string(e.Call))
	s.arm(ringWidens, string(e.Call))
	s.noteSkilled(e, q.unskilled(e))
	s.arm(nobodySkilled, string(e.Call))
	for _, r := range e.Refused {
		s.timers.push(timer{at: r.Until, what: refusalFades, id: string(e.Call)})
	}
	e.armed = time.Time{}
	s.armAnnounce(e)
	s.moved(q)
	s.touchEntry(e)
}

// takeOut removes an entry from its place, not its offers.
func (s *step) takeOut(e *Entry) {
	delete(s.Entries, e.Call)
	if q := s.Queues[e.Queue]; q != nil {
		if i, ok := slices.BinarySearchFunc(q.waiting, e, byTurn); ok {
			q.waiting = slices.Delete(q.waiting, i, i+1)
			if e.Callback == "" {
				q.callers--
			}
			s.moved(q)
		}
	}
	s.touchEntry(e)
}

// turnAway answers a caller who gets no place: with a destination if there is one, and always with
// a record.
func (s *step) turnAway(e *Entry, to, why string) {
	s.publish(tel.QueueLeft{
		Queue: e.Queue, Call: e.Call, Caller: e.Caller, Joined: e.EnqueuedAt, Arrived: e.Arrived, Left: s.now,
		Outcome: tel.OutcomeRefused, To: to, Why: why,
	})
	s.send(tel.Overflow{Call: e.Call, To: to, Why: why}) // after the record: the call may end at once
}

// leave ends the wait: it takes the caller out, withdraws the offers that still ring and writes the
// one record of the wait. The entry of a callback is no wait: its request ends otherwise.
func (s *step) leave(e *Entry, outcome tel.QueueOutcome, agent tel.AgentID, to string, losers tel.Cause) {
	record := tel.QueueLeft{
		Queue: e.Queue, Call: e.Call, Caller: e.Caller, Joined: e.EnqueuedAt, Arrived: e.Arrived, Left: s.now,
		Outcome: outcome, Agent: agent, Offers: e.Offered, Rang: slices.Clone(e.Rang), To: to, Why: e.why, Callback: e.kept,
	}
	if outcome == tel.OutcomeAbandoned {
		record.Stage = s.abandonStage(e)
		if q := s.Queues[e.Queue]; q != nil {
			record.Short = s.now.Sub(e.Arrived) < q.Spec.Waiting.Short
		}
	}
	s.takeOut(e)
	for _, id := range e.Offers {
		s.end(s.Offers[id], losers, true)
	}
	if e.Callback != "" {
		return
	}
	switch outcome {
	case tel.OutcomeAbandoned, tel.OutcomeFailed:
		s.lose(e)
	case tel.OutcomeAnswered:
		s.served(e.Caller)
	}
	s.publish(record)
}

// overflow sends a waiting caller on.
func (s *step) overflow(e *Entry, outcome tel.QueueOutcome, to, why string) {
	e.why = why
	s.leave(e, outcome, "", to, tel.CauseCancelled)
	s.send(tel.Overflow{Call: e.Call, To: to, Why: why})
}

func (s *step) callerGone(m tel.CallerGone) {
	e := s.caller(m.Call)
	if e == nil {
		return
	}
	outcome := tel.OutcomeAbandoned
	switch m.Cause {
	case tel.CauseAnsweredElsewhere: // a colleague has picked the caller up
		outcome = tel.OutcomeWithdrawn
	case tel.CauseInternalError, tel.CauseInterfaceFailure, tel.CauseNetworkFailure,
		tel.CauseMediaTimeout, tel.CauseTimeout, tel.CausePreempted:
		outcome = tel.OutcomeFailed
	}
	rang := slices.Clone(e.Offers)
	s.leave(e, outcome, "", "", tel.CauseCancelled)
	for _, id := range rang { // a call whose caller has gone answers nothing any more
		s.forget(s.Offers[id])
	}
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
	s.overflow(e, tel.OutcomeTimedOut, to, whyMaxWait)
}

// stayedEmpty sends on every caller whose grace is over. Who asked to be called back stays.
func (s *step) stayedEmpty(q *Queue) {
	for _, e := range slices.Clone(q.waiting) {
		if e.Callback == "" && !q.leavesEmpty(e).After(s.now) {
			s.overflow(e, tel.OutcomeEmpty, q.Spec.EmptyTo, whyNoAgents)
		}
	}
	s.arm(emptyEnds, string(q.Spec.ID))
}
