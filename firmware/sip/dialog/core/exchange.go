package core

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// gotInvite is a re-INVITE (section 14.2).
func (m *machine) gotInvite(e GotRequest) {
	m.begunAnew()
	switch {
	case m.s.Phase == Offered, m.s.Exchange.Turn == TurnTheirs:
		m.do(Respond{Status: 500, RetryAfter: retryAfter(e.Dice)}) // the previous one is not answered yet
	case m.s.Phase != Up, m.s.Exchange.Turn == TurnOurs, m.s.Exchange.Turn == TurnAck:
		m.do(Respond{Status: 491})
	case e.Terms.TooShort(m.s.Wish.Min, e.Timer):
		m.do(m.tooShort())
	default:
		m.take(e)
	}
}

// begunAnew ends an exchange of theirs that waits for an ACK in which nothing is to stand. Who makes an offer again has
// had our 2xx, for one exchange must be over before the next (section 14.1): its ACK was lost, or read by a process that
// died upon it.
func (m *machine) begunAnew() {
	if x := m.s.Exchange; m.s.Phase == Up && x.Turn == TurnAck && len(x.SDP) > 0 {
		m.disarm(TimerResend, TimerAck)
		m.s.Exchange = Exchange{}
		m.dirty = true
	}
}

// tooShort refuses a session interval below our least (RFC 4028 section 9).
func (m *machine) tooShort() Respond {
	return Respond{Status: 422, Terms: Terms{Min: m.s.Wish.Min}}
}

// gotUpdate follows RFC 3311 section 5.2: without an offer it refreshes target and session only. An
// offer is for a dialog whose first exchange is complete.
func (m *machine) gotUpdate(e GotRequest) {
	s := &m.s
	switch {
	case e.Terms.TooShort(s.Wish.Min, e.Timer):
		m.do(m.tooShort())
		return
	case len(e.SDP) == 0:
		m.retarget(e.Tag, e.Target)
		ok := Respond{Status: 200}
		if s.Phase == Up {
			ok.Terms = m.grant(e.Terms, e.Timer)
		}
		m.do(ok)
		return
	}
	m.begunAnew()
	switch {
	case s.Exchange.Turn == TurnTheirs:
		m.do(Respond{Status: 500, RetryAfter: retryAfter(e.Dice)})
	case s.offering(e.Tag), s.Exchange.Turn == TurnOurs, s.Exchange.Turn == TurnAck:
		m.do(Respond{Status: 491})
	case s.Phase == Offered && !s.Agreed: // their own first offer waits for us
		m.do(Respond{Status: 500, RetryAfter: retryAfter(e.Dice)})
	default:
		m.take(e)
	}
}

// offering reports whether the first offer is ours and has no answer yet in the dialog with tag.
func (s State) offering(tag string) bool {
	switch s.Phase {
	case Calling, Ringing:
		i := s.forkOf(tag)
		return i < 0 || !s.Forks[i].Agreed
	case Offered:
		return s.Offerless && s.Reliable.Described && !s.Agreed
	case Accepted:
		return true // the ACK may carry an answer, and is all that we wait for
	}
	return false
}

// take hands their offer to the application. An offer of ours that waited after a 491 gives way:
// it was made for a session that is about to change.
func (m *machine) take(e GotRequest) {
	s := &m.s
	if s.Exchange.Turn == TurnBackoff {
		m.disarm(TimerGlare)
		m.giveWay(491)
	}
	s.Exchange = Exchange{
		Turn: TurnTheirs, Method: e.Method, CSeq: e.CSeq, SDP: e.SDP, Target: e.Target, Text: e.Text,
		Terms: e.Terms, Timer: e.Timer,
	}
	if e.Tag != s.Peer.Tag {
		s.Exchange.Tag = e.Tag
	}
	m.dirty = true
	m.arm(TimerAnswer, AnswerWithin)
	m.tell(Reoffered{SDP: e.SDP})
}

// giveWay tells the application that an exchange of ours will not happen.
func (m *machine) giveWay(status int) {
	x := m.s.Exchange
	switch {
	case x.Purpose == "", len(x.Then) > 0:
		m.tell(ReofferDone{Status: status})
	case x.Purpose == ForUpdate:
		m.tell(Updated{Status: status})
	}
}

func (m *machine) answerReoffer(sdp []byte) {
	s := &m.s
	x := s.Exchange
	m.disarm(TimerAnswer)
	m.setLocal(sdp)
	m.described(x.Tag, x.SDP)
	s.Astray = false
	if x.Method != "PRACK" {
		m.retarget(s.tagOf(x), x.Target) // target refresh, section 12.2.2
	}
	m.dirty = true
	ok := Respond{To: Theirs, Status: 200, SDP: sdp}
	if s.Phase == Up {
		ok.Terms = m.grant(x.Terms, x.Timer)
	}
	m.do(ok)
	if x.Method != "INVITE" {
		s.Exchange = Exchange{}
		m.release()
		return
	}
	s.Exchange.Turn = TurnAck
	m.awaitAck()
}

// tagOf is the peer's tag in the dialog in which x runs.
func (s State) tagOf(x Exchange) string {
	if x.Tag != "" {
		return x.Tag
	}
	return s.Peer.Tag
}

// described keeps the peer's latest description.
func (m *machine) described(fork string, sdp []byte) {
	s := &m.s
	if len(sdp) == 0 {
		return
	}
	m.dirty = true
	if i := s.forkOf(fork); fork != "" && i >= 0 {
		s.Forks = append([]Fork(nil), s.Forks...)
		s.Forks[i].SDP = sdp
		return
	}
	s.RemoteSDP = sdp
}

// rejectReoffer leaves the session as it was before their offer (section 14.2).
func (m *machine) rejectReoffer(status int) {
	m.disarm(TimerAnswer)
	m.do(Respond{To: Theirs, Status: status})
	m.s.Exchange = Exchange{}
	m.dirty = true
	m.release()
}

// dropExchange answers what the peer still waits for (section 15.1.2: 487 to pending requests).
func (m *machine) dropExchange() {
	if m.s.Exchange.Turn == TurnTheirs {
		m.disarm(TimerAnswer)
		m.do(Respond{To: Theirs, Status: 487})
		m.dirty = true
	}
	m.disarm(TimerReoffer, TimerGlare)
	if m.s.Exchange.Turn == TurnAck {
		m.disarm(TimerResend, TimerAck)
	}
	m.s.Exchange = Exchange{}
}

// abandonExchange ends an exchange whose dialog is gone while the call goes on in another.
func (m *machine) abandonExchange() {
	if m.s.Exchange.Turn != TurnTheirs {
		m.giveWay(487)
	}
	m.dropExchange()
}

func (m *machine) reoffer(sdp []byte) {
	s := &m.s
	switch {
	case len(sdp) == 0 || !s.Live() || s.Phase != Up && s.Phase != Accepted:
		m.ignore("reoffer")
	case s.Exchange.Purpose != "" && s.Exchange.Turn == TurnOurs: // our own refresh must not cost a hold
		s.Exchange.Then = sdp
		m.dirty = true
	case s.Phase == Accepted, s.Exchange.Turn != "":
		m.tell(ReofferDone{Status: 491}) // section 14.1: one INVITE at a time
	default:
		m.offer(Exchange{Method: "INVITE", SDP: sdp})
	}
}

// update sends an UPDATE (RFC 3311 section 5.1). Where the peer does not take it, a re-INVITE does
// the same in an established call; before that there is no other way.
func (m *machine) update(e DoUpdate) {
	s := &m.s
	p, agreed, ok := s.updatable()
	switch {
	case !ok, len(e.SDP) > 0 && !agreed, s.Phase == Up && len(e.SDP)+len(s.LocalSDP) == 0:
		m.ignore("update")
	case s.Exchange.Turn != "" && len(e.SDP) > 0:
		m.tell(ReofferDone{Status: 491})
	case len(e.SDP) > 0:
		x := Exchange{Method: "UPDATE", SDP: e.SDP, Headers: e.Headers}
		if !p.Update {
			x.Method = "INVITE"
		}
		if p.Tag != s.Peer.Tag {
			x.Tag = p.Tag
		}
		m.offer(x)
	case p.Update:
		s.CSeq++
		m.dirty = true
		req := SendRequest{Method: "UPDATE", CSeq: s.CSeq, Peer: p, Headers: e.Headers, Purpose: ForUpdate}
		if s.Phase == Up {
			req.Terms = m.terms()
		}
		m.do(req)
	case s.Exchange.Turn != "":
		m.tell(Updated{Status: 491})
	default:
		m.offer(Exchange{Method: "INVITE", SDP: s.LocalSDP, Headers: e.Headers, Purpose: ForUpdate})
	}
}

// updatable finds the dialog in which we may send an UPDATE now, and whether its first exchange is
// complete. Of several early dialogs none can be meant.
func (s State) updatable() (p Peer, agreed, ok bool) {
	switch {
	case !s.Live():
	case s.Phase == Up:
		return s.Peer, true, true
	case s.Phase == Offered:
		return s.Peer, s.Agreed && len(s.Reliable.Open.SDP) == 0, s.Peer.Update && s.Provisional != 0 && !s.Reliable.accepting()
	case s.Phase == Ringing && len(s.Forks) == 1:
		return s.Forks[0].Peer, s.Forks[0].Agreed, s.Forks[0].Update
	}
	return Peer{}, false, false
}

// offer sends a re-INVITE or UPDATE of ours with the offer of x.
func (m *machine) offer(x Exchange) {
	s := &m.s
	s.CSeq++
	x.Turn, x.CSeq = TurnOurs, s.CSeq
	s.Exchange = x
	s.SDPVersion = max(s.SDPVersion, sdpVersion(x.SDP))
	m.dirty = true
	req := SendRequest{
		Method: x.Method, CSeq: s.CSeq, Peer: s.Peer, ContentType: "application/sdp", Body: x.SDP,
		Headers: x.Headers, Purpose: x.Purpose,
	}
	if i := s.forkOf(x.Tag); x.Tag != "" && i >= 0 {
		req.Peer = s.Forks[i].Peer
	}
	if s.Phase == Up {
		req.Terms = m.terms()
	}
	m.do(req)
	m.arm(TimerReoffer, Life)
}

// reofferLate stops waiting for the final response to our re-INVITE: first by CANCEL, then by BYE.
// An UPDATE cannot be cancelled, and before the answer the INVITE decides what becomes of the call.
func (m *machine) reofferLate() {
	s := &m.s
	switch {
	case s.Phase != Up:
		m.reofferDone(408, nil)
	case s.Exchange.Cancelled || s.Exchange.Method != "INVITE":
		m.bye(tel.CauseTimeout)
	default:
		s.Exchange.Cancelled = true
		m.dirty = true
		m.do(CancelReoffer{})
		m.arm(TimerReoffer, Life)
	}
}

func (m *machine) reofferReply(e GotReply) {
	s := &m.s
	x := s.Exchange
	switch {
	case e.Status < 200:
		if !x.Cancelled {
			m.arm(TimerReoffer, Life)
		}
	case e.Status < 300:
		m.reofferTaken(e)
	case e.Status == 491 && !x.Cancelled:
		m.disarm(TimerReoffer)
		s.Exchange.Turn = TurnBackoff
		m.dirty = true
		m.arm(TimerGlare, backoff(s.Incoming, e.Dice))
	case e.Status == 481 && s.Phase == Up: // section 12.2.1.2: the peer has no such dialog
		m.end(tel.CauseNetworkFailure, true)
	case e.Status == 408 && s.Phase == Up:
		m.bye(tel.CauseTimeout)
	case e.Status == 422 && s.Phase == Up && m.raise(e.Terms.Min):
		m.offer(x)
	case (e.Status == 405 || e.Status == 501) && x.Method == "UPDATE":
		m.noUpdate(s.tagOf(x))
		if s.Phase == Up {
			x.Method = "INVITE"
			m.offer(x)
			return
		}
		m.reofferDone(e.Status, nil)
	case m.authorizeInside(e):
		s.Exchange.CSeq = s.CSeq
		m.arm(TimerReoffer, Life)
	default:
		m.reofferDone(e.Status, nil)
	}
}

func (m *machine) reofferTaken(e GotReply) {
	s := &m.s
	x, before := s.Exchange, s.RemoteSDP
	s.Astray = false
	m.setLocal(x.SDP)
	m.described(x.Tag, e.SDP)
	m.retarget(s.tagOf(x), e.Target)
	m.identify(e.Who)
	if s.Phase == Up {
		m.settle(e.Sent.Terms, e.Terms)
	}
	if x.Purpose == "" {
		m.reofferDone(200, e.SDP)
		return
	}
	if len(e.SDP) == 0 {
		e.SDP = before
	}
	m.reofferDone(200, nil)
	m.refreshed(x.Purpose, 200, e.SDP, before)
}

// reofferDone ends an exchange of ours; the offer that has waited behind it follows.
func (m *machine) reofferDone(status int, sdp []byte) {
	m.disarm(TimerReoffer)
	x := m.s.Exchange
	m.s.Exchange = Exchange{}
	m.dirty = true
	switch {
	case x.Purpose == "":
		m.tell(ReofferDone{Status: status, SDP: sdp})
	case x.Purpose == ForUpdate && status != 200:
		m.tell(Updated{Status: status})
	}
	if len(x.Then) > 0 && m.s.Phase == Up {
		m.offer(Exchange{Method: "INVITE", SDP: x.Then})
	}
	m.release()
}

// backoff is the wait after a 491 (section 14.1), in units of 10 ms: the owner of the Call-ID waits
// 2.1 to 4 s, the other 0 to 2 s, so that they do not meet again.
func backoff(incoming bool, dice uint32) time.Duration {
	if incoming {
		return time.Duration(dice%201) * 10 * time.Millisecond
	}
	return 2100*time.Millisecond + time.Duration(dice%191)*10*time.Millisecond
}
