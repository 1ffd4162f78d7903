package appliance

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// home is an office whose LAN is elsewhere, so that every phone of the test is a home worker's.
func home(t *testing.T) (b *bench, tls netip.AddrPort) {
	t.Helper()
	at := freeAddress(t)
	text := strings.ReplaceAll(shop, "password: password-of-201}", "password: password-of-201, any_network: true}")
	text = strings.ReplaceAll(text, "password: password-of-202}", "password: password-of-202, any_network: true, srtp: \"off\"}")
	return start(t, text, fmt.Sprintf("tls_listen: %q", at), "lan: [10.0.0.0/8]"), netip.MustParseAddrPort(at)
}

// worker is a telephone over TLS that answers every call.
func worker(t *testing.T, box netip.AddrPort, user string) *peer.Peer {
	t.Helper()
	own := newAddress()
	secure, _ := certified(t, own.String())
	p, err := peer.New(peer.Config{
		Listen: netip.AddrPortFrom(own, 0), Box: box, User: user, Password: "password-of-" + user, Law: tone.ALaw, TLS: secure,
		Incoming: func(c *peer.Call) { c.Answer() },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// encrypted is an offer of SRTP with a key of its own.
func encrypted(t *testing.T, at netip.AddrPort) string {
	t.Helper()
	key := make([]byte, 30)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %[1]s\r\ns=-\r\nc=IN IP4 %[1]s\r\nt=0 0\r\nm=audio 40000 RTP/SAVP 8\r\na=rtpmap:8 PCMA/8000\r\n"+
		"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:%[2]s\r\n", at.Addr(), base64.StdEncoding.EncodeToString(key))
}

func TestAHomeWorkerIsHeardByNobodyElse(t *testing.T) {
	b, at := home(t)
	anna := worker(t, at, "201")
	if res, err := anna.Register(t.Context(), time.Hour); err != nil {
		t.Fatalf("%v\n%v", err, res)
	}
	call := func(p *peer.Peer, to, sdp string) *peer.Call {
		t.Helper()
		c, err := p.Dial(peer.Outgoing{To: to, SDP: sdp})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-c.Answered():
		case <-c.Ended():
		case <-time.After(10 * time.Second):
			t.Fatal("the call came to nothing")
		}
		return c
	}
	c := call(anna, "400", "")
	if status, reason, _ := c.Outcome(); status != 488 {
		t.Errorf("plain audio over other people's networks: %d %s, want 488", status, reason)
	}
	c = call(anna, "400", encrypted(t, anna.Local()))
	if status, reason, _ := c.Outcome(); status != 0 {
		t.Fatalf("encrypted audio is refused: %d %s", status, reason)
	}
	if s := c.Described(); !strings.Contains(s, "RTP/SAVP ") || !strings.Contains(s, "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:") {
		t.Errorf("answered with\n%s", s)
	}
	c.Hangup()

	bruno := worker(t, at, "202") // whose phone is set to speak plainly: outside the office it may not
	if res, err := bruno.Register(t.Context(), time.Hour); err != nil {
		t.Fatalf("%v\n%v", err, res)
	}
	c = call(anna, "202", encrypted(t, anna.Local()))
	if status, _, _ := c.Outcome(); status == 0 {
		t.Error("a phone that answers plainly was put through")
	}
	all := bruno.Requests(sip.INVITE)
	if len(all) != 1 {
		t.Fatalf("%d INVITEs", len(all))
	}
	if s := string(all[0].Body()); !strings.Contains(s, "RTP/SAVP ") || strings.Contains(s, "RTP/AVP ") || !strings.Contains(s, "a=crypto:") {
		t.Errorf("offered\n%s", s)
	}
	b.eventually("the plain answer is hung up", func() bool { return len(bruno.Requests(sip.BYE)) == 1 })
}

func TestAPhoneThatMayNotWorkAtHomeStaysOutOverTLSToo(t *testing.T) {
	b, at := home(t)
	if _, err := worker(t, at, "203").Register(t.Context(), time.Hour); err == nil {
		t.Error("a phone without any_network registered from outside")
	}
	p := newPhone(t, b.sip, "201", "password-of-201")
	if s := p.register(); s == "200" {
		t.Error("a home worker registered without TLS")
	}
}
