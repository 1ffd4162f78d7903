package dialog

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
)

// extensions are the option tags that the box understands (RFC 3261 section 19.2).
var extensions = [...]string{"100rel", "timer", "replaces", "join", "norefersub"}

// supported is the Supported header of our requests and responses.
const supported = "100rel, timer, replaces, join, norefersub"

// values lists the elements of a header field that holds a comma-separated list, in any number of
// fields. Commas inside quotes separate nothing.
func values(m message, name string) []string {
	var list []string
	for _, h := range m.GetHeaders(name) {
		for _, v := range split(h.Value(), ',') {
			if v = strings.TrimSpace(v); v != "" {
				list = append(list, v)
			}
		}
	}
	return list
}

// has looks a token up in a header field that holds a list of them, in any number of fields; short
// is the compact name, or empty. Every message of a call comes by here: it allocates nothing.
func has(m message, name, short, token string) (found, present bool) {
	for _, h := range m.Headers() {
		if n := h.Name(); !strings.EqualFold(n, name) && (short == "" || !strings.EqualFold(n, short)) {
			continue
		}
		for v := range strings.SplitSeq(h.Value(), ",") {
			if v = strings.TrimSpace(v); v != "" {
				present = true
				found = found || strings.EqualFold(v, token)
			}
		}
	}
	return found, present
}

// split cuts s at each separator outside a quoted string.
func split(s string, separator byte) []string {
	var list []string
	quoted, from := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			list = append(list, s[from:i])
			from = i + 1
		}
	}
	return append(list, s[from:])
}

func supports(m message, option string) bool {
	found, _ := has(m, "Supported", "k", option)
	return found
}

func requires(m message, option string) bool {
	found, _ := has(m, "Require", "", option)
	return found
}

// unsupported lists the options that a request demands and the box does not have (section 8.2.2.3).
func unsupported(req *sip.Request) string {
	var list []string
	for _, option := range values(req, "Require") {
		if !slices.ContainsFunc(extensions[:], func(known string) bool { return strings.EqualFold(known, option) }) {
			list = append(list, option)
		}
	}
	return strings.Join(list, ", ")
}

// allows reads what Allow says of a method.
func allows(m message, method string) core.Known {
	switch found, present := has(m, "Allow", "", method); {
	case !present:
		return core.Unsaid
	case found:
		return core.Yes
	}
	return core.No
}

// abilities fills in what a message says of its sender.
func abilities(p core.Peer, m message) core.Peer {
	p.Update = allows(m, "UPDATE") == core.Yes
	p.Timer = supports(m, "timer") || requires(m, "timer")
	p.Reliable = supports(m, "100rel") || requires(m, "100rel")
	return p
}

// Limits on the header lines that name the peer.
const (
	maxIdentities = 4
	maxIdentity   = 512 // bytes of one
)

// identity lists the header lines in which a message says who is at its sender's end.
func identity(m message) []string {
	var lines []string
	for _, h := range m.Headers() {
		switch n := h.Name(); {
		case !strings.EqualFold(n, "P-Asserted-Identity") && !strings.EqualFold(n, "Remote-Party-ID") && !strings.EqualFold(n, "Privacy"):
		case len(lines) < maxIdentities:
			if line := headerLine(h); line != "" && len(line) <= maxIdentity {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// seconds reads a delta-seconds with what follows its semicolon; 0 when it is none.
func seconds(value string) (d time.Duration, params string) {
	digits, params, _ := strings.Cut(value, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 32)
	if err != nil {
		return 0, params
	}
	return time.Duration(n) * time.Second, params
}

// terms reads what a message says of the session timer (RFC 4028 sections 4 and 5).
func terms(m message) core.Terms {
	var t core.Terms
	for _, h := range m.Headers() {
		switch name := h.Name(); {
		case strings.EqualFold(name, "Session-Expires"), strings.EqualFold(name, "x"):
			var params string
			t.Expires, params = seconds(h.Value())
			switch side := core.Side(strings.ToLower(parameter(params, "refresher"))); side {
			case core.SideUAC, core.SideUAS:
				t.Refresher = side
			}
		case strings.EqualFold(name, "Min-SE"):
			t.Min, _ = seconds(h.Value())
		}
	}
	return t
}

// parameter returns the value of a parameter in "a=1;b=2", without quotes.
func parameter(params, name string) string {
	for _, p := range split(params, ';') {
		key, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

// putTerms writes the session timer's headers.
func putTerms(m sip.Message, t core.Terms) {
	if t.Expires > 0 {
		value := strconv.FormatInt(int64(t.Expires/time.Second), 10)
		if t.Refresher != "" {
			value += ";refresher=" + string(t.Refresher)
		}
		m.AppendHeader(sip.NewHeader("Session-Expires", value))
	}
	if t.Min > 0 && (t.Min != core.DefaultMinSE || t.Expires == 0) { // 90 s go without saying, but for a 422
		m.AppendHeader(sip.NewHeader("Min-SE", strconv.FormatInt(int64(t.Min/time.Second), 10)))
	}
}

// rseq returns the number of a reliable provisional response, 0 for one that is not (RFC 3262
// section 4).
func rseq(res *sip.Response) uint32 {
	h := res.GetHeader("RSeq")
	if h == nil || !requires(res, "100rel") {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(h.Value()), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// rack reads the RAck of a PRACK; the zero value, which names nothing, when it cannot be read.
func rack(req *sip.Request) core.RAck {
	h := req.GetHeader("RAck")
	if h == nil {
		return core.RAck{}
	}
	f := strings.Fields(h.Value())
	if len(f) != 3 {
		return core.RAck{}
	}
	r, err := strconv.ParseUint(f[0], 10, 32)
	if err != nil {
		return core.RAck{}
	}
	c, err := strconv.ParseUint(f[1], 10, 32)
	if err != nil {
		return core.RAck{}
	}
	return core.RAck{RSeq: uint32(r), CSeq: uint32(c), Method: f[2]}
}
