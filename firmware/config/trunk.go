package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/sip/trunk/presets"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Trunk is a SIP carrier account. A change of anything but in, number lists aside, registers anew at
// once; calls that are up go on.
type Trunk struct {
	ID       tel.TrunkID `yaml:"id"`
	Name     string      `yaml:"name"`
	Disabled bool        `yaml:"disabled,omitempty"` // takes and makes no calls, unregistered; default false
	Preset   string      `yaml:"preset,omitempty"`   // carrier whose values fill what is left out, such as tim; default none

	Server    string   `yaml:"server"`            // host or host:port
	Servers   []string `yaml:"servers,omitempty"` // further ones, tried in order when the one before fails; at most 7
	Proxy     string   `yaml:"proxy,omitempty"`   // outbound proxy, host or host:port: everything is sent there; default none
	Domain    string   `yaml:"domain,omitempty"`  // of the account; default the server's host
	Transport string   `yaml:"transport"`         // udp (default), tcp or tls

	TLSCA       string `yaml:"tls_ca,omitempty"`       // over tls: PEM file with the authorities that may vouch for the carrier; default the system's; read at a change
	TLSInsecure bool   `yaml:"tls_insecure,omitempty"` // over tls: take any certificate, so that anybody on the way can listen and call; default false

	Register bool           `yaml:"register"` // log in at the carrier; otherwise matched by address
	User     string         `yaml:"user"`
	AuthUser string         `yaml:"auth_user,omitempty"` // name to log in with; default user
	Password Secret         `yaml:"password"`
	Realm    string         `yaml:"realm,omitempty"`   // the only realm that gets the password; default the one that registers us, and domain
	Match    []netip.Prefix `yaml:"match,omitempty"`   // source addresses of the carrier
	Expires  time.Duration  `yaml:"expires,omitempty"` // of a registration; default 1h, 1m-24h
	Retry    time.Duration  `yaml:"retry,omitempty"`   // after a failed one, doubling to 10m; default 1m, 10s-1h
	Qualify  time.Duration  `yaml:"qualify,omitempty"` // between two OPTIONS; default 1m, 10s-1h

	Number    tel.Number   `yaml:"number"`               // our main number, presented on outgoing calls
	Numbers   []tel.Number `yaml:"numbers,omitempty"`    // further numbers of this account, which extensions may present; those of in count, too
	Format    string       `yaml:"format"`               // how the carrier writes numbers: e164 (default), e164_bare (no +), national, prefixed (0039...), as_is
	NumberIn  string       `yaml:"number_in,omitempty"`  // of incoming calls, if otherwise than format
	NumberOut string       `yaml:"number_out,omitempty"` // of outgoing calls, if otherwise than format
	DID       string       `yaml:"did,omitempty"`        // where the called number is: request (default), to, p_called_party_id, diversion
	FromUser  string       `yaml:"from_user,omitempty"`  // who is in From: account (default), number, e164 (+39NUMBER)
	CallerID  string       `yaml:"caller_id,omitempty"`  // extension (default: the caller's number if it is of this account), own (always number), pass (a forwarded call keeps its caller)
	Assert    []string     `yaml:"assert,omitempty"`     // headers that name the caller: pai (default), ppi, rpid
	Country   string       `yaml:"country,omitempty"`    // where the carrier is, two letters; default it

	Codecs        []string      `yaml:"codecs,omitempty"`         // pcma, pcmu, g722, opus, in order; default the box's, without opus
	DSCP          int           `yaml:"dscp,omitempty"`           // of audio, 1-63; default the box's
	SIPDSCP       int           `yaml:"sip_dscp,omitempty"`       // of signalling, 1-63; default the box's
	KeepAlive     time.Duration `yaml:"keep_alive,omitempty"`     // for the router between; default 25s over udp, else 2m; 5s-1h
	PublicAddress string        `yaml:"public_address,omitempty"` // what Contact and SDP name: an address or address:port, seen (where the carrier sees us) or stun:host[:port]; default the box's own

	SessionExpires time.Duration `yaml:"session_expires,omitempty"`  // as in sip, for calls over this carrier; default that of sip; 90s-24h
	NoSessionTimer bool          `yaml:"no_session_timer,omitempty"` // the carrier's calls get no timer of ours; default false
	NoReliable     bool          `yaml:"no_100rel,omitempty"`        // calls do not offer 100rel (RFC 3262), for a carrier that stumbles over it; default false

	SRTP     SRTP                  `yaml:"srtp"`         // off (default), optional or required; applied to new calls
	MaxCalls int                   `yaml:"max_calls"`    // default 0 = no limit
	In       map[tel.Number]string `yaml:"in,omitempty"` // called number -> destination; "*" is any
}

// normalise writes down the defaults that do not come from a preset.
func (t *Trunk) normalise() {
	if t.Preset != "" {
		return
	}
	if t.Transport == "" {
		t.Transport = "udp"
	}
	if t.Format == "" {
		t.Format = "e164"
	}
}

// Filled is the trunk with its preset's values, then the defaults, in the fields that were left out.
// The error is presets.ErrUnknown.
func (t Trunk) Filled() (Trunk, error) {
	var unknown error
	if t.Preset != "" {
		p, err := presets.Find(t.Preset)
		if err == nil {
			t.take(p)
		}
		unknown = err
	}
	if t.Domain == "" {
		t.Domain = hostOf(t.Server)
	}
	fill(&t.Transport, "udp")
	fill(&t.Format, "e164")
	fill(&t.NumberIn, t.Format)
	fill(&t.NumberOut, t.Format)
	fill(&t.DID, "request")
	fill(&t.FromUser, "account")
	fill(&t.CallerID, "extension")
	fill(&t.Country, "it")
	fill(&t.AuthUser, t.User)
	if t.SRTP == "" {
		t.SRTP = SRTPOff
	}
	if t.Assert == nil {
		t.Assert = []string{"pai"}
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&t.Expires, time.Hour}, {&t.Retry, time.Minute}, {&t.Qualify, time.Minute}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return t, unknown
}

func fill(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

// take fills in a preset. A format that was written down stands for both directions.
func (t *Trunk) take(p presets.Preset) {
	hosts := p.Hosts()
	if t.Server == "" && len(hosts) > 0 {
		t.Server = hosts[0]
		if t.Servers == nil {
			t.Servers = hosts[1:]
		}
	}
	t.Server = p.At(t.Server)
	fill(&t.Proxy, p.Proxy)
	t.Proxy = p.At(t.Proxy)
	fill(&t.Domain, p.Domain)
	fill(&t.Transport, p.Transport)
	if t.Format == "" {
		fill(&t.NumberIn, p.NumberIn)
		fill(&t.NumberOut, p.NumberOut)
	}
	fill(&t.DID, p.DID)
	fill(&t.FromUser, p.FromUser)
	if t.SRTP == "" && p.SRTP == "sdes" {
		t.SRTP = SRTPRequired
	}
	t.Register = t.Register || p.Register
	if t.Assert == nil {
		t.Assert = p.Assert
	}
	if t.Codecs == nil {
		for _, name := range p.Codecs {
			if id, ok := codecNamed(name); ok && id != codec.Opus { // what the box cannot speak is not offered, and what costs it dear only to who says so
				t.Codecs = append(t.Codecs, name)
			}
		}
	}
	if t.DSCP == 0 {
		t.DSCP = p.DSCP
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&t.Expires, p.Expires}, {&t.Retry, p.Retry}, {&t.Qualify, p.Qualify}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
}

// CodecIDs are the codecs of the trunk that the box speaks, in order.
func (t *Trunk) CodecIDs() []codec.ID {
	var all []codec.ID
	for _, name := range t.Codecs {
		if id, ok := codecNamed(name); ok {
			all = append(all, id)
		}
	}
	return all
}

func codecNamed(name string) (codec.ID, bool) {
	for id := codec.ID(1); id.Name() != ""; id++ {
		if id != codec.TelephoneEvent && strings.EqualFold(id.Name(), name) {
			return id, true
		}
	}
	return 0, false
}

// Seen reports that Contact names the address at which the carrier sees the box.
func (t *Trunk) Seen() bool { return t.PublicAddress == "seen" }

// STUN is the server that is asked for the public address; empty = none.
func (t *Trunk) STUN() string {
	server, _ := strings.CutPrefix(t.PublicAddress, "stun:")
	if server == t.PublicAddress {
		return ""
	}
	return server
}

// Public is the fixed public address, port 0 = the local one; invalid = none.
func (t *Trunk) Public() (netip.AddrPort, error) {
	if t.PublicAddress == "" || t.Seen() || t.STUN() != "" {
		return netip.AddrPort{}, nil
	}
	if a, err := netip.ParseAddr(t.PublicAddress); err == nil {
		return netip.AddrPortFrom(a, 0), nil
	}
	return netip.ParseAddrPort(t.PublicAddress)
}

// minPublic is the shortest number that an account may have: internal numbers have up to 5 digits.
const minPublic = 6

// hostOf is the host of "host" or "host:port".
func hostOf(server string) string {
	if a, err := netip.ParseAddr(strings.Trim(server, "[]")); err == nil {
		return a.String()
	}
	if i := strings.LastIndexByte(server, ':'); i >= 0 {
		return strings.Trim(server[:i], "[]")
	}
	return server
}

func (v *validator) trunk(path string, written *Trunk) {
	v.id(path, "trunk", string(written.ID))
	t, err := written.Filled()
	if err != nil {
		v.found.add(path+".preset", "unknown", "there is no preset %q", t.Preset)
	}
	if t.Server == "" && t.Proxy == "" && t.Domain == "" {
		v.found.add(path+".server", "missing", "is missing: the carrier's host name or address")
	}
	if len(t.Servers) > 7 {
		v.found.add(path+".servers", "range", "are more than 7")
	}
	v.trunkHosts(path, &t)
	if t.Register && (t.User == "" || t.Password == "") {
		v.found.add(path, "credentials", "a trunk that registers needs user and password")
	}
	if !t.Register && len(t.Match) == 0 {
		v.found.add(path+".match", "missing", "a trunk that does not register needs the carrier's addresses")
	}
	v.srtp(path, t.SRTP)
	v.trunkTrust(path, &t)
	v.trunkSessions(path, &t)
	v.trunkChoices(path, &t)
	v.trunkRanges(path, &t)
	for n, to := range t.In {
		at := fmt.Sprintf("%s.in[%s]", path, n)
		if _, err := tel.ParseNumber(string(n)); err != nil {
			v.found.add(at, "number", "%q is not a number; use * for any", n)
		}
		v.destination(at, to)
	}
}

// trunkHosts refuses what no packet could be sent to, before the carrier is blamed for not answering.
func (v *validator) trunkHosts(path string, t *Trunk) {
	v.host(path+".server", t.Server)
	v.host(path+".proxy", t.Proxy)
	v.host(path+".domain", t.Domain)
	for i, s := range t.Servers {
		v.host(fmt.Sprintf("%s.servers[%d]", path, i), s)
	}
}

func (v *validator) trunkChoices(path string, t *Trunk) {
	formats := []string{"e164", "e164_bare", "national", "prefixed", "as_is"}
	for _, c := range []struct {
		field, value string
		of           []string
	}{
		{"transport", t.Transport, []string{"udp", "tcp", "tls"}},
		{"format", t.Format, formats},
		{"number_in", t.NumberIn, formats},
		{"number_out", t.NumberOut, formats},
		{"did", t.DID, []string{"request", "to", "p_called_party_id", "diversion"}},
		{"from_user", t.FromUser, []string{"account", "number", "e164"}},
		{"caller_id", t.CallerID, []string{"extension", "own", "pass"}},
	} {
		if !slices.Contains(c.of, c.value) {
			v.found.add(path+"."+c.field, "choice", "%q is not one of %s", c.value, strings.Join(c.of, ", "))
		}
	}
	for i, a := range t.Assert {
		if !slices.Contains([]string{"pai", "ppi", "rpid"}, a) {
			v.found.add(fmt.Sprintf("%s.assert[%d]", path, i), "choice", "%q is not one of pai, ppi, rpid", a)
		}
	}
	for i, name := range t.Codecs {
		if _, ok := codecNamed(name); !ok {
			v.found.add(fmt.Sprintf("%s.codecs[%d]", path, i), "choice", "%q is not a codec of this box", name)
		}
	}
	if len(t.Country) != 2 || strings.Trim(t.Country, "abcdefghijklmnopqrstuvwxyz") != "" {
		v.found.add(path+".country", "choice", "%q is not a country's two small letters", t.Country)
	}
	if _, err := t.Public(); err != nil {
		v.found.add(path+".public_address", "address", "%q is not an address, address:port, seen or stun:host", t.PublicAddress)
	}
}

func (v *validator) trunkRanges(path string, t *Trunk) {
	v.duration(path+".expires", t.Expires, time.Minute, 24*time.Hour)
	v.duration(path+".retry", t.Retry, 10*time.Second, time.Hour)
	v.duration(path+".qualify", t.Qualify, 10*time.Second, time.Hour)
	if t.KeepAlive != 0 {
		v.duration(path+".keep_alive", t.KeepAlive, 5*time.Second, time.Hour)
	}
	for field, dscp := range map[string]int{"dscp": t.DSCP, "sip_dscp": t.SIPDSCP} {
		if dscp < 0 || dscp > 63 {
			v.found.add(path+"."+field, "range", "%d is not 0 to 63", dscp)
		}
	}
	if t.MaxCalls < 0 {
		v.found.add(path+".max_calls", "range", "must not be negative")
	}
	for i, n := range append([]tel.Number{t.Number}, t.Numbers...) {
		if n == "" && i == 0 {
			continue
		}
		// What others can call back has area code and subscriber; an extension here is a slip of the field.
		if parsed, err := tel.ParseNumber(string(n)); err != nil || len(parsed) < minPublic {
			at := path + ".number"
			if i > 0 {
				at = fmt.Sprintf("%s.numbers[%d]", path, i-1)
			}
			v.found.add(at, "number", "%q is not a telephone number", n)
		}
	}
}
