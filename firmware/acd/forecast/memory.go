package forecast

import (
	"math"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Limits of what is remembered.
const (
	maxQueues     = 512
	maxAgents     = 4096
	maxReasons    = 32
	maxPriorities = 8 // per queue
)

// How fast old observations fade: the weight that they keep at each new one.
const (
	keepCalls    = 0.998 // talk, wrap-up, ring: about the last five hundred
	keepPatience = 0.999
	keepPauses   = 0.995
	keepAgent    = 0.99 // an agent's pace
)

const (
	dayMemory  = 3 * time.Hour // time constant of today's level
	dayLean    = 30.0          // calls: how much it takes to believe that today is not as usual
	daySpread  = 0.12          // standard deviation of the level between days, logarithmic
	paceLean   = 15.0          // calls: how much it takes to believe that an agent is not as all
	tableLean  = 40.0          // calls of all queues that fill up what a queue lacks
	enoughToGo = 20.0          // calls without which nothing is said
)

// memory is all that was learned: one plain value.
type memory struct {
	V      int    `json:"v"`
	Seed   uint64 `json:"seed"`
	Rounds uint64 `json:"rounds"` // forecasts made; part of the seed of the next

	All     queueMemory                  `json:"all"` // all queues together
	Queues  map[tel.QueueID]*queueMemory `json:"queues,omitempty"`
	Outside lifetable                    `json:"outside"` // calls that came from no queue
	Agents  map[tel.AgentID]*agentMemory `json:"agents,omitempty"`

	Pause       lifetable             `json:"pause"`       // for any reason
	ShortPause  lifetable             `json:"short_pause"` // of less than twenty minutes: the others are habits of an agent
	Late        lifetable             `json:"late"`        // how much later than usual a session begins
	Reasons     map[string]*lifetable `json:"reasons,omitempty"`
	Unreachable lifetable             `json:"unreachable"`
	Pauses      turnover              `json:"pauses"`
	LogOuts     turnover              `json:"log_outs"`
	LogIns      turnover              `json:"log_ins"`

	Calibration calibration `json:"calibration"`
}

// queueMemory is what was learned of one queue.
type queueMemory struct {
	Talk     lifetable `json:"talk"` // as an average agent on an average day talks
	Wrap     lifetable `json:"wrap"`
	Ring     lifetable `json:"ring"`
	Patience lifetable `json:"patience"`
	Calls    float64   `json:"calls"`   // ended, faded
	Wrapped  float64   `json:"wrapped"` // of them followed by a wrap-up, faded
	// Level is how much longer than usual today's calls are: the faded sum of logarithms, and their
	// number.
	Level   float64   `json:"level"`
	LevelN  float64   `json:"level_n"`
	LevelAt time.Time `json:"level_at"`

	Arrivals map[int]*arrivals `json:"arrivals,omitempty"` // by priority
	Used     time.Time         `json:"used"`
}

// agentMemory is what was learned of one agent.
type agentMemory struct {
	Pace  float64   `json:"pace"` // faded sum of logarithms: how much longer than others' the calls are
	PaceN float64   `json:"pace_n"`
	Days  []workday `json:"days,omitempty"` // the last ones, oldest first
	Today workday   `json:"today"`
	Used  time.Time `json:"used"`
}

// fade lets the level forget until at.
func (q *queueMemory) fade(at time.Time) {
	if d := at.Sub(q.LevelAt); !q.LevelAt.IsZero() && d > 0 {
		f := math.Exp(-d.Seconds() / dayMemory.Seconds())
		q.Level *= f
		q.LevelN *= f
	}
	q.LevelAt = at
}

// level is today's level at a time, as the mean and the standard deviation of its logarithm.
func (q *queueMemory) level(at time.Time) (mean, sd float64) {
	f := 1.0
	if d := at.Sub(q.LevelAt); !q.LevelAt.IsZero() && d > 0 {
		f = math.Exp(-d.Seconds() / dayMemory.Seconds())
	}
	n := q.LevelN * f
	return q.Level * f / (n + dayLean), daySpread * math.Sqrt(dayLean/(n+dayLean))
}

// pace is how much longer than others' the agent's calls are, as a logarithm.
func (a *agentMemory) pace() float64 {
	if a == nil {
		return 0
	}
	return a.Pace / (a.PaceN + paceLean)
}

// queue returns the memory of a queue; nil when there are too many.
func (m *memory) queue(id tel.QueueID, at time.Time) *queueMemory {
	q := m.Queues[id]
	if q == nil {
		if len(m.Queues) >= maxQueues {
			forget(m.Queues, func(q *queueMemory) time.Time { return q.Used })
		}
		if m.Queues == nil {
			m.Queues = map[tel.QueueID]*queueMemory{}
		}
		q = &queueMemory{}
		m.Queues[id] = q
	}
	q.Used = at
	return q
}

func (m *memory) agent(id tel.AgentID, at time.Time) *agentMemory {
	a := m.Agents[id]
	if a == nil {
		if len(m.Agents) >= maxAgents {
			forget(m.Agents, func(a *agentMemory) time.Time { return a.Used })
		}
		if m.Agents == nil {
			m.Agents = map[tel.AgentID]*agentMemory{}
		}
		a = &agentMemory{}
		m.Agents[id] = a
	}
	a.Used = at
	return a
}

// reason returns what is known of a reason for pauses; nil when there are too many.
func (m *memory) reason(name string) *lifetable {
	t := m.Reasons[name]
	if t == nil && len(m.Reasons) < maxReasons {
		if m.Reasons == nil {
			m.Reasons = map[string]*lifetable{}
		}
		t = &lifetable{}
		m.Reasons[name] = t
	}
	return t
}

// forget drops what was used least recently; of equals the least id, so that it can be replayed.
func forget[K ~string, V any](m map[K]V, used func(V) time.Time) {
	var oldest K
	var when time.Time
	first := true
	for k, v := range m {
		if u := used(v); first || u.Before(when) || (u.Equal(when) && k < oldest) {
			oldest, when, first = k, u, false
		}
	}
	delete(m, oldest)
}

// talked learns a conversation of x seconds.
func (m *memory) talked(id tel.QueueID, agent tel.AgentID, x float64, at time.Time) {
	if id == "" {
		m.Outside.add(x, true, keepCalls)
		return
	}
	q, a := m.queue(id, at), m.agent(agent, at)
	q.fade(at)
	level, _ := q.level(at)
	off := math.Log(max(x, 1)) - q.Talk.meanLog()
	if q.Talk.N >= 10 {
		q.Level += off - a.pace()
		q.LevelN++
		a.Pace = a.Pace*keepAgent + off - level
		a.PaceN = a.PaceN*keepAgent + 1
	}
	usual := x * math.Exp(-level-a.pace())
	q.Talk.add(usual, true, keepCalls)
	m.All.Talk.add(usual, true, keepCalls)
	for _, c := range []*queueMemory{q, &m.All} {
		c.Calls = c.Calls*keepCalls + 1
		c.Wrapped *= keepCalls
	}
}

// wrapped learns a wrap-up of x seconds.
func (m *memory) wrapped(id tel.QueueID, x float64, at time.Time) {
	if id == "" {
		return
	}
	for _, c := range []*queueMemory{m.queue(id, at), &m.All} {
		c.Wrap.add(x, true, keepCalls)
		c.Wrapped++
	}
}

// rang learns how long an offer rang until it was answered.
func (m *memory) rang(id tel.QueueID, x float64, at time.Time) {
	m.queue(id, at).Ring.add(x, true, keepCalls)
	m.All.Ring.add(x, true, keepCalls)
}

// waited learns how long a caller stayed; gone says that patience ended.
func (m *memory) waited(id tel.QueueID, x float64, gone bool, at time.Time) {
	m.queue(id, at).Patience.add(x, gone, keepPatience)
	m.All.Patience.add(x, gone, keepPatience)
}

// paused learns the length of a pause that began at from; whole is false when it did not end by itself.
func (m *memory) paused(agent tel.AgentID, reason string, from time.Time, x float64, whole bool) {
	m.Pause.add(x, whole, keepPauses)
	if t := m.reason(reason); t != nil {
		t.add(x, whole, keepPauses)
	}
	if x < longPause.Seconds() && whole {
		m.ShortPause.add(x, true, keepPauses)
		m.Pauses.happened(from)
	}
	m.agent(agent, from).paused(from, x)
}

// arrived counts a caller.
func (m *memory) arrived(id tel.QueueID, priority int, at time.Time) {
	q := m.queue(id, at)
	a := q.Arrivals[priority]
	if a == nil {
		if len(q.Arrivals) >= maxPriorities {
			return
		}
		if q.Arrivals == nil {
			q.Arrivals = map[int]*arrivals{}
		}
		a = &arrivals{}
		q.Arrivals[priority] = a
	}
	a.arrived(at)
}
