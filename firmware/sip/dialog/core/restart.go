package core

// restart takes up the call where the journal says it was. CSeq jumps, because requests may have
// left after the last record; every timer runs on with what was left of it.
func (m *machine) restart() {
	s := &m.s
	s.CSeq += RestartJump
	m.dirty = true
	m.restartRefers()
	m.restartPartings()
	if unsent := !s.Incoming && s.Invite.Text == ""; unsent && (s.Phase == Calling || s.Phase == Cancelling) {
		m.nothing(GotNothing{}) // it was on record before it could leave, and never did
		return
	}
	switch s.Phase {
	case Calling, Ringing:
		// The peer's provisional may have come while nobody listened, or after the last record. Our INVITE
		// left long enough ago for a CANCEL not to overtake it (RFC 3261 section 9.1).
		s.Phase = Ringing
		m.do(Readopt{This, s.Invite.Text})
		m.rearm(TimerC, s.Ring)
		m.restartExchange()
	case Cancelling:
		m.do(Readopt{This, s.Invite.Text})
		m.sendCancel() // also when the provisional that it waited for was lost
		m.rearm(TimerCancel, Life)
	case Offered:
		m.do(Readopt{First, s.Invite.Text})
		m.rearm(TimerLimit, s.Ring)
		m.restartRinging()
	case Accepted:
		m.do(Readopt{First, s.Invite.Text})
		m.resendNow(First)
		m.restartExpiry()
	case Up:
		m.restartExchange()
		m.restartExpiry()
		if s.Handover.CSeq != 0 {
			m.rearm(TimerHandover, ReferLife)
		}
	case Ending:
		m.sendBye()
	case Lingering:
		if s.Refusal.Status != 0 {
			m.do(Readopt{First, s.Invite.Text}) // and with it our refusal, which may not have arrived
		}
		m.rearm(TimerLinger, Life)
	}
}

// restartPartings hangs the forks up again whose BYE had no answer yet.
func (m *machine) restartPartings() {
	owed := m.s.Partings
	m.s.Partings = nil
	for _, p := range owed {
		m.part(p.Peer)
	}
}

// restartRinging goes on with their unanswered INVITE; a reliable provisional is repeated at once,
// because its PRACK may have come while nobody listened.
func (m *machine) restartRinging() {
	s := &m.s
	if s.Provisional != 0 {
		m.rearm(TimerRefresh, RefreshEvery)
	}
	m.restartExchange()
	if s.Reliable.Open.Status != 0 {
		s.Resend = T1
		m.do(s.openProvisional())
		m.arm(TimerResend, T1)
		m.rearm(TimerPrack, Life)
	}
	m.release()
}

// restartExpiry takes up the session timer. A clock that has jumped must not end a call that the
// peer still has: there is always time for one refresh.
func (m *machine) restartExpiry() {
	s := &m.s
	if s.Expiry.Every == 0 {
		return
	}
	left, ok := s.Until(TimerExpire, m.now, s.Expiry.lasts())
	if !ok {
		left = s.Expiry.lasts()
	}
	m.arm(TimerExpire, max(left, min(Life, s.Expiry.lasts())))
	if s.Expiry.Ours {
		m.rearm(TimerSession, s.Expiry.Every/2)
	}
}

// resendNow repeats our 2xx at once: its ACK may have come while nobody listened.
func (m *machine) resendNow(to Txn) {
	m.do(Resend{To: to})
	m.s.Resend = T1
	m.arm(TimerResend, T1)
	m.rearm(TimerAck, Life)
}

// restartExchange gives an open exchange a clean end: half an offer cannot be taken over.
func (m *machine) restartExchange() {
	s := &m.s
	switch s.Exchange.Turn {
	case TurnTheirs:
		m.disarm(TimerAnswer)
		if s.Exchange.Method != "INVITE" { // its sender repeats it: let it be new again
			m.unread(s.tagOf(s.Exchange), s.Exchange.CSeq)
			s.Exchange = Exchange{}
			break
		}
		m.do(Readopt{Theirs, s.Exchange.Text}, Respond{To: Theirs, Status: 500, RetryAfter: 1}) // section 14.2: they try again
		s.Exchange = Exchange{}
	case TurnAck:
		m.do(Readopt{Theirs, s.Exchange.Text})
		m.resendNow(Theirs)
	case TurnOurs, TurnBackoff:
		m.disarm(TimerReoffer, TimerGlare)
		m.giveWay(491)
		s.Astray = s.Astray || s.Exchange.Turn == TurnOurs && s.Exchange.Purpose == ""
		s.Exchange = Exchange{}
		return
	}
	if s.Astray { // and the process that was told has ended before it settled that
		m.tell(ReofferDone{Status: 491})
	}
}

// unread lets the peer's last request, which was not answered, be taken again when it is repeated.
func (m *machine) unread(tag string, cseq uint32) {
	if p := m.peer(tag); p != nil && p.CSeq == cseq {
		p.CSeq--
	}
}
