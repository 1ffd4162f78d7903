package master

import "math"

// biquad is a filter of the second order, in direct form II transposed.
type biquad struct{ b0, b1, b2, a1, a2, z1, z2 float64 }

func (q *biquad) next(x float64) float64 {
	y := q.b0*x + q.z1
	q.z1 = q.b1*x - q.a1*y + q.z2
	q.z2 = q.b2*x - q.a2*y
	return y
}

// weighting is the K-weighting of ITU-R BS.1770-4 annex 1: a shelf for the head and a high-pass. The standard
// gives its coefficients at 48 kHz; these are the analog filters behind them, brought to any rate by the
// bilinear transform.
func weighting(rate int) (shelf, high biquad) {
	const (
		shelfHz, shelfGain, shelfQ = 1681.974450955533, 3.999843853973347, 0.7071752369554196
		highHz, highQ              = 38.13547087602444, 0.5003270373238773
	)
	k := math.Tan(math.Pi * shelfHz / float64(rate))
	top := math.Pow(10, shelfGain/20)
	mid := math.Pow(top, 0.4996667741545416)
	a0 := 1 + k/shelfQ + k*k
	shelf = biquad{
		b0: (top + mid*k/shelfQ + k*k) / a0, b1: 2 * (k*k - top) / a0, b2: (top - mid*k/shelfQ + k*k) / a0,
		a1: 2 * (k*k - 1) / a0, a2: (1 - k/shelfQ + k*k) / a0,
	}
	k = math.Tan(math.Pi * highHz / float64(rate))
	a0 = 1 + k/highQ + k*k
	high = biquad{b0: 1, b1: -2, b2: 1, a1: 2 * (k*k - 1) / a0, a2: (1 - k/highQ + k*k) / a0}
	return shelf, high
}

// nothing is the loudness of silence, in LUFS.
var nothing = math.Inf(-1)

// Loudness is the integrated loudness of one channel, in LUFS, as ITU-R BS.1770-4 and EBU R 128 define it:
// K-weighted, in blocks of 400 ms that overlap by three quarters, without those below -70 LUFS and those 10 LU
// below the rest. A sound shorter than a block is one block. Silence is -Inf.
func Loudness(pcm []float32, rate int) float64 {
	shelf, high := weighting(rate)
	step := rate / 10
	var steps []float64 // energies of 100 ms
	var energy float64
	for i, x := range pcm {
		y := high.next(shelf.next(float64(x)))
		energy += y * y
		if (i+1)%step == 0 {
			steps, energy = append(steps, energy), 0
		}
	}
	if len(steps) < 4 {
		for _, e := range steps {
			energy += e
		}
		return gated([]float64{energy / float64(max(1, len(pcm)))})
	}
	var blocks []float64
	for i := 0; i+4 <= len(steps); i++ {
		blocks = append(blocks, (steps[i]+steps[i+1]+steps[i+2]+steps[i+3])/float64(4*step))
	}
	return gated(blocks)
}

// gated is the loudness of blocks of mean squares.
func gated(blocks []float64) float64 {
	const absolute, relative = -70, -10
	level := nothing
	for _, gate := range []func() float64{
		func() float64 { return absolute },
		func() float64 { return max(absolute, level+relative) },
	} {
		least, sum, n := gate(), 0.0, 0
		for _, b := range blocks {
			if lufs(b) >= least {
				sum, n = sum+b, n+1
			}
		}
		if n == 0 {
			return nothing
		}
		level = lufs(sum / float64(n))
	}
	return level
}

func lufs(meanSquare float64) float64 { return -0.691 + 10*math.Log10(meanSquare) }

// decibel turns a ratio of levels into one of amplitudes.
func decibel(db float64) float64 { return math.Pow(10, db/20) }
