package core

import (
	"slices"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// request handles a request of the peer inside the dialog.
func (m *machine) request(e GotRequest) {
	s := &m.s
	if e.Method == "BYE" && s.Phase == Lingering && e.Tag == s.Peer.Tag && e.CSeq == s.Peer.CSeq {
		m.do(Respond{Status: 200}) // the process that took it died before it said so
		return
	}
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
	m.learn(e)
	m.identify(e.Who)
	switch e.Method {
	case "INVITE":
		m.gotInvite(e)
	case "UPDATE":
		m.gotUpdate(e)
	case "PRACK":
		m.gotPrack(e)
	case "INFO":
		m.do(Respond{Status: 200})
		m.tell(Info{ContentType: e.ContentType, Body: e.Body})
	case "OPTIONS":
		m.do(Respond{Status: 200})
	default:
		m.do(Respond{Status: 405})
	}
}

// learn keeps what the peer says of its abilities, which may change with who answers for it.
func (m *machine) learn(e GotRequest) {
	if e.Method != "INVITE" && e.Method != "UPDATE" || e.Update == Unsaid {
		return
	}
	if p := m.peer(e.Tag); p != nil {
		p.Update = e.Update == Yes
	}
}

// noUpdate remembers that the peer refuses UPDATE, whatever its Allow says.
func (m *machine) noUpdate(tag string) {
	if p := m.peer(tag); p != nil {
		p.Update = false
	}
}

// retarget follows a target refresh (section 12.2.1.2).
func (m *machine) retarget(tag, target string) {
	if target == "" {
		return
	}
	if p := m.peer(tag); p != nil {
		p.Target = target
	}
}

// peer is what is known of the peer with that tag, to be changed; nil when there is none.
func (m *machine) peer(tag string) *Peer {
	s := &m.s
	m.dirty = true
	if s.Peer.Tag == tag {
		return &s.Peer
	}
	i := s.forkOf(tag)
	if i < 0 {
		return nil
	}
	s.Forks = slices.Clone(s.Forks)
	return &s.Forks[i].Peer
}

func (s State) forkOf(tag string) int {
	return slices.IndexFunc(s.Forks, func(f Fork) bool { return f.Tag == tag })
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
		m.do(Respond{Status: 200})
		if cause == tel.CauseNone {
			cause = tel.CauseCancelled
		}
		m.refuse(Reply{Status: 487}, cause, true)
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

// reply is a response to a request of ours inside the dialog.
func (m *machine) reply(e GotReply) {
	s := &m.s
	if e.Sent.Loser {
		m.parted(e)
		return
	}
	if e.Sent.Peer.Tag != "" && !s.Knows(e.Sent.Peer.Tag) {
		return
	}
	switch e.Sent.Method {
	case "NOTIFY":
		m.notified(e)
		return
	case "REFER":
		m.handoverReply(e)
		return
	case "PRACK": // what it says changes nothing: the INVITE itself decides
		if s.Phase == Ringing {
			m.authorizeInside(e)
		}
		return
	case "UPDATE":
		switch {
		case !s.Live() || s.Phase == Calling || s.Phase == Accepted && len(e.Sent.Body) > 0:
		case len(e.Sent.Body) == 0:
			m.updateReply(e)
		case s.Exchange.Turn == TurnOurs && e.Sent.CSeq == s.Exchange.CSeq:
			m.reofferReply(e)
		}
		return
	}
	if s.Phase < Up || s.Peer.Tag == "" && !s.Incoming {
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
