package ivr

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Deposit takes a message for a mailbox.
type Deposit struct {
	Box        string        `json:"box"`
	Greeting   []string      `json:"greeting"` // "greeting:BOX/standard", or the library's words
	Full       bool          `json:"full,omitempty"`
	From       tel.Number    `json:"from,omitempty"`
	CallerName string        `json:"caller_name,omitempty"`
	Max        time.Duration `json:"max"`               // longest message; 0 is 3 min
	Silence    time.Duration `json:"silence,omitempty"` // that ends it; 0 is 5 s
	Min        time.Duration `json:"min,omitempty"`     // shorter ones are no message; 0 is 2 s
	Review     bool          `json:"review,omitempty"`  // offer to listen and to record again
}

// StandardGreeting and BusyGreeting are the words of the library for a mailbox without its own.
func StandardGreeting() []string { return []string{"vm_greeting"} }

// BusyGreeting is for a person who talks.
func BusyGreeting() []string { return []string{"vm_greeting_busy"} }

func (r *run) deposit(e Event) {
	d := r.s.Deposit
	switch e.(type) {
	case Started, Resumed:
		if d.Full {
			r.end("", "vm_full", "goodbye")
			return
		}
		r.startTake(take{
			Owner: d.Box, Intro: d.Greeting, Short: "vm_too_short", Review: d.Review, Keep: true,
			Max: or(d.Max, 3*time.Minute), Silence: or(d.Silence, 5*time.Second), Min: or(d.Min, 2*time.Second),
		})
	}
}

func (r *run) deliver(path string, length time.Duration) {
	d := r.s.Deposit
	r.do(Deliver{Box: d.Box, Path: path, Length: length, From: d.From, CallerName: d.CallerName, At: r.now})
}

func (r *run) deposited(t *take) {
	if t.Path == "" {
		if r.s.Gone {
			r.done()
			return
		}
		r.end("", "goodbye")
		return
	}
	r.deliver(t.Path, t.Length)
	r.thank()
}

// thank ends a call whose message is safe.
func (r *run) thank() {
	if r.s.Gone {
		r.done()
		return
	}
	r.end("", "vm_thanks", "goodbye")
}

// depositLeft keeps what was said when the caller hangs up: that is how most messages end.
func (r *run) depositLeft() {
	s, t := r.s, r.s.Take
	switch {
	case s.Stage == stageRecording:
		r.stopping()
	case s.Stage == stageStopping: // Recorded or the timer ends it
	case t.Path != "":
		r.taken(true)
	default:
		r.done()
	}
}
