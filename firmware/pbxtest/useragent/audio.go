package useragent

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Audio is a set of RTP sockets that send 50 packets a second each and measure how long the server
// takes to bring each packet to the other side. One epoll instance and raw system calls keep it
// cheap, since it shares the machine with the server. Either Talk or Run sends; its other methods are
// safe from any goroutine.
type Audio struct {
	codec Codec
	signs *signs
	run   uint16
	epoll int
	talk  []*Stream // of NewAudio

	sending sync.Mutex
	slots   [20][]*Stream // who sends in which millisecond of 20
	late    Spread        // how much later than due each millisecond's packets left

	mu      sync.Mutex // of all that is received; never taken before sending
	serial  uint32
	streams map[uint32]*Stream
	at      map[netip.AddrPort]*Stream
	ways    [3]Spread
}

// Way is a direction of audio, as its delay is counted.
type Way uint8

// The ways.
const (
	ToAnswerer Way = iota // from who called to who answered
	ToCaller
	Echoed // back to who sent it: both ways in one
)

// OpenAudio makes a set without sockets.
func OpenAudio(c Codec) (*Audio, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &Audio{codec: c, signs: signsOf(c), run: uint16(rand.Uint32()), epoll: epoll, streams: map[uint32]*Stream{}, at: map[netip.AddrPort]*Stream{}}, nil
}

// NewAudio opens n sockets on free ports of a loopback address, for Talk in PCMA.
func NewAudio(ip string, n int) (*Audio, error) {
	a, err := OpenAudio(PCMA)
	if err != nil {
		return nil, err
	}
	host, err := netip.ParseAddr(ip)
	for i := 0; i < n && err == nil; i++ {
		var s *Stream
		s, err = a.Open(host, i%2 == 0)
		a.talk = append(a.talk, s)
	}
	if err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// Open makes a socket for the audio of one side of one call: the caller's or the other. Close it.
func (a *Audio) Open(ip netip.Addr, caller bool) (*Stream, error) {
	if !ip.Is4() {
		return nil, fmt.Errorf("audio at %s: only IPv4 is spoken", ip)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("audio socket: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.serial++
	s := &Stream{audio: a, fd: fd, id: a.serial, caller: caller, slot: -1}
	err = errors.Join(
		unix.Bind(fd, &unix.SockaddrInet4{Addr: ip.As4()}),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.EpollCtl(a.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(s.id)}),
	)
	if err == nil {
		var local unix.Sockaddr
		if local, err = unix.Getsockname(fd); err == nil {
			s.addr = netip.AddrPortFrom(ip, uint16(local.(*unix.SockaddrInet4).Port))
		}
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("audio socket at %s: %w", ip, err)
	}
	a.streams[s.id], a.at[s.addr] = s, s
	return s, nil
}

// Close closes all sockets. Talk and Run must have ended.
func (a *Audio) Close() {
	a.mu.Lock()
	all := make([]*Stream, 0, len(a.streams))
	for _, s := range a.streams {
		all = append(all, s)
	}
	a.mu.Unlock()
	for _, s := range all {
		s.Close()
	}
	if a.epoll >= 0 {
		_ = unix.Close(a.epoll)
	}
	a.talk, a.epoll = nil, -1
}

// Addr is where the i-th socket of NewAudio receives.
func (a *Audio) Addr(i int) netip.AddrPort { return a.talk[i].addr }

// Delay is how long packets took on one way, from before sendto to the kernel's receive stamp behind
// the server.
func (a *Audio) Delay(w Way) Spread {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ways[w].clone()
}

// Late is how much later than due packets left: what the generator's machine does to the figures.
func (a *Audio) Late() Spread {
	a.sending.Lock()
	defer a.sending.Unlock()
	return a.late.clone()
}

// Heard is what came of the packets.
type Heard struct {
	Sent, Received int
	P50, P99, Max  time.Duration // from before sendto to the kernel's receive stamp behind the box
}

// Settle is how long packets that are under way when sending ends are still collected.
const Settle = 500 * time.Millisecond

// Talk sends from every socket i of NewAudio to to[i] for d, spread over each 20 ms as independent
// phones are. A second talk continues the first.
func (a *Audio) Talk(to []netip.AddrPort, d time.Duration) Heard {
	a.mu.Lock()
	a.ways = [3]Spread{}
	a.mu.Unlock()
	talking := a.talk[:len(to)]
	for i, s := range talking {
		s.Start(to[i])
	}
	ctx, stop := context.WithTimeout(context.Background(), d+Settle)
	defer stop()
	collected := make(chan struct{})
	go func() { defer close(collected); a.collect(ctx) }()
	h := Heard{Sent: a.spray(ctx, int(d/time.Millisecond))}
	for _, s := range talking {
		s.Stop()
	}
	<-collected
	all := a.Delay(ToAnswerer)
	for _, w := range []Way{ToCaller, Echoed} {
		other := a.Delay(w)
		all.join(&other)
	}
	h.Received, h.P50, h.P99, h.Max = all.N(), all.Quantile(0.5), all.Quantile(0.99), all.Max()
	return h
}

// Run sends for the streams that were started, and receives for all, until ctx ends.
func (a *Audio) Run(ctx context.Context) {
	var collected sync.WaitGroup
	collected.Go(func() { a.collect(ctx) })
	a.spray(ctx, -1)
	collected.Wait()
}

// spray sends in each of so many milliseconds what is due in it; in all until ctx ends when less
// than 0.
func (a *Audio) spray(ctx context.Context, slots int) (sent int) {
	b := make([]byte, rtpHeader+frameSize)
	b[0] = 0x80
	begin := time.Now()
	for slot := 0; slot != slots && ctx.Err() == nil; slot++ {
		due := begin.Add(time.Duration(slot) * time.Millisecond)
		time.Sleep(time.Until(due))
		a.sending.Lock()
		if now := a.slots[slot%20]; len(now) > 0 {
			a.late.Add(time.Since(due))
			for _, s := range now {
				sent += s.send(b)
			}
		}
		a.sending.Unlock()
	}
	return sent
}

const rtpHeader = 12

// send is called with sending held.
func (s *Stream) send(b []byte) int {
	a := s.audio
	b[1] = a.codec.PT
	if s.sent == 0 {
		b[1] |= 0x80 // the first of a talk
	}
	binary.BigEndian.PutUint16(b[2:], uint16(s.seq))
	binary.BigEndian.PutUint32(b[4:], frameSize*s.seq)
	binary.BigEndian.PutUint32(b[8:], uint32(a.run)<<16+s.id)
	mark{s.id, s.seq, time.Now().UnixNano()}.put(b[rtpHeader:], a.run, a.signs)
	s.seq++
	_, _, e := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(s.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&s.to)), unix.SizeofSockaddrInet4)
	if e != 0 && e != unix.ECONNREFUSED {
		s.unsent++ // counts as sent all the same: who waits for it hears a gap
	}
	s.sent++
	return 1
}

// collect receives until ctx ends. It sleeps instead of waiting for packets: on loopback the sender pays
// for waking the receiver, which no network would charge to the server. The kernel's stamps make the
// delays right all the same.
func (a *Audio) collect(ctx context.Context) {
	events := make([]unix.EpollEvent, 256)
	payload, oob := make([]byte, 2000), make([]byte, 128)
	iov := unix.Iovec{Base: &payload[0]}
	iov.SetLen(len(payload))
	for ctx.Err() == nil {
		n, err := unix.EpollWait(a.epoll, events, 0)
		if err != nil || n == 0 {
			time.Sleep(2 * time.Millisecond)
			continue
		}
		a.mu.Lock()
		for _, e := range events[:n] {
			s := a.streams[uint32(e.Fd)]
			if s == nil {
				continue // closed a moment ago
			}
			msg := unix.Msghdr{Iov: &iov, Control: &oob[0]}
			msg.SetControllen(len(oob))
			msg.SetIovlen(1)
			got, _, errno := syscall.RawSyscall(unix.SYS_RECVMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&msg)), unix.MSG_DONTWAIT)
			if errno != 0 {
				continue
			}
			stamp := (*unix.Timespec)(unsafe.Pointer(&oob[unix.CmsgLen(0)])) // the only control message
			s.got(payload[:got], stamp.Nano())
		}
		a.mu.Unlock()
	}
}
