package dsp

import (
	"math"
	"time"
)

// ElasticConfig sizes an Elastic. Zero fields take the defaults.
type ElasticConfig struct {
	// Burst is how much the writer delivers at once, as a USB modem that sends 100 ms at a time.
	// Default 20 ms.
	Burst time.Duration
	// Target is the mean sound to hold. Below Burst/2 + 22 ms there is too little just before the
	// next burst comes; what lies above that absorbs bursts that come late. Default Burst/2 + 50 ms.
	Target time.Duration
}

// Elastic couples two sample clocks that differ by up to 500 ppm: one side writes bursts at its
// pace, the other reads frames at its own, and a slow controller resamples by the few ppm that hold
// the delay. Nothing is inserted or dropped while the writer keeps its pace.
type Elastic struct {
	ring    [elasticRing]int16
	rd, wr  uint32  // count samples, modulo 2^32; wr-rd is the fill
	frac    float64 // position between ring[rd] and the next sample
	wrote   time.Time
	running bool

	burst, target float64 // samples; target is the level to hold, see level
	mean          float64 // level, low-passed over 10 s
	recent        float64 // level, low-passed over 1 s, to see an excess
	over          int     // reads in a row that found a hard excess
	drift         float64 // integral term: the offset of the writer's clock
	step          float64 // input samples per output sample

	stats ElasticStats
}

// ElasticStats counts since the start.
type ElasticStats struct {
	Underruns uint64 // stalls of the writer that became silence; the first fill-up does not count
	Skips     uint64 // jumps over excess sound, after the writer delivered a backlog
	Lost      uint64 // samples skipped or overwritten
}

const (
	elasticRing = 16384 // 2 s; a power of two
	elasticTaps = 16
	phases      = 64

	maxDrift = 500e-6
	// The controller acts on a level low-passed with 10 s. Crossover at 0.03 rad/s and an integrator
	// four times slower leave 59 degrees of phase: a step of 200 ppm moves the delay by about 7 ms.
	meanTau      = 10 * SampleRate
	recentTau    = 1 * SampleRate
	proportional = 0.03 / SampleRate
	integral     = proportional * 0.03 / 4 / SampleRate

	quietExcess = 60 * SampleRate / 1000  // above target: skip at the next silence
	hardExcess  = 200 * SampleRate / 1000 // above target for hardReads: skip now
	hardReads   = 5
	fade        = 5 * SampleRate / 1000
	quietPeak   = 180 // about -42 dBm0

	chunk = 160 // samples resampled at a time
)

// NewElastic makes an empty buffer.
func NewElastic(c ElasticConfig) *Elastic {
	if c.Burst <= 0 {
		c.Burst = 20 * time.Millisecond
	}
	if c.Target <= 0 {
		c.Target = c.Burst/2 + 50*time.Millisecond
	}
	e := &Elastic{burst: min(samples(c.Burst), elasticRing/8), step: 1}
	e.target = min(samples(c.Target), elasticRing/4) + e.burst/2
	return e
}

func samples(d time.Duration) float64 { return d.Seconds() * SampleRate }

// Write adds what the writer delivered at now. When two seconds are full the oldest sound is lost.
func (e *Elastic) Write(pcm []int16, now time.Time) {
	if over := len(pcm) - elasticRing/2; over > 0 {
		e.stats.Lost += uint64(over)
		pcm = pcm[over:]
	}
	for _, s := range pcm {
		e.ring[e.wr%elasticRing] = s
		e.wr++
	}
	e.wrote = now
	// Half a filter of past samples stays readable behind rd.
	if over := int32(e.wr-e.rd) - (elasticRing - elasticTaps); over > 0 {
		e.rd += uint32(over)
		e.stats.Lost += uint64(over)
	}
}

// level is the fill plus what the writer has already recorded of its next burst. Unlike the fill it
// has no sawtooth, which two nearly equal clocks would fold down to one swing in minutes.
func (e *Elastic) level(now time.Time) float64 {
	next := max(0, min(e.burst, samples(now.Sub(e.wrote))))
	return float64(e.wr-e.rd) - e.frac + next
}

// Read fills dst, of one frame or so, with the next sound at now. It returns false, and silence,
// when there is too little: at the start, until Target has gathered, and after the writer stalled.
func (e *Elastic) Read(dst []int16, now time.Time) bool {
	level := e.level(now)
	need := float64(len(dst))*(1+maxDrift) + elasticTaps
	if !e.running {
		if float64(e.wr-e.rd) < need || level < e.target {
			clear(dst)
			return false
		}
		// What gathered beyond the target is the oldest sound, and nothing is being heard.
		if n := uint32(max(0, min(level-e.target, float64(e.wr-e.rd)-need))); n > 0 {
			e.rd += n
			if e.stats.Underruns > 0 {
				e.stats.Skips++
				e.stats.Lost += uint64(n)
			}
		}
		level = e.level(now)
		e.running = true
		e.settle()
	}
	if float64(e.wr-e.rd) < need {
		e.running = false
		e.stats.Underruns++
		clear(dst)
		return false
	}
	e.control(level, float64(len(dst)))
	if e.over >= hardReads {
		e.cross(dst, int(level-e.target))
		return true
	}
	if quiet := e.resample(dst); quiet && e.recent-e.target > quietExcess {
		// Silence is where a jump cannot be heard.
		e.jump(int(min(e.recent, level) - e.target))
	}
	return true
}

// control moves the resampling step, once per frame of n samples.
func (e *Elastic) control(level, n float64) {
	e.mean += (level - e.mean) * n / meanTau
	e.recent += (level - e.recent) * n / recentTau
	if e.over++; level-e.target <= hardExcess {
		e.over = 0
	}
	off := e.mean - e.target
	e.drift = limit(e.drift + off*integral*n)
	e.step = 1 + limit(off*proportional+e.drift)
}

func limit(v float64) float64 { return max(-maxDrift, min(maxDrift, v)) }

// resample writes dst and reports whether it was all silence.
func (e *Elastic) resample(dst []int16) (quiet bool) {
	quiet = true
	for len(dst) > 0 {
		n := min(len(dst), chunk)
		quiet = e.resampleChunk(dst[:n]) && quiet
		dst = dst[n:]
	}
	return quiet
}

// resampleChunk works on a straight copy of the ring: wrapping at each tap would cost more than the filter.
func (e *Elastic) resampleChunk(dst []int16) (quiet bool) {
	var in [chunk + elasticTaps + 4]float32
	first := e.rd - elasticTaps/2 + 1
	for i := range in[:len(dst)+elasticTaps+4] {
		in[i] = float32(e.ring[(first+uint32(i))%elasticRing])
	}
	quiet = true
	at, frac := 0, e.frac
	for i := range dst {
		p := frac * phases
		k := int(p)
		w := float32(p - float64(k))
		a, b, x := &sinc[k], &sinc[k+1], (*[elasticTaps]float32)(in[at:])
		var u, v float32
		for j := range x {
			u += x[j] * a[j]
			v += x[j] * b[j]
		}
		y := clip(u + w*(v-u))
		if y > quietPeak || y < -quietPeak {
			quiet = false
		}
		dst[i] = y
		frac += e.step
		if frac >= 1 {
			n := int(frac)
			at += n
			frac -= float64(n)
		}
	}
	e.rd += uint32(at)
	e.frac = frac
	return quiet
}

// cross reads dst while it crosses over to a position n samples later.
func (e *Elastic) cross(dst []int16, n int) {
	n = min(n, int(e.wr-e.rd)-len(dst)-2*elasticTaps)
	var old [fade]int16
	m := min(fade, len(dst))
	rd, frac := e.rd, e.frac
	e.resample(old[:m])
	e.rd, e.frac = rd, frac
	e.jump(n)
	e.resample(dst)
	for i := range m {
		w := float32(i) / fade
		dst[i] = clip(float32(old[i])*(1-w) + float32(dst[i])*w)
	}
}

func (e *Elastic) jump(n int) {
	n = min(n, int(e.wr-e.rd)-elasticTaps)
	if n <= 0 {
		return
	}
	e.rd += uint32(n)
	e.stats.Skips++
	e.stats.Lost += uint64(n)
	e.settle()
}

// settle starts the averages anew after the level was set by a jump.
func (e *Elastic) settle() { e.mean, e.recent, e.over = e.target, e.target, 0 }

// Delay is the sound held now, from the last sample written to the next one read.
func (e *Elastic) Delay() time.Duration {
	return time.Duration((float64(e.wr-e.rd) - e.frac) * float64(time.Second) / SampleRate)
}

// PPM is the measured offset of the writer's clock against the reader's, in parts per million;
// positive when the writer is fast. It settles within a few minutes.
func (e *Elastic) PPM() float64 { return e.drift * 1e6 }

// Stats counts since the start.
func (e *Elastic) Stats() ElasticStats { return e.stats }

// Reset forgets the sound but keeps the learned clock offset, for the next call of the same line.
func (e *Elastic) Reset() {
	drift := e.drift
	*e = Elastic{burst: e.burst, target: e.target, drift: drift, step: 1 + drift, stats: e.stats}
}

// sinc holds one low-pass per phase between two samples, flat to 3,400 Hz: a sinc under a Kaiser
// window, each phase scaled to unit gain. It is only read.
var sinc = func() (t [phases + 1][elasticTaps]float32) {
	const beta, cutoff = 6, 0.95
	for p := range t {
		var sum float64
		var h [elasticTaps]float64
		for i := range h {
			x := float64(i-elasticTaps/2+1) - float64(p)/phases
			u := x / (elasticTaps / 2)
			h[i] = kaiser(u, beta)
			if x != 0 {
				h[i] *= math.Sin(math.Pi*cutoff*x) / (math.Pi * cutoff * x)
			}
			sum += h[i]
		}
		for i := range h {
			t[p][i] = float32(h[i] / sum)
		}
	}
	return t
}()

// kaiser is the window of shape beta at u in -1..1.
func kaiser(u, beta float64) float64 {
	if u < -1 || u > 1 {
		return 0
	}
	return bessel(beta*math.Sqrt(1-u*u)) / bessel(beta)
}

// bessel is the modified Bessel function of the first kind and order zero, by its series.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= x * x / 4 / (k * k)
		sum += term
	}
	return sum
}

func clip(v float32) int16 {
	switch {
	case v >= 32767:
		return 32767
	case v <= -32768:
		return -32768
	case v >= 0:
		return int16(v + 0.5)
	}
	return int16(v - 0.5)
}
