package media

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
)

// eventless is what was agreed with a phone that knows no telephone-events.
func eventless(id codec.ID) sdp.Media {
	m := as(id)
	m.EventSendPT, m.EventRecvPT = 0, 0
	return m
}

// presses sends keys as tones and lets the clock tick with each packet.
func presses(t *testing.T, clock *beats, p *phone, id codec.ID, keys string) {
	t.Helper()
	tone, ok := dsp.Digits(keys, 100*time.Millisecond, 100*time.Millisecond)
	if !ok {
		t.Fatalf("no keys %q", keys)
	}
	sound := dsp.NewGenerator(tone)
	enc := codec.NewEncoder(id)
	for range 10*len(keys) + 20 {
		var f line.Frame
		sound.Next(f[:])
		payload := make([]byte, 160)
		enc.Encode(payload, f[:])
		clock.deliver(p, payload)
		clock.tick(1)
	}
}

// keysOf are the keys that were told.
func keysOf(s *sink) string {
	var keys strings.Builder
	for _, e := range s.all() {
		if d, ok := e.(Digit); ok {
			keys.WriteRune(d.Digit)
		}
	}
	return keys.String()
}

// keysIn are the keys whose tones a receiver finds in sound.
func keysIn(pcm []int16) string {
	var d dsp.DTMF
	var keys strings.Builder
	for len(pcm) >= 160 {
		for _, e := range d.Process(pcm[:160]) {
			if e.Down {
				keys.WriteByte(e.Key)
			}
		}
		pcm = pcm[160:]
	}
	return keys.String()
}

func TestTheTonesOfAPhoneWithoutTelephoneEventsAreItsKeys(t *testing.T) {
	e := startEngine(t, 23200, 23209, nil)
	for _, id := range []codec.ID{codec.PCMU, codec.PCMA, codec.G722} {
		t.Run(id.Name(), func(t *testing.T) {
			a := join(t, e, "127.0.0.33", eventless(id), nil)
			defer a.leg.Close()
			presses(t, byHand(t, a.leg), a, id, "12*D")
			if got := keysOf(a.sink); got != "12*D" {
				t.Errorf("told %q", got)
			}
		})
	}
}

func TestTheTonesOfAPhoneWithTelephoneEventsAreNotItsKeys(t *testing.T) {
	e := startEngine(t, 23210, 23219, nil)
	a, b := bridged(t, e, pcmu, as(codec.PCMA))
	presses(t, byHand(t, a.leg), a, codec.PCMU, "12")
	if got := keysOf(a.sink); got != "" {
		t.Errorf("told %q", got)
	}
	if got := keysIn(b.pcm(codec.PCMA)); got != "12" {
		t.Errorf("the other party, to whom nothing else tells of them, hears %q", got)
	}
}

func TestTonesThatAreRelayedAsTheyAreAreNotSaidAnew(t *testing.T) {
	e := startEngine(t, 23220, 23229, nil)
	a, b := bridged(t, e, eventless(codec.PCMA), eventless(codec.PCMA))
	if !a.leg.Stats().Fast {
		t.Fatal("the same codec is transcoded")
	}
	presses(t, byHand(t, a.leg), a, codec.PCMA, "12")
	if got := keysOf(a.sink); got != "12" {
		t.Errorf("told %q", got)
	}
	if got := keysIn(b.pcm(codec.PCMA)); got != "12" {
		t.Errorf("the other party hears %q", got)
	}
}

// eventsOf reads all that came and tells the keys in its events and the sound of its other packets.
func eventsOf(p *phone, id codec.ID) (keys string, pcm []int16) {
	var events eventReader
	dec := codec.NewDecoder(id)
	for {
		pkt, err := p.read(5 * time.Millisecond)
		if err != nil {
			return keys, pcm
		}
		if pkt.PayloadType == 101 {
			events.packet(pkt.Timestamp, pkt.Payload, 0, func(d Digit) { keys += string(d.Digit) })
			continue
		}
		frame := make([]int16, 2*len(pkt.Payload))
		pcm = append(pcm, frame[:dec.Decode(frame, pkt.Payload)]...)
	}
}

func TestTonesBecomeEventsForAPhoneThatReadsThemAndLeaveTheSound(t *testing.T) {
	e := startEngine(t, 23230, 23239, nil)
	a, b := bridged(t, e, eventless(codec.PCMA), as(codec.PCMA))
	presses(t, byHand(t, a.leg), a, codec.PCMA, "59#")
	if got := keysOf(a.sink); got != "59#" {
		t.Errorf("told %q", got)
	}
	keys, pcm := eventsOf(b, codec.PCMA)
	if keys != "59#" {
		t.Errorf("the events are %q", keys)
	}
	if got := keysIn(pcm); got != "" {
		t.Errorf("the sound still holds %q", got)
	}
}

func TestTheTonesOfALineLeaveItsSoundForTheCallSaysThemAnew(t *testing.T) {
	e := startEngine(t, 23240, 23249, nil)
	for _, detect := range []bool{true, false} { // if not, the driver tells the call
		tone, _ := dsp.Digits("1*D", 100*time.Millisecond, 100*time.Millisecond)
		got := newSink()
		leg, err := e.Open(LegConfig{Line: &keypad{keys: dsp.NewGenerator(tone)}, Events: got.take, DetectDTMF: detect})
		if err != nil {
			t.Fatal(err)
		}
		b := join(t, e, "127.0.0.34", pcmu, nil)
		if err := e.Bridge(leg, b.leg); err != nil {
			t.Fatal(err)
		}
		byHand(t, leg).tick(50)
		if keys := keysIn(b.pcm(codec.PCMU)); keys != "" {
			t.Errorf("detection %v: the sound holds %q", detect, keys)
		}
		leg.Close()
		b.leg.Close()
		b.leg.Stats()
	}
}

// Some phones send both, and who listens to both counts two keys.
func TestTheToneBesideATelephoneEventIsSilenced(t *testing.T) {
	e := startEngine(t, 23250, 23259, nil)
	for _, id := range []codec.ID{codec.PCMU, codec.PCMA, codec.G722} {
		t.Run(id.Name(), func(t *testing.T) {
			a, b := bridged(t, e, as(id), as(id))
			clock := byHand(t, a.leg)
			tone, _ := dsp.Digits("5", 160*time.Millisecond, 40*time.Millisecond)
			sound := dsp.NewGenerator(tone)
			enc := codec.NewEncoder(id)
			began := a.ts
			for i := range 20 {
				var f line.Frame
				sound.Next(f[:])
				payload := make([]byte, 160)
				enc.Encode(payload, f[:])
				clock.deliver(a, payload)
				if i >= 8 {
					continue
				}
				end := byte(10)
				if i == 7 {
					end |= 0x80
				}
				event := a.packet([]byte{5, end, byte((i + 1) * 160 >> 8), byte((i + 1) * 160)})
				event.PayloadType, event.Timestamp = 101, began
				a.ts -= 160
				raw, err := event.Marshal()
				if err != nil {
					t.Fatal(err)
				}
				clock.do(func(l *loop) {
					from := a.leg.ports.rtp.address(a.addr())
					l.arrived(a.leg, raw, &from)
				})
			}
			keys, pcm := eventsOf(b, id)
			if keys != "5" {
				t.Errorf("the events are %q", keys)
			}
			if got := keysIn(pcm); got != "" || len(pcm) != 20*160 {
				t.Errorf("%d samples, in which %q is heard", len(pcm), got)
			}
			a.leg.Close()
			b.leg.Close()
			b.leg.Stats()
		})
	}
}

// A judge that shares nothing with us reads what leaves the box.
func TestTheTonesThatWeSendAreReadByMultimon(t *testing.T) {
	for _, program := range []string{"multimon-ng", "sox"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip("not judged: ", err)
		}
	}
	const dialled = "0123456789*#ABCD00"
	e := startEngine(t, 23260, 23269, nil)
	for _, id := range []codec.ID{codec.PCMU, codec.PCMA, codec.G722} {
		t.Run(id.Name(), func(t *testing.T) {
			a := join(t, e, "127.0.0.33", eventless(id), nil)
			defer a.leg.Close()
			clock := byHand(t, a.leg)
			if err := a.leg.SendDTMF(dialled); err != nil {
				t.Fatal(err)
			}
			var pcm []int16
			dec := codec.NewDecoder(id)
			for range len(dialled) + 1 {
				clock.tick(toneTicks + pauseTicks)
				pcm = append(pcm, a.sound(dec)...)
			}
			if got := multimon(t, pcm); got != dialled {
				t.Errorf("multimon-ng reads %q, want %q", got, dialled)
			}
		})
	}
}

// multimon is what multimon-ng reads in sound, which it wants at 22,050 Hz.
func multimon(t *testing.T, pcm []int16) (keys string) {
	t.Helper()
	raw := make([]byte, 0, 2*len(pcm))
	for _, s := range pcm {
		raw = append(raw, byte(s), byte(uint16(s)>>8))
	}
	path := filepath.Join(t.TempDir(), "keys.raw")
	sox := exec.CommandContext(t.Context(), "sox", "-t", "raw", "-r", "8000", "-e", "signed", "-b", "16", "-c", "1", "-", "-t", "raw", "-r", "22050", path)
	sox.Stdin = strings.NewReader(string(raw))
	if out, err := sox.CombinedOutput(); err != nil {
		t.Fatalf("sox: %v: %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), "multimon-ng", "-q", "-a", "DTMF", "-t", "raw", path).Output()
	if err != nil {
		t.Fatalf("multimon-ng: %v", err)
	}
	for l := range strings.Lines(string(out)) {
		if key, ok := strings.CutPrefix(strings.TrimSpace(l), "DTMF: "); ok {
			keys += key
		}
	}
	return keys
}
