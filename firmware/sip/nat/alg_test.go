package nat

import (
	"net/netip"
	"testing"
)

func TestARewrittenRequestIsToldFromAServersHabits(t *testing.T) {
	sent := Echo{SentBy: "192.168.1.9:5060", From: "carrier.example", To: "192.168.1.9"}
	for name, c := range map[string]struct {
		got   Echo
		where string
	}{
		"all as sent":                        {sent, ""},
		"a default port left out":            {Echo{"192.168.1.9", "carrier.example", "192.168.1.9"}, ""},
		"a Via with the public address":      {Echo{"203.0.113.5:5060", "carrier.example", "192.168.1.9"}, "Via"},
		"a Via with another port":            {Echo{"192.168.1.9:10000", "carrier.example", "192.168.1.9"}, "Via"},
		"a From that became an address":      {Echo{"192.168.1.9:5060", "203.0.113.5", "192.168.1.9"}, "From"},
		"a To that became another address":   {Echo{"192.168.1.9:5060", "carrier.example", "203.0.113.5"}, "To"},
		"a carrier that renames its domain":  {Echo{"192.168.1.9:5060", "CORE.carrier.example", "192.168.1.9"}, ""},
		"a response that does not repeat it": {Echo{}, ""},
	} {
		where, _, _, found := Rewritten(sent, c.got)
		if where != c.where || found != (c.where != "") {
			t.Errorf("%s: found in %q, want %q", name, where, c.where)
		}
	}
	six := Echo{SentBy: "[2001:db8::1]", From: "a", To: "b"}
	if _, _, _, found := Rewritten(six, Echo{"[2001:db8::1]:5060", "a", "b"}); found {
		t.Error("the default port of IPv6")
	}
}

func TestARequestForAPrivateAddressThatWeNeverNamedIsMistaken(t *testing.T) {
	public, private := netip.MustParseAddr("203.0.113.5"), netip.MustParseAddr("192.168.1.9")
	for _, c := range []struct {
		advertised netip.Addr
		requested  string
		want       bool
	}{
		{public, "192.168.1.9", true},
		{public, "203.0.113.5", false},
		{public, "pronto.local", false},
		{private, "192.168.1.9", false},
		{public, "[fd00::1]", true},
		{public, "100.64.0.1", true},
		{public, "", false},
	} {
		if got := Mistaken(c.advertised, c.requested); got != c.want {
			t.Errorf("advertised %s, requested %q: %v", c.advertised, c.requested, got)
		}
	}
}
