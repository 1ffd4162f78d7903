package appliance

import (
	"net/netip"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Only a call for help needs no password, in any form in which somebody may dial it, and only on the LAN.
func TestWhoMayCallWithoutSayingWhoItIs(t *testing.T) {
	b := start(t, "dialling: {prefix: \"0\"}\n"+shop, "lan: [192.168.0.0/16]").box
	lan, outside := netip.MustParseAddr("192.168.7.9"), netip.MustParseAddr("203.0.113.9")
	for dialed, open := range map[tel.Number]bool{
		"112": true, "0112": true, "+39112": true, "0039112": true, "#31#112": true, "0#31#118": true, "116000": true,
		"": false, "201": false, "400": false, "00612345678": false, "1120": false, "0112345": false, "*43": false, "*21112": false, "#31#201": false, "+1112": false,
	} {
		if got := b.open(dialed, lan); got != open {
			t.Errorf("%q from the LAN: %v", dialed, got)
		}
		if b.open(dialed, outside) {
			t.Errorf("%q from outside is let in", dialed)
		}
	}
}
