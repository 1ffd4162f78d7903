package media

import (
	"fmt"
	"testing"

	"github.com/pion/rtp"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

func TestACodecMayChangeInTheMiddleOfACall(t *testing.T) {
	e := startEngine(t, 22910, 22919, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	a.send("at once")
	b.hearsFirst("at once")
	if !a.leg.Stats().Fast {
		t.Error("the same codec is transcoded")
	}
	clock := byHand(t, a.leg)
	for _, id := range []codec.ID{codec.PCMA, codec.G722} {
		a.pt = id.PayloadType()
		a.configure(as(id))
		if s := a.leg.Stats(); s.Fast || s.Clocked || s.Codec != id.Name() {
			t.Errorf("%v: %+v", id, s)
		}
		heardA, heardB := talkers(t, clock, a, b, as(id), pcmu, 60)
		clean(t, "a", heardA, 1300, 700)
		clean(t, "b", heardB, 700, 1300)
	}
	a.pt = 0
	a.configure(pcmu)
	a.send("at once again")
	b.hearsFirst("at once again")
	if !b.leg.Stats().Fast {
		t.Error("the same codec is still transcoded")
	}
}

// alterations are what may befall a conversation of two: each changes between packets that pass as they
// are, packets that are transcoded, and sound that the clock mixes or plays. After each both talk again.
var alterations = []struct {
	what string
	do   func(*testing.T, *beats, *Engine, []*talker)
}{
	{"a third listens", func(t *testing.T, _ *beats, e *Engine, all []*talker) {
		if err := e.Mix([]*Leg{all[0].leg, all[1].leg}, []*Leg{all[2].leg}, gains("listen")); err != nil {
			t.Fatal(err)
		}
	}},
	{"nobody listens any more", func(t *testing.T, _ *beats, e *Engine, all []*talker) {
		bridge(t, all[0].phone, all[1].phone)
		e.Unbridge(all[2].leg)
	}},
	{"the customer is held with music", func(t *testing.T, clock *beats, e *Engine, all []*talker) {
		e.Unbridge(all[0].leg)
		if err := all[0].leg.Play([]Sound{tonePrompt{}}, true, nil); err != nil {
			t.Fatal(err)
		}
		goOn(clock, 20, all...)
		bridge(t, all[0].phone, all[1].phone)
	}},
	{"the agent hears a prompt", func(t *testing.T, clock *beats, _ *Engine, all []*talker) {
		if err := all[1].leg.Play([]Sound{tonePrompt{}}, false, nil); err != nil {
			t.Fatal(err)
		}
		goOn(clock, 31, all...)
	}},
	{"the agent hands over to the third, who hands back", func(t *testing.T, clock *beats, _ *Engine, all []*talker) {
		bridge(t, all[0].phone, all[2].phone)
		goOn(clock, 20, all...)
		bridge(t, all[0].phone, all[1].phone)
	}},
	{"the customer's phone begins a new stream", func(_ *testing.T, _ *beats, _ *Engine, all []*talker) {
		all[0].ssrc, all[0].seq, all[0].ts = all[0].ssrc+1, all[0].seq+777, all[0].ts+99999
	}},
	{"two codecs become one", func(_ *testing.T, _ *beats, _ *Engine, all []*talker) {
		if all[1].id.Memory() == 0 { // else the burst would be that of the phone's new encoder
			all[0].speaks(all[1].id)
		}
	}},
}

// speaks changes a phone's codec by a new offer and answer.
func (p *talker) speaks(id codec.ID) {
	p.pt, p.id = id.PayloadType(), id
	p.enc, p.dec = codec.NewEncoder(id), codec.NewDecoder(id)
	p.configure(as(id))
}

// Whatever befalls a call, nobody hears a hole in the numbers, and nothing louder than what was said: the
// decoder of a codec with memory bursts into noise when another encoder takes over without care.
func TestWhateverBefallsACallItsSoundGoesOnWithoutAHoleOrABurst(t *testing.T) {
	// All speak with 8,000. What is cut at two places of a wave swings over by less than 3 dB.
	const spoken, transcoded, passed = 8400, 11000, 13200
	for i, c := range []struct {
		ids  [3]codec.ID
		most int16
	}{
		{[3]codec.ID{codec.PCMA, codec.PCMA, codec.PCMA}, spoken},
		{[3]codec.ID{codec.PCMA, codec.PCMU, codec.PCMA}, spoken},
		{[3]codec.ID{codec.PCMU, codec.G722, codec.PCMA}, transcoded},
		{[3]codec.ID{codec.G722, codec.PCMA, codec.G722}, transcoded},
		// Payloads of one phone and then of another pass as they are: their encoders know nothing of each other.
		{[3]codec.ID{codec.G722, codec.G722, codec.PCMU}, passed},
	} {
		ids := c.ids
		t.Run(fmt.Sprint(ids), func(t *testing.T) {
			e := startEngine(t, 27500+10*i, 27509+10*i, func(c *Config) { c.Loops = 1 })
			var all []*talker
			for i, hz := range []float64{400, 1000, 1700} {
				p := join(t, e, fmt.Sprintf("127.0.0.%d", 33+i), as(ids[i]), nil)
				all = append(all, newTalker(p, nil, ids[i], hz))
			}
			bridge(t, all[0].phone, all[1].phone)
			clock := inVirtualTime(t, e, all[2].leg)
			converse(clock, 20, all...)
			for _, a := range alterations {
				forget(all...)
				goOn(clock, 5, all...)
				a.do(t, clock, e, all)
				goOn(clock, 60, all...)
				for i, who := range []string{"the customer", "the agent"} {
					sounding(t, a.what, who, all[i], c.most)
					hearing(t, a.what, who, all[i], all, map[int]float64{1 - i: 0})
				}
			}
		})
	}
}

// inVirtualTime drives the loop of an engine's legs by hand, and lets its clock never stop: where it begins
// anew it would look at the time of the machine.
func inVirtualTime(t *testing.T, e *Engine, g *Leg) *beats {
	t.Helper()
	clock := byHand(t, g)
	if _, err := e.Open(LegConfig{Line: &lineFake{mute: true}}); err != nil {
		t.Fatal(err)
	}
	clock.do(func(l *loop) {
		l.clock.number, l.clock.phase = 1000, 0
		l.clock.beat = 1000 * tick
	})
	return clock
}

// sounding fails unless what p has received is without a hole in its numbers and nowhere louder than most.
func sounding(t *testing.T, when, who string, p *talker, most int16) {
	t.Helper()
	var was *rtp.Packet
	for i, is := range p.came {
		if was != nil && (is.SequenceNumber != was.SequenceNumber+1 || is.SSRC != was.SSRC) {
			t.Errorf("%s: %s got packet %d after %d", when, who, is.SequenceNumber, was.SequenceNumber)
		}
		if was != nil {
			if step := is.Timestamp - was.Timestamp; step < 160 || step > 480 && !is.Marker {
				t.Errorf("%s: %s: from packet %d to the next the time goes on by %d samples", when, who, i, step)
			}
		}
		was = is
	}
	peak := int16(0)
	for _, s := range p.heard {
		peak = max(peak, s, -max(s, -32767))
	}
	if peak > most {
		t.Errorf("%s: %s hears %d of what was said with 8000", when, who, peak)
	}
}
