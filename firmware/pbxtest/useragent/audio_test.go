package useragent

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// A mark is read again from what left, from the same sound in the other law, and softer.
func TestAMarkSurvivesTheOtherLawAndAnotherLevel(t *testing.T) {
	coder := map[string]*tone.Coder{"PCMA": tone.NewCoder(tone.ALaw), "PCMU": tone.NewCoder(tone.MuLaw)}
	for range 200 {
		m := mark{rand.Uint32(), rand.Uint32(), rand.Int64()}
		for _, from := range []Codec{PCMA, PCMU} {
			frame := make([]byte, frameSize)
			m.put(frame, 77, signsOf(from))
			pcm := coder[from.Name].Decode(nil, frame)
			for i := range pcm {
				pcm[i] /= 4
			}
			for _, to := range []Codec{PCMA, PCMU} {
				if got, ok := markIn(coder[to.Name].Encode(nil, pcm), 77); !ok || got != m {
					t.Fatalf("%+v as %s became %+v, %v as %s", m, from.Name, got, ok, to.Name)
				}
			}
			if _, ok := markIn(frame, 78); ok {
				t.Fatal("a mark of another run was taken")
			}
		}
	}
	if _, ok := markIn(make([]byte, frameSize-1), 0); ok {
		t.Error("half a frame holds a mark")
	}
}

// What is heard of a stream is counted as a list of all that came would have it.
func TestLossAndOrderAreThoseOfTheWholeList(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		sent := 20 + r.IntN(200)
		var came []uint32
		for seq := range uint32(sent) {
			for range 1 + r.IntN(12)/11 { // some twice
				if r.IntN(10) > 0 {
					came = append(came, seq)
				}
			}
		}
		for i := range came { // some late, by less than the window
			if j := i + r.IntN(5); r.IntN(6) == 0 && j < len(came) {
				came[i], came[j] = came[j], came[i]
			}
		}
		var h heard
		once, late, most := map[uint32]bool{}, 0, uint32(0)
		for i, seq := range came {
			if again := h.take(seq, int64(i)); again != once[seq] {
				t.Fatalf("packet %d of %v: again %v", seq, came, again)
			}
			if i > 0 && seq < most && !once[seq] {
				late++
			}
			once[seq], most = true, max(most, seq)
		}
		if len(came) == 0 {
			continue
		}
		if h.received != len(once) || h.duplicated != len(came)-len(once) || h.reordered != late || h.first != slices.Min(came) || h.last != most {
			t.Fatalf("%+v of %v", h, came)
		}
	}
}

func TestQuantilesAreWithinAHundredthOfTheSortedList(t *testing.T) {
	var s Spread
	var all []time.Duration
	for range 10_000 {
		d := time.Duration(rand.Int64N(1 << rand.IntN(40)))
		s.Add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0, 0.01, 0.5, 0.99, 0.999} {
		want := all[int(q*float64(len(all)))]
		if got := s.Quantile(q); got > want || float64(got) < 0.99*float64(want)-1 {
			t.Errorf("quantile %g is %v, not %v", q, got, want)
		}
	}
	if s.N() != len(all) || s.Max() != all[len(all)-1] {
		t.Errorf("%d, at most %v; want %d and %v", s.N(), s.Max(), len(all), all[len(all)-1])
	}
	if empty := (&Spread{}).Quantile(0.5); empty != 0 {
		t.Errorf("the median of nothing is %v", empty)
	}
}

// What a stranger sends to a socket is told apart, and none of it is taken for loss or delay.
func TestPacketsOfStrangersAreToldApart(t *testing.T) {
	a, err := OpenAudio(PCMA)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	s, err := a.Open(netip.MustParseAddr("127.0.0.64"), true)
	if err != nil {
		t.Fatal(err)
	}
	speech := append([]byte{0x80, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}, make([]byte, 160)...)
	a.mu.Lock()
	for _, packet := range [][]byte{nil, {0x80}, []byte("not RTP at all"), speech, append([]byte{0x80, 200}, make([]byte, 26)...)} {
		s.got(packet, 5)
	}
	a.mu.Unlock()
	if got := s.Close(); got != (Told{Strangers: 4}) { // RTCP is nobody's audio
		t.Errorf("told %+v", got)
	}
	if d := a.Delay(ToAnswerer); d.N() != 0 {
		t.Errorf("%d delays", d.N())
	}
}

func FuzzMessagesOfAServer(f *testing.F) {
	f.Add([]byte("SIP/2.0 407 X\r\nProxy-Authenticate: Digest realm=\"a\", nonce=\"b\"\r\nc: 1\r\n 2\r\nRecord-Route: <sip:a;lr>, <sip:b;lr>\r\nl: 3\r\n\r\nabc"))
	f.Add([]byte("INVITE sip:a SIP/2.0\r\nTo: <sip:a>;tag=\r\n\r\nv=0\r\nm=audio 1 RTP/AVP 8\r\nc=IN IP4 1.2.3.4\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if framed, err := readFrame(bufio.NewReaderSize(bytes.NewReader(b), maxMessage)); err == nil && len(framed) > maxMessage+2 {
			t.Errorf("a message of %d bytes", len(framed))
		}
		m, err := parseMessage(b)
		if err != nil {
			return
		}
		if to, _, ok := audioOf(m.body, PCMA); ok && (!to.IsValid() || to.Port() == 0) {
			t.Errorf("audio at %v", to)
		}
		if c, ok := challengeOf(&m); ok && strings.Count(c.authorization("u", "p", "REGISTER", "sip:h", 1), "\r\n") != 1 {
			t.Errorf("the answer to %+v is more than a line", c)
		}
		for line := range strings.Lines(m.routes(true)) {
			if !strings.HasPrefix(line, "Route: ") {
				t.Errorf("routes %q", m.routes(true))
			}
		}
	})
}
