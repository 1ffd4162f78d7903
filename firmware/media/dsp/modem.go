package dsp

import (
	"math"
	"math/cmplx"
)

// ModemTone is what a fax machine, a card terminal or an alarm says before it sends data.
type ModemTone uint8

// The tones, in the order of a fax call.
const (
	CNG      ModemTone = iota + 1 // 1100 Hz for half a second every 3.5 s: a fax machine calls (ITU-T T.30 section 4.1)
	CED                           // 2100 Hz: a fax machine or a modem answers (T.30 section 4.2, V.25)
	Reversal                      // the phase of CED turns round: echo cancellers shall go out of the way (V.25, G.168)
	V21                           // the flags before a fax machine's commands, 300 bit/s (T.30 section 5.3.1, V.21 channel 2)
)

func (t ModemTone) String() string {
	switch t {
	case CNG:
		return "CNG"
	case CED:
		return "CED"
	case Reversal:
		return "CED with phase reversal"
	case V21:
		return "V.21 preamble"
	}
	return "no tone"
}

// The detector looks at frames of 20 ms, each in two halves: the turn of the phase between them tells
// how far the tone is off.
const (
	modemFrame  = SampleRate / 50
	modemHalf   = modemFrame / 2
	modemLevel  = -43.0 // dBm0, the weakest signal that T.30 machines take
	modemPurity = 0.9   // of a frame's energy lies in the tone
	modemSteady = 2.5   // how much the energy may change (4 dB): V.8 modulates CED, a note of music fades

	cngShortest = 17 // frames: 0.5 s less 15 %, and a half-filled frame at either end
	cngLongest  = 30
	cedShortest = 25 // half a second; a machine says it for 2.6 to 4 s
	v21Flags    = 8  // of the 37 that a preamble of a second has
)

// Modem detects the tones of machines in the sound of one direction of a call. The zero value is ready.
type Modem struct {
	frame  [modemFrame]float64
	filled int

	tone  ModemTone // CNG or CED: what the last frames held
	since int       // for how many
	gap   int       // frames since without it: one may be lost
	loud  float64   // energy of its first frame
	said  bool      // CED was reported
	phase float64   // of CED in the last frame
	flags fsk
}

// Engaged reports whether something has begun that only the next frames can tell; otherwise a look at
// every third frame is enough.
func (m *Modem) Engaged() bool { return m.since > 0 || m.flags.runs > 0 || m.flags.watched > 0 }

// Process looks at the next sound and returns the tone that is now certain, 0 for none. CED is told
// once and Reversal each time that it turns.
func (m *Modem) Process(pcm []int16) (found ModemTone) {
	for _, s := range pcm {
		m.frame[m.filled] = float64(s)
		if m.filled++; m.filled < modemFrame {
			continue
		}
		m.filled = 0
		if t := m.look(); t != 0 {
			found = t
		}
	}
	return found
}

// look judges one frame.
func (m *Modem) look() ModemTone {
	var energy float64
	for _, v := range m.frame {
		energy += v * v
	}
	if energy < modemFloor {
		m.flags.reset()
		return m.step(0, 0, 0)
	}
	a, b := modemFilters(m.frame[:modemHalf]), modemFilters(m.frame[modemHalf:])
	if m.flags.hear(&m.frame, square(a[2])+square(b[2])+square(a[3])+square(b[3]), energy) {
		return V21
	}
	if ok, _ := pure(a[0], b[0], modemHz[0], 40, energy); ok {
		return m.step(CNG, 0, energy)
	}
	ok, phase := pure(a[1], b[1], modemHz[1], 20, energy)
	if ok {
		return m.step(CED, phase, energy)
	}
	if m.tone == CED && m.turned(energy) {
		return 0 // the phase turned within this frame: it is no end
	}
	return m.step(0, 0, 0)
}

// step is the timing of the tones.
func (m *Modem) step(t ModemTone, phase, energy float64) (found ModemTone) {
	if t == m.tone && energy*modemSteady < m.loud {
		t = 0
	}
	switch {
	case t == m.tone && t != 0 && energy > m.loud*modemSteady: // the frame before was not filled
		m.since, m.gap, m.said, m.loud = 1, 0, false, energy
	case t == m.tone && t != 0:
		m.since += 1 + m.gap
		m.gap = 0
		if t == CED {
			found = m.answered(phase)
		}
	case t != 0:
		m.tone, m.since, m.gap, m.said, m.loud = t, 1, 0, false, energy
	case m.tone != 0:
		if m.gap++; m.gap <= 2 {
			return 0
		}
		if m.tone == CNG && m.since >= cngShortest && m.since <= cngLongest {
			found = CNG
		}
		m.tone, m.since, m.gap = 0, 0, 0
	}
	m.phase = phase
	return found
}

// answered tells CED once it has lasted, and its turns.
func (m *Modem) answered(phase float64) ModemTone {
	turn := math.Abs(math.Remainder(phase-m.phase, 2*math.Pi))
	switch {
	case m.since >= cedShortest && !m.said:
		m.said = true
		return CED
	case m.said && turn > 2.6: // an offset of 20 Hz turns the phase by 2.5 in a frame
		return Reversal
	}
	return 0
}

// pure reports whether a frame, of whose halves a and b are the components at hz, holds a tone near it
// and hardly anything else, and the phase of the tone.
func pure(a, b complex128, hz, tolerance, energy float64) (ok bool, phase float64) {
	if square(a)+square(b) < energy/10*modemHalf { // far from it: spares the rest
		return false, 0
	}
	b *= cmplx.Rect(1, -2*math.Pi*hz*modemHalf/SampleRate)
	off := cmplx.Phase(b*cmplx.Conj(a)) * SampleRate / (2 * math.Pi * modemHalf)
	if math.Abs(off) > tolerance {
		return false, 0
	}
	inTone := (square(a) + square(b)) * 2 / modemHalf
	if x := math.Pi * off * modemHalf / SampleRate; x != 0 {
		inTone /= math.Sin(x) / x * math.Sin(x) / x // a tone that is off falls between the filters
	}
	return inTone >= modemPurity*energy, cmplx.Phase(a + b)
}

// turned reports whether the frame is still 2100 Hz but for a turn of its phase somewhere within.
func (m *Modem) turned(energy float64) bool {
	const part = modemFrame / 4
	var inTone float64
	for i := 0; i < modemFrame; i += part {
		inTone += square(goertzel(m.frame[i:i+part], 2100)) * 2 / part
	}
	return inTone > 0.7*energy
}

// fsk finds the flags of V.21 channel 2: 01111110 again and again, 1 being 1650 Hz and 0 1850 Hz, which
// makes 20 ms of the one and 6.7 ms of the other in turns.
type fsk struct {
	watched int // frames still looked at sample by sample
	ring    [fskWindow]complex128
	at      int
	sum     complex128
	before  complex128
	sign    bool // the frequency is above 1750 Hz
	run     int  // samples since it changed
	runs    int  // in a row that fit flags
	turn    int  // samples since the carrier's phase 0
}

const (
	fskWindow = 20 // samples over which a bit is smoothed; one has 26.7
	fskCentre = 1750.0
	fskPeriod = SampleRate * 2 / 500 // samples in which the centre goes round 7 times
)

func (f *fsk) reset() { *f = fsk{} }

// hear takes a frame and reports whether a preamble is now certain, once.
// Bits is the sum of the squared components at both of its frequencies.
func (f *fsk) hear(frame *[modemFrame]float64, bits, energy float64) bool {
	if bits*2/modemHalf > 0.6*energy {
		if f.watched == 0 {
			f.reset()
		}
		f.watched = 3
	}
	if f.watched == 0 {
		return false
	}
	if f.watched--; f.watched == 0 {
		f.runs = 0
	}
	certain := false
	for _, v := range frame {
		if f.sample(v) {
			certain = true
		}
	}
	return certain
}

// sample follows the frequency by the turn of the phase around the centre.
func (f *fsk) sample(v float64) bool {
	x := complex(v, 0) * fskWave[f.turn]
	if f.turn++; f.turn == fskPeriod {
		f.turn = 0
	}
	f.sum += x - f.ring[f.at]
	f.ring[f.at] = x
	if f.at++; f.at == fskWindow {
		f.at = 0
	}
	high := imag(f.sum*cmplx.Conj(f.before)) > 0
	f.before = f.sum
	f.run++
	if high == f.sign {
		return false
	}
	fits := f.run > 130 && f.run < 190 // 6 bits of mark
	if f.sign {
		fits = f.run > 30 && f.run < 80 // 2 bits of space
	}
	if fits {
		f.runs++
	} else if f.run > 6 { // less is noise at the change
		f.runs = 0
	}
	f.sign, f.run = high, 0
	return fits && f.runs == 2*v21Flags
}

// fskWave is the wave of the centre, turning backwards. It is only read.
var fskWave = func() (w [fskPeriod]complex128) {
	for i := range w {
		w[i] = cmplx.Rect(1, -2*math.Pi*fskCentre*float64(i)/SampleRate)
	}
	return w
}()

// modemFloor is the energy of a frame at modemLevel.
var modemFloor = Amplitude(modemLevel) * Amplitude(modemLevel) / 2 * modemFrame

// modemHz are the frequencies that each frame is asked for: CNG, CED, and the bits of V.21; modemTurn is
// what one sample and a half frame turn their waves. They are only read.
var (
	modemHz   = [4]float64{1100, 2100, 1650, 1850}
	modemTurn = func() (w [4]struct{ one, half complex128 }) {
		for i, hz := range modemHz {
			turn := -2 * math.Pi * hz / SampleRate
			w[i].one, w[i].half = cmplx.Rect(1, turn), cmplx.Rect(1, turn*(modemHalf-1))
		}
		return w
	}()
)

// modemFilters are the components of half a frame at all of modemHz, in one pass.
func modemFilters(x []float64) (out [4]complex128) {
	c0, c1, c2, c3 := 2*real(modemTurn[0].one), 2*real(modemTurn[1].one), 2*real(modemTurn[2].one), 2*real(modemTurn[3].one)
	var p0, p1, p2, p3, q0, q1, q2, q3 float64 // in registers
	for _, v := range x {
		p0, q0 = v-q0+c0*p0, p0
		p1, q1 = v-q1+c1*p1, p1
		p2, q2 = v-q2+c2*p2, p2
		p3, q3 = v-q3+c3*p3, p3
	}
	p, q := [4]float64{p0, p1, p2, p3}, [4]float64{q0, q1, q2, q3}
	for i := range out {
		out[i] = (complex(p[i], 0) - modemTurn[i].one*complex(q[i], 0)) * modemTurn[i].half
	}
	return out
}

// goertzel is the component of x at hz, its phase counted from the start of x.
func goertzel(x []float64, hz float64) complex128 {
	turn := 2 * math.Pi * hz / SampleRate
	c := 2 * math.Cos(turn)
	var p, q float64
	for _, v := range x {
		p, q = v+c*p-q, p
	}
	return (complex(p, 0) - cmplx.Rect(1, -turn)*complex(q, 0)) * cmplx.Rect(1, -turn*float64(len(x)-1))
}

func square(c complex128) float64 { return real(c)*real(c) + imag(c)*imag(c) }
