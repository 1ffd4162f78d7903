package stack

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

func TestFinding1_A183JustBeforeThe200ArrivesFirstIn400Of400Calls(t *testing.T) {
	b := newBox(t, Config{}, &recorder{})
	p := newPhone(t, b, "127.0.0.2")
	var mu sync.Mutex
	order := map[string][]int{}
	done := make(chan string, 400)
	inOrder := 0
	for i := range 400 {
		id := fmt.Sprintf("order-%d", i)
		to := Flow{Transport: "udp", Local: b.udp, Remote: p.addr}
		if _, err := b.Request(newRequest(sip.INVITE, id), to, func(r Result) {
			mu.Lock()
			order[id] = append(order[id], r.Response.StatusCode)
			last := len(order[id]) == 2
			mu.Unlock()
			if last {
				done <- id
			}
		}); err != nil {
			t.Fatal(err)
		}
		msg, err := sip.ParseMessage([]byte(p.hear(patience)))
		if err != nil {
			t.Fatal(err)
		}
		p.send(answerTo(msg, 183, "Session Progress", "t"))
		p.send(answerTo(msg, 200, "OK", "t"))
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatalf("call %d heard only %v", i, order[id])
		}
		mu.Lock()
		if fmt.Sprint(order[id]) == "[183 200]" {
			inOrder++
		}
		mu.Unlock()
	}
	if inOrder != 400 {
		t.Errorf("in order in %d of 400", inOrder)
	}
}

func TestFinding1_TwoBackToBackRequestsArriveInOrderIn400Of400Pairs(t *testing.T) {
	var mu sync.Mutex
	var got []string
	rec := &recorder{request: func(tx *ServerTx) {
		mu.Lock()
		got = append(got, string(tx.Request().Method))
		mu.Unlock()
		_ = tx.Respond(sip.NewResponseFromRequest(tx.Request(), 200, "OK", nil))
	}}
	b := newBox(t, Config{}, rec)
	p := newPhone(t, b, "127.0.0.2")
	inOrder := 0
	for i := range 400 {
		p.send(strings.Replace(request("INFO", "UDP", p.addr, i), "bKb", "bKx", 1))
		p.send(request("BYE", "UDP", p.addr, i))
		for range 2 {
			if p.status(patience) != 200 {
				t.Fatalf("pair %d was not answered", i)
			}
		}
		mu.Lock()
		if fmt.Sprint(got) == "[INFO BYE]" {
			inOrder++
		}
		got = nil
		mu.Unlock()
	}
	if inOrder != 400 {
		t.Errorf("in order in %d of 400", inOrder)
	}
}

// scatter sends one datagram from each of the sources first to first+n.
func scatter(t *testing.T, to netip.AddrPort, first, n int, make func(i int, src netip.AddrPort) string) {
	t.Helper()
	for i := first; i < first+n; i++ {
		src := netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)})
		conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(src, 0)), net.UDPAddrFromAddrPort(to))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(make(i, addrPortOf(conn.LocalAddr())))); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestFinding6_5000JunkSourcesLeaveNoMemoryBehind(t *testing.T) {
	b := newBox(t, Config{}, &echoer{})
	p := newPhone(t, b, "127.0.0.2")
	p.send(request("OPTIONS", "UDP", p.addr, 1))
	if p.status(patience) != 200 {
		t.Fatal("not served before")
	}
	before, pool := heapInUse(), b.Stats().PoolEntries
	for round := range 10 { // in rounds that fit into the socket's buffer
		scatter(t, b.udp, 500*round, 500, func(int, netip.AddrPort) string { return strings.Repeat("\x16junk\xff ", 50) })
		eventually(t, "all junk is seen", func() bool { return b.Stats().Junk == int64(500*(round+1)) })
	}
	after := b.Stats()
	if grown := int64(heapInUse()) - int64(before); grown > 128<<10 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if after.PoolEntries != pool || pool > 2 || after.Sources > 1 {
		t.Errorf("sipgo's pool had %d entries and has %d; %d sources are remembered", pool, after.PoolEntries, after.Sources)
	}
	p.send(request("OPTIONS", "UDP", p.addr, 2))
	if p.status(patience) != 200 {
		t.Error("not served after")
	}
}

func TestFinding6_5000SourcesOfValidRequestsLeaveNoEntriesInThePool(t *testing.T) {
	b := newBox(t, Config{MaxTransactions: 100}, &echoer{})
	for round := range 10 {
		scatter(t, b.udp, 500*round, 500, func(i int, src netip.AddrPort) string {
			return request("MESSAGE", "UDP", src, i)
		})
		eventually(t, "all requests are seen", func() bool { return b.Stats().Received == int64(500*(round+1)) })
	}
	eventually(t, "all are answered", func() bool { return b.Stats().Transactions <= 100 })
	if s := b.Stats(); s.PoolEntries > 2 || s.Dropped > 0 || s.Sources > maxSources || s.Transactions > 100 {
		t.Errorf("%+v", s)
	}
}

func TestTheTableOfSourcesIsBoundedAndForgetsTheQuiet(t *testing.T) {
	s := newSources(10, 20)
	now := time.Now()
	for i := range 3 * maxSources {
		s.allow(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	if s.size() != maxSources {
		t.Errorf("%d sources remembered", s.size())
	}
	now = now.Add(3 * time.Second) // all buckets are full again
	s.allow(netip.MustParseAddr("192.0.2.1"), now)
	if s.size() != 1 {
		t.Errorf("%d sources remembered after a quiet time", s.size())
	}
}

func TestASourceGetsItsBurstThenItsRate(t *testing.T) {
	s := newSources(10, 20)
	now := time.Now()
	src := netip.MustParseAddr("2001:db8::1")
	neighbour := netip.MustParseAddr("2001:db8::2") // the same /64
	allowed := 0
	for range 50 {
		for _, a := range []netip.Addr{src, neighbour} {
			if s.allow(a, now) {
				allowed++
			}
		}
	}
	if allowed != 20 {
		t.Errorf("a burst of %d", allowed)
	}
	for range 105 {
		if now = now.Add(10 * time.Millisecond); s.allow(src, now) {
			allowed++
		}
	}
	if allowed != 30 {
		t.Errorf("%d in the second after the burst", allowed-20)
	}
}

func TestAFloodFromOneSourceDoesNotReachTheHandlerAndOthersAreServed(t *testing.T) {
	b := newBox(t, Config{SourceRate: 50, SourceBurst: 50}, &echoer{})
	flooder, good := newPhone(t, b, "127.0.0.3"), newPhone(t, b, "127.0.0.2")
	for i := range 500 {
		flooder.send(request("OPTIONS", "UDP", flooder.addr, i))
	}
	good.send(request("OPTIONS", "UDP", good.addr, 1000))
	if good.status(patience) != 200 {
		t.Error("the good phone is not served")
	}
	if s := b.Stats(); s.Throttled < 400 || s.Received > 101 {
		t.Errorf("%d throttled, %d received", s.Throttled, s.Received)
	}
}

func TestTheFilterDecidesBeforeAnythingIsRead(t *testing.T) {
	banned := netip.MustParseAddr("127.0.0.3")
	b := newBox(t, Config{Filter: func(src netip.AddrPort, _ []byte) bool { return src.Addr() != banned }}, &echoer{})
	good, bad := newPhone(t, b, "127.0.0.2"), newPhone(t, b, "127.0.0.3")
	bad.send(request("OPTIONS", "UDP", bad.addr, 1))
	good.send(request("OPTIONS", "UDP", good.addr, 2))
	if good.status(patience) != 200 || b.Stats().Filtered != 1 || b.Stats().Received != 1 {
		t.Errorf("%+v", b.Stats())
	}
	if l := dialBox(t, b, "127.0.0.3"); !l.closedWithin(patience) {
		t.Error("a banned address may connect")
	}
}

func TestMalformedMessagesGetTheAnswerTheirStandardNames(t *testing.T) {
	b := newBox(t, Config{}, &echoer{})
	p := newPhone(t, b, "127.0.0.2")
	good := request("OPTIONS", "UDP", p.addr, 1)
	without := func(name string) string {
		var kept []string
		for line := range strings.SplitSeq(strings.TrimSuffix(good, "\r\n\r\n"), "\r\n") {
			if !strings.HasPrefix(line, name+":") {
				kept = append(kept, line)
			}
		}
		return text(kept...)
	}
	swap := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for i, c := range []struct {
		name, raw string
		want      int // 0: silence
	}{
		{"a good request", good, 200},
		{"without Call-ID", without("Call-ID"), 400},
		{"without CSeq", without("CSeq"), 400},
		{"without From", without("From"), 400},
		{"without To", without("To"), 400},
		{"without Via", without("Via"), 0},
		{"a CSeq of another method", swap("1 OPTIONS", "1 INVITE"), 400},
		{"a CSeq too large", swap("1 OPTIONS", "9999999999 OPTIONS"), 400},
		{"a second From", swap("To: ", "From: <sip:x@y>;tag=z\r\nTo: "), 400},
		{"a Content-Length beyond the datagram", swap("Content-Length: 0", "Content-Length: 999"), 400},
		{"a negative Content-Length", swap("Content-Length: 0", "Content-Length: -1"), 400},
		{"SIP/7.0", swap("SIP/2.0\r\n", "SIP/7.0\r\n"), 505},
		{"a Request-URI that is none", swap("sip:100@127.0.0.1", "<>"), 400},
		{"blanks in the Request-URI", swap("sip:100@127.0.0.1", "sip:100@127.0.0.1; lr"), 400},
		{"a line without colon", swap("Max-Forwards: 70", "nonsense"), 400},
		{"an unterminated quote in From", swap("From: <sip", `From: "Bell, Alexander <sip`), 400},
		{"201 headers", swap("Max-Forwards: 70", "Max-Forwards: 70"+strings.Repeat("\r\nX: y", 201)), 400},
		{"71 Vias", swap("Max-Forwards: 70", "Max-Forwards: 70"+strings.Repeat("\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKz", 71)), 400},
		{"an ACK that is broken", strings.ReplaceAll(swap("1 OPTIONS", "1 INVITE"), "OPTIONS sip", "ACK sip"), 0},
		{"a response that is broken", "SIP/2.0 xxx OK\r\nVia: SIP/2.0/UDP h\r\n\r\n", 0},
		{"only a start line", "OPTIONS sip:100@127.0.0.1 SIP/2.0\r\n\r\n", 0},
		{"junk", "\x00\x01\x02 hello", 0},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", 0},
		{"a keep-alive", "\r\n\r\n", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.t = t
			p.send(strings.ReplaceAll(c.raw, "z9hG4bKb1", fmt.Sprintf("z9hG4bKm%d", i)))
			fence := request("OPTIONS", "UDP", p.addr, 1000+i)
			p.send(fence)
			var got []int
			for {
				raw := p.hear(patience)
				if raw == "" {
					t.Fatal("the stack is silent")
				}
				if strings.Contains(raw, fmt.Sprintf("z9hG4bKb%d;", 1000+i)) {
					break
				}
				got = append(got, statusOf(raw))
			}
			if c.want == 0 && len(got) != 0 || c.want != 0 && fmt.Sprint(got) != fmt.Sprint([]int{c.want}) {
				// The answer of another shard may come after the fence.
				if c.want != 0 && len(got) == 0 && p.status(patience) == c.want {
					return
				}
				t.Errorf("answered %v, want %d", got, c.want)
			}
		})
	}
	if n := b.Stats().Panics; n != 0 {
		t.Errorf("%d panics", n)
	}
}

func TestAResponseGoesToTheSourcePortOnlyWhenRportAsksSo(t *testing.T) {
	b := newBox(t, Config{}, &echoer{})
	asking, plain := newPhone(t, b, "127.0.0.2"), newPhone(t, b, "127.0.0.2")
	elsewhere := netip.AddrPortFrom(asking.addr.Addr(), asking.addr.Port())
	// plain names asking's port in its Via, without rport: the answer goes there.
	plain.send(strings.Replace(request("OPTIONS", "UDP", elsewhere, 1), ";rport", "", 1))
	raw := asking.hear(patience)
	if statusOf(raw) != 200 || strings.Contains(raw, "rport") {
		t.Errorf("answered %q", raw)
	}
	// asking says a wrong host; rport brings the answer back and tells it who it is.
	asking.send(strings.Replace(request("OPTIONS", "UDP", asking.addr, 2), "Via: SIP/2.0/UDP 127.0.0.2", "Via: SIP/2.0/UDP 10.9.9.9", 1))
	raw = asking.hear(patience)
	if want := fmt.Sprintf("rport=%d;received=127.0.0.2", asking.addr.Port()); !strings.Contains(raw, want) {
		t.Errorf("answered %q without %s", raw, want)
	}
}

func TestFinding9_3000BytesOverUDPPassInBothDirections(t *testing.T) {
	big := bytes.Repeat([]byte("a"), 3000)
	rec := &recorder{request: func(tx *ServerTx) {
		if len(tx.Request().Body()) != 3000 {
			t.Errorf("a body of %d bytes arrived", len(tx.Request().Body()))
		}
		if err := tx.Respond(sip.NewResponseFromRequest(tx.Request(), 200, "OK", big)); err != nil {
			t.Error(err)
		}
	}}
	b := newBox(t, Config{MaxDatagram: 4000}, rec)
	p := newPhone(t, b, "127.0.0.2")
	p.send(strings.Replace(request("MESSAGE", "UDP", p.addr, 1), "Content-Length: 0", "Content-Length: 3000", 1) + string(big))
	if raw := p.hear(patience); statusOf(raw) != 200 || !strings.HasSuffix(raw, string(big)) {
		t.Errorf("answered %d bytes", len(raw))
	}
	req := newRequest(sip.MESSAGE, "big")
	req.SetBody(big)
	to := Flow{Transport: "udp", Local: b.udp, Remote: p.addr}
	if _, err := b.Request(req, to, func(Result) {}); err != nil {
		t.Error(err)
	}
	if raw := p.hear(patience); len(raw) < 3000 {
		t.Errorf("%d bytes were sent", len(raw))
	}
	if n := b.Stats().Oversize; n != 2 {
		t.Errorf("%d counted as oversize", n)
	}
	tooBig := newRequest(sip.MESSAGE, "bigger")
	tooBig.SetBody(bytes.Repeat(big, 2))
	failed := make(chan error, 1)
	if _, err := b.Request(tooBig, to, func(r Result) { failed <- r.Err }); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, ErrTransport) {
		t.Errorf("6,000 bytes with a limit of 4,000: %v", err)
	}
}

func TestFinding13_EachListenerAnswersFromItsOwnPortAndSurvivesItsErrors(t *testing.T) {
	b := newBox(t, Config{}, &echoer{})
	if err := b.ListenUDP(netip.MustParseAddrPort("127.0.0.1:0")); err != nil { // after Serve
		t.Fatal(err)
	}
	for i, local := range b.Addresses("udp") {
		p := newPhone(t, &box{udp: local}, "127.0.0.2")
		p.send(request("OPTIONS", "UDP", p.addr, i))
		if p.status(patience) != 200 {
			t.Errorf("%s does not answer", local)
		}
		_, port := b.Contact(Flow{Transport: "udp", Local: local, Remote: p.addr})
		if port != int(local.Port()) {
			t.Errorf("the Contact of %s names port %d", local, port)
		}
	}
	if n := len(b.Addresses("udp")); n != 2 {
		t.Errorf("%d listeners", n)
	}
}

func TestAPortInUseIsSaidInWords(t *testing.T) {
	b := newBox(t, Config{}, &echoer{})
	for _, c := range []struct {
		listen func(netip.AddrPort) error
		addr   netip.AddrPort
		want   string
	}{
		{b.ListenUDP, b.udp, fmt.Sprintf("SIP cannot listen on UDP %s: another program uses this port", b.udp)},
		{b.ListenTCP, b.tcp, fmt.Sprintf("SIP cannot listen on TCP %s: another program uses this port", b.tcp)},
		{b.ListenUDP, netip.MustParseAddrPort("192.0.2.77:5060"), "SIP cannot listen on UDP 192.0.2.77:5060: this machine has no such address"},
	} {
		if err := c.listen(c.addr); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func TestAWildcardSocketShowsTheAddressThatLeadsToTheOtherSide(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", "[::]:0"} {
		s, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		if err := s.ListenUDP(netip.MustParseAddrPort(listen)); err != nil {
			t.Fatal(err)
		}
		s.Serve(&echoer{})
		local := s.Addresses("udp")[0]
		p := newPhone(t, &box{udp: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), local.Port())}, "127.0.0.1")
		p.send(request("OPTIONS", "UDP", p.addr, 1))
		if p.status(patience) != 200 {
			t.Errorf("%s does not answer", listen)
		}
		f, err := s.Resolve(t.Context(), sip.Uri{Host: "127.0.0.1", Port: int(p.addr.Port())}, "")
		if err != nil {
			t.Fatal(err)
		}
		if host, port := s.Contact(f); host != "127.0.0.1" || port != int(local.Port()) {
			t.Errorf("Contact on %s: %s:%d", listen, host, port)
		}
	}
}

func TestTheLogSaysEachKindOnceASecondAndNoContent(t *testing.T) {
	var mu sync.Mutex
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return out.Write(p)
	}), nil))
	b := newBox(t, Config{Log: log}, &echoer{})
	p := newPhone(t, b, "127.0.0.2")
	for range 100 {
		p.send("OPTIONS sip:+390212345678@x SIP/2.0\r\nnonsense\r\n\r\n")
	}
	eventually(t, "all are counted", func() bool { return b.Stats().Malformed == 100 })
	mu.Lock()
	defer mu.Unlock()
	if lines := strings.Count(out.String(), "\n"); lines < 1 || lines > 2 || strings.Contains(out.String(), "0212345678") {
		t.Errorf("logged %d lines:\n%s", lines, out.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
