package document

import (
	"fmt"
	"net/netip"
	"strings"
)

// unescaped are the marks that a user part may hold as they are (RFC 3261 section 25.1, user); "#"
// is none of them.
const unescaped = "-_.!~*'()&=+$,;?/"

// User writes s as the user part of a SIP URI.
func User(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', strings.IndexByte(unescaped, c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// URI is the SIP URI of a number at a host or host:port; without a number it is the anonymous one (RFC 3323
// section 4.1.1.3).
func URI(number, host string) string {
	if number == "" {
		return "sip:anonymous@anonymous.invalid"
	}
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		host = "[" + host + "]"
	}
	return "sip:" + User(number) + "@" + host
}
