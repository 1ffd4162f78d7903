package stack

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// links knows every open socket.
type links struct {
	mu       sync.RWMutex
	closed   bool
	reading  bool
	serial   int
	named    map[string]link
	udp      map[netip.AddrPort]*udpSocket
	unread   []*udpSocket // opened, not yet served
	streams  map[netip.AddrPort]*streamListener
	unserved []*streamListener
	flows    map[Flow]*streamConn // established
	dialled  map[Flow]*streamConn // ours, by dialKey, being dialled or established
	perAddr  map[netip.Addr]int   // accepted connections
	accepted int
	funnel   *funnel
}

func (l *links) init() {
	l.named = make(map[string]link)
	l.udp = make(map[netip.AddrPort]*udpSocket)
	l.streams = make(map[netip.AddrPort]*streamListener)
	l.flows = make(map[Flow]*streamConn)
	l.dialled = make(map[Flow]*streamConn)
	l.perAddr = make(map[netip.Addr]int)
	l.funnel = newFunnel()
}

func (l *links) byName(name string) link {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.named[name]
}

func (l *links) isClosed() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.closed
}

func (l *links) conns() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.flows)
}

// newName makes the name that sipgo sees for a socket; the lock is held.
func (l *links) newName(kind string) linkName {
	l.serial++
	return linkName(fmt.Sprintf("%s-%d", kind, l.serial))
}

func (l *links) addUDP(sock *udpSocket) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	sock.name = l.newName("udp")
	l.named[string(sock.name)] = sock
	l.udp[sock.local] = sock
	l.unread = append(l.unread, sock)
	return nil
}

// udpFor picks the socket to send from: the flow's own, else one of the same address family.
func (l *links) udpFor(f Flow) *udpSocket {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if sock := l.udp[f.Local]; sock != nil {
		return sock
	}
	var best *udpSocket
	for local, sock := range l.udp {
		switch {
		case f.Local.IsValid() && !f.Local.Addr().IsUnspecified() && local.Addr() == f.Local.Addr():
			return sock
		case !fits(local.Addr(), f.Remote.Addr()):
		case best == nil || local.Compare(best.local) < 0: // any, but always the same one
			best = sock
		}
	}
	return best
}

// anyUDP says whether we have UDP at all.
func (l *links) anyUDP() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.udp) > 0
}

// fits says whether a socket bound to local can reach remote. A socket on [::] carries IPv4 too;
// one on a loopback address reaches only this machine.
func fits(local, remote netip.Addr) bool {
	if local.IsLoopback() && !remote.IsLoopback() {
		return false
	}
	return local.Is4() == remote.Is4() || local == netip.IPv6Unspecified()
}

// listening returns our listening port for a transport at an address, or any, or 0.
func (l *links) listening(transport string, addr netip.Addr) uint16 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	port := uint16(0)
	look := func(local netip.AddrPort) {
		if local.Addr() == addr || local.Addr().IsUnspecified() || port == 0 {
			port = local.Port()
		}
	}
	if transport == "udp" {
		for local := range l.udp {
			look(local)
		}
	} else {
		for local, ln := range l.streams {
			if ln.transport == transport {
				look(local)
			}
		}
	}
	return port
}

// Addresses returns what the stack listens on for a transport: "udp", "tcp" or "tls".
func (s *Stack) Addresses(transport string) []netip.AddrPort {
	s.links.mu.RLock()
	defer s.links.mu.RUnlock()
	var all []netip.AddrPort
	if transport == "udp" {
		for a := range s.links.udp {
			all = append(all, a)
		}
	} else {
		for a, ln := range s.links.streams {
			if ln.transport == transport {
				all = append(all, a)
			}
		}
	}
	return all
}

// startReading starts the readers of all sockets that have none yet.
func (s *Stack) startReading() {
	s.adoptKept()
	l := &s.links
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if !l.reading {
		l.reading = true
		s.wg.Add(1)
		go func() {
			defer s.wg.Done()
			_ = s.layer.ServeTCP(l.funnel) // returns when the funnel closes
		}()
	}
	for _, sock := range l.unread {
		s.wg.Add(1)
		go sock.serve()
	}
	for _, ln := range l.unserved {
		s.wg.Add(1)
		go ln.serve()
	}
	l.unread, l.unserved = nil, nil
}

// closeLinks closes every socket of this process.
func (s *Stack) closeLinks() error {
	l := &s.links
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	var open []*streamConn
	for _, c := range l.flows {
		open = append(open, c)
	}
	for _, c := range l.dialled {
		open = append(open, c)
	}
	var errs []error
	for _, sock := range l.udp {
		errs = append(errs, sock.Close())
	}
	for _, ln := range l.streams {
		errs = append(errs, ln.Close())
	}
	l.mu.Unlock()
	l.funnel.shut()
	for _, c := range open {
		c.shut(closedByUs)
	}
	return errors.Join(errs...)
}

// write puts bytes on the wire.
func (s *Stack) write(to Flow, raw []byte, failed func(error)) error {
	if trace := s.cfg.Trace; trace != nil {
		trace(true, to, raw)
	}
	if to.Transport == "udp" {
		return s.writeUDP(to, raw)
	}
	return s.writeStream(to, raw, failed)
}

// Alive reports whether a flow can carry a message now: for UDP that its socket is open, for TCP
// and TLS that the connection stands. A connection that the supervisor kept is taken back by asking.
func (s *Stack) Alive(f Flow) bool {
	if f.Transport == "udp" {
		return s.links.udpFor(f) != nil
	}
	c := s.connOf(f)
	return c != nil && c.established()
}

// funnel is the one listener that sipgo accepts TCP and TLS connections from: accepted, dialled and kept
// ones arrive here alike.
type funnel struct {
	conns chan *streamConn
	done  chan struct{}
	once  sync.Once
}

func newFunnel() *funnel {
	return &funnel{conns: make(chan *streamConn), done: make(chan struct{})}
}

// Accept, Close and Addr make a funnel a net.Listener.
func (f *funnel) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.done:
		return nil, net.ErrClosed
	}
}

func (f *funnel) Close() error {
	f.shut()
	return nil
}

func (f *funnel) Addr() net.Addr { return &net.TCPAddr{} }

func (f *funnel) shut() { f.once.Do(func() { close(f.done) }) }

// put hands a connection to sipgo; false when the stack is closing.
func (f *funnel) put(c *streamConn) bool {
	select {
	case f.conns <- c:
		return true
	case <-f.done:
		return false
	}
}
