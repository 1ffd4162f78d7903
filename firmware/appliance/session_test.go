package appliance

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
)

// asks are the session timer of an INVITE and whether it offers 100rel.
func asks(req *sip.Request) (expires string, reliable bool) {
	if h := req.GetHeader("Session-Expires"); h != nil {
		expires, _, _ = strings.Cut(h.Value(), ";")
	}
	for _, h := range req.GetHeaders("Supported") {
		reliable = reliable || strings.Contains(h.Value(), "100rel")
	}
	return expires, reliable
}

func TestSessionTimersAnd100relAreTheConfigurations(t *testing.T) {
	for name, c := range map[string]struct {
		sip, trunk, phone, carrier string
		reliable                   bool
	}{
		"as it comes":           {"min_se: 90s", "", "1800", "1800", true},
		"of the box":            {"session_expires: 10m, min_se: 2m", "", "600", "600", true},
		"off":                   {"session_expires: 0s", "", "", "", true},
		"of the carrier":        {"session_expires: 0s", ", session_expires: 15m", "", "900", true},
		"a carrier without":     {"session_expires: 10m", ", no_session_timer: true", "600", "", true},
		"a carrier, unreliable": {"min_se: 90s", ", no_100rel: true", "1800", "1800", false},
	} {
		t.Run(name, func(t *testing.T) {
			at := netip.AddrPortFrom(newAddress(), 5060)
			a := openAccountOver(t, nil, at, nil, peer.Quirks{}, plain(at, c.trunk), c.sip)
			a.eventually("the trunk is up", func() bool { return a.status().Up })
			seen, status := a.callOut()
			if status != "200" {
				t.Fatalf("%s\n%v", status, seen)
			}
			if expires, reliable := asks(seen); expires != c.carrier || reliable != c.reliable {
				t.Errorf("the carrier is asked for %q, 100rel %v", expires, reliable)
			}
			other := a.phone
			caller := a.bench.phone("203")
			caller.hangup(caller.call("201"))
			other.mu.Lock()
			defer other.mu.Unlock()
			for _, msg := range other.raw {
				if strings.HasPrefix(msg, "INVITE") {
					got := ""
					if all := headers(msg, "Session-Expires"); len(all) > 0 {
						got, _, _ = strings.Cut(all[0], ";")
					}
					if got != c.phone {
						t.Errorf("the phone is asked for %q", got)
					}
				}
			}
		})
	}
}

func TestANewSessionTimerWaitsForTheRestartAndThatOfACarrierDoesNot(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5060)
	a := openAccount(t, at, nil, peer.Quirks{}, plain(at, ""))
	a.eventually("the trunk is up", func() bool { return a.status().Up })
	if said := a.apply(func(c *config.Config) { c.SIP.SessionExpires = time.Hour }); said["addresses, ports and realm"] != live.NeedsRestart {
		t.Errorf("%v", said)
	}
	a.apply(func(c *config.Config) { c.Trunks[0].SessionExpires = 5 * time.Minute })
	a.eventually("the trunk is up again", func() bool { return a.status().Up })
	seen, _ := a.callOut()
	if expires, _ := asks(seen); expires != "300" {
		t.Errorf("the carrier is asked for %q", expires)
	}
}
