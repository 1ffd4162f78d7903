package digest

import (
	"fmt"
	"strings"
)

// Challenge is the value of a WWW-Authenticate or Proxy-Authenticate header (RFC 7616 section 3.3).
type Challenge struct {
	Realm     string
	Nonce     string
	Opaque    string
	Algorithm Algorithm
	Auth      bool // qop "auth" is offered; false = the RFC 2069 form without qop
	Stale     bool // the credentials were fine, only the nonce was too old
}

// ParseChallenge reads a challenge; one that this box cannot answer is an error that wraps
// ErrUnsupported, so that a client can go on to the next (RFC 8760 section 2.4).
func ParseChallenge(s string) (Challenge, error) {
	list, err := params(s)
	if err != nil {
		return Challenge{}, fmt.Errorf("challenge: %w", err)
	}
	var c Challenge
	var algorithm, qop string
	var hasRealm, hasQOP bool
	for _, p := range list {
		switch p.name {
		case "realm":
			c.Realm, hasRealm = p.value, true
		case "nonce":
			c.Nonce = p.value
		case "opaque":
			c.Opaque = p.value
		case "algorithm":
			algorithm = p.value
		case "stale":
			c.Stale = strings.EqualFold(p.value, "true")
		case "qop":
			qop, hasQOP = p.value, true
		}
	}
	if !hasRealm || c.Nonce == "" {
		return Challenge{}, fmt.Errorf("challenge without realm or nonce: %w", ErrSyntax)
	}
	if c.Algorithm, err = ParseAlgorithm(algorithm); err != nil {
		return Challenge{}, fmt.Errorf("challenge: %w", err)
	}
	for option := range strings.SplitSeq(qop, ",") {
		if strings.EqualFold(strings.TrimSpace(option), "auth") {
			c.Auth = true
		}
	}
	if hasQOP && !c.Auth {
		return Challenge{}, fmt.Errorf("challenge: qop %q: %w", qop, ErrUnsupported)
	}
	return c, nil
}

// String is the header value.
func (c Challenge) String() string {
	var b strings.Builder
	b.WriteString("Digest ")
	quote(&b, "realm", c.Realm)
	quote(&b, "nonce", c.Nonce)
	if c.Opaque != "" {
		quote(&b, "opaque", c.Opaque)
	}
	if c.Stale {
		bare(&b, "stale", "true")
	}
	if c.Algorithm != "" {
		bare(&b, "algorithm", string(c.Algorithm))
	}
	if c.Auth {
		quote(&b, "qop", "auth")
	}
	return b.String()
}
