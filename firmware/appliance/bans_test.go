package appliance

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/sip/ban"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// unheard is how long an answer is waited for that must not come.
const unheard = 500 * time.Millisecond

// answered reports whether the box answers a question of the phone in time.
func (p *testPhone) answered(within time.Duration) bool {
	p.t.Helper()
	p.send("OPTIONS sip:box SIP/2.0\r\nVia: SIP/2.0/UDP "+p.sip.LocalAddr().String()+";rport;branch=z9hG4bKs\r\nMax-Forwards: 70\r\n"+
		"From: <sip:x@box>;tag=1\r\nTo: <sip:x@box>\r\nCall-ID: silent"+p.sip.LocalAddr().String()+"\r\nCSeq: 1 OPTIONS\r\n", "")
	select {
	case <-p.replies:
		return true
	case <-time.After(within):
		return false
	}
}

func (b *bench) command(method, path string) (int, string) {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.box.commands().ServeHTTP(w, httptest.NewRequestWithContext(b.t.Context(), method, path, nil))
	return w.Code, w.Body.String()
}

func TestAGuesserIsBannedShownAndPardoned(t *testing.T) {
	b := start(t, shop)
	anna := b.phone("201")
	b.apply(func(c *config.Config) {
		c.SIP.LAN = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		c.SIP.Bans.Tries = 3
	})
	thief := newPhoneAt(t, net.IPv4(127, 0, 0, 66), b.sip, "201", "guess-guess-guess")
	for range 3 {
		if s := thief.register(); s != "401" {
			t.Fatalf("a guess is answered %s", s)
		}
	}
	if thief.answered(unheard) {
		t.Error("the guesser is still answered")
	}
	if s := anna.register(); s != "200" {
		t.Errorf("the owner of the account: %s", s)
	}
	var all []ban.Ban
	if code, body := b.command("GET", "/bans"); code != 200 || json.Unmarshal([]byte(body), &all) != nil || len(all) != 1 || all[0].Source != "127.0.0.66" || all[0].Why != ban.Guess {
		t.Errorf("%d %s", code, body)
	}
	b.eventually("the page has a notice", func() bool {
		h, ok := now(b, func(h tel.HealthChanged) bool { return h.Condition == "bans" })
		return ok && !h.OK && strings.Contains(h.Text, "127.0.0.66 is banned for wrong passwords")
	})
	b.eventually("the ban is on the disk", func() bool {
		text, err := os.ReadFile(filepath.Join(b.box.opts.Dir, "bans.json"))
		return err == nil && strings.Contains(string(text), "127.0.0.66")
	})
	for path, want := range map[string]int{"/bans/127.0.0.67": 404, "/bans/nobody": 400, "/bans/127.0.0.66": 204} {
		if code, body := b.command(http.MethodDelete, path); code != want {
			t.Errorf("DELETE %s: %d %s", path, code, body)
		}
	}
	if !thief.answered(patience) {
		t.Error("the pardoned one is not answered")
	}
}

func TestChosenNetworksAndCarriersAreNotBannedFromTheMomentTheyAreNamed(t *testing.T) {
	b := start(t, shop)
	b.apply(func(c *config.Config) {
		c.SIP.LAN = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		c.SIP.Bans.Tries = 3
	})
	friend, carrier := net.IPv4(127, 0, 0, 66), net.IPv4(127, 0, 0, 67)
	var phones []*testPhone
	for _, ip := range []net.IP{friend, carrier} {
		p := newPhoneAt(t, ip, b.sip, "201", "guess-guess-guess")
		for range 3 {
			p.register()
		}
		if p.answered(unheard) {
			t.Fatalf("%s is not banned", ip)
		}
		phones = append(phones, p)
	}
	said := b.apply(func(c *config.Config) {
		c.SIP.Bans.Never = []netip.Prefix{netip.MustParsePrefix("127.0.0.66/32")}
		c.Trunks = []config.Trunk{{ID: "carrier", Name: "Carrier", Server: "127.0.0.67:5060", Transport: "udp", Format: "e164", Match: []netip.Prefix{netip.MustParsePrefix("127.0.0.67/32")}}}
	})
	if said["numbers and phones"] == live.Unchanged {
		t.Errorf("%v", said)
	}
	for _, p := range phones {
		if !p.answered(patience) {
			t.Errorf("%s is still banned", p.sip.LocalAddr())
		}
	}
	if code, body := b.command("GET", "/bans"); code != 200 || strings.TrimSpace(body) != "[]" {
		t.Errorf("%d %s", code, body)
	}
}

func TestLimitsOfRegistrationsNeedARestartButThePhonesOwn(t *testing.T) {
	b := start(t, shop)
	if said := b.apply(func(c *config.Config) { c.SIP.Registrations.PerPhone = 1 }); said["addresses, ports and realm"] != live.Unchanged || said["numbers and phones"] != live.Applied {
		t.Errorf("%v", said)
	}
	one, two := b.phone("201"), b.phone("201")
	if got := b.box.registrar.Bindings("201"); len(got) != 1 || got[0].Flow.Remote.String() != two.sip.LocalAddr().String() {
		t.Errorf("with one contact allowed: %v, first was %s", got, one.sip.LocalAddr())
	}
	if said := b.apply(func(c *config.Config) { c.SIP.Registrations.MinExpires = 30 * time.Second }); said["addresses, ports and realm"] != live.NeedsRestart {
		t.Errorf("%v", said)
	}
}
