package presets

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed it/*.yaml
var files embed.FS

const country = "it" // of the presets there are

// ErrUnknown is returned for an id without a preset.
var ErrUnknown = errors.New("there is no such preset")

// Preset is one carrier's account as far as it is known.
type Preset struct {
	ID       string   `yaml:"id"`                 // name of its file
	Label    string   `yaml:"label"`              // shown to people
	Asks     []string `yaml:"asks"`               // fields of a trunk that only the customer knows
	Optional []string `yaml:"optional,omitempty"` // those of Asks that may stay empty

	Servers   []string      `yaml:"servers"` // host names, in order of preference
	Proxy     string        `yaml:"proxy"`   // outbound proxy; empty = none
	Domain    string        `yaml:"domain"`  // of the account; empty = that of the first server
	Transport string        `yaml:"transport"`
	Port      int           `yaml:"port"`     // of servers and proxy; 5060 leaves it to SRV records
	Register  bool          `yaml:"register"` // log in; otherwise calls are matched by address
	Expires   time.Duration `yaml:"expires"`  // of a registration
	Retry     time.Duration `yaml:"retry"`    // after a failed registration
	Qualify   time.Duration `yaml:"qualify"`  // between two OPTIONS

	Codecs    []string `yaml:"codecs"` // what the carrier lists, in its order, also what this box cannot speak
	Ptime     int      `yaml:"ptime"`  // milliseconds of a packet
	DTMF      string   `yaml:"dtmf"`   // always rfc4733 today
	FromUser  string   `yaml:"from_user"`
	Assert    []string `yaml:"assert"`
	DID       string   `yaml:"did"`
	NumberOut string   `yaml:"number_out"`
	NumberIn  string   `yaml:"number_in"`
	SRTP      string   `yaml:"srtp"` // off, or sdes (RFC 4568) where the carrier takes nothing else
	DSCP      int      `yaml:"dscp"` // of audio; 0 = the box's own

	Quirks    []string `yaml:"quirks"`          // names from the list below: each is one thing this carrier does otherwise
	Notes     string   `yaml:"notes,omitempty"` // for people, in English
	Source    string   `yaml:"source"`
	CheckedOn string   `yaml:"checked_on"` // date on which the source was read
	Certainty string   `yaml:"certainty"`  // high, medium, low; unknown = a template, nothing public
}

// Choices of the fields that have some. The trunk's own fields of the same names take the same words.
var (
	transports = []string{"udp", "tcp", "tls"}
	formats    = []string{"as_is", "e164", "e164_bare", "national", "prefixed"}
	fromUsers  = []string{"account", "number", "e164"}
	asserts    = []string{"pai", "ppi", "rpid"}
	dids       = []string{"request", "to", "p_called_party_id", "diversion"}
	codecs     = []string{"pcma", "pcmu", "g722", "g729", "opus"}
	srtps      = []string{"off", "sdes"}
	certain    = []string{"high", "medium", "low", "unknown"}
	asks       = []string{"server", "proxy", "domain", "match", "user", "password", "number"}
	quirks     = []string{
		"alternate_port_5061", // some contracts: port 5061
		"ask_platform",        // several platforms, told apart by contract only
		"contact_only",        // calls come to the registered contact and nowhere else
		"customer_domain",     // the domain is the customer's, the server is not in it
		"did_in_to",           // the request line is our contact, To is the dialled number
		"digest_401",          // the registrar always challenges
		"from_number",         // From must be the number, not the account
		"g729_first",          // offers come with G.729 first
		"g729_only",           // the public preset lists nothing that this box speaks
		"no_alg",              // a SIP helper in the router breaks it
		"no_auth",             // no password: the addresses are the proof
		"no_contact_rewrite",  // the contact is called as registered, whatever address it came from
		"no_fetch_bindings",   // a REGISTER without Contact is refused
		"number_e164",         // user and numbers are +39...
		"outbound_proxy",      // only the proxy takes requests
		"port_5083",           // the server listens there
		"prack_required",      // INVITEs demand 100rel (RFC 3262)
		"rpid_and_pai",        // both headers must name the caller
		"single_registration", // a second contact is refused with 403
		"slow_retry",          // who tries again at once is locked out
		"srtp_sdes",           // RTP without encryption is refused
		"update_required",     // UPDATE (RFC 3311) is used within dialogs
		"vad_off",             // silence must be sent
	}
)

// All returns every preset, in the order of their ids. An error is a fault of this program.
func All() ([]Preset, error) {
	names, err := fs.Glob(files, country+"/*.yaml")
	if err != nil {
		return nil, err
	}
	all := make([]Preset, 0, len(names))
	for _, name := range names {
		p, err := Find(strings.TrimSuffix(strings.TrimPrefix(name, country+"/"), ".yaml"))
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// Find returns the preset of an id, or ErrUnknown.
func Find(id string) (Preset, error) {
	if strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return Preset{}, fmt.Errorf("%w: %q", ErrUnknown, id)
	}
	text, err := files.ReadFile(country + "/" + id + ".yaml")
	if err != nil {
		return Preset{}, fmt.Errorf("%w: %q", ErrUnknown, id)
	}
	return Parse(id, text)
}

// Parse reads one preset strictly: every field is known and has a valid value, every mistake is told.
func Parse(id string, text []byte) (Preset, error) {
	var p Preset
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&p); err != nil {
		return Preset{}, fmt.Errorf("preset %q: %w", id, err)
	}
	if err := p.check(id); err != nil {
		return Preset{}, err
	}
	return p, nil
}

func (p *Preset) check(id string) error {
	var errs []error
	wrong := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("preset %q: %s: %s", id, field, fmt.Sprintf(format, args...)))
	}
	one := func(field, value string, of []string) {
		if !slices.Contains(of, value) {
			wrong(field, "%q is not one of %s", value, strings.Join(of, ", "))
		}
	}
	each := func(field string, values, of []string) {
		for _, v := range values {
			one(field, v, of)
		}
	}
	if p.ID != id {
		wrong("id", "%q is not the name of the file", p.ID)
	}
	for field, value := range map[string]string{"label": p.Label, "source": p.Source} {
		if value == "" {
			wrong(field, "is missing")
		}
	}
	one("transport", p.Transport, transports)
	one("from_user", p.FromUser, fromUsers)
	one("did", p.DID, dids)
	one("number_out", p.NumberOut, formats)
	one("number_in", p.NumberIn, formats)
	one("srtp", p.SRTP, srtps)
	one("certainty", p.Certainty, certain)
	one("dtmf", p.DTMF, []string{"rfc4733"})
	each("asks", p.Asks, asks)
	each("optional", p.Optional, p.Asks)
	each("assert", p.Assert, asserts)
	each("codecs", p.Codecs, codecs)
	each("quirks", p.Quirks, quirks)
	if len(p.Codecs) == 0 {
		wrong("codecs", "are missing")
	}
	p.checkRanges(wrong)
	return errors.Join(errs...)
}

func (p *Preset) checkRanges(wrong func(field, format string, args ...any)) {
	if p.Port < 1 || p.Port > 65535 {
		wrong("port", "%d is not 1 to 65535", p.Port)
	}
	if p.Expires < time.Minute || p.Expires > 24*time.Hour {
		wrong("expires", "%s is not between 1 min and 24 h", p.Expires)
	}
	for field, d := range map[string]time.Duration{"retry": p.Retry, "qualify": p.Qualify} {
		if d < 10*time.Second || d > time.Hour {
			wrong(field, "%s is not between 10 s and 1 h", d)
		}
	}
	if p.Ptime < 10 || p.Ptime > 60 || p.Ptime%10 != 0 {
		wrong("ptime", "%d ms is not 10, 20, ... 60", p.Ptime)
	}
	if p.DSCP < 0 || p.DSCP > 63 {
		wrong("dscp", "%d is not 0 to 63", p.DSCP)
	}
	if _, err := time.Parse(time.DateOnly, p.CheckedOn); err != nil {
		wrong("checked_on", "%q is not a date", p.CheckedOn)
	}
	if len(p.Servers) == 0 && p.Proxy == "" && !slices.Contains(p.Asks, "server") && !slices.Contains(p.Asks, "proxy") {
		wrong("servers", "are missing, and the customer is not asked for one")
	}
	for _, host := range append([]string{p.Proxy, p.Domain}, p.Servers...) {
		if strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" {
			wrong("servers", "%q is not a host name", host)
		}
	}
}

// Hosts are the servers with the port that the carrier listens on.
func (p *Preset) Hosts() []string {
	hosts := make([]string, len(p.Servers))
	for i, h := range p.Servers {
		hosts[i] = p.At(h)
	}
	return hosts
}

// At puts the preset's port behind a host that has none; 5060 is left to DNS.
func (p *Preset) At(host string) string {
	if host == "" || p.Port == 5060 || strings.Contains(host, ":") {
		return host
	}
	return fmt.Sprintf("%s:%d", host, p.Port)
}
