package dsp

import (
	"math"
	"math/cmplx"
	"time"
)

// The detector looks at blocks of 8 ms and judges windows of two. A tone of 40 ms holds three whole
// windows wherever it begins; one of 20 ms cannot fill three, because a window that is not filled for
// at least four fifths fails the purity test. (Limits of ITU-T Q.24 and ETSI ES 201 235-3.)
const (
	dtmfBlock   = 64
	dtmfWindows = 3 // good ones in a row make a digit
	dtmfPause   = 4 // bad ones in a row end it: a drop-out of 10 ms does not, a pause of 40 ms does

	dtmfPurity    = 0.83  // of the window's energy lies in the two tones
	dtmfPeak      = 4.0   // a tone stands out from the others of its group by this energy ratio (6 dB)
	dtmfRowOver   = 8.9   // the row may be stronger by 8 dB, with room for error
	dtmfColOver   = 3.5   // the column by 4 dB (5.4 with room)
	dtmfFrequency = 0.023 // accepted up to 1.5 % + 2 Hz, refused from 3.5 %
	dtmfLevel     = -35.0 // dBm0 of the weaker tone
)

// DigitEvent is the beginning or the end of a DTMF digit.
type DigitEvent struct {
	Key  byte // 0-9 * # A-D
	Down bool
	For  time.Duration // how long it lasted, at its end
}

// DTMF detects the digits of a telephone keypad in sound.
type DTMF struct {
	quiet  [len(dialTones)]notch // takes the network's dial tone out of the way
	block  [dtmfBlock]float64
	filled int
	before spectrum

	key    byte // of the good windows in a row
	good   int
	bad    int
	down   byte // digit reported as down, 0 for none
	length int  // blocks since it began
	sounds bool // the newest window holds a digit

	events [4]DigitEvent
}

// spectrum is what a block holds at the eight frequencies, rows first, and its energy.
type spectrum struct {
	at     [8]complex128
	energy float64
}

// Process looks at the next sound and returns the digits that began or ended in it, in order. The
// slice is valid until the next call.
func (d *DTMF) Process(pcm []int16) []DigitEvent {
	n := 0
	for _, s := range pcm {
		v := float64(s)
		for i := range d.quiet {
			v = d.quiet[i].pass(&dialTones[i], v)
		}
		d.block[d.filled] = v
		if d.filled++; d.filled < dtmfBlock {
			continue
		}
		d.filled = 0
		now := analyse(&d.block)
		key := judge(&d.before, &now)
		d.sounds = key != 0
		if e, ok := d.step(key); ok && n < len(d.events) {
			d.events[n] = e
			n++
		}
		d.before = now
	}
	return d.events[:n]
}

// Sounding reports whether a digit is down or the newest 16 ms look like one that begins: what is said
// anew in another form must not be heard in this one too, and a receiver may take 40 ms for a digit.
func (d *DTMF) Sounding() bool { return d.down != 0 || d.sounds }

// step is the timing of digits: it takes what the newest window holds, 0 for no digit.
func (d *DTMF) step(key byte) (DigitEvent, bool) {
	if key != 0 && key == d.key {
		d.good++
	} else {
		d.key, d.good = key, 1
	}
	if d.down != 0 {
		d.length++
		if key == d.down {
			d.bad = 0
			return DigitEvent{}, false
		}
		if d.bad++; d.bad < dtmfPause && !(key != 0 && d.good >= dtmfWindows) {
			return DigitEvent{}, false
		}
		e := DigitEvent{Key: d.down, For: time.Duration(d.length-d.bad+1) * dtmfBlock * time.Second / SampleRate}
		d.down, d.bad = 0, 0
		return e, true
	}
	if key == 0 || d.good < dtmfWindows {
		return DigitEvent{}, false
	}
	d.down, d.length, d.bad = key, d.good, 0
	return DigitEvent{Key: key, Down: true}, true
}

// judge says which digit the window of two blocks holds, 0 for none.
func judge(a, b *spectrum) byte {
	row, rowEnergy, ok := strongest(a, b, 0)
	if !ok {
		return 0
	}
	column, columnEnergy, ok := strongest(a, b, 4)
	if !ok || rowEnergy > dtmfRowOver*columnEnergy || columnEnergy > dtmfColOver*rowEnergy {
		return 0
	}
	if min(rowEnergy, columnEnergy) < dtmfFloor || rowEnergy+columnEnergy < dtmfPurity*(a.energy+b.energy) {
		return 0
	}
	return keys[row*4+column]
}

// strongest finds the tone of a group in the window: the one that stands out, near enough to its
// nominal frequency. Its energy is measured with the two blocks' phases aligned, so that a tone off by
// 1.5 % loses nothing; the phase between them is what tells how far off it is.
func strongest(a, b *spectrum, from int) (best int, energy float64, ok bool) {
	var first, second float64
	for i := range 4 {
		sum := a.at[from+i] + b.at[from+i]*dtmfTurn[from+i]
		e := real(sum)*real(sum) + imag(sum)*imag(sum)
		if e > first {
			best, first, second = i, e, first
		} else if e > second {
			second = e
		}
	}
	if first < dtmfPeak*second {
		return 0, 0, false
	}
	x, y := a.at[from+best], b.at[from+best]*dtmfTurn[from+best]
	off := cmplx.Phase(y*cmplx.Conj(x)) * SampleRate / (2 * math.Pi * dtmfBlock)
	if math.Abs(off) > dtmfFrequency*dtmfHz[from+best]+2 {
		return 0, 0, false
	}
	size := cmplx.Abs(x) + cmplx.Abs(y)
	return best, size * size / dtmfBlock, true
}

// dtmfFloor is the energy of a window at dtmfLevel.
var dtmfFloor = Amplitude(dtmfLevel) * Amplitude(dtmfLevel) * dtmfBlock

// dtmfHz lists rows, then columns; dtmfWave their waves over one block and dtmfTurn the phase that a
// block's start adds. They are only read.
var (
	dtmfHz   = [8]float64{697, 770, 852, 941, 1209, 1336, 1477, 1633}
	dtmfWave = func() (w [8][dtmfBlock]complex128) {
		for k, hz := range dtmfHz {
			for i := range w[k] {
				w[k][i] = cmplx.Rect(1, -2*math.Pi*hz*float64(i)/SampleRate)
			}
		}
		return w
	}()
	dtmfTurn = func() (w [8]complex128) {
		for k, hz := range dtmfHz {
			w[k] = cmplx.Rect(1, -2*math.Pi*hz*dtmfBlock/SampleRate)
		}
		return w
	}()
)

// dialTones are the frequencies over which digits are dialled: 425 Hz in Italy and most of Europe, 350
// and 440 Hz in Britain and America (ITU-T E.180). They are only read.
var dialTones = [...]biquad{band(350, 60), band(425, 60), band(440, 60)}

// biquad holds the coefficients of a notch: zeros on the circle at its frequency, poles behind them.
type biquad struct{ turn, near, far float64 }

// band makes the notch of a frequency and a width in Hz. It is narrow, so that it takes a tone out and
// leaves what tells a voice from a digit.
func band(hz, width float64) biquad {
	r, c := 1-math.Pi*width/SampleRate, 2*math.Cos(2*math.Pi*hz/SampleRate)
	return biquad{turn: c, near: r * c, far: r * r}
}

// notch is the state of one biquad (transposed direct form II).
type notch struct{ a, b float64 }

func (n *notch) pass(q *biquad, v float64) float64 {
	out := v + n.a
	n.a = n.b - q.turn*v + q.near*out
	n.b = v - q.far*out
	return out
}

// analyse runs one Goertzel filter per frequency over the block.
func analyse(block *[dtmfBlock]float64) (s spectrum) {
	for _, v := range block {
		s.energy += v * v
	}
	if s.energy == 0 {
		return s
	}
	for k := range s.at {
		coefficient := 2 * real(dtmfWave[k][1])
		var p, q float64
		for _, v := range block {
			p, q = v+coefficient*p-q, p
		}
		// The filter's end value, turned back to the block's start.
		s.at[k] = (complex(p, 0) - dtmfWave[k][1]*complex(q, 0)) * dtmfWave[k][dtmfBlock-1]
	}
	return s
}
