package main_test

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/sip/digest"
)

// trickster sends an INVITE as it is written, whatever a phone would write.
type trickster struct {
	t        *testing.T
	conn     *net.UDPConn
	box      netip.AddrPort
	user     string // "" = it has no account
	password string
}

func newTrickster(t *testing.T, from string, box netip.AddrPort, user string) *trickster {
	t.Helper()
	conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(from)}, net.UDPAddrFromAddrPort(box))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	x := &trickster{t: t, conn: conn, box: box, user: user}
	if n, err := strconv.Atoi(user); err == nil {
		x.password = pbxtest.Password(n)
	}
	return x
}

// trick is what differs from an honest call to the number.
type trick struct {
	uri     string // request line; default the number at the box
	from    string // default the trickster's own name at the box
	to      string
	headers string
}

// call sends the INVITE, answers a challenge when it can, and returns the final status.
func (x *trickster) call(number string, k trick) int {
	x.t.Helper()
	def := func(s *string, d string) {
		if *s == "" {
			*s = d
		}
	}
	name := x.user
	def(&name, "stranger")
	def(&k.uri, fmt.Sprintf("sip:%s@%s", number, x.box))
	def(&k.from, fmt.Sprintf("<sip:%s@%s>", name, x.box))
	def(&k.to, fmt.Sprintf("<sip:%s@%s>", number, x.box))
	id, tag, auth := rand.Text(), rand.Text(), ""
	sdp := "v=0\r\no=x 1 1 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"
	for cseq := 1; cseq <= 2; cseq++ {
		branch := "z9hG4bK" + rand.Text()
		head := func(method, to string) string {
			return fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%s;rport\r\nMax-Forwards: 70\r\nFrom: %s;tag=%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n",
				method, k.uri, x.conn.LocalAddr(), branch, k.from, tag, to, id, cseq, method)
		}
		x.write(fmt.Sprintf("%sContact: <sip:%s@%s>\r\n%s%sContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
			head("INVITE", k.to), name, x.conn.LocalAddr(), k.headers, auth, len(sdp), sdp))
		res := x.final(id, cseq)
		status, _ := strconv.Atoi(res[len("SIP/2.0 "):][:3])
		x.write(head("ACK", field(res, "To")) + "Content-Length: 0\r\n\r\n")
		if status != 401 || x.password == "" || auth != "" {
			return status
		}
		c, err := digest.ParseChallenge(field(res, "WWW-Authenticate"))
		if err != nil {
			x.t.Fatal(err)
		}
		a, err := digest.Answer(c, digest.Credentials{Username: x.user, Password: digest.NewSecret(x.password)}, "INVITE", k.uri, 1, rand.Text())
		if err != nil {
			x.t.Fatal(err)
		}
		auth = "Authorization: " + a.String() + "\r\n"
	}
	return 0
}

func (x *trickster) write(text string) {
	x.t.Helper()
	if _, err := x.conn.Write([]byte(text)); err != nil {
		x.t.Fatal(err)
	}
}

// final waits for the final response to one INVITE.
func (x *trickster) final(id string, cseq int) string {
	x.t.Helper()
	buf := make([]byte, 65535)
	for {
		if err := x.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			x.t.Fatal(err)
		}
		n, err := x.conn.Read(buf)
		if err != nil {
			x.t.Fatalf("no final answer: %v", err)
		}
		res := string(buf[:n])
		if strings.HasPrefix(res, "SIP/2.0 ") && !strings.HasPrefix(res, "SIP/2.0 1") && field(res, "Call-ID") == id && field(res, "CSeq") == fmt.Sprintf("%d INVITE", cseq) {
			return res
		}
	}
}

// field is the first header of a name.
func field(msg, name string) string {
	for line := range strings.SplitSeq(msg, "\r\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(k, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// No trick places an outside call: neither for strangers, inside the LAN or out, nor for a phone whose
// person may only call colleagues. That the way is open is shown by the phone beside it, which may.
func TestNoTrickPlacesAnOutsideCall(t *testing.T) {
	const number = "+390655512345"
	o := bench.Start(t, pbxtest.Setup{Agents: 3, Carrier: 5070, LAN: "127.0.0.1/32", Dial: map[int]string{203: "internal"}})
	var mu sync.Mutex
	var placed []string
	carrier, err := peer.New(peer.Config{
		Listen: netip.AddrPortFrom(o.Carrier, o.CarrierPort), Box: o.SIP, Law: tone.ALaw,
		Incoming: func(c *peer.Call) {
			mu.Lock()
			placed = append(placed, c.Called)
			mu.Unlock()
			c.Reject(486)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(carrier.Close)
	outside := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		n, placed = len(placed), nil
		return n
	}
	allowed := newTrickster(t, "127.0.0.1", o.SIP, "201")
	o.Line("trunk:carrier", true)
	if status, n := allowed.call(number, trick{}), outside(); n != 1 {
		t.Fatalf("the phone that may call outside gets %d, %d calls reached the carrier", status, n)
	}
	atCarrier := fmt.Sprintf("%s:%d", o.Carrier, o.CarrierPort)
	tricks := map[string]trick{
		"plainly":                                   {},
		"a phone's name at a foreign domain":        {from: "<sip:201@evil.example>"},
		"the number at a foreign domain":            {uri: "sip:" + number + "@evil.example"},
		"the number at the carrier":                 {uri: "sip:" + number + "@" + atCarrier},
		"a tel URI":                                 {uri: "tel:" + number, to: "<tel:" + number + ">"},
		"tel URIs everywhere":                       {uri: "tel:" + number, to: "<tel:" + number + ">", from: "<tel:201>"},
		"a sips URI":                                {uri: "sips:" + number + "@" + o.SIP.String()},
		"a context in the user part":                {uri: "sip:" + number + ";phone-context=+39@" + o.SIP.String()},
		"an escaped number":                         {uri: "sip:%2B390655512345@" + o.SIP.String()},
		"a Route to the carrier":                    {headers: "Route: <sip:" + atCarrier + ";lr>\r\n"},
		"a strict Route to the carrier":             {headers: "Route: <sip:" + number + "@" + atCarrier + ">\r\n"},
		"a Route through the box to the carrier":    {headers: "Route: <sip:" + o.SIP.String() + ";lr>, <sip:" + atCarrier + ";lr>\r\n"},
		"a Diversion by a phone that may":           {headers: "Diversion: <sip:201@" + o.SIP.String() + ">;reason=unconditional\r\n"},
		"a History-Info of a phone that may":        {headers: "History-Info: <sip:201@" + o.SIP.String() + ">;index=1\r\n"},
		"the asserted identity of a phone that may": {headers: "P-Asserted-Identity: <sip:201@" + o.SIP.String() + ">\r\n"},
		"the preferred identity of one":             {headers: "P-Preferred-Identity: <sip:201@" + o.SIP.String() + ">\r\n"},
		"the Remote-Party-ID of one":                {headers: "Remote-Party-ID: <sip:201@" + o.SIP.String() + ">;party=calling;screen=yes\r\n"},
		"referred by one":                           {headers: "Referred-By: <sip:201@" + o.SIP.String() + ">\r\n"},
		"in the name of one":                        {from: "<sip:201@" + o.SIP.String() + ">"},
		"in the name of the carrier":                {from: "<sip:" + pbxtest.DID + "@" + atCarrier + ">", headers: "P-Asserted-Identity: <sip:" + pbxtest.DID + "@" + atCarrier + ">\r\n"},
		"made-up credentials":                       {headers: `Authorization: Digest username="201", realm="pronto", nonce="x", uri="sip:x", response="` + strings.Repeat("0", 32) + "\"\r\n"},
		"credentials for a proxy":                   {headers: `Proxy-Authorization: Digest username="201", realm="pronto", nonce="x", uri="sip:x", response="` + strings.Repeat("0", 32) + "\"\r\n"},
		"the carrier's own token missing":           {uri: "sip:" + pbxtest.DID + "@" + o.SIP.String(), to: "<sip:" + number + "@" + atCarrier + ">"},
		"to replace a call that is none":            {headers: "Replaces: x;to-tag=y;from-tag=z\r\n"},
	}
	people := map[string]struct{ net, user string }{ // each trick from an address of its own where net says so
		"a stranger from outside":            {"127.66.0.", ""},
		"a stranger on the LAN":              {"127.0.0.1", ""},
		"a phone that may not call outside":  {"127.0.0.1", "203"},
		"a phone's password, from elsewhere": {"127.67.0.", "201"},
	}
	n := 0
	for who, p := range people {
		for name, k := range tricks {
			n++
			t.Run(who+", "+name, func(t *testing.T) {
				from := p.net
				if strings.HasSuffix(from, ".") {
					from += strconv.Itoa(n)
				}
				if status := newTrickster(t, from, o.SIP, p.user).call(number, k); status < 400 {
					t.Errorf("answered %d", status)
				}
				if n := outside(); n != 0 {
					t.Errorf("%d calls reached the carrier", n)
				}
			})
		}
	}
	if status, n := allowed.call(number, trick{}), outside(); n != 1 {
		t.Errorf("afterwards the phone that may call outside gets %d, %d calls reached the carrier", status, n)
	}
}
