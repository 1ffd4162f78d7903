package forecast

import (
	"cmp"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Forecast is what one caller has still to wait, counted from the picture: eight of ten waits end
// between Low and High, half of them before Median.
type Forecast struct {
	Call tel.CallID
	// Known is false when it is better to say nothing: too little was learned, or nobody is there who
	// could take the caller. The rest is zero then.
	Known             bool
	Low, Median, High time.Duration
}

// Longest is the longest wait that is told apart; a High of Longest has no upper end.
const Longest = 2 * time.Hour

// Replications of the simulation. Their noise at the ends of the interval is learned by calibration as
// any other error, so more of them narrow the interval by little.
const (
	replications     = 100
	manyWaiting      = 300
	replicationsMany = 60
)

// What to believe, in seconds, before anything was learned.
const (
	meanTalk     = 240
	meanWrap     = 30
	meanRing     = 6
	meanPatience = 900
	meanPause    = 600
	meanLate     = 300
)

// Forecast tells how long everybody in the picture has still to wait, in the picture's order. All
// share one set of replications, so a whole queue costs what its last caller costs. It remembers what
// it said, once a minute for each caller, and compares when the wait ends.
func (l *Learner) Forecast(p Picture) []Forecast {
	l.pass(p.At)
	l.recall(p)
	out := make([]Forecast, len(p.Waiting))
	for i := range out {
		out[i].Call = p.Waiting[i].Call
	}
	if len(p.Waiting) == 0 || l.memory.All.Talk.N < enoughToGo {
		return out
	}
	l.memory.Rounds++
	rng := rand.New(rand.NewPCG(l.memory.Seed, l.memory.Rounds))
	w, order := l.world(p)
	waits := w.waits(rng)
	var corrections [len(regimes)]*correction
	for i, at := range order {
		if !w.reachable(w.waiting[i].class) {
			continue
		}
		slices.Sort(waits[i])
		q := newRaw(waits[i], l.levels)
		if q.median() >= 0.99*horizon {
			continue
		}
		k := regimeOf(q.median())
		if corrections[k] == nil {
			c := l.memory.Calibration.correction(k, l.presumed)
			corrections[k] = &c
		}
		low, median, high := corrections[k].apply(&q)
		low, median, high = min(low, horizon), min(median, horizon), min(high, horizon)
		f := &out[at]
		f.Known = true
		f.Low, f.Median, f.High = seconds(low), seconds(median), seconds(high)
		l.note(p.At, &p.Waiting[at], q, low, high)
	}
	return out
}

// recall takes from the picture what ghosts need: who serves whom, and who waits. Whoever is not in it
// has left, even if no event said so.
func (l *Learner) recall(p Picture) {
	clear(l.targets)
	for _, q := range p.Queues {
		l.targets[q.ID] = q.Target
	}
	clear(l.roster)
	for _, a := range p.Agents {
		l.roster[a.ID] = a
	}
	waits := make(map[tel.CallID]bool, len(p.Waiting))
	for _, c := range p.Waiting {
		waits[c.Call] = true
	}
	for _, s := range slices.Clone(l.line) {
		if waits[s.call] != s.gone.IsZero() {
			l.remove(s)
		}
	}
	for _, c := range p.Waiting {
		s := l.standing[c.Call]
		if s == nil {
			s = &standing{call: c.Call, queue: c.Queue, priority: c.Priority, since: c.Since}
			l.stand(s)
		}
		s.needs = c.Needs
	}
}

func (l *Learner) note(at time.Time, c *Caller, q raw, low, high float64) {
	s := l.standing[c.Call]
	if s == nil || len(s.notes) >= maxNotes || (len(s.notes) > 0 && at.Sub(s.notes[len(s.notes)-1].at) < noteEvery) {
		return
	}
	s.notes = append(s.notes, note{at: at, raw: q, low: low, high: high})
}

// waits replicates the future; [i] are the waits of waiting[i] in seconds, in no order.
func (w *world) waits(rng *rand.Rand) [][]float64 {
	n := replications
	if len(w.waiting) > manyWaiting {
		n = replicationsMany
	}
	all := make([]float64, n*len(w.waiting))
	waits := make([][]float64, len(w.waiting))
	for i := range waits {
		waits[i] = all[i*n : (i+1)*n]
	}
	r := newRun(w, rng, horizon)
	r.strata.shuffle(len(w.bots)+len(w.waiting), n, rng)
	for k := range n {
		r.strata.round = k
		r.replicate(false)
		for i := range waits {
			if t := r.line[i].served; t >= 0 {
				waits[i][k] = min(t, horizon)
			} else {
				waits[i][k] = horizon
			}
		}
	}
	return waits
}

func seconds(x float64) time.Duration { return time.Duration(math.Round(x * float64(time.Second))) }

// classKey names a class of callers.
type classKey struct {
	queue    tel.QueueID
	priority int
	needs    string
}

func needsKey(needs []Need) string {
	var b strings.Builder
	for _, n := range needs {
		b.WriteString(strconv.Quote(n.Skill))
		b.WriteString(strconv.Itoa(n.Level))
		b.WriteByte('/')
		b.WriteString(strconv.FormatInt(int64(n.Relax), 10))
	}
	return b.String()
}

// sketch is a world that is being built.
type sketch struct {
	*world
	l       *Learner
	p       Picture
	calls   map[tel.QueueID]*calls
	classOf map[classKey]int32
	needs   [][]Need      // [class]
	queue   []tel.QueueID // [class]
	slow    []float64     // [agent], of slowly
	asked   int           // classes of those who wait
	pause   *curve        // how long pauses last for whatever reason
	reasons map[string]*curve
}

// world makes the picture ready; order[i] is the place of waiting[i] in p.Waiting.
func (l *Learner) world(p Picture) (w *world, order []int) {
	m := &l.memory
	w = &world{grid: l.grid}
	s := &sketch{world: w, l: l, p: p, calls: map[tel.QueueID]*calls{}, classOf: map[classKey]int32{}, pause: m.Pause.curve(l.grid, meanPause), reasons: map[string]*curve{}}
	w.habits = &habits{
		pauseRate: m.Pauses.rate(p.At), leaveRate: m.LogOuts.rate(p.At), loginRate: m.LogIns.rate(p.At),
		pause: m.ShortPause.curve(l.grid, meanPause), late: m.Late.curve(l.grid, meanLate), elsewhere: m.Unreachable.curve(l.grid, meanPause),
	}
	order = make([]int, len(p.Waiting))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := &p.Waiting[a], &p.Waiting[b]
		return cmp.Or(cmp.Compare(y.Priority, x.Priority),
			turn(x.Since, l.targets[x.Queue]).Compare(turn(y.Since, l.targets[y.Queue])),
			strings.Compare(string(x.Call), string(y.Call)))
	})
	place := map[tel.CallID]int32{}
	for i, at := range order {
		c := &p.Waiting[at]
		k := s.class(classKey{c.Queue, c.Priority, needsKey(c.Needs)}, c.Needs)
		since := min(0, c.Since.Sub(p.At).Seconds())
		w.classes[k].line = append(w.classes[k].line, int32(i))
		w.waiting = append(w.waiting, waiter{class: k, callback: c.Callback, since: since, turn: since + w.classes[k].target})
		place[c.Call] = int32(i)
	}
	s.asked = len(w.classes)
	s.slowly()
	for _, id := range slices.Sorted(maps.Keys(m.Queues)) {
		for _, priority := range slices.Sorted(maps.Keys(m.Queues[id].Arrivals)) {
			s.newcomers(id, priority)
		}
	}
	for i := range p.Agents {
		s.bot(&p.Agents[i], place)
	}
	return w, order
}

// class returns the index of a class, which it makes if need be.
func (s *sketch) class(key classKey, needs []Need) int32 {
	if k, ok := s.classOf[key]; ok {
		return k
	}
	k := int32(len(s.classes))
	s.classOf[key] = k
	s.classes = append(s.classes, class{calls: s.callsOf(key.queue), priority: key.priority, target: max(0, s.l.targets[key.queue].Seconds())})
	s.needs = append(s.needs, needs)
	s.queue = append(s.queue, key.queue)
	return k
}

// newcomers lets callers arrive who may be served before somebody who waits. All others come too late
// to matter and would only cost time.
func (s *sketch) newcomers(id tel.QueueID, priority int) {
	rate := s.l.memory.Queues[id].Arrivals[priority].rate(s.p.At)
	target := max(0, s.l.targets[id].Seconds())
	overtakes := slices.ContainsFunc(s.classes[:s.asked], func(c class) bool {
		return priority > c.priority || (priority == c.priority && target < c.target)
	})
	for i := 0; i < len(s.p.Agents) && !overtakes; i++ {
		overtakes = s.p.Agents[i].opens(id, nil) < s.slow[i]
	}
	if rate > 0 && overtakes {
		s.classes[s.class(classKey{id, priority, ""}, nil)].rate = rate
	}
}

// slowly finds, for each agent, the longest of the times that somebody must have waited before the
// agent may take the call; 0 when nobody must.
func (s *sketch) slowly() {
	s.slow = make([]float64, len(s.p.Agents))
	for i := range s.p.Agents {
		for k, queue := range s.queue {
			if o := s.p.Agents[i].opens(queue, s.needs[k]); o < never {
				s.slow[i] = max(s.slow[i], o)
			}
		}
	}
}

// callsOf returns what is known of the calls of a queue; "" are those that came from no queue.
func (s *sketch) callsOf(id tel.QueueID) *calls {
	if c := s.calls[id]; c != nil {
		return c
	}
	m, g := &s.l.memory, s.grid
	c := &calls{index: len(s.habits.calls)}
	s.calls[id] = c
	s.habits.calls = append(s.habits.calls, c)
	q := m.Queues[id]
	if q == nil {
		q = &queueMemory{}
	}
	curve := func(own, all *lifetable, mean float64) *curve {
		t := own.with(all, tableLean)
		return t.curve(g, mean)
	}
	c.talk = curve(&q.Talk, &m.All.Talk, meanTalk)
	c.wrap = curve(&q.Wrap, &m.All.Wrap, meanWrap)
	c.ring = curve(&q.Ring, &m.All.Ring, meanRing)
	c.patience = curve(&q.Patience, &m.All.Patience, meanPatience)
	if id == "" {
		c.talk = m.Outside.curve(g, meanTalk)
		return c
	}
	c.level, c.levelError = q.level(s.p.At)
	c.wrapShare = share(q.Wrapped, q.Calls, share(m.All.Wrapped, m.All.Calls, 0.5))
	return c
}

// share is a proportion that leans on a presumption until ten were seen.
func share(part, whole, presumed float64) float64 {
	return min(1, (part+2*presumed)/(whole+2))
}

// bot enters an agent, unless nobody in the picture concerns it.
func (s *sketch) bot(a *Agent, place map[tel.CallID]int32) {
	b := bot{state: a.State, caller: -1, until: -1, leaves: a.Leaves || a.Pauses, pauses: a.Pauses && !a.Leaves}
	opens := make([]float64, len(s.classes))
	for k := range opens {
		if opens[k] = a.opens(s.queue[k], s.needs[k]); opens[k] < never {
			b.serves = append(b.serves, int32(k))
		}
	}
	at, rings := place[a.Call]
	if rings = rings && a.State == tel.AgentRinging; rings {
		b.caller = at
	}
	if len(b.serves) == 0 && !rings {
		return
	}
	m := &s.l.memory
	b.elapsed = max(0, s.p.At.Sub(a.Since).Seconds())
	if !a.Until.IsZero() {
		b.until = max(0, a.Until.Sub(s.p.At).Seconds())
	}
	b.calls = s.callsOf(a.Queue)
	if a.State == tel.AgentInternal {
		b.calls = s.callsOf("")
	}
	b.speed = math.Exp(m.Agents[a.ID].pace())
	b.reason = s.pause
	if a.State == tel.AgentPaused || b.pauses {
		b.reason = s.reason(a.Reason)
	}
	if known := m.Agents[a.ID]; known != nil {
		b.ends = known.ends(s.p.At, a.State == tel.AgentLoggedOut)
		b.breaks = known.breaks(s.p.At)
		if usual, ok := known.usualIn(s.p.At); ok && a.State == tel.AgentLoggedOut {
			b.due, b.expected = usual-s.p.At.Sub(midnight(s.p.At)).Seconds(), true
		}
	}
	if !a.ShiftEnd.IsZero() {
		b.ends = []float64{a.ShiftEnd.Sub(s.p.At).Seconds()}
	}
	s.bots = append(s.bots, b)
	s.opens = append(s.opens, opens)
}

// reason is how long pauses with the reason last.
func (s *sketch) reason(name string) *curve {
	t := s.l.memory.Reasons[name]
	if t == nil {
		return s.pause
	}
	c := s.reasons[name]
	if c == nil {
		t := t.with(&s.l.memory.Pause, 5)
		c = t.curve(s.grid, meanPause)
		s.reasons[name] = c
	}
	return c
}

// reachable says that somebody is there who takes callers of the class.
func (w *world) reachable(k int32) bool {
	for i := range w.bots {
		b := &w.bots[i]
		if w.opens[i][k] < never && b.state != tel.AgentLoggedOut && b.state != tel.AgentUnreachable && (!b.leaves || b.pauses) {
			return true
		}
	}
	return false
}
