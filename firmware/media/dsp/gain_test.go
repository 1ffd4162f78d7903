package dsp

import (
	"math"
	"testing"
	"time"
)

// leveled runs a Gain over a sound and returns the level of its speech in the last part, with what it did.
func leveled(pcm []int16, from time.Duration) (level float64, g *Gain) {
	g = new(Gain)
	for i := 0; i+160 <= len(pcm); i += 160 {
		g.Process(pcm[i : i+160])
	}
	var loud Meter
	for i := samplesOf(from); i+hop <= len(pcm); i += hop {
		if Level(pcm[i:i+hop]) > -40 {
			loud.Add(pcm[i : i+hop])
		}
	}
	return loud.Level(), g
}

func TestSpeechOfAnyLevelIsBroughtToOne(t *testing.T) {
	for _, c := range []struct{ level, least, most float64 }{
		{-8, -21, -17},
		{-13, -21, -17},
		{-19, -21, -17},
		{-24, -21, -17},
		{-29, -21, -17},
		{-38, -27, -24}, // 12 dB are the most
	} {
		for voice := range 3 {
			got, _ := leveled(talk(t, 4*voice, 20, c.level), 8*time.Second)
			if got < c.least || got > c.most {
				t.Errorf("voice %d of %v dBm0 became %.1f dBm0", voice, c.level, got)
			}
		}
	}
}

func TestGainStaysInSilenceNoiseAndTones(t *testing.T) {
	pause := func(make func(x *exchange)) []int16 {
		x := newExchange(3)
		x.pcm = talk(t, 2, 10, -27)
		make(x)
		return x.pcm
	}
	_, before := leveled(talk(t, 2, 10, -27), 0)
	for name, sound := range map[string][]int16{
		"silence": pause(func(x *exchange) { x.silent(20 * time.Second) }),
		"noise": pause(func(x *exchange) {
			y := newExchange(4)
			y.silent(20 * time.Second)
			x.pcm = append(x.pcm, y.noise(-50).pcm...)
		}),
		"busy tone": pause(func(x *exchange) { x.says(single(SignalBusy, 425, 500, 500), -30, 20*time.Second) }),
		"digits": pause(func(x *exchange) {
			digits, _ := Digits("0123456789", 200*time.Millisecond, 100*time.Millisecond)
			x.plays(digits, 3*time.Second)
		}),
	} {
		if _, g := leveled(sound, 0); math.Abs(g.DB()-before.DB()) > 1 {
			t.Errorf("%s moved the gain from %.1f to %.1f dB", name, before.DB(), g.DB())
		}
	}
}

func TestGainNeverClipsAShout(t *testing.T) {
	x := newExchange(5)
	x.pcm = append(talk(t, 3, 10, -34), talk(t, 3, 3, -7)...)
	clipped := 0
	if _, g := leveled(x.pcm, 0); g.DB() > 0 {
		t.Errorf("after a shout the gain is %.1f dB", g.DB())
	}
	for _, s := range x.pcm[10*SampleRate:] {
		if s == math.MaxInt16 || s == math.MinInt16 {
			clipped++
		}
	}
	if clipped > 0 {
		t.Errorf("%d samples are clipped", clipped)
	}
}

func TestGainDoesNotAllocate(t *testing.T) {
	var g Gain
	frame := talk(t, 0, 1, -30)[:160]
	if n := testing.AllocsPerRun(100, func() { g.Process(frame) }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

func BenchmarkGain(b *testing.B) {
	pcm := talk(b, 0, 8, -20)
	var g Gain
	b.ReportAllocs()
	at := 0
	for b.Loop() {
		g.Process(pcm[at : at+160])
		at = (at + 160) % (len(pcm) - 160)
	}
}
