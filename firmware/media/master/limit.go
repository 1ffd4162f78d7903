package master

import "math"

const (
	// ceiling is the highest true peak, in dB below full scale: decoders of telephones overshoot.
	ceiling = -2.0
	// lookahead is how long before and after a peak the limiter gives way, in samples: 5 ms.
	lookahead = Rate / 200
	// oversampled is how many times between two samples a peak is looked for (BS.1770-4 annex 2).
	oversampled = 4
	// peakReach is the reach of its interpolation to each side, in samples.
	peakReach = 12
)

// between holds the interpolation for the places between two samples.
func between() (phases [oversampled - 1][2 * peakReach]float32) {
	for p := range phases {
		frac := float64(p+1) / oversampled
		for i := range phases[p] {
			at := float64(i-peakReach+1) - frac
			w := math.Cos(math.Pi / 2 * at / (peakReach + 1))
			phases[p][i] = float32(math.Sin(math.Pi*at) / (math.Pi * at) * w * w)
		}
	}
	return phases
}

// peaks is the true peak at each sample and up to the next.
func peaks(pcm []float32) []float32 {
	phases := between()
	padded := make([]float32, len(pcm)+2*peakReach)
	copy(padded[peakReach:], pcm)
	all := make([]float32, len(pcm))
	for i := range pcm {
		peak := abs(pcm[i])
		around := padded[i+1 : i+1+2*peakReach]
		for p := range phases {
			var v float32
			for k, f := range phases[p] {
				v += f * around[k]
			}
			peak = max(peak, abs(v))
		}
		all[i] = peak
	}
	return all
}

func abs(x float32) float32 { return max(x, -x) }

// limit lowers what exceeds the ceiling. The gain is the least of its surroundings, smoothed over the same
// length, so that it is small enough at each peak and has no corners.
func limit(pcm []float32) {
	top := float32(decibel(ceiling))
	gain := make([]float32, len(pcm))
	for i, p := range peaks(pcm) {
		gain[i] = 1
		if p > top {
			gain[i] = top / p
		}
	}
	for i, g := range mean(least(gain)) {
		pcm[i] = max(-top, min(top, pcm[i]*g))
	}
}

// least is the smallest of each value's surroundings.
func least(all []float32) []float32 {
	out := make([]float32, len(all))
	var queue []int // places of values that grow, the smallest of the window first
	for i := range len(all) + lookahead {
		if i < len(all) {
			for len(queue) > 0 && all[queue[len(queue)-1]] >= all[i] {
				queue = queue[:len(queue)-1]
			}
			queue = append(queue, i)
		}
		if at := i - lookahead; at >= 0 {
			for queue[0] < at-lookahead {
				queue = queue[1:]
			}
			out[at] = all[queue[0]]
		}
	}
	return out
}

// mean is the average of each value's surroundings; those beyond the ends are like the last.
func mean(all []float32) []float32 {
	out := make([]float32, len(all))
	if len(all) == 0 {
		return out
	}
	at := func(i int) float64 { return float64(all[max(0, min(len(all)-1, i))]) }
	var sum float64
	for i := -lookahead; i <= lookahead; i++ {
		sum += at(i)
	}
	for i := range all {
		out[i] = float32(sum / (2*lookahead + 1))
		sum += at(i+lookahead+1) - at(i-lookahead)
	}
	return out
}
