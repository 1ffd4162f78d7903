package stack

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// udpBuffer is asked of the kernel for each socket, so that a burst survives a busy moment.
const udpBuffer = 1 << 20

// udpSocket is a listening socket as ServeUDP reads it. sipgo calls ReadFrom, parses and hands over
// the message in one goroutine, one datagram after the other, so the fields below need no lock.
type udpSocket struct {
	*net.UDPConn
	stack *Stack
	name  linkName
	local netip.AddrPort

	source  netip.AddrPort // of the datagram that sipgo works on
	size    int
	pending bool   // no message has come of it yet
	last    []byte // that datagram
}

// ListenUDP opens a socket, or takes the one that the supervisor kept; then what queued in it while
// nobody read is thrown away, since its senders have repeated or given up. Reading starts with Serve.
func (s *Stack) ListenUDP(addr netip.AddrPort) error {
	conn, err := s.takeUDP(addr)
	if err != nil {
		return err
	}
	taken := conn != nil
	if !taken {
		if conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr)); err != nil {
			return listenError("udp", addr, err)
		}
	}
	s.mark(conn, s.cfg.DSCP)
	_ = conn.SetReadBuffer(udpBuffer) // the kernel may give less; nothing depends on it
	sock := &udpSocket{UDPConn: conn, stack: s, local: addrPortOf(conn.LocalAddr())}
	if err := s.links.addUDP(sock); err != nil {
		return errors.Join(err, conn.Close())
	}
	if !taken { // else the supervisor still has its duplicate
		s.keep(keptName("sip-udp", askedFor(addr, sock.local)), conn)
	}
	if s.handler.Load() != nil {
		s.startReading()
	}
	return nil
}

// serve runs sipgo's reader for as long as the socket is open. A panic of its parser, or a read
// error, ends one round and not the listener.
func (u *udpSocket) serve() {
	defer u.stack.wg.Done()
	for !u.stack.links.isClosed() {
		u.stack.guard("udp parser", func() { _ = u.stack.layer.ServeUDP(u) })
		if !u.stack.links.isClosed() {
			time.Sleep(10 * time.Millisecond) // a socket that only fails must not eat a processor
		}
	}
}

// ReadFrom returns the next datagram that is worth parsing. The address is the socket's name, so
// that sipgo remembers one source, not every source.
func (u *udpSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	if u.pending { // the parser refused the last datagram; it is still in the buffer
		u.pending = false
		u.stack.refusedByParser(b[:min(u.size, len(b))], u.flow(), "400", "Bad Request")
	}
	for {
		n, src, err := u.ReadFromUDPAddrPort(b)
		if err != nil {
			return 0, nil, err
		}
		src = netip.AddrPortFrom(src.Addr().Unmap(), src.Port())
		if !u.stack.admitted(src, b[:n]) {
			continue
		}
		u.source, u.size = src, n
		if n == len(b) { // longer than the buffer: its end is lost
			u.stack.refusedByParser(b[:n], u.flow(), "513", "Message Too Large")
			continue
		}
		u.pending, u.last = true, b[:n]
		return n, u.name, nil
	}
}

func (u *udpSocket) flow() Flow { return Flow{Transport: "udp", Local: u.local, Remote: u.source} }

func (u *udpSocket) arrived() Flow {
	u.pending = false
	return u.flow()
}

func (u *udpSocket) text() []byte { return u.last }

// writeUDP sends one datagram.
func (s *Stack) writeUDP(to Flow, raw []byte) error {
	sock := s.links.udpFor(to)
	if sock == nil {
		return fmt.Errorf("%w: no UDP socket for %s", ErrTransport, to.Local)
	}
	if len(raw) > mtuPolicy {
		if len(raw) > s.cfg.MaxDatagram {
			return fmt.Errorf("%w: %d bytes are too many for UDP", ErrTransport, len(raw))
		}
		s.count.oversize.Add(1)
	}
	if m := s.markings.of(to.Remote.Addr()); m != nil {
		_, _, err := sock.WriteMsgUDPAddrPort(raw, m.control, to.Remote)
		return err
	}
	_, err := sock.WriteToUDPAddrPort(raw, to.Remote)
	return err
}

// listenError says in words why a port cannot be had.
func listenError(network string, addr netip.AddrPort, err error) error {
	name := strings.ToUpper(network)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("SIP cannot listen on %s %s: another program uses this port: %w", name, addr, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("SIP cannot listen on %s %s: this machine has no such address: %w", name, addr, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("SIP cannot listen on %s %s: the system does not allow this port: %w", name, addr, err)
	}
	return fmt.Errorf("SIP cannot listen on %s %s: %w", name, addr, err)
}

func addrPortOf(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		ap = a.AddrPort()
	case *net.TCPAddr:
		ap = a.AddrPort()
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
