package fxosim

import (
	"encoding/hex"
	"math"
)

// Signalling is how an exchange sends the caller's number between the first ring and the second.
type Signalling uint8

// The kinds.
const (
	V23     Signalling = iota // data, 1,300 and 2,100 Hz (ETSI EN 300 659-1): Italy
	Bell202                   // data, 1,200 and 2,200 Hz
	ByKeys                    // A, the number and # as keys
)

// identify is the sound of a caller's number, with a peak of so much; empty is withheld.
func identify(how Signalling, number string, peak float64) []int16 {
	if peak == 0 {
		peak = 3000
	}
	if how == ByKeys {
		return keyed(number, peak)
	}
	mark, space := 1300.0, 2100.0
	if how == Bell202 {
		mark, space = 1200, 2200
	}
	bytes, err := hex.DecodeString(message(number))
	if err != nil {
		return nil
	}
	var bits []bool
	for i := range 300 { // channel seizure
		bits = append(bits, i%2 == 1)
	}
	for range 180 {
		bits = append(bits, true)
	}
	for _, b := range bytes {
		bits = append(bits, false)
		for i := range 8 {
			bits = append(bits, b>>i&1 == 1)
		}
		bits = append(bits, true)
	}
	out, phase := make([]int16, int(float64(len(bits))*rate/1200)), 0.0
	for i := range out {
		hz := space
		if bits[i*1200/rate] {
			hz = mark
		}
		phase += 2 * math.Pi * hz / rate
		out[i] = int16(peak * math.Sin(phase))
	}
	return out
}

func keyed(number string, peak float64) (out []int16) {
	keys := "A" + number + "#"
	if number == "" {
		keys = "B10#"
	}
	for i := range len(keys) {
		for n := range 8 { // 80 ms of tone, 80 of pause
			var f Frame
			if n < 4 {
				keyFrame(&f, keys[i], n)
			}
			for _, v := range f {
				out = append(out, int16(float64(v)*peak/10000))
			}
		}
	}
	return out
}
