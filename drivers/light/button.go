package light

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// ButtonPin describes a push button. ActiveLow is a button that connects its line to ground, which the
// chip then pulls up; otherwise it connects the line to the supply.
type ButtonPin struct {
	ID  tel.LampID
	Pin Pin
}

// OpenButtons takes the lines of the buttons, with a bounce of 10 ms filtered by the kernel. Faults are told all at
// once, as by OpenGPIO.
func OpenButtons(pins []ButtonPin, chips []Chip) ([]lamp.Button, error) {
	var buttons []lamp.Button
	var errs []error
	for _, p := range pins {
		b, err := openButton(p, chips)
		if err != nil {
			errs = append(errs, fmt.Errorf("button %q: %w", p.ID, err))
			continue
		}
		buttons = append(buttons, b)
	}
	if len(errs) > 0 {
		for _, b := range buttons {
			errs = append(errs, b.Close())
		}
		return nil, errors.Join(errs...)
	}
	return buttons, nil
}

func openButton(p ButtonPin, chips []Chip) (*Button, error) {
	chip, offset, err := find(p.Pin, chips)
	if err != nil {
		return nil, err
	}
	b := NewButton(p.ID)
	user := "pronto button " + string(p.ID)
	b.line, err = chip.Input(offset, p.Pin.ActiveLow, user[:min(len(user), 31)], func() { b.Press() })
	if err != nil {
		return nil, fmt.Errorf("take %s (%s line %d): %w", p.Pin, chip.Name(), offset, err)
	}
	return b, nil
}

// Button is a push button. It implements lamp.Button; its methods may be called from any goroutine.
type Button struct {
	id      tel.LampID
	presses chan struct{}
	line    io.Closer // nil: a button in memory

	mu     sync.Mutex // guards closed, and that nothing is sent after close
	closed bool
}

// waitingPresses is how many presses may wait for the owner: more than a finger makes while it is busy.
const waitingPresses = 8

// NewButton returns a button in memory that nobody has pressed, for tests and for the simulated box.
func NewButton(id tel.LampID) *Button {
	return &Button{id: id, presses: make(chan struct{}, waitingPresses)}
}

// ID implements lamp.Button.
func (b *Button) ID() tel.LampID { return b.id }

// Presses implements lamp.Button; the channel is closed by Close.
func (b *Button) Presses() <-chan struct{} { return b.presses }

// Press presses the button; false when it is closed, or when nobody has taken the presses before.
func (b *Button) Press() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	select {
	case b.presses <- struct{}{}:
		return true
	default:
		return false
	}
}

// Close implements lamp.Button.
func (b *Button) Close() error {
	b.mu.Lock()
	done := b.closed
	if !done {
		b.closed = true
		close(b.presses)
	}
	b.mu.Unlock()
	if done || b.line == nil {
		return nil
	}
	return b.line.Close() // which waits for an edge that is being told, so not under the lock
}
