package stack

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dns"
	"github.com/pronto-pbx/pronto/firmware/sip/dns/dnstest"
)

// nameServer is a name server and the client that asks it.
func nameServer(t testing.TB) (*dnstest.Server, *dns.Client) {
	t.Helper()
	s := dnstest.New(t, "127.0.0.53")
	return s, dns.New(dns.Config{Servers: []netip.AddrPort{s.Addr}, Hosts: os.DevNull, ResolvConf: os.DevNull, Timeout: time.Second})
}

func ways(targets []Target) (all []string) {
	for _, t := range targets {
		all = append(all, t.Flow.Transport+" "+t.Flow.Remote.String())
	}
	return all
}

func TestTargetsFollowTheURIAndTheRecords(t *testing.T) {
	n, client := nameServer(t)
	n.NAPTR("full.example", 60, 20, 1, "SIP+D2T", "_sip._tcp.full.example")
	n.NAPTR("full.example", 60, 10, 1, "SIPS+D2T", "_sips._tcp.full.example")
	n.NAPTR("full.example", 60, 5, 1, "SIP+D2W", "_sip._ws.full.example")
	n.SRV("_sips._tcp.full.example", 60, 0, 0, 5071, "a.full.example")
	n.SRV("_sip._tcp.full.example", 60, 2, 0, 5080, "a.full.example")
	n.SRV("_sip._tcp.full.example", 60, 1, 0, 5081, "b.full.example")
	n.SRV("_sip._tcp.full.example", 60, 0, 0, 5082, "gone.full.example")
	n.SRV("_sip._udp.full.example", 60, 0, 0, 5090, "a.full.example")
	n.Addrs("a.full.example", 60, "192.0.2.1", "2001:db8::1")
	n.Addrs("b.full.example", 60, "192.0.2.2")
	n.Addrs("full.example", 60, "192.0.2.3")
	n.SRV("_sip._tcp.tcponly.example", 60, 0, 0, 5060, "b.full.example")
	n.Addrs("six.example", 60, "2001:db8::6")
	n.Addrs("plain.example", 60, "192.0.2.4", "192.0.2.5")
	n.SRV("_sip._udp.closed.example", 60, 0, 0, 0, ".")
	n.Addrs("closed.example", 60, "192.0.2.6")
	s, err := New(Config{Names: client})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	param := func(v string) sip.HeaderParams { return sip.HeaderParams{{K: "transport", V: v}} }
	for _, c := range []struct {
		name      string
		uri       sip.Uri
		transport string
		want      string // "" for an error
	}{
		{"an address", sip.Uri{Host: "192.0.2.9"}, "", "udp 192.0.2.9:5060"},
		{"an address with port", sip.Uri{Host: "192.0.2.9", Port: 5062}, "", "udp 192.0.2.9:5062"},
		{"an IPv6 address", sip.Uri{Host: "[2001:db8::9]", Port: 5062}, "", "udp [2001:db8::9]:5062"},
		{"the URI's transport", sip.Uri{Host: "192.0.2.9", UriParams: param("TCP")}, "", "tcp 192.0.2.9:5060"},
		{"the caller's transport first", sip.Uri{Host: "192.0.2.9", UriParams: param("tcp")}, "udp", "udp 192.0.2.9:5060"},
		{"maddr", sip.Uri{Host: "full.example", UriParams: sip.HeaderParams{{K: "maddr", V: "192.0.2.9"}}}, "", "udp 192.0.2.9:5060"},
		{
			"NAPTR, then SRV, then A and AAAA",
			sip.Uri{Host: "Full.Example"},
			"",
			"tls 192.0.2.1:5071, tls [2001:db8::1]:5071, tcp 192.0.2.2:5081, tcp 192.0.2.1:5080, tcp [2001:db8::1]:5080",
		},
		{"a transport asks for no NAPTR", sip.Uri{Host: "full.example"}, "udp", "udp 192.0.2.1:5090, udp [2001:db8::1]:5090"},
		{"a port asks for no SRV", sip.Uri{Host: "full.example", Port: 5062}, "", "udp 192.0.2.3:5062"},
		{"no NAPTR, the transport that has SRV", sip.Uri{Host: "tcponly.example"}, "", "tcp 192.0.2.2:5060"},
		{"no SRV, every address", sip.Uri{Host: "plain.example"}, "", "udp 192.0.2.4:5060, udp 192.0.2.5:5060"},
		{"no SRV, IPv6 alone", sip.Uri{Host: "six.example"}, "tcp", "tcp [2001:db8::6]:5060"},
		{"sips of a name", sip.Uri{Scheme: "sips", Host: "full.example"}, "", "tls 192.0.2.1:5071, tls [2001:db8::1]:5071"},
		{"sips of a name without SRV", sip.Uri{Scheme: "sips", Host: "plain.example"}, "", "tls 192.0.2.4:5061, tls 192.0.2.5:5061"},
		{"sips of an address", sip.Uri{Scheme: "sips", Host: "192.0.2.9"}, "", "tls 192.0.2.9:5061"},
		{"sips over TCP is TLS", sip.Uri{Scheme: "sips", Host: "192.0.2.9", UriParams: param("tcp")}, "", "tls 192.0.2.9:5061"},
		{"sips over UDP", sip.Uri{Scheme: "sips", Host: "192.0.2.9"}, "udp", ""},
		{"an unknown name", sip.Uri{Host: "nobody.example"}, "", ""},
		{"an unknown transport", sip.Uri{Host: "192.0.2.9", UriParams: param("sctp")}, "", ""},
	} {
		targets, err := s.Targets(t.Context(), c.uri, c.transport)
		if got := strings.Join(ways(targets), ", "); got != c.want {
			t.Errorf("%s:\n%q, want\n%q (%v)", c.name, got, c.want, err)
		}
		f, errOne := s.Resolve(t.Context(), c.uri, c.transport)
		if c.want == "" {
			if !errors.Is(err, ErrTransport) || !errors.Is(errOne, ErrTransport) {
				t.Errorf("%s: %v is not ErrTransport", c.name, err)
			}
		} else if f != targets[0].Flow {
			t.Errorf("%s: Resolve says %v", c.name, f)
		}
	}
	n.Silence(true)
	if _, err := s.Targets(t.Context(), sip.Uri{Host: "late.example"}, ""); !errors.Is(err, dns.ErrNoServer) {
		t.Errorf("a dead name server: %v", err)
	}
}

func TestFinding13_EachRecordIsAskedForOnceWhileItLives(t *testing.T) {
	n, client := nameServer(t)
	n.Addrs("a.example", 60, "192.0.2.1")
	s, err := New(Config{Names: client})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for range 50 {
		if _, err := s.Resolve(t.Context(), sip.Uri{Host: "a.example", Port: 5060}, ""); err != nil {
			t.Fatal(err)
		}
	}
	if got := n.Asked(); !slices.Equal(got, []string{"A a.example", "AAAA a.example"}) {
		t.Errorf("asked %v", got)
	}
}

func TestServersOfOnePriorityAreDrawnByWeight(t *testing.T) {
	records := []dns.SRV{
		{Priority: 1, Weight: 70, Target: "often"},
		{Priority: 1, Weight: 30, Target: "seldom"},
		{Priority: 1, Weight: 0, Target: "hardly"},
		{Priority: 0, Weight: 0, Target: "first"},
		{Priority: 2, Weight: 99, Target: "last"},
	}
	second := map[string]int{}
	for lot := range uint64(2000) {
		got := drawn(records, lot, "x")
		if got[0].Target != "first" || got[4].Target != "last" || len(got) != 5 {
			t.Fatalf("order %v", got)
		}
		second[got[1].Target]++
		slices.Reverse(records) // the answer comes in another order
		if again := drawn(records, lot, "x"); !slices.Equal(again, got) {
			t.Fatalf("the order changed from %v to %v", got, again)
		}
		slices.Reverse(records)
	}
	if o, s, h := second["often"], second["seldom"], second["hardly"]; o < 1200 || o > 1600 || s < 400 || s > 800 || h > 100 {
		t.Errorf("of 2,000: %d of weight 70, %d of 30, %d of 0", o, s, h)
	}
}

func TestTheWayThatFailedIsTriedLastUntilItSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Stack
		flow := func(host string) Flow {
			return Flow{Transport: "udp", Remote: netip.AddrPortFrom(netip.MustParseAddr(host), 5060)}
		}
		a, b, c := flow("192.0.2.1"), flow("192.0.2.2"), flow("192.0.2.3")
		order := func() string {
			targets := []Target{{Flow: a}, {Flow: b}, {Flow: c}}
			s.penalties.order(targets)
			var last []string
			for _, t := range targets {
				last = append(last, t.Flow.Remote.Addr().String()[8:])
			}
			return strings.Join(last, "")
		}
		want := func(w string) {
			t.Helper()
			if got := order(); got != w {
				t.Errorf("order %s, want %s", got, w)
			}
		}
		want("123")
		s.Penalise(a)
		s.Penalise(a) // at the same time: one failure
		want("231")
		time.Sleep(2 * time.Second)
		s.Penalise(b)
		want("312")
		time.Sleep(firstPenalty - 2*time.Second)
		want("132")
		s.Penalise(a) // again: for twice as long
		time.Sleep(firstPenalty + time.Second)
		want("231")
		time.Sleep(firstPenalty)
		want("123")
		for range 10 {
			s.Penalise(a)
			time.Sleep(2 * time.Second)
		}
		if d := time.Until(s.Penalised(a)); d > maxPenalty {
			t.Errorf("penalty of %s", d)
		}
		s.judge(a, Result{Response: &sip.Response{StatusCode: 200}})
		want("123")
		busy := sip.NewResponse(503, "Service Unavailable")
		busy.AppendHeader(sip.NewHeader("Retry-After", "120 (maintenance)"))
		s.judge(a, Result{Response: busy})
		if d := time.Until(s.Penalised(a)); d != 2*time.Minute {
			t.Errorf("Retry-After of two minutes became %s", d)
		}
		for i := range 3 * maxPenalised {
			s.Penalise(Flow{Transport: "tcp", Remote: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.9"), uint16(i))})
		}
		if len(s.penalties.box) > maxPenalised {
			t.Errorf("%d in the box", len(s.penalties.box))
		}
	})
}

func TestARequestGoesOnToTheNextServerThatAnswers(t *testing.T) {
	n, client := nameServer(t)
	b := newBox(t, Config{Names: client}, &echoer{})
	busy := newBox(t, Config{}, &recorder{request: func(tx *ServerTx) {
		_ = tx.Respond(sip.NewResponseFromRequest(tx.Request(), 503, "Service Unavailable", nil))
	}})
	mute := newPhone(t, b, "127.0.0.8")
	good := newBox(t, Config{}, &echoer{})
	closed, _ := server(t)
	closedAt := addrPortOf(closed.Addr())
	_ = closed.Close()
	for i, at := range []netip.AddrPort{busy.udp, mute.addr, good.udp} {
		name := string(rune('a'+i)) + ".example"
		n.Addrs(name, 60, at.Addr().String())
		n.SRV("_sip._udp.carrier.example", 60, uint16(i), 0, at.Port(), name)
	}
	targets, err := b.Targets(t.Context(), sip.Uri{Host: "carrier.example"}, "udp")
	if err != nil || len(targets) != 3 {
		t.Fatal(targets, err)
	}
	targets = slices.Insert(targets, 1, Target{Flow: Flow{Transport: "tcp", Remote: closedAt}})
	type end struct {
		Result
		at Target
	}
	ends := make(chan end, 4)
	send := func(targets []Target) end {
		t.Helper()
		err := b.RequestAny(newRequest(sip.OPTIONS, "any"), targets, 50*time.Millisecond, func(r Result, at Target) { ends <- end{r, at} })
		if err != nil {
			t.Fatal(err)
		}
		return <-ends
	}
	e := send(targets)
	if e.Err != nil || e.Response.StatusCode != 200 || e.at.Host != "c.example" {
		t.Fatalf("ended with %+v at %+v", e.Result, e.at)
	}
	for i, target := range targets {
		if bad := !b.Penalised(target.Flow).IsZero(); bad != (i < 3) {
			t.Errorf("target %d penalised: %v", i, bad)
		}
	}
	if again, err := b.Targets(t.Context(), sip.Uri{Host: "carrier.example"}, "udp"); err != nil || again[0].Host != "c.example" {
		t.Errorf("next time the first is %+v, %v", again, err)
	}
	if e := send(targets[:1]); e.Err != nil || e.Response.StatusCode != 503 {
		t.Errorf("where all are busy: %+v", e.Result)
	}
	if e := send(targets[1:2]); !errors.Is(e.Err, ErrTransport) {
		t.Errorf("where none is reached: %+v", e.Result)
	}
	if err := b.RequestAny(newRequest(sip.INVITE, "any"), targets, time.Second, nil); !errors.Is(err, ErrRequest) {
		t.Errorf("an INVITE: %v", err)
	}
	if err := b.RequestAny(newRequest(sip.OPTIONS, "any"), nil, time.Second, nil); !errors.Is(err, ErrTransport) {
		t.Errorf("no target: %v", err)
	}
}
