package media

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A leg of a mix is heard on the clock, however early its packets come. Waking up for each of them costs
// more than all else that a mix does, so its socket rests: the loop is not woken, and reads once a tick
// what has come. The kernel says when each packet came, so that jitter stays what it is.

const (
	// restless is how many packets in one tick are more than a phone says: the socket is read as they
	// come again, before its queue is full of a flood in which the phone's own packets would drown.
	restless = 32
	// awake is for how many ticks that lasts.
	awake = 500
	// oldest bounds how long ago a packet may have come, whatever a clock that was set says.
	oldest = time.Second
)

// rest lets a leg's RTP socket rest, or wakes it: what has come is then reported at once.
func (l *loop) rest(g *Leg, rests bool) {
	if g.rests == rests || !g.attached || g.line != nil {
		return
	}
	if rests && unix.SetsockoptInt(g.ports.rtp.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) != nil {
		return
	}
	e := unix.EpollEvent{Fd: g.rtpSlot, Pad: int32(l.slots[g.rtpSlot].generation)}
	if !rests {
		e.Events = unix.EPOLLIN
	}
	if err := unix.EpollCtl(l.epfd, unix.EPOLL_CTL_MOD, g.ports.rtp.fd, &e); err != nil {
		l.engine.trouble.note("let a socket rest", err)
		return
	}
	g.rests = rests
}

// mayRest reports whether nobody hears the leg but by way of the clock.
func (g *Leg) mayRest(tick int64) bool {
	return g.conference != nil && (g.peer == nil || !g.peer.fast) && tick >= g.awakeUntil
}

// fetch reads what has come to a resting socket since the last tick.
func (g *Leg) fetch(l *loop) {
	l.rest(g, g.mayRest(l.clock.number))
	if !g.rests {
		return
	}
	now := l.now
	defer func() { l.now = now }()
	for n := range 2 * restless {
		size, errno := l.stamped.receive(g.ports.rtp, l.buf[:], &l.from)
		if errno != 0 {
			if errno != unix.EAGAIN && errno != unix.EINTR {
				g.count.receiveErrors++
			}
			return
		}
		if n == restless {
			g.awakeUntil = l.clock.number + awake
		}
		l.now = now
		if at, ok := l.stamped.at(); ok {
			l.now -= max(0, min(l.clock.wall.Sub(at), oldest))
		}
		if size > maxPacket {
			g.count.junk++
		} else {
			l.arrived(g, l.buf[:size], &l.from)
		}
	}
}

// stamped receives datagrams with the time at which the kernel took them in.
type stamped struct {
	msg     unix.Msghdr
	iov     unix.Iovec
	control [64]byte
}

// receive is that of a socket.
func (s *stamped) receive(k *socket, buf []byte, from *address) (n int, errno syscall.Errno) {
	s.iov.Base = &buf[0]
	s.iov.SetLen(len(buf))
	s.msg = unix.Msghdr{Name: &from.raw[0], Namelen: uint32(len(from.raw)), Iov: &s.iov, Control: &s.control[0]}
	s.msg.SetIovlen(1)
	s.msg.SetControllen(len(s.control))
	r, _, e := syscall.RawSyscall(unix.SYS_RECVMSG, uintptr(k.fd), uintptr(unsafe.Pointer(&s.msg)), unix.MSG_DONTWAIT|unix.MSG_TRUNC)
	from.len = s.msg.Namelen
	return int(r), e
}

// at is when the last datagram came by the clock of the day. ok is false where the kernel does not say:
// it came before the socket rested.
func (s *stamped) at() (at time.Time, ok bool) {
	if int(s.msg.Controllen) < unix.CmsgLen(int(unsafe.Sizeof(unix.Timespec{}))) {
		return at, false
	}
	header := (*unix.Cmsghdr)(unsafe.Pointer(&s.control[0]))
	if header.Level != unix.SOL_SOCKET || header.Type != unix.SO_TIMESTAMPNS {
		return at, false
	}
	return time.Unix((*unix.Timespec)(unsafe.Pointer(&s.control[unix.CmsgLen(0)])).Unix()), true
}
