package selfcall

import (
	"math"
	"testing"

	"github.com/zaf/g711"
)

func TestALawIsThatOfAnotherProgram(t *testing.T) {
	for x := math.MinInt16; x <= math.MaxInt16; x++ {
		if got, want := encode(int16(x)), g711.EncodeAlawFrame(int16(x)); got != want {
			t.Fatalf("%d is encoded as %#x, not %#x", x, got, want)
		}
	}
	for b := range 256 {
		if got, want := decode(byte(b)), g711.DecodeAlawFrame(byte(b)); got != want {
			t.Fatalf("%#x is decoded as %d, not %d", b, got, want)
		}
	}
}

// Through the codec a tone stays itself, and none is taken for its neighbour.
func TestATonePassesTheCodecAndIsToldFromItsNeighbours(t *testing.T) {
	for hz := 400; hz < 2900; hz += 50 {
		var heard []int16
		for n := range window {
			p, ok := unpack(pack(7, n, tone(hz, n*perPack, perPack)))
			if !ok || p.seq != uint16(n) {
				t.Fatal("a packet does not come through")
			}
			heard = append(heard, p.samples...)
		}
		for other := 400; other < 2900; other += 50 {
			if wrong := judge(heard, other); (wrong == "") != (hz == other) {
				t.Errorf("%d Hz heard as %d Hz: %q", hz, other, wrong)
			}
		}
	}
}

func TestPacketsOfEveryForm(t *testing.T) {
	plain := pack(7, 3, tone(1000, 0, perPack))
	for name, c := range map[string]struct {
		raw  []byte
		take int // samples; 0: it is none
	}{
		"as we send it":                         {plain, perPack},
		"with a contributing source":            {append(append([]byte{0x81}, plain[1:12]...), append([]byte{0, 0, 0, 9}, plain[12:]...)...), perPack},
		"with an extension":                     {append(append([]byte{0x90}, plain[1:12]...), append([]byte{0, 0, 0, 1, 9, 9, 9, 9}, plain[12:]...)...), perPack},
		"padded":                                {append(append([]byte{0xa0}, plain[1:]...), 0, 2), perPack},
		"padded with more than it has":          {append(append([]byte{0xa0}, plain[1:12]...), 9), 0},
		"of another version":                    {append([]byte{0x40}, plain[1:]...), 0},
		"of another codec":                      {append([]byte{0x80, 0}, plain[2:]...), 0},
		"cut in the header":                     {plain[:11], 0},
		"without sound":                         {plain[:12], 0},
		"with an extension longer than it is":   {append(append([]byte{0x90}, plain[1:12]...), 0, 0, 255, 255), 0},
		"with sources that are not there":       {append([]byte{0x8f}, plain[1:20]...), 0},
		"with an extension that is not there":   {append([]byte{0x90}, plain[1:12]...), 0},
		"with padding that leaves nothing":      {append(append([]byte{0xa0}, plain[1:12]...), 0, 2), 0},
		"with padding, but without a last byte": {append([]byte{0xa0}, plain[1:12]...), 0},
	} {
		if p, ok := unpack(c.raw); ok != (c.take > 0) || len(p.samples) != c.take {
			t.Errorf("%s: %d samples, %v", name, len(p.samples), ok)
		}
	}
}

func FuzzWhatComesIsReadOrRefused(f *testing.F) {
	f.Add([]byte("SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nWWW-Authenticate: " + asksSHA256 + "\r\nCSeq: 1 INVITE\r\n\r\n"))
	f.Add([]byte("OPTIONS sip:x@h SIP/2.0\r\nCSeq: 7\r\n OPTIONS\r\nm: <sip:a@b>;q=1\r\nl: 2\r\n\r\nabc"))
	f.Add([]byte("m=audio 20000 RTP/AVP 8 0\r\na=sendrecv\r\n"))
	f.Add(pack(1, 1, tone(1000, 0, perPack)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if m, err := parse(raw); err == nil {
			if m.method == "" || m.status != 0 && m.status < 100 {
				t.Errorf("%+v", m)
			}
			_, _ = challenged(m)
			_, _ = parameter(m.get("via"), "branch"), address(m.get("contact"))
		}
		if port, err := answered(raw); err == nil && (port < 1 || port > 0xffff) {
			t.Errorf("port %d", port)
		}
		if p, ok := unpack(raw); ok && (len(p.samples) == 0 || len(p.samples) > len(raw)) {
			t.Errorf("%d samples of %d bytes", len(p.samples), len(raw))
		}
	})
}
