package load

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Audio is a set of RTP sockets that send 50 packets of G.711 a second each and measure how long
// the box takes to bring each packet to the other side. One epoll instance and raw system calls
// keep it cheap, since it shares the machine with the box.
type Audio struct {
	epoll int
	socks []audioSocket
}

type audioSocket struct {
	fd   int
	addr netip.AddrPort
}

// NewAudio opens n sockets on free ports of a loopback address.
func NewAudio(ip string, n int) (a *Audio, err error) {
	a = &Audio{epoll: -1}
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	if a.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return a, err
	}
	host := netip.MustParseAddr(ip)
	for i := range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return a, err
		}
		a.socks = append(a.socks, audioSocket{fd: fd})
		if err := errors.Join(
			unix.Bind(fd, &unix.SockaddrInet4{Addr: host.As4()}),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
			unix.EpollCtl(a.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}),
		); err != nil {
			return a, err
		}
		local, err := unix.Getsockname(fd)
		if err != nil {
			return a, err
		}
		a.socks[i].addr = netip.AddrPortFrom(host, uint16(local.(*unix.SockaddrInet4).Port))
	}
	return a, nil
}

// Close closes the sockets.
func (a *Audio) Close() {
	for _, s := range a.socks {
		_ = unix.Close(s.fd)
	}
	if a.epoll >= 0 {
		_ = unix.Close(a.epoll)
	}
	a.socks, a.epoll = nil, -1
}

// Addr is where the i-th socket receives.
func (a *Audio) Addr(i int) netip.AddrPort { return a.socks[i].addr }

// Heard is what came of the packets.
type Heard struct {
	Sent, Received int
	P50, P99, Max  time.Duration // from before sendto to the kernel's receive stamp behind the box
}

const (
	rtpHeader = 12
	rtpSize   = rtpHeader + 160
	alawPT    = 8
)

// settle is how long packets that are under way when sending ends are still collected.
const settle = 500 * time.Millisecond

// Talk sends from every socket i to to[i] for d, spread over each 20 ms as independent phones are.
// First is the sequence number to begin with, so that a second talk continues the first.
func (a *Audio) Talk(to []netip.AddrPort, d time.Duration, first uint16) Heard {
	got := make(chan []time.Duration)
	stop := time.Now().Add(d + settle)
	go func() { got <- a.collect(stop) }()
	sent := a.spray(to, d, first)
	delays := <-got
	slices.Sort(delays)
	h := Heard{Sent: sent, Received: len(delays)}
	if n := len(delays); n > 0 {
		h.P50, h.P99, h.Max = delays[n/2], delays[n*99/100], delays[n-1]
	}
	return h
}

func (a *Audio) spray(to []netip.AddrPort, d time.Duration, first uint16) (sent int) {
	addrs := make([]unix.RawSockaddrInet4, len(to))
	for i, ap := range to {
		addrs[i].Family = unix.AF_INET
		binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&addrs[i].Port))[:], ap.Port())
		addrs[i].Addr = ap.Addr().As4()
	}
	b := make([]byte, rtpSize)
	b[0] = 0x80
	group := (len(to) + 19) / 20
	begin := time.Now()
	for slot := 0; ; slot++ {
		due := time.Duration(slot) * time.Millisecond
		if due >= d {
			return sent
		}
		time.Sleep(due - time.Since(begin))
		frame := uint32(first) + uint32(slot/20)
		for i := slot % 20 * group; i < min((slot%20+1)*group, len(to)); i++ {
			b[1] = alawPT
			binary.BigEndian.PutUint16(b[2:], uint16(frame))
			binary.BigEndian.PutUint32(b[4:], 160*frame)
			binary.BigEndian.PutUint32(b[8:], uint32(i+1))
			binary.BigEndian.PutUint64(b[rtpHeader:], uint64(time.Now().UnixNano()))
			_, _, e := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(a.socks[i].fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
				unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&addrs[i])), unix.SizeofSockaddrInet4)
			if e == 0 {
				sent++
			}
		}
	}
}

// collect receives until stop. It sleeps instead of waiting for packets: on loopback the sender pays
// for waking the receiver, which no network would charge to the box. The kernel's stamps make the
// delays right all the same.
func (a *Audio) collect(stop time.Time) []time.Duration {
	delays := make([]time.Duration, 0, 1<<20)
	events := make([]unix.EpollEvent, 256)
	payload, oob := make([]byte, 2000), make([]byte, 128)
	iov := unix.Iovec{Base: &payload[0]}
	iov.SetLen(len(payload))
	for time.Now().Before(stop) {
		n, err := unix.EpollWait(a.epoll, events, 0)
		if err != nil || n == 0 {
			time.Sleep(2 * time.Millisecond)
			continue
		}
		for _, e := range events[:n] {
			msg := unix.Msghdr{Iov: &iov, Control: &oob[0]}
			msg.SetControllen(len(oob))
			msg.SetIovlen(1)
			got, _, errno := syscall.RawSyscall(unix.SYS_RECVMSG, uintptr(a.socks[e.Fd].fd), uintptr(unsafe.Pointer(&msg)), unix.MSG_DONTWAIT)
			if errno != 0 || got != rtpSize {
				continue // a prompt or music of the box
			}
			stamp := (*unix.Timespec)(unsafe.Pointer(&oob[unix.CmsgLen(0)])) // the only control message
			age := stamp.Nano() - int64(binary.BigEndian.Uint64(payload[rtpHeader:]))
			if age < 0 || age > int64(time.Minute) {
				continue // audio of the box's own, not a packet of ours
			}
			delays = append(delays, time.Duration(age))
		}
	}
	return delays
}
