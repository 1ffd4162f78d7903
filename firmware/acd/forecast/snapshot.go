package forecast

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// version is that of the snapshot. A newer one is refused, never guessed at.
const version = 1

// ErrVersion is returned for a snapshot that another version of the program wrote.
var ErrVersion = errors.New("waiting times of another version")

// Snapshot encodes all that was learned as JSON. Equal knowledge gives equal bytes. Forecasts whose
// truth is not known yet are left out: a restart costs their lesson, no more.
func (l *Learner) Snapshot() ([]byte, error) { return json.Marshal(&l.memory) }

// Restore returns a learner that knows what the snapshot holds.
func Restore(b []byte) (*Learner, error) {
	var m memory
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("read waiting times: %w", err)
	}
	if m.V != version {
		return nil, fmt.Errorf("%w: %d", ErrVersion, m.V)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("read waiting times: %w", err)
	}
	return newLearner(m), nil
}

// check refuses what no learner can have written: counts that are negative or endless would make
// every forecast nonsense.
func (m *memory) check() error {
	tables := map[string]*lifetable{"outside": &m.Outside, "pause": &m.Pause, "unreachable": &m.Unreachable}
	arrived := map[string]*arrivals{}
	addQueue := func(name string, q *queueMemory) error {
		if q == nil {
			return fmt.Errorf("%s is empty", name)
		}
		for k, t := range map[string]*lifetable{"talk": &q.Talk, "wrap": &q.Wrap, "ring": &q.Ring, "patience": &q.Patience} {
			tables[name+" "+k] = t
		}
		for p, a := range q.Arrivals {
			if a == nil {
				return fmt.Errorf("%s has empty arrivals", name)
			}
			arrived[fmt.Sprint(name, " arrivals ", p)] = a
		}
		if len(q.Arrivals) > maxPriorities || !counts(q.Calls, q.Wrapped, q.LevelN) || math.Abs(q.Level) > 10*(q.LevelN+1) {
			return fmt.Errorf("%s: impossible counts", name)
		}
		return nil
	}
	if len(m.Queues) > maxQueues || len(m.Agents) > maxAgents || len(m.Reasons) > maxReasons {
		return errors.New("too many queues, agents or reasons")
	}
	if err := addQueue("all", &m.All); err != nil {
		return err
	}
	for id, q := range m.Queues {
		if err := addQueue("queue "+string(id), q); err != nil {
			return err
		}
	}
	for r, t := range m.Reasons {
		if t == nil {
			return fmt.Errorf("reason %s is empty", r)
		}
		tables["reason "+r] = t
	}
	for name, t := range tables {
		if !counts(t.Ends[:]...) || !counts(t.Risk[:]...) || !counts(t.N) || math.Abs(t.Log) > 20*(t.N+1) {
			return fmt.Errorf("%s: impossible counts", name)
		}
	}
	for name, a := range arrived {
		for k := range a.Usual {
			if !counts(a.Usual[k][:]...) || !counts(a.Days[k][:]...) {
				return fmt.Errorf("%s: impossible counts", name)
			}
		}
		if !counts(a.Open, a.Recent, a.Expected) {
			return fmt.Errorf("%s: impossible counts", name)
		}
	}
	for id, a := range m.Agents {
		if a == nil || !counts(a.PaceN) || math.Abs(a.Pace) > 10*(a.PaceN+1) || len(a.Days) > maxDays {
			return fmt.Errorf("agent %s: impossible counts", id)
		}
		for _, d := range append(slices.Clone(a.Days), a.Today) {
			if d.N < 0 || d.N > maxSessions || !counts(d.In[:]...) || !counts(d.Out[:]...) || !counts(d.Long, d.For) {
				return fmt.Errorf("agent %s: impossible workday", id)
			}
		}
	}
	for name, t := range map[string]*turnover{"pauses": &m.Pauses, "log-outs": &m.LogOuts, "log-ins": &m.LogIns} {
		if !counts(t.Events[:]...) || !counts(t.Risk[:]...) {
			return fmt.Errorf("%s: impossible counts", name)
		}
	}
	return m.Calibration.check()
}

func (c *calibration) check() error {
	bad := func(r *residuals) bool {
		sum := 0.0
		for _, n := range r.Count {
			sum += n
		}
		return !counts(r.Count[:]...) || !counts(r.Sum) || math.Abs(sum-r.Sum) > 1e-6*(1+sum)
	}
	if bad(&c.All) {
		return errors.New("calibration: impossible counts")
	}
	for i := range c.Regimes {
		if r := &c.Regimes[i]; bad(&r.Residuals) || !(math.Abs(r.Low) <= 0.3 && math.Abs(r.High) <= 0.3) {
			return errors.New("calibration: impossible counts")
		}
	}
	return nil
}

// counts says that all are numbers that counting can give.
func counts(x ...float64) bool {
	for _, v := range x {
		if !(v >= 0 && v < 1e15) {
			return false
		}
	}
	return true
}
