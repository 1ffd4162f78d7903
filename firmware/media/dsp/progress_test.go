package dsp

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// exchange makes the sound of a line: tones in turns, noise below them.
type exchange struct {
	pcm    []int16
	random *rand.Rand
	off    float64 // Hz by which its tones are off
	slow   float64 // its times are longer by this factor, 0 is 1
}

func newExchange(seed uint64) *exchange { return &exchange{random: rand.New(rand.NewPCG(seed, 11))} }

// says plays a cadence for a time.
func (x *exchange) says(c Cadence, level float64, length time.Duration) {
	t := Tone{Level: level}
	for i, d := range c.OnOff {
		s := Step{For: d}
		if x.slow != 0 {
			s.For = time.Duration(float64(d) * x.slow)
		}
		if c.endless() {
			s.For = time.Minute
		}
		if i%2 == 0 {
			for k, hz := range c.Hz {
				if hz > 0 {
					s.Hz[k] = hz + x.off
				}
			}
		}
		t.Steps = append(t.Steps, s)
	}
	x.plays(t, length)
}

func (x *exchange) plays(t Tone, length time.Duration) {
	pcm := make([]int16, int(length*SampleRate/time.Second))
	NewGenerator(t).Next(pcm)
	x.pcm = append(x.pcm, pcm...)
}

func (x *exchange) silent(length time.Duration) {
	x.pcm = append(x.pcm, make([]int16, int(length*SampleRate/time.Second))...)
}

// noise adds white noise of a level in dBm0 to all that was said.
func (x *exchange) noise(level float64) *exchange {
	rms := Amplitude(level) / math.Sqrt2
	for i, s := range x.pcm {
		x.pcm[i] = clip(float32(s) + float32(rms*x.random.NormFloat64()))
	}
	return x
}

// hears lists what is told of a sound, in frames of 20 ms, and after how many samples.
func hears(p *Progress, pcm []int16) (events []ProgressEvent, when []int) {
	for i := 0; i+160 <= len(pcm); i += 160 {
		for _, e := range p.Process(pcm[i : i+160]) {
			events = append(events, e)
			when = append(when, i+160)
		}
	}
	return events, when
}

// heardMost lists the signals that were told and the most cycles of each.
func heardMost(events []ProgressEvent) map[Signal]int {
	most := map[Signal]int{}
	for _, e := range events {
		most[e.Signal] = max(most[e.Signal], e.Cycles)
	}
	return most
}

func hungUp(events []ProgressEvent) bool {
	return slices.ContainsFunc(events, func(e ProgressEvent) bool { return e.HangUp })
}

func TestEachSignalOfEachNetworkIsToldAndNoOther(t *testing.T) {
	for _, n := range []Network{Italy(), ETSI(), NorthAmerica()} {
		for _, c := range n.Cadences {
			t.Run(n.Name+"/"+c.Signal.String(), func(t *testing.T) {
				for lead := range 4 {
					for _, level := range []float64{-6, -20, -36} {
						x := newExchange(uint64(lead))
						x.pcm = make([]int16, 1000+37*lead)
						x.says(c, level, 22*time.Second)
						events, _ := hears(NewProgress(n, Learned{}), x.noise(level-20).pcm)
						most := heardMost(events)
						delete(most, SignalSilence) // long pauses are
						if most[c.Signal] == 0 || len(most) != 1 {
							t.Fatalf("at %v dBm0, beginning at %d: %+v", level, lead, events)
						}
						if got := hungUp(events); got != c.Signal.ends() {
							t.Fatalf("at %v dBm0: hang-up %v: %+v", level, got, events)
						}
					}
				}
			})
		}
	}
}

func TestCyclesAreCountedOneByOneAndTheEndIsTold(t *testing.T) {
	x := newExchange(1)
	x.says(single(SignalBusy, 425, 500, 500), -15, 6*time.Second)
	x.silent(2 * time.Second)
	events, when := hears(NewProgress(Italy(), Learned{}), x.noise(-50).pcm)
	want := []ProgressEvent{{Cycles: 2}, {Cycles: 3}, {Cycles: 4, HangUp: true}, {Cycles: 5}, {Cycles: 5, Over: true}}
	if len(events) != len(want) {
		t.Fatalf("%+v", events)
	}
	for i, e := range events {
		if e.Signal != SignalBusy || e.Cycles != want[i].Cycles || e.HangUp != want[i].HangUp || e.Over != want[i].Over || e.Learned {
			t.Errorf("%d: %+v, want %+v", i, e, want[i])
		}
		if math.Abs(e.Level+15) > 1 {
			t.Errorf("level %.1f", e.Level)
		}
	}
	if after := time.Duration(when[2]) * time.Second / SampleRate; after > 4100*time.Millisecond {
		t.Errorf("the hang-up is told after %v", after)
	}
}

func TestTheInformationToneIsTold(t *testing.T) {
	for _, n := range []Network{Italy(), ETSI(), NorthAmerica()} {
		for _, off := range []float64{-30, 0, 30} {
			x := newExchange(3)
			x.silent(300 * time.Millisecond)
			tone := Tone{Level: -18, Steps: []Step{
				{[2]float64{950 + off}, 330 * time.Millisecond},
				{[2]float64{1400 + off}, 330 * time.Millisecond},
				{[2]float64{1800 + off}, 330 * time.Millisecond},
				{For: time.Second},
			}}
			x.plays(tone, 6*time.Second)
			events, _ := hears(NewProgress(n, Learned{}), x.noise(-45).pcm)
			if len(events) != 3 || events[0].Signal != SignalInformation {
				t.Errorf("%s, %v Hz off: %+v", n.Name, off, events)
			}
		}
	}
}

func TestSilenceIsToldEveryTenSeconds(t *testing.T) {
	x := newExchange(4)
	x.silent(25 * time.Second)
	x.says(single(SignalBusy, 425, 500, 500), -15, time.Second)
	x.silent(11 * time.Second)
	events, _ := hears(NewProgress(Italy(), Learned{}), x.noise(-55).pcm)
	var cycles []int
	for _, e := range events {
		if e.Signal != SignalSilence {
			t.Fatalf("%+v", e)
		}
		cycles = append(cycles, e.Cycles)
	}
	if !slices.Equal(cycles, []int{1, 2, 1}) {
		t.Errorf("%v", cycles)
	}
}

func TestAnsweredCallEndsTheRinging(t *testing.T) {
	x := newExchange(5)
	x.says(single(SignalRingback, 425, 1000, 4000), -15, 12*time.Second)
	x.pcm = append(x.pcm, speech(5, 5)...)
	events, when := hears(NewProgress(Italy(), Learned{}), x.noise(-50).pcm)
	if len(events) != 3 || !events[2].Over || events[2].Signal != SignalRingback || events[2].Cycles != 2 {
		t.Fatalf("%+v", events)
	}
	if late := time.Duration(when[2]-12*SampleRate) * time.Second / SampleRate; late > 2*time.Second {
		t.Errorf("the answer is told after %v", late)
	}
}

// Whatever bursts come, what is told is in order: cycles count one by one, an end follows a beginning, and
// only four equal cadences of a busy or congestion tone are a hang-up.
func FuzzProgress(f *testing.F) {
	f.Add([]byte{50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50}, uint8(0))
	f.Add([]byte{20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 60, 100, 20, 20}, uint8(1))
	f.Add([]byte{25, 25, 25, 25, 25, 25, 25, 25, 25, 25, 200, 255, 3, 1}, uint8(2))
	f.Fuzz(func(t *testing.T, hops []byte, which uint8) {
		known := Learned{}.After(LearnedTone{Hz: [2]float64{425}, On: 300 * time.Millisecond, Off: 300 * time.Millisecond})
		known.Tones[0].Calls = learnedCalls
		n := []Network{Italy(), ETSI(), NorthAmerica()}[which%3]
		p := NewProgress(n, known)
		x := newExchange(uint64(which))
		for i, h := range hops[:min(len(hops), 40)] {
			s := Step{For: time.Duration(h) * hopTime}
			if i%2 == 0 {
				s.Hz = n.Cadences[int(which/3)%len(n.Cadences)].Hz
			}
			x.plays(Tone{Level: -15, Once: true, Steps: []Step{s}}, s.For)
		}
		x.silent(5 * time.Second)
		events, _ := hears(p, x.noise(-50).pcm)
		type kind struct {
			Signal
			learned bool
		}
		cycles := map[kind]int{}
		for _, e := range events {
			k := kind{e.Signal, e.Learned}
			switch {
			case e.Signal == SignalSilence || e.Signal == SignalInformation:
			case e.Over:
				if cycles[k] == 0 {
					t.Fatalf("%v is over that never began: %+v", k, events)
				}
				cycles[k] = 0
			default:
				cycles[k] = e.Cycles
			}
			if e.Cycles < 1 || e.HangUp && (e.Cycles < HangUpCycles || !e.Signal.ends()) || e.Level > 6 {
				t.Fatalf("%+v", e)
			}
		}
	})
}

// Any sound at all, as a line of noise or a modem gone mad gives it.
func FuzzProgressSound(f *testing.F) {
	f.Add([]byte{0, 128, 255, 3, 9})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) == 0 {
			return
		}
		pcm := make([]int16, SampleRate)
		for i := range pcm {
			pcm[i] = int16(raw[i%len(raw)])<<8 | int16(raw[(i/3)%len(raw)])
		}
		p := NewProgress(NorthAmerica(), Learned{})
		var l Learner
		for range 2 {
			events, _ := hears(p, pcm)
			for _, e := range events {
				if e.Cycles < 1 || math.IsNaN(e.Level) {
					t.Fatalf("%+v", e)
				}
			}
			l.Process(pcm)
		}
		if tone, ok := l.Learn(); ok && !tone.plausible() {
			t.Fatalf("%+v", tone)
		}
	})
}

func TestProgressDoesNotAllocate(t *testing.T) {
	p := NewProgress(NorthAmerica(), Learned{})
	x := newExchange(6)
	x.says(pair(SignalBusy, 480, 620, 500, 500), -15, 10*time.Second)
	at := 0
	if n := testing.AllocsPerRun(400, func() { p.Process(x.pcm[at : at+160]); at += 160 }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

func BenchmarkProgress(b *testing.B) {
	for _, n := range []Network{Italy(), NorthAmerica()} {
		b.Run(n.Name, func(b *testing.B) {
			p := NewProgress(n, Learned{})
			pcm := speech(3, 10)
			b.ReportAllocs()
			at := 0
			for b.Loop() {
				p.Process(pcm[at : at+160])
				at = (at + 160) % len(pcm)
			}
		})
	}
}
