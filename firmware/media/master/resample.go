package master

import "math"

// Rate is that of every announcement, in Hz.
const Rate = 8000

const (
	// crossings is the reach of the filter to each side, in samples at Rate.
	crossings = 32
	// edge is where the filter is 6 dB down, in Hz: with the width of its slope of some 360 Hz to each side
	// it leaves what a telephone carries, to 3.3 kHz, and nothing above 4 kHz can come back as something else.
	edge = 3640.0
	// beta shapes the Kaiser window: 90 dB of attenuation.
	beta = 9.0
)

// resampler turns samples at one rate into samples at Rate by windowed-sinc interpolation.
type resampler struct {
	up, down int // Rate and the other, without common factors
	kernel   []float64
	phases   [][]float32 // the filter for each place between two samples that comes up
	reach    int         // samples to each side
	past     []float32   // those that are still needed
	next     int         // place in past, of the sample at or before the next one to come out ...
	phase    int         // ... and how far behind it, in 1/up
}

func newResampler(rate int) *resampler {
	r := &resampler{up: Rate, down: rate, kernel: kernel()}
	for a, b := r.up, r.down; ; a, b = b, a%b {
		if b == 0 {
			r.up, r.down = r.up/a, r.down/a
			break
		}
	}
	r.reach = (crossings*rate + Rate - 1) / Rate
	r.phases = make([][]float32, r.up)
	r.past = make([]float32, r.reach)
	r.next = r.reach
	return r
}

// steps is how finely the filter is drawn, per sample at Rate: straight lines between the points are 106 dB off.
const steps = 512

// kernel is one side of the filter, drawn in steps.
func kernel() []float64 {
	all := make([]float64, crossings*steps+2)
	for i := range all {
		at := float64(i) / steps // in samples at Rate
		v := 1.0
		if x := 2 * edge / Rate * at; x != 0 {
			v = math.Sin(math.Pi*x) / (math.Pi * x)
		}
		w := at / crossings
		all[i] = v * bessel(beta*math.Sqrt(max(0, 1-w*w)))
	}
	return all
}

// filter is made when a phase first comes up: a rate of 44,099 Hz has 8,000 of them.
func (r *resampler) filter(phase int) []float32 {
	if f := r.phases[phase]; f != nil {
		return f
	}
	f := make([]float32, 2*r.reach)
	var sum float64
	for i := range f {
		at := math.Abs(float64(i-r.reach+1)-float64(phase)/float64(r.up)) * float64(r.up) / float64(r.down) * steps
		if at >= crossings*steps {
			continue
		}
		k, between := int(at), at-math.Floor(at)
		v := r.kernel[k] + between*(r.kernel[k+1]-r.kernel[k])
		f[i] = float32(v)
		sum += v
	}
	for i := range f {
		f[i] /= float32(sum)
	}
	r.phases[phase] = f
	return f
}

// bessel is the modified Bessel function of order 0.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-9; k++ {
		term *= x / (2 * k) * x / (2 * k)
		sum += term
	}
	return sum
}

// add appends to out what comes of more samples.
func (r *resampler) add(out, in []float32) []float32 {
	r.past = append(r.past, in...)
	for r.next+r.reach < len(r.past) {
		from := r.past[r.next-r.reach+1:]
		var sum float32
		for i, f := range r.filter(r.phase) {
			sum += f * from[i]
		}
		out = append(out, sum)
		r.phase += r.down
		r.next += r.phase / r.up
		r.phase %= r.up
	}
	if drop := min(r.next-r.reach, len(r.past)); drop > 0 {
		r.past = r.past[:copy(r.past, r.past[drop:])]
		r.next -= drop
	}
	return out
}

// end appends what the last samples still give.
func (r *resampler) end(out []float32) []float32 { return r.add(out, make([]float32, r.reach)) }
