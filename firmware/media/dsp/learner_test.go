package dsp

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"
)

// taught is what a call teaches whose sound is pcm.
func taught(pcm []int16) (LearnedTone, bool) {
	var l Learner
	for ; len(pcm) > 0; pcm = pcm[min(160, len(pcm)):] {
		l.Process(pcm[:min(160, len(pcm))])
	}
	return l.Learn()
}

// oddTones are of exchanges that keep to no table.
var oddTones = []Cadence{
	single(SignalBusy, 400, 350, 350),
	single(SignalBusy, 475, 330, 330),
	single(SignalBusy, 425, 300, 300),
	single(SignalBusy, 620, 750, 250),
	single(SignalBusy, 1000, 150, 150),
	pair(SignalBusy, 400, 500, 350, 450),
	pair(SignalBusy, 300, 700, 600, 400),
	single(SignalBusy, 385, 240, 600),
}

// ending is a call that ends with a tone: talk, the tone, then a line that is dead.
func ending(seed uint64, c Cadence, level, noise float64, tone, dead time.Duration) []int16 {
	x := newExchange(seed)
	x.pcm = speech(seed, 8)
	x.says(c, level, tone)
	x.silent(dead)
	return x.noise(noise).pcm
}

func TestToneOfAnExchangeThatKeepsToNoTableIsLearnedFromTwoCalls(t *testing.T) {
	for _, c := range oddTones {
		var known Learned
		for call := range uint64(2) {
			if got := known.Cadences(); got != nil {
				t.Errorf("%v: believed after %d calls: %v", c, call, got)
			}
			tone, ok := taught(ending(call, c, -18, -45, 7*time.Second, time.Duration(call)*time.Second))
			if !ok {
				t.Fatalf("%v: nothing learned", c)
			}
			for i, hz := range tone.Hz {
				if math.Abs(hz-c.Hz[i]) > 2 {
					t.Errorf("%v: %.1f Hz", c, tone.Hz)
				}
			}
			if math.Abs(float64(tone.On-c.OnOff[0])) > float64(8*time.Millisecond) || math.Abs(float64(tone.Off-c.OnOff[1])) > float64(8*time.Millisecond) {
				t.Errorf("%v: %v on, %v off", c, tone.On, tone.Off)
			}
			known = known.After(tone)
		}
		sound := ending(9, c, -24, -45, 8*time.Second, 0)
		if events, _ := hears(NewProgress(Italy(), Learned{}), sound); hungUp(events) {
			t.Errorf("%v: the table knows it: the test is not one", c)
		}
		events, _ := hears(NewProgress(Italy(), known), sound)
		if !hungUp(events) {
			t.Errorf("%v: no hang-up with %+v: %+v", c, known, events)
		}
		for _, e := range events {
			if e.HangUp && !e.Learned {
				t.Errorf("%v: %+v", c, e)
			}
		}
	}
}

func TestSpeechMusicAndOtherSignalsTeachNothing(t *testing.T) {
	for seed := range uint64(sized(60, 4)) { // minutes
		for _, sound := range [][]int16{speech(seed, 60), tune(seed, 60)} {
			for i := 0; i+12*SampleRate <= len(sound); i += 6 * SampleRate {
				if tone, ok := taught(sound[i : i+12*SampleRate]); ok {
					t.Errorf("%d at %d s taught %+v", seed, i/SampleRate, tone)
				}
			}
		}
	}
	for name, c := range map[string]Cadence{
		"ringing":      single(SignalRingback, 425, 1000, 4000),
		"dial tone":    single(SignalDial, 425, 200, 200, 600, 1000),
		"endless tone": single(SignalDial, 425, 0),
		"call waiting": single(SignalCallWaiting, 425, 400, 100, 250, 100, 150, 14000),
		"record beep":  single(SignalCallWaiting, 1400, 400, 15000),
	} {
		if tone, ok := taught(ending(3, c, -15, -50, 20*time.Second, 0)); ok {
			t.Errorf("%s taught %+v", name, tone)
		}
	}
	digits, _ := Digits("5555555555", 200*time.Millisecond, 200*time.Millisecond)
	x := newExchange(2)
	x.plays(digits, 4*time.Second)
	if tone, ok := taught(x.pcm); ok && tone.plausible() {
		t.Logf("a digit again and again is a cadence: %+v; two calls must end so", tone)
	}
	if _, ok := taught(nil); ok {
		t.Error("no sound taught something")
	}
	x = newExchange(7)
	x.says(oddTones[0], -15, 5*time.Second)
	x.pcm = append(x.pcm, speech(7, 6)...)
	if tone, ok := taught(x.pcm); ok {
		t.Errorf("a tone in the middle of a call taught %+v", tone)
	}
}

func TestLearnedIsAPlainValueThatSurvivesItsEncoding(t *testing.T) {
	var l Learned
	a := LearnedTone{Hz: [2]float64{400, 0}, On: 300 * time.Millisecond, Off: 300 * time.Millisecond}
	b := LearnedTone{Hz: [2]float64{400, 500}, On: 300 * time.Millisecond, Off: 400 * time.Millisecond}
	for range 3 {
		l = l.After(a).After(b)
	}
	if len(l.Tones) != 2 || l.Tones[0].Calls != 3 || l.Version != LearnedVersion {
		t.Fatalf("%+v", l)
	}
	raw, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	var again Learned
	if err := json.Unmarshal(raw, &again); err != nil || !reflect.DeepEqual(l, again) {
		t.Fatalf("%v: %+v", err, again)
	}
	again.Version++
	if again.Cadences() != nil {
		t.Error("a value of another version is believed")
	}
	for i := range 20 { // as many other tones: those of many calls stay
		l = l.After(LearnedTone{Hz: [2]float64{600 + 50*float64(i), 0}, On: time.Second, Off: time.Second})
	}
	if len(l.Tones) != learnedMost || len(l.Cadences()) != 2 {
		t.Errorf("%+v", l)
	}
	for _, bad := range []LearnedTone{
		{},
		{Hz: [2]float64{math.NaN()}, On: time.Second, Off: time.Second},
		{Hz: [2]float64{400}, On: time.Hour, Off: time.Second},
		{Hz: [2]float64{50}, On: time.Second, Off: time.Second},
		{Hz: [2]float64{400, -3}, On: time.Second, Off: time.Second},
	} {
		if got := (Learned{Version: LearnedVersion, Tones: []LearnedTone{{bad.Hz, bad.On, bad.Off, 9}}}); got.Cadences() != nil {
			t.Errorf("%+v is believed", bad)
		}
		if got := (Learned{}).After(bad); len(got.Tones) != 0 {
			t.Errorf("%+v is kept", bad)
		}
	}
}

func TestKeepingTheLastSecondsDoesNotAllocate(t *testing.T) {
	l := new(Learner)
	frame := make([]int16, 160)
	if n := testing.AllocsPerRun(1000, func() { l.Process(frame) }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

func BenchmarkLearn(b *testing.B) {
	var l Learner
	l.Process(ending(1, oddTones[0], -18, -45, 7*time.Second, 0))
	for b.Loop() {
		l.Learn()
	}
}
