// Package mix adds the voices of the parties of one call, with a gain for each pair of them.
//
// Everyone hears the sum of the others. A gain of 0 from one party to another makes whisper (the
// customer does not hear the coach), listening in (nobody hears the supervisor) and mute.
package mix

import "math"

// FrameSamples is the length of one frame: 20 ms at 8,000 Hz.
const FrameSamples = 160

// Frame is 20 ms of linear 16-bit audio at 8,000 Hz.
type Frame = [FrameSamples]int16

// MaxParties bounds a mixer so that no sum can overflow.
const MaxParties = 64

// Gains are fixed-point with 8 fractional bits: 64 parties at the largest gain stay below 2^31.
const (
	unity   = 1 << 8
	maxGain = 4 * unity
)

// Party is a place in a mixer.
type Party int

// Mixer holds the parties of one call. It is used by one goroutine; Mix allocates nothing.
type Mixer struct {
	parties []party
	gain    []int32 // from*len(parties)+to
	total   [FrameSamples]int32
	silence Frame
}

type party struct {
	joined bool
	spoke  bool // in this round
	in     Frame
}

// New makes a mixer with places for n parties, at most MaxParties.
func New(n int) *Mixer {
	n = max(0, min(n, MaxParties))
	return &Mixer{parties: make([]party, n), gain: make([]int32, n*n)}
}

// Grow makes places for n parties in all, at most MaxParties; who has one keeps it and its gains.
func (m *Mixer) Grow(n int) {
	was := len(m.parties)
	if n = min(n, MaxParties); n <= was {
		return
	}
	parties, gain := make([]party, n), make([]int32, n*n)
	copy(parties, m.parties)
	for i := range was {
		copy(gain[i*n:], m.gain[i*was:(i+1)*was])
	}
	m.parties, m.gain = parties, gain
}

// Join takes a free place, heard by and hearing everyone at gain 1. It returns false when all are taken.
func (m *Mixer) Join() (Party, bool) {
	n := len(m.parties)
	for i := range m.parties {
		if m.parties[i].joined {
			continue
		}
		m.parties[i] = party{joined: true}
		for j := range n {
			m.gain[i*n+j], m.gain[j*n+i] = unity, unity
		}
		return Party(i), true
	}
	return 0, false
}

// Leave frees the place.
func (m *Mixer) Leave(p Party) {
	if m.has(p) {
		m.parties[p] = party{}
	}
}

func (m *Mixer) has(p Party) bool {
	return p >= 0 && int(p) < len(m.parties) && m.parties[p].joined
}

// SetGain sets how loud to hears from: 0 not at all, 1 as spoken, at most 4 (+12 dB). A party never
// hears itself.
func (m *Mixer) SetGain(from, to Party, gain float64) {
	if m.has(from) && m.has(to) && !math.IsNaN(gain) {
		m.gain[int(from)*len(m.parties)+int(to)] = int32(max(0, min(maxGain, gain*unity)) + 0.5)
	}
}

// Put gives what p says in this round. Who puts nothing is silent.
func (m *Mixer) Put(p Party, f *Frame) {
	if m.has(p) {
		m.parties[p].in = *f
		m.parties[p].spoke = true
	}
}

// Sum ends the gathering of a round: after it Hear gives each party its mix, until Next.
func (m *Mixer) Sum() {
	clear(m.total[:])
	for i := range m.parties {
		p := &m.parties[i]
		if !p.spoke {
			continue
		}
		for k, s := range &p.in {
			m.total[k] += int32(s)
		}
	}
}

// Hear fills out with what p hears: the sum of all less itself, corrected where a gain is not 1, and
// limited to 16 bits last, so that nobody's own loud voice distorts the others for him.
func (m *Mixer) Hear(p Party, out *Frame) {
	if !m.has(p) {
		clear(out[:])
		return
	}
	self := &m.silence
	if m.parties[p].spoke {
		self = &m.parties[p].in
	}
	if !m.corrects(p) {
		for k, v := range &m.total {
			out[k] = limit(v - int32(self[k]))
		}
		return
	}
	sum := m.total
	for k, s := range self {
		sum[k] -= int32(s)
	}
	n := len(m.parties)
	for i := range m.parties {
		from := &m.parties[i]
		g := m.gain[i*n+int(p)]
		if i == int(p) || !from.spoke || g == unity {
			continue
		}
		for k, s := range &from.in {
			sum[k] += int32(s) * (g - unity) >> 8
		}
	}
	for k, v := range &sum {
		out[k] = limit(v)
	}
}

// corrects reports whether p hears somebody who speaks other than as spoken.
func (m *Mixer) corrects(p Party) bool {
	n := len(m.parties)
	for i := range m.parties {
		if m.parties[i].spoke && i != int(p) && m.gain[i*n+int(p)] != unity {
			return true
		}
	}
	return false
}

// limit is v in 16 bits. A sum that fits, as nearly all do, costs one guess of the processor.
func limit(v int32) int16 {
	if v != int32(int16(v)) {
		v = v>>31 ^ 32767
	}
	return int16(v)
}

// Next begins a new round with everyone silent.
func (m *Mixer) Next() {
	for i := range m.parties {
		m.parties[i].spoke = false
	}
}
