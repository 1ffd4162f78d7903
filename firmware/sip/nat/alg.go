package nat

import (
	"net/netip"
	"strings"
	"time"
)

// SIPALG is the name of the finding that a router rewrites SIP. Such "help" breaks transfers, second
// calls and registrations; the owner should switch it off in the router.
const SIPALG = "sip_alg"

// Finding is a named fault of the network, with its evidence.
type Finding struct {
	Name   string         // SIPALG
	Remote netip.AddrPort // whose message showed it
	Where  string         // the part that was changed: "Via", "From", "To", "Request-URI"
	Sent   string         // as we wrote it
	Got    string         // as it came back
	At     time.Time
}

// Echo is what a response repeats of its request (RFC 3261 section 8.2.6.2).
type Echo struct {
	SentBy   string // host and port of our Via
	From, To string // hosts of the two
}

// Rewritten compares what came back with what was sent. Every server has to copy these parts, so a
// difference means that somebody between rewrote the request and forgot to undo it. A From or To
// counts only when an address took its place: that is what routers write, while some carriers
// change names.
func Rewritten(sent, got Echo) (where, was, now string, found bool) {
	if got.SentBy != "" && !sameHostPort(sent.SentBy, got.SentBy) {
		return "Via", sent.SentBy, got.SentBy, true
	}
	if becameAddress(sent.From, got.From) {
		return "From", sent.From, got.From, true
	}
	if becameAddress(sent.To, got.To) {
		return "To", sent.To, got.To, true
	}
	return "", "", "", false
}

// Mistaken says whether a request that should name our public address names a private one instead:
// a router undid on the way in what it never saw us write.
func Mistaken(advertised netip.Addr, requested string) bool {
	a, err := netip.ParseAddr(strings.Trim(requested, "[]"))
	return err == nil && !Private(advertised) && Private(a)
}

// Private says whether an address has no meaning beyond its own network: RFC 1918, RFC 4193,
// link-local, loopback, and the shared space of carriers' translators (RFC 6598).
func Private(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified() || carrierGrade.Contains(a)
}

var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

func becameAddress(sent, got string) bool {
	if got == "" || strings.EqualFold(strings.Trim(sent, "[]"), strings.Trim(got, "[]")) {
		return false
	}
	_, err := netip.ParseAddr(strings.Trim(got, "[]"))
	return err == nil
}

func sameHostPort(a, b string) bool { return strings.EqualFold(withPort(a), withPort(b)) }

// withPort completes what a server may leave out.
func withPort(s string) string {
	if i := strings.LastIndexByte(s, ':'); i < 0 || strings.HasSuffix(s, "]") {
		return s + ":5060"
	}
	return s
}
