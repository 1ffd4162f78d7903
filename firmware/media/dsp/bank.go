package dsp

import (
	"math"
	"math/cmplx"
)

const (
	toneOff        = 20.0 // Hz that a tone may be off; 15 with room for error
	informationOff = 50.0
	pairOff        = 12.0
	tonePurity     = 0.9
	pairTwist      = 6.3 // one tone of a pair may be stronger by 8 dB
	toneFloor      = -43.0
	pairHops       = 3 // a pair needs 30 ms to be told apart
)

// bank finds which of several tones or pairs of tones a hop of sound holds.
type bank struct {
	tones []bankTone
	sets  []bankSet
}

// bankTone is one Goertzel filter, with what it found in the newest hops, newest last.
type bankTone struct {
	hz, coefficient float64
	one, end        complex128 // what a sample and a whole hop less one turn its wave
	turn            complex128 // what a hop turns it
	found           [pairHops]complex128
}

// bankSet is a tone or a pair of tones.
type bankSet struct {
	a, b    int // indices of tones
	pair    bool
	off     float64       // Hz
	certain int           // hops in a row that begin a burst
	cross   complex128    // of a pair: the sum of the wave of the difference over its window
	before  [2]complex128 // of a pair: amplitudes one hop ago
	energy  [pairHops]float64
	hz      float64 // of a single tone, as the newest hops measured it
}

// add returns the index of the set, which may be there already.
func (k *bank) add(hz [2]float64, off float64) int {
	for _, f := range hz {
		if f < 0 || f >= SampleRate/2 {
			return -1
		}
	}
	a, b := k.tone(hz[0]), -1
	if hz[1] > 0 {
		b = k.tone(hz[1])
	}
	for i := range k.sets {
		if s := &k.sets[i]; s.a == a && s.b == b {
			return i
		}
	}
	s := bankSet{a: a, b: b, off: off, certain: 2}
	if b >= 0 {
		s.pair, s.off, s.certain = true, pairOff, 2
		for i := range pairHops * hop {
			s.cross += cmplx.Rect(1, 2*math.Pi*(hz[1]-hz[0])*float64(i)/SampleRate)
		}
	}
	k.sets = append(k.sets, s)
	return len(k.sets) - 1
}

func (k *bank) tone(hz float64) int {
	for i := range k.tones {
		if k.tones[i].hz == hz {
			return i
		}
	}
	turn := -2 * math.Pi * hz / SampleRate
	k.tones = append(k.tones, bankTone{
		hz: hz, coefficient: 2 * math.Cos(turn),
		one: cmplx.Rect(1, turn), end: cmplx.Rect(1, turn*(hop-1)), turn: cmplx.Rect(1, turn*hop),
	})
	return len(k.tones) - 1
}

func (k *bank) reset() {
	for i := range k.tones {
		k.tones[i].found = [pairHops]complex128{}
	}
	for i := range k.sets {
		k.sets[i].before, k.sets[i].energy = [2]complex128{}, [pairHops]float64{}
	}
}

// look takes the next hop and its energy, and returns the set that the newest sound consists of; -1 for
// none. Of several it is the one that follows what was heard before, or else the nearest.
func (k *bank) look(block *[hop]float64, energy float64, follows int) int {
	quiet := energy < bankFloor
	for i := range k.tones {
		t := &k.tones[i]
		t.found[0], t.found[1], t.found[2] = t.found[1], t.found[2], 0
	}
	if !quiet {
		rest := k.tones
		for ; len(rest) >= 4; rest = rest[4:] {
			find4(block, &rest[0], &rest[1], &rest[2], &rest[3])
		}
		switch n := len(rest); n {
		case 0:
		case 1:
			rest[0].find(block)
		default: // the last one again is cheaper than waiting for each alone
			find4(block, &rest[0], &rest[1], &rest[n-1], &rest[n-1])
		}
	}
	best, least := -1, math.Inf(1)
	for i := range k.sets {
		s := &k.sets[i]
		s.energy[0], s.energy[1], s.energy[2] = s.energy[1], s.energy[2], energy
		purity, off := 0.0, 0.0
		switch {
		case s.pair:
			purity = s.both(&k.tones[s.a], &k.tones[s.b], quiet)
		case !quiet:
			purity, off = s.alone(&k.tones[s.a])
			s.hz = k.tones[s.a].hz + off
		}
		if off = math.Abs(off); purity >= tonePurity && (i == follows || best < 0 || best != follows && off < least) {
			best, least = i, off
		}
	}
	return best
}

// find runs the filter over a hop.
func (t *bankTone) find(block *[hop]float64) {
	var p, q float64
	for _, v := range block {
		p, q = v+t.coefficient*p-q, p
	}
	t.finds(p, q)
}

// find4 runs four at once: each waits for its own last step, and the others go on meanwhile.
func find4(block *[hop]float64, t, u, v, w *bankTone) {
	var tp, tq, up, uq, vp, vq, wp, wq float64
	tc, uc, vc, wc := t.coefficient, u.coefficient, v.coefficient, w.coefficient
	for _, s := range block {
		tp, tq = s+tc*tp-tq, tp
		up, uq = s+uc*up-uq, up
		vp, vq = s+vc*vp-vq, vp
		wp, wq = s+wc*wp-wq, wp
	}
	t.finds(tp, tq)
	u.finds(up, uq)
	v.finds(vp, vq)
	w.finds(wp, wq)
}

// finds turns the state of the filter into the amplitude of its tone.
func (t *bankTone) finds(p, q float64) {
	t.found[2] = (complex(p, 0) - t.one*complex(q, 0)) * t.end
}

// alike says that two sets may hold the same tone.
func (k *bank) alike(i, j int) bool {
	s, u := &k.sets[i], &k.sets[j]
	return i == j || !s.pair && !u.pair && math.Abs(k.tones[s.a].hz-k.tones[u.a].hz) <= s.off
}

// alone is the part of the energy of the newest two hops that lies in one tone near enough to its
// frequency, and how far off it is in Hz, which the turn of its phase between them tells.
func (s *bankSet) alone(t *bankTone) (part, off float64) {
	a, b := t.found[1], t.found[2]*t.turn
	total := s.energy[1] + s.energy[2]
	if square(a)+square(b) < total/8*hop {
		return 0, 0
	}
	off = cmplx.Phase(b*cmplx.Conj(a)) * SampleRate / (2 * math.Pi * hop)
	if math.Abs(off) > s.off {
		return 0, 0
	}
	// Of the sum, where the images of the tone at its negative frequency cancel; not when a hop is an edge.
	in := (square(a) + square(b)) * 2 / hop
	if min(s.energy[1], s.energy[2])*2 > max(s.energy[1], s.energy[2]) {
		size := cmplx.Abs(a) + cmplx.Abs(b)
		in = size * size / hop
	}
	return in / (total * falls(off, hop)), off
}

// both is the part of the energy of the newest three hops that lies in the pair, solved for both tones
// at once because their waves are not orthogonal over so short a time.
func (s *bankSet) both(t, u *bankTone, quiet bool) float64 {
	const n = pairHops * hop
	if quiet {
		s.before = [2]complex128{}
		return 0
	}
	c1 := t.found[0] + t.turn*(t.found[1]+t.turn*t.found[2])
	c2 := u.found[0] + u.turn*(u.found[1]+u.turn*u.found[2])
	det := complex((n*n-square(s.cross))/4, 0)
	a := (c1*complex(n/2, 0) - c2*s.cross/2) / det
	b := (c2*complex(n/2, 0) - c1*cmplx.Conj(s.cross)/2) / det
	before := s.before
	s.before = [2]complex128{a, b}
	if x, y := square(a), square(b); x > pairTwist*y || y > pairTwist*x {
		return 0
	}
	offA := cmplx.Phase(a*cmplx.Conj(before[0])*t.turn) * SampleRate / (2 * math.Pi * hop)
	offB := cmplx.Phase(b*cmplx.Conj(before[1])*u.turn) * SampleRate / (2 * math.Pi * hop)
	if math.Abs(offA) > s.off || math.Abs(offB) > s.off {
		return 0
	}
	in := n/2*(square(a)/falls(offA, n)+square(b)/falls(offB, n)) + real(a*cmplx.Conj(b)*cmplx.Conj(s.cross))
	return min(1, in/(s.energy[0]+s.energy[1]+s.energy[2]))
}

// falls is the part of a tone's energy that a filter over n samples sees when the tone is off by some Hz.
func falls(off float64, n int) float64 {
	x := math.Pi * off * float64(n) / SampleRate
	if math.Abs(x) < 1e-3 {
		return 1
	}
	y := math.Sin(x) / x
	return y * y
}

// bankFloor is the energy of a hop at toneFloor.
var bankFloor = math.Pow(Amplitude(toneFloor), 2) / 2 * hop

// highPass takes out what lies below the band of a telephone: hum, and drift of a modem's zero. A
// second-order Butterworth filter of 200 Hz.
type highPass struct{ a, b float64 }

func (h *highPass) pass(v float64) float64 {
	const (
		b0 = 0.8948586
		a1 = -1.7786318
		a2 = 0.8008026
	)
	out := b0*v + h.a
	h.a = (h.b - 2*b0*v) - a1*out // what does not wait for out goes first
	h.b = b0*v - a2*out
	return out
}
