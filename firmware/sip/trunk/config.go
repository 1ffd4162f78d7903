package trunk

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/digest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Mode is how box and carrier know each other.
type Mode uint8

// The modes.
const (
	Register Mode = iota + 1 // the box registers with a password
	Address                  // the carrier knows our address, we know its addresses
)

// CalledFrom says where a carrier writes the number that was called.
type CalledFrom uint8

// The places; To and P-Called-Party-ID (RFC 7315 section 4.2) fall back to the request line.
const (
	CalledRequestLine CalledFrom = iota
	CalledTo
	CalledPartyID
)

// Identity says who the From header of our calls names. Carriers differ: most accept only the
// account there and take the number to show from P-Asserted-Identity (RFC 3325).
type Identity uint8

// The ways to present the caller.
const (
	IdentityAccount Identity = iota // From: the account; P-Asserted-Identity: the caller
	IdentityCaller                  // From: the caller; P-Asserted-Identity: the account
)

// Config describes one carrier account. It is read once, by New.
type Config struct {
	ID   tel.TrunkID
	Name string // shown to people
	Mode Mode

	Domain    string // of the account: host of From, To and request lines
	Server    string // host[:port] to send to; empty = Domain
	Proxy     string // host[:port] of an outbound proxy, put as Route; empty = none
	Transport string // "udp" or "tcp"; empty = udp

	User        string // user part of the account's address
	Credentials digest.Credentials
	Realm       string        // the only realm answered; empty = Domain, or what the registrar names
	Expires     time.Duration // to ask for; 0 = 1 h

	Sources []netip.Prefix // further addresses that calls come from; needed in mode Address

	Called   CalledFrom
	Number   tel.Number // called number of a request that names none
	Incoming Format     // how the carrier writes numbers
	Outgoing Format     // how the carrier wants them
	Identity Identity

	Limit   int           // calls at one time; 0 = no limit
	Qualify time.Duration // between two OPTIONS in mode Address; 0 = 60 s
}

const (
	defaultExpires = time.Hour
	defaultQualify = time.Minute
	maxExpires     = 24 * time.Hour
)

// check fills in the defaults and reports every mistake at once.
func (c *Config) check() error {
	var errs []error
	wrong := func(field, why string) { errs = append(errs, fmt.Errorf("trunk %q: %s: %s", c.ID, field, why)) }
	if c.ID == "" {
		wrong("id", "is missing")
	}
	if c.Transport == "" {
		c.Transport = "udp"
	}
	if c.Transport != "udp" && c.Transport != "tcp" {
		wrong("transport", "must be udp or tcp")
	}
	if c.Expires == 0 {
		c.Expires = defaultExpires
	}
	if c.Expires < time.Minute || c.Expires > maxExpires {
		wrong("expires", "must be from 1 min to 24 h")
	}
	if c.Qualify == 0 {
		c.Qualify = defaultQualify
	}
	if c.Credentials.Username == "" {
		c.Credentials.Username = c.User
	}
	for field, host := range map[string]string{"domain": c.Domain, "server": c.Server, "proxy": c.Proxy} {
		if _, err := hostURI(host); host != "" && err != nil {
			wrong(field, err.Error())
		}
	}
	if c.User != "" && !plainUser(c.User) {
		wrong("user", "may hold letters, digits and -_.!~*'()&=+$,;?/% only")
	}
	c.checkMode(wrong)
	return errors.Join(errs...)
}

func (c *Config) checkMode(wrong func(field, why string)) {
	switch c.Mode {
	case Register:
		if c.Domain == "" {
			wrong("domain", "is needed to register")
		}
		if c.User == "" {
			wrong("user", "is needed to register")
		}
	case Address:
		if len(c.Sources) == 0 {
			wrong("sources", "are needed to recognise the carrier's calls")
		}
	default:
		wrong("mode", "must be register or address")
	}
	for _, p := range c.Sources {
		// A prefix of length 0 lets the whole world in as the carrier; a wide one is a typing error.
		if !p.IsValid() || p.Addr().Is4() && p.Bits() < 8 || p.Addr().Is6() && p.Bits() < 16 {
			wrong("sources", p.String()+" is too wide for a carrier")
		}
	}
}

// target is where requests of this trunk are sent: proxy, server or domain, in this order; ok is
// false for a trunk that only receives.
func (c *Config) target() (uri sip.Uri, ok bool) {
	for _, host := range []string{c.Proxy, c.Server, c.Domain} {
		if host != "" {
			u, err := hostURI(host)
			return u, err == nil
		}
	}
	return sip.Uri{}, false
}

// home is sip:domain, the request line of REGISTER and the base of our addresses.
func (c *Config) home() sip.Uri {
	host := c.Domain
	if host == "" {
		host = c.Server
	}
	u, err := hostURI(host)
	if err != nil {
		return sip.Uri{Scheme: "sip", Host: host}
	}
	return u
}

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
