package fxo_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/fxo"
	"github.com/pronto-pbx/pronto/drivers/fxo/fxosim"
	"github.com/pronto-pbx/pronto/drivers/fxo/fxosim/farend"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
)

// murmur is a voice of a level in dBm0: syllables of coloured noise, and pauses.
func murmur(level float64) func(*fxosim.Frame) {
	random, colour, at := rand.New(rand.NewPCG(1, 2)), 0.0, 0
	size := dsp.Amplitude(level) * 2
	return func(f *fxosim.Frame) {
		for i := range f {
			t := float64(at) / 8000
			at++
			loud := math.Max(0, math.Sin(2*math.Pi*2.5*t)) // syllables
			if math.Mod(t, 3) > 2.4 {
				loud = 0
			}
			colour += (2*random.Float64() - 1 - colour) * 0.5
			f[i] = int16(size * loud * colour)
		}
	}
}

// loudness is the level of what the box hears in some seconds, its pauses left out.
func loudness(media line.Media, seconds int) float64 {
	var meter dsp.Meter
	var f line.Frame
	for range 50 * seconds {
		time.Sleep(20 * time.Millisecond) // the clock of who calls Media
		if media.ReadFrame(&f) && dsp.Level(f[:]) > -50 {
			meter.Add(f[:])
		}
	}
	return meter.Level()
}

// A caller on a long line is heard as loud as others, where that is wanted; the far end's tones are heard all the same.
func TestWeakCallerIsHeardWhereGainIsWanted(t *testing.T) {
	said := map[bool]float64{}
	for _, agc := range []bool{false, true} {
		bubble(t, func(s *fxosim.Config, f *fxo.Config) {
			s.Family, f.AGC = fxosim.SiliconLabs(), agc // G.711: eight linear bits leave little of a soft voice
			s.Line.Noise = 8
		}, func(t *testing.T, m *fxo.Modem, far *farend.End) {
			far.Voice(murmur(-30))
			media := connect(t, m, far)
			loudness(media, 12)
			said[agc] = loudness(media, 6)
			hangsUp(t, m, far)
		})
	}
	if said[true]-said[false] < 6 || said[true] > -14 {
		t.Errorf("heard at %.1f dBm0 without and %.1f with gain", said[false], said[true])
	}
}
