package gsm_test

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/drivers/serialport/wire"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/line/linetest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// desk is a box in virtual time that serves one line of a simulated modem, with the timing of the
// product: it takes the line's events, and speaks and hears while a call is up.
type desk struct {
	line *gsm.Modem
	sim  *gsmsim.Sim

	answers atomic.Bool // it answers who calls
	tone    linetest.Tone
	hz      atomic.Uint64 // of the far end, float bits

	mu           sync.Mutex // guards all below
	news         chan struct{}
	up           bool
	since        time.Time // of up
	status       tel.LineChanged
	begun, ended int
	answered     uint64 // calls that came to Connected
	longest      time.Duration
	began        time.Time // of the call that is up
	heard        []int16   // of the far end, the last seconds
	farHeard     []int16
	frames       uint64 // read by the box, without those of the first second of each call
	gaps         uint64 // of them without sound
	delays       [2]time.Duration
}

// heardSamples is how much of the sound a desk keeps.
const heardSamples = 16000

// newDesk plugs a modem in and opens its line, in a bubble.
func newDesk(t testing.TB, edit func(*gsmsim.Config, *gsm.Config)) *desk {
	t.Helper()
	bus := &wire.Bus{}
	d := &desk{news: make(chan struct{}), since: time.Now()}
	far := linetest.Tone{}
	sc := gsmsim.Config{
		Ports: func() (command, audio serialport.Stream, err error) { return bus.Plug("at"), bus.Plug("pcm"), nil },
		Source: func(f *[gsmsim.FrameSamples]int16) {
			far.Hz = math.Float64frombits(d.hz.Load())
			far.Fill(f)
		},
		Sink: func(f *[gsmsim.FrameSamples]int16) {
			d.mu.Lock()
			d.farHeard = keep(d.farHeard, f[:])
			d.mu.Unlock()
		},
	}
	gc := gsm.Config{ID: "gsm0", Name: "Mobile", Bus: bus, Locate: gsm.AtPaths("at", "pcm")}
	if edit != nil {
		edit(&sc, &gc)
	}
	var err error
	if d.sim, err = gsmsim.New(sc); err != nil {
		t.Fatal(err)
	}
	if d.line, err = gsm.Open(gc); err != nil {
		t.Fatal(err)
	}
	d.answers.Store(true)
	d.tone.Hz = boxHz
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.run(t)
	}()
	t.Cleanup(func() {
		if err := d.line.Close(); err != nil {
			t.Error(err)
		}
		<-done
		if err := d.sim.Close(); err != nil {
			t.Error(err)
		}
		if d.begun != d.ended {
			t.Errorf("%d calls began and %d ended", d.begun, d.ended)
		}
	})
	return d
}

// keep appends to the last sounds.
func keep(all, f []int16) []int16 {
	all = append(all, f...)
	if over := len(all) - heardSamples; over > heardSamples {
		all = all[:copy(all, all[over:])]
	}
	return all
}

// run takes the events until the line is closed. A clock of 20 ms serves the audio meanwhile.
func (d *desk) run(t testing.TB) {
	var media line.Media
	var frames uint64
	clock := time.NewTimer(0)
	defer clock.Stop()
	var tick time.Time
	for {
		var turn <-chan time.Time
		if media != nil {
			turn = clock.C
		}
		select {
		case e, ok := <-d.line.Events():
			if !ok {
				return
			}
			media = d.event(t, e, media)
			if e.Kind == line.Connected {
				frames, tick = 0, time.Now()
				clock.Reset(0)
			}
		case <-turn:
			tick = tick.Add(20 * time.Millisecond)
			clock.Reset(time.Until(tick))
			frames++
			d.frame(media, frames)
		}
	}
}

func (d *desk) event(t testing.TB, e line.Event, media line.Media) line.Media {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	switch e.Kind {
	case line.Status:
		d.status = e.Status
		if d.up != e.Status.Up {
			d.up, d.since = e.Status.Up, now
		}
	case line.Incoming, line.Proceeding, line.Recovered:
		if d.begun != d.ended {
			t.Errorf("a call began in another one: %d began, %d ended", d.begun, d.ended)
		}
		d.begun++
		d.began = now
		if e.Kind == line.Incoming && d.answers.Load() {
			go func() { _ = d.line.Answer(t.Context()) }() // it may be gone: Ended says so
		}
		if e.Kind == line.Recovered { // as the box does: its own end has ended with the modem
			go func() { _ = d.line.Hangup(t.Context(), tel.CauseInterfaceFailure) }()
		}
	case line.Connected:
		d.answered++
		d.heard, d.farHeard = d.heard[:0], d.farHeard[:0]
		if m, err := d.line.Media(); err == nil {
			media = m
		}
	case line.Ended:
		d.ended++
		d.longest = max(d.longest, now.Sub(d.began))
		media = nil
	}
	close(d.news)
	d.news = make(chan struct{})
	return media
}

// frame is 20 ms of the box.
func (d *desk) frame(media line.Media, n uint64) {
	var f line.Frame
	ok := media.ReadFrame(&f)
	d.mu.Lock()
	d.heard = keep(d.heard, f[:])
	if n > 50 {
		d.frames++
		if !ok {
			d.gaps++
		}
	}
	if n > 500 {
		delay := media.Stats().Delay
		if d.delays[1] == 0 {
			d.delays = [2]time.Duration{delay, delay}
		}
		d.delays = [2]time.Duration{min(d.delays[0], delay), max(d.delays[1], delay)}
	}
	d.mu.Unlock()
	d.tone.Fill(&f)
	media.WriteFrame(&f)
}

// until waits for a state of the desk; false when it has not come after limit.
func (d *desk) until(limit time.Duration, is func() bool) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	for {
		d.mu.Lock()
		yes, news := is(), d.news
		d.mu.Unlock()
		if yes {
			return true
		}
		select {
		case <-news:
		case <-t.C:
			return false
		}
	}
}

// The tones of the two ends; neither is a harmonic of the other.
const (
	boxHz = 1004
	farHz = 620
)

// served waits until a caller gets through to the box and both hear each other, where the line has sound, and returns how long after
// now that caller was answered. The call is over then.
func (d *desk) served(t testing.TB, limit time.Duration) time.Duration {
	t.Helper()
	d.hz.Store(math.Float64bits(farHz))
	d.answers.Store(true)
	start := time.Now()
	for time.Since(start) < limit {
		d.mu.Lock()
		before := d.answered
		d.mu.Unlock()
		_ = d.sim.Ring("+393331234567") // refused while the modem is away, starting or in a call
		if !d.until(time.Second, func() bool { return d.answered > before && d.up }) {
			continue
		}
		took := time.Since(start)
		pure := d.bothHear() || !d.line.Caps().FullDuplex // some modems keep the sound
		_ = d.sim.RemoteHangup()
		if !d.until(time.Minute, func() bool { return d.begun == d.ended }) {
			t.Error("the call does not end")
		}
		if pure {
			return took
		}
	}
	t.Errorf("no caller gets through within %v; the line says %+v", limit, d.status)
	_ = d.line.Recorder().Dump(t.Output())
	return limit
}

// clean is how far a tone must stand over all else, in dB. A clock that is 200 ppm off moves its pitch and
// leaves 35.
const clean = 30

// bothHear reports whether each end hears half a second of the other's tone and nothing else. It need not be
// the same half second, because over pseudo-terminals the gaps are those of a busy machine.
func (d *desk) bothHear() bool {
	in, out := false, false
	for range 12 {
		time.Sleep(500 * time.Millisecond)
		d.mu.Lock()
		last := func(pcm []int16) []int16 { return pcm[max(0, len(pcm)-4000):] }
		in = in || linetest.Purity(last(d.heard), farHz) > clean
		out = out || linetest.Purity(last(d.farHeard), boxHz) > clean
		over := d.begun == d.ended
		d.mu.Unlock()
		if over || in && out {
			break
		}
	}
	return in && out
}
