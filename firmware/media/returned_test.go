package media

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

// syllables is sound whose loudness changes as that of speech.
func syllables(r *rand.Rand, samples int) []int16 {
	pcm := make([]int16, samples)
	for at := 0; at < samples; {
		n, loud := 600+r.IntN(1600), 2000*math.Exp(0.7*r.NormFloat64())
		for i := 0; i < n && at+i < samples; i++ {
			pcm[at+i] = int16(max(-30000, min(30000, loud*math.Sin(math.Pi*float64(i)/float64(n))*r.NormFloat64())))
		}
		at += n + r.IntN(1200)
	}
	return pcm
}

// One phone sends back what it is told, 200 ms later and 14 dB weaker; the other does not.
func TestThePhoneFromWhichEchoComesIsNamed(t *testing.T) {
	for _, ids := range [][2]codec.ID{{codec.PCMA, codec.PCMA}, {codec.PCMU, codec.PCMA}} {
		e := startEngine(t, 27530, 27539, func(c *Config) { c.Loops = 1 })
		x, y := bridged(t, e, as(ids[0]), as(ids[1]))
		clock := inVirtualTime(t, e, x.leg)
		r := rand.New(rand.NewPCG(4, 4))
		said := syllables(r, 20*8000)
		said2 := syllables(r, 20*8000)
		encX, encY := codec.NewEncoder(ids[0]), codec.NewEncoder(ids[1])
		const delay = 200 * 8
		for at := 0; at+frameSamples <= len(said); at += frameSamples {
			clock.do(func(l *loop) { l.clock.beat += tick })
			var back [frameSamples]int16
			for i := range back {
				if k := at + i - delay; k >= 0 {
					back[i] = said[k] / 5
				}
				if at/8000%8 == 3 { // it says something itself
					back[i] += said2[at+i] / 2
				}
			}
			for _, one := range []struct {
				p   *phone
				enc codec.Encoder
				pcm []int16
			}{{x, encX, said[at:][:frameSamples]}, {y, encY, back[:]}} {
				payload := make([]byte, frameSamples)
				one.enc.Encode(payload, one.pcm)
				arrives(clock, one.p, one.p.packet(payload))
			}
			x.all()
			y.all()
		}
		if s := y.leg.Stats(); !s.Echoes || s.Echo.Delay < 180*time.Millisecond || s.Echo.Delay > 220*time.Millisecond || s.Echo.Loss < 10 || s.Echo.Loss > 18 {
			t.Errorf("%v: the phone with the echo: %v, %+v", ids, s.Echoes, s.Echo)
		}
		if s := x.leg.Stats(); s.Echoes {
			t.Errorf("%v: the phone without: %+v", ids, s.Echo)
		}
	}
}
