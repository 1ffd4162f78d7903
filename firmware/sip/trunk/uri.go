package trunk

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// hostURI reads host, host:port, IPv4 or [IPv6] with or without port.
func hostURI(text string) (sip.Uri, error) {
	u := sip.Uri{Scheme: "sip", Host: text}
	if host, port, err := net.SplitHostPort(text); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return u, fmt.Errorf("port %q is not 1 to 65535", port)
		}
		u.Host, u.Port = host, int(n)
	}
	bare := strings.Trim(u.Host, "[]")
	if _, err := netip.ParseAddr(bare); err == nil {
		u.Host = bare
		return u, nil
	}
	if u.Host == "" || strings.ContainsFunc(u.Host, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	}) {
		return u, fmt.Errorf("%q is not a host name or address", text)
	}
	return u, nil
}

// plainUser accepts the characters of RFC 3261 section 25.1 for a user part.
func plainUser(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.!~*'()&=+$,;?/%", r)
	})
}
