package appliance

import (
	"net/netip"
	"slices"
	"testing"
)

func TestABoxIsFoundWhereItAnswersAndNowhereElse(t *testing.T) {
	own := []string{"172.17.0.1", "2001:db8::40", "192.168.1.40", "rubbish"}
	for _, tc := range []struct {
		name, at, host, outward string
		own                     []string
		want                    []string
	}{
		{"by the name that its first program answers for", "0.0.0.0:80", "pronto-9qxa", "192.168.1.40", own, []string{"pronto-9qxa.local:80"}},
		{"by the name that its owner has chosen", "[::]:443", "centralino", "192.168.1.40", own, []string{"centralino.local:443"}},
		{"by its addresses where nobody answers for a name", "0.0.0.0:8080", "", "192.168.1.40", own, []string{"192.168.1.40:8080", "172.17.0.1:8080"}},
		{"by those of IPv6 too where it listens there", "[::]:8080", "", "192.168.1.40", own, []string{"192.168.1.40:8080", "172.17.0.1:8080", "[2001:db8::40]:8080"}},
		{"by any of them where no way leads out", "0.0.0.0:8080", "", "", own, []string{"172.17.0.1:8080", "192.168.1.40:8080"}},
		{"by who sits at it where it has none", "0.0.0.0:8080", "", "", nil, []string{"127.0.0.1:8080"}},
		{"at the one address where it listens", "127.0.0.1:8080", "pronto-9qxa", "192.168.1.40", own, []string{"127.0.0.1:8080"}},
		{"at that of IPv6", "[fe80::1]:80", "", "", own, []string{"[fe80::1]:80"}},
	} {
		var out netip.Addr
		if tc.outward != "" {
			out = netip.MustParseAddr(tc.outward)
		}
		if got := foundAt(netip.MustParseAddrPort(tc.at), tc.host, out, tc.own); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}
