package appliance

import (
	"net/netip"
	"testing"
)

func TestASocketOfAnyAddressIsTheOneThatWasAskedFor(t *testing.T) {
	for _, tc := range []struct {
		name, socket, want string
		ok                 bool
	}{
		{"one address", "192.0.2.1:5060", "192.0.2.1:5060", true},
		{"any of IPv4, which the kernel calls any of IPv6", "[::]:5060", "0.0.0.0:5060", true},
		{"any, at another port", "[::]:5061", "0.0.0.0:5060", false},
		{"one address in the form of IPv6", "[::ffff:192.0.2.1]:5060", "192.0.2.1:5060", true},
		{"another address", "192.0.2.2:5060", "192.0.2.1:5060", false},
		{"one address in the place of any", "192.0.2.1:5060", "0.0.0.0:5060", false},
	} {
		if got := holds([]netip.AddrPort{netip.MustParseAddrPort(tc.socket)}, netip.MustParseAddrPort(tc.want)); got != tc.ok {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
	if holds(nil, netip.MustParseAddrPort("0.0.0.0:5060")) {
		t.Error("no socket is one")
	}
}
