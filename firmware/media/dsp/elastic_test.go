package dsp

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// line writes a tone into an Elastic at its own clock, in bursts that come late by a random time.
type line struct {
	e      *Elastic
	burst  int
	period float64           // of our clock, in seconds, between two bursts
	late   float64           // the most that a burst comes late, in seconds
	next   float64           // when the next burst arrives
	sent   int               // bursts
	table  [SampleRate]int16 // a second of the tone, whose frequency is a whole number
	at     int
	pcm    []int16
	random *rand.Rand
}

func newLine(e *Elastic, ppm float64, burst int, late, hz float64) *line {
	l := &line{
		e: e, burst: burst, period: float64(burst) / SampleRate / (1 + ppm*1e-6), late: late,
		random: rand.New(rand.NewPCG(1, uint64(burst))), pcm: make([]int16, burst),
	}
	for i := range l.table {
		l.table[i] = int16(math.Round(10000 * math.Sin(2*math.Pi*hz*float64(i)/SampleRate)))
	}
	l.plan()
	return l
}

// plan sets when the burst that is complete at sent+1 periods arrives.
func (l *line) plan() { l.next = float64(l.sent+1)*l.period + l.late*l.random.Float64() }

// at is a moment of our clock.
func at(seconds float64) time.Time {
	return time.Unix(0, 0).Add(time.Duration(seconds * float64(time.Second)))
}

// latency is the true time from the line's microphone to the next sample read.
func (l *line) latency(now float64) float64 {
	recorded := now / l.period * float64(l.burst)
	return (recorded-float64(l.sent*l.burst))/SampleRate + l.e.Delay().Seconds()
}

// until delivers what the line has sent by now, in seconds.
func (l *line) until(now float64) {
	for l.next <= now {
		for i := range l.pcm {
			l.pcm[i] = l.table[l.at]
			l.at = (l.at + 1) % len(l.table)
		}
		l.e.Write(l.pcm, at(l.next))
		l.sent++
		l.plan()
	}
}

func TestAnHourOfClockDriftKeepsTheDelayAndEverySample(t *testing.T) {
	for _, c := range []struct {
		ppm   float64
		burst int
	}{{200, 160}, {-200, 800}} {
		t.Run(fmt.Sprintf("%+v ppm in bursts of %d", c.ppm, c.burst), func(t *testing.T) {
			t.Parallel()
			burst := time.Duration(c.burst) * time.Second / SampleRate
			e := NewElastic(ElasticConfig{Burst: burst})
			target := 50*time.Millisecond + burst // half a burst held on average, half not yet delivered
			l := newLine(e, c.ppm, c.burst, 0.008, 1004)
			var frame [160]int16
			var last []int16
			final, lowest, highest := 0.0, math.Inf(1), math.Inf(-1)
			const frames = 3600 * 50
			for i := range frames {
				now := float64(i) * 0.02
				l.until(now)
				delay := l.latency(now)
				if !e.Read(frame[:], at(now)) {
					if i > 20 {
						t.Fatalf("silence at %v s", now)
					}
					continue
				}
				lowest, highest = min(lowest, delay), max(highest, delay)
				final = delay
				if i >= frames-25 {
					last = append(last, frame[:]...)
				}
			}
			t.Logf("delay %.1f to %.1f ms, at last %.1f; %+.1f ppm; distortion and noise %.1f dB",
				lowest*1000, highest*1000, final*1000, e.PPM(), distortion(last, 1004*(1+c.ppm*1e-6)))
			if lowest < (target-20*time.Millisecond).Seconds() || highest > (target+20*time.Millisecond).Seconds() {
				t.Errorf("delay went from %.1f to %.1f ms, target %v", lowest*1000, highest*1000, target)
			}
			if s := e.Stats(); s != (ElasticStats{}) {
				t.Errorf("sound was inserted or dropped: %+v", s)
			}
			if math.Abs(e.PPM()-c.ppm) > 20 {
				t.Errorf("measured %+.1f ppm, want %+v", e.PPM(), c.ppm)
			}
			if d := distortion(last, 1004*(1+c.ppm*1e-6)); d > -50 {
				t.Errorf("distortion and noise %.1f dB, want below -50", d)
			}
		})
	}
}

func TestABacklogAfterAStallIsSkippedAtOnce(t *testing.T) {
	e := NewElastic(ElasticConfig{})
	l := newLine(e, 0, 160, 0, 1004)
	var frame [160]int16
	now := 0.0
	run := func(from, to int, deliver bool) {
		for i := from; i < to; i++ {
			now = float64(i) * 0.02
			if deliver {
				l.until(now)
			}
			e.Read(frame[:], at(now))
		}
	}
	run(0, 100, true)
	run(100, 150, false) // the line stalls for 1 s ...
	run(150, 200, true)  // ... and then delivers it all
	if d := e.Delay(); d > 110*time.Millisecond {
		t.Errorf("a second after the stall the delay is %v", d)
	}
	if s := e.Stats(); s.Underruns != 1 || s.Skips == 0 {
		t.Errorf("stats %+v, want one underrun and a skip", s)
	}
	if !e.Read(frame[:], at(now)) || ToneLevel(frame[:], 1004) < -10 {
		t.Errorf("no tone after the stall: %.1f dBm0", ToneLevel(frame[:], 1004))
	}
}

func TestAnExcessIsSkippedInSilenceOnly(t *testing.T) {
	e := NewElastic(ElasticConfig{})
	var frame [160]int16
	loud := make([]int16, 160)
	for i := range loud {
		loud[i] = int16(8000 * math.Sin(float64(i)*math.Pi/8))
	}
	extra := make([]int16, 800) // 100 ms more than is read
	now := 0.0
	for i := range 200 {
		now += 0.02
		e.Write(loud, at(now))
		if i == 50 {
			e.Write(extra, at(now))
		}
		e.Read(frame[:], at(now))
	}
	// The 100 ms of silence themselves pass early and show no excess yet; what follows is loud.
	if s := e.Stats(); s.Skips != 0 {
		t.Fatalf("skipped in loud sound: %+v", s)
	}
	clear(loud)
	for range 50 {
		now += 0.02
		e.Write(loud, at(now))
		e.Read(frame[:], at(now))
	}
	if s := e.Stats(); s.Skips != 1 || s.Lost < 400 {
		t.Errorf("stats %+v, want one skip of about 100 ms", s)
	}
}

func TestAWriterThatNeverStopsCannotOverrunMemory(t *testing.T) {
	e := NewElastic(ElasticConfig{})
	e.Write(make([]int16, 5*elasticRing), at(0))
	for range 100 {
		e.Write(make([]int16, 1000), at(0))
	}
	if d := e.Delay(); d > 2100*time.Millisecond {
		t.Errorf("delay %v", d)
	}
	var frame [160]int16
	if !e.Read(frame[:], at(0)) {
		t.Error("nothing to read")
	}
}

func TestElasticDoesNotAllocate(t *testing.T) {
	e := NewElastic(ElasticConfig{})
	var frame [160]int16
	if n := testing.AllocsPerRun(200, func() { e.Write(frame[:], at(0)); e.Read(frame[:], at(0)) }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

func BenchmarkElastic(b *testing.B) {
	e := NewElastic(ElasticConfig{})
	var frame [160]int16
	b.ReportAllocs()
	for b.Loop() {
		e.Write(frame[:], at(0))
		e.Read(frame[:], at(0))
	}
}

// distortion is everything but the tone near hz, in dB against the tone. The 0.5 s given to it let
// through what an analyser with a notch of a few Hz would.
func distortion(pcm []int16, hz float64) float64 {
	best := math.Inf(1)
	for d := -0.2; d <= 0.2; d += 0.005 {
		best = min(best, residual(pcm, hz+d))
	}
	return best
}

// residual fits a sine of hz and returns the power of the rest against it, in dB.
func residual(pcm []int16, hz float64) float64 {
	var sc, ss, c2, s2, cs float64
	for i, v := range pcm {
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / SampleRate)
		sc += float64(v) * c
		ss += float64(v) * s
		c2 += c * c
		s2 += s * s
		cs += c * s
	}
	det := c2*s2 - cs*cs
	a, b := (sc*s2-ss*cs)/det, (ss*c2-sc*cs)/det
	var tone, rest float64
	for i, v := range pcm {
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / SampleRate)
		fit := a*c + b*s
		tone += fit * fit
		rest += (float64(v) - fit) * (float64(v) - fit)
	}
	return 10 * math.Log10(rest/tone)
}
