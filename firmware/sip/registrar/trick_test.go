package registrar

import (
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/digest"
)

// What can be done wrong, or tried, with a digest, and the answer to it. A trick that needs no
// knowledge of the password may be answered, but is never let in; what an honest phone does by
// accident is answered with stale=true, or it would ask its owner for another password, and is not
// counted against it.
func TestEachTrickWithADigestGetsItsAnswer(t *testing.T) {
	change := func(old, with string) func(string) string {
		return func(auth string) string { return strings.Replace(auth, old, with, 1) }
	}
	for name, tc := range map[string]struct {
		before func(t *testing.T, b *box, p *phone) // the nonce is at hand
		auth   func(string) string                  // what becomes of an honest Authorization
		status int
		stale  bool
		guess  bool // counts as a wrong password
	}{
		"honest": {status: 200},
		"a count used before": {
			before: func(t *testing.T, b *box, p *phone) { want(t, p.register(t, b), 200); p.nc = 0 }, status: 401, stale: true,
		},
		"a count used before, with another cnonce, which a replayer cannot compute": {
			before: func(t *testing.T, b *box, p *phone) { want(t, p.register(t, b), 200); p.nc = 0 },
			auth:   change(`cnonce="0a4f113b"`, `cnonce="0a4f113c"`), status: 401, guess: true,
		},
		"counts that arrive in the wrong order": {
			before: func(t *testing.T, b *box, p *phone) { p.nc = 6; want(t, p.register(t, b), 200); p.nc = 3 }, status: 200,
		},
		"a count that jumps far":  {before: func(_ *testing.T, _ *box, p *phone) { p.nc = 1 << 20 }, status: 200},
		"count zero":              {auth: change("nc=00000001", "nc=00000000"), status: 400},
		"a count of seven digits": {auth: change("nc=00000001", "nc=0000001"), status: 400},
		"a count above what was signed": {
			auth: change("nc=00000001", "nc=00000002"), status: 401, guess: true,
		},
		"a nonce of another address": {
			before: func(t *testing.T, b *box, p *phone) {
				p.flow = udpFlow("192.168.1.51:5070")
				p.ask(t, b)
				p.flow = lanFlow
			}, status: 401, stale: true,
		},
		"a nonce that a colleague at the same address was given is bound to the address, not to the name": {
			before: func(t *testing.T, b *box, p *phone) {
				other := newPhone("202")
				other.ask(t, b)
				p.nonce = other.nonce
			}, status: 200,
		},
		"a nonce whose count a colleague at the same address has used": {
			before: func(t *testing.T, b *box, p *phone) {
				other := newPhone("202")
				want(t, other.register(t, b), 200)
				p.nonce = other.nonce
			}, status: 401, stale: true,
		},
		"a made-up nonce":                        {before: func(_ *testing.T, _ *box, p *phone) { p.nonce = strings.Repeat("A", 40) }, status: 401},
		"a very short one":                       {before: func(_ *testing.T, _ *box, p *phone) { p.nonce = "A" }, status: 401},
		"no nonce":                               {auth: func(s string) string { return strings.Replace(s, "nonce=", "xnonce=", 1) }, status: 400},
		"a nonce given twice":                    {auth: func(s string) string { return s + `, nonce="x"` }, status: 400},
		"another realm":                          {auth: change(`realm="pronto"`, `realm="asterisk"`), status: 401},
		"our realm in capitals is another one":   {auth: change(`realm="pronto"`, `realm="PRONTO"`), status: 401},
		"an empty realm":                         {auth: change(`realm="pronto"`, `realm=""`), status: 401},
		"another's server in uri":                {auth: change(`uri="sip:192.168.1.1"`, `uri="sip:203.0.113.9"`), status: 400},
		"a number in uri":                        {auth: change(`uri="sip:192.168.1.1"`, `uri="sip:00881@192.168.1.1"`), status: 400},
		"a tel uri":                              {auth: change(`uri="sip:192.168.1.1"`, `uri="tel:00881"`), status: 400},
		"garbage in uri":                         {auth: change(`uri="sip:192.168.1.1"`, `uri="::"`), status: 400},
		"a colleague's name":                     {auth: change(`username="201"`, `username="202"`), status: 403},
		"a quoted pair in the name is that name": {auth: change(`username="201"`, `username="2\01"`), status: 200},
		"quality auth-int":                       {auth: change("qop=auth", "qop=auth-int"), status: 401},
		"quality left out, counts kept":          {auth: change("qop=auth, ", ""), status: 400},
		"MD5 named over a SHA-256 response":      {auth: change("algorithm=SHA-256", "algorithm=MD5"), status: 400},
		"an unknown algorithm":                   {auth: change("algorithm=SHA-256", "algorithm=SHA-512-256"), status: 401},
		"a session algorithm":                    {auth: change("algorithm=SHA-256", "algorithm=SHA-256-sess"), status: 401},
		"a response in capitals is the same": {auth: func(s string) string {
			head, rest, _ := strings.Cut(s, `response="`)
			value, tail, _ := strings.Cut(rest, `"`)
			return head + `response="` + strings.ToUpper(value) + `"` + tail
		}, status: 200},
		"a response cut short": {auth: func(s string) string {
			head, rest, _ := strings.Cut(s, `response="`)
			return head + `response="` + rest[1:]
		}, status: 400},
		"a user hash": {auth: func(s string) string { return s + ", userhash=true" }, status: 401},
		"an old nonce": {before: func(_ *testing.T, b *box, p *phone) {
			p.nonce = b.gate.nonces.Issue(time.Now().Add(-defaultNonceLifetime), "192.168.1.50/32")
		}, status: 401, stale: true},
		"a nonce from the future": {before: func(_ *testing.T, b *box, p *phone) {
			p.nonce = b.gate.nonces.Issue(time.Now().Add(time.Hour), "192.168.1.50/32")
		}, status: 401, stale: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			p := newPhone("201")
			p.ask(t, b)
			if tc.before != nil {
				tc.before(t, b, p)
			}
			failed := len(b.failed)
			auth := p.authorization(t, "REGISTER")
			if tc.auth != nil {
				changed := tc.auth(auth)
				if changed == auth {
					t.Fatalf("nothing is changed in %s", auth)
				}
				auth = changed
			}
			res := want(t, b.send(t, p.text(auth), p.flow), tc.status)
			if got := len(b.failed) - failed; got == 1 != tc.guess || got > 1 {
				t.Errorf("%d failures counted", got)
			}
			if tc.status != 401 {
				return
			}
			for _, h := range res.GetHeaders("WWW-Authenticate") {
				if c, err := digest.ParseChallenge(h.Value()); err != nil || c.Stale != tc.stale {
					t.Errorf("%s, %v", h, err)
				}
			}
		})
	}
}

// Our own realm is found behind the credentials for another server's, as RFC 3261 section 22.3 lets
// a phone send them.
func TestCredentialsForSeveralServersStandSideBySide(t *testing.T) {
	b := newBox(t)
	p := newPhone("201")
	p.ask(t, b)
	p.extra = []string{`Authorization: Digest username="x", realm="elsewhere", nonce="n", uri="sip:e", response="` + strings.Repeat("0", 32) + `"`}
	res := want(t, p.register(t, b), 200)
	if res.StatusCode != sip.StatusOK || len(b.failed) != 0 {
		t.Errorf("%v", b.failed)
	}
}
