package dsp

import (
	"flag"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var benchLines = flag.Bool("bench-lines", false, "measure the figures of analog lines over whole sweeps, in minutes")

// sized is how much of a sweep is done: all for the figures, a sample for each test run.
func sized(all, sample int) int {
	if *benchLines {
		return all
	}
	if testing.Short() {
		return max(1, sample/4)
	}
	return sample
}

// aside lets whole sweeps run beside each other.
func aside(t *testing.T) {
	if *benchLines {
		t.Parallel()
	}
}

// sounds are what people say and hear on lines: voices of two kinds, and music, each of a minute, to be heard
// from anywhere at any speed and level.
func sounds(t *testing.T) (all [][]int16) {
	for i := range uint64(sized(8, 3)) {
		all = append(all, talk(t, 11*int(i), 60, -18), speech(40+i, 60), tune(80+i, 60))
	}
	return all
}

// speedBits are those behind the point of heardAt's fixed-point numbers: it makes half of what is listened to.
const speedBits = 16

// heardAt is a sound from somewhere, at another speed and level in dB.
func heardAt(dst, sound []int16, random *rand.Rand, speed, level float64) {
	at := int64(random.Float64()*float64(len(sound)-1)) << speedBits
	step, last := int64(speed*(1<<speedBits)), int64(len(sound)-1)<<speedBits
	gain := int64(math.Pow(10, level/20) * (1 << speedBits))
	for i := range dst {
		k := at >> speedBits
		a, b := int64(sound[k]), int64(sound[k+1])
		v := (a<<speedBits + (b-a)*(at&(1<<speedBits-1))) >> speedBits * gain >> speedBits
		dst[i] = int16(max(-32768, min(32767, v)))
		if at += step; at >= last {
			at -= last
		}
	}
}

// modemBits leaves of sound what a modem of 8 bits does.
func modemBits(pcm []int16) {
	for i, s := range pcm {
		pcm[i] = clip(float32(math.Round(float64(s)/256) * 256))
	}
}

// mains adds 50 Hz and what a rectifier makes of it.
func mains(pcm []int16, level float64) {
	for i, s := range pcm {
		x := 2 * math.Pi * 50 * float64(i) / SampleRate
		pcm[i] = clip(float32(float64(s) + Amplitude(level)*(math.Sin(x)+0.5*math.Sin(2*x)+0.3*math.Sin(3*x))))
	}
}

// draw is a call that ends with a tone of a network, at random: its cadence up to 10 % slow or fast, its
// frequency up to 15 Hz off (8 of a pair), from -6 to -30 dBm0, 15 to 35 dB above noise, half of them over
// the 8 bits of a modem, with hum.
func draw(c Cadence, library [][]int16, random *rand.Rand) (pcm []int16, begins int) {
	x := newExchange(random.Uint64())
	x.slow = 0.9 + 0.2*random.Float64()
	x.off = 30*random.Float64() - 15
	if c.Hz[1] > 0 {
		x.off = 16*random.Float64() - 8
	}
	level := -6 - 24*random.Float64()
	if c.Hz[1] > 0 {
		level -= 3
	}
	x.pcm = make([]int16, 3*SampleRate+random.IntN(SampleRate))
	heardAt(x.pcm, library[random.IntN(len(library))], random, 0.8+0.5*random.Float64(), -12+15*random.Float64())
	x.silent(time.Duration(random.IntN(700)) * time.Millisecond)
	begins = len(x.pcm)
	x.says(c, level, 12*time.Second)
	x.noise(level - 15 - 20*random.Float64())
	mains(x.pcm, -38)
	if level > -24 && random.IntN(2) == 0 {
		modemBits(x.pcm)
	}
	return x.pcm, begins
}

// ended tells how long after its begin a tone was taken for a hang-up; false if it never was, or before.
func ended(p *Progress, pcm []int16, begins int) (time.Duration, bool) {
	events, when := hears(p, pcm)
	for i, e := range events {
		if e.HangUp {
			return time.Duration(when[i]-begins) * time.Second / SampleRate, when[i] > begins
		}
	}
	return 0, false
}

func TestFarEndThatHangsUpIsHeard(t *testing.T) {
	aside(t)
	library := sounds(t)
	random := rand.New(rand.NewPCG(2026, 11))
	calls, missed := 0, 0
	var after []time.Duration
	for _, n := range []Network{Italy(), ETSI(), NorthAmerica()} {
		p := NewProgress(n, Learned{})
		for _, c := range n.Cadences {
			if !c.Signal.ends() {
				continue
			}
			for range sized(300, 30) {
				pcm, begins := draw(c, library, random)
				p.Reset()
				calls++
				if d, ok := ended(p, pcm, begins); ok {
					after = append(after, d)
				} else {
					missed++
				}
			}
		}
	}
	rate := 100 * float64(calls-missed) / float64(calls)
	slices.Sort(after)
	t.Logf("figure: hang-up by tone: %.2f %% of %d calls, after %.1f s (median) and %.1f s (99 of 100) of tone; bar 99.5 %%",
		rate, calls, after[len(after)/2].Seconds(), after[len(after)*99/100].Seconds())
	if rate < 99.5 {
		t.Errorf("%d of %d hang-ups were missed", missed, calls)
	}
}

// interludes are tones that belong to conversations.
func interludes(random *rand.Rand) []int16 {
	x := newExchange(random.Uint64())
	const digits = "0123456789*#"
	switch random.IntN(6) {
	case 0:
		key := digits[random.IntN(len(digits))]
		ms := time.Duration(80 + random.IntN(300))
		tone, _ := Digits(string([]byte{key, key, key, key, key, key}), ms*time.Millisecond, ms*time.Millisecond)
		x.plays(tone, tone.Length())
	case 1:
		x.says(single(SignalRingback, 425, 1000, 4000), -18, 15*time.Second)
	case 2:
		x.says(single(SignalCallWaiting, 425, 400, 100, 250, 100, 150, 14000), -18, 3*time.Second)
	case 3:
		x.says(single(SignalCallWaiting, 1400, 400, 15000), -20, time.Second)
	case 4:
		x.says(single(SignalDial, 425, 200, 200, 600, 1000), -18, 6*time.Second)
	case 5:
		x.says(single(SignalBusy, 425, 500, 500), -18, 1400*time.Millisecond) // a third party's, cut short
	}
	return x.pcm
}

func TestConversationsAreHardlyEverTakenForHangUps(t *testing.T) {
	aside(t)
	library := sounds(t)
	odd := Learned{Version: LearnedVersion}
	for _, c := range oddTones[:learnedMost] {
		odd.Tones = append(odd.Tones, LearnedTone{Hz: c.Hz, On: c.OnOff[0], Off: c.OnOff[1], Calls: learnedCalls})
	}
	noise := newExchange(9)
	noise.silent(10 * time.Second)
	noise.noise(-45)
	minutes := sized(conversations, 120)
	var next, wrong atomic.Int64
	var listeners sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		listeners.Go(func() {
			detectors := []*Progress{NewProgress(Italy(), odd), NewProgress(ETSI(), Learned{}), NewProgress(NorthAmerica(), Learned{})}
			pcm := make([]int16, 60*SampleRate)
			for i := int(next.Add(1)) - 1; i < minutes; i = int(next.Add(1)) - 1 {
				random := rand.New(rand.NewPCG(2026, uint64(i))) // each minute is the same, whoever listens to it
				converse(pcm, library, random)
				if i%2 == 0 {
					for k := range pcm {
						pcm[k] = int16(max(-32768, min(32767, int(pcm[k])+int(noise.pcm[k%len(noise.pcm)]))))
					}
				}
				p := detectors[i%len(detectors)]
				p.Reset()
				if events, _ := hears(p, pcm); hungUp(events) {
					wrong.Add(1)
					t.Logf("call-minute %d is taken for a hang-up", i)
				}
			}
		})
	}
	listeners.Wait()
	n := int(wrong.Load())
	rate := 1000 * float64(n) / float64(minutes)
	t.Logf("figure: false hang-ups: %d in %d call-minutes of voices, music and tones of conversations, %.2f in a thousand, below %.2f with 95 %% certainty; bar 0.1",
		n, minutes, rate, 1000*atMost(n)/float64(minutes))
	if rate >= 0.1 {
		t.Errorf("%d false hang-ups in %d call-minutes", n, minutes)
	}
}

// conversations is how many call-minutes the figure is of: the fewest that bound it at its bar when none is false.
const conversations = 30000

// converse fills a minute with what is said and heard in a call.
func converse(pcm []int16, library [][]int16, random *rand.Rand) {
	for at := 0; at < len(pcm); {
		turn := pcm[at:min(len(pcm), at+SampleRate+random.IntN(20*SampleRate))]
		heardAt(turn, library[random.IntN(len(library))], random, 0.75+0.6*random.Float64(), -15+18*random.Float64())
		if random.IntN(4) == 0 {
			copy(turn, interludes(random))
		}
		at += len(turn)
	}
}

// atMost is the mean number of events that more than n would exceed 95 times in 100 (Poisson): 3.0 for none.
func atMost(n int) float64 {
	low, high := float64(n), float64(2*n+10)
	for high-low > 1e-6 {
		mean := (low + high) / 2
		part, sum := math.Exp(-mean), 0.0
		for k := range n + 1 {
			if k > 0 {
				part *= mean / float64(k)
			}
			sum += part
		}
		if sum > 0.05 {
			low = mean
		} else {
			high = mean
		}
	}
	return high
}

func TestCertaintyOfACount(t *testing.T) {
	for n, want := range map[int]float64{0: 2.996, 1: 4.744, 3: 7.754, 10: 16.96} { // tables of the Poisson distribution
		if got := atMost(n); math.Abs(got-want) > 0.01 {
			t.Errorf("of %d: %v, want %v", n, got, want)
		}
	}
}

func TestLearnedTonesBeatTheTable(t *testing.T) {
	aside(t)
	library := sounds(t)
	random := rand.New(rand.NewPCG(2026, 13))
	var calls, table, learned int
	for range sized(40, 2) {
		for _, c := range oddTones {
			var known Learned
			for range learnedCalls {
				x := newExchange(random.Uint64())
				x.pcm = make([]int16, 6*SampleRate)
				heardAt(x.pcm, library[random.IntN(len(library))], random, 1, 0)
				level := -8 - 20*random.Float64()
				x.says(c, level, 8*time.Second)
				x.silent(time.Duration(random.IntN(2000)) * time.Millisecond)
				if tone, ok := taught(x.noise(level - 18 - 15*random.Float64()).pcm); ok {
					known = known.After(tone)
				}
			}
			off := random.Float64()*4 - 2
			x := newExchange(random.Uint64())
			x.off = off
			x.pcm = make([]int16, 5*SampleRate)
			heardAt(x.pcm, library[random.IntN(len(library))], random, 1, 0)
			begins := len(x.pcm)
			level := -8 - 20*random.Float64()
			x.says(c, level, 8*time.Second)
			x.noise(level - 16 - 15*random.Float64())
			calls++
			if _, ok := ended(NewProgress(Italy(), Learned{}), x.pcm, begins); ok {
				table++
			}
			if _, ok := ended(NewProgress(Italy(), known), x.pcm, begins); ok {
				learned++
			}
		}
	}
	t.Logf("figure: exchanges off the table: %.1f %% of %d hang-ups heard after two calls taught the tone, %.1f %% by the table alone; bar 99 %%",
		100*float64(learned)/float64(calls), calls, 100*float64(table)/float64(calls))
	if float64(learned) < 0.99*float64(calls) || table > calls/20 {
		t.Errorf("of %d hang-ups %d were heard by what was learned, %d by the table", calls, learned, table)
	}
}

func TestCallerIDFigures(t *testing.T) {
	messages := sized(2000, 100)
	for name, s := range map[string]sender{"V.23": v23, "Bell 202": bell202} {
		got := receivedOf(s, messages)
		t.Logf("figure: caller id by %s, 15 dB above noise: %.2f %% of %d; bar 99 %%", name, 100*float64(got)/float64(messages), messages)
		if float64(got) < 0.99*float64(messages) {
			t.Errorf("%s: %d of %d", name, got, messages)
		}
	}
}

func TestEchoFigures(t *testing.T) {
	aside(t)
	lines := sized(24, 4)
	whole, plain := withinASecond(t, lines)
	slices.Sort(whole)
	slices.Sort(plain)
	t.Logf("figure: echo after 1 s of speech on %d lines, delays to 1 s: ERLE %.1f dB (median; least %.1f), of the filter alone %.1f (least %.1f); bar 30 dB",
		lines, whole[lines/2], whole[0], plain[lines/2], plain[0])
	if whole[0] < 30 {
		t.Errorf("ERLE of %.1f dB", whole[0])
	}
	if !*benchLines {
		return
	}
	for _, ppm := range []float64{0, 1, 2, 5, 10, 20, 50, 100, 200, -200} {
		t.Logf("figure: clocks that drift by %4.0f ppm: ERLE of the filter alone %.1f dB", ppm, drifted(t, ppm))
	}
	for _, by := range []int{-800, 160, 800, 4000} {
		t.Logf("figure: delay that jumps by %d ms: ERLE of the filter alone %.1f dB from 2 s after, %.1f dB when the underrun is told",
			by*1000/SampleRate, steps(t, by, false), steps(t, by, true))
	}
}
