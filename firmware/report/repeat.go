package report

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Repeats counts answered callers who came to the same queue again, by how soon: each at the shortest of RepeatWindows
// that holds the time from the answer to the next arrival.
type Repeats [3]int

// RepeatWindows are the times after which a caller who has not come again counts as served at the first contact.
func RepeatWindows() [len(Repeats{})]time.Duration {
	const day = 24 * time.Hour
	return [...]time.Duration{day, 7 * day, 30 * day}
}

func (r *Repeats) add(o Repeats) {
	for i, n := range o {
		r[i] += n
	}
}

// Contact is what there is to know of one wait for the first-contact resolution.
type Contact struct {
	At       time.Time // of the arrival in the queue
	Left     time.Time // of the answer, where there was one
	Call     tel.CallID
	Answered bool
}

// ContactOf is that of a wait.
func ContactOf(e tel.QueueLeft) Contact {
	at := e.Arrived
	if at.IsZero() {
		at = e.Joined
	}
	return Contact{At: at, Left: e.Left, Call: e.Call, Answered: e.Outcome == tel.OutcomeAnswered}
}

// TakeRepeat counts, n times, that after a contact the same number came to the same queue next with another one; n is -1
// to take back what is not the next any more. A transfer within one call is no repeat, nor is who came before the answer.
func (t *Traffic) TakeRepeat(a, next Contact, n int) {
	after := next.At.Sub(a.Left)
	if !a.Answered || a.Call == next.Call || after <= 0 {
		return
	}
	for i, window := range RepeatWindows() {
		if after <= window {
			t.Again[i] += n
			return
		}
	}
}

// FirstContact is, of the answered callers whose number is known, the share of those who did not come to the queue again
// within the ith of RepeatWindows (first-contact resolution by repeat window). Of answers that are younger than the
// window it is not known yet whether they last.
func (t *Traffic) FirstContact(i int) Ratio {
	r := Ratio{Part: t.Known, Of: t.Known}
	for _, n := range t.Again[:i+1] {
		r.Part -= n
	}
	return r
}
