package stack

import (
	"cmp"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
)

// marking is one Mark that stands.
type marking struct {
	serial int // the younger one is the greater
	net    netip.Prefix
	dscp   int
	// control is the ancillary data that marks one datagram, whose socket may be of either family.
	control []byte
}

// markings are all that stand, in the order in which they are looked through.
type markings struct {
	mu     sync.Mutex // for who changes them
	serial int
	list   atomic.Pointer[[]marking] // never changed, only replaced; nil when there are none
}

// Mark has what we send to these networks carry another DSCP than Config.DSCP, 0 to 63, whatever the
// transport, and on connections that stand already; stop takes it back. The narrowest network that
// holds an address decides, and among equals the one that was marked last.
func (s *Stack) Mark(to []netip.Prefix, dscp int) (stop func()) {
	m := &s.markings
	m.mu.Lock()
	defer m.mu.Unlock()
	m.serial++
	serial := m.serial
	var list []marking
	if all := m.list.Load(); all != nil {
		list = slices.Clone(*all)
	}
	for _, p := range to {
		list = append(list, marking{serial: serial, net: p.Masked(), dscp: dscp, control: ancillary(p.Addr(), dscp)})
	}
	slices.SortStableFunc(list, func(a, b marking) int {
		return cmp.Or(cmp.Compare(b.net.Bits(), a.net.Bits()), cmp.Compare(b.serial, a.serial))
	})
	m.list.Store(&list)
	s.markAgain()
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		left := slices.DeleteFunc(slices.Clone(*m.list.Load()), func(k marking) bool { return k.serial == serial })
		m.list.Store(&left)
		s.markAgain()
	}
}

// of finds what Mark said of an address, nil when it said nothing.
func (m *markings) of(remote netip.Addr) *marking {
	all := m.list.Load()
	if all == nil {
		return nil
	}
	for i := range *all {
		if (*all)[i].net.Contains(remote.WithZone("")) {
			return &(*all)[i]
		}
	}
	return nil
}

// dscpTo is the mark of what goes to an address.
func (s *Stack) dscpTo(remote netip.Addr) int {
	if m := s.markings.of(remote); m != nil {
		return m.dscp
	}
	return s.cfg.DSCP
}

// markAgain gives the connections that stand the marks that hold now.
func (s *Stack) markAgain() {
	s.links.mu.RLock()
	defer s.links.mu.RUnlock()
	for f, c := range s.links.flows {
		s.mark(c.raw, s.dscpTo(f.Remote.Addr()))
	}
}

// mark writes a DSCP into every packet that a socket will send (RFC 4594 recommends CS3, 24, for
// signalling). A socket of IPv6 that also carries IPv4 has a mark for each.
func (s *Stack) mark(conn syscall.Conn, dscp int) {
	if dscp == 0 && s.markings.list.Load() == nil {
		return // the kernel's own choice, which nobody has changed
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return // the socket is closed
	}
	if err := raw.Control(func(fd uintptr) { err = markFD(int(fd), dscp) }); err != nil {
		return
	}
	if err != nil {
		s.log.say("dscp", "SIP packets leave without their mark", "dscp", dscp, "err", err)
	}
}

// markFD succeeds when one of the two families took the mark.
func markFD(fd, dscp int) error {
	four := syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, syscall.IP_TOS, dscp<<2)
	six := syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_TCLASS, dscp<<2)
	if four != nil && six != nil {
		return errors.Join(four, six)
	}
	return nil
}

// ancillary is the control message (cmsg(3)) by which one datagram to an address carries a mark. What
// an IPv6 socket sends to an IPv4 address takes that of IPv4.
func ancillary(remote netip.Addr, dscp int) []byte {
	level, kind := uint32(syscall.IPPROTO_IP), uint32(syscall.IP_TOS)
	if remote.Is6() && !remote.Is4In6() {
		level, kind = syscall.IPPROTO_IPV6, syscall.IPV6_TCLASS
	}
	b := make([]byte, syscall.CmsgSpace(4))
	if syscall.SizeofCmsghdr == 16 { // the length is a size_t
		binary.NativeEndian.PutUint64(b, uint64(syscall.CmsgLen(4)))
	} else {
		binary.NativeEndian.PutUint32(b, uint32(syscall.CmsgLen(4)))
	}
	binary.NativeEndian.PutUint32(b[syscall.SizeofCmsghdr-8:], level)
	binary.NativeEndian.PutUint32(b[syscall.SizeofCmsghdr-4:], kind)
	binary.NativeEndian.PutUint32(b[syscall.SizeofCmsghdr:], uint32(dscp)<<2)
	return b
}
