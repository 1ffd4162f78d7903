package report

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Ratio is a share with the counts it is made of.
type Ratio struct{ Part, Of int }

// Known reports whether there is anything to take a share of.
func (r Ratio) Known() bool { return r.Of > 0 }

// Share is between 0 and 1; 0 when it is not known.
func (r Ratio) Share() float64 {
	if r.Of <= 0 {
		return 0
	}
	return float64(r.Part) / float64(r.Of)
}

// Level names a formula of the service level. Vendors mean different things by the word; T is the
// answer time that is aimed at.
type Level string

// The formulas.
const (
	// LevelPatient is answered within T / (entered - short abandoned): who hangs up at once does not count.
	LevelPatient Level = "patient"
	// LevelAnswered is answered within T / answered: who was lost does not count (Asterisk's SL).
	LevelAnswered Level = "answered"
	// LevelHandled is (answered + abandoned, each within T) / (answered + abandoned) (Asterisk's SL2).
	LevelHandled Level = "handled"
	// LevelEntered is answered within T / entered: the strictest.
	LevelEntered Level = "entered"
)

// Levels lists the formulas, the usual one first.
func Levels() []Level { return []Level{LevelPatient, LevelAnswered, LevelHandled, LevelEntered} }

// ServiceLevel is the share of callers who were served in time, by a formula.
func (t *Traffic) ServiceLevel(by Level, within time.Duration) Ratio {
	inTime, answered := t.Answered.Within(within), t.Of(tel.OutcomeAnswered)
	switch by {
	case LevelAnswered:
		return Ratio{inTime, answered}
	case LevelHandled:
		return Ratio{inTime + t.GaveUp.Within(within), answered + t.Of(tel.OutcomeAbandoned)}
	case LevelEntered:
		return Ratio{inTime, t.Entered()}
	default:
		return Ratio{inTime, t.Entered() - t.Short}
	}
}

// Abandonment is (abandoned - short) / (entered - short).
func (t *Traffic) Abandonment() Ratio {
	return Ratio{t.Of(tel.OutcomeAbandoned) - t.Short, t.Entered() - t.Short}
}

// SpeedOfAnswer (ASA) is how long the answered callers waited on average; 0 when there were none.
func (t *Traffic) SpeedOfAnswer() time.Duration { return average(t.Waited, t.Of(tel.OutcomeAnswered)) }

// HandleTime (AHT) is talk, hold and after-call work for each answered caller; 0 when there were none.
func (t *Traffic) HandleTime() time.Duration {
	return average(t.Talked+t.Held+t.Wrapped, t.Of(tel.OutcomeAnswered))
}

func average(sum time.Duration, n int) time.Duration {
	if n <= 0 {
		return 0
	}
	return (sum / time.Duration(n)).Round(time.Millisecond)
}

// Work is how one agent spent some span. The zero Work is empty; Add makes sums.
type Work struct {
	Spent    map[tel.AgentState]time.Duration `json:"spent,omitempty"`
	Answered int                              `json:"answered,omitempty"` // callers of queues
}

// Take counts a part of an interval.
func (w *Work) Take(state tel.AgentState, d time.Duration) {
	if w.Spent == nil {
		w.Spent = map[tel.AgentState]time.Duration{}
	}
	w.Spent[state] += d
}

// Add makes w the sum of both.
func (w *Work) Add(o Work) {
	for state, d := range o.Spent {
		w.Take(state, d)
	}
	w.Answered += o.Answered
}

// OnDuty is the time logged in, pauses included.
func (w *Work) OnDuty() (sum time.Duration) {
	for _, d := range w.Spent {
		sum += d
	}
	return sum
}

// Busy is the time with customers: talk, whoever called, hold and after-call work.
func (w *Work) Busy() time.Duration {
	return w.Spent[tel.AgentTalking] + w.Spent[tel.AgentOutbound] + w.Spent[tel.AgentHold] + w.Spent[tel.AgentWrapUp]
}

// Occupancy is Busy / (OnDuty - pauses), between 0 and 1; known is false for who was not on duty.
func (w *Work) Occupancy() (share float64, known bool) {
	present := w.OnDuty() - w.Spent[tel.AgentPaused]
	if present <= 0 {
		return 0, false
	}
	return float64(w.Busy()) / float64(present), true
}
