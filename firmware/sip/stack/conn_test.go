package stack

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

func TestAMessageOverTCPMayBeSplitAtEveryByte(t *testing.T) {
	b := newBox(t, Config{}, &echoer{})
	l := dialBox(t, b, "127.0.0.2")
	body := "v=0\r\n\r\nc=x\r\n" // a blank line inside a body ends no message
	whole := strings.Replace(request("MESSAGE", "TCP", l.addr(), 1), "Content-Length: 0", fmt.Sprintf("Content-Length: %d", len(body)), 1) + body
	for cut := 1; cut < len(whole); cut++ {
		msg := strings.Replace(whole, "z9hG4bKb1", fmt.Sprintf("z9hG4bKs%d", cut), 1)
		l.send(msg[:cut])
		l.send(msg[cut:])
		if got := l.status(patience); got != 200 {
			t.Fatalf("cut at %d: %d", cut, got)
		}
	}
	for i := range len(whole) {
		l.send(whole[i : i+1])
	}
	if got := l.status(patience); got != 200 {
		t.Errorf("byte by byte: %d", got)
	}
	if s := b.Stats(); s.Received != int64(len(whole)) || s.Malformed != 0 {
		t.Errorf("%d of %d messages received, %d malformed", s.Received, len(whole), s.Malformed)
	}
}

func TestSeveralMessagesInOneSegmentAreEachAnswered(t *testing.T) {
	b := newBox(t, Config{}, &echoer{})
	l := dialBox(t, b, "127.0.0.2")
	var all strings.Builder
	for i := range 50 {
		all.WriteString(request("OPTIONS", "TCP", l.addr(), i) + strings.Repeat("\r\n", i%3))
	}
	l.send(all.String())
	for i := range 50 {
		if got := l.status(patience); got != 200 {
			t.Fatalf("message %d: %d", i, got)
		}
	}
}

func TestADoubleLineEndIsAnsweredByASingleOne(t *testing.T) {
	b := newBox(t, Config{Assembly: 300 * time.Millisecond}, &echoer{})
	l := dialBox(t, b, "127.0.0.2")
	l.send(request("OPTIONS", "TCP", l.addr(), 1))
	if l.status(patience) != 200 {
		t.Fatal("not served")
	}
	for range 3 {
		l.send("\r\n\r\n")
		if err := l.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		pong := make([]byte, 2)
		if _, err := l.in.Read(pong); err != nil || string(pong) != "\r\n" {
			t.Fatalf("a ping got %q, %v", pong, err)
		}
	}
	l.send("\r\n") // alone it wants no answer, and is no half-sent message
	if l.closedWithin(500 * time.Millisecond) {
		t.Error("the connection was closed after a keep-alive")
	}
	if n := b.Stats().Keepalives; n != 4 {
		t.Errorf("%d keep-alives counted", n)
	}
}

func TestAClientThatNeverSpeaksOrNeverFinishesIsClosed(t *testing.T) {
	const soon = 150 * time.Millisecond
	b := newBox(t, Config{Greeting: soon, Assembly: soon, Idle: patience}, &echoer{})
	silent := dialBox(t, b, "127.0.0.2")
	if !silent.closedWithin(patience) {
		t.Error("a silent client stays")
	}
	dripping := dialBox(t, b, "127.0.0.2")
	start := time.Now()
	for time.Since(start) < patience {
		if _, err := dripping.Write([]byte("O")); err != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if time.Since(start) >= patience {
		t.Error("a client that drips bytes stays")
	}
	slow := func(b *box, n, idle int64) {
		t.Helper()
		eventually(t, "the counts", func() bool {
			s := b.Stats()
			return s.ConnsSlow == n && s.ConnsIdle == idle && s.Conns == 0
		})
	}
	slow(b, 2, 0)
	// Those who do speak have time for it, however slow the machine is.
	b = newBox(t, Config{Greeting: patience, Assembly: soon, Idle: 2 * soon}, &echoer{})
	half := dialBox(t, b, "127.0.0.2")
	half.send(request("OPTIONS", "TCP", half.addr(), 1) + "OPTIONS sip:")
	if half.status(patience) != 200 || !half.closedWithin(patience) {
		t.Error("a client that stops inside its second message stays")
	}
	idle := dialBox(t, b, "127.0.0.2")
	idle.send(request("OPTIONS", "TCP", idle.addr(), 2))
	if idle.status(patience) != 200 || !idle.closedWithin(patience) {
		t.Error("an idle client stays")
	}
	slow(b, 1, 1)
}

func TestConnectionsAreLimitedPerAddressAndInAll(t *testing.T) {
	b := newBox(t, Config{MaxConns: 5, MaxConnsPerAddr: 3}, &echoer{})
	var lines []*line
	for i := range 3 {
		lines = append(lines, dialBox(t, b, "127.0.0.2"))
		lines[i].send(request("OPTIONS", "TCP", lines[i].addr(), i))
		if lines[i].status(patience) != 200 {
			t.Fatal("not served")
		}
	}
	if !dialBox(t, b, "127.0.0.2").closedWithin(patience) {
		t.Error("a fourth connection of one address stays")
	}
	for range 2 {
		if dialBox(t, b, "127.0.0.3").closedWithin(50 * time.Millisecond) {
			t.Error("another address is refused")
		}
	}
	if !dialBox(t, b, "127.0.0.4").closedWithin(patience) {
		t.Error("a sixth connection stays")
	}
	_ = lines[0].Close()
	eventually(t, "the place is free", func() bool { return b.Stats().Conns == 4 })
	again := dialBox(t, b, "127.0.0.2")
	again.send(request("OPTIONS", "TCP", again.addr(), 99))
	if again.status(patience) != 200 {
		t.Error("a place that became free cannot be used")
	}
}

func TestABrokenMessageOverTCPIsAnsweredAndEndsTheConnection(t *testing.T) {
	b := newBox(t, Config{}, &echoer{})
	l := dialBox(t, b, "127.0.0.2")
	l.send(request("OPTIONS", "TCP", l.addr(), 1) + strings.Replace(request("OPTIONS", "TCP", l.addr(), 2), "Max-Forwards: 70", "nonsense", 1))
	got := []int{l.status(patience), l.status(patience)}
	if fmt.Sprint(got) != "[200 400]" && fmt.Sprint(got) != "[400 200]" {
		t.Errorf("answered %v", got)
	}
	if !l.closedWithin(patience) {
		t.Error("the connection stays although its next message cannot be found")
	}
	incomplete := dialBox(t, b, "127.0.0.2")
	incomplete.send(strings.Replace(request("OPTIONS", "TCP", incomplete.addr(), 3), "Content-Length: 0", "X: y", 1))
	if incomplete.status(patience) != 400 {
		t.Error("a message without Content-Length is not refused")
	}
	huge := dialBox(t, b, "127.0.0.2")
	huge.send(strings.Replace(request("OPTIONS", "TCP", huge.addr(), 4), "Content-Length: 0", "Content-Length: 99999999", 1))
	if !huge.closedWithin(patience) {
		t.Error("a message of 100 MB is awaited")
	}
}

func TestManyKeepAlivesDoNotAddUpToAMessageTooLarge(t *testing.T) {
	b := newBox(t, Config{}, &echoer{})
	l := dialBox(t, b, "127.0.0.2")
	for range 40 {
		l.send(strings.Repeat("\r\n", 1000))
	}
	l.send(request("OPTIONS", "TCP", l.addr(), 1))
	if l.status(patience) != 200 {
		t.Error("not served after 80,000 bytes of keep-alive")
	}
}

// server is a TCP listener that plays a carrier.
func server(t *testing.T) (*net.TCPListener, netip.AddrPort) {
	t.Helper()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln, addrPortOf(ln.Addr())
}

func TestARequestOverTCPOpensAConnectionAndTheNextOneUsesIt(t *testing.T) {
	b := newBox(t, Config{}, &echoer{})
	ln, addr := server(t)
	to, err := b.Resolve(t.Context(), sip.Uri{Host: addr.Addr().String(), Port: int(addr.Port())}, "tcp")
	if err != nil {
		t.Fatal(err)
	}
	if b.Alive(to) {
		t.Error("a connection stands before anybody opened it")
	}
	results := make(chan Result, 4)
	ask := func(id string) {
		t.Helper()
		if _, err := b.Request(newRequest(sip.OPTIONS, id), to, func(r Result) { results <- r }); err != nil {
			t.Fatal(err)
		}
	}
	ask("one")
	ask("two") // while the first is still being connected
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	peer := newLine(t, conn)
	defer func() { _ = conn.Close() }()
	serve := func() *sip.Request {
		t.Helper()
		raw, err := peer.hear(patience)
		if err != nil {
			t.Fatal(err)
		}
		msg, err := sip.ParseMessage([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		peer.send(answerTo(msg, 200, "OK", "t"))
		if r := <-results; r.Err != nil || r.Response.StatusCode != 200 {
			t.Fatalf("heard %+v", r)
		}
		return msg.(*sip.Request)
	}
	serve()
	via := serve().Via()
	if via.Transport != "TCP" || via.Port != int(b.tcp.Port()) {
		t.Errorf("the Via says %s: the other side could not open a connection back", via.Value())
	}
	if !b.Alive(to) {
		t.Error("the connection is not known")
	}
	again, err := b.Resolve(t.Context(), sip.Uri{Host: addr.Addr().String(), Port: int(addr.Port())}, "tcp")
	if err != nil || !again.Local.IsValid() || again.Local.Port() == 0 || !b.Alive(again) {
		t.Errorf("Resolve does not name the open connection: %+v, %v", again, err)
	}
	to = again
	ask("three")
	serve()
	if n := b.Stats().Conns; n != 1 {
		t.Errorf("%d connections", n)
	}
	_ = conn.Close()
	eventually(t, "the end is noticed", func() bool { return !b.Alive(to) })
	gone := b.sent.Load()
	ask("four")             // opens a new one
	b.lost(to, false, gone) // the end of the old one is told late, and is none of the new one's
	if conn, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	peer = newLine(t, conn)
	serve()
}

func TestAConnectionThatIsRefusedEndsItsTransactionAtOnce(t *testing.T) {
	b := newBox(t, Config{}, &echoer{})
	ln, addr := server(t)
	_ = ln.Close()
	results := make(chan Result, 1)
	to := Flow{Transport: "tcp", Remote: addr}
	if _, err := b.Request(newRequest(sip.INVITE, "x"), to, func(r Result) { results <- r }); err != nil {
		t.Fatal(err)
	}
	select {
	case r := <-results:
		if !errors.Is(r.Err, ErrTransport) {
			t.Errorf("heard %+v", r)
		}
	case <-time.After(patience):
		t.Error("nobody told")
	}
}

func TestAConnectionThatBreaksEndsOnlyWhatHasHeardNothing(t *testing.T) {
	b := newBox(t, Config{}, &echoer{})
	ln, addr := server(t)
	to := Flow{Transport: "tcp", Remote: addr}
	silent, ringing := make(chan Result, 4), make(chan Result, 4)
	for id, results := range map[string]chan Result{"silent": silent, "ringing": ringing} {
		if _, err := b.Request(newRequest(sip.INVITE, id), to, func(r Result) { results <- r }); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	peer := newLine(t, conn)
	for range 2 {
		raw, err := peer.hear(patience)
		if err != nil {
			t.Fatal(err)
		}
		msg, err := sip.ParseMessage([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		if msg.CallID().Value() == "ringing" {
			peer.send(answerTo(msg, 180, "Ringing", "t"))
			if r := <-ringing; r.Err != nil {
				t.Fatal(r.Err)
			}
			defer func() { // its answer comes on a new connection
				again := dialBox(t, b, "127.0.0.9")
				again.send(answerTo(msg, 200, "OK", "t"))
				if r := <-ringing; r.Err != nil || r.Response.StatusCode != 200 {
					t.Errorf("the ringing call heard %+v", r)
				}
			}()
		}
	}
	_ = conn.Close()
	select {
	case r := <-silent:
		if !errors.Is(r.Err, ErrTransport) {
			t.Errorf("heard %+v", r)
		}
	case <-time.After(patience):
		t.Error("nobody told")
	}
}

func TestTheConnectionOfAPhoneIsNeverDialledBack(t *testing.T) {
	rec := &recorder{}
	b := newBox(t, Config{}, rec)
	l := dialBox(t, b, "127.0.0.2")
	l.send(request("OPTIONS", "TCP", l.addr(), 1))
	eventually(t, "the request", func() bool { rec.mu.Lock(); defer rec.mu.Unlock(); return len(rec.txs) == 1 })
	flow := rec.txs[0].Flow()
	if !b.Alive(flow) || flow.Remote != l.addr() || flow.Local != b.tcp {
		t.Errorf("flow %+v", flow)
	}
	_ = l.Close()
	eventually(t, "the end is noticed", func() bool { return !b.Alive(flow) })
	results := make(chan Result, 1)
	if _, err := b.Request(newRequest(sip.OPTIONS, "x"), flow, func(r Result) { results <- r }); err != nil {
		t.Fatal(err)
	}
	if r := <-results; !errors.Is(r.Err, ErrTransport) {
		t.Errorf("heard %+v", r)
	}
}

func TestASlowPeerIsClosedAndNeverStopsAShard(t *testing.T) {
	rec := &recorder{}
	b := newBox(t, Config{Shards: 1}, rec)
	l := dialBox(t, b, "127.0.0.2")
	l.send(request("OPTIONS", "TCP", l.addr(), 1))
	eventually(t, "the request", func() bool { rec.mu.Lock(); defer rec.mu.Unlock(); return len(rec.txs) == 1 })
	flow := rec.txs[0].Flow()
	res := sip.NewResponseFromRequest(rec.txs[0].Request(), 200, "OK", []byte(strings.Repeat("x", 60_000)))
	slowest := time.Duration(0)
	for range 1000 {
		start := time.Now()
		err := b.Send(res, flow)
		slowest = max(slowest, time.Since(start))
		if err != nil {
			break
		}
	}
	if b.Alive(flow) || slowest > writeTimeout/2 {
		t.Errorf("alive %v; the slowest send took %v", b.Alive(flow), slowest)
	}
}

func TestAFloodOverTCPIsSlowedDownNotDropped(t *testing.T) {
	b := newBox(t, Config{SourceRate: 200, SourceBurst: 20}, &echoer{})
	l := dialBox(t, b, "127.0.0.2")
	start := time.Now()
	for i := range 60 {
		l.send(request("OPTIONS", "TCP", l.addr(), i))
	}
	for i := range 60 {
		if l.status(patience) != 200 {
			t.Fatalf("message %d was lost", i)
		}
	}
	if d := time.Since(start); d < 150*time.Millisecond {
		t.Errorf("60 messages in %v at 200 per second", d)
	}
}
