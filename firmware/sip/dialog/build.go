package dialog

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// allow lists the methods that a session understands (RFC 3261 section 20.5).
const allow = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, REFER, NOTIFY, SUBSCRIBE, PUBLISH, MESSAGE"

// ErrHeader says that a header would not stay on its line.
var ErrHeader = errors.New("a header field holds a line break")

// These name what cannot be rendered without showing it: it holds callers' numbers, and ends in logs.
var (
	errTarget = errors.New("the remote target is no URI")
	errRoute  = errors.New("the route set holds what is no URI")
	errParty  = errors.New("a party is no address")
)

// reasons are the phrases of the statuses that the box sends (RFC 3261 section 21).
var reasons = map[int]string{
	100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
	200: "OK", 202: "Accepted", 302: "Moved Temporarily",
	400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
	406: "Not Acceptable", 407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone",
	422: "Session Interval Too Small", 433: "Anonymity Disallowed",
	415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 420: "Bad Extension",
	480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected",
	483: "Too Many Hops", 484: "Address Incomplete", 486: "Busy Here", 489: "Bad Event", 487: "Request Terminated",
	488: "Not Acceptable Here", 491: "Request Pending",
	500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
	504: "Server Time-out", 600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}

// Reason is the phrase of a status (RFC 3261 section 21).
func Reason(status int) string { return reason(status) }

func reason(status int) string {
	if r, ok := reasons[status]; ok {
		return r
	}
	return "Status " + strconv.Itoa(status)
}

// response builds the response to req (RFC 3261 section 8.2.6). The tag is ours; every response of
// a call but the 100 carries it.
func response(req *sip.Request, status int, tag string) *sip.Response {
	res := sip.NewResponse(status, reason(status))
	sip.CopyHeaders("Via", req, res)
	if req.IsInvite() && status > 100 && status < 300 {
		sip.CopyHeaders("Record-Route", req, res) // section 12.1.1
	}
	for _, h := range []sip.Header{req.From(), req.To(), req.CallID(), req.CSeq()} {
		res.AppendHeader(sip.HeaderClone(h))
	}
	if to := res.To(); status > 100 && tag != "" && !to.Params.Has("tag") {
		to.Params = append(to.Params, sip.HeaderKV{K: "tag", V: tag})
	}
	res.SetTransport(req.Transport())
	res.SetBody(nil)
	return res
}

// body puts a body into m, with its type before it.
func body(m sip.Message, contentType string, content []byte) {
	if len(content) == 0 {
		m.SetBody(nil)
		return
	}
	kind := sip.ContentTypeHeader(contentType)
	m.AppendHeader(&kind)
	m.SetBody(content)
}

// build makes a request inside the dialog with p (RFC 3261 section 12.2.1.1).
func (s *Session) build(method sip.RequestMethod, cseq uint32, p core.Peer) (*sip.Request, error) {
	var remote sip.Uri
	if err := sip.ParseUri(p.Target, &remote); err != nil {
		return nil, errTarget
	}
	set := make([]sip.Uri, len(p.Routes))
	for i, r := range p.Routes {
		if _, err := sip.ParseAddressValue(r, &set[i], nil); err != nil {
			return nil, errRoute
		}
	}
	uri, set := requestLine(remote, set)
	req := sip.NewRequest(method, uri)
	for _, r := range set {
		req.AppendHeader(&sip.RouteHeader{Address: r})
	}
	if err := s.identify(req, p.Tag); err != nil {
		return nil, err
	}
	s.number(req, cseq)
	return req, nil
}

// requestLine applies the route set: a first router without ";lr" is a strict one, it wants to be
// the Request-URI itself and finds the target at the end (RFC 3261 section 12.2.1.1).
func requestLine(target sip.Uri, set []sip.Uri) (sip.Uri, []sip.Uri) {
	if len(set) == 0 || set[0].UriParams.Has("lr") {
		return target, set
	}
	first := *set[0].Clone()
	first.UriParams.Remove("method") // not allowed in a Request-URI, section 19.1.1
	first.Headers = nil
	return first, append(append([]sip.Uri{}, set[1:]...), target)
}

// identify writes From, To and Call-ID with the tags of both sides.
func (s *Session) identify(req *sip.Request, remoteTag string) error {
	from, to := &sip.FromHeader{}, &sip.ToHeader{}
	var err error
	if from.DisplayName, err = sip.ParseAddressValue(s.state.Local, &from.Address, &from.Params); err != nil {
		return errParty
	}
	if to.DisplayName, err = sip.ParseAddressValue(s.state.Remote, &to.Address, &to.Params); err != nil {
		return errParty
	}
	from.Params.Add("tag", s.id)
	if remoteTag != "" {
		to.Params.Add("tag", remoteTag)
	}
	id := sip.CallIDHeader(s.callID)
	req.AppendHeader(from)
	req.AppendHeader(to)
	req.AppendHeader(&id)
	return nil
}

func (s *Session) number(req *sip.Request, cseq uint32) {
	req.AppendHeader(&sip.CSeqHeader{SeqNo: cseq, MethodName: req.Method})
	hops := sip.MaxForwardsHeader(70)
	req.AppendHeader(&hops)
	req.AppendHeader(sip.NewHeader("User-Agent", s.ua.cfg.UserAgent))
}

// contact is our address on the flow of the session.
func (s *Session) contact() *sip.ContactHeader {
	f := stackFlow(s.state.Flow)
	host, port := s.ua.cfg.Stack.Contact(f)
	c := &sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: s.user, Host: host, Port: port}}
	if f.Transport != "udp" {
		c.Address.UriParams = sip.HeaderParams{{K: "transport", V: f.Transport}}
	}
	return c
}

// reasonHeader says why we cancel or hang up (RFC 3326).
func reasonHeader(c tel.Cause) sip.Header {
	if c == tel.CauseAnsweredElsewhere {
		return sip.NewHeader("Reason", `SIP;cause=200;text="Call completed elsewhere"`)
	}
	return sip.NewHeader("Reason", "Q.850;cause="+strconv.Itoa(c.Q850()))
}

// onOneLine refuses what could smuggle a header or a body into a message.
func onOneLine(req *sip.Request) error {
	if strings.ContainsAny(req.StartLine(), "\r\n") {
		return fmt.Errorf("request line: %w", ErrHeader)
	}
	for _, h := range req.Headers() {
		if strings.ContainsAny(h.Name(), "\r\n") || strings.ContainsAny(h.Value(), "\r\n") {
			return fmt.Errorf("%s: %w", strings.TrimSpace(strings.Map(printable, h.Name())), ErrHeader)
		}
	}
	return nil
}

func printable(r rune) rune {
	if r < ' ' {
		return -1
	}
	return r
}

// headerLine and header carry a header through the pure core, which knows text only.
func headerLine(h sip.Header) string {
	if h == nil || strings.ContainsAny(h.Name()+h.Value(), "\r\n") {
		return ""
	}
	return h.Name() + ": " + h.Value()
}

func headerLines(headers []sip.Header) []string {
	var lines []string
	for _, h := range headers {
		if line := headerLine(h); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func header(line string) (sip.Header, bool) {
	name, value, ok := strings.Cut(line, ": ")
	if !ok {
		return nil, false
	}
	return sip.NewHeader(name, value), true
}
