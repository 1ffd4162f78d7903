package dialog

import (
	"errors"
	"math/rand/v2"
	"strconv"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// do carries out one effect of the core.
func (s *Session) do(effect core.Effect) {
	switch e := effect.(type) {
	case core.Save:
		s.save()
	case core.Drop:
		s.drop()
	case core.Close:
		s.ua.remove(s)
	case core.SendInvite:
		s.sendInvite(e)
	case core.SendCancel:
		s.cancel(s.client, reasonHeader(e.Cause))
	case core.CancelReoffer:
		s.cancel(s.reoffer)
	case core.SendAck:
		s.sendAck(e)
	case core.SendRequest:
		s.sendRequest(e)
	case core.Respond:
		s.respond(e)
	case core.Resend:
		s.resend(e)
	case core.Readopt:
		s.readopt(e)
	case core.Arm:
		s.arm(e)
	case core.Disarm:
		s.disarm(e.Timer)
		if e.Timer == core.TimerResend {
			s.final = nil // acknowledged
		}
	case core.Tell:
		s.tell(e.Notice)
	}
}

// save comes before the message that depends on it. A journal that fails (a full tmpfs) costs the
// survival of this call over a restart, never the call.
func (s *Session) save() {
	if s.ua.cfg.Journal == nil {
		return
	}
	b, err := s.state.Encode()
	if err == nil {
		err = s.ua.cfg.Journal.Put(JournalKind, s.id, b)
	}
	if err != nil {
		s.log.Warn("dialog not journalled", "err", err)
	}
}

func (s *Session) drop() {
	if s.ua.cfg.Journal == nil {
		return
	}
	if err := s.ua.cfg.Journal.Delete(JournalKind, s.id); err != nil {
		s.log.Warn("dialog not removed from the journal", "err", err)
	}
}

func (s *Session) arm(e core.Arm) {
	s.disarm(e.Timer)
	s.timers[e.Timer] = s.ua.cfg.Stack.After(s.callID, e.After, func() {
		delete(s.timers, e.Timer)
		s.feed(core.Fired{Timer: e.Timer})
	})
}

func (s *Session) disarm(t core.Timer) {
	if stop, ok := s.timers[t]; ok {
		stop()
		delete(s.timers, t)
	}
}

func (s *Session) cancel(tx ClientTx, headers ...sip.Header) {
	if tx == nil {
		return
	}
	if err := tx.Cancel(headers...); err != nil && !errors.Is(err, stack.ErrDone) {
		s.log.Debug("CANCEL not sent", "err", err)
	}
}

// sendInvite sends our INVITE, the first time or with credentials.
func (s *Session) sendInvite(e core.SendInvite) {
	req := s.request.Clone()
	req.CSeq().SeqNo = s.state.Invite.CSeq
	putTerms(req, s.state.Wish)
	if h, ok := header(e.Authorization); ok {
		req.AppendHeader(h)
		s.creds = h
	}
	cseq := s.state.Invite.CSeq
	tx, err := s.ua.cfg.Stack.Invite(req, s.flow,
		func(sent *sip.Request) { s.ua.guard(s, func() { s.leaves(cseq, sent) }) },
		func(r stack.Result) { s.ua.guard(s, func() { s.inviteResult(cseq, req, r) }) })
	if err != nil {
		s.log.Warn("INVITE not sent", "err", err)
		s.feed(core.GotNothing{})
		return
	}
	s.client = tx
}

// leaves journals our INVITE before its first byte is on its way: by its Via the next process cancels
// it, whatever of this one is killed when (RFC 3261 section 9.1).
func (s *Session) leaves(cseq uint32, sent *sip.Request) {
	if cseq != s.state.Invite.CSeq {
		return
	}
	s.state.Invite.Text = sent.String()
	s.save()
}

// inviteResult is what the transaction of our INVITE passes up.
func (s *Session) inviteResult(cseq uint32, req *sip.Request, r stack.Result) {
	if r.Err != nil {
		s.feed(core.GotNothing{Timeout: errors.Is(r.Err, stack.ErrTimeout)})
		return
	}
	res := r.Response
	if res.To() == nil || res.From() == nil || fromTag(res) != s.id {
		return
	}
	switch {
	case res.IsProvisional():
		s.feed(core.GotProvisional{CSeq: cseq, Status: res.StatusCode, RSeq: rseq(res), Peer: s.peerOf(res), SDP: sdpOf(res), Who: identity(res)})
	case res.IsSuccess() && toTag(res) == "":
		s.log.Warn("2xx without a tag makes no dialog")
		s.feed(core.GotFailure{CSeq: cseq, Status: 502, Reason: reason(502)})
	case res.IsSuccess():
		s.feed(core.GotSuccess{CSeq: cseq, Peer: s.peerOf(res), SDP: sdpOf(res), Terms: terms(res), Who: identity(res)})
	default:
		nonce, line := s.credentials(res, req)
		s.feed(core.GotFailure{
			CSeq: cseq, Status: res.StatusCode, Q850: q850Of(res), Reason: res.Reason, RetryAfter: retryAfter(res),
			Contacts: contacts(res), MinSE: terms(res).Min, Nonce: nonce, Authorization: line,
		})
	}
}

// peerOf fills in what a sloppy peer leaves out: without Contact the first target stays.
func (s *Session) peerOf(res *sip.Response) core.Peer {
	p := peerOf(res)
	if p.Target == "" {
		p.Target = s.state.Peer.Target
		if p.Target == "" && s.request != nil {
			p.Target = s.request.Recipient.String()
		}
	}
	return p
}

// credentials answers a challenge, if the application wants that at all.
func (s *Session) credentials(res *sip.Response, req *sip.Request) (nonce, line string) {
	if res.StatusCode != 401 && res.StatusCode != 407 {
		return "", ""
	}
	nonce = nonceOf(res)
	if s.auth == nil {
		return nonce, ""
	}
	h, err := s.auth(res, req)
	if err != nil {
		s.log.Warn("challenge not answered", "status", res.StatusCode, "err", err)
		return nonce, ""
	}
	return nonce, headerLine(h)
}

// sendAck acknowledges a 2xx outside any transaction (RFC 3261 section 13.2.2.4).
func (s *Session) sendAck(e core.SendAck) {
	req, err := s.build(sip.ACK, e.CSeq, e.Peer)
	if err != nil {
		s.log.Warn("ACK not built", "err", err)
		return
	}
	if s.creds != nil && e.CSeq == s.state.Invite.CSeq {
		req.AppendHeader(sip.HeaderClone(s.creds))
	}
	req.SetBody(nil)
	s.deliver(req, e.Peer, func(flow stack.Flow) {
		if err := s.ua.cfg.Stack.Send(req, flow); err != nil {
			s.log.Debug("ACK not sent", "err", err) // the peer repeats its 2xx
		}
	})
}

// sendRequest sends a request inside the dialog; its replies come back as GotReply.
func (s *Session) sendRequest(e core.SendRequest) {
	req, err := s.build(sip.RequestMethod(e.Method), e.CSeq, e.Peer)
	if err != nil {
		s.log.Warn("request not built", "method", e.Method, "err", err)
		s.feed(core.GotReply{Sent: e, Status: 503, Silent: true})
		return
	}
	if h, ok := header(e.Authorization); ok {
		req.AppendHeader(h)
	}
	switch e.Method {
	case "BYE":
		if e.Cause != tel.CauseNone {
			req.AppendHeader(reasonHeader(e.Cause))
		}
	case "INVITE", "UPDATE":
		req.AppendHeader(s.contact())
		req.AppendHeader(sip.NewHeader("Allow", allow))
		req.AppendHeader(sip.NewHeader("Supported", supported))
		putTerms(req, e.Terms)
	case "NOTIFY", "REFER":
		req.AppendHeader(s.contact())
		req.AppendHeader(sip.NewHeader("Allow", allow))
	}
	appendLines(req, e.Headers)
	body(req, e.ContentType, e.Body)
	if err := onOneLine(req); err != nil {
		s.log.Warn("request not sent", "method", e.Method, "err", err)
		s.feed(core.GotReply{Sent: e, Status: 503, Silent: true})
		return
	}
	s.deliver(req, e.Peer, func(flow stack.Flow) {
		tx, err := s.ua.cfg.Stack.Request(req, flow, func(r stack.Result) { s.ua.guard(s, func() { s.replied(e, req, r) }) })
		if err != nil {
			s.log.Warn("request not sent", "method", e.Method, "err", err)
			s.feed(core.GotReply{Sent: e, Status: 503, Silent: true})
			return
		}
		if e.Method == "INVITE" {
			s.reoffer = tx
		}
	})
}

func (s *Session) replied(e core.SendRequest, req *sip.Request, r stack.Result) {
	if r.Err != nil {
		status := 503
		if errors.Is(r.Err, stack.ErrTimeout) {
			status = 408
		}
		s.log.Debug("request without reply", "method", e.Method, "cseq", e.CSeq, "err", r.Err)
		s.feed(core.GotReply{Sent: e, Status: status, Silent: true})
		return
	}
	res := r.Response
	_, line := s.credentials(res, req)
	s.feed(core.GotReply{
		Sent: e, Status: res.StatusCode, SDP: sdpOf(res), Target: target(res), Terms: terms(res), Who: identity(res),
		Authorization: line, Dice: rand.Uint32(),
	})
}

// respond answers the request that e names.
func (s *Session) respond(e core.Respond) {
	tx := s.transaction(e)
	if tx == nil {
		s.log.Warn("nothing to respond to", "status", e.Status)
		return
	}
	req := tx.Request()
	res := s.response(req, e)
	if e.Status >= 200 && e.Status < 300 && req.IsInvite() {
		s.final = res
	}
	if err := tx.Respond(res); err != nil {
		s.log.Debug("response not sent", "status", e.Status, "err", err) // the peer repeats its request
	}
}

// transaction is the request that e answers.
func (s *Session) transaction(e core.Respond) ServerTx {
	switch e.To {
	case core.First:
		return s.first
	case core.Theirs:
		return s.theirs
	case core.Refer:
		return s.refers[e.Refer]
	}
	return s.current
}

// response renders e as the response to req.
func (s *Session) response(req *sip.Request, e core.Respond) *sip.Response {
	res := response(req, e.Status, s.id)
	makesDialog := req.Method == sip.INVITE || req.Method == sip.UPDATE || req.Method == sip.REFER
	if makesDialog && e.Status > 100 && e.Status < 300 {
		res.AppendHeader(s.contact())
	}
	if e.Status == 405 || e.RSeq > 0 || e.Status >= 200 && e.Status < 300 && req.Method != sip.BYE {
		res.AppendHeader(sip.NewHeader("Allow", allow))
	}
	if makesDialog && e.Status >= 200 && e.Status < 300 || req.Method == sip.OPTIONS {
		res.AppendHeader(sip.NewHeader("Supported", supported))
	}
	if e.RSeq > 0 {
		res.AppendHeader(sip.NewHeader("Require", "100rel"))
		res.AppendHeader(sip.NewHeader("RSeq", strconv.FormatUint(uint64(e.RSeq), 10)))
	}
	putTerms(res, e.Terms)
	if e.Terms.Expires > 0 && supports(req, "timer") { // RFC 4028 section 9
		res.AppendHeader(sip.NewHeader("Require", "timer"))
	}
	if req.Method == sip.OPTIONS && e.Status == 200 {
		res.AppendHeader(sip.NewHeader("Accept", "application/sdp"))
	}
	if e.RetryAfter > 0 {
		res.AppendHeader(sip.NewHeader("Retry-After", strconv.Itoa(e.RetryAfter)))
	}
	appendLines(res, e.Headers)
	body(res, "application/sdp", e.SDP)
	return res
}

func appendLines(m sip.Message, lines []string) {
	for _, line := range lines {
		if h, ok := header(line); ok {
			m.AppendHeader(h)
		}
	}
}

// resend repeats our 2xx; after a restart it is rendered again from what the journal kept.
func (s *Session) resend(e core.Resend) {
	if s.final == nil {
		tx := s.first
		if e.To == core.Theirs {
			tx = s.theirs
		}
		if tx == nil {
			return
		}
		s.final = s.response(tx.Request(), s.state.Success(e.To))
	}
	if err := s.ua.cfg.Stack.Send(s.final, stackFlow(s.state.Flow)); err != nil {
		s.log.Debug("2xx not repeated", "err", err)
	}
}

func stackFlow(f core.Flow) stack.Flow { return stack.Flow(f) }
func coreFlow(f stack.Flow) core.Flow  { return core.Flow(f) }
