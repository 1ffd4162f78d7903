package plan

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// ReasonMissed is the reason of a pause that the planner made after too many missed offers.
const ReasonMissed = "missed_calls"

// agent finds an agent for a command, or refuses it.
func (s *step) agent(id tel.AgentID) *Agent {
	a := s.Agents[id]
	if a == nil || a.Removed {
		s.refuse(ErrUnknownAgent)
		return nil
	}
	return a
}

func (s *step) login(e Login) {
	a := s.agent(e.Agent)
	if a == nil || a.LoggedIn {
		return
	}
	s.idleFrom(a, s.now)
	a.LoggedIn, a.Paused, a.Reason, a.Misses, a.Fails, a.RestUntil = true, false, "", 0, 0, time.Time{}
	s.changed(a)
}

// logout takes effect at once, except for a conversation: it goes on, and no wrap-up follows.
func (s *step) logout(e Logout) {
	a := s.agent(e.Agent)
	if a == nil || !a.LoggedIn {
		return
	}
	s.release(a, tel.CauseCancelled)
	a.LoggedIn, a.Paused, a.Reason = false, false, ""
	a.WrapUntil, a.WrapQueue, a.WrapCall = time.Time{}, "", ""
	s.changed(a)
}

// pause withdraws an offer that rings; during a conversation or after-call work it is remembered
// and begins when they end.
func (s *step) pause(e Pause) {
	a := s.agent(e.Agent)
	if a == nil {
		return
	}
	if !a.LoggedIn {
		s.refuse(ErrLoggedOut)
		return
	}
	s.release(a, tel.CauseCancelled)
	a.Paused, a.Reason, a.Misses = true, e.Reason, 0
	s.changed(a)
}

func (s *step) resume(e Resume) {
	a := s.agent(e.Agent)
	if a == nil {
		return
	}
	if !a.Paused {
		s.refuse(ErrNotPaused)
		return
	}
	a.Paused, a.Reason, a.Misses = false, "", 0
	s.changed(a)
}

func (s *step) finishWrapUp(e FinishWrapUp) {
	a := s.agent(e.Agent)
	if a == nil {
		return
	}
	if a.WrapUntil.IsZero() {
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
	a.WrapUntil, a.WrapQueue, a.WrapCall = time.Time{}, "", ""
	s.changed(a)
}

// release takes back the offer that rings at an agent, without blaming the agent.
func (s *step) release(a *Agent, why tel.Cause) {
	if o := s.Offers[a.Offer]; o != nil && !a.onLine() {
		s.withdraw(o, why)
	}
}

func (s *step) engaged(m tel.AgentEngaged) {
	a := s.Agents[m.Agent]
	if a == nil {
		return
	}
	for i := range a.Engaged {
		if a.Engaged[i].Call == m.Call {
			a.Engaged[i].Internal = m.Internal
			s.changed(a)
			return
		}
	}
	s.release(a, tel.CauseBusy)
	a.Engaged = append(a.Engaged, Engagement{m.Call, m.Internal})
	s.changed(a)
}

func (s *step) disengaged(m tel.AgentDisengaged) {
	if a := s.Agents[m.Agent]; a != nil {
		s.disengage(a, func(e Engagement) bool { return e.Call == m.Call })
	}
}

// disengage ends the engagements that match. Work outside the queues counts as work, so it moves
// the agent to the end of the idle order; a word with a colleague does not.
func (s *step) disengage(a *Agent, match func(Engagement) bool) {
	if !slices.ContainsFunc(a.Engaged, match) {
		return
	}
	for _, e := range a.Engaged {
		if match(e) && !e.Internal {
			s.idleFrom(a, s.now)
		}
	}
	a.Engaged = slices.DeleteFunc(a.Engaged, match)
	s.changed(a)
}

func (s *step) reachable(m tel.AgentReachable) {
	a := s.Agents[m.Agent]
	if a == nil || a.Reachable == m.Reachable {
		return
	}
	a.Reachable = m.Reachable
	if m.Reachable {
		a.Fails, a.RestUntil = 0, time.Time{}
	} else {
		s.release(a, tel.CauseUnreachable)
	}
	s.changed(a)
}

// blame notes that the agent did not take an offer: the same caller spares the agent for a while,
// every caller for a moment, and too many misses in a row pause the agent.
func (s *step) blame(a *Agent, e *Entry, q *Queue, cause tel.Cause) {
	if e != nil && q != nil {
		r := e.Refused[a.Spec.ID]
		// A person who declined is left alone; a phone that was busy or did not react is only tried
		// after others, for it may have been hanging up the call before.
		wait := q.Spec.Backoff << min(r.Times, backoffSteps)
		if !declined(cause) {
			wait = min(restFirst<<min(r.Times, 8), q.Spec.Backoff)
		}
		r = Refusal{Times: r.Times + 1, Until: s.now.Add(wait), Cause: cause}
		e.refuse(a.Spec.ID, r)
		s.timers.push(timer{at: r.Until, what: refusalFades, id: string(e.Call)})
		s.touchEntry(e)
	}
	a.RestUntil = s.now.Add(min(restFirst<<min(a.Fails, 8), restMost))
	a.Fails++
	s.arm(restEnds, string(a.Spec.ID))
	if declined(cause) {
		a.Misses++
		if q != nil && q.Spec.AutoPause > 0 && a.Misses >= q.Spec.AutoPause && !a.Paused {
			a.Paused, a.Reason, a.Misses = true, ReasonMissed, 0
		}
	}
	s.changed(a)
}

// declined says that a person did not take the call, by choice or by absence.
func declined(c tel.Cause) bool { return c == tel.CauseNoAnswer || c == tel.CauseRejected }
