package stack

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// drainLimit bounds how much is thrown away from a kept UDP socket.
const drainLimit = 100_000

// keptName names a socket for the supervisor.
func keptName(kind string, addr netip.AddrPort) string { return kind + "-" + addr.String() }

func keptConnName(f Flow) string { return keptName("sip-conn", f.Local) + "-" + f.Remote.String() }

// flowOfKept reads a name of keptConnName back.
func flowOfKept(name string) (Flow, bool) {
	rest, ok := strings.CutPrefix(name, "sip-conn-")
	if !ok {
		return Flow{}, false
	}
	local, remote, ok := strings.Cut(rest, "-")
	if !ok {
		return Flow{}, false
	}
	l, errL := netip.ParseAddrPort(local)
	r, errR := netip.ParseAddrPort(remote)
	return Flow{Transport: "tcp", Local: l, Remote: r}, errL == nil && errR == nil
}

// askedFor is the address by which the next process will ask for a socket: the configured one, of which the
// kernel may make another (0.0.0.0 is opened as [::]), with the port that it was given.
func askedFor(configured, local netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(configured.Addr(), local.Port())
}

func (s *Stack) keep(name string, conn syscall.Conn) {
	if s.cfg.Keeper == nil {
		return
	}
	if err := s.cfg.Keeper.Keep(name, conn); err != nil {
		s.log.say("keep", "the supervisor did not take a SIP socket: it will not outlive this process",
			"name", name, "err", err)
	}
}

func (s *Stack) dropKept(name string) {
	if s.cfg.Keeper != nil {
		s.cfg.Keeper.Drop(name)
	}
}

// keepConn has the supervisor keep a connection that has spoken SIP.
func (s *Stack) keepConn(c *streamConn) {
	if c.flow.Transport != "tcp" { // the keys of a TLS connection die with the process
		return
	}
	if raw, ok := c.Conn.(syscall.Conn); ok {
		s.keep(keptConnName(c.flow), raw)
	}
}

// takeUDP returns the socket kept for an address, emptied; nil when there is none.
func (s *Stack) takeUDP(addr netip.AddrPort) (*net.UDPConn, error) {
	if s.cfg.Keeper == nil {
		return nil, nil
	}
	file, ok := s.cfg.Keeper.Take(keptName("sip-udp", addr))
	if !ok {
		return nil, nil
	}
	pc, err := net.FilePacketConn(file)
	err = errors.Join(err, file.Close())
	conn, ok := pc.(*net.UDPConn)
	if err != nil || !ok {
		return nil, fmt.Errorf("the socket kept for UDP %s cannot be used: %w", addr, err)
	}
	s.drainUDP(conn)
	return conn, nil
}

// drainUDP throws away what queued in a socket.
func (s *Stack) drainUDP(conn *net.UDPConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	var b [1]byte
	_ = raw.Read(func(fd uintptr) bool {
		for range drainLimit {
			if _, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_DONTWAIT); err != nil {
				if errors.Is(err, syscall.EINTR) {
					continue
				}
				break
			}
			s.count.drained.Add(1)
		}
		return true
	})
}

// takeListener returns the listener kept for a transport at an address; nil when there is none.
func (s *Stack) takeListener(transport string, addr netip.AddrPort) (*net.TCPListener, error) {
	if s.cfg.Keeper == nil {
		return nil, nil
	}
	file, ok := s.cfg.Keeper.Take(keptName("sip-"+transport, addr))
	if !ok {
		return nil, nil
	}
	l, err := net.FileListener(file)
	err = errors.Join(err, file.Close())
	ln, ok := l.(*net.TCPListener)
	if err != nil || !ok {
		return nil, fmt.Errorf("the listener kept for %s %s cannot be used: %w", transport, addr, err)
	}
	return ln, nil
}

// adopt takes back the connection of a flow that the supervisor kept; nil when there is none. A
// connection in the middle of a message breaks at its first line and is opened again by the phone.
func (s *Stack) adopt(f Flow) *streamConn {
	if s.cfg.Keeper == nil || !f.Local.IsValid() || f.Local.Port() == 0 {
		return nil
	}
	file, ok := s.cfg.Keeper.Take(keptConnName(f))
	if !ok {
		return nil
	}
	conn, err := net.FileConn(file)
	err = errors.Join(err, file.Close())
	raw, ok := conn.(*net.TCPConn)
	if err != nil || !ok || addrPortOf(raw.RemoteAddr()) != f.Remote {
		if conn != nil {
			_ = conn.Close()
		}
		s.dropKept(keptConnName(f))
		return nil
	}
	s.links.mu.RLock()
	inbound := !s.links.ours(f)
	s.links.mu.RUnlock()
	c := s.newConn(f, inbound)
	if !s.establish(c, raw, raw, true) {
		_ = raw.Close()
		return nil
	}
	go c.writeLoop()
	s.wg.Add(1)
	go func() { // the caller may be a shard, which never waits
		defer s.wg.Done()
		s.handOver(c)
	}()
	return c
}

// adoptKept takes back every connection that the supervisor can name; the others come back when
// Alive or a message asks for them.
func (s *Stack) adoptKept() {
	lister, ok := s.cfg.Keeper.(interface{ Untaken() []string })
	if !ok {
		return
	}
	for _, name := range lister.Untaken() {
		if f, ok := flowOfKept(name); ok {
			s.adopt(f)
		}
	}
}
