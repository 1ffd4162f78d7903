package light

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/lamp"
)

// Supply cuts the supply of a modem by an output: while that is lit the modem has none. It implements line.Supply.
type Supply struct {
	open  func() (lamp.Light, error)
	lasts time.Duration

	mu     sync.Mutex // held for a whole Cycle: Close waits for it
	out    lamp.Light // nil: it could not be opened yet
	closed bool
}

// OpenSupply takes the output, dark, and returns what cuts the supply for a time. The error says that the output could
// not be taken; it is tried again by each Cycle, so the Supply is of use all the same.
func OpenSupply(open func() (lamp.Light, error), lasts time.Duration) (*Supply, error) {
	s := &Supply{open: open, lasts: lasts}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s, s.take()
}

// take opens the output. It is called with mu held.
func (s *Supply) take() (err error) {
	if s.out == nil {
		s.out, err = s.open()
	}
	return err
}

// Cycle implements line.Supply.
func (s *Supply) Cycle(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if err := s.take(); err != nil {
		return err
	}
	if err := s.out.Set(lamp.Level{Brightness: 255, R: 255, G: 255, B: 255}); err != nil {
		return errors.Join(fmt.Errorf("cut the supply: %w", err), s.out.Set(lamp.Level{}))
	}
	t := time.NewTimer(s.lasts)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done(): // a modem that is left without its supply would be worse than one that was not restarted
	}
	if err := s.out.Set(lamp.Level{}); err != nil {
		// The pin is released and taken anew by the next try, which begins with the supply on.
		err = errors.Join(fmt.Errorf("give the supply back: %w", err), s.out.Close())
		s.out = nil
		return err
	}
	return ctx.Err()
}

// Close implements line.Supply.
func (s *Supply) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.out == nil {
		s.closed = true
		return nil
	}
	s.closed = true
	return s.out.Close()
}
