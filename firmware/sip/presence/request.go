package presence

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Transaction is what this package needs of a *stack.ServerTx, whose methods may be called from any
// goroutine.
type Transaction interface {
	Request() *sip.Request
	Flow() stack.Flow
	Respond(*sip.Response) error
}

// Limits of what a request may make us keep.
const (
	maxUser   = 64
	maxURI    = 512
	maxText   = 256 // Call-ID, tags, Event id
	maxParty  = 600 // From and To, as they are sent back
	maxRoutes = 16
)

// refusal is a final response that makes nothing.
type refusal struct {
	status  int
	reason  string
	headers []sip.Header
}

func refuse(status int, reason string, headers ...sip.Header) *refusal {
	return &refusal{status, reason, headers}
}

func busy() *refusal {
	return refuse(sip.StatusServiceUnavailable, "Busy", sip.NewHeader("Retry-After", busySeconds))
}

// Request answers a SUBSCRIBE, PUBLISH, MESSAGE or REFER and reports false for every other method. It is
// called on the shard of the Call-ID, with a request whose From, To, Call-ID and CSeq can be read,
// and does not block.
func (s *Server) Request(tx Transaction) bool {
	req := tx.Request()
	var serve func(Transaction, tel.DeviceID) *refusal
	switch req.Method {
	case sip.SUBSCRIBE:
		serve = s.subscribe
	case sip.PUBLISH:
		serve = s.publish
	case sip.MESSAGE:
		serve = s.message
	case sip.REFER:
		serve = s.refer
	default:
		return false
	}
	s.guard(string(req.Method), func() {
		dev, challenge, status := s.cfg.Phones.Authenticate(req, tx.Flow())
		no := refuse(status, reasonOf(status), challenge...)
		if status == 0 {
			no = demanded(req)
		}
		if no == nil {
			no = serve(tx, dev)
		}
		if no != nil {
			s.refuse(tx, no)
		}
	})
	return true
}

func reasonOf(status int) string {
	switch status {
	case sip.StatusBadRequest:
		return "Bad Request"
	case sip.StatusUnauthorized:
		return "Unauthorized"
	case sip.StatusForbidden:
		return "Forbidden"
	case sip.StatusNotFound:
		return "Not Found"
	case sip.StatusRequestTimeout:
		return "Request Timeout"
	case sip.StatusTemporarilyUnavailable:
		return "Temporarily Unavailable"
	case sip.StatusCallTransactionDoesNotExists:
		return "Subscription Does Not Exist"
	case sip.StatusInternalServerError:
		return "Server Internal Error"
	}
	return "Refused"
}

func (s *Server) refuse(tx Transaction, no *refusal) {
	if no.status == sip.StatusServiceUnavailable {
		s.count.shed.Add(1)
	}
	res := sip.NewResponseFromRequest(tx.Request(), no.status, no.reason, nil)
	for _, h := range no.headers {
		res.AppendHeader(h)
	}
	s.respond(tx, res)
}

func (s *Server) respond(tx Transaction, res *sip.Response) {
	if err := tx.Respond(res); err != nil {
		s.cfg.Log.Debug("response not sent", "method", tx.Request().Method, "status", res.StatusCode, "err", err)
	}
}

// demanded refuses extensions that are demanded and not spoken (RFC 3261 section 8.2.2.3).
func demanded(req *sip.Request) *refusal {
	var missing []string
	for _, h := range req.GetHeaders("require") {
		for tag := range strings.SplitSeq(h.Value(), ",") {
			if tag = strings.TrimSpace(tag); tag != "" {
				missing = append(missing, printable(tag, maxUser))
			}
		}
	}
	if missing == nil {
		return nil
	}
	return refuse(sip.StatusBadExtension, "Bad Extension", sip.NewHeader("Unsupported", strings.Join(missing, ", ")))
}

// value is the one value of a header, by its long or compact name; ok is false unless there is
// exactly one.
func value(req *sip.Request, long, compact string) (v string, ok bool) {
	all := req.GetHeaders(long)
	if compact != "" {
		all = append(all, req.GetHeaders(compact)...)
	}
	if len(all) != 1 {
		return "", false
	}
	return strings.TrimSpace(all[0].Value()), true
}

// event reads the Event header (RFC 6665 section 8.2.1): the package, and the id where there is one.
func event(req *sip.Request) (p Package, id string, ok bool) {
	v, ok := value(req, "event", "o")
	if !ok {
		return "", "", false
	}
	name, params, _ := strings.Cut(v, ";")
	for param := range strings.SplitSeq(params, ";") {
		if k, text, found := strings.Cut(strings.TrimSpace(param), "="); found && strings.EqualFold(strings.TrimSpace(k), "id") {
			id = strings.TrimSpace(text)
		}
	}
	if id != token(id) {
		return "", "", false
	}
	return Package(strings.ToLower(strings.TrimSpace(name))), id, true
}

// accepts reports whether a document of that type may be sent (RFC 3261 section 20.1); without an
// Accept it may.
func accepts(req *sip.Request, mediaType string) bool {
	headers := req.GetHeaders("accept")
	if len(headers) == 0 {
		return true
	}
	main, _, _ := strings.Cut(mediaType, "/")
	for _, h := range headers {
		for r := range strings.SplitSeq(h.Value(), ",") {
			r, _, _ = strings.Cut(r, ";")
			r = strings.ToLower(strings.TrimSpace(r))
			if r == mediaType || r == "*/*" || r == main+"/*" {
				return true
			}
		}
	}
	return false
}

// contentType is that of the body in small letters, without parameters, and its charset.
func contentType(req *sip.Request) (kind, charset string) {
	h := req.ContentType()
	if h == nil {
		return "", ""
	}
	kind, params, _ := strings.Cut(h.Value(), ";")
	for param := range strings.SplitSeq(params, ";") {
		if k, v, ok := strings.Cut(strings.TrimSpace(param), "="); ok && strings.EqualFold(strings.TrimSpace(k), "charset") {
			charset = strings.ToLower(strings.Trim(strings.TrimSpace(v), `"`))
		}
	}
	return strings.ToLower(strings.TrimSpace(kind)), charset
}

// userOf is the unescaped user part of the request line; ok is false if there is none to speak of.
func userOf(req *sip.Request) (user string, ok bool) {
	user, err := url.PathUnescape(req.Recipient.User)
	if err != nil || user == "" || len(user) > maxUser || user != printable(user, maxUser) || strings.ContainsAny(user, " \"<>") {
		return "", false
	}
	return user, true
}

// usable reports whether a URI of the phone's may stand in a request line or Route of ours, and
// comes back the same when it is read again from the journal.
func usable(u sip.Uri) bool {
	text := u.String()
	if u.Scheme != "sip" && u.Scheme != "sips" || u.Host == "" || u.Wildcard || u.Port < 0 || u.Port > 65535 ||
		len(text) > maxURI || text != printable(text, maxURI) || strings.ContainsAny(text, " <>\"") {
		return false
	}
	var again sip.Uri
	return sip.ParseUri(text, &again) == nil && again.String() == text
}

// target is the URI of the one Contact, without headers (RFC 3261 section 19.1.5).
func target(req *sip.Request) (string, bool) {
	all := req.GetHeaders("contact")
	if len(all) != 1 {
		return "", false
	}
	c, ok := all[0].(*sip.ContactHeader)
	if !ok {
		return "", false
	}
	u := *c.Address.Clone()
	u.Headers = nil
	return u.String(), usable(u)
}

// routes is the route set that a request makes for its receiver (RFC 3261 section 12.1.1).
func routes(req *sip.Request) ([]string, bool) {
	var set []string
	for _, h := range req.GetHeaders("record-route") {
		var u sip.Uri
		if _, err := sip.ParseAddressValue(h.Value(), &u, nil); err != nil || !usable(u) || len(set) == maxRoutes {
			return nil, false
		}
		set = append(set, u.String())
	}
	return set, true
}

// seconds reads delta-seconds; absent or no number is ok = false.
func seconds(req *sip.Request, name string) (d time.Duration, ok bool) {
	v, ok := value(req, name, "")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

// retryAfter reads Retry-After (RFC 3261 section 20.33); 0 when there is none.
func retryAfter(res *sip.Response) time.Duration {
	h := res.GetHeader("retry-after")
	if h == nil {
		return 0
	}
	digits := strings.TrimSpace(h.Value())
	if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		digits = digits[:end]
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

func tagOf(p sip.HeaderParams) string {
	tag, _ := p.Get("tag")
	return tag
}

// party is a name-addr without its tag, as the other side will find it in From or To.
func party(display string, uri sip.Uri, params sip.HeaderParams) (string, bool) {
	h := sip.FromHeader{DisplayName: display, Address: uri}
	h.Params = slices.DeleteFunc(params.Clone(), func(kv sip.HeaderKV) bool { return kv.K == "tag" })
	text := h.Value()
	if len(text) > maxParty || strings.ContainsAny(text, "\r\n\x00") {
		return "", false
	}
	var again sip.FromHeader
	_, err := sip.ParseAddressValue(text, &again.Address, &again.Params)
	return text, err == nil
}

// printable cuts s to limit bytes and takes out control characters and bytes over 0x7e.
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

// token is s without what may not stand in a parameter's value.
func token(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \"<>;,=", r) {
			return -1
		}
		return r
	}, printable(s, maxText))
}
