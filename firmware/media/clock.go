package media

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

const (
	// maxCatchUp is how many missed ticks are made up for at once. After a longer stall the far
	// ends' jitter buffers have run dry anyway, and a burst would only become delay.
	maxCatchUp = 4
	// maxUnattended is how long the work of one tick may keep packets of other legs waiting.
	maxUnattended = time.Millisecond
)

// clock is the 20 ms beat of a loop, for legs that a packet does not drive. While no leg needs it,
// it is off.
type clock struct {
	legs    []*Leg
	round   []*Leg // copy of legs for one tick: serving a leg may change legs
	armed   bool
	number  int64         // of this tick since the engine's start, about the same on all loops
	phase   time.Duration // of tick 0
	beat    time.Duration // when this tick was due
	wall    time.Time     // the clock of the day when its work began
	packet  [maxPacket]byte
	payload [frameSamples]byte
	silence line.Frame
	mixed   line.Frame // of words over music
	words   line.Frame
	heard   line.Frame    // what one leg hears of a mix
	alaw    codec.Decoder // of sounds for lines
	coder   codec.Encoder // into A-law, which remembers nothing
	coded   [frameSamples]byte
}

// aLaw is a frame in A-law, until the next one.
func (c *clock) aLaw(f *line.Frame) []byte {
	return c.coded[:c.coder.Encode(c.coded[:], f[:])]
}

// schedule enters g into the clock's list or takes it out, as its state asks.
func (l *loop) schedule(g *Leg) {
	c := &l.clock
	want := g.attached && !g.closed && g.clocked()
	if want == g.onClock {
		return
	}
	g.onClock = want
	if want {
		g.clockPlace = len(c.legs)
		c.legs = append(c.legs, g)
	} else {
		last := c.legs[len(c.legs)-1]
		c.legs[g.clockPlace], last.clockPlace = last, g.clockPlace
		c.legs[len(c.legs)-1] = nil
		c.legs = c.legs[:len(c.legs)-1]
	}
	if armed := len(c.legs) > 0; armed != c.armed {
		c.armed = armed
		if armed {
			c.number = int64(l.now / tick)
			c.phase = l.now % tick
			l.set(l.ticker, tick)
		} else {
			l.set(l.ticker, 0)
		}
	}
}

// clocked reports whether the leg must be served each tick.
func (g *Leg) clocked() bool {
	return g.line != nil || g.talk.busy() ||
		g.configured && (g.heardSlowly() || g.pager != nil && !g.fast)
}

// timer is a timerfd. Its deadlines are absolute inside the kernel, so it does not drift.
type timer int

func newTimer() (timer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	return timer(fd), err
}

// set starts a timer with a period, or stops it with 0.
func (l *loop) set(t timer, period time.Duration) {
	var spec unix.ItimerSpec
	spec.Interval = unix.NsecToTimespec(int64(period))
	spec.Value = spec.Interval
	if err := unix.TimerfdSettime(int(t), 0, &spec, nil); err != nil {
		l.engine.trouble.note("set a timer", err)
	}
}

// expirations reads how many periods have passed since the last look.
func (t timer) expirations() int {
	var b [8]byte
	if n, err := unix.Read(int(t), b[:]); err != nil || n != len(b) {
		return 0
	}
	return int(min(binary.NativeEndian.Uint64(b[:]), 1<<20))
}

// tick does the work of n elapsed ticks.
func (l *loop) tick(n int) {
	c := &l.clock
	if n > maxCatchUp {
		l.engine.trouble.missed.Add(int64(n - 1))
		c.number += int64(n - 1)
		n = 1
		for _, g := range c.legs {
			if g.speech.saying != sayingDigits { // a digit has one timestamp
				g.out.src = source{} // timestamps go on with the time, not with the frames
			}
		}
	}
	for range n {
		c.number++
		c.beat = c.phase + time.Duration(c.number)*tick
		c.round = append(c.round[:0], c.legs...)
		attended := l.now
		c.wall = time.Now()
		for _, g := range c.round {
			attended = l.attend(attended)
			l.serve(g, (*Leg).fetch)
			l.serve(g, (*Leg).hear)
		}
		for _, g := range c.round {
			attended = l.attend(attended)
			l.serve(g, (*Leg).speak)
		}
	}
	clear(c.round)
}

// serve does one leg's part of a tick.
func (l *loop) serve(g *Leg, part func(*Leg, *loop)) {
	defer l.rescue()
	if g.closed || !g.onClock {
		return
	}
	l.current = g
	part(g, l)
	l.current = nil
}

// attend lets waiting packets through in the middle of a long tick: encoding many legs must not
// delay those that are only relayed.
func (l *loop) attend(last time.Duration) time.Duration {
	now := l.engine.now()
	if now-last < maxUnattended {
		return last
	}
	l.now = now
	n, err := unix.EpollWait(l.epfd, l.events[:], 0)
	if err != nil {
		return now
	}
	for i := range n {
		if e := &l.events[i]; e.Fd >= firstLegSlot {
			l.readable(e)
		}
	}
	return now
}
