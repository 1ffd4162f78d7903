package trunk

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestNumbersAreReadAndWrittenAsTheCarrierWants(t *testing.T) {
	for _, tc := range []struct {
		format   Format
		carrier  tel.Number // as it comes
		box      tel.Number
		outgoing tel.Number // the box's form written for the carrier
	}{
		{E164, "+390212345678", "+390212345678", "+390212345678"},
		{E164, "390212345678", "+390212345678", "+390212345678"},
		{E164, "00442012345678", "+442012345678", "+442012345678"},
		{E164, "3923456789", "+3923456789", "+3923456789"}, // an E.164 carrier never means the mobile prefix 392
		{E164, "112", "112", "112"},
		{E164, "201", "201", "201"},
		{E164, "*100*1234567", "*100*1234567", "*100*1234567"},
		{E164, "0212345678", "+390212345678", "+390212345678"}, // no country code begins with 0
		{Bare, "390212345678", "+390212345678", "390212345678"},
		{Bare, "393471234567", "+393471234567", "393471234567"},
		{Bare, "+442012345678", "+442012345678", "442012345678"},
		{Bare, "112", "112", "112"},
		{Prefixed, "00390212345678", "+390212345678", "00390212345678"}, // the 0 of Milan stays
		{Prefixed, "00442012345678", "+442012345678", "00442012345678"},
		{Prefixed, "3471234567", "+393471234567", "00393471234567"},
		{Prefixed, "1515", "1515", "1515"},
		{National, "0212345678", "+390212345678", "0212345678"},
		{National, "3471234567", "+393471234567", "3471234567"},
		{National, "+390212345678", "+390212345678", "0212345678"},
		{National, "00442012345678", "+442012345678", "00442012345678"},
		{National, "800123456", "+39800123456", "800123456"},
		{National, "118", "118", "118"},
		{National, "116000", "116000", "116000"},
		{AsIs, "0212345678", "0212345678", "0212345678"},
		{AsIs, "+390212345678", "+390212345678", "+390212345678"},
	} {
		if got := tc.format.In(tc.carrier); got != tc.box {
			t.Errorf("format %d: %s read as %s, want %s", tc.format, tc.carrier, got, tc.box)
		}
		if got := tc.format.Out(tc.box); got != tc.outgoing {
			t.Errorf("format %d: %s written as %s, want %s", tc.format, tc.box, got, tc.outgoing)
		}
	}
	// What a person dials goes out the same as what was read.
	if got := E164.Out("0212345678"); got != "+390212345678" {
		t.Errorf("%s", got)
	}
	if got := National.Out("+442012345678"); got != "00442012345678" {
		t.Errorf("%s", got)
	}
}

func TestNumbersMakeTheRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	tried := 0
	for range 20_000 {
		var n tel.Number
		if rng.IntN(2) == 0 {
			n = tel.Number(fmt.Sprintf("+39%s%0*d", []string{"0", "3", "800", "06", "347"}[rng.IntN(5)], 7, rng.IntN(10_000_000)))
		} else {
			n = tel.Number(fmt.Sprintf("+%d%09d", []int{1, 33, 41, 44, 49, 378}[rng.IntN(6)], rng.IntN(1_000_000_000)))
		}
		if e, ok := tel.Number(strings.TrimPrefix(string(n), "+39")).E164(); strings.HasPrefix(string(n), "+39") && (!ok || e != n) {
			continue // not a number of the Italian plan
		}
		tried++
		for _, f := range []Format{AsIs, E164, National, Bare, Prefixed} {
			if got := f.In(f.Out(n)); got != n {
				t.Fatalf("format %d: %s came back as %s by way of %s", f, n, got, f.Out(n))
			}
		}
	}
	if tried < 10_000 {
		t.Fatalf("only %d tried", tried)
	}
}

func invite(t testing.TB, target string, headers ...string) *sip.Request {
	t.Helper()
	text := "INVITE " + target + " SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"
	all := strings.Join(headers, "\r\n") + "\r\n"
	if !strings.Contains(all, "From:") {
		all += "From: <sip:+393471234567@carrier>;tag=1\r\n"
	}
	if !strings.Contains(all, "To:") {
		all += "To: <sip:+390299999999@box>\r\n"
	}
	msg, err := sip.NewParser().ParseSIP([]byte(text + strings.TrimPrefix(all, "\r\n") + "Content-Length: 0\r\n\r\n"))
	if err != nil {
		t.Fatalf("test's own request: %v", err)
	}
	return msg.(*sip.Request)
}

func TestCalledNumberIsFoundWhereTheCarrierPutsIt(t *testing.T) {
	for name, tc := range map[string]struct {
		called  CalledFrom
		target  string
		headers []string
		want    tel.Number
	}{
		"request line": {CalledRequestLine, "sip:0212345678@box", nil, "+390212345678"},
		"request line with escapes and parameters":          {CalledRequestLine, "sip:%2b390212345678;npdi@box;user=phone", nil, "+390212345678"},
		"tel request line":                                  {CalledRequestLine, "tel:+39-02-1234.5678;phone-context=x", nil, "+390212345678"},
		"our secret contact: then To":                       {CalledRequestLine, "sip:TOKEN@box", nil, "+390299999999"},
		"To, as configured":                                 {CalledTo, "sip:0212345678@box", nil, "+390299999999"},
		"P-Called-Party-ID, as configured":                  {CalledPartyID, "sip:TOKEN@box", []string{"P-Called-Party-ID: \"x\" <sip:0688888888@c;user=phone>;y=z"}, "+390688888888"},
		"P-Called-Party-ID missing: request line":           {CalledPartyID, "sip:0212345678@box", nil, "+390212345678"},
		"P-Called-Party-ID unreadable: request line":        {CalledPartyID, "sip:0212345678@box", []string{"P-Called-Party-ID: <"}, "+390212345678"},
		"Diversion, as configured: whom the caller dialled": {CalledDiversion, "sip:TOKEN@box", []string{"Diversion: <sip:0677777777@c>;reason=unconditional, <sip:0688888888@c>;reason=user-busy"}, "+390688888888"},
		"Diversion missing: request line":                   {CalledDiversion, "sip:0212345678@box", nil, "+390212345678"},
		"Diversion withheld: request line":                  {CalledDiversion, "sip:0212345678@box", []string{"Diversion: <sip:0688888888@c>;privacy=full"}, "+390212345678"},
		"an account of digits is not what was dialled":      {CalledRequestLine, "sip:0211@box", []string{"To: <sip:0233333333@box>"}, "+390233333333"},
		"a name is no number: the trunk's own":              {CalledRequestLine, "sip:sales@box", []string{"To: <sip:sales@box>"}, "+390211111111"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := idle(t, func(c *Config) { c.Called = tc.called; c.Incoming = National; c.Number = "+390211111111" })
			target := strings.Replace(tc.target, "TOKEN", tr.view().token, 1)
			if got := tr.Called(invite(t, target, tc.headers...)); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func TestCallerIsWhomTheCarrierAsserts(t *testing.T) {
	for name, tc := range map[string]struct {
		headers []string
		number  tel.Number
		caller  string
	}{
		"From":                             {[]string{`From: "Rossi \"Mario\"" <sip:0212345678@c>;tag=1`}, "+390212345678", `Rossi "Mario"`},
		"asserted beats From":              {[]string{`From: "Fake" <sip:112@c>;tag=1`, `P-Asserted-Identity: "Rossi" <sip:0212345678@c>, <tel:+390212345678>`}, "+390212345678", "Rossi"},
		"asserted tel":                     {[]string{`P-Asserted-Identity: <tel:+390212345678>`}, "+390212345678", ""},
		"asserted without brackets":        {[]string{`P-Asserted-Identity: tel:+390212345678`}, "+390212345678", ""},
		"unreadable assertion: From":       {[]string{`P-Asserted-Identity: "`, `From: <sip:0212345678@c>;tag=1`}, "+390212345678", ""},
		"a name that is only the number":   {[]string{`From: "390212345678" <sip:+390212345678@c>;tag=1`}, "+390212345678", ""},
		"anonymous host":                   {[]string{`From: "Anonymous" <sip:anonymous@anonymous.invalid>;tag=1`}, "", ""},
		"anonymous user":                   {[]string{`From: "x" <sip:Restricted@c>;tag=1`}, "", ""},
		"privacy hides the asserted one":   {[]string{`Privacy: user; id`, `P-Asserted-Identity: <sip:0212345678@c>`}, "", ""},
		"privacy none hides nothing":       {[]string{`Privacy: none`, `From: <sip:0212345678@c>;tag=1`}, "+390212345678", ""},
		"a name without number":            {[]string{`From: "Bob" <sip:bob@c>;tag=1`}, "", "Bob"},
		"control characters in the name":   {[]string{"From: \"a\x01b\xc2\x85c\xff\" <sip:0212345678@c>;tag=1"}, "+390212345678", "abc\uFFFD"},
		"a name of any length is bounded":  {[]string{`From: "` + strings.Repeat("è", 500) + `" <sip:0212345678@c>;tag=1`}, "+390212345678", strings.Repeat("è", 32)},
		"remote party beats From":          {[]string{`From: "x" <sip:box@c>;tag=1`, `Remote-Party-ID: "Rossi" <sip:0212345678@c>;party=calling;screen=yes;privacy=off`}, "+390212345678", "Rossi"},
		"asserted beats remote party":      {[]string{`Remote-Party-ID: <sip:0288888888@c>`, `P-Asserted-Identity: <sip:0212345678@c>`}, "+390212345678", ""},
		"remote party that hides all":      {[]string{`Remote-Party-ID: "Rossi" <sip:0212345678@c>;privacy=full`}, "", ""},
		"remote party that hides its name": {[]string{`Remote-Party-ID: "Rossi" <sip:0212345678@c>;privacy=name;party=calling`}, "+390212345678", ""},
		"the called party's is not ours":   {[]string{`Remote-Party-ID: <sip:0288888888@c>;party=called`, `From: <sip:0212345678@c>;tag=1`}, "+390212345678", ""},
		"brackets in a quoted name":        {[]string{`P-Asserted-Identity: "Rossi <sip:112@c>" <sip:0212345678@c>`}, "+390212345678", "Rossi <sip:112@c>"},
		"a number that cannot be a number": {[]string{`From: <sip:` + strings.Repeat("1", 100) + `@c>;tag=1`}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			tr := idle(t, func(c *Config) { c.Incoming = National })
			number, caller := tr.Caller(invite(t, "sip:1@box", tc.headers...))
			if number != tc.number || caller != tc.caller {
				t.Errorf("%q %q, want %q %q", number, caller, tc.number, tc.caller)
			}
		})
	}
}

func FuzzWhatTheCarrierSays(f *testing.F) {
	f.Add(`"a" <sip:1@c>;tag=1`, "<tel:+39;x>", "id", "sip:%2b39@b")
	f.Add(`sip:a;b=c`, `"\"<`, "none;user", "tel:")
	tr := idle(f, func(c *Config) { c.Incoming = National; c.Called = CalledPartyID })
	f.Fuzz(func(t *testing.T, from, asserted, privacy, target string) {
		msg, err := sip.NewParser().ParseSIP([]byte("INVITE " + target + " SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: " + from + "\r\nTo: " + from +
			"\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nP-Asserted-Identity: " + asserted + "\r\nP-Called-Party-ID: " + asserted + "\r\nPrivacy: " + privacy +
			"\r\nDiversion: " + asserted + "\r\nHistory-Info: " + asserted + "\r\nRemote-Party-ID: " + asserted +
			"\r\nContact: " + from + "\r\nRetry-After: " + privacy + "\r\nMin-Expires: " + privacy + "\r\nContent-Length: 0\r\n\r\n"))
		if err != nil {
			return
		}
		req, ok := msg.(*sip.Request)
		if !ok {
			return
		}
		tr.Matches(req, carrier)
		number, name := tr.Caller(req)
		first, last, _ := tr.Diverted(req)
		for _, n := range []tel.Number{number, tr.Called(req), first.Number, last.Number} {
			digits := strings.TrimPrefix(string(n), "+39") // which the box itself puts in front
			if digits == "" {
				continue
			}
			if again, err := tel.ParseNumber(digits); err != nil || string(again) != digits {
				t.Errorf("%q is no number", n)
			}
		}
		if len(name) > maxName || strings.ContainsAny(name, "\r\n\x00") {
			t.Errorf("name %q", name)
		}
		res := sip.NewResponseFromRequest(req, 503, "x", nil)
		for _, h := range req.Headers() {
			res.AppendHeader(sip.HeaderClone(h))
		}
		if r := readReply(res, "x"); r.granted < 0 || r.retryAfter < 0 || r.minExpires < 0 {
			t.Errorf("%+v", r)
		}
	})
}
