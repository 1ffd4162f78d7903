package forecast

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Learner learns from what happens in the office and forecasts waits. It belongs to one goroutine.
type Learner struct {
	memory memory

	now      time.Time
	agents   map[tel.AgentID]*watched
	roster   map[tel.AgentID]Agent // of the last picture
	targets  map[tel.QueueID]time.Duration
	line     []*standing // in order of service, ghosts included
	standing map[tel.CallID]*standing

	grid     *grid
	presumed *[scores]float64
	levels   *[rawPoints]float64
}

// watched is what an agent is doing, as far as events told.
type watched struct {
	state  tel.AgentState
	since  time.Time
	risk   time.Time // until where the time was counted
	call   tel.CallID
	queue  tel.QueueID
	reason string
}

// standing is a caller who waits, or the ghost of one who left: it stands where the caller stood until
// an agent would have taken it, which is how long the caller would have waited. So predictions for
// those who hang up are judged like all others; judging only by those who stayed would make short
// waits look more frequent than they are.
type standing struct {
	call     tel.CallID
	queue    tel.QueueID
	priority int
	needs    []Need
	since    time.Time
	turn     time.Time
	gone     time.Time // when it became a ghost; zero: it waits
	notes    []note
}

// note is a forecast that waits for the truth.
type note struct {
	at        time.Time
	raw       raw
	low, high float64
}

const (
	noteEvery = time.Minute   // forecasts for one caller that calibration looks at
	maxNotes  = 30            // of one caller
	ghostFor  = 2 * time.Hour // then nobody knows how long the wait would have been
	maxLine   = 20000
)

// NewLearner returns a learner that knows nothing. Equal seeds and equal inputs give equal forecasts.
func NewLearner(seed uint64) *Learner {
	return newLearner(memory{V: version, Seed: seed})
}

func newLearner(m memory) *Learner {
	return &Learner{
		memory: m,
		agents: map[tel.AgentID]*watched{}, roster: map[tel.AgentID]Agent{},
		targets: map[tel.QueueID]time.Duration{}, standing: map[tel.CallID]*standing{},
		grid: newGrid(), presumed: newPresumed(), levels: newLevels(),
	}
}

// Observe learns from an event of the queues at a time in the zone of the office: AgentChanged,
// QueueJoined and QueueLeft; others do not matter. An event that was seen already does no harm.
func (l *Learner) Observe(now time.Time, e tel.Event) {
	l.pass(now)
	switch e := e.(type) {
	case tel.AgentChanged:
		l.agentChanged(now, e)
	case tel.QueueJoined:
		l.joined(now, e)
	case tel.QueueLeft:
		l.left(now, e)
	}
}

// pass lets time go by: each hour the presence of agents is counted and old ghosts vanish.
func (l *Learner) pass(now time.Time) {
	if now.Hour() == l.now.Hour() && now.Sub(l.now) < time.Hour {
		l.now = now
		return
	}
	if yesterday := midnight(l.now); yesterday.Before(midnight(now)) && !l.now.IsZero() {
		l.absent(yesterday)
	}
	l.now = now
	for _, id := range slices.Sorted(maps.Keys(l.agents)) { // in order: sums of floats depend on it
		l.count(l.agents[id], now)
	}
	for _, s := range slices.Clone(l.line) {
		if !s.gone.IsZero() && now.Sub(s.gone) > ghostFor {
			l.remove(s)
		}
	}
}

// count adds the time since the last count to what the agent stood the risk of.
func (l *Learner) count(a *watched, now time.Time) {
	switch a.state {
	case tel.AgentLoggedOut:
		l.memory.LogIns.stood(a.risk, now)
	case tel.AgentPaused, tel.AgentUnreachable:
	default:
		l.memory.Pauses.stood(a.risk, now)
		l.memory.LogOuts.stood(a.risk, now)
	}
	a.risk = now
}

func (l *Learner) agentChanged(now time.Time, e tel.AgentChanged) {
	a := l.agents[e.Agent]
	if a == nil {
		if len(l.agents) >= maxAgents {
			return
		}
		a = &watched{risk: now}
		l.agents[e.Agent] = a
	} else {
		if a.state == e.State && a.call == e.Call && a.reason == e.Reason {
			return
		}
		l.count(a, now)
		l.ended(now, a, e)
	}
	a.state, a.since, a.call, a.queue, a.reason = e.State, now, e.Call, e.Queue, e.Reason
	if !e.Since.IsZero() && e.Since.Before(now) {
		a.since = e.Since
	}
	switch e.State {
	case tel.AgentReady:
		l.passed(now.Add(l.usualRing()), e.Agent, nil)
	case tel.AgentRinging:
		if s := l.standing[e.Call]; s != nil {
			l.passed(now.Add(l.usualRing()), e.Agent, s)
		}
	}
}

// ended learns from the end of what the agent was doing.
func (l *Learner) ended(now time.Time, a *watched, e tel.AgentChanged) {
	m, x := &l.memory, now.Sub(a.since).Seconds()
	switch a.state {
	case tel.AgentTalking:
		m.talked(a.queue, e.Agent, x, now)
	case tel.AgentInternal:
		m.talked("", e.Agent, x, now)
	case tel.AgentWrapUp:
		m.wrapped(a.queue, x, now)
	case tel.AgentRinging:
		if e.State == tel.AgentTalking {
			m.rang(a.queue, x, now)
		}
	case tel.AgentPaused:
		m.paused(e.Agent, a.reason, a.since, x, e.State != tel.AgentPaused && e.State != tel.AgentLoggedOut)
	case tel.AgentUnreachable:
		m.Unreachable.add(x, e.State != tel.AgentLoggedOut, keepPauses)
	case tel.AgentLoggedOut:
		m.LogIns.happened(now)
		if late, ok := m.agent(e.Agent, now).loggedIn(now); ok {
			m.Late.add(late, true, keepPauses)
		}
	}
	if e.State == tel.AgentLoggedOut {
		m.LogOuts.happened(now)
		m.agent(e.Agent, now).loggedOut(now)
	}
}

// absent learns who did not come on the day that ends, if anybody came.
func (l *Learner) absent(date time.Time) {
	var out []*agentMemory
	for _, a := range l.memory.Agents {
		if !a.Today.Date.Equal(date) {
			out = append(out, a)
		}
	}
	if len(out) == len(l.memory.Agents) {
		return
	}
	for _, a := range out {
		if _, ok := a.usualIn(date); ok {
			l.memory.Late.add(noShow.Seconds(), false, keepPauses)
		}
	}
}

func (l *Learner) joined(now time.Time, e tel.QueueJoined) {
	if s := l.standing[e.Call]; s != nil {
		if s.gone.IsZero() {
			return
		}
		l.remove(s) // left one queue for another
	}
	l.memory.arrived(e.Queue, e.Priority, now)
	since := e.At
	if since.IsZero() || since.After(now) {
		since = now
	}
	l.stand(&standing{call: e.Call, queue: e.Queue, priority: e.Priority, since: since})
}

// stand enters a caller in the line.
func (l *Learner) stand(s *standing) {
	if len(l.line) >= maxLine {
		return
	}
	s.turn = turn(s.since, l.targets[s.queue])
	i, _ := slices.BinarySearchFunc(l.line, s, byTurn)
	l.line = slices.Insert(l.line, i, s)
	l.standing[s.call] = s
}

func (l *Learner) remove(s *standing) {
	l.line = slices.DeleteFunc(l.line, func(o *standing) bool { return o == s })
	delete(l.standing, s.call)
}

func byTurn(a, b *standing) int {
	return cmp.Or(cmp.Compare(b.priority, a.priority), a.turn.Compare(b.turn), strings.Compare(string(a.call), string(b.call)))
}

func (l *Learner) left(now time.Time, e tel.QueueLeft) {
	s := l.standing[e.Call]
	if s == nil || !s.gone.IsZero() {
		return
	}
	if x := now.Sub(s.since).Seconds(); x >= 1 && e.Outcome != tel.OutcomeRefused {
		l.memory.waited(s.queue, x, e.Outcome == tel.OutcomeAbandoned, now)
	}
	switch e.Outcome {
	case tel.OutcomeAnswered:
		l.passed(now, e.Agent, s)
		l.resolve(s, now)
	case tel.OutcomeAbandoned, tel.OutcomeOverflow:
		if len(s.notes) == 0 {
			l.remove(s)
			return
		}
		s.gone = now
	default:
		l.remove(s)
	}
}

// passed serves the ghosts whom the agent would have taken before the caller that it takes, or before
// everybody when by is nil and the agent stays free.
func (l *Learner) passed(at time.Time, agent tel.AgentID, by *standing) {
	a, ok := l.roster[agent]
	if !ok {
		return
	}
	var served []*standing
	for _, s := range l.line {
		if s == by {
			break
		}
		if o := a.opens(s.queue, s.needs); at.Sub(s.since).Seconds() < o {
			continue
		}
		if s.gone.IsZero() {
			if by == nil {
				break // takes this one
			}
			continue
		}
		served = append(served, s)
	}
	for _, s := range served {
		l.resolve(s, at)
	}
}

// resolve tells calibration how long the wait was and forgets the caller.
func (l *Learner) resolve(s *standing, at time.Time) {
	for _, n := range s.notes {
		if y := at.Sub(n.at).Seconds(); y >= 0 {
			l.memory.Calibration.learn(&n.raw, n.low, n.high, y)
		}
	}
	l.remove(s)
}

// usualRing is how long an offer rings before it is answered.
func (l *Learner) usualRing() time.Duration {
	t := &l.memory.All.Ring
	if t.N < 5 {
		return 0
	}
	return seconds(min(math.Exp(t.meanLog()), 60))
}
