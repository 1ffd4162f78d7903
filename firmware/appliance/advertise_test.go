package appliance

import (
	"net/netip"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// An address that the owner has set is named to those who can send to it; a phone of the other family is
// told the address that it has reached.
func TestAnAddressOfTheOwnersIsForItsFamilyOnly(t *testing.T) {
	b := start(t, shop, "advertise: 198.51.100.7")
	for _, c := range []struct{ remote, local, want string }{
		{"192.0.2.1:5060", "192.0.2.9:5060", "198.51.100.7"},
		{"[2001:db8::1]:5060", "[2001:db8::9]:5060", "2001:db8::9"},
		{"[::ffff:192.0.2.1]:5060", "[::ffff:192.0.2.9]:5060", "198.51.100.7"},
	} {
		f := stack.Flow{Transport: "udp", Remote: netip.MustParseAddrPort(c.remote), Local: netip.MustParseAddrPort(c.local)}
		if got := b.box.advertise(f).String(); got != c.want {
			t.Errorf("to %s we say %s, want %s", c.remote, got, c.want)
		}
	}
}
