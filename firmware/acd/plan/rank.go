package plan

import (
	"cmp"
	"math/bits"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// gate says at one moment which members may take one caller and whom of them the caller gets first.
type gate struct {
	q      *Queue
	e      *Entry
	kin    kin
	now    time.Time
	levels window
	last   *Agent // who served the caller last and may do so again
	hold   bool   // nobody else: the caller waits for last
}

// kin are the callers of one queue who differ at most in whom they have refused and in who served
// them last: what one of them cannot get, none of them can.
type kin struct {
	q     *Queue
	needs int // Entry.asks; 0 when nothing is asked for any more
	most  int // each skill is asked for at no more than this level
	rule  int // of q.Spec.Levels; -1 before the first
}

// window is the range of levels that is open.
type window struct {
	from, upTo int
	ignored    bool // levels are not looked at, not even to prefer one
}

func (w window) holds(level int) bool { return w.ignored || level >= w.from && level <= w.upTo }

// wait is how long the caller has waited; a caller who comes back with an old place brings its wait
// along.
func (e *Entry) wait(now time.Time) time.Duration { return now.Sub(e.EnqueuedAt) }

// kin finds the caller's kind.
func (q *Queue) kin(e *Entry, now time.Time) kin {
	wait := e.wait(now)
	k := kin{q: q, needs: e.asks, most: MaxSkill, rule: -1}
	if len(e.needs) > 0 {
		for _, r := range q.Spec.Relax {
			if wait >= r.After {
				k.most = r.Level
			}
		}
		if k.most == 0 {
			k.needs = 0
		}
	}
	if q.tiered {
		for i, r := range q.Spec.Levels {
			if wait >= r.After {
				k.rule = i
			}
		}
	}
	return k
}

// gateOf computes the gate of a caller from nothing.
func (s *State) gateOf(e *Entry, now time.Time) gate {
	q := s.Queues[e.Queue]
	k := q.kin(e, now)
	g := gate{q: q, e: e, kin: k, now: now, levels: windowOf(k, e, now, q.few(now))}
	s.favour(&g)
	return g
}

// favour finds out whether the agent who served the caller last may do so again, and whether the
// caller shall wait for that agent alone: while the agent is at work and could be free in time.
func (s *State) favour(g *gate) {
	e := g.e
	if e.Sticky == "" {
		return
	}
	a := s.Agents[e.Sticky]
	if _, member := g.q.pos[e.Sticky]; a == nil || !member || !g.takes(a) || e.spared(e.Sticky, g.now) {
		return
	}
	g.last = a
	until := g.q.holdEnds(e)
	g.hold = a.present() && g.now.Before(until) && !a.WrapUntil.After(until)
}

// holdEnds is until when the caller waits for the agent who served it last and for nobody else.
func (q *Queue) holdEnds(e *Entry) time.Time { return e.EnqueuedAt.Add(q.Spec.StickyWait) }

// staffed says that the agent could take a call within the queue's Soon.
func (q *Queue) staffed(a *Agent, now time.Time) bool {
	return a.present() && !a.WrapUntil.After(now.Add(q.Spec.Soon))
}

// few says that so few members are staffed that their levels are not looked at.
func (q *Queue) few(now time.Time) bool {
	if !q.tiered || q.Spec.LevelsAbove == 0 {
		return false
	}
	staffed := 0
	for _, a := range q.member {
		if a != nil && q.staffed(a, now) {
			staffed++
		}
	}
	return staffed <= q.Spec.LevelsAbove
}

// windowOf finds the levels that are open to callers of this kin, of whom e is one.
func windowOf(k kin, e *Entry, now time.Time, few bool) window {
	q, w := k.q, window{upTo: MaxLevel}
	switch {
	case !q.tiered:
		return w
	case few:
		w.ignored = true
		return w
	case k.rule >= 0:
		w.from, w.upTo = q.Spec.Levels[k.rule].From, q.Spec.Levels[k.rule].UpTo
	case len(q.Spec.Levels) > 0:
		w.upTo = 0
	}
	above, below := MaxLevel+1, -1
	for i, a := range q.member {
		if a == nil || !q.staffed(a, now) || !a.has(e.needs, k.most) {
			continue
		}
		switch level := q.grade[i].Level; {
		case level > w.upTo:
			above = min(above, level)
		case level < w.from:
			below = max(below, level)
		default:
			return w
		}
	}
	switch {
	case above <= MaxLevel:
		w.upTo = above
	case below >= 0:
		w.from = below
	}
	return w
}

// has says that the agent has every skill as well as asked for, and no more than most is asked.
func (a *Agent) has(needs []tel.Need, most int) bool {
	for _, n := range needs {
		if a.Spec.Skills[n.Skill] < min(n.Level, most) {
			return false
		}
	}
	return true
}

// level is the level of a member; 0 of somebody who is none.
func (q *Queue) level(a *Agent) int {
	if i, ok := q.pos[a.Spec.ID]; ok {
		return q.grade[i].Level
	}
	return 0
}

// takes says that the agent has the skills and the level, whatever happened between the two before.
func (g *gate) takes(a *Agent) bool {
	return a.has(g.e.needs, g.kin.most) && (!g.q.tiered || g.levels.holds(g.q.level(a)))
}

// admits says that the agent may ring for the caller when free.
func (g *gate) admits(a *Agent) bool {
	if g.hold {
		return a == g.last
	}
	return !g.e.spared(a.Spec.ID, g.now) && g.takes(a)
}

// bound says that this caller may have fewer agents than its kin.
func (g *gate) bound() bool { return g.hold || g.e.anySpared(g.now) }

// wide says that no caller of the queue may have more agents than this caller's kin.
func (g *gate) wide() bool {
	return g.kin.needs == 0 && (!g.q.tiered || g.levels.ignored || g.levels.from == 0 && g.levels.upTo >= MaxLevel)
}

// plain says that the order of the queue's free list, longest idle first, is the caller's own.
func (g *gate) plain() bool {
	switch g.q.Spec.Strategy {
	case LongestIdle, RingAll, ProgressiveRing:
		return g.last == nil && !g.q.tiered && (!g.q.Spec.BestSkilled || g.kin.needs == 0)
	default:
		return false
	}
}

// standing is where an agent stands in a caller's order of preference.
type standing struct {
	agent *Agent
	other bool   // not the one who served the caller last
	level int    // lower first
	lack  int    // of needed skills; less first, when the best-skilled are preferred
	turn  uint64 // by strategy; less first
}

func (x standing) compare(y standing) int {
	if x.other != y.other {
		if y.other {
			return -1
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(x.level, y.level), cmp.Compare(x.lack, y.lack), cmp.Compare(x.turn, y.turn),
		byIdle(x.agent, y.agent),
	)
}

// standing ranks an agent for the caller. last is the round robin's position, as of this pass.
func (s *step) standing(g *gate, a *Agent, last int) standing {
	q := g.q
	i := q.pos[a.Spec.ID]
	x := standing{agent: a, other: a != g.last}
	if q.tiered && !g.levels.ignored {
		x.level = q.grade[i].Level
	}
	if q.Spec.BestSkilled && g.kin.needs != 0 {
		for _, n := range g.e.needs {
			x.lack += MaxSkill - a.Spec.Skills[n.Skill]
		}
	}
	switch q.Spec.Strategy {
	case RoundRobin:
		n := len(q.Spec.Members)
		x.turn = uint64((i - last - 1 + n) % n)
	case Ordered:
		x.turn = uint64(i)
	case FewestCalls:
		x.turn = uint64(s.today(a).of(q.Spec.ID).Calls)
	case LeastTalk:
		x.turn = uint64(s.today(a).talk())
	case Random:
		x.turn = draw(s.seed, g.e.Call, a.Spec.ID)
	case WeightedRandom:
		x.turn = lot(draw(s.seed, g.e.Call, a.Spec.ID), q.grade[i].Weight)
	case LongestIdle, RingAll, ProgressiveRing:
	}
	return x
}

// candidates are the free agents who may ring for the caller, the preferred one first.
func (s *step) candidates(g *gate, last int) []*Agent {
	var list []standing
	for _, a := range g.q.free {
		if g.admits(a) {
			list = append(list, s.standing(g, a, last))
		}
	}
	if !g.plain() {
		slices.SortFunc(list, standing.compare)
	}
	agents := make([]*Agent, len(list))
	for i, x := range list {
		agents[i] = x.agent
	}
	return agents
}

// best is the preferred one of the free agents who may ring for the caller and whom ok accepts.
func (s *step) best(g *gate, last int, ok func(*Agent) bool) *Agent {
	plain := g.plain()
	var first standing
	for _, a := range g.q.free {
		if !ok(a) || !g.admits(a) {
			continue
		}
		if plain {
			return a
		}
		if x := s.standing(g, a, last); first.agent == nil || x.compare(first) < 0 {
			first = x
		}
	}
	return first.agent
}

// draw is a number by chance for this caller and agent: the same seed draws the same number on every
// machine, in whatever order it is asked.
func draw(seed uint64, call tel.CallID, agent tel.AgentID) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	mix := func(b byte) { h = (h ^ uint64(b)) * 1099511628211 }
	for k := range 8 {
		mix(byte(seed >> (8 * k)))
	}
	for i := range len(call) {
		mix(call[i])
	}
	mix(0)
	for i := range len(agent) {
		mix(agent[i])
	}
	h ^= h >> 30 // and the finish of SplitMix64, for FNV leaves the high bits poor
	h *= 0xbf58476d1ce4e5b9
	h ^= h >> 27
	h *= 0x94d049bb133111eb
	return h ^ h>>31
}

// lot turns a drawn number into a waiting time of exponential law with the weight as its rate: among
// several, the least belongs to each with the probability of its share of the weights. Whole numbers
// only, so that every machine draws the same.
func lot(drawn uint64, weight int) uint64 {
	// -log2 of the drawn fraction, in units of 2^-48.
	drawn |= 1
	zeros := bits.LeadingZeros64(drawn)
	whole, x := uint64(zeros)+1, drawn<<zeros // x is in [1,2) in units of 2^-63
	var fraction uint64
	for range 48 {
		high, low := bits.Mul64(x, x) // in units of 2^-126
		x, fraction = high<<1|low>>63, fraction<<1
		if high>>63 == 1 { // the square is 2 or more
			x, fraction = high, fraction|1
		}
	}
	return (whole<<48 - fraction) / uint64(max(1, weight))
}
