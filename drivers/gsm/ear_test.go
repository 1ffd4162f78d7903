package gsm

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/dsp"
)

// play writes a sound of the network for d: tone on and off, in turn.
func play(d time.Duration, hz, dBm0 float64, onOff ...time.Duration) []int16 {
	pcm := make([]int16, int(d.Seconds()*dsp.SampleRate))
	peak := dsp.Amplitude(dBm0)
	n := 0
	for i := 0; n < len(pcm); i++ {
		length := len(pcm) - n
		if len(onOff) > 0 {
			length = min(length, int(onOff[i%len(onOff)].Seconds()*dsp.SampleRate))
		}
		for j := range length {
			if i%2 == 0 {
				pcm[n+j] = int16(peak * math.Sin(2*math.Pi*hz*float64(n+j)/dsp.SampleRate))
			}
		}
		n += length
	}
	return pcm
}

// speech is noise with the pauses and the changing pitch of somebody who talks.
func speech(d time.Duration, seed uint64) []int16 {
	r := rand.New(rand.NewPCG(seed, 3))
	pcm := make([]int16, int(d.Seconds()*dsp.SampleRate))
	var low float64
	for i := range pcm {
		low += 0.2 * (r.NormFloat64() - low)
		envelope := max(0, math.Sin(2*math.Pi*3*float64(i)/dsp.SampleRate))
		pitch := math.Sin(2 * math.Pi * (140 + 30*math.Sin(float64(i)/4000)) * float64(i) / dsp.SampleRate)
		pcm[i] = int16(4000 * envelope * (low + 0.5*pitch))
	}
	return pcm
}

func TestTheEarTellsTheTonesOfTheNetworkFromAVoice(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	s := time.Second
	quiet := func(d time.Duration) []int16 { return play(d, 425, dsp.Floor) }
	tests := map[string]struct {
		pcm  []int16
		want []heard
	}{
		"Italian ringback":            {play(20*s, 425, -15, s, 4*s), []heard{heardRingback}},
		"Spanish ringback":            {play(20*s, 425, -15, ms(1500), 3*s), []heard{heardRingback}},
		"ringback at 440 Hz":          {play(20*s, 440, -15, ms(1500), ms(3500)), []heard{heardRingback}},
		"faint ringback":              {play(20*s, 425, -33, s, 4*s), []heard{heardRingback}},
		"ringback, then a voice":      {slices.Concat(play(9*s, 425, -15, s, 4*s), speech(3*s, 1)), []heard{heardRingback, heardVoice}},
		"ringback, then silence":      {slices.Concat(play(6*s, 425, -15, s, 4*s), quiet(8*s)), []heard{heardRingback, heardNothing}},
		"a voice at once":             {speech(3*s, 2), []heard{heardVoice}},
		"a short hello":               {slices.Concat(quiet(s), speech(ms(500), 3), quiet(s)), []heard{heardVoice}},
		"silence for ever":            {quiet(20 * s), []heard{heardNothing}},
		"busy":                        {play(6*s, 425, -15, ms(500), ms(500)), []heard{heardBusy}},
		"German busy":                 {play(6*s, 425, -15, ms(480), ms(480)), []heard{heardBusy}},
		"congestion":                  {play(6*s, 425, -15, ms(200), ms(200)), []heard{heardCongestion}},
		"ringback, then busy":         {slices.Concat(play(10*s, 425, -15, s, 4*s), play(6*s, 425, -15, ms(500), ms(500))), []heard{heardRingback, heardBusy}},
		"one beep is nothing":         {slices.Concat(play(ms(500), 425, -15), quiet(2*s)), nil},
		"a click in the line":         {slices.Concat(quiet(s), speech(ms(60), 4), quiet(2*s)), nil},
		"noise of the line":           {play(3*s, 1000, -50), nil},
		"another tone is not its own": {play(3*s, 1000, -15), []heard{heardVoice}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, read := range []int{80, 160, 1600, 37} { // however the port delivers it
				var e ear
				var got []heard
				for rest := tt.pcm; len(rest) > 0; {
					n := min(read, len(rest))
					e.hear(rest[:n], func(h heard) { got = append(got, h) })
					rest = rest[n:]
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("in reads of %d samples: %v, want %v", read, got, tt.want)
				}
			}
		})
	}
}

func TestTheEarAllocatesNothing(t *testing.T) {
	pcm := play(20*time.Millisecond, 425, -15)
	var e ear
	tell := func(heard) {}
	e.hear(pcm, tell)
	if n := testing.AllocsPerRun(1000, func() { e.hear(pcm, tell) }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}
