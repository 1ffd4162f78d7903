package dsp

import "math"

const (
	gainTarget = -19.0 // dBm0 of speech
	gainMost   = 12.0  // dB
	gainLeast  = -12.0
	gainSlack  = 1.0   // dB around the target in which nothing moves
	gainVoice  = -45.0 // dBm0: weaker is silence
	gainOver   = 9.0   // dB by which speech is louder than the noise of the line
	gainTone   = 500.0 // gain of a predictor that voices hardly reach and tones do (27 dB)
	gainFall   = 0.6   // dB per hop: 50 ms for 3 dB
	gainRise   = 0.06  // dB per hop: 2 s for 12 dB
	gainMemory = 40.0  // hops of speech over which its level is taken
	gainEdge   = 3     // hops around a tone that hold its edges
	gainPeak   = 30000.0
)

// Gain brings speech of any level to -18 to -20 dBm0, by at most 12 dB either way: automatic gain control.
// In silence, in noise and over tones it stays as it is, so that it never pumps up the noise of a pause. It
// belongs behind the echo canceller, whose path must not move. One goroutine uses it; it does not allocate.
// The zero value is ready.
type Gain struct {
	past   [predictWindow]float32
	n      int               // samples into the hop
	level  float64           // dBm0 of the speech heard
	heard  float64           // hops of it, up to gainMemory
	recent [gainEdge]float64 // levels of the newest hops of speech, 0 for none: a tone may yet follow
	hold   int               // hops for which a tone is still near
	noise  float64           // dBm0, 0 before the first hop
	db     float64
	factor float64 // of the newest sample
	limit  float64 // of a peak that would be clipped: falls at once and comes back within half a second
}

// Reset forgets the speaker, for the next call.
func (g *Gain) Reset() { *g = Gain{} }

// DB is the gain now.
func (g *Gain) DB() float64 { return g.db }

// Process changes the sound in place.
func (g *Gain) Process(pcm []int16) {
	if g.factor == 0 {
		g.factor, g.limit = 1, 1
	}
	goal := math.Pow(10, g.db/20)
	for i, s := range pcm {
		g.past[2*hop+g.n] = float32(s)
		if g.n++; g.n == hop {
			g.n = 0
			g.look()
			goal = math.Pow(10, g.db/20)
			copy(g.past[:], g.past[hop:])
		}
		g.factor += (goal - g.factor) / 40 // 5 ms: no click
		v := g.factor * float64(s)
		g.limit = min(1, g.limit*(1+1.0/4000))
		if loud := math.Abs(v) * g.limit; loud > gainPeak {
			g.limit *= gainPeak / loud
		}
		v *= g.limit
		pcm[i] = clip(float32(v))
	}
}

// look judges a hop and moves the gain.
func (g *Gain) look() {
	var sum float64
	for _, v := range g.past[2*hop:] {
		sum += float64(v) * float64(v)
	}
	level := decibels(sum / hop)
	switch {
	case g.noise == 0 || level < g.noise:
		g.noise = level
	default:
		g.noise += 0.02 // 2 dB a second
	}
	due := g.recent[0]
	copy(g.recent[:], g.recent[1:])
	g.recent[gainEdge-1] = 0
	if level >= gainVoice {
		if _, gain := predict(&g.past); gain > gainTone {
			g.recent, g.hold = [gainEdge]float64{}, gainEdge
			return
		}
	}
	if g.hold > 0 {
		g.hold--
		return
	}
	if level >= gainVoice && level >= g.noise+gainOver {
		g.recent[gainEdge-1] = level
	}
	if due != 0 {
		g.adjust(due)
	}
}

// adjust takes the level of a hop of speech.
func (g *Gain) adjust(level float64) {
	g.heard = min(g.heard+1, gainMemory)
	power := math.Pow(10, g.level/10)
	power += (math.Pow(10, level/10) - power) / g.heard
	g.level = 10 * math.Log10(power)
	if g.heard < gainMemory/4 {
		return
	}
	switch wrong := g.level + g.db - gainTarget; {
	case wrong > gainSlack:
		g.db = max(gainLeast, g.db-min(gainFall, wrong))
	case wrong < -gainSlack:
		g.db = min(gainMost, g.db+min(gainRise, -wrong))
	}
}
