package mdns

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

var page = Service{Instance: "Pronto 7H3K9QXA", Kind: "_http._tcp", Port: 80, Text: []string{"id=7H3K9QXA"}}

func TestOnlyWhoLooksForTheServiceIsAnswered(t *testing.T) {
	for _, tc := range []struct {
		name string
		kind dnsmessage.Type
		want reply
	}{
		{"_services._dns-sd._udp.local.", dnsmessage.TypePTR, listing},
		{"_http._tcp.local.", dnsmessage.TypePTR, pointer},
		{"_http._tcp.local.", dnsmessage.TypeALL, pointer},
		{"pronto 7h3k9qxa._http._tcp.local.", dnsmessage.TypeSRV, details},
		{"pronto 7h3k9qxa._http._tcp.local.", dnsmessage.TypeTXT, details},
		{"_http._tcp.local.", dnsmessage.TypeA, nothing},
		{"_ipp._tcp.local.", dnsmessage.TypePTR, nothing},
		{"another._http._tcp.local.", dnsmessage.TypeSRV, nothing},
	} {
		if got := page.asked(serviceQuestion{name: tc.name, kind: tc.kind}); got != tc.want {
			t.Errorf("%s %v: %v, want %v", tc.name, tc.kind, got, tc.want)
		}
	}
	if got := (Service{}).asked(serviceQuestion{name: "_http._tcp.local.", kind: dnsmessage.TypePTR}); got != nothing {
		t.Errorf("without a service: %v", got)
	}
}

// said unpacks a message of ours, as "name TYPE value ttl".
func said(t *testing.T, b []byte) (all []string) {
	t.Helper()
	var m dnsmessage.Message
	if err := m.Unpack(b); err != nil {
		t.Fatal(err)
	}
	for _, r := range append(m.Answers, m.Additionals...) {
		line := r.Header.Name.String() + " " + strings.TrimPrefix(r.Header.Type.String(), "Type") + " "
		switch v := r.Body.(type) {
		case *dnsmessage.PTRResource:
			line += v.PTR.String()
		case *dnsmessage.SRVResource:
			line += v.Target.String()
		case *dnsmessage.TXTResource:
			line += strings.Join(v.TXT, " ")
		case *dnsmessage.AResource:
			line += netip.AddrFrom4(v.A).String()
		case *dnsmessage.AAAAResource:
			line += netip.AddrFrom16(v.AAAA).String()
		}
		if r.Header.TTL == 0 {
			line += " gone"
		}
		all = append(all, line)
	}
	return all
}

func TestTheServiceIsSaidWithAllThatABrowserNeeds(t *testing.T) {
	addrs := []netip.Addr{ours, netip.MustParseAddr("fe80::1")}
	instance := []string{
		"Pronto 7H3K9QXA._http._tcp.local. SRV pronto-9qxa.local.", "Pronto 7H3K9QXA._http._tcp.local. TXT id=7H3K9QXA",
		"pronto-9qxa.local. A 192.168.1.50", "pronto-9qxa.local. AAAA fe80::1",
	}
	for r, want := range map[reply][]string{
		listing: {"_services._dns-sd._udp.local. PTR _http._tcp.local."},
		pointer: append([]string{"_http._tcp.local. PTR Pronto 7H3K9QXA._http._tcp.local."}, instance...),
		details: instance,
	} {
		b, err := page.answer(r, "pronto-9qxa", addrs, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := said(t, b); !slices.Equal(got, want) {
			t.Errorf("%v: %q, want %q", r, got, want)
		}
	}
	b, err := page.answer(pointer, "pronto-9qxa", nil, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range said(t, b) {
		if !strings.HasSuffix(l, " gone") {
			t.Errorf("a goodbye says %s", l)
		}
	}
}

func TestWhoKnowsTheAnswerIsNotToldAgain(t *testing.T) {
	for _, tc := range []struct {
		seconds uint32
		want    bool
	}{{sharedTTL, true}, {sharedTTL / 2, true}, {sharedTTL/2 - 1, false}} {
		q := dnsmessage.Message{
			Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("_http._tcp.local."), Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET}},
			Answers: []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("_http._tcp.local."), Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET, TTL: tc.seconds},
				Body:   &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("Pronto 7H3K9QXA._http._tcp.local.")},
			}},
		}
		b, err := q.Pack()
		if err != nil {
			t.Fatal(err)
		}
		m, err := read(b)
		if err != nil || len(m.services) != 1 || page.knows(m.known, page.asked(m.services[0])) != tc.want {
			t.Errorf("with %d seconds left: %+v, %v", tc.seconds, m, err)
		}
	}
}

func TestWhoIsAskedByManySpeaksOnceASecond(t *testing.T) {
	o := offered{Service: page, timer: time.NewTimer(time.Hour)}
	defer o.timer.Stop()
	for range 5 {
		o.hold(pointer, start, time.Hour)
		o.hold(listing, start, time.Hour)
	}
	if !slices.Equal(o.want, []reply{pointer, listing}) {
		t.Errorf("will say %v", o.want)
	}
	o.want, o.last[pointer] = nil, start
	if o.hold(pointer, start.Add(answerEvery-1), time.Hour); len(o.want) > 0 {
		t.Error("says it again at once")
	}
	if o.hold(pointer, start.Add(answerEvery), time.Hour); len(o.want) != 1 {
		t.Error("says it never again")
	}
}

func TestWhoLooksAroundInTheNetworkFindsTheBoxWithItsIPv6Address(t *testing.T) {
	if !alone(t) {
		return
	}
	far := wire(t)
	ip(t, "-6", "addr", "add", "fd00::50/64", "dev", "box", "nodad")
	running(t)
	conn := there(t, far, func() (*net.UDPConn, error) {
		lan, err := net.InterfaceByName("lan")
		if err != nil {
			return nil, err
		}
		return net.ListenMulticastUDP("udp4", lan, group)
	})
	t.Cleanup(func() { _ = conn.Close() })
	query := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("_http._tcp.local."), Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET}}}
	ask, err := query.Pack()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"_http._tcp.local. PTR Pronto 7H3K9QXA._http._tcp.local.", "Pronto 7H3K9QXA._http._tcp.local. SRV pronto-9qxa.local.",
		"Pronto 7H3K9QXA._http._tcp.local. TXT id=7H3K9QXA", "pronto-9qxa.local. A 192.168.77.50", "pronto-9qxa.local. AAAA fd00::50",
	}
	var heard []string
	b := make([]byte, 9000)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if _, err := conn.WriteToUDP(ask, group); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		for {
			n, _, err := conn.ReadFromUDP(b)
			if err != nil {
				break
			}
			heard = append(heard, said(t, b[:n])...)
		}
		if !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(heard, w) }) {
			return
		}
	}
	t.Errorf("heard %q", heard)
}
