package webrtc_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	box "github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/media/webrtc"
	"github.com/pronto-pbx/pronto/firmware/media/webrtc/webrtctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for something that must come.
const patience = 15 * time.Second

func engine(t *testing.T, first int) *box.Engine {
	t.Helper()
	e, err := box.New(box.Config{Log: slog.New(slog.DiscardHandler), Bind: netip.MustParseAddr("127.0.0.1"), PortMin: first, PortMax: first + 19})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func gateway(t *testing.T, most int) *webrtc.Gateway {
	t.Helper()
	g, err := webrtc.Open(webrtc.Config{Log: slog.New(slog.DiscardHandler), Listen: netip.MustParseAddrPort("127.0.0.1:0"), Max: most})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// joined is a leg of the engine that hears a page, and what became of the connection.
func joined(t *testing.T, e *box.Engine, g *webrtc.Gateway, b *webrtctest.Browser) (*box.Leg, *webrtc.Session, chan webrtc.State) {
	t.Helper()
	leg, err := e.Open(box.LegConfig{Lock: true})
	if err != nil {
		t.Fatal(err)
	}
	states := make(chan webrtc.State, 16)
	rtp, _ := leg.Ports()
	s, answer, err := g.Answer(t.Context(), b.Offer, rtp, func(s webrtc.State) { states <- s })
	if err != nil {
		t.Fatal(err)
	}
	if err := leg.Configure(s.Media()); err != nil {
		t.Fatal(err)
	}
	b.Take(answer)
	return leg, s, states
}

func until(t *testing.T, states chan webrtc.State, want webrtc.State) {
	t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case s := <-states:
			if s == want {
				return
			}
		case <-deadline:
			t.Fatalf("the session never was in state %d", want)
		}
	}
}

func TestAPageAndALegHearEachOther(t *testing.T) {
	e, g := engine(t, 26800), gateway(t, 1)
	b := webrtctest.New(t)
	leg, s, states := joined(t, e, g, b)
	until(t, states, webrtc.Up)
	if err := leg.Echo(); err != nil {
		t.Fatal(err)
	}
	b.Says(700)
	b.Hears(700)
	if got := leg.Stats(); got.Codec != "PCMA" || got.Received == 0 || got.Sent == 0 {
		t.Errorf("%+v", got)
	}
	s.Close()
	s.Close()
}

func TestAPageThatLeavesIsGone(t *testing.T) {
	e, g := engine(t, 26820), gateway(t, 1)
	b := webrtctest.New(t)
	_, _, states := joined(t, e, g, b)
	until(t, states, webrtc.Up)
	b.Leave()
	until(t, states, webrtc.Gone)
}

func TestTheAnswerHasOneAddressOneCodecAndNothingElse(t *testing.T) {
	e, g := engine(t, 26840), gateway(t, 1)
	b := webrtctest.New(t)
	leg, _, states := joined(t, e, g, b)
	until(t, states, webrtc.Up)
	answer := b.Answer()
	for _, want := range []string{"a=ice-lite", "PCMA/8000", "typ host", "a=setup:active", "UDP/TLS/RTP/SAVPF", g.Addr().Addr().String()} {
		if !strings.Contains(answer, want) {
			t.Errorf("the answer has no %q:\n%s", want, answer)
		}
	}
	for _, never := range []string{"opus", "m=video", "m=application", "PCMU", "srflx", "relay"} {
		if strings.Contains(answer, never) {
			t.Errorf("the answer has %q:\n%s", never, answer)
		}
	}
	if m := leg.Stats(); m.Suite != "" {
		t.Errorf("the loopback is encrypted: %+v", m)
	}
}

func TestThePlacesAreLimitedAndGivenBack(t *testing.T) {
	e, g := engine(t, 26860), gateway(t, 1)
	first, second := webrtctest.New(t), webrtctest.New(t)
	_, s, _ := joined(t, e, g, first)
	if _, _, err := g.Answer(t.Context(), second.Offer, 26999, nil); !errors.Is(err, webrtc.ErrFull) {
		t.Fatalf("a second page: %v", err)
	}
	s.Close()
	_, _, states := joined(t, e, g, second)
	until(t, states, webrtc.Up)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.Answer(t.Context(), second.Offer, 26999, nil); !errors.Is(err, webrtc.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

func TestAnOfferThatIsNoneIsRefusedAndCostsNoPlace(t *testing.T) {
	e, g := engine(t, 26880), gateway(t, 1)
	b := webrtctest.New(t)
	for _, c := range []struct{ name, offer string }{
		{"nothing", ""},
		{"noise", "\x00\xff\n\n=\n"},
		{"too long", b.Offer + strings.Repeat("a=x\r\n", webrtc.MaxOffer/5)},
		{"too many lines", strings.Repeat("a\n", 500)},
		{"video", strings.Replace(b.Offer, "m=audio", "m=video", 1)},
		{"two streams", b.Offer + "m=audio 9 UDP/TLS/RTP/SAVPF 8\r\n"},
		{"plain RTP", strings.Replace(b.Offer, "UDP/TLS/RTP/SAVPF", "RTP/AVP", 1)},
		{"none of our codecs", only(b.Offer, "111")},
		{"no certificate", without(b.Offer, "a=fingerprint")},
		{"no password", without(b.Offer, "a=ice-pwd")},
	} {
		if _, _, err := g.Answer(t.Context(), c.offer, 26999, nil); !errors.Is(err, webrtc.ErrOffer) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	_, _, states := joined(t, e, g, b)
	until(t, states, webrtc.Up)
}

// without is an offer without the lines that begin so.
func without(offer, prefix string) string {
	var kept strings.Builder
	for line := range strings.Lines(offer) {
		if !strings.HasPrefix(line, prefix) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// only is an offer with one payload type.
func only(offer, pt string) string {
	at := strings.Index(offer, "SAVPF ")
	end := at + strings.Index(offer[at:], "\r\n")
	return offer[:at] + "SAVPF " + pt + offer[end:]
}

func TestAnotherCodecIsTakenWhereTheFirstIsMissing(t *testing.T) {
	g := gateway(t, 1)
	for pt, want := range map[string]string{"8": "PCMA", "0": "PCMU", "9": "G722", "111 0 8": "PCMA"} {
		b := webrtctest.New(t)
		s, answer, err := g.Answer(t.Context(), only(b.Offer, pt), 26999, nil)
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		if s.Media().Codec.Name() != want || !strings.Contains(answer, want+"/8000") {
			t.Errorf("%s: %+v\n%s", want, s.Media(), answer)
		}
		s.Close()
	}
}

// A stranger's datagrams must reach neither a DTLS nor an RTP parser, and cost no talk its packets.
func TestAFloodOfStrangersIsDroppedWhileAPageTalks(t *testing.T) {
	e, g := engine(t, 26900), gateway(t, 1)
	b := webrtctest.New(t)
	leg, _, states := joined(t, e, g, b)
	until(t, states, webrtc.Up)
	stranger, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(g.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Close() }()
	stun := append([]byte{0, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42}, []byte("transaction!\x00\x06\x00\x07nobody:\x00")...)
	stun[3] = 12
	hello := append([]byte{22, 254, 253}, make([]byte, 200)...)
	audio := append([]byte{0x80, 8}, make([]byte, 170)...)
	for i := 0; g.Dropped() < 500; i++ {
		if i > 200000 {
			t.Fatal("nothing is dropped")
		}
		_, _ = stranger.Write([][]byte{stun, hello, audio, {}, {0}, {22}}[i%6])
	}
	if err := leg.Echo(); err != nil {
		t.Fatal(err)
	}
	b.Says(700)
	b.Hears(700)
	if err := stranger.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if n, err := stranger.Read(make([]byte, 100)); err == nil {
		t.Errorf("a stranger is answered with %d bytes", n)
	}
}

func TestAnOfferIsNotWaitedForAfterItsVisitorHasLeft(t *testing.T) {
	g := gateway(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, _, err := g.Answer(ctx, webrtctest.New(t).Offer, 26999, nil)
	if err == nil { // gathering was faster
		s.Close()
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 " + strings.Repeat("AA:", 31) +
		"AA\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 8 126\r\nc=IN IP4 0.0.0.0\r\na=setup:actpass\r\na=mid:0\r\na=sendrecv\r\n" +
		"a=rtcp-mux\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:126 telephone-event/8000\r\n")
	g, err := webrtc.Open(webrtc.Config{Log: slog.New(slog.DiscardHandler), Listen: netip.MustParseAddrPort("127.0.0.1:0"), Max: 1000})
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = g.Close() }()
	f.Fuzz(func(t *testing.T, offer string) {
		s, _, err := g.Answer(t.Context(), offer, 26999, nil)
		switch {
		case err == nil:
			s.Close()
		case !errors.Is(err, webrtc.ErrOffer):
			t.Fatal(err)
		}
	})
}
