package core

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// request handles a request of the peer inside the dialog.
func (m *machine) request(e GotRequest) {
	s := &m.s
	if !m.inOrder(e) {
		m.do(Respond{Status: 500, RetryAfter: retryAfter(e.Dice)}) // section 12.2.2
		return
	}
	if e.Method == "BYE" {
		m.gotBye(e)
		return
	}
	if s.Phase >= Ending || !s.Live() && s.Phase != Accepted {
		m.do(Respond{Status: 481})
		return
	}
	switch e.Method {
	case "INVITE":
		m.gotInvite(e)
	case "UPDATE":
		m.gotUpdate(e)
	case "INFO":
		m.do(Respond{Status: 200})
		m.tell(Info{ContentType: e.ContentType, Body: e.Body})
	case "OPTIONS":
		m.do(Respond{Status: 200})
	default:
		m.do(Respond{Status: 405})
	}
}

// retryAfter is 0 to 10 seconds (section 14.2), at least 1 because 0 cannot be written as "none".
func retryAfter(dice uint32) int { return 1 + int(dice%10) }

// inOrder keeps the peer's CSeq; each dialog of a forked INVITE has its own.
func (m *machine) inOrder(e GotRequest) bool {
	s := &m.s
	if s.Peer.Tag == e.Tag {
		if e.CSeq <= s.Peer.CSeq {
			return false
		}
		s.Peer.CSeq = e.CSeq
		m.dirty = true
		return true
	}
	i := slices.IndexFunc(s.Forks, func(f Fork) bool { return f.Tag == e.Tag })
	if i < 0 || e.CSeq <= s.Forks[i].CSeq {
		return false
	}
	s.Forks = slices.Clone(s.Forks)
	s.Forks[i].CSeq = e.CSeq
	m.dirty = true
	return true
}

// gotBye ends the call for the peer (section 15.1.2). In an early dialog only the caller may.
func (m *machine) gotBye(e GotRequest) {
	cause := e.Cause
	switch m.s.Phase {
	case Offered:
		m.do(Respond{Status: 200}, Respond{To: First, Status: 487})
		if cause == tel.CauseNone {
			cause = tel.CauseCancelled
		}
		m.end(cause, true)
	case Accepted, Up:
		m.do(Respond{Status: 200})
		m.end(cause, true)
	case Ending: // it crossed ours: both get their 200
		m.do(Respond{Status: 200})
		m.linger()
	case Lingering:
		m.do(Respond{Status: 200})
	default:
		m.do(Respond{Status: 481})
	}
}

// gotInvite is a re-INVITE (section 14.2).
func (m *machine) gotInvite(e GotRequest) {
	switch {
	case m.s.Phase == Offered, m.s.Exchange.Turn == TurnTheirs:
		m.do(Respond{Status: 500, RetryAfter: retryAfter(e.Dice)}) // the previous one is not answered yet
	case m.s.Phase != Up, m.s.Exchange.Turn == TurnOurs, m.s.Exchange.Turn == TurnAck:
		m.do(Respond{Status: 491})
	default:
		m.take(e)
	}
}

// gotUpdate follows RFC 3311 section 5.2: without an offer it only refreshes the target.
func (m *machine) gotUpdate(e GotRequest) {
	s := &m.s
	switch {
	case len(e.SDP) == 0:
		if e.Target != "" && e.Tag == s.Peer.Tag {
			s.Peer.Target = e.Target
		}
		m.do(Respond{Status: 200})
	case s.Phase == Offered, s.Exchange.Turn == TurnTheirs:
		m.do(Respond{Status: 500, RetryAfter: retryAfter(e.Dice)})
	case s.Phase != Up, s.Exchange.Turn == TurnOurs, s.Exchange.Turn == TurnAck:
		m.do(Respond{Status: 491})
	default:
		m.take(e)
	}
}

// take hands their offer to the application. An offer of ours that waited after a 491 gives way:
// it was made for a session that is about to change.
func (m *machine) take(e GotRequest) {
	if m.s.Exchange.Turn == TurnBackoff {
		m.disarm(TimerGlare)
		m.tell(ReofferDone{Status: 491})
	}
	m.s.Exchange = Exchange{
		Turn: TurnTheirs, Method: e.Method, CSeq: e.CSeq, SDP: e.SDP, Target: e.Target, Text: e.Text,
	}
	m.dirty = true
	m.arm(TimerAnswer, AnswerWithin)
	m.tell(Reoffered{SDP: e.SDP})
}

func (m *machine) answerReoffer(sdp []byte) {
	s := &m.s
	m.disarm(TimerAnswer)
	m.setLocal(sdp)
	if len(s.Exchange.SDP) > 0 {
		s.RemoteSDP = s.Exchange.SDP
	}
	if s.Exchange.Target != "" {
		s.Peer.Target = s.Exchange.Target // target refresh, section 12.2.2
	}
	m.dirty = true
	m.do(Respond{To: Theirs, Status: 200, SDP: sdp})
	if s.Exchange.Method != "INVITE" {
		s.Exchange = Exchange{}
		return
	}
	s.Exchange.Turn = TurnAck
	m.awaitAck()
}

// rejectReoffer leaves the session as it was before their offer (section 14.2).
func (m *machine) rejectReoffer(status int) {
	m.disarm(TimerAnswer)
	m.do(Respond{To: Theirs, Status: status})
	m.s.Exchange = Exchange{}
	m.dirty = true
}

// dropExchange answers what the peer still waits for (section 15.1.2: 487 to pending requests).
func (m *machine) dropExchange() {
	if m.s.Exchange.Turn == TurnTheirs {
		m.rejectReoffer(487)
	}
	m.disarm(TimerResend, TimerAck, TimerReoffer, TimerGlare)
	m.s.Exchange = Exchange{}
}

func (m *machine) reoffer(sdp []byte) {
	switch {
	case len(sdp) == 0 || !m.s.Live() || m.s.Phase != Up && m.s.Phase != Accepted:
		m.ignore("reoffer")
	case m.s.Phase == Accepted, m.s.Exchange.Turn != "":
		m.tell(ReofferDone{Status: 491}) // section 14.1: one INVITE at a time
	default:
		m.offer(sdp)
	}
}

// offer sends our re-INVITE.
func (m *machine) offer(sdp []byte) {
	s := &m.s
	s.CSeq++
	s.Exchange = Exchange{Turn: TurnOurs, Method: "INVITE", CSeq: s.CSeq, SDP: sdp}
	s.SDPVersion = max(s.SDPVersion, sdpVersion(sdp))
	m.dirty = true
	m.do(SendRequest{Method: "INVITE", CSeq: s.CSeq, Peer: s.Peer, ContentType: "application/sdp", Body: sdp})
	m.arm(TimerReoffer, Life)
}

// reofferLate stops waiting for the final response to our re-INVITE: first by CANCEL, then by BYE.
func (m *machine) reofferLate() {
	if m.s.Exchange.Cancelled {
		m.bye(tel.CauseTimeout)
		return
	}
	m.s.Exchange.Cancelled = true
	m.dirty = true
	m.do(CancelReoffer{})
	m.arm(TimerReoffer, Life)
}

// reply is a response to a request of ours inside the dialog.
func (m *machine) reply(e GotReply) {
	s := &m.s
	if e.Sent.Loser || s.Phase < Up || s.Peer.Tag == "" {
		return
	}
	if e.Sent.Method == "INVITE" && e.Status >= 200 && e.Status < 300 {
		m.do(SendAck{CSeq: e.Sent.CSeq, Peer: s.Peer}) // also the repeated and the late one
	}
	switch {
	case e.Sent.Method == "BYE" && s.Phase == Ending && e.Sent.CSeq == s.ByeCSeq:
		switch {
		case e.Status < 200:
		case m.authorizeInside(e):
			s.ByeCSeq = s.CSeq
		default: // whatever it says, the call is over (finding 12)
			m.linger()
		}
	case e.Sent.Method == "INVITE" && s.Phase == Up && s.Exchange.Turn == TurnOurs && e.Sent.CSeq == s.Exchange.CSeq:
		m.reofferReply(e)
	case e.Sent.Method == "INFO" && s.Phase == Up:
		if e.Status == 481 {
			m.end(tel.CauseNetworkFailure, true)
			return
		}
		m.authorizeInside(e) // any other failure of an INFO leaves the call alone (RFC 5057 section 5.1)
	}
}

func (m *machine) reofferReply(e GotReply) {
	s := &m.s
	switch {
	case e.Status < 200:
		if !s.Exchange.Cancelled {
			m.arm(TimerReoffer, Life)
		}
	case e.Status < 300:
		m.setLocal(s.Exchange.SDP)
		s.RemoteSDP = e.SDP
		if e.Target != "" {
			s.Peer.Target = e.Target
		}
		m.reofferDone(200, e.SDP)
	case e.Status == 491 && !s.Exchange.Cancelled:
		m.disarm(TimerReoffer)
		s.Exchange.Turn = TurnBackoff
		m.dirty = true
		m.arm(TimerGlare, backoff(s.Incoming, e.Dice))
	case e.Status == 481: // section 12.2.1.2: the peer has no such dialog
		m.end(tel.CauseNetworkFailure, true)
	case e.Status == 408:
		m.bye(tel.CauseTimeout)
	case m.authorizeInside(e):
		s.Exchange.CSeq = s.CSeq
		m.arm(TimerReoffer, Life)
	default:
		m.reofferDone(e.Status, nil)
	}
}

func (m *machine) reofferDone(status int, sdp []byte) {
	m.disarm(TimerReoffer)
	m.s.Exchange = Exchange{}
	m.dirty = true
	m.tell(ReofferDone{Status: status, SDP: sdp})
}

// backoff is the wait after a 491 (section 14.1), in units of 10 ms: the owner of the Call-ID waits
// 2.1 to 4 s, the other 0 to 2 s, so that they do not meet again.
func backoff(incoming bool, dice uint32) time.Duration {
	if incoming {
		return time.Duration(dice%201) * 10 * time.Millisecond
	}
	return 2100*time.Millisecond + time.Duration(dice%191)*10*time.Millisecond
}

// authorizeInside repeats a challenged request once with credentials.
func (m *machine) authorizeInside(e GotReply) bool {
	if (e.Status != 401 && e.Status != 407) || e.Authorization == "" || e.Sent.Authorization != "" {
		return false
	}
	m.s.CSeq++
	m.dirty = true
	again := e.Sent
	again.CSeq, again.Authorization = m.s.CSeq, e.Authorization
	m.do(again)
	return true
}
