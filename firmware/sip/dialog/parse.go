package dialog

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// maxRoutes bounds the route set that a peer can make us carry.
const maxRoutes = 16

// message is what sip.Request and sip.Response have in common here.
type message interface {
	sip.Message
	Headers() []sip.Header
	GetHeader(name string) sip.Header
	Contact() *sip.ContactHeader
	ContentType() *sip.ContentTypeHeader
}

// isSDP reports whether the body of m is a session description. A body without a type is taken
// for one, as old gateways send it.
func isSDP(m message) bool {
	h := m.ContentType()
	if h == nil {
		return true
	}
	kind, _, _ := strings.Cut(h.Value(), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/sdp")
}

// sdpOf returns the session description in m, or nil.
func sdpOf(m message) []byte {
	if len(m.Body()) == 0 || !isSDP(m) {
		return nil
	}
	return m.Body()
}

// target is the URI of the first Contact, empty when there is none that a request could go to.
func target(m message) string {
	if c := m.Contact(); c != nil && usable(c.Address) {
		return c.Address.String()
	}
	return ""
}

// usable reports whether a URI of the peer's may stand in a Request-URI or Route of ours: the
// parser lets through what would break the line.
func usable(u sip.Uri) bool {
	if u.Scheme != "sip" && u.Scheme != "sips" || u.Host == "" || u.Wildcard {
		return false
	}
	return !strings.ContainsFunc(u.String(), func(r rune) bool {
		return r <= ' ' || r == 0x7f || r == '<' || r == '>' || r == '"'
	})
}

// routes is the route set that the Record-Route fields of m make: in their order for who receives
// the request, reversed for who receives the response (RFC 3261 section 12.1).
func routes(m message, reverse bool) []string {
	var set []string
	for _, h := range m.GetHeaders("Record-Route") {
		var uri sip.Uri
		if _, err := sip.ParseAddressValue(h.Value(), &uri, nil); err == nil && usable(uri) && len(set) < maxRoutes {
			set = append(set, h.Value())
		}
	}
	if reverse {
		slices.Reverse(set)
	}
	return set
}

func tagOf(p sip.HeaderParams) string {
	tag, _ := p.Get("tag")
	return tag
}

func toTag(m sip.Message) string   { return tagOf(m.To().Params) }
func fromTag(m sip.Message) string { return tagOf(m.From().Params) }

// without returns a name-addr without its tag, as it stands in From and To.
func without(display string, uri sip.Uri, params sip.HeaderParams) string {
	h := sip.FromHeader{DisplayName: display, Address: uri}
	for _, kv := range params {
		if kv.K != "tag" {
			h.Params = append(h.Params, kv)
		}
	}
	return h.Value()
}

// peerOf is the dialog that a response to our INVITE makes (RFC 3261 section 12.1.2).
func peerOf(res *sip.Response) core.Peer {
	return abilities(core.Peer{Tag: toTag(res), Target: target(res), Routes: routes(res, true)}, res)
}

// causeOf reads the Reason header (RFC 3326) of a BYE or CANCEL; CauseNone when it says nothing.
func causeOf(m message) tel.Cause {
	for _, value := range values(m, "Reason") {
		protocol, params, _ := strings.Cut(value, ";")
		code, err := strconv.Atoi(parameter(params, "cause"))
		if err != nil {
			continue
		}
		switch strings.ToUpper(strings.TrimSpace(protocol)) {
		case "SIP":
			if code == 200 { // RFC 3326 section 2: answered by another branch
				return tel.CauseAnsweredElsewhere
			}
		case "Q.850":
			if c, ok := causeOfQ850(code); ok {
				return c
			}
		}
	}
	return tel.CauseNone
}

// q850Of is the Q.850 cause of a message's Reason headers (RFC 3326); 0 = none.
func q850Of(m message) int {
	for _, value := range values(m, "Reason") {
		protocol, params, _ := strings.Cut(value, ";")
		code, err := strconv.Atoi(parameter(params, "cause"))
		if err == nil && strings.EqualFold(strings.TrimSpace(protocol), "Q.850") && code > 0 && code < 128 {
			return code
		}
	}
	return 0
}

// causeOfQ850 leaves normal clearing out: it says nothing that the message itself does not.
func causeOfQ850(code int) (tel.Cause, bool) {
	for c := tel.CauseAnsweredElsewhere; c <= tel.CauseInternalError; c++ {
		if c.Q850() == code {
			return c, true
		}
	}
	return tel.CauseNone, false
}

// retryAfter reads Retry-After (RFC 3261 section 20.33), 0 when it is missing.
func retryAfter(m message) time.Duration {
	h := m.GetHeader("Retry-After")
	if h == nil {
		return 0
	}
	digits := h.Value()
	if i := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		digits = digits[:i]
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil {
		return 0
	}
	return min(time.Duration(n)*time.Second, 24*time.Hour)
}

// maxContacts bounds the targets of a redirection: each is a call that somebody else makes us try.
const maxContacts = 8

// contacts lists where a 3xx sends us, the most wanted first (RFC 3261 sections 8.1.3.4 and 20.10).
// What is no SIP or tel URI, or comes twice, is left out.
func contacts(res *sip.Response) []string {
	if res.StatusCode < 300 || res.StatusCode > 399 {
		return nil
	}
	type wanted struct {
		uri string
		q   float64
	}
	var all []wanted
	for _, h := range res.GetHeaders("Contact") {
		c, ok := h.(*sip.ContactHeader)
		if !ok || !reachable(c.Address) {
			continue
		}
		uri := c.Address.String()
		if !slices.ContainsFunc(all, func(w wanted) bool { return w.uri == uri }) {
			all = append(all, wanted{uri, preference(c.Params)})
		}
	}
	slices.SortStableFunc(all, func(a, b wanted) int { return cmp.Compare(b.q, a.q) })
	var list []string
	for _, w := range all[:min(len(all), maxContacts)] {
		list = append(list, w.uri)
	}
	return list
}

// reachable reports whether a redirection may name u: a SIP URI, or a telephone number (RFC 3966).
func reachable(u sip.Uri) bool {
	if u.Scheme != "tel" {
		return usable(u)
	}
	return u.Raw() != "" && !strings.ContainsFunc(u.Raw(), func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("<>\"", r) })
}

// preference reads the q of a Contact; 1 when it is missing or none between 0 and 1.
func preference(p sip.HeaderParams) float64 {
	text, ok := p.Get("q")
	if q, err := strconv.ParseFloat(text, 64); ok && err == nil && q >= 0 && q <= 1 {
		return q
	}
	return 1
}

// nonceOf names the challenge of a 401 or 407: the nonces of all that it offers.
func nonceOf(res *sip.Response) string {
	var all []string
	for _, name := range []string{"WWW-Authenticate", "Proxy-Authenticate"} {
		for _, h := range res.GetHeaders(name) {
			_, rest, ok := strings.Cut(h.Value(), `nonce="`)
			if !ok {
				continue
			}
			nonce, _, _ := strings.Cut(rest, `"`)
			all = append(all, nonce)
		}
	}
	return strings.Join(all, " ")
}

// expires reads the Expires of an INVITE (RFC 3261 section 13.3.1), 0 when it is missing.
func expires(m message) time.Duration {
	h := m.GetHeader("Expires")
	if h == nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(h.Value()), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
