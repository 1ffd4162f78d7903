package stack

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"net/netip"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// Limits on what others send.
const (
	maxHeaders = 200
	maxVias    = 70
)

// retryAfter is the seconds that an overloaded stack asks others to wait.
const retryAfter = "5"

// wire prints a message with its Content-Length.
func wire(msg sip.Message) []byte {
	if msg.ContentLength() == nil {
		msg.SetBody(msg.Body())
	}
	var b bytes.Buffer
	b.Grow(1024)
	msg.StringWrite(&b)
	return b.Bytes()
}

// serverKey is the key of the server transaction that a request belongs to. An ACK and a CANCEL
// belong to the INVITE (RFC 3261 sections 17.2.3 and 9.2).
func serverKey(req *sip.Request) (string, error) {
	cseq := req.CSeq()
	if key, ok := oldKey(req); ok {
		return key, nil
	}
	if req.Method == sip.CANCEL && cseq != nil {
		cseq.MethodName = sip.INVITE
		defer func() { cseq.MethodName = sip.CANCEL }()
	}
	return sip.ServerTxKeyMake(req)
}

// oldKey is the key of a request of RFC 2543 that names neither a branch of RFC 3261 nor a From tag,
// which sipgo refuses: what section 17.2.3 compares for such requests, the tags left out.
func oldKey(req *sip.Request) (string, bool) {
	via, cseq := req.Via(), req.CSeq()
	if via == nil || cseq == nil || req.From() == nil || req.CallID() == nil {
		return "", false
	}
	if branch, _ := via.Params.Get("branch"); req.From().Params.Has("tag") || len(branch) > len(sip.RFC3261BranchMagicCookie) &&
		strings.HasPrefix(branch, sip.RFC3261BranchMagicCookie) {
		return "", false
	}
	method := cseq.MethodName
	if method == sip.ACK || method == sip.CANCEL {
		method = sip.INVITE
	}
	return fmt.Sprintf("rfc2543 %s %s %d %s %s:%d", req.From().Address.String(), req.CallID().Value(), cseq.SeqNo, method, via.Host, via.Port), true
}

// tidy removes the white space that may stand around the parts of a parameter (RFC 3261 section
// 25.1) and that the parser leaves there: else a tag with a space before its "=" is none.
func tidy(m *sip.MessageData) {
	if h := m.From(); h != nil {
		tidyParams(h.Params)
	}
	if h := m.To(); h != nil {
		tidyParams(h.Params)
	}
	if h := m.Via(); h != nil {
		tidyParams(h.Params)
	}
}

func tidyParams(params sip.HeaderParams) {
	for i := range params {
		params[i].K, params[i].V = strings.TrimSpace(params[i].K), strings.TrimSpace(params[i].V)
	}
}

// outsideDialog says whether a request may be refused for lack of room: one within a dialog, which
// has a tag in its To, belongs to a call that exists.
func outsideDialog(req *sip.Request) bool {
	to := req.To()
	return to == nil || !to.Params.Has("tag")
}

// finishRequest gives a request what the transport owes it: its only Via, and the headers that
// every request carries. Earlier Vias, of a first try, are removed.
func (s *Stack) finishRequest(req *sip.Request, to Flow, branch string) {
	for req.RemoveHeader("Via") {
	}
	host, port := s.sentBy(to)
	via := &sip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0",
		Transport: strings.ToUpper(to.Transport), Host: host, Port: port, Params: sip.NewParams(),
	}
	via.Params.Add("branch", branch)
	via.Params.Add("rport", "")
	req.PrependHeader(via)
	if req.MaxForwards() == nil {
		hops := sip.MaxForwardsHeader(70)
		req.AppendHeader(&hops)
	}
	s.addUserAgent(req)
	req.SetTransport(via.Transport)
}

func (s *Stack) addUserAgent(req *sip.Request) {
	if s.cfg.UserAgent != "" && req.GetHeader("User-Agent") == nil {
		req.AppendHeader(sip.NewHeader("User-Agent", s.cfg.UserAgent))
	}
}

func (s *Stack) finishResponse(res *sip.Response) {
	res.SipVersion = "SIP/2.0" // sipgo copies the request's, which may be wrong
	if s.cfg.UserAgent != "" && res.StatusCode > 100 && res.GetHeader("Server") == nil {
		res.AppendHeader(sip.NewHeader("Server", s.cfg.UserAgent))
	}
}

// stampVia notes in a request's top Via where it really came from (RFC 3261 section 18.2.1, RFC
// 3581 section 4).
func stampVia(via *sip.ViaHeader, src netip.AddrPort) {
	addr := src.Addr().WithZone("").String()
	_, symmetric := via.Params.Get("rport")
	if symmetric {
		via.Params.Add("rport", strconv.Itoa(int(src.Port())))
	}
	if symmetric || strings.Trim(via.Host, "[]") != addr {
		via.Params.Add("received", addr)
	}
}

// replyPath is where a response goes (RFC 3261 section 18.2.2, RFC 3581 section 4): over TCP back on
// the connection, over UDP to the source address, and to the source port only if rport asked so.
func replyPath(via *sip.ViaHeader, from Flow) Flow {
	if from.Reliable() || via == nil || via.Params.Has("rport") {
		return from
	}
	port := uint16(sip.DefaultUdpPort)
	if via.Port > 0 && via.Port <= 65535 {
		port = uint16(via.Port)
	}
	from.Remote = netip.AddrPortFrom(from.Remote.Addr(), port)
	return from
}

// problem is why a message is refused.
type problem struct {
	status int
	reason string
}

// checkRequest returns what is wrong with a request that has parsed, or nil.
func checkRequest(req *sip.Request) *problem {
	if !strings.EqualFold(req.SipVersion, "SIP/2.0") {
		return &problem{sip.StatusVersionNotSupported, "Version Not Supported"}
	}
	if p := checkShape(&req.MessageData); p != nil {
		return p
	}
	// The parser puts the request line's method in capitals. For a method that nobody knows that does
	// no harm; "invite", though, is not INVITE (RFC 3261 section 7.1).
	if named := req.CSeq().MethodName; named != req.Method && (known(req.Method) || !strings.EqualFold(string(named), string(req.Method))) {
		return &problem{sip.StatusBadRequest, "CSeq Names Another Method"}
	}
	if !dialable(req.Recipient.Scheme) && !req.IsAck() {
		return &problem{416, "Unsupported URI Scheme"}
	}
	return nil
}

func known(method sip.RequestMethod) bool {
	switch method {
	case sip.INVITE, sip.ACK, sip.CANCEL, sip.BYE, sip.REGISTER, sip.OPTIONS, sip.SUBSCRIBE, sip.NOTIFY, sip.REFER,
		sip.INFO, sip.MESSAGE, sip.PRACK, sip.UPDATE, sip.PUBLISH:
		return true
	}
	return false
}

// dialable says whether a Request-URI of that scheme may mean somebody: urn is how some phones call
// emergency services (RFC 5031).
func dialable(scheme string) bool {
	switch strings.ToLower(scheme) {
	case "", "sip", "sips", "tel", "urn":
		return true
	}
	return false
}

// checkShape returns what is wrong with the headers that any message needs, or nil.
func checkShape(m *sip.MessageData) *problem {
	bad := func(reason string) *problem { return &problem{sip.StatusBadRequest, reason} }
	all := m.Headers()
	if len(all) > maxHeaders {
		return bad("Too Many Header Fields")
	}
	var vias int
	var single [6]int
	names := [len(single)]string{"From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length"}
	for _, h := range all {
		name := h.Name()
		if name == "Via" {
			vias++
			continue
		}
		for i := range names {
			if name == names[i] {
				single[i]++
			}
		}
	}
	if vias > maxVias {
		return bad("Too Many Via Header Fields")
	}
	for i, n := range single {
		if n > 1 {
			return bad("Repeated " + names[i])
		}
	}
	switch {
	case m.From() == nil:
		return bad("Missing From")
	case m.To() == nil:
		return bad("Missing To")
	case m.CallID() == nil:
		return bad("Missing Call-ID")
	case m.CSeq() == nil:
		return bad("Missing CSeq")
	case m.Via().Host == "":
		return bad("Via Names No Host")
	}
	return nil
}

// answer sends a response without keeping state (RFC 3261 section 8.2.7). A To tag that is missing
// is made from the request, so that a repeated request gets the same one.
func (s *Stack) answer(req *sip.Request, flow Flow, status int, reason, tag string, headers ...sip.Header) {
	if req.IsAck() || req.Via() == nil {
		return
	}
	res := sip.NewResponseFromRequest(req, status, reason, nil)
	if to := res.To(); to != nil && !hasTag(req.To()) {
		if tag == "" {
			tag = s.statelessTag(req)
		}
		to.Params.Add("tag", tag)
	}
	for _, h := range headers {
		res.AppendHeader(h)
	}
	s.finishResponse(res)
	if err := s.transmit(replyPath(req.Via(), flow), wire(res), nil); err != nil {
		s.count.sendErrors.Add(1)
	}
}

func (s *Stack) refuse(req *sip.Request, flow Flow, status int, reason string) {
	s.answer(req, flow, status, reason, "")
}

// overload refuses a request before any state is made for it.
func (s *Stack) overload(req *sip.Request, flow Flow) {
	s.count.refused.Add(1)
	s.log.say("overload", "overloaded: new requests are refused with 503")
	s.answer(req, flow, sip.StatusServiceUnavailable, "Service Unavailable", "",
		sip.NewHeader("Retry-After", retryAfter))
}

func hasTag(to *sip.ToHeader) bool { return to != nil && to.Params.Has("tag") }

// statelessTag makes a To tag that isStatelessTag knows again: the ACK of such a refusal is for
// nobody.
func (s *Stack) statelessTag(req *sip.Request) string {
	h := fnv.New64a()
	if id := req.CallID(); id != nil {
		_, _ = h.Write([]byte(id.Value()))
	}
	branch, _ := req.Via().Params.Get("branch")
	_, _ = h.Write([]byte(branch))
	return s.secret + strconv.FormatUint(h.Sum64(), 36)
}

func (s *Stack) isStatelessTag(to *sip.ToHeader) bool {
	if to == nil {
		return false
	}
	tag, _ := to.Params.Get("tag")
	return strings.HasPrefix(tag, s.secret)
}

// ackOf makes the ACK of a refused INVITE (RFC 3261 section 17.1.1.3).
func ackOf(invite *sip.Request, res *sip.Response) *sip.Request {
	ack := followUp(invite, sip.ACK)
	if to := res.To(); to != nil {
		ack.AppendHeader(sip.HeaderClone(to))
	}
	return ack
}

// cancelOf makes the CANCEL of an INVITE (RFC 3261 section 9.1).
func cancelOf(invite *sip.Request, headers []sip.Header) *sip.Request {
	cancel := followUp(invite, sip.CANCEL)
	cancel.AppendHeader(sip.HeaderClone(invite.To()))
	for _, h := range headers {
		cancel.AppendHeader(h)
	}
	return cancel
}

// followUp starts a request of the INVITE's own transaction, all but its To.
func followUp(invite *sip.Request, method sip.RequestMethod) *sip.Request {
	req := sip.NewRequest(method, invite.Recipient)
	req.AppendHeader(invite.Via().Clone())
	sip.CopyHeaders("Route", invite, req)
	hops := sip.MaxForwardsHeader(70)
	req.AppendHeader(&hops)
	req.AppendHeader(sip.HeaderClone(invite.From()))
	req.AppendHeader(sip.HeaderClone(invite.CallID()))
	req.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: method})
	req.SetTransport(invite.Transport())
	return req
}
