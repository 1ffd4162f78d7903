package peer

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Quirks are what a carrier does otherwise than the plain registrar and proxy of RFC 3261. The zero
// value has none.
type Quirks struct {
	FreshNonce   bool          // a nonce proves one request; every answer to it again is stale
	ChallengeAll bool          // every request is asked for credentials, also OPTIONS and BYE
	MinExpires   time.Duration // a shorter registration is refused with 423
	Expires      time.Duration // granted, whatever is asked for; 0 = what is asked for
	Single       bool          // a second contact of an account is refused with 403
	Others       []string      // contacts that a 200 lists beside ours
	NoFetch      bool          // a REGISTER without Contact is refused with 403
	ProxyOnly    bool          // a request without a Route to this carrier is refused with 403
	Domain       string        // From of every request must name it, else 404
	FromUser     string        // From of an INVITE must name it, else 403
	E164         bool          // a called number that does not begin with + is refused with 484
	Need         []string      // headers without which an INVITE is refused with 403
	Demand100rel bool          // an INVITE that does not support 100rel is refused with 421 (RFC 3262)
	DIDInTo      bool          // calls in: the request line is the contact, To the dialled number; else both are the number
	Payloads     []int         // of offers, in order; an offer without the first is refused with 488 if there is only one
	Secure       bool          // RTP without SRTP (RFC 4568) is refused with 488
}

// maxKept is how many requests of the box are remembered.
const maxKept = 1000

// Requests are the requests of a method that the box has sent so far, repetitions left out.
func (p *Peer) Requests(method sip.RequestMethod) []*sip.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.kept), func(r *sip.Request) bool { return r.Method != method })
}

func (p *Peer) keep(req *sip.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.kept) < maxKept {
		p.kept = append(p.kept, req)
	}
}

// PassBack calls a number of a registered account on behalf of a call that came from the box, as a
// carrier does to whom that number was forwarded; what becomes of it becomes of the call. RFC 3261
// section 16.6 takes one from Max-Forwards, and the last one is refused with 483.
func (p *Peer) PassBack(c *Call, account, number, headers string) {
	if c.Forwards <= 1 {
		c.Reject(483)
		return
	}
	onward, err := p.CallIn(account, Outgoing{To: number, From: c.Caller, Forwards: c.Forwards - 1, Headers: headers})
	if err != nil {
		c.Reject(480)
		return
	}
	select {
	case <-onward.Answered():
		c.Answer()
	case <-onward.Ended():
		status, _, _ := onward.Outcome()
		c.Reject(max(status, 400))
	case <-c.Ended():
	}
	select {
	case <-c.Ended():
		onward.Hangup()
	case <-onward.Ended():
		c.Hangup()
	}
}

// CallIn calls a number of a registered account as this carrier does it: at the contact, as the
// account registered it.
func (p *Peer) CallIn(account string, o Outgoing) (*Call, error) {
	b, ok := p.Registered(account)
	if !ok {
		return nil, fmt.Errorf("%s is not registered: %w", account, ErrStatus)
	}
	var contact sip.Uri
	if err := sip.ParseUri(b.Contact, &contact); err != nil {
		return nil, err
	}
	o.URI, o.SDP = b.Contact, p.offer()
	if !p.cfg.Quirks.DIDInTo {
		o.URI = fmt.Sprintf("sip:%s@%s", o.To, contact.HostPort())
	}
	if p.cfg.Quirks.Demand100rel {
		o.Headers += "Require: 100rel\r\nSupported: 100rel\r\n"
	}
	at, err := netip.ParseAddrPort(contact.HostPort())
	if err != nil {
		return nil, err
	}
	return p.dial(o, at)
}

// CallAt calls a number of a customer whose address this carrier knows.
func (p *Peer) CallAt(at netip.AddrPort, number, from string) (*Call, error) {
	return p.dial(Outgoing{To: number, From: from, SDP: p.offer()}, at)
}

// offer is an SDP body with the carrier's payloads; empty = the peer's own.
func (p *Peer) offer() string {
	if len(p.cfg.Quirks.Payloads) == 0 {
		return ""
	}
	var list []string
	for _, n := range p.cfg.Quirks.Payloads {
		list = append(list, strconv.Itoa(n))
	}
	// The audio of these offers goes nowhere: what is judged is the answer.
	return fmt.Sprintf("v=0\r\no=peer 1 1 IN IP4 %[1]s\r\ns=call\r\nc=IN IP4 %[1]s\r\nt=0 0\r\nm=audio 9 RTP/AVP %[2]s\r\n"+
		"a=rtpmap:18 G729/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\n", p.Local().Addr(), strings.Join(list, " "))
}

// refusal is what the carrier has against a request, before it asks who sends it; 0 = nothing.
func (p *Peer) refusal(req *sip.Request) (status int, extra string) {
	q, from := p.cfg.Quirks, req.From().Address
	if q.ProxyOnly {
		route := req.Route()
		if _, in := req.To().Params.Get("tag"); !in && (route == nil || !route.Address.UriParams.Has("lr")) {
			return 403, ""
		}
	}
	if q.Domain != "" && from.Host != q.Domain && from.Host != "anonymous.invalid" {
		return 404, ""
	}
	if req.Method != sip.INVITE {
		return 0, ""
	}
	if q.FromUser != "" && from.User != q.FromUser {
		return 403, ""
	}
	if q.E164 && !strings.HasPrefix(req.Recipient.User, "+") {
		return 484, ""
	}
	for _, name := range q.Need {
		if req.GetHeader(name) == nil {
			return 403, ""
		}
	}
	if q.Demand100rel && !supports(req, "100rel") {
		return 421, "Require: 100rel\r\n"
	}
	if body := string(req.Body()); body != "" && (q.Secure && !strings.Contains(body, "RTP/SAVP") || len(q.Payloads) == 1 && !lists(body, q.Payloads[0])) {
		return 488, ""
	}
	return 0, ""
}

func supports(req *sip.Request, option string) bool {
	for _, name := range []string{"Supported", "Require"} {
		for _, h := range req.GetHeaders(name) {
			for value := range strings.SplitSeq(h.Value(), ",") {
				if strings.EqualFold(strings.TrimSpace(value), option) {
					return true
				}
			}
		}
	}
	return false
}

// lists reports that the first audio line of an SDP body has a payload.
func lists(body string, payload int) bool {
	for line := range strings.SplitSeq(body, "\r\n") {
		if strings.HasPrefix(line, "m=audio") {
			return slices.Contains(strings.Fields(line)[3:], strconv.Itoa(payload))
		}
	}
	return false
}

// enrol is the registrar behind the password: one contact per account. It returns the status and
// further header lines.
func (p *Peer) enrol(req *sip.Request, from netip.AddrPort) (status int, extra string) {
	q, user, contact, expires := p.cfg.Quirks, req.To().Address.User, req.Contact(), "3600"
	if h := req.GetHeader("Expires"); h != nil {
		expires = h.Value()
	}
	asked, err := strconv.Atoi(expires)
	if err != nil {
		return 400, ""
	}
	switch {
	case contact == nil && q.NoFetch:
		return 403, ""
	case asked > 0 && time.Duration(asked)*time.Second < q.MinExpires:
		return 423, fmt.Sprintf("Min-Expires: %d\r\n", int(q.MinExpires/time.Second))
	case asked > 0 && q.Expires > 0:
		asked = int(q.Expires / time.Second)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	have, registered := p.bindings[user]
	switch {
	case contact == nil:
		return 200, ""
	case q.Single && registered && have.Contact != contact.Address.String():
		return 403, "Warning: 399 carrier \"maximum number of registrations reached\"\r\n"
	case asked == 0:
		delete(p.bindings, user)
		return 200, ""
	}
	p.bindings[user] = Binding{Contact: contact.Address.String(), From: from}
	for _, o := range q.Others {
		extra += fmt.Sprintf("Contact: <%s>;expires=%d\r\n", o, asked)
	}
	return 200, extra + fmt.Sprintf("Contact: <%s>;expires=%d\r\n", contact.Address.String(), asked)
}

// challenge asks for credentials; stale says that only the nonce was wrong.
func (p *Peer) challenge(header string, stale bool) string {
	nonce := rand.Text()
	if p.cfg.Quirks.FreshNonce {
		p.mu.Lock()
		p.nonces[nonce] = true
		p.mu.Unlock()
	}
	text := ""
	if stale {
		text = ", stale=true"
	}
	return fmt.Sprintf("%s: Digest realm=\"carrier\", nonce=\"%s\", algorithm=MD5, qop=\"auth\"%s\r\n", header, nonce, text)
}

// spent takes a nonce out of use; true = it was not in use any more.
func (p *Peer) spent(nonce string) bool {
	if !p.cfg.Quirks.FreshNonce {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fresh := p.nonces[nonce]
	delete(p.nonces, nonce)
	return !fresh
}

// admit checks a customer's credentials and asks for them where they lack.
func (p *Peer) admit(req *sip.Request, from netip.AddrPort, proxy bool) bool {
	header, ask, status := "Authorization", "WWW-Authenticate", 401
	if proxy {
		header, ask, status = "Proxy-Authorization", "Proxy-Authenticate", 407
	}
	ok := p.genuine(req, header)
	if ok && !p.spent(params(req.GetHeader(header).Value())["nonce"]) {
		return true
	}
	p.reply(req, from, status, rand.Text(), p.challenge(ask, ok))
	return false
}
