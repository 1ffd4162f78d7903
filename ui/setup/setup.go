package setup

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/ui/view"
)

// Version is that of the file that keeps a State.
const Version = 1

// Setup owns the state of the set-up. Its methods are safe from any goroutine.
type Setup struct {
	save func(State) error

	mu    sync.Mutex // guards state, and is held while it is saved so that the file is never older than it
	state State
	fresh bool // the box was new when it was opened, or its set-up has begun
}

// New goes on with what was kept. A box that was configured before there was a set-up is not bothered with it:
// fresh tells that there is something to set up.
func New(save func(State) error, kept State, fresh bool) *Setup {
	return &Setup{save: save, state: kept, fresh: fresh || len(kept.Marks) > 0}
}

// State is how far it is.
func (s *Setup) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.state
	x.Marks = maps.Clone(x.Marks)
	x.Plugged.Also = slices.Clone(x.Plugged.Also)
	return x
}

// Waits tells whether a browser should be shown the set-up.
func (s *Setup) Waits() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fresh && s.state.Open()
}

// Owes tells whether a step is a debt after the end of the set-up.
func (s *Setup) Owes(step Step) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fresh && !s.state.Finished.IsZero() && s.state.Marks[step].How != Done
}

// Tell applies an event. It returns the sentence that says why nothing has changed, or the disk's error; then
// nothing has, either.
func (s *Setup) Tell(event any, now time.Time) (sentence string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, effects := Next(s.state, event, now)
	for _, e := range effects {
		switch e := e.(type) {
		case Refuse:
			sentence = e.Sentence
		case Save:
			if err := s.save(next); err != nil {
				return "", err
			}
			s.state, s.fresh = next, true
		}
	}
	return sentence, nil
}

// Debts are the steps that were left out or have failed, and until the end of the set-up those that wait.
func (s *Setup) Debts() (all []view.Todo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.fresh {
		return nil
	}
	return s.state.Debts()
}

// Debts are what is owed in a state.
func (s State) Debts() (all []view.Todo) {
	for i, x := range Steps() {
		how := s.Marks[x].How
		severity := owed(x)
		if severity == "" || how == Done || how == "" && !s.Finished.IsZero() && x == GoLive {
			continue
		}
		all = append(all, view.Todo{ID: "setup." + string(x), Link: "/setup/" + strconv.Itoa(i+1), Severity: severity})
	}
	return all
}

// owed is what it costs to leave a step out; empty: nothing.
func owed(s Step) view.TodoSeverity {
	switch s {
	case Lines, LineTest, People, Queue, TestCall, Safety:
		return view.TodoError
	case Network, Phones, Place, GoLive:
		return view.TodoWarn
	case You, Today, Lamps, Message, Privacy:
		return view.TodoInfo
	default:
		return ""
	}
}
