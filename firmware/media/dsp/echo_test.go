package dsp

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

// hybrid is a line's echo path: where two wires meet four, and the queues of a modem before it.
type hybrid struct {
	bulk int // samples
	taps []float64
}

// newHybrid is a dispersive path of some ms that weakens the echo by loss dB.
func newHybrid(seed uint64, bulk, ms int, loss float64) hybrid {
	random := rand.New(rand.NewPCG(seed, 168))
	h := hybrid{bulk: bulk, taps: make([]float64, ms*SampleRate/1000)}
	var energy float64
	hz, decay, delay := 600+900*random.Float64(), 8+14*random.Float64(), 4+random.IntN(len(h.taps)/4)
	second := delay + len(h.taps)/3
	for i := range h.taps {
		for k, at := range []int{delay, second} {
			if i >= at {
				x := float64(i - at)
				h.taps[i] += math.Pow(-0.35, float64(k)) * math.Exp(-x/decay) * math.Cos(2*math.Pi*hz*x/SampleRate+float64(seed))
			}
		}
		energy += h.taps[i] * h.taps[i]
	}
	for i := range h.taps {
		h.taps[i] *= math.Pow(10, -loss/20) / math.Sqrt(energy)
	}
	return h
}

// echo is what comes back of a sound.
func (h hybrid) echo(sent []int16) []float64 {
	out := make([]float64, len(sent))
	for n := range out {
		for k, tap := range h.taps {
			if at := n - h.bulk - k; at >= 0 {
				out[n] += tap * float64(sent[at])
			}
		}
	}
	return out
}

// talk is recorded speech of a synthesiser: the prompts of the product, one after the other from the first-th,
// scaled to a level while somebody speaks.
func talk(t testing.TB, first, seconds int, level float64) []int16 {
	t.Helper()
	paths, err := filepath.Glob("../prompt/sounds/*/*.wav")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d prompts, %v", len(paths), err)
	}
	var pcm []int16
	for i := first; len(pcm) < seconds*SampleRate; i++ {
		raw, err := os.ReadFile(paths[i*37%len(paths)])
		if err != nil {
			t.Fatal(err)
		}
		r, err := wav.NewReader(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		more, err := r.ReadAll(60 * 48000)
		if err != nil {
			t.Fatal(err)
		}
		pcm = append(pcm, more...)
	}
	pcm = pcm[:seconds*SampleRate]
	var loud Meter
	for i := 0; i+hop <= len(pcm); i += hop {
		if Level(pcm[i:i+hop]) > -45 {
			loud.Add(pcm[i : i+hop])
		}
	}
	gain := math.Pow(10, (level-loud.Level())/20)
	for i, s := range pcm {
		pcm[i] = clip(float32(gain * float64(s)))
	}
	return pcm
}

// conversation is what a line gives: the echo, a voice and noise.
func conversation(echo []float64, voice []int16, noise float64, seed uint64) []int16 {
	random := rand.New(rand.NewPCG(seed, 3))
	rms := Amplitude(noise) / math.Sqrt2
	out := make([]int16, len(echo))
	for i, v := range echo {
		if i < len(voice) {
			v += float64(voice[i])
		}
		out[i] = clip(float32(v + rms*random.NormFloat64()))
	}
	return out
}

// cancelled runs a canceller in frames of 20 ms.
func cancelled(e *Echo, sent, received []int16) []int16 {
	out := append([]int16(nil), received...)
	for i := 0; i+160 <= len(out); i += 160 {
		e.Process(sent[i:i+160], out[i:i+160])
	}
	return out
}

// enhanced is the ERLE in dB over a part of a conversation in which only we speak.
func enhanced(received, left []int16, from, to time.Duration) float64 {
	a, b := samplesOf(from), min(samplesOf(to), len(received))
	return Level(received[a:b]) - Level(left[a:b])
}

func TestEchoExplore(t *testing.T) {
	for seed := range uint64(6) {
		sent := talk(t, int(seed)*5, 8, -16)
		h := newHybrid(seed, []int{0, 800, 2400, 4000, 6400, 7900}[seed], 16, 11)
		rec := conversation(h.echo(sent), nil, -70, seed)
		e := NewEcho(true)
		out := cancelled(e, sent, rec)
		var row []float64
		for s := time.Duration(0); s < 8*time.Second; s += 500 * time.Millisecond {
			row = append(row, math.Round(enhanced(rec, out, s, s+500*time.Millisecond)))
		}
		out2 := cancelled(NewEcho(false), sent, rec)
		var row2 []float64
		for s := time.Duration(0); s < 8*time.Second; s += 500 * time.Millisecond {
			row2 = append(row2, math.Round(enhanced(rec, out2, s, s+500*time.Millisecond)))
		}
		t.Logf("%d bulk %d: %v %+v\n   nlp %v", seed, h.bulk, row, e.Stats(), row2)
	}
}

func BenchmarkEcho(b *testing.B) {
	sent := talk(b, 0, 8, -16)
	rec := conversation(newHybrid(1, 800, 16, 11).echo(sent), nil, -60, 1)
	e := NewEcho(false)
	frame := make([]int16, 160)
	b.ReportAllocs()
	at := 0
	for b.Loop() {
		copy(frame, rec[at:])
		e.Process(sent[at:at+160], frame)
		at = (at + 160) % (len(sent) - 160)
	}
}
