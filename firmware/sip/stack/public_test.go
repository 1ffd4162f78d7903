package stack

import (
	"errors"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/nat"
)

// stamped is what sipgo writes into the Via of its responses.
var stamped = regexp.MustCompile(`;rport=\d+;received=[0-9.]+`)

func TestOurPublicAddressIsLearnedFromResponsesAndNamedWhereItIsAdvertised(t *testing.T) {
	type change struct{ was, now netip.AddrPort }
	changes := make(chan change, 8)
	b := newBox(t, Config{Reflected: func(_ Flow, was, now netip.AddrPort) { changes <- change{was, now} }}, &echoer{})
	p := newPhone(t, b, "127.0.0.5")
	to := Flow{Transport: "udp", Local: b.udp, Remote: p.addr}
	results := make(chan Result, 1)
	exchange := func(rewrite func(string) string) string {
		t.Helper()
		if _, err := b.Request(newRequest(sip.OPTIONS, "x"), to, func(r Result) { results <- r }); err != nil {
			t.Fatal(err)
		}
		raw := p.hear(patience)
		msg, err := sip.ParseMessage([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		p.send(rewrite(stamped.ReplaceAllString(answerTo(msg, 200, "OK", "t"), ";rport")))
		if r := <-results; r.Err != nil {
			t.Fatal(r.Err)
		}
		return raw
	}
	seenAs := func(addr string, port string) func(string) string {
		return func(res string) string {
			return strings.Replace(res, ";rport", ";received="+addr+";rport="+port, 1)
		}
	}
	exchange(func(res string) string { return res }) // a server that says nothing
	if got := b.Public(to); got.IsValid() {
		t.Errorf("learned %s from nothing", got)
	}
	first, second := netip.MustParseAddrPort("203.0.113.5:40001"), netip.MustParseAddrPort("203.0.113.9:40002")
	exchange(seenAs("203.0.113.5", "40001"))
	exchange(seenAs("203.0.113.5", "40001"))
	exchange(seenAs("203.0.113.9", "40002"))
	if got := b.Public(to); got != second {
		t.Errorf("public address %s", got)
	}
	for i, want := range []change{{netip.AddrPort{}, first}, {first, second}} {
		select {
		case got := <-changes:
			if got != want {
				t.Errorf("change %d: %v, want %v", i, got, want)
			}
		default:
			t.Errorf("change %d was not told", i)
		}
	}
	if len(changes) > 0 {
		t.Error("one change too many")
	}
	b.Advertise(p.addr.Addr(), netip.AddrPortFrom(second.Addr(), 0))
	if host, port := b.Contact(to); host != "203.0.113.9" || port != int(b.udp.Port()) {
		t.Errorf("contact %s:%d", host, port)
	}
	b.Advertise(p.addr.Addr(), second)
	if host, port := b.Contact(to); host != "203.0.113.9" || port != 40002 {
		t.Errorf("contact %s:%d", host, port)
	}
	if raw := exchange(seenAs("203.0.113.9", "40002")); !strings.Contains(raw, "Via: SIP/2.0/UDP 127.0.0.1:") {
		t.Errorf("the Via does not name the socket: %q", raw)
	}
	other := Flow{Transport: "udp", Local: b.udp, Remote: netip.MustParseAddrPort("127.0.0.6:5060")}
	if host, _ := b.Contact(other); host != "127.0.0.1" {
		t.Errorf("towards somebody else the contact is %s", host)
	}
	b.Advertise(p.addr.Addr(), netip.AddrPort{})
	if host, _ := b.Contact(to); host != "127.0.0.1" {
		t.Errorf("taken back, the contact is %s", host)
	}
	if f := b.Findings(); len(f) > 0 {
		t.Errorf("found %v", f)
	}
}

// alg is a router that rewrites SIP between a box and a server: on the way out it puts its own
// address in place of the box's.
func alg(t *testing.T, inside, server netip.AddrPort, outside string) netip.AddrPort {
	t.Helper()
	open := func() *net.UDPConn {
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 77)})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	lan, wan := open(), open()
	var wg sync.WaitGroup
	relay := func(from, via *net.UDPConn, to netip.AddrPort, rewrite func(string) string) {
		buf := make([]byte, 65535)
		for {
			n, _, err := from.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = via.WriteToUDPAddrPort([]byte(rewrite(string(buf[:n]))), to)
		}
	}
	wg.Go(func() {
		relay(lan, wan, server, func(s string) string { return strings.ReplaceAll(s, inside.String(), outside) })
	})
	wg.Go(func() { relay(wan, lan, inside, func(s string) string { return s }) })
	t.Cleanup(func() { _ = lan.Close(); _ = wan.Close(); wg.Wait() })
	return addrPortOf(lan.LocalAddr())
}

func TestARouterThatRewritesSIPIsNamedOnce(t *testing.T) {
	found := make(chan nat.Finding, 8)
	b := newBox(t, Config{Finding: func(f nat.Finding) { found <- f }}, &echoer{})
	far := newBox(t, Config{}, &echoer{})
	router := alg(t, b.udp, far.udp, "203.0.113.5:5060")
	for _, to := range []netip.AddrPort{far.udp, router, router} {
		results := make(chan Result, 1)
		if _, err := b.Request(newRequest(sip.OPTIONS, "x"), Flow{Transport: "udp", Local: b.udp, Remote: to}, func(r Result) { results <- r }); err != nil {
			t.Fatal(err)
		}
		if r := <-results; r.Err != nil {
			t.Fatal(r.Err)
		}
		if to == far.udp && len(found) > 0 {
			t.Errorf("without a router: %+v", <-found)
		}
	}
	f := <-found
	if f.Name != nat.SIPALG || f.Where != "Via" || f.Sent != b.udp.String() || f.Got != "203.0.113.5:5060" || f.Remote != router {
		t.Errorf("found %+v", f)
	}
	if len(found) > 0 || len(b.Findings()) != 1 {
		t.Errorf("told again: %+v", b.Findings())
	}
	// And on the way in: a call for the private address, though only the public one was named.
	p := newPhone(t, b, "127.0.0.5")
	b.Advertise(p.addr.Addr(), netip.MustParseAddrPort("203.0.113.5:5060"))
	p.send(request("OPTIONS", "UDP", p.addr, 1)) // for 127.0.0.1
	if got := p.status(patience); got != 200 {
		t.Errorf("answered %d", got)
	}
	if f := <-found; f.Name != nat.SIPALG || f.Where != "Request-URI" || f.Got != "127.0.0.1" {
		t.Errorf("found %+v", f)
	}
}

// stunServer answers binding requests, saying that they came from seen; a zero seen is the truth.
func stunServer(t *testing.T, seen netip.AddrPort) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 78)})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			id, ok := nat.RequestID(buf[:n])
			if !ok {
				continue
			}
			as := seen
			if !as.IsValid() {
				as = from
			}
			_, _ = conn.WriteToUDPAddrPort(nat.Answer(nat.ID{9}, as), from) // of somebody else
			_, _ = conn.WriteToUDPAddrPort(nat.Answer(id, as), from)
		}
	})
	t.Cleanup(func() { _ = conn.Close(); wg.Wait() })
	return addrPortOf(conn.LocalAddr())
}

func TestASTUNServerTellsTheAddressOfTheSIPSocket(t *testing.T) {
	b := newBox(t, Config{}, &echoer{})
	if got, err := b.STUN(t.Context(), stunServer(t, netip.AddrPort{})); err != nil || got != b.udp {
		t.Errorf("%v, %v; want the SIP socket %v", got, err, b.udp)
	}
	public := netip.MustParseAddrPort("203.0.113.5:1024")
	if got, err := b.STUN(t.Context(), stunServer(t, public)); err != nil || got != public {
		t.Errorf("%v, %v", got, err)
	}
	p := newPhone(t, b, "127.0.0.2")
	p.send(string(nat.Answer(nat.ID{1}, public)))
	eventually(t, "an answer that nobody asked for is junk", func() bool { return b.Stats().Junk >= 1 })
}

func TestASTUNServerThatIsSilentIsAskedFourTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, &recorder{})
		asked := 0
		b.stack.transmit = func(Flow, []byte, func(error)) error { asked++; return nil }
		start := time.Now()
		_, err := b.stack.STUN(t.Context(), netip.MustParseAddrPort("192.0.2.1:3478"))
		if !errors.Is(err, ErrTimeout) || asked != stunTries || time.Since(start) != 7500*time.Millisecond {
			t.Errorf("%v after %d questions and %s", err, asked, time.Since(start))
		}
		b.stack.transmit = func(Flow, []byte, func(error)) error { return net.ErrClosed }
		if _, err := b.stack.STUN(t.Context(), netip.MustParseAddrPort("192.0.2.1:3478")); !errors.Is(err, ErrTransport) {
			t.Error(err)
		}
		if len(b.stack.public.pending) > 0 {
			t.Error("it still waits")
		}
	})
}

func TestKeepAlivesComeLittleByLittleEarlierThanAskedUntilStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, &recorder{})
		sock := &udpSocket{stack: b.stack, local: b.flow.Local}
		b.stack.links.udp[sock.local] = sock // Alive asks for it; nothing is sent through it
		defer delete(b.stack.links.udp, sock.local)
		var mu sync.Mutex
		var at []time.Duration
		b.stack.transmit = func(to Flow, raw []byte, _ func(error)) error {
			mu.Lock()
			defer mu.Unlock()
			if string(raw) != "\r\n\r\n" || to != b.flow {
				t.Errorf("sent %q to %v", raw, to)
			}
			at = append(at, time.Since(b.start))
			return nil
		}
		stop := b.stack.KeepAlive(b.flow, KeepAlive{Every: 25 * time.Second}, func() { t.Error("lost") })
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		mu.Lock()
		if n := len(at); n < 24 || n > 30 {
			t.Errorf("%d in ten minutes", n)
		}
		last := time.Duration(0)
		even := true
		for i, a := range at {
			if gap := a - last; gap < 20*time.Second || gap > 25*time.Second {
				t.Errorf("a gap of %s", gap)
			} else if i > 0 && gap != at[0] {
				even = false
			}
			last = a
		}
		if even {
			t.Error("many boxes would beat at the same instant")
		}
		mu.Unlock()
		stop()
		n := len(at)
		time.Sleep(time.Minute)
		if len(at) != n {
			t.Error("it beats after stop")
		}
	})
}

func TestAFlowThatSTUNFindsDeadIsLostAndOneThatMovedIsLearned(t *testing.T) {
	b := newBox(t, Config{}, &echoer{})
	moved := netip.MustParseAddrPort("203.0.113.5:1024")
	f := Flow{Transport: "udp", Local: b.udp, Remote: stunServer(t, moved)}
	stop := b.KeepAlive(f, KeepAlive{Every: 20 * time.Millisecond, STUN: true}, func() { t.Error("lost") })
	eventually(t, "the public address is learned", func() bool { return b.Public(f) == moved })
	stop()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, &recorder{})
		sock := &udpSocket{stack: b.stack, local: b.flow.Local}
		b.stack.links.udp[sock.local] = sock
		defer delete(b.stack.links.udp, sock.local)
		b.stack.transmit = func(Flow, []byte, func(error)) error { return nil }
		lost := make(chan struct{})
		b.stack.KeepAlive(b.flow, KeepAlive{Every: 25 * time.Second, STUN: true}, func() { close(lost) })
		<-lost
		if d := time.Since(b.start); d < 40*time.Second || d > 60*time.Second {
			t.Errorf("lost after %s", d)
		}
	})
}

func TestAConnectionThatAnsweredPingsAndStopsIsLost(t *testing.T) {
	for name, c := range map[string]struct {
		pongs    int
		promised bool
		lost     bool
	}{
		"one that never answered is left alone":       {0, false, false},
		"one that promised to answer and does not":    {0, true, true},
		"one that answered twice and then is silent":  {2, false, true},
		"one that answers always is left alone":       {1 << 20, true, false},
		"one that answered always, though not asked":  {1 << 20, false, false},
		"one that promised and answered a while only": {3, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Whoever shall stay is given a second for each answer, and watched for two.
			pong, enough := 40*time.Millisecond, 12
			if c.pongs > 1000 {
				pong, enough = time.Second, 70
			}
			b := newBox(t, Config{Pong: pong}, &echoer{})
			ln, addr := server(t)
			f := Flow{Transport: "tcp", Remote: addr}
			if _, err := b.Request(newRequest(sip.OPTIONS, "x"), f, func(Result) {}); err != nil {
				t.Fatal(err)
			}
			conn, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			peer := newLine(t, conn)
			if _, err := peer.hear(patience); err != nil {
				t.Fatal(err)
			}
			lost := make(chan struct{})
			stop := b.KeepAlive(f, KeepAlive{Every: 30 * time.Millisecond, Answered: c.promised}, func() { close(lost) })
			defer stop()
			pings := 0
			ping := make([]byte, 4)
			for pings < enough {
				_ = conn.SetReadDeadline(time.Now().Add(patience))
				n, err := peer.in.Read(ping)
				if err != nil {
					break
				}
				for rest := ping[n:]; len(rest) > 0; {
					n, err := peer.in.Read(rest)
					if err != nil {
						t.Fatal(err)
					}
					rest = rest[n:]
				}
				if pings++; pings <= c.pongs {
					peer.send("\r\n")
				}
			}
			if c.lost {
				<-lost
				if b.Alive(f) {
					t.Error("the connection stands")
				}
				return
			}
			select {
			case <-lost:
				t.Error("lost")
			default:
			}
			if pings < enough {
				t.Errorf("closed after %d pings", pings)
			}
			_ = conn.Close()
			<-lost // a connection that is gone is lost too
		})
	}
}

func TestAChangeOfOurAddressIsToldAndEndsItsConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, &recorder{})
		home, away := netip.MustParseAddr("192.168.1.9"), netip.MustParseAddr("10.0.0.9")
		remote := netip.MustParseAddrPort("203.0.113.1:5060")
		var mu sync.Mutex
		ours := home
		b.stack.routes.ask = func(netip.AddrPort) netip.Addr { mu.Lock(); defer mu.Unlock(); return ours }
		move := func(a netip.Addr) { mu.Lock(); ours = a; mu.Unlock() }
		type change struct{ was, now netip.Addr }
		var told []change
		stop := b.stack.WatchAddress(remote, 5*time.Second, func(was, now netip.Addr) { told = append(told, change{was, now}) })
		f := Flow{Transport: "udp", Remote: remote}
		contact := func() string { host, _ := b.stack.Contact(f); return host }
		if contact() != "192.168.1.9" {
			t.Error(contact())
		}
		time.Sleep(time.Minute)
		for _, a := range []netip.Addr{{}, away} {
			move(a)
			time.Sleep(6 * time.Second)
		}
		if contact() != "10.0.0.9" {
			t.Errorf("the contact is still %s", contact())
		}
		stop()
		move(home)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(told) != 2 || told[0] != (change{home, netip.Addr{}}) || told[1] != (change{netip.Addr{}, away}) {
			t.Errorf("told %v", told)
		}
	})
	b := newBox(t, Config{}, &echoer{})
	far := newBox(t, Config{}, &echoer{})
	to := Flow{Transport: "tcp", Remote: far.tcp}
	results := make(chan Result, 1)
	if _, err := b.Request(newRequest(sip.OPTIONS, "x"), to, func(r Result) { results <- r }); err != nil {
		t.Fatal(err)
	}
	if r := <-results; r.Err != nil || !b.Alive(to) {
		t.Fatal(r.Err)
	}
	b.endFrom(far.tcp, netip.MustParseAddr("192.168.1.9"))
	if !b.Alive(to) {
		t.Error("a connection on another address was closed")
	}
	b.endFrom(far.tcp, netip.MustParseAddr("127.0.0.1"))
	if b.Alive(to) {
		t.Error("the connection on the old address stands")
	}
}
