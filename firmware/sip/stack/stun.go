package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"time"

	"github.com/pronto-pbx/pronto/firmware/sip/nat"
)

const (
	stunRTO   = 500 * time.Millisecond // RFC 8489 section 6.2.1
	stunTries = 4                      // at 0, 0.5, 1.5 and 3.5 s; given up at 7.5 s
	// maxPending bounds the binding requests that wait for their answer.
	maxPending = 256
)

// STUN asks a STUN server (RFC 8489) for the address that our UDP socket towards it has outside: the
// socket that SIP itself uses, so the port is that of SIP too. It waits up to 7.5 s for the answer:
// ErrTimeout, ErrTransport or nat.ErrRefused.
func (s *Stack) STUN(ctx context.Context, server netip.AddrPort) (netip.AddrPort, error) {
	type answer struct {
		seen netip.AddrPort
		err  error
	}
	got := make(chan answer, 1)
	cancel := s.binding(s.flowTo("udp", server), func(seen netip.AddrPort, err error) { got <- answer{seen, err} })
	defer cancel()
	select {
	case a := <-got:
		return a.seen, a.err
	case <-ctx.Done():
		return netip.AddrPort{}, ctx.Err()
	}
}

// binding sends a binding request on a flow and calls done once, from any goroutine, unless it is
// cancelled before.
func (s *Stack) binding(f Flow, done func(netip.AddrPort, error)) (cancel func()) {
	var id nat.ID
	_, _ = rand.Read(id[:]) // never fails
	key := string(id[:])
	p := &s.public
	take := func() bool { // whoever takes it out of the table may call done
		p.mu.Lock()
		defer p.mu.Unlock()
		_, waits := p.pending[id]
		delete(p.pending, id)
		return waits
	}
	p.mu.Lock()
	if p.pending == nil {
		p.pending = make(map[nat.ID]func(netip.AddrPort, error))
	}
	full := len(p.pending) >= maxPending
	if !full {
		p.pending[id] = done
	}
	p.mu.Unlock()
	if full {
		done(netip.AddrPort{}, ErrTransport)
		return func() {}
	}
	var send func(try int)
	send = func(try int) {
		p.mu.Lock()
		_, waits := p.pending[id]
		p.mu.Unlock()
		if !waits {
			return
		}
		err := ErrTimeout
		if try < stunTries {
			if err = s.transmit(f, nat.Request(id), nil); err == nil {
				s.After(key, stunRTO<<try, func() { send(try + 1) })
				return
			}
		}
		if take() {
			done(netip.AddrPort{}, transportOrTimeout(err))
		}
	}
	send(0)
	return func() { take() }
}

func transportOrTimeout(err error) error {
	if errors.Is(err, ErrTimeout) {
		return err
	}
	return transportError(err)
}

// stunAnswer takes a datagram that answers a binding request of ours.
func (s *Stack) stunAnswer(raw []byte) bool {
	if !nat.IsSTUN(raw) {
		return false
	}
	id, seen, err := nat.Parse(raw)
	p := &s.public
	p.mu.Lock()
	done := p.pending[id]
	delete(p.pending, id)
	p.mu.Unlock()
	if done == nil {
		return false
	}
	done(seen, err)
	return true
}
