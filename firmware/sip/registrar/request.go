package registrar

import (
	"crypto/rand"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// Limits of one REGISTER.
const (
	maxUser     = 64
	maxContacts = 10
	maxPath     = 10
	maxURI      = 512
	maxInstance = 256
	maxAgent    = 128
	maxCallID   = 256

	absentExpires = time.Hour // RFC 3261 section 10.3: what a malformed or missing wish means
)

// registration is a REGISTER reduced to what it asks for.
type registration struct {
	user      string
	callID    string
	cseq      uint32
	contacts  []contact // none = a query, unless removeAll
	removeAll bool      // Contact: *
	path      []sip.Uri
	knowsPath bool // the phone understands Path in the answer
	keepsFlow bool // outbound is agreed on
	timer     int  // with keepsFlow: Flow-Timer in seconds; 0 = not ours to name
	agent     string
}

type contact struct {
	uri      sip.Uri
	instance string // +sip.instance without its quotes
	regID    int    // 0 = none
	expires  time.Duration
}

// final is a final response to a REGISTER: a refusal, or at the very end a 200.
type final struct {
	status  int
	reason  string
	headers []sip.Header
}

func malformed(what string) *final { return &final{status: sip.StatusBadRequest, reason: what} }

// readRegister checks the form of a REGISTER (RFC 3261 section 10.3 steps 2 to 6). It looks at
// nothing but the request and its way here, so that its refusals say nothing about accounts. The domain of the
// address of record is not looked at: a box has several addresses and no domain of its own.
func readRegister(req *sip.Request, flow stack.Flow, stun bool) (registration, *final) {
	var reg registration
	to, from, callID, cseq := req.To(), req.From(), req.CallID(), req.CSeq()
	if to == nil || from == nil || callID == nil || cseq == nil || req.Via() == nil {
		return reg, malformed("Missing Header")
	}
	if cseq.MethodName != sip.REGISTER || len(*callID) > maxCallID {
		return reg, malformed("Malformed CSeq Or Call-ID")
	}
	user, ok := userOf(&to.Address)
	if !ok {
		return reg, malformed("Malformed To")
	}
	caller, ok := userOf(&from.Address)
	if !ok {
		return reg, malformed("Malformed From")
	}
	if caller != user {
		return reg, &final{status: sip.StatusForbidden, reason: "Third-Party Registration"}
	}
	if r := unsupported(req); r != nil {
		return reg, r
	}
	reg.user, reg.callID, reg.cseq = user, string(*callID), cseq.SeqNo
	if h := req.GetHeader("User-Agent"); h != nil {
		reg.agent = printable(h.Value(), maxAgent)
	}
	if r := reg.readContacts(req); r != nil {
		return reg, r
	}
	if r := reg.readPath(req); r != nil {
		return reg, r
	}
	return reg, reg.agree(req, flow, stun)
}

// unsupported refuses extensions that are demanded and not spoken (RFC 3261 section 8.2.2.3).
func unsupported(req *sip.Request) *final {
	var missing []string
	for _, h := range req.GetHeaders("require") {
		for tag := range strings.SplitSeq(h.Value(), ",") {
			tag = strings.TrimSpace(tag)
			if tag != "" && !strings.EqualFold(tag, "path") && !strings.EqualFold(tag, "outbound") {
				missing = append(missing, printable(tag, maxUser))
			}
		}
	}
	if missing == nil {
		return nil
	}
	return badExtension(strings.Join(missing, ", "))
}

func badExtension(tags string) *final {
	return &final{
		status: sip.StatusBadExtension, reason: "Bad Extension",
		headers: []sip.Header{sip.NewHeader("Unsupported", tags)},
	}
}

func (reg *registration) readContacts(req *sip.Request) *final {
	expires := absentExpires
	if h := req.GetHeader("Expires"); h != nil {
		expires = readExpires(h.Value())
	}
	headers := req.GetHeaders("contact")
	if len(headers) > maxContacts {
		return malformed("Too Many Contacts")
	}
	for _, h := range headers {
		c, ok := h.(*sip.ContactHeader)
		if !ok {
			return malformed("Malformed Contact")
		}
		if c.Address.Wildcard && c.Address.Scheme == "" {
			if len(headers) > 1 || expires != 0 || req.GetHeader("Expires") == nil {
				return malformed("Contact * Needs Expires 0")
			}
			reg.removeAll = true
			return nil
		}
		wish, ok := readContact(c, expires)
		if !ok {
			return malformed("Malformed Contact")
		}
		reg.contacts = append(reg.contacts, wish)
	}
	return nil
}

func readContact(h *sip.ContactHeader, expires time.Duration) (contact, bool) {
	c := contact{expires: expires}
	if v, ok := parameter(h.Params, "expires"); ok {
		c.expires = readExpires(v)
	}
	var ok bool
	if c.uri, ok = stableURI(&h.Address); !ok {
		return c, false
	}
	if v, ok := parameter(h.Params, "+sip.instance"); ok {
		v = strings.Trim(v, `"`)
		if v != "" && len(v) <= maxInstance && v == printable(v, maxInstance) && !strings.ContainsAny(v, "\"\\ ,;") {
			c.instance = v
		}
	}
	if id, ok := parameter(h.Params, "reg-id"); ok && c.instance != "" {
		if n, err := strconv.ParseUint(id, 10, 16); err == nil {
			c.regID = int(n)
		}
	}
	return c, true
}

// stableURI accepts a sip URI that comes back the same when it is written and read again: what we
// keep, journal and send later must be what was checked. Headers inside a URI are dropped, they
// would be copied into our requests (RFC 3261 section 19.1.5).
func stableURI(u *sip.Uri) (sip.Uri, bool) {
	keep := *u.Clone()
	keep.Headers = nil
	text := keep.String()
	if (keep.Scheme != "sip" && keep.Scheme != "sips") || keep.Wildcard || keep.Host == "" ||
		keep.Port < 0 || keep.Port > 65535 || len(text) > maxURI || text != printable(text, maxURI) ||
		strings.ContainsAny(text, " <>\"?") {
		return sip.Uri{}, false
	}
	var again sip.Uri
	if sip.ParseUri(text, &again) != nil || again.String() != text || again.Host != keep.Host {
		return sip.Uri{}, false
	}
	return again, true
}

// readPath reads Path (RFC 3327) in the order in which requests to the phone must travel it.
func (reg *registration) readPath(req *sip.Request) *final {
	reg.knowsPath = tagged(req, "supported", "path") || tagged(req, "require", "path")
	for _, h := range req.GetHeaders("path") {
		for part := range strings.SplitSeq(h.Value(), ",") {
			var u sip.Uri
			if _, err := sip.ParseAddressValue(strings.TrimSpace(part), &u, nil); err != nil {
				return malformed("Malformed Path")
			}
			hop, ok := stableURI(&u)
			if !ok || len(reg.path) == maxPath {
				return malformed("Malformed Path")
			}
			reg.path = append(reg.path, hop)
		}
	}
	return nil
}

// readExpires reads delta-seconds; what is not a number means one hour (RFC 3261 section 10.3).
func readExpires(s string) time.Duration {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	if err != nil {
		return absentExpires
	}
	return time.Duration(n) * time.Second
}

func parameter(params sip.HeaderParams, name string) (string, bool) {
	for _, kv := range params {
		if strings.EqualFold(strings.TrimSpace(kv.K), name) {
			return strings.TrimSpace(kv.V), true
		}
	}
	return "", false
}

// userOf returns the unescaped user part of a sip URI; ok is false if there is none. What is no name of
// an account, however well it is written (RFC 4475 section 3.1.1.5), becomes the empty one, which nobody has.
func userOf(u *sip.Uri) (user string, ok bool) {
	if u.Scheme != "sip" && u.Scheme != "sips" {
		return "", false
	}
	user, err := url.PathUnescape(u.User)
	if err != nil || user == "" {
		return "", false
	}
	if len(user) > maxUser || user != printable(user, maxUser) || strings.ContainsAny(user, " \"<>") {
		return "", true
	}
	return user, true
}

// printable cuts s to limit bytes and removes control characters and bytes over 0x7e: a user agent
// or a user name with look-alikes of white space has fooled readers of logs before.
func printable(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return -1
		}
		return r
	}, s)
}

func rand16() string { return rand.Text()[:16] }
