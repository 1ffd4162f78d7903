package digest

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// The worked examples of the standards. RFC 8760 adds SHA-256 to SIP but computes no example of
// its own; its section 2 refers to the one of RFC 7616.
var vectors = []struct {
	name, user, realm, password, method, uri, nonce, cnonce string
	nc                                                      uint32
	algorithm                                               Algorithm
	qop                                                     bool
	response                                                string
}{
	{
		"RFC 7616 section 3.9.1 with SHA-256", "Mufasa", "http-auth@example.org", "Circle of Life", "GET", "/dir/index.html",
		"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
		1, SHA256, true, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
	},
	{
		"RFC 7616 section 3.9.1 with MD5", "Mufasa", "http-auth@example.org", "Circle of Life", "GET", "/dir/index.html",
		"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
		1, MD5, true, "8ca523f5e9506fed4657c9700eebdbec",
	},
	{
		"RFC 2617 section 3.5", "Mufasa", "testrealm@host.com", "Circle Of Life", "GET", "/dir/index.html",
		"dcd98b7102dd2f0e8b11d0f600bfb0c093", "0a4f113b", 1, MD5, true, "6629fae49393a05397450978507c4ef1",
	},
	{
		"RFC 2069 section 2.4 as corrected by erratum 749, without qop", "Mufasa", "testrealm@host.com", "CircleOfLife", "GET", "/dir/index.html",
		"dcd98b7102dd2f0e8b11d0f600bfb0c093", "", 0, MD5, false, "1949323746fe6a43ef61f9606e7febea",
	},
}

func TestAnswersEqualTheWorkedExamplesOfTheStandards(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			c := Challenge{Realm: v.realm, Nonce: v.nonce, Algorithm: v.algorithm, Auth: v.qop}
			a, err := Answer(c, Credentials{Username: v.user, Password: NewSecret(v.password)}, v.method, v.uri, v.nc, v.cnonce)
			if err != nil {
				t.Fatal(err)
			}
			if a.Response != v.response {
				t.Fatalf("response %s, want %s", a.Response, v.response)
			}
			parsed, err := ParseAuthorization(a.String())
			if err != nil {
				t.Fatal(err)
			}
			ha1 := HA1(v.algorithm, v.user, v.realm, v.password)
			if !parsed.Verify(ha1, v.method) {
				t.Error("own answer is not accepted")
			}
			if parsed.Verify(ha1, "POST") {
				t.Error("accepted for another method")
			}
			if parsed.Verify(HA1(v.algorithm, v.user, v.realm, "wrong"), v.method) {
				t.Error("accepted with another password")
			}
			for i := range parsed.Response {
				forged := parsed
				other := byte('0')
				if parsed.Response[i] == other {
					other = '1'
				}
				forged.Response = parsed.Response[:i] + string(other) + parsed.Response[i+1:]
				if forged.Verify(ha1, v.method) {
					t.Errorf("digit %d of the response may be anything", i)
				}
			}
			for _, change := range []func(*Authorization){
				func(a *Authorization) { a.URI += "x" },
				func(a *Authorization) { a.Nonce += "x" },
				func(a *Authorization) { a.Response = strings.Repeat("0", len(a.Response)) },
				func(a *Authorization) { a.Response = a.Response[1:] },
				func(a *Authorization) { a.Auth = !a.Auth },
			} {
				forged := parsed
				change(&forged)
				if forged.Verify(ha1, v.method) {
					t.Errorf("a changed header was accepted: %+v", forged)
				}
			}
		})
	}
}

func TestStoredHA1AnswersLikeThePassword(t *testing.T) {
	c := Challenge{Realm: "pronto", Nonce: "n", Algorithm: SHA256, Auth: true}
	clear, err := Answer(c, Credentials{Username: "201", Password: NewSecret("secret")}, "REGISTER", "sip:box", 1, "c")
	if err != nil {
		t.Fatal(err)
	}
	stored, err := Answer(c, Credentials{Username: "201", HA1: map[Algorithm]Secret{
		SHA256: NewSecret(HA1(SHA256, "201", "pronto", "secret")),
	}}, "REGISTER", "sip:box", 1, "c")
	if err != nil || stored != clear {
		t.Fatalf("%v, %v", stored, err)
	}
	c.Algorithm = MD5
	if _, err := Answer(c, Credentials{Username: "201", HA1: map[Algorithm]Secret{SHA256: NewSecret("x")}}, "REGISTER", "sip:box", 1, "c"); !errors.Is(err, ErrUnsupported) {
		t.Fatalf("an algorithm without stored HA1: %v", err)
	}
}

func TestHeadersAreReadAsPeersWriteThem(t *testing.T) {
	for name, tc := range map[string]struct {
		header string
		want   Challenge
		err    error
	}{
		"RFC 7616 section 3.9.1, one line": {
			`Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf", opaque="FQhe"`,
			Challenge{Realm: "http-auth@example.org", Nonce: "7ypf", Opaque: "FQhe", Algorithm: SHA256, Auth: true},
			nil,
		},
		"RFC 3261 section 22.2 style, md5 by default": {
			`Digest realm="biloxi.com",qop="auth",nonce="dcd98b",stale=FALSE`,
			Challenge{Realm: "biloxi.com", Nonce: "dcd98b", Algorithm: MD5, Auth: true},
			nil,
		},
		"unquoted values, quoted algorithm, stale": {
			`digest algorithm="md5" , realm=x , nonce=ab/c== , stale = TRUE`,
			Challenge{Realm: "x", Nonce: "ab/c==", Algorithm: MD5, Stale: true},
			nil,
		},
		"escapes in a quoted string": {
			`Digest realm="a \"b\" \\c", nonce="n"`,
			Challenge{Realm: `a "b" \c`, Nonce: "n", Algorithm: MD5},
			nil,
		},
		"empty realm is a realm":        {`Digest realm="", nonce="n"`, Challenge{Nonce: "n", Algorithm: MD5}, nil},
		"MD5-sess is politely refused":  {`Digest realm="x", nonce="n", algorithm=MD5-sess`, Challenge{}, ErrUnsupported},
		"SHA-256-sess is refused":       {`Digest realm="x", nonce="n", algorithm=SHA-256-sess`, Challenge{}, ErrUnsupported},
		"SHA-512-256 is not spoken":     {`Digest realm="x", nonce="n", algorithm=SHA-512-256`, Challenge{}, ErrUnsupported},
		"auth-int alone is refused":     {`Digest realm="x", nonce="n", qop="auth-int"`, Challenge{}, ErrUnsupported},
		"an empty qop is not no qop":    {`Digest realm="x", nonce="n", qop=""`, Challenge{}, ErrUnsupported},
		"another scheme":                {`Basic realm="x"`, Challenge{}, ErrUnsupported},
		"no nonce":                      {`Digest realm="x"`, Challenge{}, ErrSyntax},
		"no realm":                      {`Digest nonce="x"`, Challenge{}, ErrSyntax},
		"repeated parameter":            {`Digest realm="x", realm="y", nonce="n"`, Challenge{}, ErrSyntax},
		"open quote":                    {`Digest realm="x, nonce=n`, Challenge{}, ErrSyntax},
		"text after a quoted string":    {`Digest realm="x"y, nonce=n`, Challenge{}, ErrSyntax},
		"control character":             {"Digest realm=\"x\x00\", nonce=n", Challenge{}, ErrSyntax},
		"escaped control character":     {"Digest realm=\"x\\\r\n\", nonce=n", Challenge{}, ErrSyntax},
		"nothing":                       {``, Challenge{}, ErrSyntax},
		"too long":                      {`Digest realm="` + strings.Repeat("x", maxHeader) + `", nonce=n`, Challenge{}, ErrSyntax},
		"too many parameters":           {`Digest realm=x, nonce=n` + manyParams(40), Challenge{}, ErrSyntax},
		"value missing":                 {`Digest realm=, nonce=n`, Challenge{}, ErrSyntax},
		"name missing":                  {`Digest ="x", nonce=n`, Challenge{}, ErrSyntax},
		"unknown parameters are passed": {`Digest realm=x, nonce=n, charset=UTF-8, domain="sip:a sip:b"`, Challenge{Realm: "x", Nonce: "n", Algorithm: MD5}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseChallenge(tc.header)
			if !errors.Is(err, tc.err) {
				t.Fatalf("error %v, want %v", err, tc.err)
			}
			if got != tc.want {
				t.Fatalf("%+v, want %+v", got, tc.want)
			}
		})
	}
}

func manyParams(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ", p%d=1", i)
	}
	return b.String()
}

func TestAuthorizationWithoutWhatVerifyNeedsIsRefused(t *testing.T) {
	full := `Digest username="u", realm="r", nonce="n", uri="sip:x", response="` + strings.Repeat("a", 32) + `"`
	if _, err := ParseAuthorization(full); err != nil {
		t.Fatal(err)
	}
	for name, header := range map[string]string{
		"no username":                 strings.Replace(full, `username="u", `, "", 1),
		"no nonce":                    strings.Replace(full, `nonce="n", `, "", 1),
		"no uri":                      strings.Replace(full, `uri="sip:x", `, "", 1),
		"short response":              strings.Replace(full, "aaa", "", 1),
		"MD5 length for SHA-256":      full + ", algorithm=SHA-256",
		"hashed username":             full + ", userhash=true",
		"extended username":           full + ", username*=UTF-8''u",
		"qop without nc":              full + `, qop=auth, cnonce="c"`,
		"qop without cnonce":          full + `, qop=auth, nc=00000001`,
		"nc of seven digits":          full + `, qop=auth, nc=0000001, cnonce="c"`,
		"nc not hexadecimal":          full + `, qop=auth, nc=0000000g, cnonce="c"`,
		"nc with a sign":              full + `, qop=auth, nc=+0000001, cnonce="c"`,
		"nc zero":                     full + `, qop=auth, nc=00000000, cnonce="c"`,
		"nc without qop":              full + `, nc=00000001`,
		"auth-int":                    full + `, qop=auth-int, nc=00000001, cnonce="c"`,
		"session variant":             full + `, algorithm=MD5-sess`,
		"two users for two beholders": full + `, username="v"`,
	} {
		if a, err := ParseAuthorization(header); err == nil {
			t.Errorf("%s: accepted as %+v", name, a)
		}
	}
}

func TestNextNonceTravels(t *testing.T) {
	c, err := ParseConfirmation(`qop=auth, rspauth="ab", cnonce="c", nc=00000001, nextnonce="fresh"`)
	if err != nil || c.NextNonce != "fresh" {
		t.Fatalf("%+v %v", c, err)
	}
	if again, err := ParseConfirmation(c.String()); err != nil || again != c {
		t.Fatalf("%+v %v", again, err)
	}
}

func TestSecretsPrintAsStars(t *testing.T) {
	type inside struct{ c Credentials }
	c := Credentials{Username: "u", Password: NewSecret("hunter2"), HA1: map[Algorithm]Secret{MD5: NewSecret("hunter2")}}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "c", c, "p", c.Password)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "c", c, "p", c.Password)
	js, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprintf("%+v %#v", inside{c}, inside{c}), fmt.Sprintf("%+v", &inside{c})} {
		if strings.Contains(s, "hunter2") {
			t.Errorf("secret printed from a private field: %s", s)
		}
	}
	for _, s := range []string{
		fmt.Sprint(c), fmt.Sprintf("%+v %#v %q %x %s %d", c, c, c.Password, c.Password, c.Password, c.Password),
		c.Password.String(), string(js), log.String(),
	} {
		if strings.Contains(s, "hunter2") || strings.Contains(s, "68756e74657232") {
			t.Errorf("secret printed: %s", s)
		}
		if !strings.Contains(s, "***") {
			t.Errorf("no stars: %s", s)
		}
	}
}

func FuzzHeaderText(f *testing.F) {
	for _, v := range vectors {
		c := Challenge{Realm: v.realm, Nonce: v.nonce, Algorithm: v.algorithm, Auth: v.qop}
		a, err := Answer(c, Credentials{Username: v.user, Password: NewSecret(v.password)}, v.method, v.uri, v.nc, v.cnonce)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(c.String())
		f.Add(a.String())
	}
	f.Add(`Digest realm="a \"b", nonce=n, stale=true, qop="auth,auth-int"`)
	f.Add(`nextnonce="x", qop=auth`)
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := ParseChallenge(s); err == nil {
			if again, err := ParseChallenge(c.String()); err != nil || again != c {
				t.Errorf("challenge %+v came back as %+v, %v", c, again, err)
			}
		}
		if a, err := ParseAuthorization(s); err == nil {
			again, err := ParseAuthorization(a.String())
			// An unused cnonce is not sent on.
			if !a.Auth {
				a.CNonce = ""
			}
			if err != nil || again != a {
				t.Errorf("authorization %+v came back as %+v, %v", a, again, err)
			}
			if a.Verify("no hash", "REGISTER") {
				t.Error("verified against nothing")
			}
		}
		if c, err := ParseConfirmation(s); err == nil && c.NextNonce != "" {
			if again, err := ParseConfirmation(c.String()); err != nil || again != c {
				t.Errorf("confirmation %+v came back as %+v, %v", c, again, err)
			}
		}
	})
}
