package stack

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
)

// names is a Resolver from tables, which counts.
type names struct {
	srv   map[string][]*net.SRV
	addrs map[string][]netip.Addr
	asked int
}

func (n *names) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	n.asked++
	if r := n.srv["_"+service+"._"+proto+"."+name]; r != nil {
		return name, r, nil
	}
	return "", nil, errors.New("no such record")
}

func (n *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.asked++
	if a := n.addrs[host]; a != nil {
		return a, nil
	}
	return nil, errors.New("no such host")
}

func TestResolveFollowsTheURIAndTheRecords(t *testing.T) {
	v4, v6 := netip.MustParseAddr("192.0.2.5"), netip.MustParseAddr("2001:db8::5")
	n := &names{
		srv: map[string][]*net.SRV{
			"_sip._udp.carrier.example": {{Target: "gone.example", Port: 1}, {Target: "b.example", Port: 5070}},
			"_sip._tcp.carrier.example": {{Target: "b.example", Port: 5080}},
		},
		addrs: map[string][]netip.Addr{"b.example": {v6, v4}, "carrier.example": {v4}, "six.example": {v6}},
	}
	s, err := New(Config{Resolver: n})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	param := func(v string) sip.HeaderParams { return sip.HeaderParams{{K: "transport", V: v}} }
	for _, c := range []struct {
		name      string
		uri       sip.Uri
		transport string
		want      string // transport and remote; "" for an error
	}{
		{"an address", sip.Uri{Host: "192.0.2.9"}, "", "udp 192.0.2.9:5060"},
		{"an address with port", sip.Uri{Host: "192.0.2.9", Port: 5062}, "", "udp 192.0.2.9:5062"},
		{"an IPv6 address", sip.Uri{Host: "[2001:db8::9]", Port: 5062}, "", "udp [2001:db8::9]:5062"},
		{"the URI's transport", sip.Uri{Host: "192.0.2.9", UriParams: param("TCP")}, "", "tcp 192.0.2.9:5060"},
		{"the caller's transport first", sip.Uri{Host: "192.0.2.9", UriParams: param("tcp")}, "udp", "udp 192.0.2.9:5060"},
		{"SRV, the first target that has an address", sip.Uri{Host: "carrier.example"}, "", "udp 192.0.2.5:5070"},
		{"SRV of TCP", sip.Uri{Host: "carrier.example"}, "tcp", "tcp 192.0.2.5:5080"},
		{"a port asks for no SRV", sip.Uri{Host: "carrier.example", Port: 5062}, "", "udp 192.0.2.5:5062"},
		{"no SRV", sip.Uri{Host: "six.example"}, "", "udp [2001:db8::5]:5060"},
		{"an unknown name", sip.Uri{Host: "nobody.example"}, "", ""},
		{"sips", sip.Uri{Scheme: "sips", Host: "192.0.2.9"}, "", "tls 192.0.2.9:5061"},
		{"sips over TCP is TLS", sip.Uri{Scheme: "sips", Host: "192.0.2.9", UriParams: param("tcp")}, "", "tls 192.0.2.9:5061"},
		{"sips over UDP", sip.Uri{Scheme: "sips", Host: "192.0.2.9"}, "udp", ""},
		{"TLS with a port", sip.Uri{Host: "192.0.2.9", Port: 5070}, "tls", "tls 192.0.2.9:5070"},
		{"an unknown transport", sip.Uri{Host: "192.0.2.9", UriParams: param("sctp")}, "", ""},
	} {
		f, err := s.Resolve(t.Context(), c.uri, c.transport)
		got := f.Transport + " " + f.Remote.String()
		if err != nil {
			got = ""
			if !errors.Is(err, ErrTransport) {
				t.Errorf("%s: %v is not ErrTransport", c.name, err)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestFinding13_NamesAreAskedOnceAMinuteAndFailuresEvery5s(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &names{addrs: map[string][]netip.Addr{"a.example": {netip.MustParseAddr("192.0.2.5")}}}
		cache := newNameCache(n)
		ask := func(host string) { _, _ = cache.lookup(t.Context(), "udp", host, 5060) }
		for range 100 {
			ask("a.example")
			ask("x.example")
		}
		if n.asked != 2 {
			t.Errorf("asked %d times", n.asked)
		}
		time.Sleep(6 * time.Second)
		ask("a.example")
		ask("x.example")
		if n.asked != 3 {
			t.Errorf("asked %d times after 6 s", n.asked)
		}
		time.Sleep(time.Minute)
		ask("a.example")
		if n.asked != 4 {
			t.Errorf("asked %d times after a minute", n.asked)
		}
		for i := range 2 * maxNames {
			ask(string(rune('a'+i%26)) + string(rune('a'+i/26)) + ".example")
		}
		if len(cache.names) > maxNames {
			t.Errorf("%d names remembered", len(cache.names))
		}
	})
}
