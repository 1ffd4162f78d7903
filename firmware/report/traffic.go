package report

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Spread counts waits by their length in whole seconds, rounded up, which is the index: a wait of 19.2 s
// is one of those that took at most 20. Waits of more than an hour are all in the last place, at
// longSpread.
type Spread []int

// longSpread is the last index of a Spread; nobody promises an answer within more than an hour.
const longSpread = 3601

// take counts n waits of a length.
func (s *Spread) take(seconds, n int) {
	seconds = min(max(0, seconds), longSpread)
	if missing := seconds + 1 - len(*s); missing > 0 {
		*s = append(*s, make(Spread, missing)...)
	}
	(*s)[seconds] += n
}

// add makes s the sum of both.
func (s *Spread) add(o Spread) {
	if missing := len(o) - len(*s); missing > 0 {
		*s = append(*s, make(Spread, missing)...)
	}
	for i, n := range o {
		(*s)[i] += n
	}
}

// Within counts the waits of at most limit.
func (s Spread) Within(limit time.Duration) (n int) {
	if limit < 0 {
		return 0
	}
	for _, waits := range s[:min(len(s), int(limit/time.Second)+1, longSpread)] {
		n += waits
	}
	return n
}

// Traffic is what became of the callers who joined a queue in some span. The zero Traffic is empty;
// Add makes sums.
type Traffic struct {
	Outcomes map[tel.QueueOutcome]int `json:"outcomes,omitempty"` // of every wait, and of who was refused
	Stages   map[tel.AbandonStage]int `json:"stages,omitempty"`   // of the abandoned ones, short ones included
	Short    int                      `json:"short,omitempty"`    // of the abandoned ones, by giving up at once
	Answered Spread                   `json:"answered,omitempty"` // how long the answered ones had waited
	GaveUp   Spread                   `json:"gave_up,omitempty"`  // how long the abandoned ones had
	Waited   time.Duration            `json:"waited,omitempty"`   // by the answered ones together
	Longest  time.Duration            `json:"longest,omitempty"`  // of all waits

	Talked  time.Duration `json:"talked,omitempty"` // by agents with the queue's callers
	Held    time.Duration `json:"held,omitempty"`
	Wrapped time.Duration `json:"wrapped,omitempty"` // after-call work

	Known int     `json:"known,omitempty"` // of the answered ones, who did not withhold the number
	Again Repeats `json:"again,omitzero"`  // of these, who came to the queue again
}

// TakeWait counts one finished wait; SlotOf(e.Joined) says where.
func (t *Traffic) TakeWait(e tel.QueueLeft) {
	wait := max(0, e.Left.Sub(e.Joined)) // a clock that was set back gives no negative wait
	count(&t.Outcomes, e.Outcome, 1)
	if e.Outcome == tel.OutcomeRefused {
		return
	}
	t.Longest = max(t.Longest, wait)
	seconds := int((wait + time.Second - 1) / time.Second)
	switch e.Outcome {
	case tel.OutcomeAnswered:
		t.Answered.take(seconds, 1)
		t.Waited += wait
		if e.Caller != "" {
			t.Known++
		}
	case tel.OutcomeAbandoned:
		t.GaveUp.take(seconds, 1)
		if e.Stage != "" {
			count(&t.Stages, e.Stage, 1)
		}
		if e.Short {
			t.Short++
		}
	}
}

// TakeWork counts a part of an interval that an agent spent for the queue.
func (t *Traffic) TakeWork(state tel.AgentState, d time.Duration) {
	switch state {
	case tel.AgentTalking:
		t.Talked += d
	case tel.AgentHold:
		t.Held += d
	case tel.AgentWrapUp:
		t.Wrapped += d
	}
}

// Add makes t the sum of both.
func (t *Traffic) Add(o Traffic) {
	merge(&t.Outcomes, o.Outcomes)
	merge(&t.Stages, o.Stages)
	t.Answered.add(o.Answered)
	t.GaveUp.add(o.GaveUp)
	t.Short += o.Short
	t.Waited += o.Waited
	t.Longest = max(t.Longest, o.Longest)
	t.Talked += o.Talked
	t.Held += o.Held
	t.Wrapped += o.Wrapped
	t.Known += o.Known
	t.Again.add(o.Again)
}

func count[M ~map[K]int, K comparable](m *M, key K, n int) {
	if *m == nil {
		*m = M{}
	}
	(*m)[key] += n
}

func merge[M ~map[K]int, K comparable](m *M, from M) {
	for key, n := range from {
		count(m, key, n)
	}
}

// Entered counts the places that were given: each ends with exactly one outcome.
func (t *Traffic) Entered() (n int) {
	for outcome, waits := range t.Outcomes {
		if outcome != tel.OutcomeRefused {
			n += waits
		}
	}
	return n
}

// Of counts the waits with one outcome.
func (t *Traffic) Of(o tel.QueueOutcome) int { return t.Outcomes[o] }
