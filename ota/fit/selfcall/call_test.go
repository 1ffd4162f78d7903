package selfcall

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// exchange is what is called: right but for what a test makes wrong.
type exchange struct {
	challenges []string // WWW-Authenticate; none: no password is asked for
	busy       string   // the answer to the call in place of 200
	mute       bool     // only 100 comes
	deaf       bool     // not even that
	lossy      bool     // the first of each kind of request is lost
	answer     string   // session description; empty: one of PCMA
	repeats    bool     // the 200 comes twice
	asks       bool     // an OPTIONS inside of the call
	hangsUp    bool     // in the middle of the tone
	goodbye    string   // the answer to the BYE; empty: 200, "none": none
	audio      func(n int, raw []byte) []byte

	w        *wire
	sip, rtp *socket
	got      []string // requests, in their order
	lost     map[string]bool
	from     netip.AddrPort
	wg       sync.WaitGroup
}

var home = netip.MustParseAddrPort("127.0.0.1:5060")

func (x *exchange) start(w *wire) {
	x.w, x.lost = w, map[string]bool{}
	x.sip, x.rtp = w.bind(home), w.bind(netip.AddrPortFrom(home.Addr(), 20000))
	x.wg.Go(func() { // an echo
		buf := make([]byte, largest)
		for n := 0; ; n++ {
			l, from, err := x.rtp.ReadFrom(buf)
			if err != nil {
				return
			}
			out := buf[:l]
			if x.audio != nil {
				out = x.audio(n, out)
			}
			if out != nil {
				_, _ = x.rtp.WriteTo(out, from)
			}
		}
	})
	x.wg.Go(func() {
		buf := make([]byte, largest)
		for {
			l, from, err := x.sip.ReadFrom(buf)
			if err != nil {
				return
			}
			x.from = from.(*net.UDPAddr).AddrPort()
			if m, err := parse(buf[:l]); err == nil {
				x.take(m)
			}
		}
	})
}

func (x *exchange) stop() {
	_, _ = x.sip.Close(), x.rtp.Close()
	x.wg.Wait()
}

func (x *exchange) respond(m message, status string, extra ...string) {
	lines := []string{"SIP/2.0 " + status}
	for _, h := range m.headers {
		switch h.name {
		case "via", "from", "call-id", "cseq":
			lines = append(lines, h.name+": "+h.value)
		case "to":
			to := h.value
			if !strings.Contains(to, "tag=") && !strings.HasPrefix(status, "100") {
				to += ";tag=exchange"
			}
			lines = append(lines, "t: "+to)
		}
	}
	_, _ = x.sip.WriteTo([]byte(strings.Join(append(lines, extra...), "\r\n")), net.UDPAddrFromAddrPort(x.from))
}

func (x *exchange) take(m message) {
	if x.lossy && !x.lost[m.method] {
		x.lost[m.method] = true
		return
	}
	if m.status > 0 {
		x.got = append(x.got, fmt.Sprintf("%d to %s", m.status, m.method))
		return
	}
	x.got = append(x.got, m.method)
	switch m.method {
	case "INVITE":
		x.invited(m)
	case "BYE":
		switch x.goodbye {
		case "none":
		case "":
			x.respond(m, "200 OK", "Content-Length: 0", "", "")
		default:
			x.respond(m, x.goodbye, "Content-Length: 0", "", "")
		}
	case "ACK":
		if x.asks || x.hangsUp {
			method := "OPTIONS"
			if x.hangsUp {
				method = "BYE"
			}
			x.asks, x.hangsUp = false, false
			_, _ = x.sip.WriteTo([]byte(method+" sip:x@"+x.from.String()+" SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\nFrom: "+m.get("to")+"\r\nTo: "+m.get("from")+
				"\r\nCall-ID: "+m.get("call-id")+"\r\nCSeq: 7 "+method+"\r\n\r\n"), net.UDPAddrFromAddrPort(x.from))
		}
	}
}

func (x *exchange) invited(m message) {
	if x.deaf {
		return
	}
	x.respond(m, "100 Trying", "", "")
	switch {
	case x.mute:
	case len(x.challenges) > 0 && !authorized(m):
		var all []string
		for _, c := range x.challenges {
			all = append(all, "WWW-Authenticate: "+c)
		}
		x.respond(m, "401 Unauthorized", append(all, "Content-Length: 0", "", "")...)
	case x.busy != "":
		x.respond(m, x.busy, "Content-Length: 0", "", "")
	default:
		body := x.answer
		if body == "" {
			body = "v=0\r\no=- 1 1 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\nm=audio 20000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
		}
		for range 1 + map[bool]int{true: 1}[x.repeats] {
			x.respond(m, "200 OK", "Contact: <sip:echo@office.example>", "Content-Type: application/sdp", fmt.Sprintf("l: %d", len(body)), "", body)
		}
	}
}

// authorized computes the digest by itself (RFC 7616 section 3.4.1).
func authorized(m message) bool {
	value, ok := strings.CutPrefix(m.get("authorization"), "Digest ")
	if !ok {
		return false
	}
	p := map[string]string{}
	for part := range strings.SplitSeq(value, ", ") {
		k, v, _ := strings.Cut(part, "=")
		p[k] = strings.Trim(v, `"`)
	}
	h := func(parts ...string) string {
		text := []byte(strings.Join(parts, ":"))
		if p["algorithm"] == "SHA-256" {
			sum := sha256.Sum256(text)
			return hex.EncodeToString(sum[:])
		}
		sum := md5.Sum(text)
		return hex.EncodeToString(sum[:])
	}
	ha1, ha2 := h("probe", "pronto", "secret"), h("INVITE", p["uri"])
	if p["qop"] == "auth" {
		return p["response"] == h(ha1, "n1", "00000001", p["cnonce"], "auth", ha2)
	}
	return p["response"] == h(ha1, "n1", ha2)
}

const (
	asksSHA256 = `Digest realm="pronto", nonce="n1", algorithm=SHA-256, qop="auth"`
	asksMD5    = `Digest realm="pronto", nonce="n1", algorithm=MD5, qop="auth,auth-int"`
	asksOld    = `Digest realm="pronto", nonce="n1"`
)

func TestWhatTheCallSays(t *testing.T) {
	for name, c := range map[string]struct {
		x     *exchange
		error string // a part of it; empty: the call is well
		got   string // requests that the exchange saw; empty: not looked at
	}{
		"an echo that asks for nothing":                {x: &exchange{}, got: "INVITE ACK BYE"},
		"a password by SHA-256, though MD5 is offered": {x: &exchange{challenges: []string{asksMD5, asksSHA256}}, got: "INVITE ACK INVITE ACK BYE"},
		"a password by MD5":                            {x: &exchange{challenges: []string{asksMD5}}, got: "INVITE ACK INVITE ACK BYE"},
		"a password as RFC 2069 had it":                {x: &exchange{challenges: []string{asksOld}}, got: "INVITE ACK INVITE ACK BYE"},
		"each message lost once":                       {x: &exchange{challenges: []string{asksSHA256}, lossy: true}},
		"a 200 that comes twice is acknowledged twice": {x: &exchange{repeats: true}, got: "INVITE ACK ACK BYE"},
		"a question inside of the call is answered":    {x: &exchange{asks: true}, got: "INVITE ACK 501 to OPTIONS BYE"},
		"nobody there":                                 {x: &exchange{deaf: true}, error: "does not answer a call within 10s"},
		"a call that is never answered":                {x: &exchange{mute: true}, error: "does not answer a call within 10s", got: "INVITE CANCEL"},
		"a call that is refused":                       {x: &exchange{busy: "503 Service Unavailable"}, error: "answers the call with 503 Service Unavailable", got: "INVITE ACK"},
		"a password that is not taken":                 {x: &exchange{challenges: []string{`Digest realm="x", nonce="n2", algorithm=SHA-256, qop="auth"`}}, error: "does not take the password"},
		"a password of a kind that nobody has":         {x: &exchange{challenges: []string{`Bearer realm="x"`}}, error: "in no way that we know"},
		"no audio":                                     {x: &exchange{answer: "v=0\r\nm=audio 0 RTP/AVP 8\r\n"}, error: "no audio in PCMA", got: "INVITE ACK BYE"},
		"audio of another kind":                        {x: &exchange{answer: "v=0\r\nm=audio 20000 RTP/AVP 0\r\n"}, error: "no audio in PCMA"},
		"held":                                         {x: &exchange{answer: "v=0\r\nm=audio 20000 RTP/AVP 8\r\na=sendonly\r\n"}, error: "in one direction at most: it is sendonly"},
		"audio is swallowed":                           {x: &exchange{audio: func(int, []byte) []byte { return nil }}, error: "and none came back"},
		"audio comes from another port than was said, but is that of another call": {x: &exchange{audio: func(_ int, raw []byte) []byte { return raw[:4] }}, error: "and none came back"},
		"silence comes back": {x: &exchange{audio: func(n int, raw []byte) []byte { return pack(1, n, make([]int16, perPack)) }}, error: "silence comes back"},
		"another tone":       {x: &exchange{audio: func(n int, raw []byte) []byte { return pack(1, n, tone(3350, n*perPack, perPack)) }}, error: "a tone of 3350 Hz comes back in place of"},
		"noise":              {x: &exchange{audio: func(n int, raw []byte) []byte { return pack(1, n, noise(n)) }}, error: "something else than the tone"},
		"each third packet is lost": {x: &exchange{audio: func(n int, raw []byte) []byte {
			if n%3 == 0 {
				return nil
			}
			return raw
		}}, error: "packets are missing"},
		"audio ends after a moment": {x: &exchange{audio: func(n int, raw []byte) []byte {
			if n > 10 {
				return nil
			}
			return raw
		}}, error: "too few to hear a tone"},
		"the first packets are lost": {x: &exchange{audio: func(n int, raw []byte) []byte {
			if n < 30 {
				return nil
			}
			return raw
		}}, got: "INVITE ACK BYE"},
		"the exchange hangs up":          {x: &exchange{hangsUp: true}, error: "the exchange hangs up", got: "INVITE ACK 200 to BYE"},
		"a BYE that nobody answers":      {x: &exchange{goodbye: "none"}, error: "does not answer a BYE within 5s"},
		"a BYE that is refused":          {x: &exchange{goodbye: "481 Call/Transaction Does Not Exist"}, error: "answers a BYE with 481"},
		"one wrong thing hides no other": {x: &exchange{goodbye: "none", audio: func(int, []byte) []byte { return nil }}, error: "does not answer a BYE"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, x := newWire(), c.x
				x.start(w)
				err := Call(t.Context(), Account{Address: home, Media: home.Addr(), User: "probe", Password: "secret", Number: "9000000000"}, w.listen)
				synctest.Wait()
				x.stop()
				if c.error == "" && err != nil || c.error != "" && (err == nil || !strings.Contains(err.Error(), c.error)) {
					t.Errorf("the call says %v", err)
				}
				if got := strings.Join(x.got, " "); c.got != "" && got != c.got {
					t.Errorf("the exchange saw %s", got)
				}
			})
		})
	}
}

// noise is a stretch of it that is the same in every run.
func noise(n int) []int16 {
	all := make([]int16, perPack)
	seed := uint32(n + 1)
	for i := range all {
		seed = seed*1664525 + 1013904223
		all[i] = int16(seed>>16) / 4
	}
	return all
}

func TestACallThatIsBrokenOffTakesLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, x := newWire(), &exchange{audio: func(int, []byte) []byte { return nil }}
		x.start(w)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := Call(ctx, Account{Address: home, Media: home.Addr(), User: "probe", Password: "secret", Number: "9000000000"}, w.listen)
		synctest.Wait()
		x.stop()
		if err == nil || !strings.Contains(err.Error(), "broken off") || strings.Join(x.got, " ") != "INVITE ACK BYE" {
			t.Errorf("%v; the exchange saw %v", err, x.got)
		}
	})
}

func TestAnAddressOfIPv6HasItsBrackets(t *testing.T) {
	w := newWire()
	c, err := open(t.Context(), Account{Address: netip.MustParseAddrPort("[::1]:5060"), User: "probe", Number: "9"}, w.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	m, err := parse(c.request("INVITE", c.uri(), "z9hG4bKa", 1, offer("::1", 20000)))
	if err != nil || address(m.get("from")) != "sip:probe@[::1]" || address(m.get("to")) != "sip:9@[::1]:5060" || !strings.Contains(string(m.body), "c=IN IP6 ::1\r\n") {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestACallToALoopbackAddressComesFromOneOfItsOwn(t *testing.T) {
	for range 1000 {
		if a := own(home.Addr()); !a.IsLoopback() || a == home.Addr() || a.As4()[3] == 0 || a.As4()[3] == 255 {
			t.Fatal(a)
		}
	}
	for _, at := range []string{"192.168.1.10", "::1"} {
		if a := own(netip.MustParseAddr(at)); a != netip.MustParseAddr(at) {
			t.Errorf("%s is called from %s", at, a)
		}
	}
}
