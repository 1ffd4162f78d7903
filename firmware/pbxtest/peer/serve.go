package peer

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// request answers one request of the box. A request that comes again gets its answer again.
func (p *Peer) request(req *sip.Request, from netip.AddrPort) {
	via, id := req.Via(), req.CallID()
	if via == nil || id == nil || req.From() == nil || req.To() == nil || req.CSeq() == nil {
		return
	}
	if p.muted(req) {
		return
	}
	b, _ := via.Params.Get("branch")
	p.mu.Lock()
	old, again := p.answers[b+string(req.Method)]
	c := p.calls[string(*id)]
	p.mu.Unlock()
	if again && req.Method != sip.ACK {
		p.send(old.text, from)
		return
	}
	if req.Method != sip.ACK {
		p.keep(req)
		if status, extra := p.refusal(req); status != 0 {
			p.reply(req, from, status, rand.Text(), extra)
			return
		}
	}
	if p.cfg.Quirks.ChallengeAll && (req.Method == sip.BYE || req.Method == sip.OPTIONS || req.Method == sip.INFO) && !p.admit(req, from, true) {
		return
	}
	_, inDialog := req.To().Params.Get("tag")
	switch req.Method {
	case sip.ACK:
		if c != nil {
			c.acked()
		}
	case sip.INVITE:
		switch {
		case !inDialog:
			p.invited(req, from)
		case c != nil:
			c.reinvited(req, from)
		default:
			p.reply(req, from, 481, "", "")
		}
	case sip.BYE:
		p.ends(string(*req.CallID()))
		if c == nil {
			p.reply(req, from, 481, "", "")
			return
		}
		p.reply(req, from, 200, c.tag, "")
		c.because(req)
		c.finish(200, "BYE", true)
	case sip.CANCEL:
		if c == nil {
			p.reply(req, from, 481, "", "")
			return
		}
		p.reply(req, from, 200, c.tag, "")
		c.because(req)
		c.cancelled()
	case sip.OPTIONS, sip.INFO:
		p.reply(req, from, 200, "", "")
	case sip.NOTIFY:
		p.reply(req, from, 200, "", "")
		p.notified(req)
	case sip.UPDATE:
		if c == nil {
			p.reply(req, from, 481, "", "")
			return
		}
		c.updated(req, from)
	case sip.MESSAGE:
		if p.cfg.Texts == nil {
			p.reply(req, from, 405, "", "")
			return
		}
		p.reply(req, from, 200, "", "")
		p.cfg.Texts(req.From().Address.User, string(req.Body()))
	case sip.REGISTER:
		p.registered(req, from)
	default:
		p.reply(req, from, 405, "", "")
	}
}

// reasons are the words of the statuses that this peer says.
var reasons = map[int]string{
	100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 302: "Moved Temporarily", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 407: "Proxy Authentication Required",
	421: "Extension Required", 423: "Interval Too Brief", 484: "Address Incomplete",
	415: "Unsupported Media Type", 491: "Request Pending", 500: "Server Internal Error", 606: "Not Acceptable", 480: "Temporarily Unavailable", 481: "Call Does Not Exist", 483: "Too Many Hops", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 603: "Decline",
}

// reply sends a response and keeps it; extra is more header lines, and a body after an empty line.
func (p *Peer) reply(req *sip.Request, to netip.AddrPort, status int, tag, extra string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "SIP/2.0 %d %s\r\n", status, reasons[status])
	for _, name := range []string{"Via", "Record-Route"} {
		for _, h := range req.GetHeaders(name) {
			s.WriteString(h.String() + "\r\n")
		}
	}
	toLine := req.To().String()
	if _, has := req.To().Params.Get("tag"); !has && tag != "" {
		toLine += ";tag=" + tag
	}
	fmt.Fprintf(&s, "%s\r\n%s\r\n%s\r\n%s\r\n", req.From(), toLine, req.CallID(), req.CSeq())
	if head, body, has := strings.Cut(extra, "\r\n\r\n"); has {
		fmt.Fprintf(&s, "%s\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", head, len(body), body)
	} else {
		s.WriteString(extra + "Content-Length: 0\r\n\r\n")
	}
	b, _ := req.Via().Params.Get("branch")
	p.mu.Lock()
	p.answers[b+string(req.Method)] = answer{s.String(), time.Now()}
	if len(p.answers) > sweep {
		for k, a := range p.answers {
			if time.Since(a.at) > life {
				delete(p.answers, k)
			}
		}
	}
	p.mu.Unlock()
	p.send(s.String(), to)
	return s.String()
}

// registered is the carrier's registrar: MD5 digest, one contact per customer.
func (p *Peer) registered(req *sip.Request, from netip.AddrPort) {
	if p.cfg.Accounts == nil {
		p.reply(req, from, 405, "", "")
		return
	}
	if p.admit(req, from, false) {
		status, extra := p.enrol(req, from)
		p.reply(req, from, status, rand.Text(), extra)
	}
}

// genuine checks a customer's credentials. The nonce is not remembered: nobody replays here.
func (p *Peer) genuine(req *sip.Request, header string) bool {
	h := req.GetHeader(header)
	if h == nil {
		return false
	}
	c := params(h.Value())
	password, known := p.cfg.Accounts[c["username"]]
	return known && c["response"] != "" && c["response"] == proof(c, password, string(req.Method))
}
