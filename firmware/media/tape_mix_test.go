package media

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/record/tape"
)

// roomOf seats talkers of three codecs in a mix, in which everybody hears everybody.
func roomOf(t *testing.T, e *Engine, hz ...float64) (all []*talker) {
	t.Helper()
	for i := range hz {
		id := []codec.ID{codec.PCMA, codec.G722, codec.PCMU}[i%3]
		all = append(all, newTalker(join(t, e, fmt.Sprintf("127.0.0.%d", 33+i), as(id), nil), nil, id, hz[i]))
	}
	return all
}

func everybody(t *testing.T, e *Engine, all ...*talker) (legs []*Leg) {
	t.Helper()
	for _, p := range all {
		legs = append(legs, p.leg)
	}
	if err := e.Mix(nil, legs, func(int, int) float64 { return 1 }); err != nil {
		t.Fatal(err)
	}
	return legs
}

// ofRoom begins to record the mix that legs are in.
func (r *reel) ofRoom(e *Engine, legs []*Leg, kept ...bool) *Tape {
	r.t.Helper()
	tp, err := e.TapeMix(r.config(1), legs[0])
	if err != nil {
		r.t.Fatal(err)
	}
	if err := tp.Keep(legs, kept); err != nil {
		r.t.Fatal(err)
	}
	return tp
}

// tonesIn are those of tones, in dBm0.
func tonesIn(pcm []int16, hz ...float64) (all []float64) {
	for _, f := range hz {
		all = append(all, dsp.ToneLevel(pcm, f))
	}
	return all
}

// What is said in a mix is kept as one track, of those alone who may be heard there: not of who has not been told yet,
// and not of who comes before anybody has said that it may.
func TestAMixIsRecordedAsOneTrackOfThoseWhoMayBeKept(t *testing.T) {
	e := startEngine(t, 27240, 27259, func(c *Config) { c.Loops = 2 })
	hz := []float64{400, 1000, 1700, 2300}
	all := roomOf(t, e, hz...)
	legs := everybody(t, e, all[:3]...)
	r := newReel(t)
	tp := r.ofRoom(e, legs, true, true, false)
	clock := byHand(t, all[0].leg)
	converse(clock, 100, all[:3]...) // two seconds
	legs = everybody(t, e, all...)
	converse(clock, 100, all...) // the fourth is there, and nobody has said that it may be kept
	if err := tp.Keep(legs, []bool{true, true, true, true}); err != nil {
		t.Fatal(err)
	}
	converse(clock, 100, all...)
	tp.Note("leg", "phone:204", tape.Came)
	tp.Pause("hold")
	converse(clock, 50, all...)
	tp.Resume()
	for _, p := range all {
		p.leg.Close()
	}
	o, got := r.ended()
	if o.Err != nil || o.Lost > 0 || o.Why != TapeLeft {
		t.Fatalf("%+v", o)
	}
	b := make([]int16, 2*got.Samples())
	got.Read(b, 0)
	var sound []int16
	for i := range got.Samples() {
		sound = append(sound, b[2*i])
	}
	sound = spoken(sound)
	for _, w := range []struct {
		what     string
		from, to int
		heard    []bool
	}{
		{"two may be kept", 2000, 14000, []bool{true, true, false, false}},
		{"a fourth has come", 18000, 30000, []bool{true, true, false, false}},
		{"all may be kept", 34000, 46000, []bool{true, true, true, true}},
		{"a pause", 49600, 54000, []bool{false, false, false, false}},
	} {
		part := between(t, append(sound, make([]int16, max(0, w.to-len(sound)))...), w.from, w.to)
		for i, l := range tonesIn(part, hz...) {
			if heard := l > -25; heard != w.heard[i] || !heard && l > -60 {
				t.Errorf("%s: %v Hz at %.1f dBm0", w.what, hz[i], l)
			}
		}
	}
	spans := map[string][]tape.Span{}
	for _, m := range got.Voices {
		spans[m.Leg] = m.Spoke
	}
	if len(got.Voices) != 1 || got.Voices[0].Party != "phone:204" {
		t.Errorf("who came: %+v", got.Voices)
	}
}

// From when to when each spoke is in the file, in the time of the recording.
func TestARecordedMixTellsWhoSpokeFromWhenToWhen(t *testing.T) {
	e := startEngine(t, 27260, 27279, func(c *Config) { c.Loops = 1 })
	all := roomOf(t, e, 400, 1000)
	legs := everybody(t, e, all...)
	r := newReel(t)
	tp := r.ofRoom(e, legs, true, true)
	for _, g := range legs {
		tp.Note(string(g.ID()), "phone of "+string(g.ID()), tape.Came)
	}
	clock := byHand(t, all[0].leg)
	converse(clock, 150, all[0]) // three seconds of the one, two of nobody, three of the other
	clock.tick(100)
	converse(clock, 150, all[1])
	clock.tick(100)
	tp.End("stopped")
	clock.tick(1)
	_, got := r.ended()
	if len(got.Voices) != 2 {
		t.Fatalf("%+v", got.Voices)
	}
	seconds := func(s tape.Span) float64 { return float64(s.To-s.From) / tape.Rate }
	for i, v := range got.Voices {
		if v.Leg != string(legs[i].ID()) || len(v.Spoke) != 1 || seconds(v.Spoke[0]) < 2.5 || seconds(v.Spoke[0]) > 4.2 {
			t.Errorf("%d spoke %+v", i, v)
		}
	}
	if a, b := got.Voices[0].Spoke, got.Voices[1].Spoke; len(a) == 1 && len(b) == 1 && b[0].From < a[0].To {
		t.Errorf("they spoke one after the other, %v and %v", a, b)
	}
}

func TestAMixIsRecordedBesideTheWayOfItsPackets(t *testing.T) {
	e := startEngine(t, 27280, 27299, func(c *Config) { c.Loops = 1 })
	all := roomOf(t, e, 400, 1000, 1700)
	legs := everybody(t, e, all...)
	if _, err := e.TapeMix(newReel(t).config(1), newTalker(join(t, e, "127.0.0.39", as(codec.PCMA), nil), nil, codec.PCMA, 300).leg); !errors.Is(err, errNoMix) {
		t.Errorf("who is in no mix: %v", err)
	}
	r := newReel(t)
	r.release, r.writing = make(chan struct{}), make(chan struct{}, 1) // a disk that takes nothing
	tp := r.ofRoom(e, legs, true, true, true)
	clock := byHand(t, all[0].leg)
	converse(clock, 60, all...)
	<-r.writing
	converse(clock, 60, all...)
	hearing(t, "the disk hangs", "the first", all[0], all, map[int]float64{1: 0, 2: 0})
	var per float64
	clock.do(func(l *loop) {
		per = testing.AllocsPerRun(300, func() { l.now = l.clock.beat + tick; l.tick(1) })
	})
	if per != 0 {
		t.Errorf("%v allocations per tick", per)
	}
	close(r.release)
	tp.End("stopped")
	converse(clock, 2, all...)
	if o, _ := r.ended(); o.Err != nil || o.Why != "stopped" {
		t.Errorf("%+v", o)
	}
	if legs[0].conference.tap != nil {
		t.Error("the tap goes on behind its end")
	}
}

// Who comes back to a recorded mix as the first of all, on another loop or from a mix of its own, does not end what is
// kept of it.
func TestARecordedMixGoesOnWhoeverIsNamedFirst(t *testing.T) {
	for _, alone := range []bool{false, true} {
		for first := range 3 { // the loops are given in turn: one of the three has none of the others beside it
			e := startEngine(t, 27240, 27259, func(c *Config) { c.Loops = 2 })
			all := roomOf(t, e, 400, 1000, 1700)
			late := all[first]
			rest := slices.Delete(slices.Clone(all), first, first+1)
			legs := everybody(t, e, rest...)
			if alone {
				everybody(t, e, late)
			}
			r := newReel(t)
			tp := r.ofRoom(e, legs, true, true)
			legs = everybody(t, e, append([]*talker{late}, rest...)...)
			if err := tp.Keep(legs, []bool{true, true, true}); err != nil {
				t.Fatalf("the %d. comes late, from a mix of its own: %v: %v", first, alone, err)
			}
			clock := byHand(t, all[0].leg)
			converse(clock, 50, all...)
			for _, p := range all {
				p.leg.Close()
			}
			if o, _ := r.ended(); o.Err != nil || o.Why != TapeLeft || o.Length < time.Second/2 {
				t.Errorf("the %d. comes late, from a mix of its own: %v: %+v", first, alone, o)
			}
			e.Close()
		}
	}
}
