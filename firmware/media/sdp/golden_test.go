package sdp

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

var update = flag.Bool("update", false, "write the golden answers anew")

func localIPv4() Local {
	return Local{
		Addr: netip.MustParseAddr("192.0.2.1"), RTP: 16384, RTCP: 16385, RTCPMux: true,
		Codecs: []codec.ID{codec.PCMA, codec.PCMU, codec.G722}, DTMF: true, Ptime: 20,
		SessionID: 7001, Version: 1,
	}
}

// Each offer in testdata/golden, written the way a real peer writes it, has its answer and the
// outcome beside it, or the reason for its refusal.
func TestOffersOfRealPeersGetTheirGoldenAnswers(t *testing.T) {
	offers, err := filepath.Glob("testdata/golden/*.offer")
	if err != nil || len(offers) < 15 {
		t.Fatalf("found %d offers, %v", len(offers), err)
	}
	for _, path := range offers {
		name := strings.TrimSuffix(filepath.Base(path), ".offer")
		t.Run(name, func(t *testing.T) {
			offer, err := Parse(read(t, path))
			if err != nil {
				t.Fatal(err)
			}
			l := localIPv4()
			if name == "ipv6" {
				l.Addr = netip.MustParseAddr("2001:db8::1")
			}
			var got bytes.Buffer
			body, m, err := Answer(offer, l)
			if err != nil {
				got.WriteString(err.Error() + "\n")
			} else {
				outcome, err := json.MarshalIndent(m, "", "  ")
				if err != nil {
					t.Fatal(err)
				}
				got.Write(body)
				got.WriteString("\n")
				got.Write(outcome)
				got.WriteString("\n")
			}
			golden := strings.TrimSuffix(path, ".offer") + ".answer"
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := read(t, golden); !bytes.Equal(got.Bytes(), want) {
				t.Errorf("got\n%s\nwant\n%s", got.Bytes(), want)
			}
		})
	}
}

func TestRefusalsCarryTheErrorToDecideOn(t *testing.T) {
	for name, want := range map[string]error{
		"srtp-only": ErrNoAudio, "webrtc-plain": ErrNoAudio, "audio-removed": ErrNoAudio, "video-only": ErrNoAudio,
		"g729-only": ErrNoCodec,
	} {
		offer, err := Parse(read(t, "testdata/golden/"+name+".offer"))
		if err != nil {
			t.Fatal(err)
		}
		if body, _, err := Answer(offer, localIPv4()); !errors.Is(err, want) || body != nil {
			t.Errorf("%s: %v with %d bytes, want %v", name, err, len(body), want)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
