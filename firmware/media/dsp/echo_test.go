package dsp

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
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

// composite is the composite source signal of ITU-T G.168 annex C and P.501: 48.62 ms of voice, 200 ms of
// noise and 101.38 ms of pause, again and again.
func composite(seed uint64, seconds int, level float64) []int16 {
	random := rand.New(rand.NewPCG(seed, 501))
	pcm := make([]int16, seconds*SampleRate)
	for i := range pcm {
		switch at := math.Mod(float64(i)/SampleRate*1000, 350); {
		case at < 48.62:
			var v float64
			for k := 1; k <= 14; k++ {
				v += math.Cos(2*math.Pi*float64(k)*215*float64(i)/SampleRate) / float64(k)
			}
			pcm[i] = clip(float32(Amplitude(level) * v / 1.3))
		case at < 248.62:
			pcm[i] = clip(float32(Amplitude(level) / math.Sqrt2 * random.NormFloat64()))
		}
	}
	return pcm
}

// spoken is when one second of speech has come back as echo, pauses not counted.
func spoken(echo []int16) time.Duration {
	hops := 0
	for i := 0; i+hop <= len(echo); i += hop {
		if Level(echo[i:i+hop]) > -45 {
			if hops++; hops == 100 {
				return time.Duration(i+hop) * time.Second / SampleRate
			}
		}
	}
	return 0
}

var bulks = []int{0, 400, 960, 2400, 4800, 7900}

// scene is a line whose echo is to be cancelled: its path, and speech of ours.
type scene struct {
	hybrid
	sent, received []int16
}

// scenes are some lines, with bulk delays over the whole range and speech that differs.
func scenes(t testing.TB, n, seconds int, noise float64) (all []scene) {
	for i := range n {
		s := scene{hybrid: newHybrid(uint64(i), bulks[i%len(bulks)], 8+4*(i%3), 9+float64(i%4)*2)}
		s.sent = talk(t, 5*i, seconds, -16)
		s.received = conversation(s.echo(s.sent), nil, noise, uint64(i))
		all = append(all, s)
	}
	return all
}

// withinASecond is the ERLE in dB of each line in the two seconds that follow one second of speech, with
// the non-linear processor and without. The line's noise is in it: an echo of -27 dBm0 over noise of -65
// cannot be weakened by more than 38 dB by any filter.
func withinASecond(t testing.TB, lines int) (whole, plain []float64) {
	for _, s := range scenes(t, lines, 7, -65) {
		from := spoken(s.received)
		whole = append(whole, enhanced(s.received, cancelled(NewEcho(false), s.sent, s.received), from, from+2*time.Second))
		plain = append(plain, enhanced(s.received, cancelled(NewEcho(true), s.sent, s.received), from, from+2*time.Second))
	}
	return whole, plain
}

// ITU-T G.168 test 2, and the delays that serial modems add.
func TestEchoIsGoneAfterOneSecondOfSpeech(t *testing.T) {
	whole, plain := withinASecond(t, len(bulks))
	for i := range whole {
		if whole[i] < 30 || plain[i] < 22 {
			t.Errorf("line %d: ERLE %.1f dB, of the filter alone %.1f dB", i, whole[i], plain[i])
		}
	}
	sent := composite(1, 5, -10)
	h := newHybrid(2, 800, 12, 10)
	received := conversation(h.echo(sent), nil, -68, 2)
	out := cancelled(NewEcho(false), sent, received)
	for at := 1200 * time.Millisecond; at < 5*time.Second; at += 350 * time.Millisecond {
		if level := Level(out[samplesOf(at):samplesOf(at+350*time.Millisecond)]); level > -60 {
			t.Errorf("composite source: %.1f dBm0 are left at %v", level, at)
		}
	}
}

// ITU-T G.168 test 3: a voice on the line, as loud as the echo's source or weak, is heard and spoils nothing.
func TestEchoStaysGoneWhileBothSpeak(t *testing.T) {
	for _, level := range []float64{-12, -18, -26} {
		for i, s := range scenes(t, 3, 12, -65) {
			voice := make([]int16, len(s.sent))
			from, to := samplesOf(5*time.Second), samplesOf(9*time.Second)
			copy(voice[from:to], talk(t, 3+i, 4, level))
			received := conversation(s.echo(s.sent), voice, -65, uint64(i))
			out := cancelled(NewEcho(false), s.sent, received)
			plain := cancelled(NewEcho(true), s.sent, received)
			wrong := make([]int16, to-from)
			for k := range wrong {
				wrong[k] = plain[from+k] - voice[from+k]
			}
			if echo := Level(s.received[from:to]) - Level(wrong); echo < 12 {
				t.Errorf("line %d, voice of %v dBm0: the echo under it is weakened by %.1f dB", i, level, echo)
			}
			if lost := Level(voice[from:to]) - Level(out[from:to]); math.Abs(lost) > 1.5 {
				t.Errorf("line %d: the voice of %v dBm0 loses %.1f dB", i, level, lost)
			}
			before := enhanced(received, plain, 3*time.Second, 5*time.Second)
			after := enhanced(received, plain, 9*time.Second, 11*time.Second)
			if after < before-10 || after < 20 {
				t.Errorf("line %d, voice of %v dBm0: ERLE of the filter %.1f dB before, %.1f dB after", i, level, before, after)
			}
		}
	}
}

// ITU-T G.168 test 6: a canceller that knows the path does not forget it over tones.
func TestTonesSpoilNoEchoCanceller(t *testing.T) {
	digits, _ := Digits("0123456789*#ABCD0123456789*#ABCD", 200*time.Millisecond, 50*time.Millisecond)
	for name, tone := range map[string]Tone{
		"one tone":  {Level: -10, Steps: []Step{{[2]float64{1004}, 10 * time.Second}}},
		"two tones": {Level: -13, Steps: []Step{{[2]float64{440, 480}, 10 * time.Second}}},
		"digits":    digits,
		"busy":      Busy(),
	} {
		sent := talk(t, 7, 4, -16)
		x := newExchange(1)
		x.plays(tone, 8*time.Second)
		sent = append(append(sent, x.pcm...), talk(t, 11, 3, -16)...)
		h := newHybrid(4, 1200, 12, 11)
		received := conversation(h.echo(sent), nil, -65, 3)
		out := cancelled(NewEcho(true), sent, received)
		before := enhanced(received, out, 2500*time.Millisecond, 4*time.Second)
		during := enhanced(received, out, 5*time.Second, 12*time.Second)
		after := enhanced(received, out, 12200*time.Millisecond, 13500*time.Millisecond)
		if during < 15 || after < before-8 || after < 20 {
			t.Errorf("%s: ERLE %.1f dB before, %.1f while it sounds, %.1f after", name, before, during, after)
		}
	}
}

// ITU-T G.168 test 7: a canceller that knows nothing does not make a tone louder, however long it lasts.
func TestToneNeverMakesTheCancellerOscillate(t *testing.T) {
	for _, hz := range []float64{204, 425, 1004, 2100, 3400} {
		sent := sineOf(-10, hz, 60*SampleRate)
		h := newHybrid(5, 640, 12, 8)
		received := conversation(h.echo(sent), nil, -65, 4)
		for _, plain := range []bool{false, true} {
			out := cancelled(NewEcho(plain), sent, received)
			for at := 0; at+SampleRate <= len(out); at += SampleRate {
				if in, left := Level(received[at:at+SampleRate]), Level(out[at:at+SampleRate]); left > in+1 {
					t.Fatalf("%v Hz: %.1f dBm0 became %.1f dBm0 after %d s", hz, in, left, at/SampleRate)
				}
			}
		}
	}
}

// steps plays a line whose bulk delay jumps after 4 s by some samples, and returns the ERLE of the filter in
// the second that follows one and a half seconds later.
func steps(t testing.TB, by int, told bool) float64 {
	sent := talk(t, 9, 9, -16)
	a := newHybrid(6, 2400, 12, 11)
	b := a
	b.bulk += by
	cut := samplesOf(4 * time.Second)
	both := append(a.echo(sent)[:cut:cut], b.echo(sent)[cut:]...)
	received := conversation(both, nil, -65, 5)
	e := NewEcho(true)
	out := cancelled(e, sent[:cut], received[:cut])
	if told {
		e.Underrun()
	}
	out = append(out, cancelled(e, sent[cut:], received[cut:])...)
	return enhanced(received, out, 6*time.Second, 8*time.Second)
}

func TestDelayThatJumpsIsFollowed(t *testing.T) {
	for _, by := range []int{-2000, -400, -160, -110, -40, 40, 160, 400, 800, 4000} {
		if got := steps(t, by, false); got < 20 {
			t.Errorf("by %d samples: ERLE %.1f dB", by, got)
		}
	}
}

func TestUnderrunThatIsToldLetsTheDelayBeFoundAnew(t *testing.T) {
	for _, by := range []int{-800, 640} {
		if got := steps(t, by, true); got < 20 {
			t.Errorf("by %d samples: ERLE %.1f dB", by, got)
		}
	}
}

// drifted is the ERLE of the filter on a line whose clock is off by some ppm against ours.
func drifted(t testing.TB, ppm float64) (erle float64) {
	sent := talk(t, 2, 12, -16)
	h := newHybrid(7, 1600, 12, 11)
	echo := h.echo(sent)
	slow := make([]float64, len(echo))
	for i := range slow { // by interpolation with the window of Elastic
		at := float64(i) * (1 - ppm*1e-6)
		k := int(at)
		row := &sinc[int((at-float64(k))*phases+0.5)]
		for j := range row {
			if n := k + j - elasticTaps/2 + 1; n >= 0 && n < len(echo) {
				slow[i] += echo[n] * float64(row[j])
			}
		}
	}
	received := conversation(slow, nil, -65, 6)
	return enhanced(received, cancelled(NewEcho(true), sent, received), 4*time.Second, 12*time.Second)
}

// The clock of a modem is one for both directions, so a canceller at the modem sees no drift. Where one does,
// resampling must hold it to 5 ppm, which costs some 1.5 dB; 20 ppm cost 5 dB, 200 ppm leave 9 dB.
func TestDriftWeakensTheCancellerButNeverUpsetsIt(t *testing.T) {
	still := drifted(t, 0)
	for ppm, least := range map[float64]float64{2: still - 3, -2: still - 3, 20: 16, 200: 6, -200: 6} {
		if got := drifted(t, ppm); got < least {
			t.Errorf("%v ppm: ERLE %.1f dB, without drift %.1f dB", ppm, got, still)
		}
	}
}

// ITU-T G.168 tests 5 and 9: without an echo nothing is taken out, and what is heard in our pauses and while
// we speak is noise of one loudness.
func TestLineWithoutEchoIsHeardAsItIs(t *testing.T) {
	sent := talk(t, 4, 6, -16)
	voice := talk(t, 6, 6, -20)
	received := conversation(make([]float64, len(sent)), voice, -60, 7)
	out := cancelled(NewEcho(false), sent, received)
	for i := range out {
		if d := int(out[i]) - int(received[i]); d > 40 || d < -40 {
			t.Fatalf("sample %d: %d became %d", i, received[i], out[i])
		}
	}
}

func TestNoiseInPlaceOfTheEchoIsAsLoudAsTheLine(t *testing.T) {
	for _, noise := range []float64{-65, -55, -48} {
		sent := composite(2, 8, -14)
		h := newHybrid(8, 320, 12, 12)
		received := conversation(h.echo(sent), nil, noise, 8)
		out := cancelled(NewEcho(false), sent, received)
		if got := Level(out[4*SampleRate:]); math.Abs(got-noise) > 2.5 {
			t.Errorf("%.1f dBm0 in place of %v", got, noise)
		}
	}
}

func TestLibspandspsCancellerDoesNoBetter(t *testing.T) {
	program := spandsp(t)
	for i := range 3 {
		sent := talk(t, 5*i, 8, -27)         // louder speech makes it overflow
		h := newHybrid(uint64(i), 0, 16, 11) // it looks for no bulk delay
		received := conversation(h.echo(sent), nil, -70, uint64(i))
		var frames []int16
		for k := 0; k+160 <= len(sent); k += 160 {
			frames = append(append(frames, sent[k:k+160]...), received[k:k+160]...)
		}
		theirs := enhanced(received, soundOf(run(t, bytesOf(frames), program, "echo", "512")), 2*time.Second, 8*time.Second)
		ours := enhanced(received, cancelled(NewEcho(true), sent, received), 2*time.Second, 8*time.Second)
		t.Logf("line %d: ERLE of our filter %.1f dB, of libspandsp's %.1f dB", i, ours, theirs)
		if ours < theirs {
			t.Errorf("line %d: ERLE of our filter %.1f dB, of libspandsp's %.1f dB", i, ours, theirs)
		}
	}
}

func TestCancellingDoesNotAllocate(t *testing.T) {
	s := scenes(t, 1, 4, -60)[0]
	e := NewEcho(false)
	frame := make([]int16, 160)
	at := 0
	if n := testing.AllocsPerRun(150, func() {
		copy(frame, s.received[at:])
		e.Process(s.sent[at:at+160], frame)
		at += 160
	}); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

func TestFramesOfAnyLengthAreTaken(t *testing.T) {
	s := scenes(t, 1, 4, -60)[0]
	cut := func(length func() int) []int16 {
		e := NewEcho(true)
		got := append([]int16(nil), s.received...)
		for at := 0; at < len(got); {
			n := min(length(), len(got)-at)
			e.Process(s.sent[at:at+n], got[at:at+n])
			at += n
		}
		return got
	}
	want := cut(func() int { return 160 })
	if got := cut(func() int { return 5 * hop }); !slices.Equal(got, want) {
		t.Error("frames of 50 ms give another sound")
	}
	random := rand.New(rand.NewPCG(1, 1))
	got := cut(func() int { return 1 + random.IntN(400) })
	a, b := enhanced(s.received, want, 2*time.Second, 4*time.Second), enhanced(s.received, got, 2*time.Second, 4*time.Second)
	if math.Abs(a-b) > 3 {
		t.Errorf("ERLE %.1f dB with frames of 20 ms, %.1f dB with frames of any length", a, b)
	}
}

// Whatever is sent and heard, the canceller stays sound: it makes nothing louder for long and can still learn.
func FuzzEcho(f *testing.F) {
	f.Add([]byte{0, 255, 128, 3}, []byte{255, 0, 7}, uint16(3))
	f.Add([]byte{255, 255, 0, 0}, []byte{0, 0, 255, 255}, uint16(700))
	f.Fuzz(func(t *testing.T, sent, received []byte, turn uint16) {
		if len(sent) == 0 || len(received) == 0 {
			return
		}
		e := NewEcho(false)
		a, b := make([]int16, 160), make([]int16, 160)
		for i := range 60 {
			for k := range a {
				n := i*160 + k
				a[k] = (int16(sent[n*(1+int(turn)%7)%len(sent)]) - 128) << 8
				b[k] = (int16(received[n*(1+int(turn)%5)%len(received)]) - 128) << 8
			}
			if i == int(turn)%60 {
				e.Underrun()
			}
			e.Process(a, b)
		}
		s := e.Stats()
		if math.IsNaN(s.ERLE) || math.IsInf(s.ERLE, 0) {
			t.Fatalf("%+v", s)
		}
		for _, w := range [][echoTaps]float32{e.used, e.trained} {
			for _, v := range w {
				if v != v || v > 1e6 || v < -1e6 {
					t.Fatalf("a weight of %v", v)
				}
			}
		}
	})
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
