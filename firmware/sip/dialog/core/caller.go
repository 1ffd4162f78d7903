package core

import (
	"slices"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// provisional is a 1xx to our INVITE. Any number of them may come (finding 4 of the sipgo study).
func (m *machine) provisional(e GotProvisional) {
	s := &m.s
	if e.CSeq != s.Invite.CSeq {
		return
	}
	switch s.Phase {
	case Cancelling:
		if !s.CancelSent { // section 9.1: only after a provisional may the CANCEL leave
			m.sendCancel()
			m.arm(TimerCancel, Life)
		}
	case Calling, Ringing:
		if s.Phase == Calling {
			s.Phase = Ringing
			m.dirty = true
		}
		if e.Status == 100 {
			return // hop by hop: no dialog, and Timer C does not count it (section 16.7 step 2)
		}
		if e.Peer.Tag != "" && !m.fork(e) {
			return
		}
		m.arm(TimerC, s.Ring)
		m.prack(e)
		m.identify(e.Who)
		m.tell(Provisional{Status: e.Status, SDP: e.SDP})
	}
}

// fork remembers an early dialog (section 12.1.2). It reports false for a reliable provisional that
// is a repetition, or that came before one which is still missing (RFC 3262 section 4).
func (m *machine) fork(e GotProvisional) bool {
	s := &m.s
	f := Fork{Peer: e.Peer, SDP: e.SDP, RSeq: e.RSeq, Agreed: e.RSeq > 0 && len(e.SDP) > 0}
	i := slices.IndexFunc(s.Forks, func(f Fork) bool { return f.Tag == e.Peer.Tag })
	switch {
	case i >= 0:
		old := s.Forks[i]
		if e.RSeq > 0 && old.RSeq > 0 && e.RSeq != old.RSeq+1 {
			return false
		}
		f = f.after(old)
		if f.same(old) {
			return true
		}
		s.Forks = slices.Clone(s.Forks)
		s.Forks[i] = f
	case len(s.Forks) < maxForks:
		s.Forks = append(slices.Clone(s.Forks), f)
	default:
		return e.RSeq == 0
	}
	m.dirty = true
	return true
}

// after fills in what the newer provisional of a fork leaves unsaid.
func (f Fork) after(old Fork) Fork {
	f.CSeq = old.CSeq
	if len(f.SDP) == 0 {
		f.SDP = old.SDP
	}
	if f.Target == "" {
		f.Target, f.Routes = old.Target, old.Routes
	}
	f.RSeq = max(f.RSeq, old.RSeq)
	f.Agreed = f.Agreed || old.Agreed
	f.Update = f.Update || old.Update
	f.Timer = f.Timer || old.Timer
	return f
}

func (f Fork) same(old Fork) bool {
	return f.Target == old.Target && slices.Equal(f.Routes, old.Routes) && slices.Equal(f.SDP, old.SDP) &&
		f.RSeq == old.RSeq && f.Agreed == old.Agreed && f.Update == old.Update && f.Timer == old.Timer
}

// success is a 2xx to our INVITE: each one is acknowledged, the first one wins, every other fork
// is hung up (section 13.2.2.4).
func (m *machine) success(e GotSuccess) {
	s := &m.s
	if e.Peer.Tag == "" {
		return
	}
	if s.Incoming || e.CSeq != s.Invite.CSeq {
		// The 2xx of a re-INVITE that is over, repeated, or of an earlier process: without its ACK the peer hangs up
		// (section 13.3.1.4), whoever has called.
		if e.Peer.Tag == s.Peer.Tag && s.Phase >= Accepted {
			m.do(SendAck{CSeq: e.CSeq, Peer: s.Peer})
		}
		return
	}
	switch s.Phase {
	case Calling, Ringing:
		m.answered(e)
	case Cancelling: // the CANCEL came too late (finding 3): there is a call, and it must end
		m.adopt(e)
		m.do(SendAck{CSeq: e.CSeq, Peer: s.Peer})
		m.disarmAll()
		s.Phase = Ending
		m.sendBye()
	default:
		if e.Peer.Tag == s.Peer.Tag {
			m.do(SendAck{CSeq: e.CSeq, Peer: s.Peer}) // our ACK was lost
			return
		}
		m.loser(e)
	}
}

func (m *machine) answered(e GotSuccess) {
	s := &m.s
	sdp := e.SDP
	if len(sdp) == 0 { // some carriers answer in the 18x only
		if i := slices.IndexFunc(s.Forks, func(f Fork) bool { return f.Tag == e.Peer.Tag }); i >= 0 {
			sdp = s.Forks[i].SDP
		}
	}
	m.adopt(e)
	s.Phase = Up
	s.RemoteSDP = sdp
	m.disarm(TimerC)
	m.do(SendAck{CSeq: e.CSeq, Peer: s.Peer})
	m.settle(s.Wish, e.Terms)
	m.identify(e.Who)
	m.tell(Answered{SDP: sdp})
	if x := &s.Exchange; x.Turn != "" && x.Tag == s.Peer.Tag {
		x.Tag = "" // it goes on in the dialog that is left
	} else if x.Turn != "" {
		m.abandonExchange()
	}
}

// adopt makes the fork of e the dialog.
func (m *machine) adopt(e GotSuccess) {
	s := &m.s
	p := e.Peer
	for _, f := range s.Forks {
		if f.Tag == p.Tag {
			p.CSeq, p.Update, p.Timer = f.CSeq, p.Update || f.Update, p.Timer || f.Timer
		}
	}
	s.Peer, s.Forks, s.Invite.Text = p, nil, ""
	m.dirty = true
}

// loser ends a dialog that another fork has answered.
func (m *machine) loser(e GotSuccess) {
	s := &m.s
	known := slices.Contains(s.Losers, e.Peer.Tag)
	if !known && len(s.Losers) >= maxLosers {
		return
	}
	m.do(SendAck{CSeq: e.CSeq, Peer: e.Peer})
	if known {
		return
	}
	s.Losers = append(slices.Clone(s.Losers), e.Peer.Tag)
	m.part(e.Peer)
	if s.Phase == Lingering {
		m.arm(TimerLinger, Life) // the journal remembers the BYE until nobody can answer it any more
	}
}

// part hangs up a dialog of a fork that has lost. The BYE is owed until it has its final response.
func (m *machine) part(p Peer) {
	s := &m.s
	cause := tel.CauseAnsweredElsewhere
	if s.Peer.Tag == "" {
		cause = s.Cause
	}
	s.CSeq++ // its dialog may have seen a PRACK or UPDATE of ours
	s.Partings = append(slices.Clone(s.Partings), Parting{Peer: p, CSeq: s.CSeq})
	m.dirty = true
	m.do(SendRequest{Method: "BYE", CSeq: s.CSeq, Peer: p, Cause: cause, Loser: true})
}

// parted is the reply to such a BYE; whatever it says, that dialog is over.
func (m *machine) parted(e GotReply) {
	s := &m.s
	i := slices.IndexFunc(s.Partings, func(p Parting) bool { return p.CSeq == e.Sent.CSeq })
	if i < 0 || e.Status < 200 {
		return
	}
	s.Partings = slices.Delete(slices.Clone(s.Partings), i, i+1)
	if len(s.Partings) == 0 {
		s.Partings = nil
	}
	m.dirty = true
}

// failure is a final response of 300 or more to our INVITE.
func (m *machine) failure(e GotFailure) {
	s := &m.s
	if e.CSeq != s.Invite.CSeq {
		return
	}
	switch s.Phase {
	case Cancelling:
		m.linger()
	case Calling, Ringing:
		if m.authorize(e) || m.longer(e) {
			return
		}
		m.tell(Rejected{Status: e.Status, Q850: e.Q850, Reason: e.Reason, RetryAfter: e.RetryAfter, Contacts: e.Contacts})
		m.end(tel.CauseFromSIP(e.Status), true)
	}
}

// authorize repeats the INVITE with credentials, once for each nonce: the same nonce again means
// that they are wrong (section 22.2).
func (m *machine) authorize(e GotFailure) bool {
	s := &m.s
	if (e.Status != 401 && e.Status != 407) || e.Authorization == "" ||
		slices.Contains(s.Nonces, e.Nonce) || len(s.Nonces) >= maxNonces {
		return false
	}
	s.Nonces = append(slices.Clone(s.Nonces), e.Nonce)
	s.CSeq++
	s.Invite = Invite{CSeq: s.CSeq}
	s.Phase, s.Forks = Calling, nil
	m.do(SendInvite{Authorization: e.Authorization})
	m.arm(TimerC, s.Ring)
	return true
}

// longer repeats the INVITE with the session interval that a 422 asks for (RFC 4028 section 7.3).
// It goes without credentials: a challenge that was answered may be asked again.
func (m *machine) longer(e GotFailure) bool {
	s := &m.s
	if e.Status != 422 || s.Raises >= maxRaises || !m.raise(e.MinSE) {
		return false
	}
	s.Raises++
	s.CSeq++
	s.Invite = Invite{CSeq: s.CSeq}
	s.Phase, s.Forks, s.Nonces = Calling, nil, nil
	m.do(SendInvite{})
	m.arm(TimerC, s.Ring)
	return true
}

func (m *machine) nothing(e GotNothing) {
	status, cause := 503, tel.CauseNetworkFailure // section 8.1.3.1
	if e.Timeout {
		status, cause = 408, tel.CauseTimeout
	}
	switch m.s.Phase {
	case Cancelling:
		m.linger()
	case Calling, Ringing:
		m.tell(Rejected{Status: status})
		m.end(cause, false)
	}
}

// giveUp stops a call of ours that is not answered. The application is done with it; the machine
// waits for what the CANCEL brings.
func (m *machine) giveUp(cause tel.Cause) {
	heard := m.s.Phase == Ringing
	m.disarm(TimerC)
	m.dropExchange()
	m.s.Phase = Cancelling
	m.ended(cause, false)
	if heard {
		m.sendCancel()
	}
	m.arm(TimerCancel, Life)
}

func (m *machine) sendCancel() {
	m.s.CancelSent = true
	m.dirty = true
	m.do(SendCancel{Cause: m.s.Cause})
}
