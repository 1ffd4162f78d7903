package gsm_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var (
	hoursFlag   = flag.Int("gsm.hours", 24, "hours of virtual time in the soak of a line")
	seedFlag    = flag.Uint64("gsm.seed", 0, "seed of the soak of a line; 0 draws one")
	modelFlag   = flag.String("gsm.model", "", "what the modem of the soak and of the hour calls itself; empty: a SIM7600")
	minutesFlag = flag.Float64("gsm.minutes", 0.25, "real minutes of the soak over pseudo-terminals (soak: 10)")
)

// day is what befalls a line in a soak: callers, calls of the box, messages and faults, each at times of
// its own that one seed decides.
type day struct {
	*desk
	t    testing.TB
	ctx  context.Context
	pace float64 // how much faster than a day all comes
	wg   sync.WaitGroup

	mu     sync.Mutex // guards all below
	faults int
	quiet  time.Time // the end of the last fault; zero while one lasts
	name   string    // of the last fault
	worst  time.Duration
	worstN string
	calls  int
	sent   int
}

// spend lets the day pass until ctx ends, and watches that nothing stays wrong.
func (y *day) spend(seed uint64) {
	y.quiet = time.Now()
	for i, act := range []func(*rand.Rand){y.callers, y.caller, y.writers, y.writer, y.trouble, y.watch} {
		dice := rand.New(rand.NewPCG(seed, uint64(i)))
		y.wg.Go(func() { act(dice) })
	}
	y.wg.Wait()
}

// pause waits for a time drawn between the two; false at the end of the day.
func (y *day) pause(dice *rand.Rand, low, high time.Duration) bool {
	t := time.NewTimer(time.Duration(float64(low+time.Duration(dice.Int64N(int64(high-low)))) / y.pace))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-y.ctx.Done():
		return false
	}
}

// callers call the box; some hang up first, some are hung up by the box, a few ring in vain.
func (y *day) callers(dice *rand.Rand) {
	for y.pause(dice, time.Minute, 15*time.Minute) {
		y.answers.Store(dice.IntN(5) > 0)
		if y.sim.Ring(fmt.Sprintf("+39333%07d", dice.IntN(10_000_000))) != nil {
			continue
		}
		y.mu.Lock()
		y.calls++
		y.mu.Unlock()
		if !y.pause(dice, 2*time.Second, 150*time.Second) {
			return
		}
		if dice.IntN(2) == 0 {
			y.hangUp()
		}
		_ = y.sim.RemoteHangup() // who called hangs up too
	}
}

// hangUpBar is more than all rungs of the hang-up ladder take together.
const hangUpBar = 10 * time.Second

// hangUp is the box's: whatever the modem does, the call is over soon.
func (y *day) hangUp() {
	y.desk.mu.Lock()
	call := y.begun
	y.desk.mu.Unlock()
	if err := y.line.Hangup(context.WithoutCancel(y.ctx), tel.CauseNormal); err != nil {
		y.t.Errorf("hang up: %v", err)
	}
	if !y.until(hangUpBar, func() bool { return y.ended >= call }) {
		y.t.Errorf("the call does not end, with %s", y.name)
	}
}

// caller is the box's own calls.
func (y *day) caller(dice *rand.Rand) {
	for y.pause(dice, time.Minute, 20*time.Minute) {
		if y.line.Dial(y.ctx, "0612345678") != nil {
			continue
		}
		y.mu.Lock()
		y.calls++
		y.mu.Unlock()
		fate := dice.IntN(4)
		if fate > 0 && y.pause(dice, time.Second, 5*time.Second) {
			_ = y.sim.RemoteAlert()
		}
		if fate > 1 && y.pause(dice, time.Second, 20*time.Second) {
			_ = y.sim.RemoteAnswer()
		}
		if fate == 3 {
			_ = y.line.SendDTMF(y.ctx, "12#")
		}
		y.pause(dice, time.Second, 100*time.Second)
		y.hangUp()
		_ = y.sim.RemoteHangup()
	}
}

// writers send messages to the box.
func (y *day) writers(dice *rand.Rand) {
	for y.pause(dice, time.Minute, 10*time.Minute) {
		_ = y.sim.Deliver("+393331234567", judged[[]string{"in the alphabet", "in UCS-2, in parts", "in UCS-2"}[dice.IntN(3)]])
	}
}

// writer is the box's own messages.
func (y *day) writer(dice *rand.Rand) {
	for y.pause(dice, time.Minute, 15*time.Minute) {
		_, err := y.line.SendPart(y.ctx, line.OutgoingMessage{To: "+393337654321", Text: "Il suo ordine è pronto", Report: true}, 0)
		if err == nil {
			y.mu.Lock()
			y.sent++
			y.mu.Unlock()
		}
	}
}

// trouble is one fault after the other. What hangs on for a while is healed, and then the line has time
// to recover, so that a fault that it does not get over is not covered by the next one.
func (y *day) trouble(dice *rand.Rand) {
	all := gsmsim.Catalogue()
	for y.pause(dice, 90*time.Second, 8*time.Minute) {
		f := all[dice.IntN(len(all))]
		y.mu.Lock()
		y.faults++
		y.quiet, y.name = time.Time{}, f.Name
		y.mu.Unlock()
		err := y.sim.Strike(f.Name, "")
		if err != nil && !errors.Is(err, gsmsim.ErrNoCall) && !errors.Is(err, gsmsim.ErrUnplugged) {
			y.t.Errorf("%s: %v", f.Name, err)
		}
		if f.Lasts {
			y.pause(dice, time.Second, 90*time.Second)
			if err := y.sim.Heal(f.Name); err != nil {
				y.t.Errorf("heal %s: %v", f.Name, err)
			}
		}
		y.mu.Lock()
		y.quiet = time.Now()
		y.mu.Unlock()
	}
}

// longestCall is more than any call of a day may last: three minutes of ringing or talking, and every rung of
// the hang-up ladder.
const longestCall = 4 * time.Minute

// watch looks each second whether the line is where it has to be.
func (y *day) watch(*rand.Rand) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-y.ctx.Done():
			return
		case <-tick.C:
		}
		y.desk.mu.Lock()
		up, since, status, busy, began := y.up, y.since, y.status, y.begun != y.ended, y.began
		y.desk.mu.Unlock()
		y.mu.Lock()
		if !up && !y.quiet.IsZero() {
			out := time.Since(latest(y.quiet, since))
			if out > y.worst {
				y.worst, y.worstN = out, y.name
			}
			if out > serviceBar {
				y.t.Errorf("out of service for %v after %s: %+v", out, y.name, status)
				y.quiet = time.Now() // once is enough
			}
		}
		y.mu.Unlock()
		if busy && time.Since(began) > longestCall {
			y.t.Errorf("a call has been up for %v, %s", time.Since(began), y.name)
			_ = y.line.Recorder().Dump(y.t.Output())
			return
		}
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// holdings is what a program holds at a moment.
type holdings struct {
	routines, held int
	heap           uint64
}

// holding counts at a quiet moment of a line in service.
func (y *day) holding() holdings {
	if !y.until(longestCall, func() bool { return y.begun == y.ended }) {
		y.t.Error("a call is stuck")
	}
	y.until(serviceBar, func() bool { return y.up })
	time.Sleep(5 * time.Minute) // what the last fault left is over
	synctest.Wait()
	runtime.GC()
	runtime.GC() // the first one finds what the second one frees
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return holdings{routines: runtime.NumGoroutine(), held: y.line.Held(), heap: m.HeapAlloc}
}

func drawnSeed() uint64 {
	if *seedFlag != 0 {
		return *seedFlag
	}
	return rand.Uint64()
}

// A day of a line with a fault every few minutes: no call stays, nothing grows, and each time the line is
// in service again in time.
func TestDayOfFaultsLeavesNoCallNoGrowthAndALineInService(t *testing.T) {
	hours, seed := *hoursFlag, drawnSeed()
	if testing.Short() {
		hours = 1
	}
	t.Logf("%d hours; again with -gsm.seed %d -gsm.model %q", hours, seed, *modelFlag)
	synctest.Test(t, func(t *testing.T) {
		box := &tray{}
		d := newDesk(t, func(s *gsmsim.Config, g *gsm.Config) {
			s.Model = *modelFlag
			s.PPM, s.Boot, s.ReportTime, s.SendTime = 150, 3*time.Second, 2*time.Second, time.Second
			g.Inbox = box
		})
		part := func(n uint64) *day {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			y := &day{desk: d, t: t, ctx: ctx, pace: 1}
			y.spend(seed + n)
			d.answers.Store(false)
			_ = d.sim.HealAll()
			_ = d.line.Hangup(t.Context(), tel.CauseNormal)
			_ = d.sim.RemoteHangup()
			return y
		}
		var all []*day
		var early, late holdings
		for n := range hours {
			all = append(all, part(uint64(n)))
			if late = all[n].holding(); n <= hours/4 { // by then the record of the port is full
				early = late
			}
		}
		var calls, faults, sent int
		worst := slices.MaxFunc(all, func(a, b *day) int { return int(a.worst - b.worst) })
		for _, y := range all {
			calls, faults, sent = calls+y.calls, faults+y.faults, sent+y.sent
		}
		h := d.line.Health()
		t.Logf("figure: %d h with %d faults, %d calls (%d answered, the longest %v), %d messages sent, %d received; out of service for %v at the worst, after %s; %d losses, %d resets; held %+v, then %+v",
			hours, faults, calls, d.answered, d.longest, sent, box.parts.Load(), worst.worst, worst.worstN, h.Losses, h.Resets, early, late)
		if late.routines > early.routines || late.held > early.held+maxHeld || late.heap > early.heap+maxGrowth {
			t.Errorf("grown from %+v to %+v", early, late)
		}
		if took := d.served(t, time.Minute); took > serviceBar {
			t.Errorf("the last caller waits for %v", took)
		}
		if faults < 5*hours || calls < 5*hours || d.answered == 0 || sent == 0 {
			t.Error("the day was too quiet to prove anything")
		}
	})
}

// The same over pseudo-terminals and the machine's clock, with the short timings of tests and a day that
// goes by sixty times as fast.
func TestMinutesOfFaultsOverPseudoTerminalsLeaveALineInService(t *testing.T) {
	t.Parallel()
	seed := drawnSeed()
	span := time.Duration(*minutesFlag * float64(time.Minute))
	t.Logf("%v; again with -gsm.seed %d", span, seed)
	d := newDesk(t, func(s *gsmsim.Config, g *gsm.Config) {
		dir := t.TempDir()
		s.Command, s.Audio, s.Ports = filepath.Join(dir, "at"), filepath.Join(dir, "pcm"), nil
		s.RingEvery, s.Connect = 200*time.Millisecond, 20*time.Millisecond
		g.Timing, g.Inbox, g.Bus, g.Locate = quick, &tray{}, nil, gsm.AtPaths(s.Command, s.Audio)
	})
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	y := &day{desk: d, t: t, ctx: ctx, pace: 60}
	y.spend(seed)
	if err := d.sim.HealAll(); err != nil {
		t.Error(err)
	}
	_ = d.sim.RemoteHangup()
	if took := d.served(t, 2*serviceBar); took > serviceBar {
		t.Errorf("the last caller waits for %v", took)
	}
	h := d.line.Health()
	t.Logf("%d faults, %d calls (%d answered), %d losses, %d resets; out of service for %v at the worst, after %s",
		y.faults, y.calls, d.answered, h.Losses, h.Resets, y.worst, y.worstN)
}

// maxHeld and maxGrowth allow for what differs between two moments of a day: kinds of unknown lines, which
// are bounded by themselves, and 512 KiB of heap.
const (
	maxHeld   = 64
	maxGrowth = 512 << 10
)

// tray is an inbox that keeps nothing but a count.
type tray struct{ parts, unreadable atomic.Int64 }

// Accept implements line.Inbox.
func (b *tray) Accept(p line.ReceivedPart, done func(error)) {
	b.parts.Add(1)
	if p.Kind == line.UnreadablePart {
		b.unreadable.Add(1)
	}
	done(nil)
}

// Storage implements line.Inbox.
func (*tray) Storage(tel.LineID, int, int) {}

// Notice implements line.Inbox.
func (*tray) Notice(tel.LineID, string) {}
