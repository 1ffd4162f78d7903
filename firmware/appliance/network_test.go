package appliance

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/board/gate"
)

func TestTheWayOutIsReadOffTheKernelsTable(t *testing.T) {
	const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	for name, tc := range map[string]struct{ table, want string }{
		"a router":                 {head + "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\neth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", "192.168.1.1"},
		"a network alone":          {head + "eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", "invalid IP"},
		"a line of point to point": {head + "ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n", "invalid IP"},
		"nonsense":                 {"x\n\x00\n00000000 00000000 zz 0 0 0 0 00000000", "invalid IP"},
		"nothing":                  {"", "invalid IP"},
	} {
		if got := wayOut(tc.table).String(); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func FuzzTheTableOfRoutesAndTheNameServersAreRead(f *testing.F) {
	f.Add("eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n")
	f.Add("nameserver 9.9.9.9\n")
	f.Fuzz(func(t *testing.T, text string) {
		if a := wayOut(text); a.IsValid() && a.IsUnspecified() {
			t.Error(a)
		}
		if got := nameServers(text); len(got) > strings.Count(text, "nameserver") {
			t.Errorf("%q", got)
		}
	})
}

func TestTheNameServersAreReadAndTheRestIsPassedOver(t *testing.T) {
	if got := nameServers("# of the router\nsearch lan\nnameserver 192.168.1.1\nnameserver\n nameserver fe80::1%eth0\n"); !slices.Equal(got, []string{"192.168.1.1", "fe80::1%eth0"}) {
		t.Errorf("%q", got)
	}
}

func TestWhoStandsBetweenTheBoxAndItsCarriersIsTold(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("192.168.1.10"), netip.MustParseAddr("203.0.113.5")}
	for seen, want := range map[string]string{"203.0.113.5": "none", "198.51.100.1": "router", "100.64.3.4": "double"} {
		if got := translated(own, netip.MustParseAddr(seen)); got != want {
			t.Errorf("seen at %s: %s, want %s", seen, got, want)
		}
	}
}

func TestEachRefusalOfTheFirstProgramHasItsSentence(t *testing.T) {
	seen := map[string]bool{}
	for _, code := range []string{gate.CodeTaken, gate.CodeTrial, gate.CodeNoTrial, gate.CodeNoCable, gate.CodeMistaken, gate.CodeFailed} {
		no := refusedNetwork(&gate.Refused{Code: code, Text: "words"})
		if seen[no.Sentence] || no.Detail != "words" {
			t.Errorf("%s: %+v", code, no)
		}
		seen[no.Sentence] = true
	}
	if no := refusedNetwork(errors.New("nobody answers")); seen[no.Sentence] {
		t.Errorf("%+v", no)
	}
	if no := refusedNetwork(nil); no.Sentence != "" {
		t.Errorf("%+v", no)
	}
}
