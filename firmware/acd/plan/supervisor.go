package plan

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// setSkills gives an agent other skills than the configuration until the next login; without any named
// they are the configured ones again. A caller whom nobody could serve any more is sent on.
func (s *step) setSkills(e SetSkills) {
	a := s.agent(e.Agent)
	if a == nil {
		return
	}
	var faults []error
	validateSkills(string(e.Agent), e.Skills, func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) })
	switch {
	case len(faults) > 0:
		s.refuse(fmt.Errorf("%w: %w", ErrConfig, errors.Join(faults...)))
		return
	case e.Skills == nil:
		s.ownSkills(a)
		return
	default:
		if a.SkillsBy == "" {
			a.Skilled = a.Spec.Skills
		}
		a.Spec.Skills, a.SkillsBy = maps.Clone(e.Skills), cmp.Or(e.By, "supervisor")
	}
	s.skilled(a)
}

// skilled follows a change of an agent's skills.
func (s *step) skilled(a *Agent) {
	s.changed(a)
	for _, q := range s.queues {
		if q.belongs(a.Spec.ID) {
			s.sendHopelessOn(q)
			s.seekSkilled(q)
		}
	}
}

// ownSkills gives the agent the configured skills back.
func (s *step) ownSkills(a *Agent) {
	if a.SkillsBy != "" {
		a.Spec.Skills, a.Skilled, a.SkillsBy = a.Skilled, nil, ""
		s.skilled(a)
	}
}

// move sends a waiting caller to another queue. The call joins it with its first enqueue time, so the
// caller loses no minute of waiting.
func (s *step) move(e Move) {
	en, q := s.caller(e.Call), s.Queues[e.Queue]
	switch {
	case en == nil:
		s.refuse(ErrNoCaller)
	case q == nil:
		s.refuse(ErrUnknownQueue)
	case en.Queue == e.Queue:
		s.refuse(ErrSameQueue)
	default:
		s.overflow(en, tel.OutcomeWithdrawn, "queue:"+string(e.Queue), whyMoved)
	}
}

// assign rings exactly one agent for a waiting caller, whoever else waits, as somebody has decided.
// Who is paused or in after-call work may be rung: a person asked for it. The other offers of the caller
// end; the agent's own ring for another caller ends too.
func (s *step) assign(e Assign) {
	en := s.caller(e.Call)
	if en == nil {
		s.refuse(ErrNoCaller)
		return
	}
	a := s.agent(e.Agent)
	if a == nil {
		return
	}
	if o := s.Offers[a.Offer]; o != nil && !a.onLine() {
		if o.Call == e.Call {
			s.only(en, a)
			return
		}
		s.withdraw(o, tel.CauseCancelled)
	}
	switch err := a.assignable(); {
	case err != nil:
		s.refuse(err)
		return
	case s.Entries[e.Call] != en:
		s.refuse(ErrNoCaller)
		return
	case a.Settling != "": // not beside what still rings there
		a.Next = &e
		s.touch("agent", string(a.Spec.ID))
		return
	}
	s.only(en, a)
	s.offer(en, a, tel.OfferReason{Merit: tel.MeritAssigned, By: e.By})
	s.Offers[a.Offer].Assigned = true
}

// only ends the caller's offers to everybody else.
func (s *step) only(en *Entry, a *Agent) {
	for _, id := range slices.Clone(en.Offers) {
		if o := s.Offers[id]; o.Agent != a.Spec.ID {
			s.end(o, tel.CauseCancelled, true)
		}
	}
	en.For = a.Spec.ID
	s.touchEntry(en)
}
