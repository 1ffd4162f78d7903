package plan

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The reasons of pauses and logouts that no person wrote; the page has a word for each.
const (
	ReasonMissed = "missed_calls" // too many offers in a row were not taken
	ReasonShift  = "shift_end"
	ReasonForced = "forced"       // a supervisor did it and gave no reason
	ReasonSilent = "phone_silent" // of an unreachable agent: a phone is registered and does not answer
)

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
	a.LoggedIn, a.LoginAt, a.Paused, a.Reason, a.By = true, s.now, false, "", ""
	a.Misses, a.Fails, a.RestUntil = 0, 0, time.Time{}
	a.ShiftUntil, a.ShiftOver = time.Time{}, false
	s.changed(a)
	s.ownSkills(a)
}

// logout takes effect at once, except for a conversation: it goes on, and no wrap-up follows.
func (s *step) logout(e Logout) { s.dismiss(e.Agent, "", "") }

// dismiss logs an agent out, by somebody else where by names one.
func (s *step) dismiss(id tel.AgentID, reason, by string) {
	if a := s.agent(id); a != nil && a.LoggedIn {
		s.signOff(a, reason, by)
	}
}

// signOff ends the shift of an agent who is logged in.
func (s *step) signOff(a *Agent, reason, by string) {
	a.LoggedIn, a.Paused, a.Reason, a.By, a.Help = false, false, reason, by, false
	a.WrapUntil, a.WrapQueue, a.WrapCall, a.WrapOwed = time.Time{}, "", "", 0
	a.LoginAt, a.ShiftUntil, a.ShiftOver = time.Time{}, time.Time{}, false
	s.release(a, tel.CauseCancelled)
	s.changed(a)
}

// pause withdraws an offer that rings; during a conversation or after-call work it is remembered
// and begins when they end.
func (s *step) pause(e Pause) { s.halt(e.Agent, e.Reason, "") }

func (s *step) halt(id tel.AgentID, reason, by string) {
	a := s.agent(id)
	if a == nil {
		return
	}
	if !a.LoggedIn {
		s.refuse(ErrLoggedOut)
		return
	}
	if reason == "" && by != "" {
		reason = ReasonForced
	}
	s.release(a, tel.CauseCancelled)
	a.Paused, a.Reason, a.By, a.Misses = true, reason, by, 0
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
	a.Paused, a.Reason, a.By, a.Misses = false, "", "", 0
	s.changed(a)
}

// help raises or lowers the flag by which an agent asks for a supervisor. It changes nothing in what
// the agent does.
func (s *step) help(e Help) {
	a := s.agent(e.Agent)
	switch {
	case a == nil:
	case !a.LoggedIn && e.On:
		s.refuse(ErrLoggedOut)
	case a.Help != e.On:
		a.Help = e.On
		s.changed(a)
	}
}

// shift says until when the agent works; the zero time takes the end away. An end that has passed is
// due at once.
func (s *step) shift(e Shift) {
	a := s.agent(e.Agent)
	if a == nil {
		return
	}
	if !a.LoggedIn {
		s.refuse(ErrLoggedOut)
		return
	}
	a.ShiftUntil, a.ShiftOver = e.Until.Round(0).UTC(), false
	if e.Until.IsZero() {
		a.ShiftUntil = time.Time{}
	}
	s.arm(shiftEnds, string(a.Spec.ID))
	s.changed(a)
}

// shiftEnded lets the agent finish the call in hand and its after-call work, and logs out then.
func (s *step) shiftEnded(a *Agent) {
	a.ShiftUntil, a.ShiftOver = time.Time{}, true
	s.release(a, tel.CauseCancelled)
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
	i := slices.IndexFunc(a.Engaged, func(e Engagement) bool { return e.Call == m.Call })
	if i < 0 {
		i = len(a.Engaged)
		a.Engaged = append(a.Engaged, Engagement{Call: m.Call})
	}
	a.Engaged[i].Internal, a.Engaged[i].Outbound = m.Internal, m.Outbound
	if a.full() {
		s.release(a, tel.CauseBusy)
	}
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
	if a.WrapOwed > 0 && len(a.Engaged) == 0 {
		s.wrapUp(a, a.WrapOwed)
	}
	s.changed(a)
}

// held follows the hold key of the agent's phone.
func (s *step) held(m tel.AgentHeld) {
	a := s.Agents[m.Agent]
	if a == nil {
		return
	}
	if o := s.Offers[a.Offer]; o != nil && a.Talking && o.Call == m.Call {
		a.Held = m.Held
	}
	for i := range a.Engaged {
		if a.Engaged[i].Call == m.Call {
			a.Engaged[i].Held = m.Held
		}
	}
	s.changed(a)
}

// reachable follows the registrations: who has no phone left that answers is out of the queues at once.
func (s *step) reachable(m tel.AgentReachable) {
	a := s.Agents[m.Agent]
	m.Silent = m.Silent && !m.Reachable
	if a == nil || a.Reachable == m.Reachable && a.Silent == m.Silent {
		return
	}
	a.Reachable, a.Silent = m.Reachable, m.Silent
	if m.Reachable {
		a.Fails, a.RestUntil = 0, time.Time{}
	} else {
		s.release(a, tel.CauseUnreachable)
	}
	s.changed(a)
}

// blame notes that the agent did not take an offer: the same caller spares the agent for a while,
// every caller for a moment, and too many misses in a row pause the agent or log the agent out.
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
		s.missed(a, q)
	}
	s.changed(a)
}

// missed stops offering to an agent who did not take as many calls in a row as the queue allows.
func (s *step) missed(a *Agent, q *Queue) {
	switch {
	case q == nil || q.Spec.AutoPause <= 0 || a.Misses < q.Spec.AutoPause || !a.LoggedIn:
	case q.Spec.AutoLogout:
		s.signOff(a, ReasonMissed, "")
	case !a.Paused:
		a.Paused, a.Reason, a.By, a.Misses = true, ReasonMissed, "", 0
	}
}

// declined says that a person did not take the call, by choice or by absence.
func declined(c tel.Cause) bool { return c == tel.CauseNoAnswer || c == tel.CauseRejected }
