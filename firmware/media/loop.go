package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pion/rtp"
	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

const (
	// mailboxSize bounds the commands that wait for one loop. A full mailbox refuses with
	// ErrOverloaded: 1,000 commands outstanding mean that the loop is not running.
	mailboxSize = 1024
	// housekeeping is how often a loop looks at what has no packet to trigger it.
	housekeeping = 250 * time.Millisecond
	// stall is how late housekeeping is when packets have been late too for want of the processor: more than
	// a jitter buffer waits for.
	stall = 60 * time.Millisecond
)

// The first slots are not legs.
const (
	wakeSlot = iota
	tickSlot
	tendSlot
	firstLegSlot
)

// loop owns a set of legs: their sockets, sequence state, latches, jitter rings. One goroutine
// waits for packets, commands and the 20 ms clock, and does all the work of its legs, so that no
// leg needs a lock. Legs of one bridge share a loop.
type loop struct {
	engine *Engine
	epoll  *os.File // also in the runtime's poller, see wait
	wake   int      // eventfd: a command waits
	ticker timer    // the 20 ms clock, on only while a leg needs it
	tender timer    // housekeeping, on while there are legs

	mailbox  chan func(*loop)
	woken    atomic.Bool // the eventfd is already signalled
	stopping atomic.Bool
	tendDue  time.Duration // when housekeeping is next due
	load     atomic.Int32  // legs, for the choice of a loop
	done     chan struct{}

	// Below: touched by the loop's goroutine only.
	slots    []slot
	unused   []int32
	legs     []*Leg
	events   [128]unix.EpollEvent
	buf      [2048]byte
	opened   [maxPacket]byte            // what buf held, decrypted
	copied   [maxPacket]byte            // what goes to more than one
	sealed   [maxPacket + sealRoom]byte // what is sent, encrypted
	header   rtp.Header                 // scratch of encryption
	pcm      [maxPacket]int16           // what is between two codecs
	listened [maxPacket]int16           // a packet's sound, listened to
	from     address
	stamped  stamped
	pkt      packet
	now      time.Duration
	current  *Leg // being served: it is closed if its service panics
	clock    clock
	epfd     int // of epoll, which must not be asked by Fd: that would make it blocking
	waiting  syscall.RawConn
	look     func(uintptr) bool // bound once: a wait needs no allocation
	ready    int                // events found by look
}

// slot is what epoll's 64 bits of user data name: an index and the generation of its use, so that
// an event that was queued for a closed socket is not taken for its successor's.
type slot struct {
	generation uint32
	leg        *Leg
	rtcp       bool
}

func newLoop(e *Engine) (l *loop, err error) {
	l = &loop{
		engine: e, epfd: -1, wake: -1, ticker: -1, tender: -1,
		mailbox: make(chan func(*loop), mailboxSize),
		done:    make(chan struct{}),
		slots:   make([]slot, firstLegSlot),
		clock:   clock{alaw: codec.NewDecoder(codec.PCMA), coder: codec.NewEncoder(codec.PCMA)},
	}
	defer func() {
		if err != nil {
			l.release()
			err = fmt.Errorf("start a media loop: %w", err)
		}
	}()
	if l.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return l, err
	}
	if err = unix.SetNonblock(l.epfd, true); err != nil {
		return l, err
	}
	l.epoll = os.NewFile(uintptr(l.epfd), "epoll")
	if l.waiting, err = l.epoll.SyscallConn(); err != nil {
		return l, err
	}
	l.look = func(fd uintptr) bool {
		n, err := unix.EpollWait(int(fd), l.events[:], 0)
		l.ready = max(n, 0)
		return l.ready > 0 || (err != nil && !errors.Is(err, unix.EINTR))
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return l, err
	}
	if err = l.watch(l.wake, wakeSlot); err != nil {
		return l, err
	}
	for _, t := range []struct {
		timer *timer
		slot  int32
	}{{&l.ticker, tickSlot}, {&l.tender, tendSlot}} {
		if *t.timer, err = newTimer(); err != nil {
			return l, err
		}
		if err = l.watch(int(*t.timer), t.slot); err != nil {
			return l, err
		}
	}
	return l, nil
}

// release closes what newLoop opened.
func (l *loop) release() {
	switch {
	case l.epoll != nil:
		_ = l.epoll.Close()
	case l.epfd >= 0:
		_ = unix.Close(l.epfd)
	}
	for _, fd := range []int{l.wake, int(l.ticker), int(l.tender)} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

func (l *loop) watch(fd int, index int32) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: index, Pad: int32(l.slots[index].generation)}
	return unix.EpollCtl(l.epfd, unix.EPOLL_CTL_ADD, fd, &e)
}

// wait returns when something is ready, and how many events there are. The goroutine parks in the
// Go runtime's poller, in which our epoll descriptor is one file: a thread of our own that blocks
// in epoll_wait for a millisecond at a time has its processor taken away each time, and keeps the
// runtime's monitor awake. That cost a third of all CPU time of the relay.
func (l *loop) wait() (int, error) {
	l.ready = 0
	err := l.waiting.Read(l.look)
	return l.ready, err
}

// post queues a command for the loop's goroutine; it never waits.
func (l *loop) post(command func(*loop)) bool {
	select {
	case l.mailbox <- command:
		l.signal()
		return true
	default:
		return false
	}
}

func (l *loop) signal() {
	if l.woken.CompareAndSwap(false, true) {
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1)
		_, _ = unix.Write(l.wake, one[:])
	}
}

func (l *loop) stop() {
	l.stopping.Store(true)
	l.signal()
}

func (l *loop) run() {
	defer close(l.done)
	for !l.stopping.Load() {
		l.turn()
	}
	for _, g := range l.legs {
		g.endRecord(recordLeft)
		g.untap()
		if g.conference != nil {
			g.conference.untap(l.now)
		}
		g.final.Store(g.snapshotStats())
		if g.line == nil {
			g.ports.rtp.close()
			g.ports.rtcp.close()
		}
	}
	l.release()
}

// turn waits once and serves all that is ready.
func (l *loop) turn() {
	defer l.rescue()
	n, err := l.wait()
	l.now = l.engine.now()
	if n == 0 {
		l.engine.trouble.note("wait for packets", fmt.Errorf("no event came: %w", err))
		time.Sleep(tick) // a broken descriptor must not become a busy loop
	}
	ticks, tend := 0, false
	for i := range n {
		switch e := &l.events[i]; e.Fd {
		case wakeSlot:
			l.commands()
		case tickSlot:
			ticks = l.ticker.expirations()
		case tendSlot:
			tend = l.tender.expirations() > 0
		default:
			l.readable(e)
		}
	}
	if ticks > 0 {
		l.tick(ticks)
	}
	if tend {
		l.tend()
	}
}

// commands runs what waits in the mailbox.
func (l *loop) commands() {
	var count [8]byte
	_, _ = unix.Read(l.wake, count[:])
	// Cleared before the mailbox is emptied: a command posted meanwhile signals again.
	l.woken.Store(false)
	for {
		select {
		case c := <-l.mailbox:
			l.command(c)
		default:
			return
		}
	}
}

func (l *loop) command(c func(*loop)) {
	defer l.rescue()
	c(l)
	l.current = nil
}

// readable reads one datagram from a socket. Level triggering brings the loop back for the next one:
// a leg has one packet per 20 ms, and asking for a second each time would cost a system call more.
func (l *loop) readable(e *unix.EpollEvent) {
	defer l.rescue()
	if int(e.Fd) >= len(l.slots) {
		return
	}
	s := &l.slots[e.Fd]
	g := s.leg
	if g == nil || s.generation != uint32(e.Pad) {
		return
	}
	l.current = g
	sock := g.ports.rtp
	if s.rtcp {
		sock = g.ports.rtcp
	}
	n, errno := sock.receive(l.buf[:], &l.from)
	switch {
	case errno != 0:
		if errno != unix.EAGAIN && errno != unix.EINTR {
			g.count.receiveErrors++
		}
	case n > maxPacket:
		g.count.junk++
	case s.rtcp:
		l.report(g, l.buf[:n], &l.from)
	default:
		l.arrived(g, l.buf[:n], &l.from)
	}
	l.current = nil
}

// rescue keeps a fault in the service of one leg from ending the process: the leg is closed, the
// rest goes on.
func (l *loop) rescue() {
	r := recover()
	if r == nil {
		return
	}
	t := &l.engine.trouble
	t.panics.Add(1)
	g := l.current
	l.current = nil
	t.note("panic in a media loop", fmt.Errorf("%v", r), slog.String("stack", string(debug.Stack())))
	if g != nil && !g.closed {
		l.close(g)
		g.emit(Failed{})
	}
}

// attach makes g a leg of this loop and begins to read its sockets.
func (l *loop) attach(g *Leg) error {
	if g.line == nil {
		if err := l.listen(g, false); err != nil {
			return fmt.Errorf("watch the RTP port of leg %s: %w", g.id, err)
		}
		if err := l.listen(g, true); err != nil {
			l.deafen(g, false)
			return fmt.Errorf("watch the RTCP port of leg %s: %w", g.id, err)
		}
	}
	g.place = len(l.legs)
	l.legs = append(l.legs, g)
	if l.load.Add(1) == 1 {
		l.set(l.tender, housekeeping)
		l.tendDue = l.engine.now() + housekeeping
	}
	g.attached = true
	l.schedule(g)
	return nil
}

func (l *loop) listen(g *Leg, rtcp bool) error {
	var index int32
	if n := len(l.unused); n > 0 {
		index, l.unused = l.unused[n-1], l.unused[:n-1]
	} else {
		index = int32(len(l.slots))
		l.slots = append(l.slots, slot{})
	}
	s := &l.slots[index]
	s.leg, s.rtcp = g, rtcp
	fd := g.ports.rtp.fd
	if rtcp {
		fd = g.ports.rtcp.fd
		g.rtcpSlot = index
	} else {
		g.rtpSlot, g.rests = index, false
	}
	if err := l.watch(fd, index); err != nil {
		s.leg = nil
		s.generation++
		l.unused = append(l.unused, index)
		return err
	}
	return nil
}

// deafen stops reading a socket. The descriptor must leave epoll by name: a supervisor's duplicate
// keeps the open file alive after our close, and epoll would go on reporting it.
func (l *loop) deafen(g *Leg, rtcp bool) {
	index, fd := g.rtpSlot, g.ports.rtp.fd
	if rtcp {
		index, fd = g.rtcpSlot, g.ports.rtcp.fd
	}
	_ = unix.EpollCtl(l.epfd, unix.EPOLL_CTL_DEL, fd, nil)
	l.slots[index].leg = nil
	l.slots[index].generation++
	l.unused = append(l.unused, index)
}

// detach takes g off this loop; its sockets stay open and queue what arrives.
func (l *loop) detach(g *Leg) {
	if g.line == nil {
		l.deafen(g, false)
		l.deafen(g, true)
	}
	last := l.legs[len(l.legs)-1]
	l.legs[g.place], last.place = last, g.place
	l.legs[len(l.legs)-1] = nil
	l.legs = l.legs[:len(l.legs)-1]
	if l.load.Add(-1) == 0 {
		l.set(l.tender, 0)
	}
	g.attached = false
	l.schedule(g)
}

// move gives g to another loop. The adopting command is queued before any caller can see the new
// home, so every command for g runs after it.
func (l *loop) move(g *Leg, to *loop) error {
	l.detach(g)
	g.mu.Lock()
	posted := to.post(func(to *loop) {
		to.current = g
		if err := to.attach(g); err != nil {
			to.engine.trouble.note("move a leg between loops", err)
			to.dispose(g)
			g.emit(Failed{})
		}
	})
	if posted {
		g.home = to
	}
	g.mu.Unlock()
	if posted {
		return nil
	}
	if err := l.attach(g); err != nil {
		l.dispose(g)
		return err
	}
	return ErrOverloaded
}

// close ends a leg for good.
func (l *loop) close(g *Leg) {
	if g.closed {
		return
	}
	l.unbridge(g)
	l.sayGoodbye(g)
	l.detach(g)
	l.dispose(g)
}

// dispose frees what a detached leg holds.
func (l *loop) dispose(g *Leg) {
	g.closed = true
	l.engine.legs.remove(g)
	g.endRecord(RecordEnded)
	g.untap()
	l.engine.opus.leaves(g)
	g.final.Store(g.snapshotStats())
	l.schedule(g)
	if g.line == nil {
		l.engine.sockets.close(g.ports, time.Now())
	}
	l.forget(g)
}

// tend does what no packet triggers: reports, timeouts, high-water marks, forgotten closes.
func (l *loop) tend() {
	late := max(0, l.now-l.tendDue)
	l.tendDue += (late/housekeeping + 1) * housekeeping
	for _, g := range l.legs {
		if late >= stall {
			g.stalled += late
		}
	}
	for i := len(l.legs) - 1; i >= 0; i-- {
		if i < len(l.legs) {
			l.tendLeg(l.legs[i])
		}
	}
}

func (l *loop) tendLeg(g *Leg) {
	defer l.rescue()
	l.current = g
	if g.closing.Load() {
		l.close(g)
		l.current = nil
		return
	}
	g.keepTime(l.now)
	g.tendTap(l.now)
	g.events.expire(l.now, g.pressed)
	l.watchSilence(g)
	if l.now >= g.reportAt {
		l.sendReport(g)
	}
	if l.now-g.savedAt >= highWaterEvery && g.out.packets != g.savedPackets {
		l.changed(g)
	}
	l.current = nil
}

// watchSilence reports once that a far end which may send does not.
func (l *loop) watchSilence(g *Leg) {
	if g.line != nil || !g.configured || !g.media.Direction.Receives() {
		g.heard = l.now
		return
	}
	limit, heard := g.timeout, g.heard
	if g.media.Image { // only one of two machines speaks at a time
		limit = max(limit, imageSilence)
		if p := g.peer; p != nil {
			heard = max(heard, p.heard)
		}
	}
	if silence := l.now - heard; silence >= limit && !g.silent {
		g.silent = true
		g.emit(Timeout{Silence: silence})
	}
}
