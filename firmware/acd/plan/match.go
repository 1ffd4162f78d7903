package plan

import (
	"fmt"
	"slices"
)

// match gives agents to callers: one pass over all queues, callers in order of service. It pairs
// callers with agents rather than counting both, so a caller whom no free agent may serve never
// holds up the ones behind.
//
// Who is served: the first caller in order who can be, then the next who still can be with the
// first one served, and so on; an earlier caller is given another agent when only that lets a later
// one be served too. By whom: each in order gets the agent whom the queue's strategy prefers among
// those that leave everybody else served.
func (s *step) match() {
	if s.nfree == 0 {
		return
	}
	for _, p := range s.pair() {
		s.offer(p.entry, p.agent, s.why(p.entry))
	}
	s.widenRings()
}

// why says in words why this agent was chosen; it is called before the agent is taken.
func (s *step) why(e *Entry) string {
	q := s.Queues[e.Queue]
	switch q.Spec.Strategy {
	case RoundRobin:
		return fmt.Sprintf("next in turn of %d free", len(q.free))
	case RingAll:
		return fmt.Sprintf("first of %d free to ring", len(q.free))
	default:
		return fmt.Sprintf("longest idle of %d free", len(q.free))
	}
}

type couple struct {
	entry *Entry
	agent *Agent
}

// cursor walks through the callers of one queue who need an agent.
type cursor struct {
	q    *Queue
	i    int
	head *Entry
	last int // round robin: position rung last, as of this pass
}

// next moves to the next caller who needs an agent; false when there is none.
func (c *cursor) next() bool {
	for ; c.i < len(c.q.waiting); c.i++ {
		if e := c.q.waiting[c.i]; e.pending() {
			c.head = e
			c.i++
			return true
		}
	}
	return false
}

// turn is the round-robin position from which the next member is sought.
func (q *Queue) turn() int {
	if i, ok := q.pos[q.Last]; ok {
		return i
	}
	return -1
}

// pass is one matching of free agents with callers.
type pass struct {
	*step
	cursors []cursor
	seat    map[*Agent]*Entry // who is promised whom
	served  []*Entry          // in order
	moved   bool              // some promise was moved to serve a later caller
}

// pair finds the couples, in order of the callers.
func (s *step) pair() []couple {
	p := &pass{step: s}
	for _, q := range s.queues {
		if len(q.free) > 0 && len(q.waiting) > 0 {
			if c := (cursor{q: q, last: q.turn()}); c.next() {
				p.cursors = append(p.cursors, c)
			}
		}
	}
	if len(p.cursors) == 0 {
		return nil
	}
	p.seat = map[*Agent]*Entry{}
	p.serve()
	if p.moved {
		p.prefer()
	}
	return p.couples()
}

// serve decides who is served, taking preferred agents as long as they suffice.
func (p *pass) serve() {
	for len(p.cursors) > 0 && len(p.seat) < p.nfree {
		at := 0
		for i := 1; i < len(p.cursors); i++ {
			if byTurn(p.cursors[i].head, p.cursors[at].head) < 0 {
				at = i
			}
		}
		c := &p.cursors[at]
		e, more := c.head, true
		if a := p.choose(c, e, func(a *Agent) bool { return p.seat[a] == nil }); a != nil {
			p.seat[a] = e
			p.served = append(p.served, e)
		} else if len(p.seat) > 0 && p.reseat(e, map[*Agent]bool{}) {
			p.served = append(p.served, e)
			p.moved = true
		} else if !e.anySpared(p.now) {
			more = false // the callers behind may have no more agents than this one
		}
		if !more || !c.next() {
			p.cursors = slices.Delete(p.cursors, at, at+1)
		}
	}
}

// choose returns the agent whom the strategy prefers for the caller among those that ok accepts.
func (p *pass) choose(c *cursor, e *Entry, ok func(*Agent) bool) *Agent {
	q := c.q
	if q.Spec.Strategy != RoundRobin {
		for _, a := range q.free {
			if !e.spared(a.Spec.ID, p.now) && ok(a) {
				return a
			}
		}
		return nil
	}
	n := len(q.Spec.Members)
	for k := 1; k <= n; k++ {
		i := (c.last + k) % n
		if a := p.Agents[q.Spec.Members[i]]; a != nil && a.isFree && !e.spared(a.Spec.ID, p.now) && ok(a) {
			c.last = i
			return a
		}
	}
	return nil
}

// reseat finds an agent for the caller by moving others (an augmenting path). Agents in closed are
// not looked at.
func (p *pass) reseat(e *Entry, closed map[*Agent]bool) bool {
	for _, a := range p.Queues[e.Queue].free {
		if closed[a] || e.spared(a.Spec.ID, p.now) {
			continue
		}
		closed[a] = true
		if other := p.seat[a]; other == nil || p.reseat(other, closed) {
			p.seat[a] = e
			return true
		}
	}
	return false
}

// prefer gives every served caller, in order, the most preferred agent that leaves all others
// served.
func (p *pass) prefer() {
	fixed := map[*Agent]bool{}
	cursors := map[*Queue]*cursor{}
	for _, e := range p.served {
		q := p.Queues[e.Queue]
		c := cursors[q]
		if c == nil {
			c = &cursor{q: q, last: q.turn()}
			cursors[q] = c
		}
		a := p.choose(c, e, func(a *Agent) bool { return !fixed[a] && p.grant(e, a, fixed) })
		fixed[a] = true
	}
}

// grant promises the agent to the caller if whoever has the promise can be moved.
func (p *pass) grant(e *Entry, a *Agent, fixed map[*Agent]bool) bool {
	other := p.seat[a]
	if other == e {
		return true
	}
	var old *Agent
	for b, holder := range p.seat {
		if holder == e {
			old = b
		}
	}
	delete(p.seat, old)
	p.seat[a] = e
	if other == nil {
		return true
	}
	closed := map[*Agent]bool{a: true}
	for b := range fixed {
		closed[b] = true
	}
	if p.reseat(other, closed) {
		return true
	}
	p.seat[a], p.seat[old] = other, e
	return false
}

// couples lists the promises in order of the callers.
func (p *pass) couples() []couple {
	of := make(map[*Entry]*Agent, len(p.seat))
	for a, e := range p.seat {
		of[e] = a
	}
	list := make([]couple, len(p.served))
	for i, e := range p.served {
		list[i] = couple{e, of[e]}
	}
	return list
}

// widenRings lets the agents whom nobody else needs ring along for the callers of ring-all queues.
func (s *step) widenRings() {
	var ringing []*Entry
	for _, q := range s.queues {
		if q.Spec.Strategy != RingAll || len(q.free) == 0 {
			continue
		}
		for _, e := range q.waiting {
			if len(e.Offers) > 0 && !e.Overdue && e.For == "" {
				ringing = append(ringing, e)
			}
		}
	}
	slices.SortFunc(ringing, byTurn)
	for _, e := range ringing {
		for _, a := range slices.Clone(s.Queues[e.Queue].free) {
			if !e.spared(a.Spec.ID, s.now) {
				s.offer(e, a, "rings along")
			}
		}
	}
}
