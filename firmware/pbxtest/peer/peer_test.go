package peer

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, cfg Config) *Peer {
	t.Helper()
	cfg.Listen = netip.MustParseAddrPort("127.0.0.1:0")
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// pair is a carrier and its customer, who knows the password.
func pair(t *testing.T, incoming func(*Call)) (phone *Peer) {
	t.Helper()
	carrier := open(t, Config{Hz: 620, Law: tone.MuLaw, Accounts: map[string]string{"anna": "secret"}, Incoming: incoming})
	return open(t, Config{Box: carrier.Local(), User: "anna", Password: "secret", Hz: 440, Law: tone.ALaw})
}

func within(t *testing.T, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s did not come", what)
	}
}

// hears waits for a second of sound and judges it.
func hears(t *testing.T, who string, a *Audio, want, other int) {
	t.Helper()
	a.Forget()
	for deadline := time.Now().Add(15 * time.Second); a.Packets() < 50 && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond) // sound has no event
	}
	if err := tone.Heard(a.Heard(), want, other); err != nil {
		t.Errorf("%s: %v", who, err)
	}
}

func TestTwoPeersTalkHoldAndHangUp(t *testing.T) {
	got := make(chan *Call, 1)
	phone := pair(t, func(c *Call) {
		c.Ring()
		if !c.Answer() {
			t.Error("not answered")
		}
		got <- c
	})
	c, err := phone.Dial(Outgoing{To: "0612345678"})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "ringing", c.Ringing())
	within(t, "answer", c.Answered())
	far := <-got
	if far.Caller != "anna" || far.Called != "0612345678" {
		t.Errorf("call from %q to %q", far.Caller, far.Called)
	}
	hears(t, "caller", c.Audio(), 620, 440)
	hears(t, "callee", far.Audio(), 440, 620)
	if err := c.Hold(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if far.Direction() != "sendonly" || c.Direction() != "recvonly" || far.Audio().Remote().IsValid() {
		t.Errorf("held: callee was told %s, caller %s", far.Direction(), c.Direction())
	}
	if err := c.Hold(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	hears(t, "caller after hold", c.Audio(), 620, 440)
	far.Hangup()
	within(t, "end", c.Ended())
	if _, reason, byBox := c.Outcome(); !byBox || reason != "BYE" {
		t.Errorf("ended: %s, by box %v", reason, byBox)
	}
}

func TestMutedPartyIsNotHeard(t *testing.T) {
	got := make(chan *Call, 1)
	phone := pair(t, func(c *Call) {
		c.Audio().Mute(true)
		c.Answer()
		got <- c
	})
	c, err := phone.Dial(Outgoing{To: "0612345678"})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "answer", c.Answered())
	hears(t, "callee", (<-got).Audio(), 440, 620)
	if err := tone.Heard(c.Audio().Heard(), 620, 440); err == nil {
		t.Error("a muted party was heard")
	}
	if c.Audio().Packets() != 0 || c.Audio().Gap() != 0 {
		t.Errorf("%d packets, gap %v", c.Audio().Packets(), c.Audio().Gap())
	}
}

func TestCallerGivesUp(t *testing.T) {
	got := make(chan *Call, 1)
	phone := pair(t, func(c *Call) { c.Ring(); got <- c })
	c, err := phone.Dial(Outgoing{To: "0612345678"})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "ringing", c.Ringing())
	c.Hangup()
	within(t, "end", c.Ended())
	if status, _, _ := c.Outcome(); status != 487 {
		t.Errorf("status %d", status)
	}
	far := <-got
	within(t, "end at the callee", far.Ended())
	if far.Answer() {
		t.Error("a caller who has gone was answered")
	}
}

func TestAPhoneCountsTheCallsThatComeWhileAnotherRings(t *testing.T) {
	got := make(chan *Call, 1)
	phone := pair(t, func(c *Call) { c.Ring(); got <- c })
	dial := func(want int) (*Call, *Call) {
		t.Helper()
		c, err := phone.Dial(Outgoing{To: "0612345678"})
		if err != nil {
			t.Fatal(err)
		}
		at := <-got
		if n := at.p.Doubles(); n != want {
			t.Fatalf("%d counted, want %d", n, want)
		}
		return c, at
	}
	first, at := dial(0)
	first.Hangup()
	within(t, "end at the callee", at.Ended())
	_, at = dial(0)
	if !at.Answer() {
		t.Fatal("not answered")
	}
	dial(0) // a second call beside a conversation is no double ring
	dial(1)
}

func TestCalleeDeclines(t *testing.T) {
	phone := pair(t, func(c *Call) { c.Reject(486) })
	c, err := phone.Dial(Outgoing{To: "0612345678"})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "end", c.Ended())
	if status, reason, byBox := c.Outcome(); status != 486 || reason != "Busy Here" || !byBox {
		t.Errorf("%d %s, by box %v", status, reason, byBox)
	}
}

func TestRegistrationNeedsThePassword(t *testing.T) {
	phone := pair(t, nil)
	if _, err := phone.Register(t.Context(), time.Minute); err != nil {
		t.Error(err)
	}
	stranger := open(t, Config{Box: phone.cfg.Box, User: "anna", Password: "guess"})
	if res, err := stranger.Register(t.Context(), time.Minute); !errors.Is(err, ErrStatus) || res.StatusCode != 401 {
		t.Errorf("%v", err)
	}
	c, err := stranger.Dial(Outgoing{To: "0612345678"})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "refusal", c.Ended())
	if status, _, _ := c.Outcome(); status != 407 {
		t.Errorf("status %d", status)
	}
}

func TestNobodyAnswersARequest(t *testing.T) {
	phone := open(t, Config{Box: netip.MustParseAddrPort("127.0.0.1:9"), User: "anna"})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := phone.Register(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// RFC 7616 section 3.9.1 gives both responses.
func TestDigestOfTheStandardsExample(t *testing.T) {
	for algorithm, want := range map[string]string{
		"MD5":     "8ca523f5e9506fed4657c9700eebdbec",
		"SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
	} {
		p := params(`Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=` + algorithm +
			`, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth`)
		if got := proof(p, "Circle of Life", "GET"); got != want {
			t.Errorf("%s: %s, want %s", algorithm, got, want)
		}
	}
}

func TestSessionsAreRead(t *testing.T) {
	const head = "v=0\r\nc=IN IP4 192.0.2.1\r\n"
	tests := map[string]struct {
		body string
		want session
		ok   bool
	}{
		"A-law":                  {head + "m=audio 4000 RTP/AVP 8 0\r\n", session{to: netip.MustParseAddrPort("192.0.2.1:4000"), law: tone.ALaw, events: 0, direction: "sendrecv"}, true},
		"own address, held":      {head + "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.9\r\na=sendonly\r\n", session{to: netip.MustParseAddrPort("192.0.2.9:4000"), law: tone.MuLaw, events: 0, direction: "sendonly"}, true},
		"video behind the audio": {head + "m=audio 4000 RTP/AVP 8\r\nm=video 5000 RTP/AVP 96\r\na=inactive\r\n", session{to: netip.MustParseAddrPort("192.0.2.1:4000"), law: tone.ALaw, events: 0, direction: "sendrecv"}, true},
		"refused":                {head + "m=audio 0 RTP/AVP 8\r\n", session{}, false},
		"another codec":          {head + "m=audio 4000 RTP/AVP 18\r\n", session{}, false},
		"no address":             {"v=0\r\nm=audio 4000 RTP/AVP 8\r\n", session{}, false},
	}
	for name, tt := range tests {
		got, ok := readSDP([]byte(tt.body))
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
	at := netip.MustParseAddrPort("127.0.0.1:4000")
	if got, ok := readSDP([]byte(writeSDP(at, tone.MuLaw, 96, nil, 3, "recvonly"))); !ok || got != (session{to: at, law: tone.MuLaw, events: 96, direction: "recvonly"}) {
		t.Errorf("our own comes back as %+v, %v", got, ok)
	}
}

func FuzzSession(f *testing.F) {
	f.Add([]byte(writeSDP(netip.MustParseAddrPort("127.0.0.1:4000"), tone.ALaw, eventType, nil, 1, "sendrecv")))
	f.Add([]byte(writeSDP(netip.MustParseAddrPort("127.0.0.1:4000"), tone.ALaw, eventType, newKeying(), 1, "sendrecv")))
	f.Add([]byte("m=audio\nc=IN IP4 \nm="))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := readSDP(b); ok && (!s.to.IsValid() || s.to.Port() == 0) {
			t.Errorf("audio to %v", s.to)
		}
	})
}

func FuzzDigestParams(f *testing.F) {
	f.Add(`Digest realm="a, b", nonce=x, qop="auth"`)
	f.Add(`Digest ="`)
	f.Fuzz(func(_ *testing.T, s string) {
		p := params(s)
		_ = proof(p, "secret", "INVITE")
		_ = credentials([]string{s}, "", "anna", "secret", "INVITE", "sip:x")
	})
}

func TestAPeerSaysWhatComesBeforeTheAnswerAndChangesTheCallByUPDATE(t *testing.T) {
	got := make(chan *Call, 1)
	phone := pair(t, func(c *Call) { got <- c })
	c, err := phone.Dial(Outgoing{To: "0612345678"})
	if err != nil {
		t.Fatal(err)
	}
	far := <-got
	far.Audio().Mute(true) // a phone speaks from the offer on
	fork, err := NewStranger(far.p.Local().Addr(), 980)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fork.Close)
	far.Early("fork", fork)
	within(t, "progress", c.Ringing())
	fork.Aim(c.Audio().Local())
	hears(t, "caller before the answer", c.Audio(), 980, 620)
	fork.Aim(netip.AddrPort{})
	if want := c.ID() + ";to-tag=fork;from-tag=" + c.tag; c.Replaces() != want {
		t.Errorf("the early dialog is %q, want %q", c.Replaces(), want)
	}
	far.Audio().Mute(false)
	far.AnswerWith("inactive")
	within(t, "answer", c.Answered())
	if d := c.Direction(); d != "inactive" {
		t.Errorf("answered %s", d)
	}
	if err := far.Update(t.Context(), func(sdp string) string { return sdp }); err != nil {
		t.Fatal(err)
	}
	hears(t, "caller after the answer", c.Audio(), 620, 440)
	hears(t, "callee after the answer", far.Audio(), 440, 620)
	if want := c.ID() + ";to-tag=" + far.tag + ";from-tag=" + c.tag; c.Replaces() != want {
		t.Errorf("the dialog is %q, want %q", c.Replaces(), want)
	}
	c.Hangup()
	within(t, "end", far.Ended())
}

func TestAPeerNamesAnotherPlaceInsteadOfAnswering(t *testing.T) {
	phone := pair(t, func(c *Call) { c.Redirect("203") })
	c, err := phone.Dial(Outgoing{To: "0612345678"})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "end", c.Ended())
	if status, _, byBox := c.Outcome(); status != 302 || !byBox {
		t.Errorf("ended with %d, by the other side: %v", status, byBox)
	}
}
