package dsp

import "math"

const (
	cleanFall   = 0.85    // of the held power of the echo, per hop
	cleanOver   = 8.0     // times what is expected to be left of the echo: somebody speaks (9 dB)
	cleanMasked = 0.02    // of the echo taken out: a voice that much weaker is not missed (17 dB)
	cleanHold   = 8       // hops for which a voice is held
	cleanOpen   = 1.0 / 8 // of the gain, per sample
	cleanClose  = 1.0 / 80
	cleanStill  = -62.0 // dBm0: below is silence
	cleanWindow = 100   // hops of which the quietest is the noise of the line
)

// cleaner is the non-linear processor behind an echo canceller: while only we speak, what the filter leaves
// of the echo gives way to noise as loud as the line's own (ITU-T G.168 section 3.2, test 9).
type cleaner struct {
	echo  float64 // power of the echo taken out, held
	leak  float64 // what is left of it, smoothed
	gain  float32
	hold  int // hops for which a voice is still assumed
	voice bool

	noise   float64 // power of the line's own noise
	least   [2]float64
	windows int
	random  uint32
	colour  float32
}

func newCleaner() cleaner {
	return cleaner{leak: 0.3, gain: 1, random: 1, least: [2]float64{math.Inf(1), math.Inf(1)}}
}

// process takes what the filter left of received, and writes what is to be heard into received. Expects is
// the power that an echo not yet taken out may have; loud says that it is certainly louder than an echo. Plain
// is without the non-linear processor.
func (c *cleaner) process(left []float32, received []int16, expects float64, loud, plain bool) {
	var rest, echo float64
	for i, v := range left {
		y := float64(received[i]) - float64(v)
		rest += float64(v) * float64(v)
		echo += y * y
	}
	rest /= float64(len(left))
	echo /= float64(len(left))
	c.echo = max(echo, c.echo*cleanFall)
	c.listen(rest)
	expected := max(max(cleanOver*c.leak, cleanMasked)*c.echo, expects) + cleanOver*c.noise
	switch {
	case loud || rest > expected && rest > cleanFloor:
		c.hold = cleanHold
	case c.hold > 0:
		c.hold--
	}
	c.voice = c.hold > 0
	if !c.voice && c.echo > 30*c.noise && c.echo > cleanFloor {
		if part := rest / c.echo; part < c.leak {
			c.leak += (part - c.leak) / 8
		} else {
			c.leak += (part - c.leak) / 16
		}
		c.leak = min(0.3, max(1e-4, c.leak))
	}
	if plain {
		for i, v := range left {
			received[i] = clip(v)
		}
		return
	}
	only := !c.voice && (c.echo > c.noise || expects > c.noise) // only we speak
	noise := float32(math.Sqrt(c.noise))
	for i, v := range left {
		if only {
			c.gain = max(0, c.gain-cleanClose)
		} else {
			c.gain = min(1, c.gain+cleanOpen)
		}
		received[i] = clip(c.gain*v + (1-c.gain)*noise*c.hiss())
	}
}

// listen follows the noise of the line: the quietest hop of the last one to two seconds.
func (c *cleaner) listen(power float64) {
	c.least[1] = min(c.least[1], power)
	if c.windows++; c.windows == cleanWindow {
		c.least[0], c.least[1], c.windows = c.least[1], math.Inf(1), 0
	}
	if least := min(c.least[0], c.least[1]); least < c.noise || c.windows == 0 {
		c.noise = min(least, cleanMost)
	}
}

// hiss is noise of power 1, with less of the high frequencies, as lines have it.
func (c *cleaner) hiss() float32 {
	c.random = c.random*1664525 + 1013904223
	c.colour += (float32(int32(c.random))/(1<<31) - c.colour) * 0.7
	return c.colour * 2.36 // the power of uniform noise is a third, of which the filter leaves 0.54
}

// cleanFloor is the power at cleanStill, cleanMost the most that is taken for noise.
var (
	cleanFloor = math.Pow(Amplitude(cleanStill), 2) / 2
	cleanMost  = math.Pow(Amplitude(-40), 2) / 2
)
