package forecast_test

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/forecast"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// caller is one call of a day.
type caller struct {
	id       tel.CallID
	trade    int
	priority int
	english  int
	at       float64
	patience float64
	waiting  bool
	ghost    bool
	ringing  int  // person, or -1
	imagined bool // of a day that is only imagined: it waited when the fork was made
	notes    []*prediction
	noted    float64
}

// worker is a person during a day.
type worker struct {
	*person
	state  tel.AgentState
	since  float64
	until  float64 // of a fixed wrap-up
	call   *caller
	trade  int
	reason string
	stamp  int
	want   []absence // to take as soon as no call holds the worker
	came   float64   // when the shift began today; 0: not yet
	late   bool
	gone   bool
}

type absence struct {
	reason string
	length float64
}

// happening is an entry of the day's agenda.
type happening struct {
	at  float64
	seq int
	do  func()
}

type agenda []happening

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(happening)) }
func (a *agenda) Pop() any {
	x := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return x
}

// day is one day of an office as it unfolds.
type day struct {
	*office
	r       *rand.Rand
	start   time.Time
	now     float64
	seq     int
	todo    agenda
	crew    []*worker
	line    []*caller // waiting and ghosts, in order of service
	factor  []float64 // how much longer than usual calls are today, by trade
	volume  float64
	bursts  [][3]float64 // from, to, factor
	learner *forecast.Learner
	judge   *judge
	calls   int
	served  func(c *caller, at float64) // of a day that is only imagined
}

// observe lets the learner, if any, know.
func (d *day) observe(e tel.Event) {
	if d.learner != nil {
		d.learner.Observe(d.time(), e)
	}
}

// end is when an agent answered the caller, or would have.
func (d *day) end(c *caller, at float64) {
	if d.judge != nil {
		d.judge.end(c, at)
	}
	if d.served != nil {
		d.served(c, at)
	}
}

func (d *day) time() time.Time { return d.start.Add(time.Duration(d.now * float64(time.Second))) }

func (d *day) in(delay float64, do func()) { d.at(d.now+delay, do) }

func (d *day) at(at float64, do func()) {
	d.seq++
	heap.Push(&d.todo, happening{max(at, d.now), d.seq, do})
}

const (
	opening = 8 * 3600.0
	closing = 17.5 * 3600.0
)

// run plays a day. The learner sees its events; j, if any, asks for forecasts and judges them.
func (o *office) run(r *rand.Rand, date time.Time, l *forecast.Learner, j *judge) {
	d := &day{office: o, r: r, start: date, learner: l, judge: j, volume: logNormal(r, 1, 0.1)}
	for range o.trades {
		d.factor = append(d.factor, logNormal(r, 1, 0.12))
	}
	for range 1 + r.IntN(3) {
		from := between(r, opening, closing-1800)
		d.bursts = append(d.bursts, [3]float64{from, from + between(r, 600, 1800), between(r, 1.6, 2.8)})
	}
	for i := range o.people {
		d.enlist(&o.people[i])
	}
	for i := range o.trades {
		d.nextCaller(i, opening)
	}
	d.at(opening, d.tick)
	d.play(func() bool { return false })
	if j != nil {
		for _, c := range d.line { // whoever could have taken them went home
			j.end(c, math.Inf(1))
		}
		j.closeDay()
	}
}

// play lets happen what is to happen, to the end of the day or until stop.
func (d *day) play(stop func() bool) {
	for len(d.todo) > 0 && !stop() {
		h := heap.Pop(&d.todo).(happening)
		d.now = h.at
		h.do()
	}
}

// enlist plans a person's day.
func (d *day) enlist(p *person) {
	w := &worker{person: p, trade: -1}
	d.crew = append(d.crew, w)
	d.tell(w)
	if !p.anchor && d.r.Float64() < 0.05 {
		return // ill today
	}
	start := p.start
	if d.r.Float64() < 0.25 {
		start += d.r.ExpFloat64() * 700
	}
	d.at(start, func() { d.comes(w) })
	d.plan(w, start)
}

func (d *day) comes(w *worker) {
	w.came, w.since = d.now, d.now
	d.settle(w)
	d.nextBreak(w)
}

// plan enters what is still to come of the lunch and the end of the shift of somebody who comes at start.
func (d *day) plan(w *worker, start float64) {
	if at := max(start, w.lunch) + 1; w.lunch > 0 && at > d.now {
		d.at(at, func() { d.wants(w, absence{"lunch", logNormal(d.r, 2400, 0.15)}) })
	}
	d.at(max(start, w.person.end)+1, func() { w.late = true; d.goHome(w) })
}

func (d *day) nextBreak(w *worker) {
	d.in(d.r.ExpFloat64()*3600/d.breaks, func() {
		if w.gone || w.late {
			return
		}
		a := absence{"break", logNormal(d.r, 330, 0.6)}
		if d.r.Float64() < 0.06 {
			a = absence{"other", between(d.r, 1200, 3600)}
		}
		d.wants(w, a)
		d.nextBreak(w)
	})
}

func (d *day) wants(w *worker, a absence) {
	if w.gone || w.late {
		return
	}
	w.want = append(w.want, a)
	if w.state == tel.AgentReady {
		d.settle(w)
	}
}

// goHome ends a shift as soon as no call holds the worker. The last ones stay until nobody waits.
func (d *day) goHome(w *worker) {
	if w.gone || w.state == tel.AgentRinging || w.state == tel.AgentTalking || w.state == tel.AgentWrapUp {
		return
	}
	if w.anchor && slices.ContainsFunc(d.line, func(c *caller) bool { return c.waiting && d.may(w, c) }) {
		return
	}
	w.gone = true
	d.become(w, tel.AgentLoggedOut)
}

func (d *day) become(w *worker, s tel.AgentState) {
	w.state, w.since = s, d.now
	w.stamp++
	d.tell(w)
}

// tell lets the learner know.
func (d *day) tell(w *worker) {
	e := tel.AgentChanged{Agent: w.id, State: w.state, Since: d.time(), Reason: w.reason}
	if w.call != nil {
		e.Call = w.call.id
	}
	if w.trade >= 0 {
		e.Queue = d.trades[w.trade].id
	}
	d.observe(e)
}

func (d *day) rate(trade int, at float64) float64 {
	h := at / 3600
	shape := 0.55 + 0.6*math.Exp(-sq(h-d.humps[0])/1.8) + 0.5*math.Exp(-sq(h-d.humps[1])/1.8)
	for _, b := range d.bursts {
		if at >= b[0] && at < b[1] {
			shape *= b[2]
		}
	}
	// Offered work: an office has as many callers as its people can bear at ordinary times.
	work, share := 0.0, 0.0
	for _, t := range d.trades {
		work += t.work()
		share += t.load
	}
	people := 0.0
	for _, p := range d.people {
		people += (p.end - p.start) / (10 * 3600)
	}
	return d.volume * shape * d.load * 0.86 * people * d.trades[trade].load / work
}

// work is the mean work that the queue brings, relative to the others.
func (t *trade) work() float64 {
	return t.load * (t.talk*math.Exp(sq(t.spread)/2)*(1+2.4*t.long) + t.wrap + 6)
}

func sq(x float64) float64 { return x * x }

const mostCallers = 0.5 // per second, above every rate of a queue

func (d *day) nextCaller(trade int, after float64) {
	at := after
	for {
		at += d.r.ExpFloat64() / mostCallers
		if at > closing {
			return
		}
		if rate := d.rate(trade, at); rate > mostCallers {
			panic("an office with too many callers")
		} else if d.r.Float64() < rate/mostCallers {
			break
		}
	}
	d.at(at, func() {
		d.arrive(trade)
		d.nextCaller(trade, at)
	})
}

func (d *day) arrive(trade int) {
	priority := 0
	if d.r.Float64() < d.trades[trade].vip {
		priority = 5
	}
	d.enter(trade, priority)
}

// enter lets a caller of the priority wait.
func (d *day) enter(trade, priority int) {
	t := &d.trades[trade]
	d.calls++
	c := &caller{id: tel.CallID(fmt.Sprintf("%s-%05d", d.start.Format("0102"), d.calls)), trade: trade, priority: priority, at: d.now, waiting: true, ringing: -1}
	c.patience = logNormal(d.r, t.patience, 0.9)
	if d.r.Float64() < t.foreign {
		c.english = 1
	}
	d.observe(tel.QueueJoined{Queue: t.id, Call: c.id, At: d.time(), Priority: c.priority})
	i := len(d.line)
	for i > 0 && d.line[i-1].priority < c.priority {
		i--
	}
	d.line = slices.Insert(d.line, i, c)
	d.seek(c)
	if c.ringing < 0 {
		d.in(c.patience, func() { d.hangUp(c) })
		if d.judge != nil {
			d.judge.ask(d)
		}
	} else if d.judge != nil {
		c.noted = math.Inf(1) // served at once: nothing is said
	}
}

// may says that the worker serves the caller.
func (d *day) may(w *worker, c *caller) bool {
	return slices.Contains(w.queues, c.trade) && w.english >= c.english
}

// seek looks for the agent who has been idle longest.
func (d *day) seek(c *caller) {
	var best *worker
	for _, w := range d.crew {
		if w.state == tel.AgentReady && d.may(w, c) && (best == nil || w.since < best.since) {
			best = w
		}
	}
	if best != nil {
		d.offer(best, c)
	}
}

// settle decides what a worker does who has nothing to do.
func (d *day) settle(w *worker) {
	w.call, w.trade, w.reason, w.until = nil, -1, "", 0
	if w.late {
		d.goHome(w)
		if w.gone {
			return
		}
	}
	if len(w.want) > 0 {
		a := w.want[0]
		w.want = w.want[1:]
		d.pause(w, a)
		return
	}
	var next *caller
	var ghosts []*caller
	for _, c := range d.line {
		if c.ringing >= 0 || !d.may(w, c) {
			continue
		}
		if c.waiting {
			next = c
			break
		}
		ghosts = append(ghosts, c)
	}
	for _, g := range ghosts {
		d.leave(g)
		d.end(g, d.now+2+3*d.r.ExpFloat64())
	}
	if next == nil {
		d.become(w, tel.AgentReady)
		return
	}
	d.offer(w, next)
}

func (d *day) pause(w *worker, a absence) {
	w.reason = a.reason
	d.become(w, tel.AgentPaused)
	stamp := w.stamp
	d.in(a.length, func() {
		if w.stamp == stamp {
			d.settle(w)
		}
	})
}

func (d *day) offer(w *worker, c *caller) {
	c.ringing = slices.Index(d.crew, w)
	w.call, w.trade = c, c.trade
	d.become(w, tel.AgentRinging)
	if d.r.Float64() < 0.03 {
		d.misses(w, c, 15)
		return
	}
	d.in(2+3*d.r.ExpFloat64(), func() {
		if w.call == c && c.waiting && w.state == tel.AgentRinging {
			d.answer(w, c)
		}
	})
}

// misses takes the offer back after a while; the worker takes a rest.
func (d *day) misses(w *worker, c *caller, after float64) {
	d.in(after, func() {
		if w.call != c || !c.waiting {
			return
		}
		c.ringing = -1
		d.seek(c)
		w.want = append([]absence{{"missed", logNormal(d.r, 200, 0.5)}}, w.want...)
		d.settle(w)
	})
}

func (d *day) leave(c *caller) {
	d.line = slices.DeleteFunc(d.line, func(o *caller) bool { return o == c })
}

func (d *day) answer(w *worker, c *caller) {
	t := &d.trades[c.trade]
	c.waiting = false
	d.leave(c)
	d.observe(tel.QueueLeft{Queue: t.id, Call: c.id, Joined: d.start.Add(time.Duration(c.at * 1e9)), Left: d.time(), Outcome: tel.OutcomeAnswered, Agent: w.id})
	if d.judge != nil {
		d.judge.answered(c.trade, d.now-c.at)
	}
	d.end(c, d.now)
	d.become(w, tel.AgentTalking)
	x := logNormal(d.r, t.talk, t.spread)
	if d.r.Float64() < t.long {
		x = logNormal(d.r, 3*t.talk, t.spread+0.2)
	}
	d.in(min(x*w.pace*d.factor[c.trade], 3*3600), func() { d.wrapUp(w, t) })
}

func (d *day) wrapUp(w *worker, t *trade) {
	x := t.wrap
	if x == 0 {
		d.settle(w)
		return
	}
	w.call = nil
	if t.fixedWrap {
		w.until = d.now + x
	} else {
		x = logNormal(d.r, x, 0.6)
	}
	d.become(w, tel.AgentWrapUp)
	d.in(x, func() { d.settle(w) })
}

func (d *day) hangUp(c *caller) {
	if !c.waiting {
		return
	}
	c.waiting, c.ghost = false, true
	d.observe(tel.QueueLeft{Queue: d.trades[c.trade].id, Call: c.id, Left: d.time(), Outcome: tel.OutcomeAbandoned})
	if c.ringing < 0 {
		return
	}
	w := d.crew[c.ringing] // it would have answered in a moment
	d.leave(c)
	d.end(c, d.now+3*d.r.ExpFloat64())
	d.settle(w)
}

// tick lets forecasts be made for those who wait long, and sends the last ones home.
func (d *day) tick() {
	if d.judge != nil {
		d.judge.ask(d)
	}
	for _, w := range d.crew {
		if w.late && w.state == tel.AgentReady {
			d.goHome(w)
		}
	}
	if d.now < 22*3600 {
		d.in(60, d.tick)
	}
}

// picture is the office as a predictor may see it.
func (d *day) picture() forecast.Picture {
	p := forecast.Picture{At: d.time()}
	clock := func(x float64) time.Time { return d.start.Add(time.Duration(x * float64(time.Second))) }
	for _, t := range d.trades {
		p.Queues = append(p.Queues, forecast.Queue{ID: t.id})
	}
	for _, w := range d.crew {
		a := forecast.Agent{ID: w.id, State: w.state, Since: clock(w.since), Reason: w.reason, Skills: map[string]int{"english": w.english}}
		if w.call != nil {
			a.Call = w.call.id
		}
		if w.trade >= 0 {
			a.Queue = d.trades[w.trade].id
		}
		if w.until > 0 {
			a.Until = clock(w.until)
		}
		if works := w.state == tel.AgentRinging || w.state == tel.AgentTalking || w.state == tel.AgentWrapUp; works && w.tells {
			if a.Leaves = w.late && !w.anchor; !a.Leaves && len(w.want) > 0 {
				a.Pauses, a.Reason = true, w.want[0].reason
			}
		}
		if w.known {
			a.ShiftEnd = clock(w.end)
		}
		for _, q := range w.queues {
			a.Serves = append(a.Serves, forecast.Serving{Queue: d.trades[q].id})
		}
		p.Agents = append(p.Agents, a)
	}
	for _, c := range d.line {
		if !c.waiting {
			continue
		}
		k := forecast.Caller{Call: c.id, Queue: d.trades[c.trade].id, Priority: c.priority, Since: clock(c.at)}
		if c.english > 0 {
			k.Needs = []forecast.Need{{Skill: "english", Level: c.english}}
		}
		p.Waiting = append(p.Waiting, k)
	}
	return p
}
