package useragent

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestMessagesAreReadAsFarAsPhonesNeedThem(t *testing.T) {
	m, err := parseMessage([]byte("SIP/2.0 401 Unauthorized\r\nVia: a\r\nVia: b\r\nto: \"A\" <sip:a@h;x=1>;tag=t1;y\r\nCSeq: 7 INVITE\r\n" +
		"WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"\r\n\r\nbody"))
	if err != nil {
		t.Fatal(err)
	}
	if n, method := m.sequence(); m.status != 401 || n != 7 || method != "INVITE" || m.body != "body" {
		t.Errorf("read %+v", m)
	}
	if vias := m.headers("VIA"); len(vias) != 2 || vias[1] != "b" {
		t.Errorf("Via %q", vias)
	}
	if to := m.header("To"); param(to, "tag") != "t1" || uriOf(to) != "sip:a@h;x=1" {
		t.Errorf("To %q: tag %q, URI %q", to, param(to, "tag"), uriOf(to))
	}
	if c, ok := challengeOf(&m); !ok || c != (challenge{realm: "r", nonce: "n", sha256: true, qop: true, algorithm: "SHA-256"}) {
		t.Errorf("challenge %+v", c)
	}
	for _, junk := range []string{"", "hello", "SIP/2.0 x\r\n\r\n", "INVITE sip:a\r\n\r\n"} {
		if _, err := parseMessage([]byte(junk)); err == nil {
			t.Errorf("%q passed for a message", junk)
		}
	}
}

// The example of RFC 7616 section 3.9.1 with the client nonce that this package uses; the value was
// computed with sha256sum and md5sum.
func TestDigestAnswersAreThoseOfTheRFC(t *testing.T) {
	c := challenge{realm: "http-auth@example.org", nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFsH4GiTo0v"}
	for _, alg := range []struct {
		sha256 bool
		want   string
	}{{false, "4b1317b0f3037422d01dd7f5004abe16"}, {true, "0ad2a5e83b1cd91dc145e6b55d18808f63a822b699607ee26c23b23ca9a33710"}} {
		c.sha256, c.qop = alg.sha256, true
		got := c.authorization("Mufasa", "Circle of Life", "GET", "/dir/index.html", 1)
		if !strings.HasSuffix(got, `response="`+alg.want+"\"\r\n") {
			t.Errorf("SHA-256 %v: %s", alg.sha256, got)
		}
	}
}

func TestAudioAddressesSurviveOfferAndReading(t *testing.T) {
	at := netip.MustParseAddrPort("127.0.0.9:4000")
	if got, direction, ok := audioOf(sdpFor(at, PCMA, "sendonly"), PCMA); !ok || got != at || direction != "sendonly" {
		t.Errorf("read %v, %s, %v", got, direction, ok)
	}
	for what, body := range map[string]string{
		"no stream":                "v=0\r\n",
		"another codec":            sdpFor(at, PCMU, "sendrecv"),
		"encrypted":                strings.Replace(sdpFor(at, PCMA, "sendrecv"), "RTP/AVP", "RTP/SAVP", 1),
		"a stream that is refused": strings.Replace(sdpFor(at, PCMA, "sendrecv"), "4000", "0", 1),
		"only video":               "c=IN IP4 127.0.0.9\r\nm=video 4000 RTP/AVP 8\r\n",
	} {
		if got, _, ok := audioOf(body, PCMA); ok {
			t.Errorf("%s: found audio at %v", what, got)
		}
	}
}

// What the sockets send to each other directly is all counted, and quick.
func TestAudioCountsEveryPacket(t *testing.T) {
	a, err := NewAudio("127.0.0.64", 4)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	h := a.Talk([]netip.AddrPort{a.Addr(1), a.Addr(0), a.Addr(3), a.Addr(2)}, 200*time.Millisecond)
	if h.Sent != 40 || h.Received != 40 || h.P50 > 5*time.Millisecond {
		t.Errorf("heard %+v", h)
	}
	h = a.Talk([]netip.AddrPort{netip.MustParseAddrPort("127.0.0.64:9")}, 60*time.Millisecond)
	if h.Received != 0 {
		t.Errorf("heard %+v of packets to nowhere", h)
	}
}
