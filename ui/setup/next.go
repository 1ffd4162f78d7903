// Package setup is the way from a new box to the first answered call: which steps there are, how far the office
// has come, and what is still owed.
//
// next.go is the pure machine, setup.go its owner and the file, port.go what the steps ask of the running box.
package setup

import (
	"maps"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Step is one screen.
type Step string

// The steps. Their order is that of Steps.
const (
	Welcome  Step = "welcome"
	You      Step = "you"
	Place    Step = "place"
	Network  Step = "network"
	Today    Step = "today"
	Lines    Step = "lines"
	LineTest Step = "linetest"
	People   Step = "people"
	Phones   Step = "phones"
	Queue    Step = "queue"
	Lamps    Step = "lamps"
	Message  Step = "message"
	TestCall Step = "testcall"
	Privacy  Step = "privacy"
	Safety   Step = "safety"
	GoLive   Step = "golive"
)

// Steps are all of them in their order. The number of a screen is its place here, from 1: "open /setup/6" is what
// somebody on the telephone can be told.
func Steps() []Step {
	return []Step{Welcome, You, Place, Network, Today, Lines, LineTest, People, Phones, Queue, Lamps, Message, TestCall, Privacy, Safety, GoLive}
}

// Number is the place of a step, from 1; 0 of what is none.
func Number(s Step) int { return slices.Index(Steps(), s) + 1 }

// At is the step of a number.
func At(number int) (s Step, ok bool) {
	if all := Steps(); number >= 1 && number <= len(all) {
		return all[number-1], true
	}
	return "", false
}

// How is what became of a step.
type How string

// What can become of a step. The zero value: nothing yet.
const (
	Done    How = "done"    // the box has seen that it works
	Failed  How = "failed"  // the box has seen that it does not
	Skipped How = "skipped" // nobody has tried
)

// Mark is what became of a step, when, and by whom.
type Mark struct {
	How      How       `json:"how"`
	At       time.Time `json:"at"`
	By       string    `json:"by,omitempty"`
	Sentence string    `json:"sentence,omitempty"` // of a failure: the page's sentence of it
}

// The ways in which an office is connected to the telephone network today.
const (
	PlugRouter = "router" // a telephone socket of the router
	PlugWall   = "wall"   // the socket in the wall
	PlugSIM    = "sim"
	PlugLetter = "letter" // an account of a letter of the carrier
	PlugNone   = "none"
)

// Plugs lists them.
func Plugs() []string { return []string{PlugRouter, PlugWall, PlugSIM, PlugLetter, PlugNone} }

// Others are what else may hang on a telephone line.
func Others() []string { return []string{"pos", "alarm", "lift", "fax"} }

// Plugged is where the telephone is plugged in today, and what else is.
type Plugged struct {
	Where string   `json:"where,omitempty"` // one of Plugs
	Also  []string `json:"also,omitempty"`  // some of Others
}

// State is how far the set-up is, as one plain value.
type State struct {
	Marks    map[Step]Mark `json:"marks,omitempty"`
	PutOff   bool          `json:"put_off,omitempty"`  // "later": the page begins with Home
	Finished time.Time     `json:"finished,omitzero"`  // zero: not yet
	Mobile   tel.Number    `json:"mobile,omitempty"`   // of who sets up, asked once
	Plugged  Plugged       `json:"plugged,omitzero"`   // asked once
	Language string        `json:"language,omitempty"` // that was chosen on the first screen
}

// The events.
type (
	// Proved tells that a step's probe has succeeded.
	Proved struct {
		Step Step
		By   string
	}
	// Missed tells that a step's probe has failed; Sentence says how.
	Missed struct {
		Step         Step
		By, Sentence string
	}
	// Left tells that somebody goes on without a step.
	Left struct {
		Step Step
		By   string
	}
	// Told keeps what somebody has said of the office; empty fields were not asked.
	Told struct {
		Mobile   tel.Number
		Plugged  *Plugged
		Language string
	}
	// Later puts the set-up off.
	Later struct{}
	// Finish ends it.
	Finish struct{}
)

// Effect is what follows from an event.
type Effect interface{ effect() }

// The effects.
type (
	// Save keeps the state before anybody is told of it.
	Save struct{}
	// Refuse tells by a sentence of the catalogue why an event changed nothing.
	Refuse struct{ Sentence string }
)

func (Save) effect()   {}
func (Refuse) effect() {}

// Next applies one event. It is pure: the same state, event and instant give the same result.
func Next(s State, event any, now time.Time) (State, []Effect) {
	was := s
	s.Marks = maps.Clone(s.Marks)
	if s.Marks == nil {
		s.Marks = map[Step]Mark{}
	}
	switch e := event.(type) {
	case Proved:
		if Number(e.Step) == 0 {
			return was, []Effect{Refuse{"setup.no_step"}}
		}
		if s.Marks[e.Step].How == Done {
			return was, nil
		}
		s.Marks[e.Step], s.PutOff = Mark{How: Done, At: now, By: e.By}, false
	case Missed:
		if Number(e.Step) == 0 {
			return was, []Effect{Refuse{"setup.no_step"}}
		}
		s.Marks[e.Step] = Mark{How: Failed, At: now, By: e.By, Sentence: e.Sentence}
	case Left:
		switch {
		case Number(e.Step) == 0:
			return was, []Effect{Refuse{"setup.no_step"}}
		case s.Marks[e.Step].How != "":
			return was, nil // what is known of it stays known
		}
		s.Marks[e.Step] = Mark{How: Skipped, At: now, By: e.By}
	case Told:
		s = s.told(e)
	case Later:
		s.PutOff = true
	case Finish:
		if s.Marks[Safety].How != Done { // a card that dies the next day must not cost the office
			return was, []Effect{Refuse{"setup.kit_missing"}}
		}
		s.Finished = now
	default:
		return was, nil
	}
	return s, []Effect{Save{}}
}

func (s State) told(e Told) State {
	if e.Mobile != "" {
		s.Mobile = e.Mobile
	}
	if e.Plugged != nil {
		s.Plugged = Plugged{Where: e.Plugged.Where, Also: slices.Clone(e.Plugged.Also)}
	}
	if e.Language != "" {
		s.Language = e.Language
	}
	return s
}

// Here is the step to go on with: the first of which nothing is known, else the last.
func (s State) Here() Step {
	for _, x := range Steps() {
		if s.Marks[x].How == "" {
			return x
		}
	}
	return GoLive
}

// Open tells whether the set-up waits for somebody.
func (s State) Open() bool { return s.Finished.IsZero() && !s.PutOff }

// After is the step behind another one.
func After(s Step) Step {
	all := Steps()
	return all[min(Number(s), len(all)-1)]
}

// Seconds is what somebody needs for a step, to say how long the rest will take.
func Seconds(s Step) int {
	return map[Step]int{
		Welcome: 10, You: 20, Place: 15, Network: 30, Today: 15, Lines: 90, LineTest: 60, People: 60, Phones: 60, Queue: 20, Lamps: 20,
		Message: 15, TestCall: 60, Privacy: 20, Safety: 45, GoLive: 30,
	}[s]
}
