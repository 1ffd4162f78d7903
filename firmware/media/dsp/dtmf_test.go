package dsp

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// press describes one tone pair as a telephone might send it.
type press struct {
	row, column float64 // Hz
	low, high   float64 // dBm0
	on, pause   int     // samples
}

func pressOf(k rune) press {
	r, c, _ := key(k)
	return press{rowHz[r], columnHz[c], -12, -12, 400, 400}
}

// hum is a steady tone under the presses.
type hum struct{ hz, level float64 }

// sound is lead samples of silence, then the presses, then 100 ms of silence, over noise of that level
// and over tones that go on all the time.
func sound(lead int, noise float64, presses ...press) []int16 {
	return soundOver(nil, lead, noise, presses...)
}

func soundOver(hums []hum, lead int, noise float64, presses ...press) []int16 {
	random := rand.New(rand.NewPCG(9, uint64(lead)))
	var pcm []int16
	add := func(n int, p press) {
		for i := range n {
			v := random.NormFloat64() * Amplitude(noise) / math.Sqrt2
			v += Amplitude(p.low) * math.Sin(2*math.Pi*p.row*float64(i)/SampleRate)
			v += Amplitude(p.high) * math.Sin(2*math.Pi*p.column*float64(i)/SampleRate+1)
			for _, h := range hums {
				v += Amplitude(h.level) * math.Sin(2*math.Pi*h.hz*float64(len(pcm))/SampleRate)
			}
			pcm = append(pcm, clip(float32(v)))
		}
	}
	quiet := press{low: -200, high: -200}
	add(lead, quiet)
	for _, p := range presses {
		add(p.on, p)
		add(p.pause, quiet)
	}
	add(800, quiet)
	return pcm
}

// detect returns the digits found, and fails on an end without a beginning.
func detect(t *testing.T, pcm []int16) (digits string, lengths []time.Duration) {
	t.Helper()
	var d DTMF
	down := byte(0)
	for len(pcm) > 0 {
		n := min(len(pcm), 160)
		for _, e := range d.Process(pcm[:n]) {
			switch {
			case e.Down && down == 0:
				down = e.Key
			case !e.Down && down == e.Key:
				digits += string(rune(e.Key))
				lengths = append(lengths, e.For)
				down = 0
			default:
				t.Fatalf("%+v after %q was down", e, down)
			}
		}
		pcm = pcm[n:]
	}
	if down != 0 {
		t.Fatalf("%q never ended", down)
	}
	return digits, lengths
}

func TestEveryKeyIsDetectedWithItsLength(t *testing.T) {
	var presses []press
	for _, k := range keys {
		presses = append(presses, pressOf(k))
	}
	digits, lengths := detect(t, sound(0, -90, presses...))
	if digits != keys {
		t.Errorf("got %q, want %q", digits, keys)
	}
	for i, d := range lengths {
		if d < 34*time.Millisecond || d > 66*time.Millisecond {
			t.Errorf("%c lasted %v, want about 50 ms", digits[i], d)
		}
	}
}

// ITU-T Q.24 and ETSI ES 201 235-3: what must be taken and what must not, wherever it begins within a block.
func TestTheLimitsOfTheStandards(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*press)
		noise  float64
		want   bool
	}{
		{"40 ms is a digit", func(p *press) { p.on = 320 }, -90, true},
		{"20 ms is none", func(p *press) { p.on = 160 }, -90, false},
		{"both frequencies 1.5 % + 2 Hz high", func(p *press) { p.row, p.column = p.row*1.015+2, p.column*1.015+2 }, -90, true},
		{"both frequencies 1.5 % + 2 Hz low", func(p *press) { p.row, p.column = p.row*0.985-2, p.column*0.985-2 }, -90, true},
		{"the row 3.5 % high", func(p *press) { p.row *= 1.035 }, -90, false},
		{"the row 3.5 % low", func(p *press) { p.row *= 0.965 }, -90, false},
		{"the column 3.5 % high", func(p *press) { p.column *= 1.035 }, -90, false},
		{"the column 3.5 % low", func(p *press) { p.column *= 0.965 }, -90, false},
		{"the row 8 dB stronger", func(p *press) { p.high = p.low - 8 }, -90, true},
		{"the column 4 dB stronger", func(p *press) { p.high = p.low + 4 }, -90, true},
		{"the row 12 dB stronger", func(p *press) { p.high = p.low - 12 }, -90, false},
		{"the column 9 dB stronger", func(p *press) { p.high = p.low + 9 }, -90, false},
		{"0 dBm0 each", func(p *press) { p.low, p.high = 0, 0 }, -90, true},
		{"-26 dBm0 each", func(p *press) { p.low, p.high = -26, -26 }, -90, true},
		{"-45 dBm0 each", func(p *press) { p.low, p.high = -45, -45 }, -90, false},
		{"noise 15 dB below", func(*press) {}, -24, true},
		{"one tone alone", func(p *press) { p.high = -90 }, -90, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, k := range keys {
				for lead := 0; lead < dtmfBlock; lead += 7 {
					p := pressOf(k)
					c.change(&p)
					want := ""
					if c.want {
						want = string(k)
					}
					if got, _ := detect(t, sound(lead, c.noise, p)); got != want {
						t.Fatalf("key %c beginning at %d: got %q, want %q", k, lead, got, want)
					}
				}
			}
		})
	}
}

// A digit is dialled into the dial tone, which may be much stronger: in Italy 425 Hz, give or take 15.
func TestADigitIsHeardThroughTheDialTone(t *testing.T) {
	for _, c := range []struct {
		name string
		hums []hum
		low  float64 // level of each tone of the digit
	}{
		{"Italian, 10 dB stronger", []hum{{425, -10}}, -20},
		{"Italian, 22 dB stronger", []hum{{425, -4}}, -26},
		{"Italian, 10 Hz low, 6 dB stronger", []hum{{415, -10}}, -16},
		{"Italian, 15 Hz high, 10 dB stronger", []hum{{440, -10}}, -20},
		{"British, 6 dB stronger", []hum{{350, -13}, {440, -13}}, -19},
		{"with the hum of the mains", []hum{{50, -30}, {425, -10}}, -16},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, k := range keys {
				for lead := 2000; lead < 2000+dtmfBlock; lead += 13 {
					p := pressOf(k)
					p.low, p.high, p.on = c.low, c.low, 320
					if got, _ := detect(t, soundOver(c.hums, lead, -60, p)); got != string(k) {
						t.Fatalf("key %c beginning at %d: got %q", k, lead, got)
					}
				}
			}
		})
	}
}

func TestAPauseOf40MillisecondsDividesTwoPressesOfOneKey(t *testing.T) {
	for lead := range dtmfBlock {
		p := pressOf('7')
		p.on, p.pause = 400, 320
		if got, _ := detect(t, sound(lead, -90, p, p)); got != "77" {
			t.Fatalf("beginning at %d: %q", lead, got)
		}
		p.pause = 80 // a drop-out of 10 ms
		if got, _ := detect(t, sound(lead, -90, p, p)); got != "7" {
			t.Fatalf("beginning at %d, with a drop-out: %q", lead, got)
		}
	}
}

func TestOurOwnGeneratorIsUnderstood(t *testing.T) {
	const number = "0612345678*#"
	tone, ok := Digits(number, 100*time.Millisecond, 100*time.Millisecond)
	if !ok {
		t.Fatal("not dialable")
	}
	pcm := make([]int16, 3*SampleRate)
	NewGenerator(tone).Next(pcm)
	if got, _ := detect(t, pcm); got != number {
		t.Errorf("got %q", got)
	}
}

// speech is a crude voice: a buzz of gliding pitch through three moving formants, in syllables with
// pauses, at about -15 dBm0.
func speech(seed uint64, seconds int) []int16 {
	random := rand.New(rand.NewPCG(seed, 1))
	pcm := make([]int16, seconds*SampleRate)
	var y [3][2]float64
	pitch, phase := 120.0, 0.0
	formants := [3]float64{500, 1400, 2500}
	loud := 0.0
	for i := range pcm {
		if i%1600 == 0 {
			loud = random.Float64()
			if random.IntN(5) == 0 {
				loud = 0
			}
			pitch = 90 + 200*random.Float64()
			formants = [3]float64{250 + 600*random.Float64(), 800 + 1500*random.Float64(), 2200 + 1000*random.Float64()}
		}
		glide := 1 + 0.1*math.Sin(float64(i)/3000)
		source := 0.02 * random.NormFloat64()
		if phase += pitch * glide / SampleRate; phase >= 1 {
			phase--
			source += 1
		}
		var sum float64
		for k, hz := range formants {
			r := 0.97 - 0.01*float64(k)
			v := source + 2*r*math.Cos(2*math.Pi*hz/SampleRate)*y[k][0] - r*r*y[k][1]
			y[k][0], y[k][1] = v, y[k][0]
			sum += v
		}
		pcm[i] = clip(float32(3000 * loud * sum))
	}
	return pcm
}

var talkOff = flag.Duration("dsp.talkoff", 20*time.Minute, "how much generated voice the DTMF detector hears")

// heardFor is for how long voices and music are heard: -short leaves a sample.
func heardFor() time.Duration {
	if testing.Short() {
		return min(*talkOff, 2*time.Minute)
	}
	return *talkOff
}

// voices are as many generated voices of ten minutes each as the flag asks for. Talk-off is told by
// recorded speech elsewhere; none is free. The first two gave a digit each to a laxer purity test.
func voices(t *testing.T, hear func(voice []int16)) {
	each := min(10*time.Minute, heardFor())
	seeds := []uint64{6, 1}
	for seed := uint64(100); time.Duration(len(seeds))*each < heardFor(); seed++ {
		seeds = append(seeds, seed)
	}
	for _, seed := range seeds[:heardFor()/each] {
		voice := speech(seed, int(each/time.Second))
		if level := Level(voice); level < -25 || level > -5 {
			t.Fatalf("voice %d has %.1f dBm0: the test is not one", seed, level)
		}
		hear(voice)
	}
}

// An hour of talk may give five digits at the most.
func TestAVoiceIsHardlyEverTakenForDigits(t *testing.T) {
	var hits string
	var length time.Duration
	voices(t, func(voice []int16) {
		digits, _ := detect(t, voice)
		hits += digits
		length += time.Duration(len(voice)) * time.Second / SampleRate
	})
	t.Logf("%v of voice gave %d digits (%q)", length, len(hits), hits)
	if float64(len(hits)) > 5*length.Hours() {
		t.Errorf("%v of voice gave %q, more than 5 an hour", length, hits)
	}
}

func TestNoiseAndSingleTonesAreNotTakenForDigits(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	noise := make([]int16, 60*SampleRate)
	for i := range noise {
		noise[i] = int16(random.IntN(40000) - 20000)
	}
	if digits, _ := detect(t, noise); digits != "" {
		t.Errorf("noise gave %q", digits)
	}
	for hz := 300.0; hz < 3400; hz += 10 {
		if digits, _ := detect(t, append(sineOf(-5, hz, 1600), make([]int16, 800)...)); digits != "" {
			t.Errorf("%v Hz gave %q", hz, digits)
		}
	}
}

func TestDetectionDoesNotAllocate(t *testing.T) {
	var d DTMF
	pcm := sound(0, -90, pressOf('5'))[:160]
	if n := testing.AllocsPerRun(100, func() { d.Process(pcm) }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

func BenchmarkDTMF(b *testing.B) {
	var d DTMF
	pcm := speech(3, 1)[:160]
	b.ReportAllocs()
	for b.Loop() {
		d.Process(pcm)
	}
}

func ExampleDTMF() {
	tone, _ := Digits("42", 80*time.Millisecond, 80*time.Millisecond)
	pcm := make([]int16, 3200)
	NewGenerator(tone).Next(pcm)
	var d DTMF
	for i := 0; i < len(pcm); i += 160 {
		for _, e := range d.Process(pcm[i : i+160]) {
			if e.Down {
				fmt.Printf("%c ", e.Key)
			}
		}
	}
	// Output: 4 2
}
