package brute

import (
	"slices"
	"time"
)

// Office is a call centre at one moment, in plain facts. Agents, queues and callers are known by
// their positions.
type Office struct {
	Now     time.Time
	Agents  []Agent
	Queues  []Queue
	Callers []Caller
}

// Agent is one person.
type Agent struct {
	Name      string // the last tie-break
	Free      bool   // could ring now
	Present   bool   // would take calls, once the present work is done
	BusyUntil time.Time
	Idle      time.Time // since when
	Skills    map[string]int
	Calls     []int // answered today, by queue
	Talk      time.Duration
}

// Queue is one queue's rules.
type Queue struct {
	Members     []int // agents in their order
	Strategy    string
	Last        int         // the agent rung last, or None
	Level       map[int]int // of agents
	Target      time.Duration
	Weight      int
	Rules       []Rule
	LevelsAbove int
	Soon        time.Duration
	Needs       map[string]int
	Relax       []Relax
	BestSkilled bool
	StickyWait  time.Duration
}

// Rule opens levels From to UpTo to a caller who has waited After.
type Rule struct {
	After      time.Duration
	From, UpTo int
}

// Relax asks at most for Level of a caller who has waited After.
type Relax struct {
	After time.Duration
	Level int
}

// Caller is one waiting caller.
type Caller struct {
	Name     string // the last tie-break
	Queue    int
	Priority int
	Joined   time.Time
	Needs    map[string]int
	Spared   map[int]bool // agents who just refused
	Sticky   int          // the agent of the last time, or None
	Lots     []uint64     // drawn for each agent; less is sooner
}

// Order lists the callers in order of service.
func (o Office) Order() []int {
	var left, order []int
	for c := range o.Callers {
		left = append(left, c)
	}
	due := func(c int) time.Time {
		q := o.Queues[o.Callers[c].Queue]
		return o.Callers[c].Joined.Add(q.Target / time.Duration(q.Weight))
	}
	before := func(a, b int) bool {
		x, y := o.Callers[a], o.Callers[b]
		switch {
		case x.Priority != y.Priority:
			return x.Priority > y.Priority
		case !due(a).Equal(due(b)):
			return due(a).Before(due(b))
		case !x.Joined.Equal(y.Joined):
			return x.Joined.Before(y.Joined)
		default:
			return x.Name < y.Name
		}
	}
	for len(left) > 0 {
		first := 0
		for i := range left {
			if before(left[i], left[first]) {
				first = i
			}
		}
		order = append(order, left[first])
		left = slices.Delete(left, first, first+1)
	}
	return order
}

// asked is how well the caller needs a skill by now.
func (o Office) asked(c int) map[string]int {
	x := o.Callers[c]
	q := o.Queues[x.Queue]
	all := map[string]int{}
	for _, list := range []map[string]int{q.Needs, x.Needs} {
		for skill, level := range list {
			if level > all[skill] {
				all[skill] = level
			}
		}
	}
	for _, r := range q.Relax {
		if o.Now.Before(x.Joined.Add(r.After)) {
			continue
		}
		for skill, level := range all {
			if level > r.Level {
				all[skill] = r.Level
			}
		}
	}
	return all
}

func (o Office) skilled(c, a int) bool {
	for skill, level := range o.asked(c) {
		if o.Agents[a].Skills[skill] < level {
			return false
		}
	}
	return true
}

func (o Office) soon(q Queue, a int) bool {
	return o.Agents[a].Present && !o.Agents[a].BusyUntil.After(o.Now.Add(q.Soon))
}

// levels are the levels that are open to the caller; nil when levels do not matter.
func (o Office) levels(c int) map[int]bool {
	const highest = 99
	x := o.Callers[c]
	q := o.Queues[x.Queue]
	flat, present := true, 0
	staffed := map[int]bool{} // levels with somebody for this caller
	for _, a := range q.Members {
		flat = flat && q.Level[a] == 0
		if o.soon(q, a) {
			present++
			if o.skilled(c, a) {
				staffed[q.Level[a]] = true
			}
		}
	}
	if flat || present <= q.LevelsAbove {
		return nil
	}
	from, upTo := 0, highest
	if len(q.Rules) > 0 {
		upTo = 0
	}
	for _, r := range q.Rules {
		if !o.Now.Before(x.Joined.Add(r.After)) {
			from, upTo = r.From, r.UpTo
		}
	}
	open, somebody := map[int]bool{}, false
	for l := from; l <= upTo; l++ {
		open[l] = true
		somebody = somebody || staffed[l]
	}
	for l := upTo + 1; l <= highest && !somebody; l++ {
		open[l] = true
		somebody = staffed[l]
	}
	for l := from - 1; l >= 0 && !somebody; l-- {
		open[l] = true
		somebody = staffed[l]
	}
	return open
}

// able says that skill and level let the agent serve the caller.
func (o Office) able(c, a int) bool {
	q := o.Queues[o.Callers[c].Queue]
	if !slices.Contains(q.Members, a) || !o.skilled(c, a) {
		return false
	}
	open := o.levels(c)
	return open == nil || open[q.Level[a]]
}

// favourite is the agent of the last time, if it may be that one again; alone says that the caller
// waits for nobody else.
func (o Office) favourite(c int) (agent int, alone bool) {
	x := o.Callers[c]
	if x.Sticky == None || x.Spared[x.Sticky] || !o.able(c, x.Sticky) {
		return None, false
	}
	a, end := o.Agents[x.Sticky], x.Joined.Add(o.Queues[x.Queue].StickyWait)
	return x.Sticky, a.Present && o.Now.Before(end) && !a.BusyUntil.After(end)
}

// May says that the agent may ring for the caller now.
func (o Office) May(c, a int) bool {
	if !o.Agents[a].Free || o.Callers[c].Spared[a] || !o.able(c, a) {
		return false
	}
	only, alone := o.favourite(c)
	return !alone || a == only
}

// Prefers lists who may ring for the caller, the best first. given are the agents whom the callers
// before it got, as positions of order tell.
func (o Office) Prefers(order []int, at int, given []int) []int {
	c := order[at]
	q := o.Queues[o.Callers[c].Queue]
	last := q.Last
	for i, a := range given {
		if a != None && o.Callers[order[i]].Queue == o.Callers[c].Queue {
			last = a
		}
	}
	var may []int
	for a := range o.Agents {
		if o.May(c, a) {
			may = append(may, a)
		}
	}
	slices.SortFunc(may, func(a, b int) int {
		if o.better(c, last, a, b) {
			return -1
		}
		return 1
	})
	return may
}

// better compares two different agents for a caller.
func (o Office) better(c, last, a, b int) bool {
	q := o.Queues[o.Callers[c].Queue]
	if f, _ := o.favourite(c); a == f || b == f {
		return a == f
	}
	if o.levels(c) != nil && q.Level[a] != q.Level[b] {
		return q.Level[a] < q.Level[b]
	}
	if q.BestSkilled {
		x, y := 0, 0
		for skill, level := range o.asked(c) {
			if level > 0 {
				x += o.Agents[a].Skills[skill]
				y += o.Agents[b].Skills[skill]
			}
		}
		if x != y {
			return x > y
		}
	}
	if x, y := o.turn(c, last, a), o.turn(c, last, b); x != y {
		return x < y
	}
	if x, y := o.Agents[a].Idle, o.Agents[b].Idle; !x.Equal(y) {
		return x.Before(y)
	}
	return o.Agents[a].Name < o.Agents[b].Name
}

// turn is the strategy's figure; less is sooner.
func (o Office) turn(c, last, a int) uint64 {
	x := o.Callers[c]
	q := o.Queues[x.Queue]
	switch q.Strategy {
	case "round_robin":
		at := slices.Index(q.Members, last)
		for k := 1; k <= len(q.Members); k++ {
			if q.Members[(at+k)%len(q.Members)] == a {
				return uint64(k)
			}
		}
	case "ordered":
		return uint64(slices.Index(q.Members, a))
	case "fewest_calls":
		return uint64(o.Agents[a].Calls[x.Queue])
	case "least_talk":
		return uint64(o.Agents[a].Talk)
	case "random", "weighted_random":
		return x.Lots[a]
	}
	return 0 // longest idle, and those that ring several
}

// Solve gives agents to the callers of order who wait for one; the result is by position of order.
func (o Office) Solve(order []int) []int {
	return Solve(Case{Agents: len(o.Agents), Callers: len(order), Prefers: func(at int, given []int) []int {
		return o.Prefers(order, at, given)
	}})
}
