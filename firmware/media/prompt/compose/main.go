// Command compose writes the music on hold as a WAV on its standard output: eight bars composed for
// this product, so that it is free of other people's rights. They join their own end, without a seam.
package main

import (
	"fmt"
	"math"
	"os"

	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

const (
	beat  = 6000 // samples: 80 beats a minute
	bars  = 8
	total = bars * 4 * beat // 24 s
	level = -24.0           // dBFS: soft, since people hear it for long
)

// bar is four beats: a bass note and a chord to hold, and what the melody plays on each half beat,
// all as MIDI notes; 0 rests.
type bar struct {
	bass   int
	chord  [4]int
	melody [8]int
}

var song = [bars]bar{
	{48, [4]int{60, 64, 67, 71}, [8]int{76, 0, 79, 0, 83, 0, 79, 76}},
	{45, [4]int{57, 60, 64, 67}, [8]int{76, 0, 72, 0, 69, 0, 72, 0}},
	{50, [4]int{57, 60, 65, 69}, [8]int{74, 0, 77, 0, 81, 0, 77, 74}},
	{43, [4]int{59, 62, 65, 69}, [8]int{74, 0, 71, 0, 67, 0, 71, 0}},
	{52, [4]int{59, 62, 64, 67}, [8]int{76, 0, 79, 0, 83, 81, 79, 0}},
	{45, [4]int{57, 60, 64, 67}, [8]int{81, 0, 79, 0, 76, 0, 72, 0}},
	{53, [4]int{57, 60, 65, 69}, [8]int{72, 0, 74, 0, 77, 0, 76, 74}},
	{43, [4]int{59, 62, 65, 67}, [8]int{74, 0, 71, 0, 74, 0, 0, 0}},
}

func main() {
	if err := wav.Write(os.Stdout, wav.Format{Encoding: wav.ALaw, Channels: 1, Rate: dsp.SampleRate}, compose()); err != nil {
		fmt.Fprintln(os.Stderr, "compose:", err)
		os.Exit(1)
	}
}

func compose() []int16 {
	sum := make([]float64, total)
	for i, b := range song {
		at := i * 4 * beat
		play(sum, at, 4*beat, b.bass, 0.5, pad)
		for _, n := range b.chord {
			play(sum, at, 4*beat, n, 0.22, pad)
		}
		for k, n := range b.melody {
			if n != 0 {
				play(sum, at+k*beat/2, 3*beat, n, 0.55, bell)
			}
		}
	}
	var square float64
	for _, v := range sum {
		square += v * v
	}
	gain := 32768 * math.Pow(10, level/20) / math.Sqrt(square/total)
	pcm := make([]int16, total)
	for i, v := range sum {
		pcm[i] = int16(math.Round(max(-32767, min(32767, gain*v))))
	}
	return pcm
}

// play adds a note; what rings beyond the end rings on at the beginning.
func play(sum []float64, at, length, note int, gain float64, voice func(t, part, hz float64) float64) {
	hz := 440 * math.Pow(2, float64(note-69)/12)
	for i := range length {
		t := float64(i) / dsp.SampleRate
		sum[(at+i)%total] += gain * voice(t, float64(i)/float64(length), hz)
	}
}

// pad swells and fades over its whole length.
func pad(t, part, hz float64) float64 {
	w := math.Sin(math.Pi * part)
	vibrato := 0.3 * math.Sin(2*math.Pi*4.5*t)
	x := 2*math.Pi*hz*t + vibrato
	return w * (math.Sin(x) + 0.35*math.Sin(2*x) + 0.12*math.Sin(3*x))
}

// bell is struck and dies away.
func bell(t, part, hz float64) float64 {
	w := min(1, t*200) * math.Exp(-3*t) * min(1, 10*(1-part))
	x := 2 * math.Pi * hz * t
	return w * (math.Sin(x) + 0.3*math.Sin(2*x)*math.Exp(-4*t) + 0.1*math.Sin(4*x)*math.Exp(-8*t))
}
