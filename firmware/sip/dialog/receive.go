package dialog

import (
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Request implements stack.Handler: each new request but ACK and matched CANCEL.
func (ua *UA) Request(tx *stack.ServerTx) {
	ua.receive(tx, func() bool { return ua.cfg.Other != nil && ua.cfg.Other(tx) })
}

// receive is Request for any kind of transaction; other offers it to Config.Other.
func (ua *UA) receive(tx ServerTx, other func() bool) {
	ua.guard(nil, func() {
		req := tx.Request()
		if err := essential(req); err != nil {
			ua.refuse(tx, 400, sip.NewHeader("Warning", `399 pronto "`+err.Error()+`"`))
			return
		}
		tag := toTag(req)
		if named := req.GetHeader("Replaces") != nil || req.GetHeader("Join") != nil; named && (req.Method != sip.INVITE || tag != "") {
			// RFC 3891 section 3, RFC 3911 section 4
			ua.refuse(tx, 400, sip.NewHeader("Warning", `399 pronto "only a new INVITE replaces or joins a call"`))
			return
		}
		if tag != "" {
			ua.inside(tx, tag, other)
			return
		}
		switch req.Method {
		case sip.INVITE:
			ua.incoming(tx)
		case sip.BYE, sip.CANCEL, sip.INFO, sip.UPDATE, sip.PRACK:
			ua.refuse(tx, 481)
		default:
			switch {
			case other():
			case req.Method == sip.REFER: // a call is transferred from within it
				ua.refuse(tx, 403)
			default:
				ua.refuse(tx, 405, sip.NewHeader("Allow", allow))
			}
		}
	})
}

// single are the header fields that a request has exactly once (RFC 3261 section 8.1.1), with
// their compact forms.
var single = [...]struct{ name, short string }{
	{"from", "f"}, {"to", "t"}, {"call-id", "i"}, {"cseq", "cseq"},
}

var errBroken = errors.New("a header field cannot be read")

// essential says what is missing from a request, or there twice, in words for a Warning. A tag in From
// may be missing: those who speak RFC 2543 have none (RFC 3261 section 12.1.1).
func essential(req *sip.Request) error {
	var seen [len(single)]int
	for _, h := range req.Headers() {
		name := strings.ToLower(h.Name())
		for i, f := range single {
			if name == f.name || name == f.short {
				seen[i]++
			}
		}
	}
	for i, n := range seen {
		switch {
		case n == 0:
			return fmt.Errorf("no %s header field", single[i].name)
		case n > 1:
			return fmt.Errorf("more than one %s header field", single[i].name)
		}
	}
	switch {
	case req.Via() == nil, req.From() == nil, req.To() == nil, req.CallID() == nil, req.CSeq() == nil:
		return errBroken
	case !strings.EqualFold(string(req.CSeq().MethodName), string(req.Method)): // the stack has looked closer at those that are known
		return errors.New("another method in cseq")
	}
	return nil
}

// refuse answers a request that makes no session.
func (ua *UA) refuse(tx ServerTx, status int, headers ...sip.Header) {
	req := tx.Request()
	if req.Via() == nil || req.From() == nil || req.To() == nil || req.CallID() == nil || req.CSeq() == nil {
		return // nothing that a response could be matched by
	}
	res := response(req, status, rand.Text())
	for _, h := range headers {
		res.AppendHeader(h)
	}
	body(res, "", nil)
	if err := tx.Respond(res); err != nil {
		ua.log.Debug("response not sent", "status", status, "err", err)
	}
}

// inside hands a request with a To tag to its session.
func (ua *UA) inside(tx ServerTx, tag string, other func() bool) {
	req := tx.Request()
	s := ua.find(tag, req.CallID().Value())
	if s == nil || !s.state.Knows(fromTag(req)) {
		switch req.Method {
		case sip.INVITE, sip.BYE, sip.CANCEL, sip.INFO, sip.UPDATE, sip.PRACK, sip.OPTIONS:
			ua.refuse(tx, 481) // section 12.2.2
		default:
			if !other() { // a dialog of another kind, e.g. a subscription
				ua.refuse(tx, 481)
			}
		}
		return
	}
	if list := unsupported(req); list != "" {
		ua.refuse(tx, 420, sip.NewHeader("Unsupported", list))
		return
	}
	ua.guard(s, func() { s.received(tx) })
}

// received feeds a request inside the dialog to the core.
func (s *Session) received(tx ServerTx) {
	req := tx.Request()
	sdp := sdpOf(req)
	describes := req.Method == sip.INVITE || req.Method == sip.UPDATE || req.Method == sip.PRACK
	if describes && len(req.Body()) > 0 && sdp == nil {
		s.ua.refuse(tx, 415, sip.NewHeader("Accept", "application/sdp"))
		return
	}
	e := core.GotRequest{
		Method: string(req.Method), CSeq: req.CSeq().SeqNo, Tag: fromTag(req),
		SDP: sdp, Target: target(req), Cause: causeOf(req), Dice: mathrand.Uint32(),
	}
	switch req.Method {
	case sip.INVITE, sip.UPDATE:
		e.Text = req.String()
		e.Terms, e.Timer, e.Update = terms(req), supports(req, "timer"), allows(req, "UPDATE")
		e.Who = identity(req)
	case sip.PRACK:
		e.RAck = rack(req)
	case sip.INFO:
		e.Body = req.Body()
		if t := req.ContentType(); t != nil {
			e.ContentType = t.Value()
		}
	}
	if e.CSeq > s.state.Peer.CSeq && e.Tag == s.state.Peer.Tag {
		// The peer proves by its tags that it is there: a phone that reconnected is reached by its new path.
		s.state.Flow = coreFlow(tx.Flow())
	}
	switch req.Method {
	case sip.REFER:
		s.refer(tx, e)
		return
	case sip.NOTIFY:
		s.notify(tx, e)
		return
	}
	s.current = tx
	s.feed(e)
	s.current = nil
	if x := s.state.Exchange; x.Turn == core.TurnTheirs && x.CSeq == e.CSeq && x.Method == e.Method {
		s.theirs = tx
		tx.OnCancel(func(*sip.Request) {
			s.ua.guard(s, func() {
				if s.theirs == tx {
					s.feed(core.GotCancel{Of: core.Theirs})
				}
			})
		})
	}
}

// mergeKey is what two copies of one INVITE share that came by different paths (section 8.2.2.2).
func mergeKey(req *sip.Request) string {
	return fmt.Sprintf("%s\x00%s\x00%d", fromTag(req), req.CallID().Value(), req.CSeq().SeqNo)
}

// incoming makes a session of a new INVITE, or refuses it (section 8.2).
func (ua *UA) incoming(tx ServerTx) {
	req := tx.Request()
	key := mergeKey(req)
	ua.mu.RLock()
	_, twice := ua.merged[key]
	closed := ua.closed
	ua.mu.RUnlock()
	switch hops := req.MaxForwards(); {
	case closed:
		ua.refuse(tx, 503, sip.NewHeader("Retry-After", "5"))
	case req.Recipient.Scheme != "sip" && req.Recipient.Scheme != "sips" && req.Recipient.Scheme != "tel":
		ua.refuse(tx, 416)
	case twice:
		ua.refuse(tx, 482)
	case hops != nil && hops.Val() == 0:
		ua.refuse(tx, 483) // the box passes calls on, so it must end loops (RFC 7332)
	case unsupported(req) != "":
		ua.refuse(tx, 420, sip.NewHeader("Unsupported", unsupported(req)))
	case target(req) == "":
		ua.refuse(tx, 400, sip.NewHeader("Warning", `399 pronto "no Contact header field"`))
	case len(req.Body()) > 0 && !isSDP(req):
		ua.refuse(tx, 415, sip.NewHeader("Accept", "application/sdp"))
	case encoded(req):
		ua.refuse(tx, 415, sip.NewHeader("Accept-Encoding", "identity"))
	case terms(req).TooShort(ua.cfg.MinSE, supports(req, "timer")):
		ua.refuse(tx, 422, sip.NewHeader("Min-SE", strconv.Itoa(int(ua.cfg.MinSE/time.Second))))
	case ua.cfg.Invite == nil:
		ua.refuse(tx, 405, sip.NewHeader("Allow", "OPTIONS"))
	case !ua.replaces(tx), !ua.joins(tx):
	default:
		ua.accept(tx, key)
	}
}

// replaces refuses an INVITE whose Replaces cannot be served (RFC 3891 section 3); false when it did.
func (ua *UA) replaces(tx ServerTx) bool {
	id, ok, err := replacesOf(tx.Request())
	if err != nil {
		ua.refuse(tx, 400, sip.NewHeader("Warning", `399 pronto "`+err.Error()+`"`))
		return false
	}
	if !ok {
		return true
	}
	if status := ua.replaceable(id); status != 0 {
		ua.refuse(tx, status)
		return false
	}
	return true
}

func encoded(req *sip.Request) bool {
	h := req.GetHeader("Content-Encoding")
	return h != nil && !strings.EqualFold(strings.TrimSpace(h.Value()), "identity")
}

// accept gives the application a new call.
func (ua *UA) accept(tx ServerTx, key string) {
	req := tx.Request()
	sdp := sdpOf(req)
	limit := core.RingLimit
	if d := expires(req); d > 0 {
		limit = min(limit, max(d, time.Second))
	}
	to, from := req.To(), req.From()
	s := ua.newSession(core.State{
		ID: rand.Text(), Incoming: true, Phase: core.Offered, CallID: req.CallID().Value(),
		Local: without(to.DisplayName, to.Address, to.Params), Remote: without(from.DisplayName, from.Address, from.Params),
		Flow:   coreFlow(tx.Flow()),
		Invite: core.Invite{CSeq: req.CSeq().SeqNo, Text: req.String(), Terms: terms(req), Always: requires(req, "100rel")},
		Peer: abilities(core.Peer{
			Tag: fromTag(req), CSeq: req.CSeq().SeqNo, Target: target(req), Routes: routes(req, false),
		}, req),
		RemoteSDP: sdp, Offerless: len(sdp) == 0, Ring: limit, Wish: ua.wish(0),
	})
	s.request, s.offer, s.user, s.mergeKey, s.first = req, sdp, req.Recipient.User, key, tx
	if !ua.add(s) {
		ua.refuse(tx, 503, sip.NewHeader("Retry-After", "5"))
		return
	}
	s.feed(core.Begin{Dice: mathrand.Uint32()})
	s.watchCancel(tx)
	ua.guard(s, func() { ua.cfg.Invite(s) })
}

// watchCancel hears the CANCEL of their INVITE.
func (s *Session) watchCancel(tx ServerTx) {
	tx.OnCancel(func(cancel *sip.Request) {
		s.ua.guard(s, func() {
			cause := tel.CauseNone
			if cancel != nil {
				cause = causeOf(cancel)
			}
			s.feed(core.GotCancel{Of: core.First, Cause: cause})
		})
	})
}
