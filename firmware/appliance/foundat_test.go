package appliance

import (
	"net/netip"
	"testing"
)

func TestABoxIsFoundByItsOwnNameAndNotByThatOfAnother(t *testing.T) {
	for _, tc := range []struct{ at, host, want string }{
		{"0.0.0.0:80", "pronto-9qxa", "pronto-9qxa.local:80"},
		{"[::]:443", "pronto-9qxa", "pronto-9qxa.local:443"},
		{"0.0.0.0:8080", "laptop", "pronto.local:8080"},
		{"0.0.0.0:80", "", "pronto.local:80"},
		{"127.0.0.1:8080", "pronto-9qxa", "127.0.0.1:8080"},
		{"[fe80::1]:80", "pronto-9qxa", "[fe80::1]:80"},
	} {
		if got := foundAt(netip.MustParseAddrPort(tc.at), tc.host); got != tc.want {
			t.Errorf("%s on %q: %s, want %s", tc.at, tc.host, got, tc.want)
		}
	}
}
