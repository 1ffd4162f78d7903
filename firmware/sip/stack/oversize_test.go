package stack

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

// longRequest is a request of n bytes or a little more.
func longRequest(method sip.RequestMethod, id string, n int) *sip.Request {
	req := newRequest(method, id)
	req.SetBody([]byte(strings.Repeat("x", n)))
	return req
}

// bothWays is a peer on UDP, and on TCP if the listener is kept.
func bothWays(t *testing.T, b *box) (*phone, *net.TCPListener) {
	t.Helper()
	p := newPhone(t, b, "127.0.0.7")
	ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(p.addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return p, ln
}

func TestFinding9_ALongRequestGoesByTCPWhereThePeerSpeaksIt(t *testing.T) {
	b := newBox(t, Config{}, &echoer{})
	p, ln := bothWays(t, b)
	to := Flow{Transport: "udp", Local: b.udp, Remote: p.addr}
	var peer *line
	for i, size := range []int{1400, 10, 20_000} { // the last would be too long for UDP at all
		results := make(chan Result, 4)
		tx, err := b.Request(longRequest(sip.INVITE, "long", size), to, func(r Result) { results <- r })
		if err != nil {
			t.Fatal(err)
		}
		var raw string
		if size == 10 {
			raw = p.hear(patience)
		} else {
			if peer == nil {
				conn, err := ln.Accept()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = conn.Close() })
				peer = newLine(t, conn)
			}
			if raw, err = peer.hear(patience); err != nil {
				t.Fatal(err)
			}
			if _, err := peer.in.Discard(size); err != nil {
				t.Fatal(err)
			}
		}
		want, send := "Via: SIP/2.0/TCP ", func(s string) { peer.send(s) }
		if size == 10 {
			want, send = "Via: SIP/2.0/UDP ", p.send
		}
		msg, err := sip.ParseMessage([]byte(strings.Replace(raw, "Content-Length", "X-Was", 1)))
		if err != nil || !strings.Contains(raw, want) {
			t.Fatalf("%d bytes: %v in %q", size, err, raw)
		}
		send(answerTo(msg, 180, "Ringing", "t"))
		if r := <-results; r.Err != nil || r.Response.StatusCode != 180 {
			t.Fatalf("%d bytes: %+v", size, r)
		}
		if err := tx.Cancel(); err != nil {
			t.Fatal(err)
		}
		hear := func() string {
			if size == 10 {
				return p.hear(patience)
			}
			raw, _ := peer.hear(patience)
			return raw
		}
		if cancel := hear(); !strings.HasPrefix(cancel, "CANCEL ") || !strings.Contains(cancel, want) {
			t.Errorf("%d bytes: the CANCEL went elsewhere, or was %q", size, cancel)
		}
		send(answerTo(msg, 487, "Request Terminated", "t"))
		if ack := hear(); !strings.HasPrefix(ack, "ACK ") {
			t.Errorf("%d bytes: the ACK went elsewhere, or was %q", size, ack)
		}
		if got, _ := tx.Request().Via().Params.Get("branch"); got == "" || !strings.HasPrefix(tx.Request().Via().Transport, want[13:16]) {
			t.Errorf("exchange %d is kept with the Via %s", i, tx.Request().Via().Value())
		}
	}
	ack := longRequest(sip.ACK, "long", 1400)
	if err := b.Send(ack, to); err != nil {
		t.Fatal(err)
	}
	if raw, err := peer.hear(patience); err != nil || !strings.HasPrefix(raw, "ACK ") {
		t.Errorf("a long ACK: %q, %v", raw, err)
	}
}

func TestAnINVITEIsOnRecordAsItLeavesBeforeItDoes(t *testing.T) {
	for _, c := range []struct {
		name      string
		size      int
		listens   bool // over TCP
		connected bool // before the INVITE
		want      string
	}{
		{"a short one", 10, true, false, "UDP"},
		{"a long one after the connection was made", 1400, true, false, "TCP"},
		{"a long one on a connection that stands", 1400, true, true, "TCP"},
		{"a long one that found no connection", 1400, false, false, "UDP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBox(t, Config{}, &echoer{})
			p, ln := bothWays(t, b)
			if !c.listens {
				_ = ln.Close()
			}
			to := Flow{Transport: "udp", Local: b.udp, Remote: p.addr}
			if c.connected {
				up := make(chan bool, 1)
				b.whenUp(b.flowTo("tcp", p.addr), func(is bool) { up <- is })
				if !<-up {
					t.Fatal("no connection")
				}
			}
			var told []string  // on the shard only, like transmit
			var once sync.Once // it may be repeated before the test ends
			done := make(chan struct{})
			b.transmit = func(way Flow, raw []byte, failed func(error)) error {
				defer once.Do(func() { close(done) })
				if len(told) != 1 || told[0] != string(raw) {
					t.Errorf("by %s leaves\n%s\ntold before was\n%s", way.Transport, raw, strings.Join(told, "\n"))
				}
				return b.write(way, raw, failed)
			}
			b.Run("long", func() {
				if _, err := b.Invite(longRequest(sip.INVITE, "long", c.size), to, func(req *sip.Request) { told = append(told, req.String()) }, nil); err != nil {
					t.Error(err)
				}
			})
			<-done
			if !strings.Contains(told[0], "Via: SIP/2.0/"+c.want+" ") {
				t.Errorf("told %s, want %s", told[0], c.want)
			}
		})
	}
}

func TestOnlyAnINVITEIsPutOnRecord(t *testing.T) {
	b := newBox(t, Config{}, &echoer{})
	if _, err := b.Invite(newRequest(sip.OPTIONS, "x"), Flow{Transport: "udp", Local: b.udp, Remote: b.udp}, func(*sip.Request) {}, nil); !errors.Is(err, ErrRequest) {
		t.Errorf("%v", err)
	}
}

func TestALongRequestGoesOverUDPWhereThePeerTakesNoConnection(t *testing.T) {
	b := newBox(t, Config{}, &echoer{})
	p, ln := bothWays(t, b)
	_ = ln.Close()
	to := Flow{Transport: "udp", Local: b.udp, Remote: p.addr}
	for range 2 { // the second does not even try
		results := make(chan Result, 1)
		if _, err := b.Request(longRequest(sip.OPTIONS, "long", 1400), to, func(r Result) { results <- r }); err != nil {
			t.Fatal(err)
		}
		raw := p.hear(patience)
		msg, err := sip.ParseMessage([]byte(raw))
		if err != nil || !strings.Contains(raw, "Via: SIP/2.0/UDP ") {
			t.Fatalf("%v in %q", err, raw)
		}
		p.send(answerTo(msg, 200, "OK", "t"))
		if r := <-results; r.Err != nil || r.Response.StatusCode != 200 {
			t.Errorf("%+v", r)
		}
		if _, try := b.byTCP(to, 1400); try {
			t.Error("the next one would try again")
		}
	}
	if !b.Penalised(to).IsZero() || b.Stats().Oversize != 2 {
		t.Errorf("penalised until %v, %d oversize", b.Penalised(to), b.Stats().Oversize)
	}
}

func TestALongRequestDoesNotWaitForAPeerThatNeverTakesTheConnection(t *testing.T) {
	b := newBox(t, Config{}, &echoer{})
	p := newPhone(t, b, "127.0.0.7")
	mute := fullListener(t, p.addr)
	to := Flow{Transport: "udp", Local: b.udp, Remote: mute}
	results := make(chan Result, 1)
	if _, err := b.Request(longRequest(sip.OPTIONS, "long", 1400), to, func(r Result) { results <- r }); err != nil {
		t.Fatal(err)
	}
	msg, err := sip.ParseMessage([]byte(p.hear(connectWithin + patience)))
	if err != nil {
		t.Fatal(err)
	}
	p.send(answerTo(msg, 200, "OK", "t"))
	if r := <-results; r.Err != nil || r.Response.StatusCode != 200 {
		t.Errorf("%+v", r)
	}
}

// fullListener listens where no connection is taken any more: the kernel drops what asks for one, as
// a firewall does.
func fullListener(t *testing.T, at netip.AddrPort) netip.AddrPort {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	d := net.Dialer{Timeout: 300 * time.Millisecond}
	for range 8 {
		conn, err := d.Dial("tcp", at.String())
		if err != nil {
			return at
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("the kernel takes every connection")
	return at
}
