package dsp

import (
	"math"
	"time"
)

// Step is one part of a cadence: up to two frequencies, or silence, for a time.
type Step struct {
	Hz  [2]float64 // 0 is no tone
	For time.Duration
}

// Tone is a signal tone: its steps, repeated until stopped unless Once.
type Tone struct {
	Steps []Step
	Level float64 // of each frequency, in dBm0
	Once  bool
}

// Tones of the Italian network: all 425 Hz, told apart by their cadence (the table of the lines
// reference; ITU-T E.180 annex). Each value is made anew, so nobody can change another's.

// Dial is the tone that invites to dial.
func Dial() Tone {
	return cadence(200*time.Millisecond, 200*time.Millisecond, 600*time.Millisecond, time.Second)
}

// Ringback tells the caller that the far end rings.
func Ringback() Tone { return cadence(time.Second, 4*time.Second) }

// Busy tells that the far end is engaged.
func Busy() Tone { return cadence(500*time.Millisecond, 500*time.Millisecond) }

// Congestion tells that there is no way through.
func Congestion() Tone { return cadence(200*time.Millisecond, 200*time.Millisecond) }

// CallWaiting tells a talking party that another call waits.
func CallWaiting() Tone {
	return cadence(400*time.Millisecond, 100*time.Millisecond, 250*time.Millisecond, 100*time.Millisecond,
		150*time.Millisecond, 14*time.Second)
}

// cadence is 425 Hz on and off in turns.
func cadence(onOff ...time.Duration) Tone {
	t := Tone{Level: -10}
	for i, d := range onOff {
		s := Step{For: d}
		if i%2 == 0 {
			s.Hz[0] = 425
		}
		t.Steps = append(t.Steps, s)
	}
	return t
}

// Length is the time of one repetition.
func (t Tone) Length() time.Duration {
	var sum time.Duration
	for _, s := range t.Steps {
		sum += s.For
	}
	return sum
}

// Generator plays a Tone.
type Generator struct {
	tone  Tone
	step  int
	at    int // samples into the step
	phase [2]float64
}

// ramp is how fast a tone swells and fades, so that it does not click: 2.5 ms.
const ramp = 20

// NewGenerator starts a tone at its beginning. The tone's steps are not to be changed afterwards.
func NewGenerator(t Tone) *Generator { return &Generator{tone: t} }

// Next fills dst and reports whether the tone goes on; after its end dst is silent.
func (g *Generator) Next(dst []int16) bool {
	for len(dst) > 0 {
		if g.step >= len(g.tone.Steps) {
			clear(dst)
			return false
		}
		s := &g.tone.Steps[g.step]
		length := int(s.For * SampleRate / time.Second)
		n := min(len(dst), length-g.at)
		g.write(dst[:max(0, n)], s, length)
		if n > 0 {
			g.at += n
			dst = dst[n:]
		}
		if g.at >= length {
			g.at, g.phase = 0, [2]float64{}
			if g.step++; g.step == len(g.tone.Steps) && !g.tone.Once && g.tone.Length() >= time.Millisecond {
				g.step = 0
			}
		}
	}
	return g.step < len(g.tone.Steps)
}

func (g *Generator) write(dst []int16, s *Step, length int) {
	if s.Hz == ([2]float64{}) {
		clear(dst)
		return
	}
	peak := Amplitude(g.tone.Level)
	for i := range dst {
		at := g.at + i
		v := peak * min(1, float64(at+1)/ramp, float64(length-at)/ramp)
		var sum float64
		for k, hz := range s.Hz {
			if hz == 0 {
				continue
			}
			sum += math.Sin(g.phase[k])
			if g.phase[k] += 2 * math.Pi * hz / SampleRate; g.phase[k] > 2*math.Pi {
				g.phase[k] -= 2 * math.Pi
			}
		}
		dst[i] = clip(float32(v * sum))
	}
}

// The keypad of ITU-T Q.23.
const keys = "123A456B789C*0#D"

var (
	rowHz    = [4]float64{697, 770, 852, 941}
	columnHz = [4]float64{1209, 1336, 1477, 1633}
)

// Digits is the tone that dials keys 0-9 * # A-D with the given times for each tone and the pause
// after it. It returns false for any other key. Networks ask for 45/45 ms at least; 100/100 is usual.
func Digits(dial string, on, pause time.Duration) (Tone, bool) {
	t := Tone{Level: -9, Once: true}
	for _, c := range dial {
		row, column, ok := key(c)
		if !ok {
			return Tone{}, false
		}
		t.Steps = append(t.Steps, Step{[2]float64{rowHz[row], columnHz[column]}, on}, Step{For: pause})
	}
	return t, true
}

func key(c rune) (row, column int, ok bool) {
	if c >= 'a' && c <= 'd' {
		c += 'A' - 'a'
	}
	for i, k := range keys {
		if k == c {
			return i / 4, i % 4, true
		}
	}
	return 0, 0, false
}
