// Package tone makes the sine by which each party of a test call is known, and judges what was heard.
// It shares no code with the product's audio: its own tables and its own arithmetic judge it, and
// outside programs judge both.
package tone

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Rate is the sample rate of everything here, in Hz.
const Rate = 8000

// Generator is a sine that goes on from one Fill to the next. It is used by one goroutine.
type Generator struct {
	Hz    int // 0 is silence
	phase float64
}

// amplitude is a quarter of full scale, so that no sum of two clips: -12 dB as Level counts.
const amplitude = 8192

// Fill writes the next samples.
func (g *Generator) Fill(pcm []int16) {
	for i := range pcm {
		pcm[i] = 0
		if g.Hz > 0 {
			pcm[i] = int16(math.Round(amplitude * math.Sin(g.phase)))
			g.phase = math.Mod(g.phase+2*math.Pi*float64(g.Hz)/Rate, 2*math.Pi)
		}
	}
}

// Sine returns a tone of that many samples.
func Sine(hz, samples int) []int16 {
	pcm := make([]int16, samples)
	(&Generator{Hz: hz}).Fill(pcm)
	return pcm
}

// block is the span of one measurement: short enough that a lost packet spoils little, long enough to
// hold tones 60 Hz apart from each other under its window.
const block = Rate / 10

// Silence is the level of nothing at all.
const Silence = -120.0

// Level returns how strong the tone at hz is in pcm, in dB below a sine of full scale: the mean power
// over blocks of 100 ms, each seen through a Hann window so that a neighbouring tone does not leak in.
// Less than a block is Silence.
func Level(pcm []int16, hz int) float64 {
	var power float64
	n := 0
	for ; len(pcm) >= block; pcm = pcm[block:] {
		var re, im float64
		for i, v := range pcm[:block] {
			w := 1 - math.Cos(2*math.Pi*float64(i)/block) // mean 1
			s, c := math.Sincos(2 * math.Pi * float64(hz) * float64(i) / Rate)
			re += w * float64(v) * c
			im += w * float64(v) * s
		}
		a := 2 * math.Hypot(re, im) / block / 32768
		power += a * a
		n++
	}
	if n == 0 || power == 0 {
		return Silence
	}
	return max(Silence, 10*math.Log10(power/float64(n)))
}

// What a party must hear.
const (
	Margin  = 20.0  // dB of the other's tone over every tone that must not be there
	Audible = -35.0 // dB below full scale: quieter is not hearing
)

// Heard returns nil when pcm holds the wanted tone, audibly and at least Margin over each of the
// others, and says in words what is wrong if not.
func Heard(pcm []int16, want int, others ...int) error {
	if len(pcm) < block {
		return fmt.Errorf("nothing was heard: %d samples", len(pcm))
	}
	level := Level(pcm, want)
	levels := []string{fmt.Sprintf("wanted %d Hz at %.1f dB", want, level)}
	bad := level < Audible
	for _, hz := range others {
		l := Level(pcm, hz)
		levels = append(levels, fmt.Sprintf("%d Hz at %.1f dB", hz, l))
		bad = bad || level-l < Margin
	}
	if !bad {
		return nil
	}
	return fmt.Errorf("the other's tone is not %.0f dB over all others and over %.0f dB: %s (in %.1f s)",
		Margin, Audible, strings.Join(levels, ", "), float64(len(pcm))/Rate)
}

// Others returns the tones of everybody but those.
func Others(all []int, but ...int) []int {
	return slices.DeleteFunc(slices.Clone(all), func(hz int) bool { return slices.Contains(but, hz) })
}

// Tail returns the last d samples before the final skip, or what there is of them: the end of a
// recording in which a call ends is no longer the call.
func Tail(pcm []int16, d, skip int) []int16 {
	pcm = pcm[:max(0, len(pcm)-skip)]
	return pcm[max(0, len(pcm)-d):]
}

// Power is how loud pcm is as a whole, in dB below a sine of full scale.
func Power(pcm []int16) float64 {
	var sum float64
	for _, v := range pcm {
		sum += float64(v) / 32768 * float64(v) / 32768
	}
	if sum == 0 {
		return Silence
	}
	return max(Silence, 10*math.Log10(2*sum/float64(len(pcm))))
}
