package config

import (
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/sip/trunk/presets"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func filled(t *testing.T, c Trunk) Trunk {
	t.Helper()
	f, err := c.Filled()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTrunkWithoutPresetHasTheDefaults(t *testing.T) {
	got := filled(t, Trunk{ID: "x", Server: "sip.example.net:5070", User: "u"})
	want := Trunk{
		ID: "x", Server: "sip.example.net:5070", Domain: "sip.example.net", Transport: "udp", User: "u", AuthUser: "u",
		Expires: time.Hour, Retry: time.Minute, Qualify: time.Minute, Format: "e164", NumberIn: "e164", NumberOut: "e164",
		DID: "request", FromUser: "account", CallerID: "extension", Assert: []string{"pai"}, Country: "it", SRTP: SRTPOff,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	if f := filled(t, Trunk{Format: "national", NumberOut: "prefixed"}); f.NumberIn != "national" || f.NumberOut != "prefixed" {
		t.Errorf("%+v", f)
	}
	for server, host := range map[string]string{"h": "h", "h:5060": "h", "192.0.2.1:5060": "192.0.2.1", "[2001:db8::1]:5060": "2001:db8::1", "2001:db8::1": "2001:db8::1", "": ""} {
		if got := filled(t, Trunk{Server: server}).Domain; got != host {
			t.Errorf("domain of %q is %q", server, got)
		}
	}
}

func TestPresetFillsOnlyWhatIsLeftOut(t *testing.T) {
	for name, tc := range map[string]struct {
		trunk Trunk
		check func(Trunk) bool
	}{
		"everything": {Trunk{Preset: "vodafone"}, func(f Trunk) bool {
			return f.Server == "ims.vodafone.it" && f.Domain == "ims.vodafone.it" && f.Register && f.FromUser == "e164" && f.DSCP == 34 && f.Expires == time.Hour
		}},
		"a written server stays": {Trunk{Preset: "vodafone", Server: "192.0.2.1"}, func(f Trunk) bool {
			return f.Server == "192.0.2.1" && f.Domain == "192.0.2.1" && f.Servers == nil
		}},
		"a written proxy and expiry stay": {Trunk{Preset: "tim", Proxy: "proxy.example:5070", Expires: 2 * time.Hour}, func(f Trunk) bool {
			return f.Proxy == "proxy.example:5070" && f.Expires == 2*time.Hour && f.Domain == "telecomitalia.it" && f.Server == ""
		}},
		"the carrier's port goes to a server of the customer's": {Trunk{Preset: "viatek", Server: "192.0.2.1", Domain: "d.example"}, func(f Trunk) bool {
			return f.Server == "192.0.2.1:5083" && f.Domain == "d.example"
		}},
		"the carrier's port does not replace a written one": {Trunk{Preset: "viatek", Server: "192.0.2.1:5999", Domain: "d"}, func(f Trunk) bool { return f.Server == "192.0.2.1:5999" }},
		"codecs that the box does not speak are left out":   {Trunk{Preset: "netoip"}, func(f Trunk) bool { return slices.Equal(f.Codecs, []string{"pcma"}) }},
		"opus is for who writes it":                         {Trunk{Preset: "netoip", Codecs: []string{"pcma", "opus"}}, func(f Trunk) bool { return slices.Equal(f.CodecIDs(), []codec.ID{codec.PCMA, codec.Opus}) }},
		"written codecs stay":                               {Trunk{Preset: "netoip", Codecs: []string{"g722", "pcmu"}}, func(f Trunk) bool { return slices.Equal(f.CodecIDs(), []codec.ID{codec.G722, codec.PCMU}) }},
		"a written format stands for both directions":       {Trunk{Preset: "vodafone", Format: "national"}, func(f Trunk) bool { return f.NumberIn == "national" && f.NumberOut == "national" }},
		"a written rule for From stays":                     {Trunk{Preset: "twt", FromUser: "account"}, func(f Trunk) bool { return f.FromUser == "account" }},
		"encryption where the carrier takes nothing else":   {Trunk{Preset: "sixcomm"}, func(f Trunk) bool { return f.SRTP == SRTPRequired }},
		"a written wish for encryption stays":               {Trunk{Preset: "sixcomm", SRTP: SRTPOptional}, func(f Trunk) bool { return f.SRTP == SRTPOptional }},
		"a template registers when it is told to":           {Trunk{Preset: "tim-business", Register: true}, func(f Trunk) bool { return f.Register }},
		"a template by address does not register":           {Trunk{Preset: "irideos"}, func(f Trunk) bool { return !f.Register }},
	} {
		if f := filled(t, tc.trunk); !tc.check(f) {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if _, err := (Trunk{Preset: "../../../etc/passwd"}).Filled(); !errors.Is(err, presets.ErrUnknown) {
		t.Errorf("%v", err)
	}
}

func TestPresetIsNotWrittenOutIntoTheFile(t *testing.T) {
	const text = "trunks:\n  - {id: vf, preset: vodafone, user: \"+390612345678\", password: p}\n"
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Encode()
	if err != nil || strings.Contains(string(out), "ims.vodafone.it") || !strings.Contains(string(out), "preset: vodafone") {
		t.Errorf("%v\n%s", err, out)
	}
	again, err := Parse(out)
	if err != nil || len(Diff(c, again)) != 0 {
		t.Errorf("%v %v", err, Diff(c, again))
	}
}

func TestEveryMistakeOfATrunkIsFound(t *testing.T) {
	_, err := Parse([]byte(`
trunks:
  - {id: a, preset: nobody, server: h, match: [192.0.2.1/32]}
  - {id: b, preset: tim, user: u}
  - {id: c, server: h, match: [192.0.2.1/32], servers: [a, b, c, d, e, f, g, h], transport: sctp, format: roman, number_in: x, number_out: y, did: z,
     from_user: me, caller_id: all, assert: [pai, xyz], codecs: [pcma, g729], country: Italy, public_address: home,
     expires: 59s, retry: 1s, qualify: 2h, keep_alive: 1s, dscp: 64, sip_dscp: 64, max_calls: -1, number: two, numbers: ["0212345678", "x"]}
  - {id: d, register: true, user: u, password: p}
  - {id: e, preset: irideos, server: h}
  - {id: f, server: "a b", proxy: "h:0", domain: "sip:h", match: [192.0.2.1/32], servers: ["h:x", "[::1]:70000", "h;lr", ":5060"], number: "12"}
  - {id: g, server: "sip.example.net:5061", proxy: "[2001:db8::1]:5060", domain: 192.0.2.1, match: [192.0.2.1/32], servers: ["2001:db8::1", "192.0.2.1:5070", SIP_1.example, "[2001:db8::2]"]}
`))
	found, ok := errors.AsType[Problems](err)
	if !ok {
		t.Fatalf("%v", err)
	}
	got := map[string]bool{}
	for _, p := range found {
		got[p.Path+" "+p.Code] = true
	}
	want := []string{
		"trunks[0].preset unknown", "trunks[1] credentials", "trunks[2].servers range", "trunks[2].transport choice", "trunks[2].format choice",
		"trunks[2].number_in choice", "trunks[2].number_out choice", "trunks[2].did choice", "trunks[2].from_user choice", "trunks[2].caller_id choice",
		"trunks[2].assert[1] choice", "trunks[2].codecs[1] choice", "trunks[2].country choice", "trunks[2].public_address address",
		"trunks[2].expires range", "trunks[2].retry range", "trunks[2].qualify range", "trunks[2].keep_alive range", "trunks[2].dscp range", "trunks[2].sip_dscp range",
		"trunks[2].max_calls range", "trunks[2].number number", "trunks[2].numbers[1] number",
		"trunks[3].server missing", "trunks[4].match missing",
		"trunks[5].server host", "trunks[5].proxy host", "trunks[5].domain host", "trunks[5].number number",
		"trunks[5].servers[0] host", "trunks[5].servers[1] host", "trunks[5].servers[2] host", "trunks[5].servers[3] host",
	}
	for _, w := range want {
		if !got[w] {
			t.Errorf("not reported: %s", w)
		}
		delete(got, w)
	}
	if len(got) != 0 {
		t.Errorf("reported without reason: %v", got)
	}
}

func TestPublicAddressIsReadInAllItsForms(t *testing.T) {
	for text, want := range map[string]netip.AddrPort{
		"": {}, "seen": {}, "stun:stun.example.net": {}, "198.51.100.1": netip.MustParseAddrPort("198.51.100.1:0"), "198.51.100.1:5070": netip.MustParseAddrPort("198.51.100.1:5070"),
		"2001:db8::1": netip.MustParseAddrPort("[2001:db8::1]:0"), "[2001:db8::1]:5070": netip.MustParseAddrPort("[2001:db8::1]:5070"),
	} {
		c := Trunk{PublicAddress: text}
		if got, err := c.Public(); err != nil || got != want || c.Seen() != (text == "seen") || (c.STUN() == "stun.example.net") != (text == "stun:stun.example.net") {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
}

func TestNewFieldsOfATrunkAreInTheDiff(t *testing.T) {
	a := Config{Trunks: []Trunk{{ID: "x"}}}
	b := a.Clone()
	b.Trunks[0] = Trunk{ID: "x", Preset: "tim", Disabled: true, Numbers: []tel.Number{"0612345678"}, Expires: time.Hour, Assert: []string{"rpid"}}
	var got []string
	for _, c := range Diff(a, b) {
		got = append(got, c.String())
	}
	want := []string{
		"trunks[x].disabled changed: false -> true", "trunks[x].preset changed:  -> tim", "trunks[x].expires changed: 0s -> 1h0m0s",
		"trunks[x].numbers changed: [] -> [0612345678]", "trunks[x].assert changed: [] -> [rpid]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
