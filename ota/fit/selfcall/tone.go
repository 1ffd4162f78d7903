package selfcall

import (
	"fmt"
	"math"
)

// Audio is 8,000 samples a second, in packets of 20 ms.
const (
	rate    = 8000
	perPack = 160
	loud    = 8000 // peak of the tone, of 32,767
	window  = 5    // packets that are judged together: 100 ms, so that tones 50 Hz apart do not disturb each other
)

// tone is n samples of a sine from a sample on.
func tone(hz, from, n int) []int16 {
	all := make([]int16, n)
	for i := range all {
		all[i] = int16(loud * math.Sin(2*math.Pi*float64(hz)*float64(from+i)/rate))
	}
	return all
}

// goertzel is the mean power of samples at a frequency: of a sine of peak A, A*A/2.
func goertzel(samples []int16, hz int) float64 {
	k := 2 * math.Cos(2*math.Pi*float64(hz)/rate)
	var s1, s2 float64
	for _, x := range samples {
		s1, s2 = float64(x)+k*s1-s2, s1
	}
	n := float64(len(samples))
	return 2 * (s1*s1 + s2*s2 - k*s1*s2) / (n * n)
}

func power(samples []int16) (p float64) {
	for _, x := range samples {
		p += float64(x) * float64(x)
	}
	return p / float64(len(samples))
}

// What is heard: the share of the power that must be the tone's, and the power below which there is silence (-50 dB of
// the tone; the quietest that A-law knows is -53).
const (
	share   = 0.9
	silence = loud * loud / 2 * 1e-5
)

// judge says what is wrong with a window of audio in which a tone should be; empty: nothing.
func judge(samples []int16, hz int) string {
	whole := power(samples)
	if whole < silence {
		return "silence comes back"
	}
	if goertzel(samples, hz) >= share*whole {
		return ""
	}
	for other := 100; other < rate/2; other += 50 {
		if goertzel(samples, other) >= share*whole {
			return fmt.Sprintf("a tone of %d Hz comes back in place of %d Hz", other, hz)
		}
	}
	return fmt.Sprintf("something else than the tone of %d Hz comes back", hz)
}

// encode is G.711 A-law (ITU-T G.711, table 1a), every second bit inverted as it is sent.
func encode(x int16) byte {
	sign := byte(0x80)
	v := int(x)
	if v < 0 {
		sign, v = 0, -v-1
	}
	v >>= 3 // 12 bits of magnitude
	segment := 0
	for s := v >> 5; s > 0; s >>= 1 {
		segment++
	}
	segment = min(segment, 7)
	step := v >> max(segment, 1) & 15
	return (sign | byte(segment<<4|step)) ^ 0x55
}

// decode is the other way, to the middle of each step.
func decode(b byte) int16 {
	b ^= 0x55
	segment, step := int(b>>4&7), int(b&15)
	v := step<<4 + 8
	if segment > 0 {
		v = (step<<4 + 0x108) << (segment - 1)
	}
	if b&0x80 == 0 {
		v = -v
	}
	return int16(v)
}
