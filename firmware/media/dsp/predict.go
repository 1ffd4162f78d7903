package dsp

import "math"

const (
	predictOrder  = 10
	predictWindow = 3 * hop // 30 ms
)

// predictor holds the coefficients that whiten sound: what is left of a sample when the last ones have
// predicted it is its value plus the sum of coefficient times past value.
type predictor [predictOrder]float32

// predict finds the predictor of a stretch of sound by the autocorrelation method (Levinson and Durbin),
// and its gain: how many times more power the sound has than what is left of it. A gain beyond a thousand
// is no voice but a tone.
func predict(x *[predictWindow]float32) (p predictor, gain float64) {
	var windowed [predictWindow]float64
	for i, v := range x {
		windowed[i] = float64(v) * predictHamming[i]
	}
	var r [predictOrder + 1]float64
	for k := range r {
		for i := k; i < predictWindow; i++ {
			r[k] += windowed[i] * windowed[i-k]
		}
	}
	if r[0] < 1 {
		return p, 1
	}
	r[0] *= 1 + 1e-5 // so that silence and tones have a solution
	var a [predictOrder + 1]float64
	left := r[0]
	for m := 1; m <= predictOrder; m++ {
		sum := r[m]
		for i := 1; i < m; i++ {
			sum += a[i] * r[m-i]
		}
		k := -sum / left
		for i := 1; i <= m/2; i++ {
			a[i], a[m-i] = a[i]+k*a[m-i], a[m-i]+k*a[i]
		}
		a[m] = k
		left *= 1 - k*k
	}
	for i := range p {
		p[i] = float32(a[i+1] * predictWiden[i])
	}
	return p, r[0] / left
}

// left is what is left of the newest sample; past holds the ones before it, newest first.
func (p *predictor) left(v float32, past *[predictOrder]float32) float32 {
	for i, a := range p {
		v += a * past[i]
	}
	return v
}

// push makes v the newest of the past.
func push(past *[predictOrder]float32, v float32) {
	copy(past[1:], past[:predictOrder-1])
	past[0] = v
}

// predictHamming is the window; predictWiden widens the resonances a little, so that the whitening of one
// frame suits the next. They are only read.
var (
	predictHamming = func() (w [predictWindow]float64) {
		for i := range w {
			w[i] = 0.54 - 0.46*math.Cos(2*math.Pi*(float64(i)+0.5)/predictWindow)
		}
		return w
	}()
	predictWiden = func() (w [predictOrder]float64) {
		for i := range w {
			w[i] = math.Pow(0.98, float64(i+1))
		}
		return w
	}()
)
