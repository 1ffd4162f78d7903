package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// configure replaces queues and agents while calls run. A faulty configuration changes nothing.
func (s *step) configure(e Configure) {
	if err := Validate(e.Queues, e.Agents); err != nil {
		s.refuse(fmt.Errorf("%w: %w", ErrConfig, err))
		return
	}
	s.configureAgents(e.Agents)
	gone := s.configureQueues(e.Queues)
	s.reindex()
	for _, e := range gone {
		if e.Callback == "" {
			s.overflow(e, tel.OutcomeWithdrawn, "", whyClosed)
		}
	}
	for _, q := range s.queues {
		s.sendHopelessOn(q)
		s.seekSkilled(q)
		for _, e := range q.waiting {
			if e.WidenAt.IsZero() {
				s.ringsProgressively(e, q)
			}
		}
	}
	s.keepCallbacks()
	for _, id := range sorted(s.Offers) {
		o := s.Offers[id]
		q, a := s.Queues[o.Queue], s.Agents[o.Agent]
		live := o.Phase == Reserved || o.Phase == Ringing
		if live && (q == nil || a.Removed || !o.Assigned && !slices.Contains(q.Spec.Members, o.Agent)) {
			s.withdraw(o, tel.CauseCancelled)
		}
	}
	for _, id := range sorted(s.Agents) {
		s.changed(s.Agents[id])
	}
	for _, q := range s.queues {
		s.touchQueue(q)
		s.weigh(q)
	}
}

func (s *step) configureAgents(specs []AgentSpec) {
	keep := map[tel.AgentID]bool{}
	for _, spec := range specs {
		keep[spec.ID] = true
		a := s.Agents[spec.ID]
		if a == nil {
			a = &Agent{}
			s.Agents[spec.ID] = a
		}
		spec.Skills = maps.Clone(spec.Skills)
		if a.SkillsBy != "" {
			a.Skilled, spec.Skills = spec.Skills, a.Spec.Skills
		}
		a.Spec, a.Removed = spec, false
		s.touch("agent", string(spec.ID))
	}
	for _, id := range sorted(s.Agents) {
		if a := s.Agents[id]; !keep[id] {
			// Stays in the books until the call ends, then report deletes it.
			a.Removed, a.LoggedIn, a.Paused, a.Reason, a.By, a.Help = true, false, false, "", "", false
			a.WrapUntil, a.WrapQueue, a.WrapCall, a.WrapOwed = time.Time{}, "", "", 0
			a.LoginAt, a.ShiftUntil, a.ShiftOver = time.Time{}, time.Time{}, false
			a.Next = nil
			s.touch("agent", string(id))
		}
	}
}

// configureQueues returns the callers whose queue is gone, in order.
func (s *step) configureQueues(specs []QueueSpec) []*Entry {
	old, exists := s.Queues, map[tel.AgentID]bool{}
	for id, a := range s.Agents {
		exists[id] = !a.Removed
	}
	s.Queues = make(map[tel.QueueID]*Queue, len(specs))
	for _, spec := range specs {
		spec.Distribution = spec.defaults().clone()
		q := &Queue{Spec: spec, Configured: slices.Clone(spec.Members)}
		if was := old[spec.ID]; was != nil {
			q.EmptySince, q.Closed = was.EmptySince, was.Closed
			q.inherit(was, exists)
			q.Last = stillThere(was, q.serving())
		} else {
			q.EmptySince = s.now // nobody is missed who was never there
		}
		q.Spec.Members = q.serving()
		s.Queues[spec.ID] = q
	}
	for id := range old {
		s.touch("queue", string(id))
	}
	var gone []*Entry
	for _, e := range s.Entries {
		if s.Queues[e.Queue] == nil {
			gone = append(gone, e)
		}
	}
	slices.SortFunc(gone, byTurn)
	return gone
}

// stillThere moves a round-robin pointer whose member was removed back to the nearest member before
// it that remains, so that the turn goes on where it would have.
func stillThere(was *Queue, members []tel.AgentID) tel.AgentID {
	old := was.Spec.Members
	at := slices.Index(old, was.Last)
	for k := range old {
		if at < 0 {
			break
		}
		if m := old[(at-k+len(old))%len(old)]; slices.Contains(members, m) {
			return m
		}
	}
	return ""
}

// clockMoved moves every time in the state, so that a clock set by the network neither ends waits
// early nor lets them run on.
func (s *step) clockMoved(by time.Duration) {
	move := func(t *time.Time) {
		if !t.IsZero() {
			*t = t.Add(by)
		}
	}
	if s.Draining != (Draining{}) {
		move(&s.Draining.From)
		move(&s.Draining.Until)
		s.touch("meta", "seq")
	}
	for _, id := range sorted(s.Agents) {
		a := s.Agents[id]
		move(&a.WrapUntil)
		move(&a.RestUntil)
		move(&a.SettleBy)
		move(&a.IdleSince)
		move(&a.Shown.Since)
		if a.Work != nil && a.Work.Day == s.day(s.now.Add(-by)) {
			a.Work.Day = s.day(s.now) // what was done today stays today's
		}
		move(&a.Shown.Until)
		move(&a.LoginAt)
		s.touch("agent", string(id))
	}
	for _, id := range sorted(s.Entries) {
		e := s.Entries[id]
		move(&e.EnqueuedAt)
		move(&e.Arrived)
		move(&e.WidenAt)
		move(&e.NobodySince)
		move(&e.opened)
		move(&e.Speech.Began)
		move(&e.Speech.Until)
		move(&e.Speech.Told)
		move(&e.Speech.Ended)
		for agent, r := range e.Refused {
			move(&r.Until)
			e.Refused[agent] = r
		}
		s.touchEntry(e)
	}
	for _, o := range s.Offers {
		move(&o.Made)
		move(&o.Deadline)
		move(&o.Answered)
		s.touchOffer(o)
	}
	for _, id := range sorted(s.Callbacks) {
		c := s.Callbacks[id]
		move(&c.EnqueuedAt)
		move(&c.Asked)
		move(&c.Promise)
		move(&c.Expires)
		move(&c.Next)
		s.touchCallback(c)
	}
	for _, id := range sorted(s.Memories) {
		m := s.Memories[id]
		move(&m.Served)
		move(&m.Until)
		if m.Lost != nil {
			move(&m.Lost.EnqueuedAt)
			move(&m.Lost.LeftAt)
		}
		s.touchMemory(m)
	}
	for _, q := range s.Queues {
		move(&q.EmptySince)
		for m, out := range q.Out {
			move(&out.Since)
			q.Out[m] = out
		}
		s.touchQueue(q)
	}
	s.reindex()
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
