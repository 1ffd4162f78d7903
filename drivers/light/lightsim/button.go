package lightsim

import (
	"sync"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Button is a push button in memory, for tests and for the simulated box. It implements lamp.Button;
// its methods may be called from any goroutine.
type Button struct {
	id      tel.LampID
	presses chan struct{}

	mu     sync.Mutex // guards closed, and that nothing is sent after close
	closed bool
}

// waitingPresses is how many presses may wait for the owner: more than a finger makes while it is busy.
const waitingPresses = 8

// NewButton returns a button that nobody has pressed.
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
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		close(b.presses)
	}
	return nil
}
