// Package lightsim is a light in memory: it remembers every change with its time, for tests and for
// the page that shows the lamps of a simulated box.
package lightsim

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// ErrClosed is returned by Set after Close.
var ErrClosed = errors.New("the light is closed")

// keep is how many transitions are remembered: ten minutes of the fastest pattern.
const keep = 2400

// Transition is one change of what the light shows.
type Transition struct {
	At    time.Time
	Level lamp.Level
}

// Light implements lamp.Light. Its methods may be called from any goroutine.
type Light struct {
	id tel.LampID

	mu     sync.Mutex
	level  lamp.Level
	past   []Transition
	writes uint64
	err    error
	closed bool
}

// New returns a dark light.
func New(id tel.LampID) *Light { return &Light{id: id} }

// ID implements lamp.Light.
func (l *Light) ID() tel.LampID { return l.id }

// Set implements lamp.Light.
func (l *Light) Set(v lamp.Level) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return ErrClosed
	case l.err != nil:
		return l.err
	}
	l.writes++
	l.show(v)
	return nil
}

func (l *Light) show(v lamp.Level) {
	if v == l.level {
		return
	}
	l.level = v
	if len(l.past) == keep {
		l.past = slices.Delete(l.past, 0, keep/2)
	}
	l.past = append(l.past, Transition{time.Now(), v})
}

// Close implements lamp.Light.
func (l *Light) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		l.show(lamp.Level{})
	}
	return nil
}

// Level is what the light shows now.
func (l *Light) Level() lamp.Level {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.level
}

// Transitions are the latest changes, oldest first.
func (l *Light) Transitions() []Transition {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.past)
}

// Writes counts successful Sets, also those that changed nothing.
func (l *Light) Writes() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writes
}

// Fail makes every Set return the error, as a pulled cable does; nil mends it.
func (l *Light) Fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}
