package media

import (
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// tonesOf are the machine's tones that were told.
func tonesOf(s *sink) (all []dsp.ModemTone) {
	for _, e := range s.all() {
		if m, ok := e.(Machine); ok {
			all = append(all, m.Tone)
		}
	}
	return all
}

// whistle is a call of a machine: CNG twice, then an answering tone.
func whistle() dsp.Tone {
	step := func(hz float64, d time.Duration) dsp.Step { return dsp.Step{Hz: [2]float64{hz}, For: d} }
	return dsp.Tone{Level: -15, Once: true, Steps: []dsp.Step{
		step(0, 100*time.Millisecond),
		step(1100, 500*time.Millisecond), step(0, time.Second), step(1100, 500*time.Millisecond), step(0, time.Second),
		step(2100, time.Second), step(0, 200*time.Millisecond),
	}}
}

func TestEachToneOfAMachineIsToldOnceOnEveryWayOfItsSound(t *testing.T) {
	e := startEngine(t, 23270, 23299, nil)
	for _, c := range []struct {
		name string
		to   codec.ID
		fast bool
		want []dsp.ModemTone
	}{
		{"relayed", codec.PCMA, true, []dsp.ModemTone{dsp.CNG, dsp.CED}},
		{"transcoded", codec.PCMU, false, []dsp.ModemTone{dsp.CNG, dsp.CED}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := bridged(t, e, as(codec.PCMA), as(c.to))
			if a.leg.Stats().Fast != c.fast {
				t.Fatal("the sound goes another way")
			}
			clock := byHand(t, a.leg)
			sound := dsp.NewGenerator(whistle())
			for range 220 {
				var f line.Frame
				sound.Next(f[:])
				payload := make([]byte, 160)
				codec.NewEncoder(codec.PCMA).Encode(payload, f[:])
				clock.deliver(a, payload)
				clock.tick(1)
			}
			if got := tonesOf(a.sink); !slices.Equal(got, c.want) {
				t.Errorf("told %v, want %v", got, c.want)
			}
			if s := a.leg.Stats(); s.Machine != tel.MachineFax {
				t.Errorf("the leg is a %q", s.Machine)
			}
			if s := b.leg.Stats(); s.Machine != "" || len(tonesOf(b.sink)) > 0 {
				t.Errorf("the other party, which is silent, is a %q", s.Machine)
			}
			a.leg.Close()
			b.leg.Close()
			b.leg.Stats()
		})
	}
}

func TestAPacketOfAMachineIsRelayedByteByByte(t *testing.T) {
	e := startEngine(t, 23310, 23319, nil)
	a, b := bridged(t, e, as(codec.PCMA), as(codec.PCMA))
	if err := a.leg.ask(func(l *loop) error { l.heardMachine(a.leg, dsp.V21); return nil }); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		payload := make([]byte, 160)
		for k := range payload {
			payload[k] = byte(k*7 + i)
		}
		a.put(a.packet(payload))
		if got := b.receive(); !slices.Equal(got.Payload, payload) {
			t.Errorf("packet %d is changed", i)
		}
	}
}

func TestTheDigitsOfAMachineAreLeftInItsSound(t *testing.T) {
	e := startEngine(t, 23320, 23329, nil)
	a, b := bridged(t, e, eventless(codec.PCMA), as(codec.PCMA))
	clock := byHand(t, a.leg)
	clock.do(func(l *loop) { l.heardMachine(a.leg, dsp.CED) })
	presses(t, clock, a, codec.PCMA, "12")
	if got := keysOf(a.sink); got != "" {
		t.Errorf("an alarm's report is taken for keys: %q", got)
	}
	if keys, pcm := eventsOf(b, codec.PCMA); keys != "" || keysIn(pcm) != "12" {
		t.Errorf("events %q, tones %q", keys, keysIn(pcm))
	}
}

func TestAMachineIsStillOneAfterARestart(t *testing.T) {
	j := newJournal()
	with := func(c *Config) { c.Journal = j }
	first := startEngine(t, 23330, 23339, with)
	a := join(t, first, "127.0.0.33", as(codec.PCMA), nil)
	if err := a.leg.ask(func(l *loop) error { l.heardMachine(a.leg, dsp.CNG); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	legs, errs := startEngine(t, 23330, 23339, with).Restore(j.copy())
	if len(errs) > 0 || legs[a.leg.ID()] == nil {
		t.Fatalf("%v: %v", legs, errs)
	}
	if s := legs[a.leg.ID()].Stats(); s.Machine != tel.MachineFax {
		t.Errorf("the leg is a %q", s.Machine)
	}
}
