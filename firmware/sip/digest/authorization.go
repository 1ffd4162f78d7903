package digest

import (
	"crypto/subtle"
	"fmt"
	"strconv"
	"strings"
)

// Authorization is the value of an Authorization or Proxy-Authorization header (RFC 7616 section 3.4).
type Authorization struct {
	Username  string
	Realm     string
	Nonce     string
	URI       string
	Response  string
	Opaque    string
	CNonce    string
	NC        uint32 // nonce count; 0 without qop
	Algorithm Algorithm
	Auth      bool // qop=auth; false = the RFC 2069 form without qop
}

// ParseAuthorization reads the header value. What it returns is complete: every parameter that
// Verify needs is there and has the right length.
func ParseAuthorization(s string) (Authorization, error) {
	list, err := params(s)
	if err != nil {
		return Authorization{}, fmt.Errorf("authorization: %w", err)
	}
	var a Authorization
	var algorithm, qop, nc string
	for _, p := range list {
		switch p.name {
		case "username":
			a.Username = p.value
		case "realm":
			a.Realm = p.value
		case "nonce":
			a.Nonce = p.value
		case "uri":
			a.URI = p.value
		case "response":
			a.Response = strings.ToLower(p.value)
		case "opaque":
			a.Opaque = p.value
		case "cnonce":
			a.CNonce = p.value
		case "nc":
			nc = p.value
		case "qop":
			qop = p.value
		case "algorithm":
			algorithm = p.value
		case "username*", "userhash":
			return Authorization{}, fmt.Errorf("authorization: %s: %w", p.name, ErrUnsupported)
		}
	}
	if a.Algorithm, err = ParseAlgorithm(algorithm); err != nil {
		return Authorization{}, fmt.Errorf("authorization: %w", err)
	}
	if a.Username == "" || a.Nonce == "" || a.URI == "" || len(a.Response) != a.Algorithm.hexLen() {
		return Authorization{}, fmt.Errorf("authorization incomplete: %w", ErrSyntax)
	}
	return a, a.setQOP(qop, nc)
}

func (a *Authorization) setQOP(qop, nc string) error {
	switch {
	case qop == "":
		if nc != "" {
			return fmt.Errorf("authorization: nc without qop: %w", ErrSyntax)
		}
		return nil
	case !strings.EqualFold(qop, "auth"):
		return fmt.Errorf("authorization: qop %q: %w", qop, ErrUnsupported)
	}
	count, err := strconv.ParseUint(nc, 16, 32)
	if err != nil || len(nc) != 8 || count == 0 || a.CNonce == "" {
		return fmt.Errorf("authorization: nc and cnonce: %w", ErrSyntax)
	}
	a.NC, a.Auth = uint32(count), true
	return nil
}

// String is the header value.
func (a Authorization) String() string {
	var b strings.Builder
	b.WriteString("Digest ")
	quote(&b, "username", a.Username)
	quote(&b, "realm", a.Realm)
	quote(&b, "nonce", a.Nonce)
	quote(&b, "uri", a.URI)
	quote(&b, "response", a.Response)
	if a.Algorithm != "" {
		bare(&b, "algorithm", string(a.Algorithm))
	}
	if a.Opaque != "" {
		quote(&b, "opaque", a.Opaque)
	}
	if a.Auth {
		bare(&b, "qop", "auth")
		bare(&b, "nc", a.nc())
		quote(&b, "cnonce", a.CNonce)
	}
	return b.String()
}

func (a Authorization) nc() string { return fmt.Sprintf("%08x", a.NC) }

func (a Authorization) qop() string {
	if a.Auth {
		return "auth"
	}
	return ""
}

// Verify reports whether the response was made with ha1 for this method and the URI inside the
// header. The comparison takes the same time wherever the first difference is. The caller compares
// a.URI with the request line, and asks Nonces about nonce and count.
func (a Authorization) Verify(ha1, method string) bool {
	want := respond(a.Algorithm, ha1, a.Nonce, a.nc(), a.CNonce, a.qop(), method, a.URI)
	return subtle.ConstantTimeCompare([]byte(want), []byte(a.Response)) == 1
}

// Answer makes the header value's content for a challenge. nc counts the uses of the challenge's
// nonce from 1; cnonce is fresh random text. Without qop in the challenge both are left out.
func Answer(c Challenge, who Credentials, method, uri string, nc uint32, cnonce string) (Authorization, error) {
	ha1, err := who.ha1(c.Algorithm, c.Realm)
	if err != nil {
		return Authorization{}, err
	}
	a := Authorization{
		Username: who.Username, Realm: c.Realm, Nonce: c.Nonce, URI: uri, Opaque: c.Opaque,
		Algorithm: c.Algorithm, Auth: c.Auth,
	}
	if c.Auth {
		a.NC, a.CNonce = nc, cnonce
	}
	a.Response = respond(a.Algorithm, ha1, a.Nonce, a.nc(), a.CNonce, a.qop(), method, uri)
	return a, nil
}
