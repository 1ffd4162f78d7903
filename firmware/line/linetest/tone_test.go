package linetest

import (
	"math"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/line"
)

func toneOf(hz float64, frames int) []int16 {
	tone := Tone{Hz: hz}
	var pcm []int16
	for range frames {
		var f line.Frame
		tone.Fill(&f)
		pcm = append(pcm, f[:]...)
	}
	return pcm
}

func TestPurityJudgesSound(t *testing.T) {
	pure := toneOf(1004, 50)
	mixed := toneOf(1004, 50)
	for i, v := range toneOf(620, 50) {
		mixed[i] = mixed[i]/2 + v/2
	}
	gaps := toneOf(1004, 50)
	for i := range gaps {
		if i/160%5 == 0 {
			gaps[i] = 0
		}
	}
	half := toneOf(1004, 50)
	clear(half[4000:])
	shifted := toneOf(1004*(1+200e-6), 50)
	tests := map[string]struct {
		pcm      []int16
		from, to float64
	}{
		"a pure tone":                       {pure, 60, 200},
		"a clock 200 ppm off":               {shifted, 30, 200},
		"a tone that stops half-way":        {half, -3, 3},
		"two equal tones":                   {mixed, -1, 1},
		"a tone with every fifth frame cut": {gaps, -10, 15},
		"another tone":                      {toneOf(620, 50), math.Inf(-1), -10},
		"silence":                           {make([]int16, 8000), math.Inf(-1), -100},
	}
	for name, tt := range tests {
		if p := Purity(tt.pcm, 1004); p < tt.from || p > tt.to {
			t.Errorf("%s: %.1f dB, want %.0f to %.0f", name, p, tt.from, tt.to)
		}
	}
}
