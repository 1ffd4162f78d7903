package core

// restart takes up the call where the journal says it was. CSeq jumps, because requests may have
// left after the last record; every timer runs on with what was left of it.
func (m *machine) restart() {
	s := &m.s
	s.CSeq += RestartJump
	m.dirty = true
	switch s.Phase {
	case Calling, Ringing:
		m.do(Readopt{This, s.Invite.Text})
		m.rearm(TimerC, s.Ring)
	case Cancelling:
		m.do(Readopt{This, s.Invite.Text})
		if s.CancelSent {
			m.sendCancel()
		}
		m.rearm(TimerCancel, Life)
	case Offered:
		m.do(Readopt{First, s.Invite.Text})
		m.rearm(TimerLimit, s.Ring)
		if s.Provisional != 0 {
			m.rearm(TimerRefresh, RefreshEvery)
		}
	case Accepted:
		m.do(Readopt{First, s.Invite.Text})
		m.resendNow(First)
	case Up:
		m.restartExchange()
	case Ending:
		m.sendBye()
	case Lingering:
		m.rearm(TimerLinger, Life)
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
		m.do(Readopt{Theirs, s.Exchange.Text}, Respond{To: Theirs, Status: 500, RetryAfter: 1}) // section 14.2: they try again
		s.Exchange = Exchange{}
	case TurnAck:
		m.do(Readopt{Theirs, s.Exchange.Text})
		m.resendNow(Theirs)
	case TurnOurs, TurnBackoff:
		m.disarm(TimerReoffer, TimerGlare)
		s.Exchange = Exchange{}
		m.tell(ReofferDone{Status: 491})
	}
}
