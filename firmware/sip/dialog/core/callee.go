package core

import "github.com/pronto-pbx/pronto/firmware/tel"

// ring sends a provisional response with our tag (section 13.3.1.1).
func (m *machine) ring(e DoProvisional) {
	s := &m.s
	s.Provisional = e.Status
	if len(e.SDP) > 0 {
		m.setLocal(e.SDP)
	}
	m.dirty = true
	m.do(Respond{To: First, Status: e.Status, SDP: e.SDP})
	m.arm(TimerRefresh, RefreshEvery)
}

// accept sends the 2xx and starts its own retransmission, on every transport (section 13.3.1.4).
func (m *machine) accept(sdp []byte) {
	s := &m.s
	if len(sdp) > 0 {
		m.setLocal(sdp)
	}
	s.Phase = Accepted
	m.dirty = true
	m.disarm(TimerLimit, TimerRefresh)
	m.do(Respond{To: First, Status: 200, SDP: s.LocalSDP})
	m.awaitAck()
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

// resend repeats our 2xx: after T1, then doubling up to T2 (finding 5 of the sipgo study).
func (m *machine) resend() {
	s := &m.s
	to := First
	if s.Phase == Up {
		to = Theirs
	}
	m.do(Resend{To: to})
	s.Resend = min(2*s.Resend, T2)
	m.arm(TimerResend, s.Resend)
}

// ack is the ACK of a 2xx of ours.
func (m *machine) ack(e GotAck) {
	s := &m.s
	switch {
	case s.Phase == Accepted && e.CSeq == s.Invite.CSeq:
		m.disarm(TimerResend, TimerAck)
		s.Phase, s.Invite.Text = Up, ""
		m.dirty = true
		var answer []byte
		if s.Offerless {
			answer = e.SDP
			s.RemoteSDP = e.SDP
		}
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
		m.do(Respond{To: First, Status: 487})
		cause := e.Cause
		if cause == tel.CauseNone {
			cause = tel.CauseCancelled
		}
		m.end(cause, true)
	case e.Of == Theirs && s.Phase == Up && s.Exchange.Turn == TurnTheirs:
		m.dropExchange()
	}
}
