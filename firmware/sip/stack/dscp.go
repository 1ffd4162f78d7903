package stack

import (
	"errors"
	"syscall"
)

// mark writes Config.DSCP into every packet that a socket will send (RFC 4594 recommends CS3, 24, for
// signalling). A socket of IPv6 that also carries IPv4 has a mark for each.
func (s *Stack) mark(conn syscall.Conn) {
	if s.cfg.DSCP == 0 {
		return
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return // the socket is closed
	}
	if err := raw.Control(func(fd uintptr) { err = markFD(int(fd), s.cfg.DSCP) }); err != nil {
		return
	}
	if err != nil {
		s.log.say("dscp", "SIP packets leave without their mark", "dscp", s.cfg.DSCP, "err", err)
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
