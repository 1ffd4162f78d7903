package dsp

import "math"

// fullScale is the level of a sine that just reaches the largest sample: A-law's overload point
// (ITU-T G.711), so that levels read as on a telephone network.
const fullScale = 3.14

// Floor is the level reported for digital silence, in dBm0.
const Floor = -90.0

// Amplitude is the peak of a sine of the level, in dBm0.
func Amplitude(dBm0 float64) float64 { return 32768 * math.Pow(10, (dBm0-fullScale)/20) }

// Level is the mean power of pcm in dBm0, and Floor for none.
func Level(pcm []int16) float64 {
	var m Meter
	m.Add(pcm)
	return m.Level()
}

// ToneLevel is the power of the tone hz within pcm in dBm0. The window leaves out tones that are more
// than 2/duration away: 100 Hz for one frame of 20 ms, 4 Hz for half a second.
func ToneLevel(pcm []int16, hz float64) float64 {
	if len(pcm) == 0 {
		return Floor
	}
	var re, im, sum float64
	turn, window := 2*math.Pi*hz/SampleRate, 2*math.Pi/float64(len(pcm))
	for i, s := range pcm {
		w := 0.5 - 0.5*math.Cos(window*(float64(i)+0.5))
		sin, cos := math.Sincos(turn * float64(i))
		re += w * float64(s) * cos
		im += w * float64(s) * sin
		sum += w
	}
	return decibels(2 * (re*re + im*im) / (sum * sum))
}

// decibels turns a mean square into dBm0.
func decibels(meanSquare float64) float64 {
	if meanSquare <= 0 {
		return Floor
	}
	return max(Floor, 10*math.Log10(meanSquare*2/(32768*32768))+fullScale)
}

// Meter gathers the level of a stream.
type Meter struct {
	n      uint64
	square uint64
	peak   int
}

// Add measures more of the stream.
func (m *Meter) Add(pcm []int16) {
	for _, s := range pcm {
		v := int(s)
		m.square += uint64(int64(v) * int64(v))
		if v < 0 {
			v = -v
		}
		m.peak = max(m.peak, v)
	}
	m.n += uint64(len(pcm))
}

// Level is the mean power since the last Reset in dBm0, and Floor for silence or no sound.
func (m *Meter) Level() float64 {
	if m.n == 0 {
		return Floor
	}
	return decibels(float64(m.square) / float64(m.n))
}

// Peak is the largest magnitude since the last Reset, up to 32,768.
func (m *Meter) Peak() int { return m.peak }

// Reset starts a new measurement.
func (m *Meter) Reset() { *m = Meter{} }
