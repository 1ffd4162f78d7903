package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// sortMembers rebuilds what the passes look up by position.
func (s *State) sortMembers(q *Queue) {
	q.pos = make(map[tel.AgentID]int, len(q.Spec.Members))
	q.member, q.grade, q.tiered = make([]*Agent, len(q.Spec.Members)), make([]Grade, len(q.Spec.Members)), false
	for i, m := range q.Spec.Members {
		q.pos[m] = i
		q.member[i], q.grade[i] = s.Agents[m], q.Spec.Grades[m]
		q.tiered = q.tiered || q.grade[i].Level != 0
	}
}

// due is when a caller who joined at the given time should have an agent: after the queue's target,
// the sooner the greater its weight. Between queues the caller who is due first goes first, so a
// heavy queue goes before a light one by a bounded time and starves nobody.
func (q QueueSpec) due(joined time.Time) time.Time {
	return joined.Add(q.Target / time.Duration(max(1, q.Weight)))
}

// assess derives what orders the caller in the queue and what the caller asks of its agents: both
// follow the configuration of the queue.
func (s *State) assess(q *Queue, e *Entry) {
	e.due = q.Spec.due(e.EnqueuedAt)
	e.needs = e.Needs
	if len(q.Spec.Needs) > 0 {
		e.needs = both(q.Spec.Needs, e.Needs)
	}
	e.asks = s.number(e.needs)
}

// Outlook tells of a waiting caller when it should have an agent, and what it asks of one at now.
func (s *State) Outlook(call tel.CallID, now time.Time) (due time.Time, asked []tel.Need) {
	e := s.Entries[call]
	if e == nil || s.Queues[e.Queue] == nil {
		return time.Time{}, nil
	}
	most := s.Queues[e.Queue].kin(e, now).most
	for _, n := range e.needs {
		if n.Level = min(n.Level, most); n.Level > 0 {
			asked = append(asked, n)
		}
	}
	return e.due, asked
}

// both joins two lists of needs; of a skill that both name the higher level counts.
func both(a, b []tel.Need) []tel.Need {
	all := slices.Clone(a)
	for _, n := range b {
		if i := slices.IndexFunc(all, func(m tel.Need) bool { return m.Skill == n.Skill }); i >= 0 {
			all[i].Level = max(all[i].Level, n.Level)
		} else {
			all = append(all, n)
		}
	}
	return clean(all)
}

// clean brings needs into one order and within their limits, whoever sent them.
func clean(needs []tel.Need) []tel.Need {
	var all []tel.Need
	for _, n := range needs {
		if n.Skill != "" && n.Level > 0 {
			n.Level = min(n.Level, MaxSkill)
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b tel.Need) int {
		return cmp.Or(strings.Compare(a.Skill, b.Skill), cmp.Compare(b.Level, a.Level))
	})
	all = slices.CompactFunc(all, func(a, b tel.Need) bool { return a.Skill == b.Skill })
	return all[:min(len(all), 2*MaxNeeds)]
}

// number gives equal needs the same number; none have 0.
func (s *State) number(needs []tel.Need) int {
	if len(needs) == 0 {
		return 0
	}
	var b strings.Builder
	for _, n := range needs {
		fmt.Fprintf(&b, "%q%d ", n.Skill, n.Level)
	}
	n, known := s.asked[b.String()]
	if !known {
		n = len(s.asked) + 1
		s.asked[b.String()] = n
	}
	return n
}

// servable says that some member of the queue, serving it now or not, could ever take the caller: has the skills that are
// asked for when the caller has waited longest.
func (s *State) servable(q *Queue, e *Entry) bool {
	most := q.least()
	return slices.ContainsFunc(slices.Concat(q.Configured, q.Added), func(m tel.AgentID) bool {
		a := s.Agents[m]
		return a != nil && a.has(e.needs, most)
	})
}

// least is what is asked for at most of a caller who has waited longest.
func (q *Queue) least() int {
	if n := len(q.Spec.Relax); n > 0 {
		return q.Spec.Relax[n-1].Level
	}
	return MaxSkill
}

// seekSkilled notes of each caller who needs skills since when nobody who has them could take a call
// soon: for that caller the queue is as good as empty.
func (s *step) seekSkilled(q *Queue) {
	absent := once(q.unskilled)
	for _, e := range q.waiting {
		s.noteSkilled(e, absent(e))
	}
}

// unskilled says that nobody who could take a call soon has what the caller asks for.
func (q *Queue) unskilled(e *Entry) bool {
	return len(e.needs) > 0 && !slices.ContainsFunc(q.member, func(a *Agent) bool {
		return a != nil && a.present() && a.has(e.needs, q.least())
	})
}

// once answers a question about what callers of one queue ask for once for all who ask the same.
func once(ask func(*Entry) bool) func(*Entry) bool {
	known := map[int]bool{}
	return func(e *Entry) bool {
		answer, is := known[e.asks]
		if !is {
			answer = ask(e)
			known[e.asks] = answer
		}
		return answer
	}
}

func (s *step) noteSkilled(e *Entry, lonely bool) {
	if lonely != e.NobodySince.IsZero() {
		return
	}
	e.NobodySince = time.Time{}
	if lonely {
		e.NobodySince = s.now
		s.arm(nobodySkilled, string(e.Call))
	}
	s.touchEntry(e)
}

// leavesUnskilled is when a caller is sent on if nobody comes who has the skills.
func (q *Queue) leavesUnskilled(e *Entry) time.Time {
	if !q.Spec.LeaveEmpty || e.NobodySince.IsZero() || e.Callback != "" || len(e.Offers) > 0 {
		return time.Time{}
	}
	return e.NobodySince.Add(q.Spec.EmptyGrace)
}

// hopeless names the reason for which a caller cannot be served in the queue, ever.
func (q *Queue) hopeless() string {
	if len(q.Configured)+len(q.Added) == 0 {
		return whyNoMember
	}
	return whyNoSkill
}

// sendHopelessOn sends on whom a change of members or skills leaves without anybody who could ever
// serve.
func (s *step) sendHopelessOn(q *Queue) {
	servable := once(func(e *Entry) bool { return s.servable(q, e) })
	for _, e := range slices.Clone(q.waiting) {
		if e.Callback == "" && !servable(e) { // a callback expires
			s.overflow(e, tel.OutcomeWithdrawn, q.Spec.NoSkillTo, q.hopeless())
		}
	}
}

// opensNext is the next moment after e.opened at which time alone may open agents to the caller: a
// level, a skill that is no longer asked for, or the end of the wait for one agent. Zero: none.
func (q *Queue) opensNext(e *Entry) (next time.Time) {
	see := func(after time.Duration) {
		if at := e.EnqueuedAt.Add(after); at.After(e.opened) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	for _, r := range q.Spec.Levels {
		see(r.After)
	}
	if len(e.needs) > 0 {
		for _, r := range q.Spec.Relax {
			see(r.After)
		}
	}
	if e.Sticky != "" {
		see(q.Spec.StickyWait)
	}
	return next
}

// servedBy is who served the caller last, if the queue remembers that and the agent is of the queue.
func (s *step) servedBy(q *Queue, caller tel.Number) tel.AgentID {
	m := s.Memories[caller]
	if m == nil || m.Agent == "" || s.now.Sub(m.Served) >= q.Spec.Sticky {
		return ""
	}
	return m.Agent
}

// keepServer notes who has the caller, for the day's figures and for the caller's next call.
func (s *step) keepServer(o *Offer, e *Entry) {
	s.credit(s.Agents[o.Agent], o.Queue, Tally{Calls: 1})
	q := s.Queues[o.Queue]
	if e == nil || q == nil || q.Spec.Sticky == 0 {
		return
	}
	if m := s.remember(e.Caller, s.now.Add(q.Spec.Sticky)); m != nil {
		m.Agent, m.Served = o.Agent, s.now
	}
}

// ringsProgressively starts the clock of a progressive ring when agents have begun to ring, or when
// the queue has become one while they ring.
func (s *step) ringsProgressively(e *Entry, q *Queue) {
	if q.Spec.Strategy != ProgressiveRing || len(e.Offers) == 0 || len(e.Offers) > 1 && !e.WidenAt.IsZero() {
		return
	}
	e.Width, e.WidenAt = len(e.Offers), s.now.Add(q.Spec.Step)
	s.arm(ringWidens, string(e.Call))
	s.touchEntry(e)
}

// widen lets one agent more ring, and no more than the queue has, for as long as somebody rings.
func (s *step) widen(e *Entry, at time.Time) {
	q := s.Queues[e.Queue]
	e.WidenAt = time.Time{}
	if q != nil && q.Spec.Strategy == ProgressiveRing && len(e.Offers) > 0 {
		e.Width, e.WidenAt = max(1, min(e.Width+1, len(q.Spec.Members))), at.Add(max(q.Spec.Step, time.Second))
	}
	s.arm(ringWidens, string(e.Call))
	s.touchEntry(e)
}
