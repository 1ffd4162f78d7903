package plan

import (
	"maps"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// match gives agents to callers: one pass over the queues in which something changed, callers in
// order of service. It pairs callers with agents rather than counting both, so a caller whom no
// free agent may serve never holds up the ones behind.
//
// Who is served: the first caller in order who can be, then the next who still can be with the
// first one served, and so on; an earlier caller is given another agent when only that lets a later
// one be served too. By whom: each in order gets the agent whom the queue prefers for it (see
// standing) among those that leave everybody else served.
//
// In a queue where nothing has changed since the last pass no free agent may serve a waiting
// caller, so it is left alone; everything that can change this marks the queue (see mark).
func (s *step) match() {
	if s.nfree > 0 {
		for _, p := range s.pair() {
			s.offer(p.entry, p.agent, s.why(p.gate, p.agent))
		}
		s.widenRings()
	}
	for _, q := range s.marked {
		q.isMarked = false
	}
	s.marked = s.marked[:0]
}

// mark has the next pass look at the queue again.
func (s *State) mark(q *Queue) {
	if q != nil && !q.isMarked {
		q.isMarked = true
		s.marked = append(s.marked, q)
	}
}

type couple struct {
	entry *Entry
	agent *Agent
	gate  *gate
}

// cursor walks through the callers of one queue who need an agent.
type cursor struct {
	q    *Queue
	i    int
	head *Entry
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
	cursors []cursor          // a heap: the one whose head is served first comes first
	seat    map[*Agent]*Entry // who is promised whom
	of      map[*Entry]*Agent // the same, the other way round
	dead    map[*Agent]bool   // seen by a search that failed: no path through them ends at a free agent any more
	fixed   map[*Agent]bool   // may not be moved any more
	served  []*Entry          // in order
	gates   map[*Entry]*gate  // of the served
	windows map[kin]window
	few     map[*Queue]bool // whose levels are not looked at
	spent   map[kin]bool    // of whose callers no more can be served
	last    map[*Queue]int  // round robin: position rung last, as of this pass
	moved   bool            // some promise was moved to serve a later caller
}

// pair finds the couples, in order of the callers.
func (s *step) pair() []couple {
	p := &pass{step: s}
	for _, q := range s.marked {
		if len(q.free) > 0 && len(q.waiting) > 0 {
			if c := (cursor{q: q}); c.next() {
				p.cursors = append(p.cursors, c)
			}
		}
	}
	if len(p.cursors) == 0 {
		return nil
	}
	for i := len(p.cursors)/2 - 1; i >= 0; i-- {
		p.sink(i)
	}
	p.seat, p.of, p.gates, p.last = map[*Agent]*Entry{}, map[*Entry]*Agent{}, map[*Entry]*gate{}, map[*Queue]int{}
	p.dead = map[*Agent]bool{}
	p.windows, p.few, p.spent = map[kin]window{}, map[*Queue]bool{}, map[kin]bool{}
	p.serve()
	if p.moved {
		p.prefer()
	}
	return p.couples()
}

// gate is the caller's gate; its costly part is shared by the callers of a kin.
func (p *pass) gate(k kin, e *Entry) *gate {
	g := &gate{q: k.q, e: e, now: p.now, kin: k}
	w, known := p.windows[k]
	if !known {
		few, counted := p.few[k.q]
		if !counted {
			few = k.q.few(p.now)
			p.few[k.q] = few
		}
		w = windowOf(k, e, p.now, few)
		p.windows[k] = w
	}
	g.levels = w
	p.favour(g)
	return g
}

// from is the round robin's position in this pass.
func (p *pass) from(q *Queue) int {
	if i, ok := p.last[q]; ok {
		return i
	}
	return q.turn()
}

// serve decides who is served, taking preferred agents as long as they suffice.
func (p *pass) serve() {
	for len(p.cursors) > 0 && len(p.seat) < p.nfree {
		c := &p.cursors[0]
		if !p.promise(c.q, c.head) || !c.next() {
			last := len(p.cursors) - 1
			p.cursors[0], p.cursors = p.cursors[last], p.cursors[:last]
		}
		p.sink(0)
	}
}

// sink moves a cursor down the heap until no head below it is served sooner.
func (p *pass) sink(i int) {
	h := p.cursors
	for {
		first := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h); c++ {
			if byTurn(h[c].head, h[first].head) < 0 {
				first = c
			}
		}
		if first == i {
			return
		}
		h[i], h[first] = h[first], h[i]
		i = first
	}
}

// give promises the agent to the caller.
func (p *pass) give(a *Agent, e *Entry) { p.seat[a], p.of[e] = e, a }

// promise promises the caller an agent if it can be done. It is false when that shows that nobody
// behind the caller in its queue can have one either.
func (p *pass) promise(q *Queue, e *Entry) (more bool) {
	k := q.kin(e, p.now)
	if p.spent[k] {
		return true
	}
	if k.needs != 0 && !slices.ContainsFunc(q.free, func(a *Agent) bool { return a.has(e.needs, k.most) }) {
		p.spent[k] = true
		return true
	}
	g := p.gate(k, e)
	if a := p.best(g, p.from(q), func(a *Agent) bool { return p.seat[a] == nil }); a != nil {
		p.give(a, e)
		p.last[q] = q.pos[a.Spec.ID]
	} else if p.rearrange(g) {
		p.moved = true
	} else {
		if !g.bound() {
			p.spent[g.kin] = true
			return !g.wide()
		}
		return true
	}
	p.served, p.gates[e] = append(p.served, e), g
	return true
}

// rearrange finds an agent for the caller by moving others. Whom a failed search has seen can be moved to
// each other only, and no later promise changes that, so no search of this pass looks at them again: all
// failed searches together cost what one costs that sees everybody.
func (p *pass) rearrange(g *gate) bool {
	if len(p.seat) == 0 {
		return false
	}
	closed := map[*Agent]bool{}
	if p.reseat(g, closed) {
		return true
	}
	maps.Copy(p.dead, closed)
	return false
}

// reseat finds an agent for the caller by moving others (an augmenting path). Agents in closed are
// not looked at.
func (p *pass) reseat(g *gate, closed map[*Agent]bool) bool {
	for _, a := range g.q.free {
		if p.dead[a] || p.fixed[a] || closed[a] || !g.admits(a) {
			continue
		}
		closed[a] = true
		if other := p.seat[a]; other == nil || p.reseat(p.gates[other], closed) {
			p.give(a, g.e)
			return true
		}
	}
	return false
}

// prefer gives every served caller, in order, the most preferred agent that leaves all others
// served.
func (p *pass) prefer() {
	p.fixed, p.last = map[*Agent]bool{}, map[*Queue]int{}
	p.dead = nil // of searches without fixed agents
	for _, e := range p.served {
		g := p.gates[e]
		for _, a := range p.candidates(g, p.from(g.q)) {
			if !p.fixed[a] && p.grant(e, a) {
				p.fixed[a] = true
				p.last[g.q] = g.q.pos[a.Spec.ID]
				break
			}
		}
	}
}

// grant promises the agent to the caller if whoever has the promise can be moved.
func (p *pass) grant(e *Entry, a *Agent) bool {
	other, old := p.seat[a], p.of[e]
	if other == e {
		return true
	}
	delete(p.seat, old)
	p.give(a, e)
	if other == nil || p.reseat(p.gates[other], map[*Agent]bool{a: true}) {
		return true
	}
	p.give(a, other)
	p.give(old, e)
	return false
}

// couples lists the promises in order of the callers.
func (p *pass) couples() []couple {
	list := make([]couple, len(p.served))
	for i, e := range p.served {
		list[i] = couple{e, p.of[e], p.gates[e]}
	}
	return list
}

// widenRings lets the agents whom nobody else needs ring along for the callers of queues in which
// several agents ring.
func (s *step) widenRings() {
	var ringing []*Entry
	for _, q := range s.marked {
		if !q.Spec.Strategy.rings() || len(q.free) == 0 {
			continue
		}
		for _, e := range q.waiting {
			if len(e.Offers) > 0 && !e.Overdue && e.For == "" && !s.accepted(e) {
				ringing = append(ringing, e)
			}
		}
	}
	slices.SortFunc(ringing, byTurn)
	for _, e := range ringing {
		q := s.Queues[e.Queue]
		if len(q.free) == 0 {
			continue
		}
		g := s.gateOf(e, s.now)
		for _, a := range s.candidates(&g, q.turn()) {
			if q.Spec.Strategy == ProgressiveRing && len(e.Offers) >= e.Width {
				break
			}
			s.offer(e, a, tel.OfferReason{Merit: tel.MeritRingsAlong})
		}
	}
}
