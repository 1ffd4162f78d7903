package forecast

import (
	"math"
	"math/rand/v2"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// horizon is where a replication ends: nobody is told of a longer wait than two hours.
const horizon = 7200.0

// world is a picture made ready for simulation. All times are seconds from the picture on; what lies
// before it is negative. It is only read while it runs.
type world struct {
	bots    []bot
	classes []class
	opens   [][]float64 // [bot][class]: after how much waiting; never
	waiting []waiter    // who waits, in order of service
	habits  *habits
	grid    *grid
}

// class is a kind of callers who are served in the order of their turn.
type class struct {
	calls    *calls
	priority int
	target   float64
	rate     float64 // of new callers per second; 0 where they can pass nobody who waits
	line     []int32 // who waits, in order
}

// calls is what is known of the calls of one queue.
type calls struct {
	index      int // of its level
	talk       *curve
	wrap       *curve
	ring       *curve
	patience   *curve
	wrapShare  float64 // of the calls that are followed by a wrap-up
	level      float64 // logarithm: how much longer than usual the calls are today
	levelError float64 // standard deviation of level
}

// habits is what is known of absence.
type habits struct {
	pauseRate float64  // pauses per second of presence
	leaveRate float64  // log-outs per second of presence
	loginRate float64  // log-ins per second of absence
	pause     *curve   // how long a short pause lasts
	late      *curve   // how much later than usual people come
	calls     []*calls // by index
	elsewhere *curve   // unreachable
}

// bot is an agent in the simulation.
type bot struct {
	state    tel.AgentState
	elapsed  float64 // in the state
	until    float64 // planned end of the state; negative: not known
	calls    *calls  // of the call or the wrap-up
	caller   int32   // index in waiting of the one it rings for, or -1
	reason   *curve  // of the pause, or of the one to come
	leaves   bool
	pauses   bool // leaves to a pause
	speed    float64
	ends     []float64   // when the shift may end, each as likely as the others; none: not known
	breaks   []longBreak // likewise
	due      float64     // when it usually logs in; negative: should be here
	expected bool        // due is known
	serves   []int32     // classes
}

// waiter is one caller in the simulation.
type waiter struct {
	class    int32
	callback bool
	since    float64
	turn     float64
	giveUp   float64 // when patience ends
	served   float64 // when an agent answered, or would have; negative: not yet
}

// alarm is what happens next to a bot, or (negative) the next caller of a class.
type alarm struct {
	at    float64
	who   int32
	stamp uint32
}

// run is one replication. It is used again and again: a replication allocates nothing.
type run struct {
	*world
	rng    *rand.Rand
	line   []waiter
	order  [][]int32 // [class]: indexes of line
	head   []int32   // [class]: the first of order who may still wait
	alarms []alarm
	idle   []int32 // longest idle first
	stamp  []uint32
	level  []float64
	home   []float64   // [bot]: end of the shift
	lunch  []longBreak // [bot]: the long pause to come
	end    float64
	left   int // callers of the picture who still wait
	strata strata
}

func newRun(w *world, rng *rand.Rand, end float64) *run {
	return &run{
		world: w, rng: rng, end: end,
		order: make([][]int32, len(w.classes)), head: make([]int32, len(w.classes)),
		stamp: make([]uint32, len(w.bots)), level: make([]float64, len(w.habits.calls)),
		home: make([]float64, len(w.bots)), lunch: make([]longBreak, len(w.bots)),
	}
}

// replicate plays the future once, until everybody in the picture has been served or, with all, until
// the end. The results are in line.
//
// A caller whose patience ends stays in line as a ghost: the first agent who would have taken it
// marks it as served and stays free. So every caller gets the wait of somebody who does not hang up,
// and hinders the others only as long as they expect.
func (r *run) replicate(all bool) {
	r.reset()
	for len(r.alarms) > 0 && (all || r.left > 0) {
		a := r.pop()
		if a.at > r.end {
			return
		}
		switch {
		case a.who < 0:
			r.arrive(-1-a.who, a.at)
		case a.stamp == r.stamp[a.who]:
			r.free(a.who, a.at)
		}
	}
}

func (r *run) reset() {
	r.alarms, r.idle = r.alarms[:0], r.idle[:0]
	r.line = append(r.line[:0], r.waiting...)
	r.left = len(r.line)
	for i := range r.line {
		w := &r.line[i]
		w.served = -1
		w.giveUp = never
		if !w.callback {
			w.giveUp = r.classes[w.class].calls.patience.restAt(r.grid, -w.since, r.strata.exp(len(r.bots)+i, r.rng))
		}
	}
	// An error of the level is common to all calls of a queue: it does not average out.
	for i, c := range r.habits.calls {
		r.level[i] = math.Exp(c.level + c.levelError*r.rng.NormFloat64())
	}
	for i := range r.classes {
		c := &r.classes[i]
		r.order[i] = append(r.order[i][:0], c.line...)
		r.head[i] = 0
		if c.rate > 0 {
			r.push(alarm{at: r.rng.ExpFloat64() / c.rate, who: int32(-1 - i)})
		}
	}
	for i := range r.bots {
		b := &r.bots[i]
		r.home[i], r.lunch[i] = never, longBreak{at: never}
		if n := len(b.ends); n > 0 {
			r.home[i] = b.ends[r.rng.IntN(n)]
		}
		if n := len(b.breaks); n > 0 {
			r.lunch[i] = b.breaks[r.rng.IntN(n)]
		}
		if b.state == tel.AgentRinging && b.caller >= 0 {
			continue
		}
		if at := r.first(int32(i)); at < never {
			r.push(alarm{at: at, who: int32(i), stamp: r.stamp[i]})
		}
	}
	r.answer()
}

// first draws when the bot will be free.
func (r *run) first(i int32) float64 {
	t, b := 0.0, &r.bots[i]
	switch b.state {
	case tel.AgentReady:
		return max(0, b.until)
	case tel.AgentRinging:
		t = b.calls.ring.rest(r.grid, b.elapsed, r.rng) + r.handle(b, b.calls)
	case tel.AgentTalking, tel.AgentInternal:
		f := r.factor(b, b.calls)
		t = f*b.calls.talk.restAt(r.grid, b.elapsed/f, r.strata.exp(int(i), r.rng)) + r.wrapUp(b.calls)
	case tel.AgentWrapUp:
		t = b.calls.wrap.restAt(r.grid, b.elapsed, r.strata.exp(int(i), r.rng))
		if b.until >= 0 {
			t = min(t, b.until)
		}
	case tel.AgentPaused:
		return b.reason.restAt(r.grid, b.elapsed, r.strata.exp(int(i), r.rng))
	case tel.AgentUnreachable:
		return r.habits.elsewhere.rest(r.grid, b.elapsed, r.rng)
	default:
		if b.expected && b.due > 0 {
			return b.due + r.habits.late.draw(r.grid, r.rng)
		}
		if b.expected {
			return r.habits.late.rest(r.grid, -b.due, r.rng)
		}
		if r.habits.loginRate <= 0 {
			return never
		}
		return r.rng.ExpFloat64() / r.habits.loginRate
	}
	if b.leaves {
		if !b.pauses {
			return never
		}
		return t + b.reason.draw(r.grid, r.rng)
	}
	return r.away(i, t, t)
}

// answer lets the bots that ring for somebody pick up: the first one gets the call.
func (r *run) answer() {
	for i := range r.bots {
		b := &r.bots[i]
		if b.state != tel.AgentRinging || b.caller < 0 {
			continue
		}
		w, t := &r.line[b.caller], b.calls.ring.rest(r.grid, b.elapsed, r.rng)
		if w.served >= 0 && w.served <= t {
			r.push(alarm{at: w.served, who: int32(i), stamp: r.stamp[i]})
			continue
		}
		if w.served < 0 {
			r.left--
		}
		w.served = t // a colleague drawn earlier keeps its own end of a call: a small excess of work
		r.push(alarm{at: r.away(int32(i), t+r.handle(b, b.calls), t), who: int32(i), stamp: r.stamp[i]})
	}
}

// factor is how much longer than usual the bot talks with callers of the queue.
func (r *run) factor(b *bot, c *calls) float64 { return b.speed * r.level[c.index] }

// handle draws talk and wrap-up.
func (r *run) handle(b *bot, c *calls) float64 {
	return r.factor(b, c)*c.talk.draw(r.grid, r.rng) + r.wrapUp(c)
}

func (r *run) wrapUp(c *calls) float64 {
	if c.wrapShare <= 0 || (c.wrapShare < 1 && r.rng.Float64() >= c.wrapShare) {
		return 0
	}
	return c.wrap.draw(r.grid, r.rng)
}

// away is when a bot that has finished at t, after lasted seconds of work, takes the next caller.
func (r *run) away(i int32, t, lasted float64) float64 {
	if t >= r.home[i] {
		return never
	}
	if l := &r.lunch[i]; t >= l.at {
		l.at = never
		return t + l.length
	}
	h := r.habits
	u := r.rng.Float64() * (1 + (h.pauseRate+h.leaveRate)*lasted) // 1 - exp(-x) ~ x / (1 + x)
	if u -= h.pauseRate * lasted; u < 0 {
		return t + h.pause.draw(r.grid, r.rng)
	}
	if u < h.leaveRate*lasted && len(r.bots[i].ends) == 0 {
		return never
	}
	return t
}

// free gives the bot, which is free at t, the first caller whom it may take.
func (r *run) free(i int32, t float64) {
	b := &r.bots[i]
	if t >= r.home[i] {
		r.unlist(i)
		return
	}
	for {
		best, wake := int32(-1), never
		for _, k := range b.serves {
			c := r.front(k)
			if c < 0 {
				continue
			}
			if at := r.line[c].since + r.opens[i][k]; at > t {
				wake = min(wake, at)
			} else if best < 0 || r.before(c, best) {
				best = c
			}
		}
		if best < 0 {
			r.rests(i, t, wake)
			return
		}
		if r.serve(best, i, t) {
			r.unlist(i)
			return
		}
	}
}

// front is the first of the class who still waits, or -1.
func (r *run) front(k int32) int32 {
	o := r.order[k]
	h := r.head[k]
	for h < int32(len(o)) && r.line[o[h]].served >= 0 {
		h++
	}
	r.head[k] = h
	if h == int32(len(o)) {
		return -1
	}
	return o[h]
}

// before says that a is served before b.
func (r *run) before(a, b int32) bool {
	x, y := &r.line[a], &r.line[b]
	if p, q := r.classes[x.class].priority, r.classes[y.class].priority; p != q {
		return p > q
	}
	if x.turn != y.turn {
		return x.turn < y.turn
	}
	return a < b
}

// serve lets the bot ring for the caller; false when that is only a ghost.
func (r *run) serve(c, i int32, t float64) bool {
	w := &r.line[c]
	k := r.classes[w.class].calls
	answered := t + k.ring.draw(r.grid, r.rng)
	w.served = answered
	if int(c) < len(r.waiting) {
		r.left--
	}
	if w.giveUp <= t {
		return false
	}
	b := &r.bots[i]
	end := answered + r.handle(b, k)
	r.stamp[i]++
	if end = r.away(i, end, end-t); end < never {
		r.push(alarm{at: end, who: i, stamp: r.stamp[i]})
	}
	return true
}

// rests makes the bot idle, until a caller has waited long enough to be allowed to it.
func (r *run) rests(i int32, t, wake float64) {
	listed := false
	for _, j := range r.idle {
		listed = listed || j == i
	}
	if !listed {
		r.idle = append(r.idle, i)
	}
	if wake < never {
		r.push(alarm{at: max(wake, t), who: i, stamp: r.stamp[i]})
	}
}

func (r *run) unlist(i int32) {
	for n, j := range r.idle {
		if j == i {
			r.idle = append(r.idle[:n], r.idle[n+1:]...)
			return
		}
	}
}

// arrive adds a new caller of the class and draws the next one.
func (r *run) arrive(k int32, t float64) {
	c := &r.classes[k]
	r.push(alarm{at: t + r.rng.ExpFloat64()/c.rate, who: -1 - k})
	at := int32(len(r.line))
	r.line = append(r.line, waiter{class: k, since: t, turn: t + c.target, served: -1, giveUp: t + c.calls.patience.draw(r.grid, r.rng)})
	for _, i := range r.idle {
		if r.opens[i][k] <= 0 && t < r.home[i] {
			r.serve(at, i, t)
			r.unlist(i)
			return
		}
	}
	r.order[k] = append(r.order[k], at)
	for _, i := range r.idle {
		if o := r.opens[i][k]; o < never {
			r.push(alarm{at: t + o, who: i, stamp: r.stamp[i]})
		}
	}
}

// push and pop keep alarms as a binary heap.
func (r *run) push(a alarm) {
	h := append(r.alarms, a)
	i := len(h) - 1
	for i > 0 {
		p := (i - 1) / 2
		if h[p].at <= a.at {
			break
		}
		h[i] = h[p]
		i = p
	}
	h[i] = a
	r.alarms = h
}

func (r *run) pop() alarm {
	h := r.alarms
	top, a := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	for i := 0; len(h) > 0; {
		c := 2*i + 1
		if c < len(h)-1 && h[c+1].at < h[c].at {
			c++
		}
		if c >= len(h) || h[c].at >= a.at {
			h[i] = a
			break
		}
		h[i] = h[c]
		i = c
	}
	r.alarms = h
	return top
}
