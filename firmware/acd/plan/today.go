package plan

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Tally is what an agent did for one queue on one day.
type Tally struct {
	Calls int           `json:"calls,omitempty"` // callers answered
	Talk  time.Duration `json:"talk,omitempty"`  // with callers whose call has ended
}

// Work is what an agent did on one day. It needs no reset: the work of another day counts for
// nothing.
type Work struct {
	Day    int                   `json:"day"` // days since 1970-01-01 by the site's clock
	Queues map[tel.QueueID]Tally `json:"queues,omitempty"`
}

func (w *Work) of(q tel.QueueID) Tally {
	if w == nil {
		return Tally{}
	}
	return w.Queues[q]
}

// talk is the sum of all queues.
func (w *Work) talk() (sum time.Duration) {
	if w != nil {
		for _, t := range w.Queues {
			sum += t.Talk
		}
	}
	return sum
}

// day numbers the days by the site's clock.
func (s *State) day(t time.Time) int {
	_, offset := t.In(s.zone).Zone()
	return int((t.Unix() + int64(offset)) / 86400)
}

// midnight is when the day of t began by the site's clock.
func (s *State) midnight(t time.Time) time.Time {
	y, m, d := t.In(s.zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, s.zone)
}

// today is what the agent has done on the day of this step; nil for nothing.
func (s *step) today(a *Agent) *Work {
	if a.Work != nil && a.Work.Day == s.day(s.now) {
		return a.Work
	}
	return nil
}

// Today is what an agent has done today for all queues together.
func (s *State) Today(agent tel.AgentID, now time.Time) (sum Tally) {
	if a := s.Agents[agent]; a != nil && a.Work != nil && a.Work.Day == s.day(now) {
		for _, t := range a.Work.Queues {
			sum.Calls += t.Calls
			sum.Talk += t.Talk
		}
	}
	return sum
}

// credit adds to what the agent has done today for a queue.
func (s *step) credit(a *Agent, q tel.QueueID, t Tally) {
	day := s.day(s.now)
	if a.Work == nil || a.Work.Day != day {
		a.Work = &Work{Day: day, Queues: map[tel.QueueID]Tally{}}
	}
	if a.Work.Queues == nil {
		a.Work.Queues = map[tel.QueueID]Tally{}
	}
	sum := a.Work.Queues[q]
	sum.Calls += t.Calls
	sum.Talk += t.Talk
	a.Work.Queues[q] = sum
}

// talked is how much of a conversation counts for today.
func (s *step) talked(answered time.Time) time.Duration {
	if answered.IsZero() {
		return 0
	}
	if m := s.midnight(s.now); answered.Before(m) {
		answered = m
	}
	return max(0, s.now.Sub(answered))
}

// setZone sets the clock by which days begin; a name that the machine does not know stands for UTC,
// and so does "Local", which is not the same everywhere.
func (s *State) setZone(name string) {
	s.Zone = name
	if s.zone != nil && s.zone.String() == name {
		return
	}
	s.zone = time.UTC
	if zone, err := time.LoadLocation(name); err == nil && zone != time.Local {
		s.zone = zone
	}
}
