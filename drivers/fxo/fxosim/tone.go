package fxosim

import "math"

const (
	rate = 8000 // samples a second
	// FrameSamples is 20 ms of sound.
	FrameSamples = 160
)

// Frame is 20 ms of 16-bit sound at 8,000 Hz.
type Frame = [FrameSamples]int16

// Cadence is a tone that an exchange sends: milliseconds on and off in turn, again and again; without times it lasts.
type Cadence struct {
	Hz    float64
	OnOff []int
}

// The tones of an Italian exchange (ITU-T E.180 supplement 2): 425 Hz each.
var (
	DialTone   = Cadence{425, []int{200, 200, 600, 1000}}
	Ringback   = Cadence{425, []int{1000, 4000}}
	BusyTone   = Cadence{425, []int{500, 500}}
	Congestion = Cadence{425, []int{200, 200}}
)

// level is the peak of the exchange's tones: -13 dBm0 where 3.14 dBm0 is full scale.
const level = 32768 * 0.156

// player plays a cadence.
type player struct {
	Cadence
	at int // samples since it began
}

func (p *player) start(c Cadence) { *p = player{Cadence: c} }

// add mixes the next frame in.
func (p *player) add(f *Frame) {
	if p.Hz == 0 {
		return
	}
	whole := 0
	for _, ms := range p.OnOff {
		whole += ms * rate / 1000
	}
	for i := range f {
		at, on := 0, true
		if whole > 0 {
			at = p.at % whole
			for n, ms := range p.OnOff {
				if at < ms*rate/1000 {
					on = n%2 == 0
					break
				}
				at -= ms * rate / 1000
			}
		}
		if on {
			f[i] = clip(float64(f[i]) + level*math.Sin(2*math.Pi*p.Hz*float64(p.at)/rate))
		}
		p.at++
	}
}

func clip(v float64) int16 { return int16(max(-32768, min(32767, v))) }

// The keypad (ITU-T Q.23).
var (
	rows    = [4]float64{697, 770, 852, 941}
	columns = [4]float64{1209, 1336, 1477, 1633}
)

const keypad = "123A456B789C*0#D"

// pair is the two tones of a key.
func pair(key byte) (row, column float64, ok bool) {
	for i := range len(keypad) {
		if keypad[i] == key {
			return rows[i/4], columns[i%4], true
		}
	}
	return 0, 0, false
}

// keyFrames fills f with the n-th frame of a key.
func keyFrame(f *Frame, key byte, n int) {
	row, column, ok := pair(key)
	if !ok {
		return
	}
	for i := range f {
		t := float64(n*FrameSamples+i) / rate
		f[i] = clip(float64(f[i]) + 5000*(math.Sin(2*math.Pi*row*t)+math.Sin(2*math.Pi*column*t)))
	}
}

// ears are the exchange's receiver of keys (ITU-T Q.24): a key counts when two frames in a row hold it, and again
// after a frame without.
type ears struct {
	last, down byte
}

// hear returns the key that began with this frame, 0 for none.
func (e *ears) hear(f *Frame) byte {
	key := keyIn(f)
	began := byte(0)
	if key != 0 && key == e.last && e.down != key {
		e.down, began = key, key
	}
	if key == 0 && e.last == 0 {
		e.down = 0
	}
	e.last = key
	return began
}

func keyIn(f *Frame) byte {
	var energy float64
	for _, v := range f {
		energy += float64(v) * float64(v)
	}
	if energy < FrameSamples*100*100 {
		return 0
	}
	at := func(hz float64) float64 {
		var re, im float64
		for i, v := range f {
			re += float64(v) * math.Cos(2*math.Pi*hz*float64(i)/rate)
			im += float64(v) * math.Sin(2*math.Pi*hz*float64(i)/rate)
		}
		return 2 * (re*re + im*im) / FrameSamples
	}
	best := func(all [4]float64) (i int, e float64) {
		for n, hz := range all {
			if x := at(hz); x > e {
				i, e = n, x
			}
		}
		return i, e
	}
	row, a := best(rows)
	column, b := best(columns)
	if a+b < 0.8*energy || a < b/10 || b < a/10 {
		return 0
	}
	return keypad[row*4+column]
}
