package selfcall

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

// wire is a network in memory, whose time is that of the test.
type wire struct {
	mu      sync.Mutex // guards both
	sockets map[netip.AddrPort]*socket
	next    uint16
}

type datagram struct {
	raw  []byte
	from netip.AddrPort
}

type socket struct {
	w      *wire
	at     netip.AddrPort
	in     chan datagram
	closed chan struct{}
	once   sync.Once
}

func newWire() *wire { return &wire{sockets: map[netip.AddrPort]*socket{}, next: 40000} }

// listen is a Listen.
func (w *wire) listen(_ context.Context, at netip.Addr) (net.PacketConn, error) {
	w.mu.Lock()
	w.next++
	port := w.next
	w.mu.Unlock()
	return w.bind(netip.AddrPortFrom(at, port)), nil
}

func (w *wire) bind(at netip.AddrPort) *socket {
	s := &socket{w: w, at: at, in: make(chan datagram, 256), closed: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sockets[at] = s
	return s
}

func (s *socket) ReadFrom(p []byte) (int, net.Addr, error) {
	select {
	case d := <-s.in:
		return copy(p, d.raw), net.UDPAddrFromAddrPort(d.from), nil
	case <-s.closed:
		return 0, nil, net.ErrClosed
	}
}

func (s *socket) WriteTo(p []byte, to net.Addr) (int, error) {
	s.w.mu.Lock()
	peer := s.w.sockets[to.(*net.UDPAddr).AddrPort()]
	s.w.mu.Unlock()
	if peer != nil {
		select {
		case peer.in <- datagram{bytes.Clone(p), s.at}:
		default: // a full socket drops
		}
	}
	return len(p), nil
}

func (s *socket) Close() error                     { s.once.Do(func() { close(s.closed) }); return nil }
func (s *socket) LocalAddr() net.Addr              { return net.UDPAddrFromAddrPort(s.at) }
func (s *socket) SetDeadline(time.Time) error      { return nil }
func (s *socket) SetReadDeadline(time.Time) error  { return nil }
func (s *socket) SetWriteDeadline(time.Time) error { return nil }
