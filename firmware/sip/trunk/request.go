package trunk

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/digest"
)

// account is our address with the carrier; without a user it is the bare domain.
func (t *Trunk) account() sip.Uri {
	u := t.cfg.home()
	u.User = t.cfg.User
	return u
}

func (t *Trunk) route() []sip.Uri {
	if t.cfg.Proxy == "" {
		return nil
	}
	u, err := hostURI(t.cfg.Proxy)
	if err != nil {
		return nil
	}
	u.UriParams = sip.HeaderParams{{K: "lr"}}
	if t.cfg.Transport != "udp" {
		u.UriParams = append(u.UriParams, sip.HeaderKV{K: "transport", V: t.cfg.Transport})
	}
	return []sip.Uri{u}
}

// envelope is a request out of any dialog, from us to ourselves or to the carrier.
func (t *Trunk) envelope(method sip.RequestMethod, s state, to sip.Uri) *sip.Request {
	req := sip.NewRequest(method, t.cfg.home())
	for _, u := range t.route() {
		req.AppendHeader(&sip.RouteHeader{Address: u})
	}
	callID := sip.CallIDHeader(s.callID)
	req.AppendHeader(&sip.FromHeader{Address: t.account(), Params: sip.HeaderParams{{K: "tag", V: s.tag}}})
	req.AppendHeader(&sip.ToHeader{Address: to})
	req.AppendHeader(&callID)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: s.cseq, MethodName: method})
	return req
}

// registerRequest is RFC 3261 section 10.2, with credentials if there is a challenge to answer.
func (t *Trunk) registerRequest(s state, c challenge) (*sip.Request, error) {
	req := t.envelope(sip.REGISTER, s, t.account())
	host, port := t.stack.Contact(s.trial)
	contact := sip.Uri{Scheme: "sip", User: s.token, Host: host, Port: port}
	if s.trial.Transport != "udp" {
		contact.UriParams = sip.HeaderParams{{K: "transport", V: s.trial.Transport}}
	}
	req.AppendHeader(&sip.ContactHeader{Address: contact})
	expires := s.expires
	if s.leaving {
		expires = 0
	}
	req.AppendHeader(sip.NewHeader("Expires", strconv.FormatInt(int64(expires/time.Second), 10)))
	req.AppendHeader(sip.NewHeader("Supported", "path"))
	if c.Nonce != "" {
		value, err := t.signer.sign(c.Challenge, sip.REGISTER, req.Recipient.String())
		if err != nil {
			return nil, fmt.Errorf("trunk %q: %w", t.cfg.ID, err)
		}
		req.AppendHeader(authorizationHeader(c.proxy, value))
	}
	req.SetBody(nil)
	return req, nil
}

func (t *Trunk) optionsRequest(s state) *sip.Request {
	s.callID, s.tag = rand.Text(), rand.Text()
	req := t.envelope(sip.OPTIONS, s, t.cfg.home())
	req.AppendHeader(sip.NewHeader("Accept", "application/sdp"))
	req.SetBody(nil)
	return req
}

// readReply reduces a final response; nil, for no answer, is the zero reply.
func readReply(res *sip.Response, token string) reply {
	if res == nil {
		return reply{}
	}
	r := reply{status: res.StatusCode, text: textOf(res), challenges: challengesOf(res), seen: seenBy(res)}
	if h := res.GetHeader("Min-Expires"); h != nil {
		r.minExpires = seconds(h.Value())
	}
	if h := res.GetHeader("Retry-After"); h != nil {
		r.retryAfter = seconds(h.Value())
	}
	if h := res.GetHeader("Authentication-Info"); h != nil {
		if c, err := digest.ParseConfirmation(h.Value()); err == nil {
			r.nextNonce = c.NextNonce
		}
	}
	if h := res.GetHeader("Expires"); h != nil {
		r.granted = seconds(h.Value())
	}
	var home string // of our contact: another one there is this box before a restart
	var others []string
	for _, h := range res.GetHeaders("contact") {
		c, ok := h.(*sip.ContactHeader)
		if !ok {
			continue
		}
		life, said := time.Duration(0), false
		for _, p := range c.Params {
			if strings.EqualFold(p.K, "expires") {
				life, said = seconds(p.V), true
			}
		}
		switch {
		case c.Address.User == token:
			home = c.Address.HostPort()
			if said {
				r.granted = life
			}
		case !said || life > 0:
			others = append(others, c.Address.HostPort())
		}
	}
	for _, o := range others {
		if o != home {
			r.others++
		}
	}
	return r
}

// textOf is what a response says in words: its reason phrase and its Warning (RFC 3261 section 20.43).
func textOf(res *sip.Response) string {
	text := res.Reason
	for _, name := range []string{"Warning", "Reason"} {
		for _, h := range res.GetHeaders(name) {
			text += " " + h.Value()
		}
	}
	return text[:min(len(text), maxText)]
}

const maxText = 512 // bytes of a response's words that are looked at

// seenBy is our address as the answering server saw it (RFC 3581 section 4).
func seenBy(res *sip.Response) netip.AddrPort {
	via := res.Via()
	if via == nil {
		return netip.AddrPort{}
	}
	received, _ := via.Params.Get("received")
	if received == "" {
		received = via.Host
	}
	addr, err := netip.ParseAddr(strings.Trim(received, "[]"))
	if err != nil {
		return netip.AddrPort{}
	}
	port := via.Port
	if text, _ := via.Params.Get("rport"); text != "" {
		if n, err := strconv.ParseUint(text, 10, 16); err == nil && n > 0 {
			port = int(n)
		}
	}
	if port <= 0 || port > 65535 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port))
}

// seconds reads delta-seconds, which a comment or parameters may follow (RFC 3261 section 20.33).
func seconds(s string) time.Duration {
	s = strings.TrimSpace(s)
	if i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		s = s[:i]
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
