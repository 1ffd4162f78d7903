package webrtc

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/logging"
	"golang.org/x/sys/unix"
)

const (
	strangersPerSecond = 200 // all together: a page needs a few checks to become known
	knownPerSecond     = 300 // each: audio is 50, with keys, reports and checks less than 100
	mostKnown          = 1024
	forgetAfter        = time.Minute
)

// gate is the UDP port. Whoever we have answered is known: ICE-lite answers those alone who have the password of a
// session (RFC 8445 section 2.5). Strangers share one measure, so that their flood reaches no parser and costs no known
// party a packet.
type gate struct {
	*net.UDPConn
	done    chan struct{} // closed when the only reader has ended
	dropped atomic.Uint64

	mu        sync.Mutex // guards what follows
	known     map[netip.AddrPort]*allowance
	strangers allowance
}

// allowance is what one source may send in this second.
type allowance struct {
	second int64 // of Unix time
	left   int
}

func newGate(c *net.UDPConn) *gate {
	return &gate{UDPConn: c, done: make(chan struct{}), known: map[netip.AddrPort]*allowance{}}
}

func (a *allowance) take(now int64, each int) bool {
	if a.second != now {
		a.second, a.left = now, each
	}
	a.left--
	return a.left >= 0
}

// admits reports whether a packet may pass.
func (g *gate) admits(from netip.AddrPort, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a := g.known[from]; a != nil {
		return a.take(now.Unix(), knownPerSecond)
	}
	return g.strangers.take(now.Unix(), strangersPerSecond)
}

// answered makes a party known.
func (g *gate) answered(to netip.AddrPort, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known[to] != nil {
		return
	}
	if len(g.known) >= mostKnown {
		for at, a := range g.known {
			if now.Unix()-a.second > int64(forgetAfter/time.Second) {
				delete(g.known, at)
			}
		}
	}
	if len(g.known) < mostKnown {
		g.known[to] = &allowance{second: now.Unix(), left: knownPerSecond}
	}
}

// ReadFromUDPAddrPort is the next packet that may pass; it is called by the one goroutine of the mux.
func (g *gate) ReadFromUDPAddrPort(b []byte) (n int, from netip.AddrPort, err error) {
	for {
		if n, from, err = g.UDPConn.ReadFromUDPAddrPort(b); err != nil {
			return n, from, err
		}
		if from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port()); g.admits(from, time.Now()) {
			return n, from, nil
		}
		g.dropped.Add(1)
	}
}

// ReadFrom implements net.PacketConn.
func (g *gate) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := g.ReadFromUDPAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteToUDPAddrPort sends a packet to who has proved to know the password.
func (g *gate) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	g.answered(netip.AddrPortFrom(to.Addr().Unmap(), to.Port()), time.Now())
	return g.UDPConn.WriteToUDPAddrPort(b, to)
}

// WriteTo implements net.PacketConn.
func (g *gate) WriteTo(b []byte, to net.Addr) (int, error) {
	if u, ok := to.(*net.UDPAddr); ok {
		return g.WriteToUDPAddrPort(b, u.AddrPort())
	}
	return g.UDPConn.WriteTo(b, to)
}

// close frees the port, whoever has closed it before.
func (g *gate) close() { _ = g.Close() }

// mark sets the DSCP of what leaves; a kernel that refuses it costs priority and no audio.
func mark(c *net.UDPConn, dscp int) {
	raw, err := c.SyscallConn()
	if err != nil || dscp <= 0 {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, dscp<<2)
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_TCLASS, dscp<<2)
	})
}

// quiet drops what pion logs: it would write a line for each packet of a stranger. What matters is counted here, or
// told as the state of a session.
type quiet struct{}

func (quiet) NewLogger(string) logging.LeveledLogger { return quiet{} }
func (quiet) Trace(string)                           {}
func (quiet) Tracef(string, ...any)                  {}
func (quiet) Debug(string)                           {}
func (quiet) Debugf(string, ...any)                  {}
func (quiet) Info(string)                            {}
func (quiet) Infof(string, ...any)                   {}
func (quiet) Warn(string)                            {}
func (quiet) Warnf(string, ...any)                   {}
func (quiet) Error(string)                           {}
func (quiet) Errorf(string, ...any)                  {}
