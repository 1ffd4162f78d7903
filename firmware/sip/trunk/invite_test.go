package trunk

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestInviteIsWhatTheCarrierExpects(t *testing.T) {
	numbers := func(c *Config) { c.Number, c.Numbers = "0211000", []tel.Number{"+390211001"} }
	for name, tc := range map[string]struct {
		change func(*Config)
		call   Outgoing
		target string
		who    string
		more   string // further headers, in order
		route  string
	}{
		"account in From, the extension's number asserted": {
			func(c *Config) { numbers(c); c.Outgoing = E164 },
			Outgoing{To: "0212345678", From: "0211001"},
			"sip:+390212345678@tim.it", `"+390211001" <sip:0211@tim.it>`, "P-Asserted-Identity: <sip:+390211001@tim.it>", "",
		},
		"a number that is not of this trunk is not presented": {
			func(c *Config) { numbers(c); c.Outgoing = E164 },
			Outgoing{To: "0212345678", From: "+390688888888"},
			"sip:+390212345678@tim.it", `"+390211000" <sip:0211@tim.it>`, "P-Asserted-Identity: <sip:+390211000@tim.it>", "",
		},
		"nor an extension": {
			func(c *Config) { numbers(c); c.Outgoing = E164 },
			Outgoing{To: "0212345678", From: "201"},
			"sip:+390212345678@tim.it", `"+390211000" <sip:0211@tim.it>`, "P-Asserted-Identity: <sip:+390211000@tim.it>", "",
		},
		"always the main number": {
			func(c *Config) { numbers(c); c.Caller, c.Outgoing = CallerOwn, National },
			Outgoing{To: "0212345678", From: "+390211001"},
			"sip:0212345678@tim.it", `"0211000" <sip:0211@tim.it>`, "P-Asserted-Identity: <sip:0211000@tim.it>", "",
		},
		"number in From, account asserted": {
			func(c *Config) { numbers(c); c.Outgoing, c.From = National, FromNumber },
			Outgoing{To: "+442012345678", From: "+390211001"},
			"sip:00442012345678@tim.it", `<sip:0211001@tim.it>`, "P-Asserted-Identity: <sip:0211@tim.it>", "",
		},
		"+39NUMBER in From, whatever the format": {
			func(c *Config) { numbers(c); c.Outgoing, c.From = National, FromE164 },
			Outgoing{To: "0212345678"},
			"sip:0212345678@tim.it", `<sip:+390211000@tim.it>`, "P-Asserted-Identity: <sip:0211@tim.it>", "",
		},
		"number in From, no account": {
			func(c *Config) {
				numbers(c)
				c.Mode, c.User, c.From, c.Sources = Address, "", FromNumber, []netip.Prefix{netip.MustParsePrefix("203.0.113.10/32")}
			}, Outgoing{To: "0212345678", From: "0211001"}, "sip:0212345678@tim.it", `<sip:+390211001@tim.it>`, "", "",
		},
		"a forwarded call keeps its caller and says who forwarded it": {
			func(c *Config) { numbers(c); c.Caller, c.Outgoing = CallerPass, E164 },
			Outgoing{To: "3471234567", From: "+390688888888", Diverting: "0211001"},
			"sip:+393471234567@tim.it", `"+390688888888" <sip:0211@tim.it>`,
			"P-Asserted-Identity: <sip:+390688888888@tim.it> Diversion: <sip:+390211001@tim.it>;reason=unconditional;counter=1", "",
		},
		"forwarded by somebody without a number: the main one": {
			func(c *Config) { numbers(c); c.Caller, c.Outgoing = CallerPass, E164 },
			Outgoing{To: "3471234567", From: "+390688888888", Diverting: "201"},
			"sip:+393471234567@tim.it", `"+390688888888" <sip:0211@tim.it>`,
			"P-Asserted-Identity: <sip:+390688888888@tim.it> Diversion: <sip:+390211000@tim.it>;reason=unconditional;counter=1", "",
		},
		"a call forwarded because somebody is busy": {
			func(c *Config) { numbers(c); c.Caller, c.Outgoing = CallerPass, E164 },
			Outgoing{To: "3471234567", From: "+390688888888", Diverting: "0211001", Why: "user-busy"},
			"sip:+393471234567@tim.it", `"+390688888888" <sip:0211@tim.it>`,
			"P-Asserted-Identity: <sip:+390688888888@tim.it> Diversion: <sip:+390211001@tim.it>;reason=user-busy;counter=1", "",
		},
		"a forwarded call where passing on is not allowed": {
			func(c *Config) { numbers(c); c.Outgoing = E164 },
			Outgoing{To: "3471234567", From: "+390688888888", Diverting: "0211001"},
			"sip:+393471234567@tim.it", `"+390211000" <sip:0211@tim.it>`, "P-Asserted-Identity: <sip:+390211000@tim.it>", "",
		},
		"withheld: asserted with Privacy, no name in From": {
			func(c *Config) { numbers(c); c.Outgoing = E164 },
			Outgoing{To: "0212345678", From: "0211001", Withhold: true},
			"sip:+390212345678@tim.it", `<sip:0211@tim.it>`, "P-Asserted-Identity: <sip:+390211001@tim.it> Privacy: id", "",
		},
		"withheld where From would be the number": {
			func(c *Config) { numbers(c); c.From, c.Assert = FromNumber, AssertPPI|AssertRPID },
			Outgoing{To: "0212345678", From: "0211001", Withhold: true},
			"sip:0212345678@tim.it", `"Anonymous" <sip:anonymous@anonymous.invalid>`,
			"P-Preferred-Identity: <sip:+390211001@tim.it> Remote-Party-ID: <sip:+390211001@tim.it>;party=calling;screen=yes;privacy=full Privacy: id", "",
		},
		"an emergency call shows where it comes from, always": {
			func(c *Config) { numbers(c); c.Outgoing = National },
			Outgoing{To: "112", From: "0211001", Withhold: true, Emergency: true},
			"sip:112@tim.it", `"0211000" <sip:0211@tim.it>`, "P-Asserted-Identity: <sip:0211000@tim.it>", "",
		},
		"both old and new headers": {
			func(c *Config) { numbers(c); c.Outgoing, c.Assert = Bare, AssertPAI|AssertRPID },
			Outgoing{To: "0212345678"},
			"sip:390212345678@tim.it", `"390211000" <sip:0211@tim.it>`,
			"P-Asserted-Identity: <sip:390211000@tim.it> Remote-Party-ID: <sip:390211000@tim.it>;party=calling;screen=yes;privacy=off", "",
		},
		"0039 form": {
			func(c *Config) { numbers(c); c.Outgoing = Prefixed },
			Outgoing{To: "0212345678"},
			"sip:00390212345678@tim.it", `"00390211000" <sip:0211@tim.it>`, "P-Asserted-Identity: <sip:00390211000@tim.it>", "",
		},
		"nothing known: the bare account": {func(*Config) {}, Outgoing{To: "1", From: "+390211001"}, "sip:1@tim.it", `<sip:0211@tim.it>`, "", ""},
		"outbound proxy, port and hash": {
			func(c *Config) { c.Proxy, c.Domain, c.Transport = "sbc.tim.it:5080", "tim.it:5070", "tcp" },
			Outgoing{To: "#31#0212345678"},
			"sip:%2331%230212345678@tim.it:5070", `<sip:0211@tim.it:5070>`, "", "<sip:sbc.tim.it:5080;lr;transport=tcp>",
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := idle(t, tc.change)
			tr.standing.flow = carrier
			tr.standing = tr.standing.stand(true, tel.LineOK, t0)
			tc.call.SDP, tc.call.MaxForwards = []byte("v=0\r\n"), 42
			r, err := tr.Invite(tc.call)
			if err != nil {
				t.Fatal(err)
			}
			if r.Target.String() != tc.target || r.To.URI.String() != tc.target {
				t.Errorf("target %s, To %s", r.Target.String(), r.To.URI.String())
			}
			if r.From.String() != tc.who {
				t.Errorf("From %s", r.From.String())
			}
			var more []string
			for _, h := range r.Headers {
				more = append(more, h.Name()+": "+h.Value())
			}
			if got := strings.Join(more, " "); got != tc.more {
				t.Errorf("headers\n got %s\nwant %s", got, tc.more)
			}
			route := ""
			for i := range r.Route {
				route += "<" + r.Route[i].String() + ">"
			}
			if route != tc.route {
				t.Errorf("Route %s", route)
			}
			if r.Flow != carrier || string(r.SDP) != "v=0\r\n" || r.Auth == nil || r.MaxForwards != 42 {
				t.Errorf("%+v", r)
			}
		})
	}
	tr := idle(t)
	if _, err := tr.Invite(Outgoing{To: "1"}); !errors.Is(err, ErrDown) {
		t.Errorf("%v", err)
	}
	tr.standing.flow = carrier
	tr.standing = tr.standing.stand(true, tel.LineOK, t0)
	if _, err := tr.Invite(Outgoing{}); !errors.Is(err, ErrNumber) {
		t.Errorf("%v", err)
	}
}

func TestForeignCarrierWithItalianNumbersIsNamed(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Config)
		want   bool
	}{
		"a carrier in Italy":                    {func(c *Config) { c.Number = "0212345678" }, false},
		"a carrier in Italy, said so":           {func(c *Config) { c.Country, c.Number = "IT", "0212345678" }, false},
		"a carrier abroad with its own numbers": {func(c *Config) { c.Country, c.Number = "ch", "+41446681800" }, false},
		"a carrier abroad with an Italian one":  {func(c *Config) { c.Country, c.Number = "ch", "0212345678" }, true},
		"among its further numbers":             {func(c *Config) { c.Country, c.Number, c.Numbers = "ch", "+41446681800", []tel.Number{"+393471234567"} }, true},
		"a carrier abroad without numbers":      {func(c *Config) { c.Country = "ch" }, false},
	} {
		cfg := account()
		tc.change(&cfg)
		if got := cfg.PresentsFromAbroad(); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
		for caller, italian := range map[tel.Number]bool{"0698765432": true, "+393331234567": true, "+41446681800": false, "": false, "112": false} {
			if got := cfg.foreign(caller); got != (italian && cfg.Country == "ch") {
				t.Errorf("%s, a call of %q: %v", name, caller, got)
			}
		}
	}
}
