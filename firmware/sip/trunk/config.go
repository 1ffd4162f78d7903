package trunk

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
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

// The places; each falls back to the request line, and that to To.
const (
	CalledRequestLine CalledFrom = iota
	CalledTo
	CalledPartyID   // P-Called-Party-ID (RFC 7315 section 4.2)
	CalledDiversion // the party that the caller dialled first, in Diversion or History-Info
)

// FromUser says who stands in the From header of our calls.
type FromUser uint8

// The rules for From.
const (
	FromAccount FromUser = iota // the account; the caller is asserted beside it
	FromNumber                  // the number that is presented, as the carrier writes numbers
	FromE164                    // the number that is presented, as +39NUMBER
)

// CallerID says which number our calls present.
type CallerID uint8

// The rules for the presented number. A number that is not one of the trunk's is presented by
// CallerPass only, and only with the party that forwarded the call beside it.
const (
	CallerExtension CallerID = iota // the caller's own number if it belongs to the trunk, else the main one
	CallerOwn                       // always the main number
	CallerPass                      // as CallerExtension; of a forwarded call the original caller, with Diversion (RFC 5806)
)

// Assert is a set of headers that name the caller to the carrier.
type Assert uint8

// The headers. They are sent only where a number is to be named that From does not name.
const (
	AssertPAI  Assert = 1 << iota // P-Asserted-Identity (RFC 3325)
	AssertPPI                     // P-Preferred-Identity (RFC 3325)
	AssertRPID                    // Remote-Party-ID (draft-ietf-sip-privacy-04, still asked for)
)

// Config describes one carrier account. It is read once, by New.
type Config struct {
	ID       tel.TrunkID
	Name     string // shown to people
	Mode     Mode
	Disabled bool // takes and makes no calls, and does not register

	Domain    string   // of the account: host of From, To and request lines
	Servers   []string // host[:port] to send to, the preferred one first; empty = Domain
	Proxy     string   // host[:port] of an outbound proxy, put as Route and sent to instead; empty = none
	Transport string   // "udp", "tcp" or "tls"; empty = udp

	User        string // user part of the account's address
	Credentials digest.Credentials
	Realm       string        // the only realm answered; empty = Domain, or what the registrar names
	Expires     time.Duration // to ask for, 1 min to 24 h; 0 = 1 h
	Retry       time.Duration // after a first failure, doubling to 10 min; 0 = 60 s

	Sources []netip.Prefix // further addresses that calls come from; needed in mode Address

	Called   CalledFrom
	Number   tel.Number   // the main number: presented, and called by a request that names none
	Numbers  []tel.Number // further numbers of ours
	Incoming Format       // how the carrier writes numbers
	Outgoing Format       // how the carrier wants them

	From    FromUser
	Caller  CallerID
	Assert  Assert // 0 = AssertPAI
	Country string // where the carrier hands calls over, "it" or another ISO 3166 code; empty = it

	// What our Contact and SDP name to the carrier, if not the address of the flow: a fixed address
	// (port 0 = the local one), the one at which the carrier sees us (RFC 3581), or the one that a STUN
	// server (host[:port]) sees.
	Public netip.AddrPort
	Seen   bool
	Trial  bool // somebody waits for how the first attempt goes: one refusal is an answer
	STUN   string

	Limit   int           // calls at one time; 0 = no limit
	Qualify time.Duration // between two OPTIONS; 0 = 60 s
	// SessionExpires is how long a call lives without a refresh (RFC 4028), and Unreliable that calls do
	// not offer 100rel, as in dialog.InviteRequest.
	SessionExpires time.Duration
	Unreliable     bool
	KeepAlive      time.Duration // between two line ends that keep routers open; 0 = 25 s over UDP, else 2 min
	DSCP           int           // of signalling, 1 to 63; 0 = the box's own
	Media          Media
}

// Media is what a carrier wants of the audio of its calls. The trunk only keeps it for who makes
// offers and opens sockets.
type Media struct {
	Codecs []codec.ID // offered and answered, in this order; empty = the box's own list
	DSCP   int        // of audio, 1 to 63; 0 = the box's own
}

const (
	defaultExpires = time.Hour
	defaultQualify = time.Minute
	defaultRetry   = time.Minute

	// Translators forget UDP after 30 s and TCP after minutes.
	keepAliveUDP    = 25 * time.Second
	keepAliveStream = 2 * time.Minute

	maxExpires = 24 * time.Hour
	maxServers = 8
)

// check fills in the defaults and reports every mistake at once.
func (c *Config) check() error {
	var errs []error
	wrong := func(field, why string) { errs = append(errs, fmt.Errorf("trunk %q: %s: %s", c.ID, field, why)) }
	if c.ID == "" {
		wrong("id", "is missing")
	}
	c.fillIn()
	if !slices.Contains([]string{"udp", "tcp", "tls"}, c.Transport) {
		wrong("transport", "must be udp, tcp or tls")
	}
	if c.Expires < time.Minute || c.Expires > maxExpires {
		wrong("expires", "must be from 1 min to 24 h")
	}
	if c.Retry < 10*time.Second || c.Retry > time.Hour {
		wrong("retry", "must be from 10 s to 1 h")
	}
	if c.Qualify < 10*time.Second || c.Qualify > time.Hour {
		wrong("qualify", "must be from 10 s to 1 h")
	}
	if len(c.Servers) > maxServers {
		wrong("servers", fmt.Sprintf("are more than %d", maxServers))
	}
	for field, hosts := range map[string][]string{"domain": {c.Domain}, "servers": c.Servers, "proxy": {c.Proxy}, "stun": {c.STUN}} {
		for _, host := range hosts {
			if _, err := hostURI(host); (host != "" || field == "servers") && err != nil {
				wrong(field, err.Error())
			}
		}
	}
	if c.User != "" && !plainUser(c.User) {
		wrong("user", "may hold letters, digits and -_.+!~*'()&=$,;?/% only")
	}
	if c.DSCP < 0 || c.DSCP > 63 {
		wrong("sip dscp", "must be from 0 to 63")
	}
	c.checkMedia(wrong)
	c.checkMode(wrong)
	return errors.Join(errs...)
}

func (c *Config) fillIn() {
	if c.Transport == "" {
		c.Transport = "udp"
	}
	if c.Expires == 0 {
		c.Expires = defaultExpires
	}
	if c.Retry == 0 {
		c.Retry = defaultRetry
	}
	if c.Qualify == 0 {
		c.Qualify = defaultQualify
	}
	if c.KeepAlive == 0 {
		c.KeepAlive = keepAliveUDP
		if c.Transport != "udp" {
			c.KeepAlive = keepAliveStream
		}
	}
	if c.Assert == 0 {
		c.Assert = AssertPAI
	}
	if c.Country == "" {
		c.Country = "it"
	}
	if c.Credentials.Username == "" {
		c.Credentials.Username = c.User
	}
}

func (c *Config) checkMedia(wrong func(field, why string)) {
	if c.Media.DSCP < 0 || c.Media.DSCP > 63 {
		wrong("dscp", "must be from 0 to 63")
	}
	if c.KeepAlive < 5*time.Second || c.KeepAlive > time.Hour {
		wrong("keep-alive", "must be from 5 s to 1 h")
	}
	for _, id := range c.Media.Codecs {
		if id.Name() == "" || id == codec.TelephoneEvent {
			wrong("codecs", id.String()+" is not a codec of this box")
		}
	}
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

// hops are where requests of this trunk are sent, in order of preference: the proxy, else the
// servers, else the domain; empty for a trunk that only receives.
func (c *Config) hops() []sip.Uri {
	hosts := c.Servers
	if len(hosts) == 0 && c.Domain != "" {
		hosts = []string{c.Domain}
	}
	if c.Proxy != "" {
		hosts = []string{c.Proxy}
	}
	var all []sip.Uri
	for _, host := range hosts {
		if u, err := hostURI(host); err == nil {
			all = append(all, u)
		}
	}
	return all
}

// home is sip:domain, the request line of REGISTER and the base of our addresses.
func (c *Config) home() sip.Uri {
	host := c.Domain
	if host == "" && len(c.Servers) > 0 {
		host = c.Servers[0]
	}
	u, err := hostURI(host)
	if err != nil {
		return sip.Uri{Scheme: "sip", Host: host}
	}
	return u
}

// carries reports that a host name is one of the carrier's.
func (c *Config) carries(host string) bool {
	return slices.ContainsFunc(append([]string{c.Domain, c.Proxy}, c.Servers...), func(own string) bool {
		u, err := hostURI(own)
		return own != "" && err == nil && strings.EqualFold(u.Host, host)
	})
}

// PresentsFromAbroad reports a carrier abroad that would present Italian numbers: Italian networks
// drop such calls when they come in from abroad, fixed numbers since 19 August 2025 and mobile ones
// since 19 November 2025 (AGCOM 106/25/CONS).
func (c *Config) PresentsFromAbroad() bool {
	return slices.ContainsFunc(append([]tel.Number{c.Number}, c.Numbers...), c.foreign)
}

// foreign reports an Italian number that a carrier abroad presents. Of one that calls us nobody in Italy
// has looked whether it is true.
func (c *Config) foreign(n tel.Number) bool {
	if c.Country == "" || strings.EqualFold(c.Country, "it") {
		return false
	}
	e, ok := n.E164()
	return ok && strings.HasPrefix(string(e), "+39")
}
