package codec

import (
	"testing"

	"github.com/zaf/g711"
)

func TestG711AgreesWithAnIndependentImplementationOnEveryInput(t *testing.T) {
	for i := -32768; i <= 32767; i++ {
		s := int16(i)
		if got, want := LinearToALaw(s), g711.EncodeAlawFrame(s); got != want {
			t.Fatalf("A-law of %d = %#02x, want %#02x", s, got, want)
		}
		if got, want := LinearToMuLaw(s), g711.EncodeUlawFrame(s); got != want {
			t.Fatalf("µ-law of %d = %#02x, want %#02x", s, got, want)
		}
	}
	for i := range 256 {
		b := byte(i)
		if got, want := ALawToLinear(b), g711.DecodeAlawFrame(b); got != want {
			t.Fatalf("A-law %#02x = %d, want %d", b, got, want)
		}
		if got, want := MuLawToLinear(b), g711.DecodeUlawFrame(b); got != want {
			t.Fatalf("µ-law %#02x = %d, want %d", b, got, want)
		}
	}
}

func TestG711CodesSurviveDecodingAndEncoding(t *testing.T) {
	for i := range 256 {
		b := byte(i)
		if got := LinearToALaw(ALawToLinear(b)); got != b {
			t.Errorf("A-law %#02x became %#02x", b, got)
		}
		// µ-law has two zeros; the negative one comes back as the positive.
		if got := LinearToMuLaw(MuLawToLinear(b)); got != b && b != 0x7F {
			t.Errorf("µ-law %#02x became %#02x", b, got)
		}
	}
}

func TestG711FramesAreTheirSamples(t *testing.T) {
	pcm := harshSignal(160)
	payload, back := make([]byte, 160), make([]int16, 160)
	for _, id := range []ID{PCMU, PCMA} {
		NewEncoder(id).Encode(payload, pcm)
		NewDecoder(id).Decode(back, payload)
		for i, s := range pcm {
			wantByte, wantBack := LinearToALaw(s), ALawToLinear(LinearToALaw(s))
			if id == PCMU {
				wantByte, wantBack = LinearToMuLaw(s), MuLawToLinear(LinearToMuLaw(s))
			}
			if payload[i] != wantByte || back[i] != wantBack {
				t.Fatalf("%v sample %d: %#02x -> %d, want %#02x -> %d", id, i, payload[i], back[i], wantByte, wantBack)
			}
		}
	}
}
