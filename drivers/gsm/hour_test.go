package gsm_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/firmware/line/linetest"
)

const (
	thdBar   = -50 // dB, of a tone of 1004 Hz
	delayBar = 20 * time.Millisecond
)

// clockwork is a modem whose sound is judged for an hour.
type clockwork struct {
	model string
	// held is the driver's target without the frame that a read has just taken, and swing how far the modem's own
	// blocks move the delay up and down by nature.
	held, swing time.Duration
	// noise is the bar of the tone over all else, in dB; the slow changes of its pitch in the first minutes are among
	// it, and blocks of 100 ms that begin 20 ms early or late.
	noise float64
}

func clockworks() []clockwork {
	frames := clockwork{held: 40 * time.Millisecond, noise: 45}
	if *modelFlag != "" {
		frames.model = *modelFlag
	}
	if *modelFlag == "" || *modelFlag == "EG25" {
		blocks := clockwork{"EG25", 50 * time.Millisecond, 10 * time.Millisecond, 40}
		if *modelFlag != "" {
			return []clockwork{blocks}
		}
		return []clockwork{frames, blocks}
	}
	return []clockwork{frames}
}

// drift is what a call of a modem whose clock is off by ppm sounded like.
type drift struct {
	clockwork
	ppm, measured     float64
	thd               [2]float64 // of the worst second of the minutes, in and out, in dB
	purity            [2]float64
	delay             [2]time.Duration // the shortest and the longest after the first 10 s
	frames, gaps      uint64
	missing, overruns uint64 // at the modem, and frames that it did not take
}

// thd is the total harmonic distortion of one second of a tone, in dB: the power at all its harmonics below
// 4 kHz over its own.
func thd(pcm []int16, hz float64) float64 {
	power := func(hz float64) float64 {
		var re, im float64
		for i, v := range pcm {
			w := 1 - math.Cos(2*math.Pi*float64(i)/float64(len(pcm))) // Hann: the tone must not leak into its harmonics
			re += w * float64(v) * math.Cos(2*math.Pi*hz*float64(i)/8000)
			im += w * float64(v) * math.Sin(2*math.Pi*hz*float64(i)/8000)
		}
		return re*re + im*im
	}
	harmonics := 0.0
	for n := 2.0; n*hz < 4000; n++ {
		harmonics += power(n * hz)
	}
	return 10 * math.Log10(harmonics/power(hz))
}

func TestTHDSeesAnOverloadAndNoneInATone(t *testing.T) {
	var pure, clipped []int16
	for i := range 8000 {
		v := 16000 * math.Sin(2*math.Pi*boxHz*float64(i)/8000)
		pure = append(pure, int16(v))
		clipped = append(clipped, int16(max(-15000, min(15000, v))))
	}
	if d := thd(pure, boxHz); d > -80 {
		t.Errorf("a tone has %.1f dB", d)
	}
	if d := thd(clipped, boxHz); d < -50 {
		t.Errorf("an overload has %.1f dB", d)
	}
}

// driftOf talks for a time with a modem whose clock is off, over the driver's whole path of ports, AT
// commands and buffers.
func driftOf(t testing.TB, of clockwork, ppm float64, span time.Duration) drift {
	t.Helper()
	d := newDesk(t, func(s *gsmsim.Config, _ *gsm.Config) { s.PPM, s.Model = ppm, of.model })
	d.hz.Store(math.Float64bits(boxHz)) // both say 1004 Hz; there is no echo in this world
	if !d.until(serviceBar, func() bool { return d.up }) {
		t.Fatalf("never in service: %+v", d.status)
	}
	if err := d.sim.Ring("+393331234567"); err != nil {
		t.Fatal(err)
	}
	if !d.until(time.Minute, func() bool { return d.answered == 1 }) {
		t.Fatal("the call was not answered")
	}
	media, err := d.line.Media()
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // the modem plays what gathers first
	before := d.sim.Stats()
	out := drift{clockwork: of, ppm: ppm, thd: [2]float64{math.Inf(-1), math.Inf(-1)}, purity: [2]float64{math.Inf(1), math.Inf(1)}}
	for range int(span / time.Minute) {
		time.Sleep(time.Minute)
		d.mu.Lock()
		for way, pcm := range [][]int16{d.heard, d.farHeard} {
			pcm = pcm[len(pcm)-8000:]
			hz := boxHz * (1 + ppm*1e-6)
			if way == 1 {
				hz = boxHz / (1 + ppm*1e-6)
			}
			out.thd[way] = max(out.thd[way], thd(pcm, hz))
			out.purity[way] = min(out.purity[way], linetest.Purity(pcm, hz))
		}
		d.mu.Unlock()
	}
	after, stats := d.sim.Stats(), media.Stats()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended != 0 {
		t.Fatalf("the call ended by itself: %+v", d.status)
	}
	out.measured, out.delay, out.frames, out.gaps = stats.PPM, d.delays, d.frames, d.gaps
	out.missing, out.overruns = after.FramesMissing-before.FramesMissing, stats.Overruns
	return out
}

// judge says what is wrong with it.
func (d drift) judge() []string {
	var wrong []string
	add := func(bad bool, format string, args ...any) {
		if bad {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	add(d.gaps+d.missing+d.overruns > 0 || d.frames == 0, "of %d frames the box lacked %d, the modem %d and refused %d", d.frames, d.gaps, d.missing, d.overruns)
	far := delayBar + d.swing
	add(d.delay[0] < d.held-far || d.delay[1] > d.held+far, "the delay went from %v to %v, more than %v from %v", d.delay[0], d.delay[1], far, d.held)
	for way, who := range []string{"box", "modem"} {
		add(d.thd[way] > thdBar, "the %s hears a THD of %.1f dB", who, d.thd[way])
		add(d.purity[way] < d.noise, "the %s hears the tone %.1f dB over all else", who, d.purity[way])
	}
	add(math.Abs(d.measured-d.ppm) > 20, "measured %.1f ppm, want %v", d.measured, d.ppm)
	return wrong
}

func TestOneHourWithAClockThatIsOffLosesNoFrameAndKeepsDelayAndSound(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: hours of sound")
	}
	for _, of := range clockworks() {
		for _, ppm := range []float64{200, -200} {
			t.Run(strings.TrimSpace(fmt.Sprintf("%s %+g ppm", of.model, ppm)), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { anHour(t, of, ppm) })
			})
		}
	}
}

func anHour(t *testing.T, of clockwork, ppm float64) {
	span := time.Hour
	if testing.Short() {
		span = 10 * time.Minute
	}
	d := driftOf(t, of, ppm, span)
	t.Logf("figure: %v at %+g ppm: measured %+.1f; %d frames, lacking %d at the box, %d at the modem, refused %d (bar 0)",
		span, ppm, d.measured, d.frames, d.gaps, d.missing, d.overruns)
	t.Logf("figure: %v at %+g ppm: delay %v to %v (bar %v +- %v); THD %.1f dB in, %.1f dB out (bar %d)",
		span, ppm, d.delay[0].Round(time.Millisecond/10), d.delay[1].Round(time.Millisecond/10), of.held, delayBar+of.swing, d.thd[0], d.thd[1], thdBar)
	for _, w := range d.judge() {
		t.Error(w)
	}
}
