package trunk

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	"github.com/pronto-pbx/pronto/firmware/sip/digest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Errors of Invite.
var (
	ErrDown   = errors.New("the trunk is down")
	ErrNumber = errors.New("there is no number to call")
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
	u, _ := t.cfg.target()
	u.UriParams = sip.HeaderParams{{K: "lr"}}
	if t.cfg.Transport == "tcp" {
		u.UriParams = append(u.UriParams, sip.HeaderKV{K: "transport", V: "tcp"})
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
	host, port := t.stack.Contact(s.flow)
	contact := sip.Uri{Scheme: "sip", User: s.token, Host: host, Port: port}
	if s.flow.Transport == "tcp" {
		contact.UriParams = sip.HeaderParams{{K: "transport", V: "tcp"}}
	}
	req.AppendHeader(&sip.ContactHeader{Address: contact})
	req.AppendHeader(sip.NewHeader("Expires", strconv.FormatInt(int64(s.expires/time.Second), 10)))
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
	r := reply{status: res.StatusCode, challenges: challengesOf(res)}
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
	for _, h := range res.GetHeaders("contact") {
		if c, ok := h.(*sip.ContactHeader); ok && c.Address.User == token {
			for _, p := range c.Params {
				if strings.EqualFold(p.K, "expires") {
					r.granted = seconds(p.V)
				}
			}
		}
	}
	return r
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

// Invite prepares a call over this carrier to number to, presented as from; an empty from is the
// account itself. The caller of Invite sets Events and Ring, and has a place from Acquire. ErrDown
// and ErrNumber say why there is no call.
func (t *Trunk) Invite(to, from tel.Number, sdp []byte) (dialog.InviteRequest, error) {
	v := t.view()
	switch {
	case !v.up || !v.flow.Remote.IsValid():
		return dialog.InviteRequest{}, fmt.Errorf("trunk %q: %w (%s)", t.cfg.ID, ErrDown, v.cause)
	case to == "":
		return dialog.InviteRequest{}, fmt.Errorf("trunk %q: %w", t.cfg.ID, ErrNumber)
	}
	target := t.at(t.cfg.Outgoing.Out(to))
	r := dialog.InviteRequest{
		From: dialog.Address{URI: t.account()}, To: dialog.Address{URI: target}, Target: target,
		Route: t.route(), Flow: v.flow, SDP: sdp, Auth: t.Auth(),
	}
	if from == "" {
		from = t.cfg.Number
	}
	if from == "" {
		return r, nil
	}
	shown := t.cfg.Outgoing.Out(from)
	asserted := t.at(shown)
	if t.cfg.Identity == IdentityCaller {
		r.From.URI, asserted = asserted, r.From.URI
		// Our Contact takes its user from From; in-dialog requests are matched by tag.
	} else {
		r.From.Display = string(shown)
	}
	if asserted.User != "" {
		r.Headers = append(r.Headers, sip.NewHeader("P-Asserted-Identity", "<"+asserted.String()+">"))
	}
	return r, nil
}

// at is a number at the carrier. The hash sign is not allowed in a user part (RFC 3261 section 25.1).
func (t *Trunk) at(n tel.Number) sip.Uri {
	u := t.cfg.home()
	u.User = strings.ReplaceAll(string(n), "#", "%23")
	return u
}
