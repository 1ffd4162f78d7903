package core

import "github.com/pronto-pbx/pronto/firmware/tel"

// accept sends the 2xx and starts its own retransmission, on every transport (section 13.3.1.4).
func (m *machine) accept(p Reply) {
	s := &m.s
	s.Reliable.Held = nil // provisionals that nobody needs any more
	m.dirty = true
	if !s.mayAccept() {
		s.Reliable.Held = []Reply{p}
		return
	}
	if len(p.SDP) > 0 && !s.Reliable.Described {
		m.setLocal(p.SDP)
	}
	s.Phase, s.Headers = Accepted, p.Headers
	s.Reliable.Open = Reply{}
	m.disarm(TimerLimit, TimerRefresh, TimerPrack)
	m.grant(s.Invite.Terms, s.Peer.Timer)
	m.do(s.Success(First))
	m.awaitAck()
}

// Success is our 2xx to their INVITE or re-INVITE, the first time and repeated. An answer that a
// reliable provisional has given is not given again (RFC 6337 section 2.2).
func (s State) Success(to Txn) Respond {
	r := Respond{To: to, Status: 200, SDP: s.LocalSDP, Terms: s.granted()}
	if to == First {
		r.Headers = s.Headers
		if s.Agreed {
			r.SDP = nil
		}
	}
	return r
}

// refused is our refusal of their INVITE.
func (s State) refused() Respond {
	return Respond{To: First, Status: s.Refusal.Status, Headers: s.Refusal.Headers}
}

// Final is our final response to their INVITE or re-INVITE, for whoever takes up the transaction after a restart; false
// when there is none yet.
func (s State) Final(to Txn) (Respond, bool) {
	switch {
	case to == First && s.Phase == Lingering && s.Refusal.Status != 0:
		return s.refused(), true
	case to == First && s.Phase == Accepted, to == Theirs && s.Exchange.Turn == TurnAck:
		return s.Success(to), true
	}
	return Respond{}, false
}

// Ringing is our last provisional response, for whoever takes up the transaction after a restart.
func (s State) Ringing() Respond {
	if s.Reliable.Open.Status != 0 {
		return s.openProvisional()
	}
	r := Respond{To: First, Status: s.Provisional}
	if !s.Offerless && !s.Reliable.Described {
		r.SDP = s.LocalSDP
	}
	return r
}

func (m *machine) setLocal(sdp []byte) {
	m.s.LocalSDP = sdp
	m.s.SDPVersion = max(m.s.SDPVersion, sdpVersion(sdp))
}

func (m *machine) awaitAck() {
	m.s.Resend = T1
	m.arm(TimerResend, T1)
	m.arm(TimerAck, Life)
}

// resend repeats our 2xx: after T1, then doubling up to T2 (finding 5 of the sipgo study); or our
// reliable provisional, which doubles without end (RFC 3262 section 3).
func (m *machine) resend() {
	s := &m.s
	switch s.Phase {
	case Offered:
		m.do(s.openProvisional())
	case Up:
		m.do(Resend{To: Theirs})
	default:
		m.do(Resend{To: First})
	}
	s.Resend = doubled(s.Resend, s.Phase == Offered)
	m.arm(TimerResend, s.Resend)
}

// ack is the ACK of a 2xx of ours.
func (m *machine) ack(e GotAck) {
	s := &m.s
	switch {
	case s.Phase == Accepted && e.CSeq == s.Invite.CSeq:
		m.disarm(TimerResend, TimerAck)
		s.Phase, s.Invite.Text, s.Headers = Up, "", nil
		m.dirty = true
		var answer []byte
		if s.Offerless && !s.Agreed {
			answer = e.SDP
			s.RemoteSDP = e.SDP
		}
		s.Agreed = true
		m.tell(Confirmed{SDP: answer})
		if s.HangupAtAck {
			m.bye(s.Cause)
		}
	case s.Phase == Up && s.Exchange.Turn == TurnAck && e.CSeq == s.Exchange.CSeq:
		m.disarm(TimerResend, TimerAck)
		offerless := len(s.Exchange.SDP) == 0
		s.Exchange = Exchange{}
		m.dirty = true
		if offerless {
			s.RemoteSDP = e.SDP
			m.tell(Confirmed{SDP: e.SDP})
		}
	}
}

// cancelled is a CANCEL of theirs. After a final response it has no effect (section 9.2).
func (m *machine) cancelled(e GotCancel) {
	s := &m.s
	switch {
	case e.Of == First && s.Phase == Offered:
		cause := e.Cause
		if cause == tel.CauseNone {
			cause = tel.CauseCancelled
		}
		m.refuse(Reply{Status: 487}, cause, true)
	case e.Of == Theirs && s.Phase == Up && s.Exchange.Turn == TurnTheirs:
		m.dropExchange()
	}
}
