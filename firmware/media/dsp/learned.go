package dsp

import (
	"math"
	"time"
)

// LearnedVersion is the version of Learned that this program writes and understands.
const LearnedVersion = 1

const (
	learnedCalls = 2 // calls must have ended with the same tone before it is believed
	learnedMost  = 4 // tones kept of one line
	learnedHz    = 8.0
)

// Learned is what the calls of one line have taught about the tones of its exchange: a plain value, to be
// kept with the line. The zero value has learned nothing.
type Learned struct {
	Version int           `json:"version"`
	Tones   []LearnedTone `json:"tones,omitempty"`
}

// LearnedTone is a tone with which calls ended.
type LearnedTone struct {
	Hz    [2]float64    `json:"hz"`  // a second 0 is a single tone
	On    time.Duration `json:"on"`  // of one burst
	Off   time.Duration `json:"off"` // of the pause after it
	Calls int           `json:"calls"`
}

// Cadences are the tones that enough calls ended with, as busy tones. A value of another version, and
// tones that no exchange gives, count for nothing.
func (l Learned) Cadences() (known []Cadence) {
	if l.Version != LearnedVersion {
		return nil
	}
	for _, t := range l.Tones {
		if t.Calls >= learnedCalls && t.plausible() {
			known = append(known, Cadence{Signal: SignalBusy, Hz: t.Hz, OnOff: []time.Duration{t.On, t.Off}})
		}
	}
	return known
}

// After is what is known once another call has ended with a tone. A tone that was heard before moves a
// little towards the new measure; of too many the least heard is forgotten.
func (l Learned) After(heard LearnedTone) Learned {
	next := Learned{Version: LearnedVersion}
	if l.Version == LearnedVersion {
		next.Tones = append(next.Tones, l.Tones...)
	}
	if !heard.plausible() {
		return next
	}
	heard.Calls = 1
	for i, t := range next.Tones {
		if !t.same(heard) {
			continue
		}
		n := float64(min(t.Calls, 9))
		mean := func(old, heard float64) float64 { return (old*n + heard) / (n + 1) }
		next.Tones[i] = LearnedTone{
			Hz:    [2]float64{mean(t.Hz[0], heard.Hz[0]), mean(t.Hz[1], heard.Hz[1])},
			On:    time.Duration(mean(float64(t.On), float64(heard.On))),
			Off:   time.Duration(mean(float64(t.Off), float64(heard.Off))),
			Calls: t.Calls + 1,
		}
		return next
	}
	if len(next.Tones) >= learnedMost {
		least := 0
		for i, t := range next.Tones {
			if t.Calls <= next.Tones[least].Calls {
				least = i
			}
		}
		next.Tones = append(next.Tones[:least], next.Tones[least+1:]...)
	}
	next.Tones = append(next.Tones, heard)
	return next
}

// plausible says that an exchange may give the tone.
func (t LearnedTone) plausible() bool {
	for i, hz := range t.Hz {
		if i == 1 && hz == 0 {
			break
		}
		if !(hz >= learnLowest && hz <= learnHighest) {
			return false
		}
	}
	shortest, longest := learnShortest*hopTime, learnLongest*hopTime
	return t.On >= shortest && t.On <= longest && t.Off >= shortest && t.Off <= longest
}

// same says that two calls ended with one tone.
func (t LearnedTone) same(o LearnedTone) bool {
	if (t.Hz[1] == 0) != (o.Hz[1] == 0) {
		return false
	}
	for i := range t.Hz {
		if math.Abs(t.Hz[i]-o.Hz[i]) > learnedHz {
			return false
		}
	}
	near := func(a, b time.Duration) bool {
		return math.Abs(float64(a-b)) <= max(float64(20*time.Millisecond), 0.1*float64(b))
	}
	return near(t.On, o.On) && near(t.Off, o.Off)
}

// What can be learned: tones of these frequencies in Hz, and lengths in hops.
const (
	learnLowest   = 250.0
	learnHighest  = 2000.0
	learnShortest = 12
	learnLongest  = 150
)
