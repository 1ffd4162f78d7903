package media

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
)

func TestDigitsGoOutAsEventsWithTheirThreeEnds(t *testing.T) {
	e := startEngine(t, 23100, 23103, nil)
	m := pcmu
	m.EventSendPT = 96
	a := join(t, e, "127.0.0.33", m, nil)
	clock := byHand(t, a.leg)
	if err := a.leg.SendDTMF("5#"); err != nil {
		t.Fatal(err)
	}
	clock.tick(2 * (toneTicks + pauseTicks))
	var reader eventReader
	var got []Digit
	var previous *rtp.Packet
	starts := []uint32{}
	for i := range 2 * (toneTicks - 1 + endPackets) {
		p := a.receive()
		if p.PayloadType != 96 {
			t.Fatalf("packet %d: %v", i, p)
		}
		if previous != nil && p.SequenceNumber != previous.SequenceNumber+1 {
			t.Errorf("sequence %d after %d", p.SequenceNumber, previous.SequenceNumber)
		}
		if p.Marker {
			starts = append(starts, p.Timestamp)
		} else if p.Timestamp != previous.Timestamp {
			t.Error("the timestamp moved within a digit")
		}
		reader.packet(p.Timestamp, p.Payload, 0, func(d Digit) { got = append(got, d) })
		previous = p
	}
	if want := []Digit{{'5', 160 * time.Millisecond}, {'#', 160 * time.Millisecond}}; !slices.Equal(got, want) {
		t.Errorf("read back %v, want %v", got, want)
	}
	if len(starts) != 2 || starts[1]-starts[0] < 2000 || starts[1]-starts[0] > 2160 {
		t.Errorf("digits start at %v, want 260 ms apart", starts)
	}
	for _, bad := range []string{"x", "1 2", strings.Repeat("1", maxDigits+1)} {
		if err := a.leg.SendDTMF(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// pcm decodes what a phone has received, in the order of arrival.
func (p *phone) pcm(id codec.ID) (all []int16) { return p.sound(codec.NewDecoder(id)) }

// sound is the same for a phone that has been listening: a socket holds some 150 packets.
func (p *phone) sound(dec codec.Decoder) (all []int16) {
	for {
		pkt, err := p.read(quiet)
		if err != nil {
			return all
		}
		pcm := make([]int16, 2*len(pkt.Payload))
		all = append(all, pcm[:dec.Decode(pcm, pkt.Payload)]...)
	}
}

// keyed fails unless pcm is a key's two tones in its first 160 ms and silence after.
func keyed(t *testing.T, pcm []int16, low, high float64) {
	t.Helper()
	if len(pcm) < 13*160 {
		t.Fatalf("%d samples came", len(pcm))
	}
	tone, pause := pcm[:8*160], pcm[8*160+80:13*160]
	for _, hz := range []float64{low, high} {
		if v := dsp.ToneLevel(tone, hz); v < -12 {
			t.Errorf("%.0f Hz at %.1f dBm0", hz, v)
		}
	}
	if other := dsp.ToneLevel(tone, 1000); other > -40 {
		t.Errorf("1000 Hz at %.1f dBm0", other)
	}
	if v := dsp.Level(pause); v > -60 {
		t.Errorf("the pause has %.1f dBm0", v)
	}
}

func TestDigitsGoOutAsTonesToALegWithoutTelephoneEvents(t *testing.T) {
	for _, id := range []codec.ID{codec.PCMU, codec.PCMA} {
		e := startEngine(t, 23110, 23113, nil)
		m := pcmu
		m.Codec, m.SendPT, m.RecvPT, m.EventSendPT, m.EventRecvPT = id, id.PayloadType(), id.PayloadType(), 0, 0
		a := join(t, e, "127.0.0.33", m, nil)
		clock := byHand(t, a.leg)
		if err := a.leg.SendDTMF("19"); err != nil {
			t.Fatal(err)
		}
		clock.tick(2*(toneTicks+pauseTicks) + 2)
		heard := a.pcm(id)
		keyed(t, heard, 697, 1209)
		keyed(t, heard[13*160:], 852, 1477)
		if len(heard) != 26*160 {
			t.Errorf("%d samples for two digits", len(heard))
		}
		a.leg.Close()
	}
}

// Its packets have numbers of the sound's sequence; who does not get them must not take them for lost.
func TestAnEventOfOnePartyIsHeardAsTonesByAPeerWithoutTelephoneEvents(t *testing.T) {
	e := startEngine(t, 23120, 23129, nil)
	deaf := pcmu
	deaf.EventSendPT, deaf.EventRecvPT = 0, 0
	a, b := bridged(t, e, pcmu, deaf)
	clock := byHand(t, a.leg)
	silence := bytes.Repeat([]byte{0xff}, frameSamples)
	clock.deliver(a, silence)
	for _, payload := range [][]byte{{3, 10, 0, 160}, {3, 10, 1, 64}, {3, 0x8a, 3, 32}} {
		a.pt = 101
		clock.deliver(a, payload)
		a.ts -= 160
	}
	a.pt, a.ts = 0, a.ts+13*160
	if got := await[Digit](t, a.sink); got != (Digit{'3', 100 * time.Millisecond}) {
		t.Errorf("reported %+v", got)
	}
	first := b.receive()
	clock.tick(13)
	clock.deliver(a, silence)
	a.pt = 101
	clock.deliver(a, []byte{16, 0x8a, 0, 160}) // a flash, which has no tone
	a.pt = 0
	clock.deliver(a, silence)
	var heard []int16
	dec := codec.NewDecoder(codec.PCMU)
	for i := range 15 {
		p := b.receive()
		if p.PayloadType != 0 || p.SequenceNumber != first.SequenceNumber+1+uint16(i) {
			t.Errorf("packet %d after %v is %v", i, first, p)
		}
		pcm := make([]int16, frameSamples)
		heard = append(heard, pcm[:dec.Decode(pcm, p.Payload)]...)
	}
	keyed(t, heard, 697, 1477)
}

// keypad is a line on which somebody presses keys.
type keypad struct {
	lineFake
	keys *dsp.Generator
}

func (k *keypad) ReadFrame(f *line.Frame) bool {
	k.keys.Next(f[:])
	return true
}

func TestKeysOnALineAreDetectedOnlyWhereTheDriverDoesNot(t *testing.T) {
	e := startEngine(t, 23150, 23159, nil)
	for _, detect := range []bool{true, false} {
		tone, ok := dsp.Digits("1*D", 100*time.Millisecond, 100*time.Millisecond)
		if !ok {
			t.Fatal("no such keys")
		}
		got := newSink()
		deaf := pcmu
		deaf.EventSendPT, deaf.EventRecvPT = 0, 0
		b := join(t, e, "127.0.0.34", deaf, nil)
		leg, err := e.Open(LegConfig{Line: &keypad{keys: dsp.NewGenerator(tone)}, Events: got.take, DetectDTMF: detect})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Bridge(leg, b.leg); err != nil {
			t.Fatal(err)
		}
		clock := byHand(t, leg)
		clock.tick(40)
		var keys strings.Builder
		for _, e := range got.all() {
			d, ok := e.(Digit)
			if !ok || d.Duration < 80*time.Millisecond || d.Duration > 130*time.Millisecond {
				t.Errorf("event %+v", e)
			}
			keys.WriteRune(d.Digit)
		}
		if want := map[bool]string{true: "1*D"}[detect]; keys.String() != want {
			t.Errorf("detection %v: heard %q, want %q", detect, keys.String(), want)
		}
		clock.do(func(*loop) {
			if b.leg.talk.digits.pending() {
				t.Error("the peer, who hears the tones, is dialled them again")
			}
		})
		leg.Close()
		b.leg.Close()
		b.leg.Stats()
	}
}

// A gateway for analog lines makes a true flash of the event; who knows no events is sent nothing that would disturb.
func TestAFlashGoesOutAsEventSixteenAndIsHeardAsOne(t *testing.T) {
	e := startEngine(t, 23130, 23139, nil)
	with := pcmu
	with.EventSendPT, with.EventRecvPT = 96, 96
	a := join(t, e, "127.0.0.34", with, nil)
	clock := byHand(t, a.leg)
	if err := a.leg.Flash(); err != nil {
		t.Fatal(err)
	}
	clock.tick(toneTicks + pauseTicks)
	ends := 0
	for i := range toneTicks - 1 + endPackets {
		p := a.receive()
		if p.PayloadType != 96 || len(p.Payload) != 4 || p.Payload[0] != 16 || p.Marker != (i == 0) {
			t.Fatalf("packet %d: %v", i, p)
		}
		ends += int(p.Payload[1] >> 7)
	}
	if ends != endPackets {
		t.Errorf("its end was said %d times", ends)
	}
	a.pt = 96
	clock.deliver(a, []byte{16, 0x8a, 0, 160})
	await[Flash](t, a.sink)

	without := pcmu
	without.EventSendPT, without.EventRecvPT = 0, 0
	b := join(t, e, "127.0.0.35", without, nil)
	clock = byHand(t, b.leg)
	if err := b.leg.Flash(); err != nil {
		t.Fatal(err)
	}
	clock.tick(2)
	if b.leg.talk.digits.pending() {
		t.Error("a flash waits for who cannot get it")
	}
}
