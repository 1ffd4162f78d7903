package dsp

import (
	"math"
	"math/cmplx"
	"time"
)

const (
	learnFor     = 12 * time.Second // of sound is kept
	learnWindow  = SampleRate / 10  // whose bins are 10 Hz wide
	learnStep    = learnWindow / 2
	learnBin     = float64(SampleRate) / learnWindow
	learnLevel   = -40.0 // dBm0
	learnApart   = 7     // bins between the tones of a pair, so that the window tells them apart
	learnVotes   = 6     // windows that must hold the tone
	learnLately  = 400   // hops after its last burst in which the call must have ended
	learnSteady  = 2.0   // energy ratio between its bursts (3 dB)
	learnPeak    = 2     // bins at either side that hold a tone under a Hann window
	learnPurity  = 0.9
	learnBinMost = int(learnHighest/learnBin) + learnPeak + 1
)

// Learner keeps the last seconds of what a line said, so that the tone with which the exchange ends a call
// can be learned from calls that were seen to end by other evidence: a polarity reversal, a loop that
// dropped, a modem's event. One goroutine uses it. Only Learn allocates.
type Learner struct {
	ring [learnFor / time.Second * SampleRate]int16
	at   int
	full bool
}

// Process keeps the next sound.
func (l *Learner) Process(pcm []int16) {
	for _, s := range pcm {
		l.ring[l.at] = s
		if l.at++; l.at == len(l.ring) {
			l.at, l.full = 0, true
		}
	}
}

// Reset forgets the sound, for the next call.
func (l *Learner) Reset() { l.at, l.full = 0, false }

// Learn looks whether the call ended with a tone: at least HangUpCycles equal bursts of one frequency or of
// two, with hardly anything else in them and in their pauses, the last of them near the end of the sound.
// Give what it returns to Learned.After. Speech, music and other signals teach nothing. It takes some 70 ms
// of processor time: a call of its own, not the path of frames.
func (l *Learner) Learn() (LearnedTone, bool) {
	var pcm []float64
	if l.full {
		pcm = append(pcm, floats(l.ring[l.at:])...)
	}
	pcm = append(pcm, floats(l.ring[:l.at])...)
	hz, ok := elect(pcm)
	if !ok {
		return LearnedTone{}, false
	}
	return follow(pcm, hz)
}

// floats is the sound without what lies below the band of a telephone.
func floats(pcm []int16) []float64 {
	var quiet highPass
	out := make([]float64, len(pcm))
	for i, s := range pcm {
		out[i] = quiet.pass(float64(s))
	}
	return out
}

// elect finds the tone or pair that most windows hold.
func elect(pcm []float64) (hz [2]float64, ok bool) {
	type candidate struct {
		sum   [2]float64
		votes float64
	}
	var all []candidate
	best := -1
	for i := 0; i+learnWindow <= len(pcm); i += learnStep {
		hz, ok := tonesOf(pcm[i : i+learnWindow])
		if !ok {
			continue
		}
		at := -1
		for k, c := range all {
			if math.Abs(c.sum[0]/c.votes-hz[0]) < learnedHz && math.Abs(c.sum[1]/c.votes-hz[1]) < learnedHz {
				at = k
			}
		}
		if at < 0 {
			all = append(all, candidate{})
			at = len(all) - 1
		}
		all[at].sum[0] += hz[0]
		all[at].sum[1] += hz[1]
		all[at].votes++
		if best < 0 || all[at].votes > all[best].votes {
			best = at
		}
	}
	if best < 0 || all[best].votes < learnVotes {
		return hz, false
	}
	c := all[best]
	return [2]float64{c.sum[0] / c.votes, c.sum[1] / c.votes}, true
}

// tonesOf is the tone or the pair of tones that a window consists of, lower frequency first.
func tonesOf(window []float64) (hz [2]float64, ok bool) {
	var x [learnWindow]float64
	var energy float64
	for i, v := range window {
		x[i] = v * (0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/learnWindow))
		energy += x[i] * x[i]
	}
	if energy < math.Pow(Amplitude(learnLevel), 2)/2*learnWindow*0.375 { // 0.375: what the window leaves
		return hz, false
	}
	var bins [learnBinMost + 1]float64
	for k := int(learnLowest/learnBin) - learnPeak; k < len(bins); k++ {
		bins[k] = cmplx.Abs(goertzel(x[:], float64(k)*learnBin))
	}
	first, in := peak(&bins, -1)
	total := energy * learnWindow / 2
	if in < learnPurity*total {
		second, more := peak(&bins, first)
		if second < 0 || more*pairTwist < in || in+more < learnPurity*total {
			return hz, false
		}
		a, b := between(&bins, first), between(&bins, second)
		return [2]float64{min(a, b), max(a, b)}, true
	}
	return [2]float64{between(&bins, first)}, true
}

// peak is the largest bin, apart from another, and the energy in and around it.
func peak(bins *[learnBinMost + 1]float64, apart int) (at int, energy float64) {
	at = -1
	for k := int(learnLowest / learnBin); k <= int(learnHighest/learnBin); k++ {
		if apart >= 0 && k > apart-learnApart && k < apart+learnApart {
			continue
		}
		if at < 0 || bins[k] > bins[at] {
			at = k
		}
	}
	for k := at - learnPeak; k <= at+learnPeak; k++ {
		energy += bins[k] * bins[k]
	}
	return at, energy
}

// between is the frequency of a tone in Hz, by the ratio of the two largest bins of a Hann window.
func between(bins *[learnBinMost + 1]float64, at int) float64 {
	side := 1
	if bins[at-1] > bins[at+1] {
		side = -1
	}
	ratio := bins[at+side] / bins[at]
	return (float64(at) + float64(side)*(2*ratio-1)/(ratio+1)) * learnBin
}

// follow looks for the cadence of a tone at the end of the sound.
func follow(pcm []float64, hz [2]float64) (LearnedTone, bool) {
	var heard []heardBurst
	p := NewProgress(Network{}, Learned{})
	if p.bank.add(hz, toneOff) != 0 {
		return LearnedTone{}, false
	}
	p.heard = &heard
	for i := 0; i+hop <= len(pcm); i += hop {
		copy(p.block[:], pcm[i:i+hop])
		p.look()
	}
	pause := p.gap
	if p.burst.on {
		pause = 0
	}
	if len(heard) < HangUpCycles || pause > learnLately {
		return LearnedTone{}, false
	}
	last := heard[len(heard)-1]
	var on, off, n float64
	for i := len(heard) - 1; i >= 0; i-- {
		h := heard[i]
		if !h.clean || h.energy > last.energy*learnSteady || last.energy > h.energy*learnSteady ||
			!equalLengths(h.on, last.on) || !equalLengths(h.off, last.off) {
			break
		}
		on, off, n = on+h.on, off+h.off, n+1
	}
	if n < HangUpCycles {
		return LearnedTone{}, false
	}
	length := func(hops float64) time.Duration {
		return time.Duration(hops / n * float64(hopTime)).Round(time.Millisecond)
	}
	tone := LearnedTone{Hz: hz, On: length(on), Off: length(off), Calls: 1}
	return tone, tone.plausible()
}

func equalLengths(a, b float64) bool {
	return math.Abs(a-b) <= max(leastTolerance, equalTolerance*max(a, b))
}
