package trunk

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestOnlyTheCarrierIsTheCarrier(t *testing.T) {
	office := netip.MustParsePrefix("198.51.100.0/24")
	reg := idle(t, func(c *Config) { c.ID, c.User, c.Number = "reg", "0211", "+390211000000" })
	reg.standing.flow, reg.standing.targets = carrier, []stack.Flow{carrier, second}
	twin := idle(t, func(c *Config) {
		c.ID, c.User, c.Number, c.Incoming = "twin", "0222", "+390222222222", National
		c.Numbers = []tel.Number{"0233333333"}
	})
	twin.standing.flow = carrier
	addr := idle(t, func(c *Config) {
		c.ID, c.Mode, c.Domain, c.Sources = "addr", Address, "carrier.example", []netip.Prefix{office}
	})
	addr.standing.flow = stack.Flow{Transport: "udp", Remote: netip.MustParseAddrPort("192.0.2.200:5060")}
	off := idle(t, func(c *Config) {
		c.ID, c.Mode, c.Sources, c.Disabled = "off", Address, []netip.Prefix{netip.MustParsePrefix("192.0.2.50/32")}, true
	})
	near := idle(t, func(c *Config) {
		c.ID, c.Mode, c.Domain, c.Sources = "near", Address, "10.0.0.1", []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}
	})
	all := []*Trunk{reg, twin, addr, off, near}
	from := func(s string) stack.Flow { return stack.Flow{Transport: "udp", Remote: netip.MustParseAddrPort(s)} }
	token := func(tr *Trunk) string { return "sip:" + tr.view().token + "@box" }

	for name, tc := range map[string]struct {
		target string
		who    string // From
		flow   stack.Flow
		want   *Trunk
	}{
		"secret contact from anywhere":                             {token(reg), "sip:1@x", from("192.0.2.99:5060"), reg},
		"secret contact beats the address":                         {token(twin), "sip:1@x", from("203.0.113.10:5060"), twin},
		"secret contact beats a From like a phone's":               {token(reg), "sip:201@box", from("203.0.113.10:5060"), reg},
		"address of the registrar and its domain, any port":        {"sip:1@box", "sip:1@tim.it", from("203.0.113.10:9999"), reg},
		"address of the second server and its domain":              {"sip:1@box", "sip:1@TIM.it", from("203.0.113.20:5060"), reg},
		"address of the registrar, From with that address":         {"sip:1@box", "sip:1@203.0.113.10", from("203.0.113.10:5060"), reg},
		"address of the registrar, account called":                 {"sip:0211@box", "sip:+393471234567@elsewhere", from("203.0.113.10:5060"), reg},
		"address of the registrar, number called in To":            {"sip:x@box", "sip:+393471234567@elsewhere", from("203.0.113.10:5060"), reg},
		"address of the registrar, nothing of ours":                {"sip:1@box", "sip:+393471234567@elsewhere", from("203.0.113.10:5060"), nil},
		"two accounts, one carrier: by user":                       {"sip:0222@box", "sip:1@tim.it", from("203.0.113.10:5060"), twin},
		"two accounts, one carrier: by number":                     {"sip:0222222222@box", "sip:1@tim.it", from("203.0.113.10:5060"), twin},
		"two accounts, one carrier: by further number":             {"sip:+390233333333@box", "sip:1@tim.it", from("203.0.113.10:5060"), twin},
		"source prefix, From elsewhere than the box":               {"sip:1@box", "sip:0288888888@network.example", from("198.51.100.7:5060"), addr},
		"source prefix and domain":                                 {"sip:1@carrier.example", "sip:1@carrier.example", from("198.51.100.7:5060"), addr},
		"source prefix through an IPv6 socket":                     {"sip:1@box", "sip:1@carrier.example", from("[::ffff:198.51.100.7]:5060"), addr},
		"next to the prefix":                                       {"sip:1@box", "sip:1@carrier.example", from("198.51.101.7:5060"), nil},
		"where the box sends to is no source":                      {"sip:1@box", "sip:1@carrier.example", from("192.0.2.200:5060"), nil},
		"stranger with the carrier's name everywhere":              {"sip:0211@203.0.113.10", "sip:0211@tim.it", from("192.0.2.99:5060"), nil},
		"secret contact of a trunk without one":                    {token(addr), "sip:1@carrier.example", from("192.0.2.99:5060"), nil},
		"a phone behind the registrar's address":                   {"sip:0211@192.0.2.1", "sip:201@192.0.2.1", from("203.0.113.10:5060"), nil},
		"a phone behind the carrier's prefix":                      {"sip:00390212345678@192.0.2.1", "sip:201@192.0.2.1", from("198.51.100.7:5060"), nil},
		"a phone that names the box":                               {"sip:201@pbx.local", "sip:202@PBX.local", from("198.51.100.7:5060"), nil},
		"a phone on the carrier's own machine, box there too":      {"sip:0211@10.0.0.1", "sip:201@10.0.0.1", from("10.0.0.1:5070"), nil},
		"a phone that calls the box by address and itself by name": {"sip:202@192.0.2.1", "sip:201@box", from("198.51.100.7:5060"), nil},
		"a caller who withholds the number":                        {"sip:1@box", "sip:anonymous@anonymous.invalid", from("198.51.100.7:5060"), addr},
		"a phone that calls itself localhost":                      {"sip:1@box", "sip:201@localhost", from("198.51.100.7:5060"), nil},
		"a trunk that is switched off":                             {"sip:1@box", "sip:0288888888@network.example", from("192.0.2.50:5060"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			to := "To: <sip:box@box>"
			if strings.Contains(name, "number called in To") {
				to = "To: <sip:+390211000000@box>"
			}
			req := invite(t, tc.target, "From: <"+tc.who+">;tag=1", to, "P-Asserted-Identity: <sip:0211@tim.it>", "Route: <sip:203.0.113.10>")
			got := Match(all, req, tc.flow)
			if got != tc.want {
				t.Errorf("%v", got)
			}
			if tc.want != nil && !tc.want.Matches(req, tc.flow) {
				t.Error("Matches disagrees")
			}
			if tc.want == nil && (reg.Matches(req, tc.flow) || addr.Matches(req, tc.flow)) {
				t.Error("Matches accepts a stranger")
			}
		})
	}
}

func TestNumbersOfATrunkChangeWhileItRuns(t *testing.T) {
	tr := idle(t, func(c *Config) { c.Number, c.Numbers = "0211000000", []tel.Number{"0211000001"} })
	for n, want := range map[tel.Number]bool{"+390211000000": true, "0211000001": true, "+390211000002": false, "": false, "201": false} {
		if tr.owns(n) != want {
			t.Errorf("%q: %v", n, !want)
		}
	}
	tr.SetNumbers([]tel.Number{"+390211000002"})
	if !tr.owns("0211000002") || tr.owns("0211000001") || !tr.owns("+390211000000") {
		t.Error("not replaced")
	}
}

func TestDivertersAreReadFromBothHeaders(t *testing.T) {
	for name, tc := range map[string]struct {
		headers     []string
		ok          bool
		first, last Diverter
	}{
		"none": {nil, false, Diverter{}, Diverter{}},
		"one diversion": {
			[]string{`Diversion: "Studio, Rossi" <sip:0211000000@c>;reason=user-busy;counter=1`},
			true,
			Diverter{"+390211000000", "Studio, Rossi", "user-busy"},
			Diverter{"+390211000000", "Studio, Rossi", "user-busy"},
		},
		"the last diversion is on top": {
			[]string{`Diversion: <tel:+390233333333>;reason=no-answer`, `Diversion: <sip:0222222222@c>;reason="unconditional", <sip:0211111111@c>;reason=time-of-day`},
			true,
			Diverter{"+390211111111", "", "time-of-day"},
			Diverter{"+390233333333", "", "no-answer"},
		},
		"a withheld diverter is one all the same": {
			[]string{`Diversion: "Rossi" <sip:0211111111@c>;privacy=full;reason=unconditional`},
			true,
			Diverter{"", "", "unconditional"},
			Diverter{"", "", "unconditional"},
		},
		"unreadable entries are left out": {[]string{`Diversion: <sip:`}, false, Diverter{}, Diverter{}},
		"Diversion beats History-Info": {
			[]string{`Diversion: <sip:0211111111@c>`, `History-Info: <sip:0222222222@c>;index=1, <sip:x@c;cause=302>;index=1.1;mp=1`},
			true,
			Diverter{"+390211111111", "", ""},
			Diverter{"+390211111111", "", ""},
		},
		"history with causes": {
			[]string{
				`History-Info: <sip:0211111111@c>;index=1, <sip:0222222222@c;cause=486>;index=1.1;mp=1`,
				`History-Info: <sip:0233333333@c;cause=408>;index=1.1.1`, `History-Info: <sip:box@192.0.2.1>;index=1.1.1.1;rc=1.1.1`,
			},
			true,
			Diverter{"+390211111111", "", "user-busy"},
			Diverter{"+390222222222", "", "no-answer"},
		},
		"history that was only routed": {
			[]string{`History-Info: <sip:0211111111@c>;index=1, <sip:box@192.0.2.1>;index=1.1;rc=1`}, false, Diverter{}, Diverter{},
		},
		"history of a private party": {
			[]string{`History-Info: <sip:0211111111@c?Privacy=history>;index=1, <sip:x@c;cause=302>;index=1.1;mp=1`},
			true,
			Diverter{"", "", "unconditional"},
			Diverter{"", "", "unconditional"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := idle(t, func(c *Config) { c.Incoming = National })
			first, last, ok := tr.Diverted(invite(t, "sip:1@box", tc.headers...))
			if ok != tc.ok || first != tc.first || last != tc.last {
				t.Errorf("%+v %+v %v", first, last, ok)
			}
		})
	}
	tr := idle(t)
	long := invite(t, "sip:1@box", "Diversion: "+strings.TrimSuffix(strings.Repeat("<sip:0211111111@c>,", 500), ","))
	if n := len(tr.diversions(long)); n != maxDiversions {
		t.Errorf("%d diversions are kept", n)
	}
}
