package light

import (
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// relayRest is how long a relay is left in a position at least: contacts weld and coils hum when they are driven faster.
const relayRest = 250 * time.Millisecond

// OnRelay makes a light that a relay switches of one on an output: it is switched four times a second at most, and what
// was wanted last is what it shows when its time has come. An error of a switching that came late is returned by the
// next Set.
func OnRelay(out lamp.Light) lamp.Light { return &relay{out: out} }

type relay struct {
	out lamp.Light

	mu     sync.Mutex // guards all below
	on     bool       // its position
	moved  time.Time  // when it was last switched
	want   lamp.Level
	later  *time.Timer // switches when its rest is over; nil: nothing is due
	err    error       // of a switching that came late
	closed bool
}

// ID implements lamp.Light.
func (r *relay) ID() tel.LampID { return r.out.ID() }

// Set implements lamp.Light.
func (r *relay) Set(v lamp.Level) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	if err := r.err; err != nil {
		r.err = nil
		return err
	}
	r.want = v
	if r.later != nil {
		return nil
	}
	if rest := relayRest - time.Since(r.moved); (v.Brightness > 0) != r.on && rest > 0 {
		r.later = time.AfterFunc(rest, r.rested)
		return nil
	}
	return r.write()
}

// rested is called when the relay may be switched again.
func (r *relay) rested() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.later = nil
	if !r.closed {
		r.err = r.write()
	}
}

// write brings the relay to what is wanted. It is called with mu held.
func (r *relay) write() error {
	err := r.out.Set(r.want)
	if on := r.want.Brightness > 0; err == nil && on != r.on {
		r.on, r.moved = on, time.Now()
	}
	return err
}

// Close implements lamp.Light; it does not wait for the relay's rest.
func (r *relay) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	if r.later != nil {
		r.later.Stop()
	}
	return r.out.Close()
}
