package appliance

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/sip/digest"
)

// flowPhone is one connection of a phone that keeps several to the box (RFC 5626).
type flowPhone struct {
	t     *testing.T
	conn  net.Conn
	in    *bufio.Reader
	user  string
	regID int
}

func newFlow(b *bench, user string, regID int) *flowPhone {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.sip)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	f := &flowPhone{t: b.t, conn: conn, in: bufio.NewReader(conn), user: user, regID: regID}
	id, auth := rand.Text(), ""
	for cseq := range 2 {
		_, err := fmt.Fprintf(conn, "REGISTER sip:%s SIP/2.0\r\nVia: SIP/2.0/TCP %s;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\nFrom: <sip:%s@box>;tag=1\r\nTo: <sip:%[4]s@box>\r\n"+
			"Call-ID: %[5]s\r\nCSeq: %[6]d REGISTER\r\nSupported: path, outbound\r\nContact: <sip:%[4]s@%[2]s;transport=tcp;ob>;+sip.instance=\"<urn:uuid:1>\";reg-id=%[7]d\r\n%[8]sContent-Length: 0\r\n\r\n",
			b.sip, conn.LocalAddr(), rand.Text(), user, id, cseq+1, regID, auth)
		if err != nil {
			b.t.Fatal(err)
		}
		res := f.until("SIP/2.0 ")
		if status(res) == "200" {
			if headers(res, "Require")[0] != "outbound" || len(headers(res, "Flow-Timer")) != 1 {
				b.t.Fatalf("no promise: %s", res)
			}
			return f
		}
		c, err := digest.ParseChallenge(headers(res, "WWW-Authenticate")[0])
		if err != nil {
			b.t.Fatal(err)
		}
		a, err := digest.Answer(c, digest.Credentials{Username: user, Password: digest.NewSecret("password-of-" + user)}, "REGISTER", "sip:"+b.sip, 1, "x")
		if err != nil {
			b.t.Fatal(err)
		}
		auth = "Authorization: " + a.String() + "\r\n"
	}
	b.t.Fatalf("flow %d of %s does not register", regID, user)
	return nil
}

// until reads messages up to one that begins so.
func (f *flowPhone) until(begins string) string {
	f.t.Helper()
	if err := f.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		f.t.Fatal(err)
	}
	for {
		msg := ""
		for !strings.HasSuffix(msg, "\r\n\r\n") {
			line, err := f.in.ReadString('\n')
			if err != nil {
				f.t.Fatalf("flow %d waits for %q: %v", f.regID, begins, err)
			}
			msg += line
		}
		body, _ := strconv.Atoi(headers(msg, "Content-Length")[0])
		if _, err := io.CopyN(io.Discard, f.in, int64(body)); err != nil {
			f.t.Fatal(err)
		}
		if strings.HasPrefix(msg, begins) {
			return msg
		}
	}
}

func TestACallGoesDownOneFlowOfAPhoneAndDownTheNextWhenThatIsGone(t *testing.T) {
	b := start(t, shop)
	first, second := newFlow(b, "202", 1), newFlow(b, "202", 2)
	anna := b.phone("201")
	ring := func(f, other *flowPhone) {
		t.Helper()
		d := &testCall{id: "call" + rand.Text(), to: "<sip:202@box>", target: "sip:202@" + b.sip}
		done := make(chan string, 1)
		go func() { done <- status(anna.ask("INVITE", d, anna.sdp(), "")) }()
		invite := f.until("INVITE ")
		if _, err := fmt.Fprintf(f.conn, "SIP/2.0 486 Busy Here\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=2\r\nCall-ID: %s\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n",
			headers(invite, "Via")[0], headers(invite, "From")[0], headers(invite, "To")[0], headers(invite, "Call-ID")[0], headers(invite, "CSeq")[0]); err != nil {
			t.Fatal(err)
		}
		f.until("ACK ")
		if s := <-done; s != "486" {
			t.Errorf("the caller hears %s", s)
		}
		anna.ack(d, d.to, d.branch)
		if other != nil {
			_ = other.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			if line, err := other.in.ReadString('\n'); err == nil && strings.HasPrefix(line, "INVITE") {
				t.Error("the phone rings on both flows")
			}
		}
	}
	ring(second, first)
	if err := second.conn.Close(); err != nil {
		t.Fatal(err)
	}
	b.eventually("the flow that ended is forgotten", func() bool { return len(b.box.registrar.Flows("202")[0]) == 1 })
	ring(first, nil)
	if err := first.conn.Close(); err != nil {
		t.Fatal(err)
	}
	b.eventually("the phone is gone", func() bool { return len(b.box.registrar.Bindings("202")) == 0 })
}
