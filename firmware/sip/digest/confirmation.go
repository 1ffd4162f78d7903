package digest

import (
	"fmt"
	"strings"
)

// Confirmation is the value of an Authentication-Info header (RFC 7616 section 3.5), by which a
// server hands out the next nonce before the old one ends.
type Confirmation struct {
	NextNonce string
}

// ParseConfirmation reads the header value, which has no scheme. Parameters other than nextnonce
// are checked for syntax and dropped.
func ParseConfirmation(s string) (Confirmation, error) {
	list, err := params("Digest " + s)
	if err != nil {
		return Confirmation{}, fmt.Errorf("authentication-info: %w", err)
	}
	var c Confirmation
	for _, p := range list {
		if p.name == "nextnonce" {
			c.NextNonce = p.value
		}
	}
	return c, nil
}

// String is the header value.
func (c Confirmation) String() string {
	var b strings.Builder
	quote(&b, "nextnonce", c.NextNonce)
	return b.String()
}
