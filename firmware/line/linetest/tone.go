package linetest

import (
	"fmt"
	"math"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
)

// rate is the sample rate of all audio, in Hz.
const rate = 8000

// Tone is a sine that goes on from frame to frame. It is used by one goroutine.
type Tone struct {
	Hz    float64 // 0 is silence
	phase float64
}

// Fill writes the next 20 ms, at half of full scale.
func (t *Tone) Fill(f *line.Frame) {
	for i := range f {
		f[i] = 0
		if t.Hz > 0 {
			f[i] = int16(16000 * math.Sin(t.phase))
			t.phase = math.Mod(t.phase+2*math.Pi*t.Hz/rate, 2*math.Pi)
		}
	}
}

// segment is the span over which a tone's phase is taken as fixed: a clock that is 200 ppm off turns
// 1 kHz by less than a tenth of a radian in it.
const segment = rate / 20

// Purity is the power of a steady tone at hz over the power of all else in pcm, in dB. It fits one sine
// per 50 ms by least squares; what the fit leaves is all else, and so is what a part of the time lacks
// against the loudest: half a second with a gap is not pure. Silence has a purity of -Inf.
func Purity(pcm []int16, hz float64) float64 {
	var tone, rest, loudest float64
	var levels []float64
	for len(pcm) >= segment {
		s := pcm[:segment]
		pcm = pcm[segment:]
		// The normal equations of a*cos + b*sin.
		var cc, ss, cs, xc, xs, xx float64
		for i, v := range s {
			c, n := math.Cos(2*math.Pi*hz*float64(i)/rate), math.Sin(2*math.Pi*hz*float64(i)/rate)
			x := float64(v)
			cc, ss, cs = cc+c*c, ss+n*n, cs+c*n
			xc, xs, xx = xc+x*c, xs+x*n, xx+x*x
		}
		det := cc*ss - cs*cs
		if det <= 0 {
			continue
		}
		a, b := (xc*ss-xs*cs)/det, (xs*cc-xc*cs)/det
		rest += max(0, xx-a*xc-b*xs)
		level := math.Hypot(a, b)
		levels = append(levels, level)
		loudest = max(loudest, level)
		tone += level * level / 2 * segment
	}
	for _, level := range levels {
		rest += (loudest - level) * (loudest - level) / 2 * segment
	}
	if tone <= 0 {
		return math.Inf(-1)
	}
	return 10 * math.Log10(tone/max(rest, 1e-9))
}

const (
	nearHz = 1004 // what the box says
	farHz  = 620  // what the far end says; no harmonic of the other
	// window is the sound that is judged at once, and hearing the time in which one must be pure: a
	// machine that runs other tests stalls now and then, and the gap is the machine's and not the line's.
	window    = rate / 2
	hearing   = 6 * time.Second
	minPurity = 20 // how far a tone must stand over all else, in dB
)

// BothWays lets each end of a connected line say a tone of its own and returns nil once each end has
// heard half a second of the other's at least 20 dB over all else, and an error when that does not come.
func BothWays(m line.Media, far FarEnd) error {
	far.Speak(farHz)
	defer far.Speak(0)
	far.Forget()
	tone := Tone{Hz: nearHz}
	var heard []int16
	in, out := math.Inf(-1), math.Inf(-1)
	start := time.Now()
	for n := 1; time.Since(start) < hearing; n++ {
		time.Sleep(time.Until(start.Add(time.Duration(n) * 20 * time.Millisecond))) // the box's 20 ms clock
		var f line.Frame
		m.ReadFrame(&f)
		heard = append(heard, f[:]...)
		tone.Fill(&f)
		m.WriteFrame(&f)
		if len(heard) < window || n%5 != 0 {
			continue
		}
		heard = heard[len(heard)-window:]
		distant := far.Heard(window)
		if len(distant) < window {
			continue
		}
		in, out = max(in, Purity(heard, farHz)), max(out, Purity(distant, nearHz))
		if in >= minPurity && out >= minPurity { // not in the same half second: the machine's gaps come when they like
			return nil
		}
	}
	return fmt.Errorf("the box hears the far end's tone %.1f dB over all else, the far end the box's %.1f dB; want %d", in, out, minPurity)
}
