package codec

import (
	"encoding/json"
	"testing"
)

func TestEveryFormatIsFoundByItsNameInAnyCase(t *testing.T) {
	for name, want := range map[string]ID{
		"PCMU": PCMU, "pcma": PCMA, "g722": G722, "Telephone-Event": TelephoneEvent, "Opus": Opus,
	} {
		if got, ok := ByName(name); !ok || got != want {
			t.Errorf("ByName(%q) = %v, %v; want %v", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "speex", "G729", "PCM"} {
		if got, ok := ByName(name); ok {
			t.Errorf("ByName(%q) found %v", name, got)
		}
	}
}

func TestStaticPayloadTypesAreThoseOfRFC3551(t *testing.T) {
	want := map[uint8]ID{0: PCMU, 8: PCMA, 9: G722}
	for pt := range 128 {
		got, ok := ByStaticPayloadType(uint8(pt))
		if id, known := want[uint8(pt)]; ok != known || got != id {
			t.Errorf("payload type %d = %v, %v; want %v, %v", pt, got, ok, id, known)
		}
	}
	for pt, id := range want {
		if id.PayloadType() != pt || id.ClockRate() != 8000 || !id.Audio() || id.PayloadBytes(20) != 160 {
			t.Errorf("%v: payload type %d, clock %d, audio %v, 20 ms = %d bytes", id, id.PayloadType(), id.ClockRate(), id.Audio(), id.PayloadBytes(20))
		}
	}
}

func TestATelephoneEventHasNoSound(t *testing.T) {
	for _, id := range []ID{0, TelephoneEvent, 200} {
		if id.Audio() || NewEncoder(id) != nil || NewDecoder(id) != nil || id.PayloadBytes(20) != 0 {
			t.Errorf("%v claims to carry sound", id)
		}
	}
}

func TestAnIDKeepsItsNameInJSON(t *testing.T) {
	for _, id := range []ID{0, PCMU, PCMA, G722, TelephoneEvent, Opus} {
		b, err := json.Marshal(map[string]ID{"c": id})
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]ID
		if err := json.Unmarshal(b, &back); err != nil || back["c"] != id {
			t.Errorf("%s came back as %v, %v", b, back["c"], err)
		}
	}
	if _, err := ID(99).MarshalText(); err == nil {
		t.Error("an unknown ID was written")
	}
	var id ID
	if err := id.UnmarshalText([]byte("speex")); err == nil {
		t.Error("an unknown name was read")
	}
}

func TestSilenceBytesDecodeToNextToNothing(t *testing.T) {
	for _, id := range []ID{PCMU, PCMA} {
		b, ok := id.Silence()
		if !ok {
			t.Fatalf("%v has no silence", id)
		}
		var pcm [1]int16
		NewDecoder(id).Decode(pcm[:], []byte{b})
		if pcm[0] < -8 || pcm[0] > 8 {
			t.Errorf("%v silence decodes to %d", id, pcm[0])
		}
	}
	if _, ok := G722.Silence(); ok {
		t.Error("G.722 claims a silence byte")
	}
}

func TestNothingIsWrittenBeyondTheShorterSide(t *testing.T) {
	for _, id := range []ID{PCMU, PCMA, G722} {
		if n := NewEncoder(id).Encode(make([]byte, 5), make([]int16, 160)); n != 5 {
			t.Errorf("%v encoded %d bytes into 5", id, n)
		}
		if n := NewEncoder(id).Encode(make([]byte, 160), make([]int16, 7)); n != 7 {
			t.Errorf("%v encoded %d bytes from 7 samples", id, n)
		}
		if n := NewDecoder(id).Decode(make([]int16, 5), make([]byte, 160)); n != 5 {
			t.Errorf("%v decoded %d samples into 5", id, n)
		}
		if n := NewDecoder(id).Decode(make([]int16, 160), nil); n != 0 {
			t.Errorf("%v decoded %d samples from nothing", id, n)
		}
	}
}

func TestNoCodecAllocatesPerFrame(t *testing.T) {
	pcm := make([]int16, 160)
	wide := make([]int16, 320)
	payload := make([]byte, 160)
	for _, id := range []ID{PCMU, PCMA, G722} {
		e, d := NewEncoder(id), NewDecoder(id)
		if n := testing.AllocsPerRun(100, func() { e.Encode(payload, pcm); d.Decode(pcm, payload) }); n != 0 {
			t.Errorf("%v: %v allocations per frame", id, n)
		}
	}
	e, d := NewG722Encoder(), NewG722Decoder()
	if n := testing.AllocsPerRun(100, func() { e.Encode16(payload, wide); d.Decode16(wide, payload) }); n != 0 {
		t.Errorf("wideband G722: %v allocations per frame", n)
	}
}

// The benchmarks work through seconds of speech, one frame of 20 ms at a time: sound that repeats itself
// would let the processor guess what comes.
func BenchmarkEncode(b *testing.B) {
	pcm := readPCM(b, "speech16.raw")
	payload := make([]byte, 160)
	for _, id := range []ID{PCMU, PCMA, G722} {
		b.Run(id.Name(), func(b *testing.B) {
			b.ReportAllocs()
			e, at := NewEncoder(id), 0
			for b.Loop() {
				if at += 160; at+160 > len(pcm) {
					at = 0
				}
				e.Encode(payload, pcm[at:at+160])
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	source := readPCM(b, "speech16.raw")
	coded, pcm := make([]byte, len(source)), make([]int16, 160)
	for _, id := range []ID{PCMU, PCMA, G722} {
		NewEncoder(id).Encode(coded, source)
		b.Run(id.Name(), func(b *testing.B) {
			b.ReportAllocs()
			d, at := NewDecoder(id), 0
			for b.Loop() {
				if at += 160; at+160 > len(coded) {
					at = 0
				}
				d.Decode(pcm, coded[at:at+160])
			}
		})
	}
}
