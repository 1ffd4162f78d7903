package dns_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/pronto-pbx/pronto/firmware/sip/dns"
	"github.com/pronto-pbx/pronto/firmware/sip/dns/dnstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client asks the servers, each for so long: as long as a slow machine may need, but where one does not answer.
func client(timeout time.Duration, servers ...*dnstest.Server) *dns.Client {
	cfg := dns.Config{Hosts: os.DevNull, ResolvConf: os.DevNull, Timeout: timeout}
	for _, s := range servers {
		cfg.Servers = append(cfg.Servers, s.Addr)
	}
	return dns.New(cfg)
}

func TestEachKindOfRecordIsReadAsItWasWritten(t *testing.T) {
	for name, truncate := range map[string]bool{"over UDP": false, "over TCP when it does not fit": true} {
		t.Run(name, func(t *testing.T) {
			s := dnstest.New(t, "127.0.0.53")
			s.Truncate(truncate)
			s.NAPTR("carrier.example", 60, 20, 10, "SIP+D2U", "_sip._udp.carrier.example")
			s.NAPTR("carrier.example", 60, 10, 50, "SIPS+D2T", "_sips._tcp.carrier.example")
			s.SRV("_sip._udp.carrier.example", 60, 1, 2, 5070, "a.carrier.example")
			s.Addrs("a.carrier.example", 60, "2001:db8::1", "192.0.2.1")
			c := client(10*time.Second, s)
			rules, err := c.NAPTR(t.Context(), "Carrier.Example.")
			want := []dns.NAPTR{
				{Order: 10, Preference: 50, Flags: "s", Service: "SIPS+D2T", Replacement: "_sips._tcp.carrier.example"},
				{Order: 20, Preference: 10, Flags: "s", Service: "SIP+D2U", Replacement: "_sip._udp.carrier.example"},
			}
			if err != nil || !reflect.DeepEqual(rules, want) {
				t.Errorf("NAPTR %+v, %v", rules, err)
			}
			srv, err := c.SRV(t.Context(), "_sip._udp.carrier.example")
			if err != nil || !slices.Equal(srv, []dns.SRV{{Priority: 1, Weight: 2, Port: 5070, Target: "a.carrier.example"}}) {
				t.Errorf("SRV %+v, %v", srv, err)
			}
			addrs, err := c.Addrs(t.Context(), "a.carrier.example")
			if err != nil || !slices.Equal(addrs, []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}) {
				t.Errorf("addresses %v, %v", addrs, err)
			}
			if _, err := c.SRV(t.Context(), "nothing.example"); !errors.Is(err, dns.ErrNoRecord) {
				t.Errorf("of nothing: %v", err)
			}
		})
	}
}

func TestAnswersAreKeptForTheirTimeAndAskedOnceAtATime(t *testing.T) {
	s := dnstest.New(t, "127.0.0.53")
	s.SRV("short.example", 2, 0, 0, 1, "a.example")
	s.SRV("long.example", 3600, 0, 0, 1, "a.example")
	c := client(10*time.Second, s)
	ask := func() {
		var wg sync.WaitGroup
		for range 20 {
			for _, name := range []string{"short.example", "long.example", "none.example"} {
				wg.Go(func() { _, _ = c.SRV(t.Context(), name) })
			}
		}
		wg.Wait()
	}
	ask()
	if got := s.Asked(); !slices.Equal(got, []string{"SRV long.example", "SRV none.example", "SRV short.example"}) {
		t.Errorf("asked %v", got)
	}
	for end := time.Now().Add(10 * time.Second); len(s.Asked()) == 0; {
		if time.Now().After(end) {
			t.Fatal("an answer of two seconds is believed for ever")
		}
		_, _ = c.SRV(t.Context(), "short.example")
	}
	_, _ = c.SRV(t.Context(), "long.example")
	if got := s.Asked(); len(got) != 0 {
		t.Errorf("asked again %v", got)
	}
}

func TestWhenAServerFailsTheNextIsAskedAndAnOldAnswerIsBetterThanNone(t *testing.T) {
	first, second := dnstest.New(t, "127.0.0.53"), dnstest.New(t, "127.0.0.54")
	second.SRV("x.example", 1, 0, 0, 1, "a.example")
	first.Fail(dnsmessage.RCodeServerFailure)
	c := client(500*time.Millisecond, first, second)
	ask := func() error {
		srv, err := c.SRV(t.Context(), "x.example")
		if err == nil && len(srv) != 1 {
			t.Errorf("got %v", srv)
		}
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	second.Silence(true)
	for end := time.Now().Add(10 * time.Second); len(second.Asked()) < 2; {
		if time.Now().After(end) {
			t.Fatal("never asked again")
		}
		if err := ask(); err != nil {
			t.Fatalf("the old answer was thrown away: %v", err)
		}
	}
	if _, err := c.SRV(t.Context(), "y.example"); !errors.Is(err, dns.ErrNoServer) {
		t.Errorf("of a new name: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.SRV(ctx, "z.example"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an impatient caller hears %v", err)
	}
}

func TestTheSystemsFilesAreFollowed(t *testing.T) {
	s := dnstest.New(t, "127.0.0.53")
	s.Addrs("pbx.office.example", 60, "192.0.2.8")
	dir := t.TempDir()
	hosts, conf := filepath.Join(dir, "hosts"), filepath.Join(dir, "resolv.conf")
	for name, text := range map[string]string{
		hosts: "# comment\n::1 localhost gate\n127.0.0.1 localhost # me\nnonsense\n10.0.0.7 gate gate.office.example\n",
		conf:  "; comment\nsearch office.example\nnameserver nonsense\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := dns.New(dns.Config{Servers: []netip.AddrPort{s.Addr}, Hosts: hosts, ResolvConf: conf})
	for host, want := range map[string]string{"localhost": "127.0.0.1 ::1", "Gate": "10.0.0.7 ::1", "gate.office.example.": "10.0.0.7", "pbx": "192.0.2.8"} {
		addrs, err := c.Addrs(t.Context(), host)
		got := ""
		for i, a := range addrs {
			if i > 0 {
				got += " "
			}
			got += a.String()
		}
		if err != nil || got != want {
			t.Errorf("%s: %q, want %q, %v", host, got, want, err)
		}
	}
}
