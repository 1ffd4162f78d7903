package media

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// address is a socket address in the kernel's own layout, so that a packet is received, compared
// and sent without conversion or allocation. Bytes that the address family does not use are zero;
// the kernel writes them so too, which makes raw comparable.
type address struct {
	raw [unix.SizeofSockaddrInet6]byte
	len uint32
}

// set reports whether the address names anything.
func (a *address) set() bool { return a.len != 0 }

// same compares family, host and port.
func (a *address) same(b *address) bool { return a.raw == b.raw }

// sameHost compares family and host without the port.
func (a *address) sameHost(b *address) bool {
	x, y := a.raw, b.raw
	x[2], x[3], y[2], y[3] = 0, 0, 0, 0
	return x == y
}

// addrPort returns the address for people, snapshots and events.
func (a *address) addrPort() netip.AddrPort {
	port := binary.BigEndian.Uint16(a.raw[2:])
	switch int(binary.NativeEndian.Uint16(a.raw[:])) {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a.raw[4:8])), port)
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(a.raw[8:24])).Unmap(), port)
	}
	return netip.AddrPort{}
}

// socket is one non-blocking UDP socket. Only the loop that owns it reads, writes or closes it.
type socket struct {
	fd     int
	family int
	port   uint16
}

// openSocket binds a UDP socket to bind:port.
func openSocket(bind netip.Addr, port uint16) (*socket, error) {
	family := unix.AF_INET
	if bind.Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return nil, fmt.Errorf("open a UDP socket: %w", err)
	}
	var local unix.Sockaddr
	if family == unix.AF_INET {
		local = &unix.SockaddrInet4{Port: int(port), Addr: bind.As4()}
	} else {
		local = &unix.SockaddrInet6{Port: int(port), Addr: bind.As16()}
	}
	if err := unix.Bind(fd, local); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("bind UDP port %d: %w", port, err)
	}
	return &socket{fd: fd, family: family, port: port}, nil
}

// mark writes a DSCP into every packet that the socket will send; 0 takes the mark away.
func (s *socket) mark(dscp int) error {
	if s.family == unix.AF_INET6 {
		return unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, dscp<<2)
	}
	return unix.SetsockoptInt(s.fd, unix.IPPROTO_IP, unix.IP_TOS, dscp<<2)
}

// adoptSocket turns a file that a keeper held back into a socket, after checking that it is bound
// to the port it claims. The file is closed in any case.
func adoptSocket(f *os.File, port uint16) (*socket, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("kept socket of port %d: %w", port, err)
	}
	fd := -1
	if cerr := raw.Control(func(old uintptr) {
		fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 3)
	}); cerr != nil {
		err = cerr
	}
	_ = f.Close()
	if err != nil {
		return nil, fmt.Errorf("duplicate the kept socket of port %d: %w", port, err)
	}
	s := &socket{fd: fd, port: port}
	local, err := unix.Getsockname(fd)
	bound := 0
	switch l := local.(type) {
	case *unix.SockaddrInet4:
		s.family, bound = unix.AF_INET, l.Port
	case *unix.SockaddrInet6:
		s.family, bound = unix.AF_INET6, l.Port
	}
	if err == nil && bound != int(port) {
		err = fmt.Errorf("it is bound to port %d", bound)
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("kept socket of port %d: %w", port, err)
	}
	s.discardQueue()
	return s, nil
}

// discardQueue throws away what arrived while nobody listened: old audio would only add delay.
func (s *socket) discardQueue() {
	var scratch [1]byte
	var from address
	// Bounded: a flood must not hold the caller here.
	for range 10000 {
		if _, errno := s.receive(scratch[:], &from); errno != 0 {
			return
		}
	}
}

func (s *socket) close() { _ = unix.Close(s.fd) }

// address converts ap for use with this socket; the zero address stands for an invalid ap or one
// of a family that the socket cannot reach.
func (s *socket) address(ap netip.AddrPort) (a address) {
	if !ap.IsValid() || ap.Port() == 0 {
		return a
	}
	host := ap.Addr().Unmap()
	switch {
	case s.family == unix.AF_INET && host.Is4():
		v4 := host.As4()
		copy(a.raw[4:8], v4[:])
		a.len = unix.SizeofSockaddrInet4
	case s.family == unix.AF_INET6:
		v6 := host.As16()
		copy(a.raw[8:24], v6[:])
		a.len = unix.SizeofSockaddrInet6
	default:
		return a
	}
	binary.NativeEndian.PutUint16(a.raw[0:], uint16(s.family))
	binary.BigEndian.PutUint16(a.raw[2:], ap.Port())
	return a
}

// receive reads one datagram without waiting. n is the length of the datagram even when buf is
// shorter. The raw system call is safe for the scheduler because MSG_DONTWAIT never blocks.
func (s *socket) receive(buf []byte, from *address) (n int, errno syscall.Errno) {
	from.len = uint32(len(from.raw))
	r, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(s.fd),
		uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)),
		unix.MSG_DONTWAIT|unix.MSG_TRUNC,
		uintptr(unsafe.Pointer(&from.raw[0])), uintptr(unsafe.Pointer(&from.len)))
	return int(r), e
}

// send writes one datagram without waiting.
func (s *socket) send(b []byte, to *address) syscall.Errno {
	_, _, e := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(s.fd),
		uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL,
		uintptr(unsafe.Pointer(&to.raw[0])), uintptr(to.len))
	return e
}

// SyscallConn lets a SocketKeeper duplicate the descriptor.
func (s *socket) SyscallConn() (syscall.RawConn, error) { return rawSocket{s.fd}, nil }

// rawSocket shows the descriptor of a socket that the Go runtime's poller does not know.
type rawSocket struct{ fd int }

// Control calls f with the descriptor.
func (r rawSocket) Control(f func(fd uintptr)) error {
	f(uintptr(r.fd))
	return nil
}

// Read is refused: only the loop reads.
func (rawSocket) Read(func(fd uintptr) bool) error { return syscall.EOPNOTSUPP }

// Write is refused: only the loop writes.
func (rawSocket) Write(func(fd uintptr) bool) error { return syscall.EOPNOTSUPP }
