package core

import (
	"fmt"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// maxHeld bounds the provisional responses that wait for the PRACK of the one before.
const maxHeld = 8

// Reply is a response of ours to their INVITE, as the application wants it.
type Reply struct {
	Status  int      `json:"status,omitempty"`
	SDP     []byte   `json:"sdp,omitempty"`
	Headers []string `json:"headers,omitempty"`
}

// Reliable is the state of our reliable provisional responses (RFC 3262 section 3). One at a time
// waits for its PRACK; what comes after it is held back.
type Reliable struct {
	RSeq      uint32  `json:"rseq,omitempty"`      // of the last one
	Open      Reply   `json:"open,omitzero"`       // the one that waits; Status 0 = none
	Held      []Reply `json:"held,omitempty"`      // those behind it, or the 2xx alone
	Described bool    `json:"described,omitempty"` // one of them has carried our description
}

// accepting reports whether the application has accepted and the 2xx is held back.
func (r Reliable) accepting() bool { return len(r.Held) > 0 && r.Held[0].Status >= 200 }

// reliably decides how a provisional response goes out: reliably when the caller requires it, and
// when it carries a description, because a lost one would leave the caller without early media.
func (s State) reliably(p Reply) bool {
	return s.Invite.Always || s.Peer.Reliable && len(p.SDP) > 0
}

// ring sends a provisional response with our tag (RFC 3261 section 13.3.1.1).
func (m *machine) ring(p Reply) {
	s := &m.s
	r := &s.Reliable
	if s.reliably(p) {
		switch {
		case r.Open.Status == 0:
			m.ringReliably(p)
		case len(r.Held) < maxHeld:
			r.Held = append(slices.Clone(r.Held), p)
			m.dirty = true
		default:
			m.ignore("provisional")
		}
		return
	}
	s.Provisional = p.Status
	if s.Offerless || r.Described {
		p.SDP = nil // an offer must be reliable (section 13.2.1); an answer is given once
	}
	if len(p.SDP) > 0 {
		m.setLocal(p.SDP)
	}
	m.dirty = true
	m.do(Respond{To: First, Status: p.Status, SDP: p.SDP, Headers: p.Headers})
	m.arm(TimerRefresh, RefreshEvery)
}

// ringReliably sends the next reliable provisional. Our description goes into the first only.
func (m *machine) ringReliably(p Reply) {
	s := &m.s
	r := &s.Reliable
	if r.Described {
		p.SDP = nil
	}
	if len(p.SDP) > 0 {
		m.setLocal(p.SDP)
		r.Described = true
		s.Agreed = !s.Offerless
	}
	r.RSeq++
	r.Open = p
	s.Provisional, s.Resend = p.Status, T1
	m.dirty = true
	m.do(s.openProvisional())
	m.arm(TimerResend, T1)
	m.arm(TimerPrack, Life)
	m.arm(TimerRefresh, RefreshEvery)
}

// openProvisional is the reliable provisional that waits for its PRACK.
func (s State) openProvisional() Respond {
	r := s.Reliable
	return Respond{To: First, Status: r.Open.Status, SDP: r.Open.SDP, Headers: r.Open.Headers, RSeq: r.RSeq}
}

// ringOn repeats our last provisional each minute, so that no proxy gives up (section 13.3.1.1).
func (m *machine) ringOn() {
	s := &m.s
	switch {
	case s.Reliable.Open.Status != 0: // it is being repeated anyway
		m.arm(TimerRefresh, RefreshEvery)
	case s.Invite.Always:
		m.ringReliably(Reply{Status: s.Provisional})
	default:
		again := Respond{To: First, Status: s.Provisional}
		if !s.Offerless && !s.Reliable.Described {
			again.SDP = s.LocalSDP
		}
		m.do(again)
		m.arm(TimerRefresh, RefreshEvery)
	}
}

// gotPrack is the acknowledgement of a reliable provisional (RFC 3262 section 3).
func (m *machine) gotPrack(e GotRequest) {
	s := &m.s
	r := &s.Reliable
	switch {
	case e.RAck.Method != "INVITE" || e.RAck.CSeq != s.Invite.CSeq || e.RAck.RSeq > r.RSeq:
		m.do(Respond{Status: 481})
	case s.Phase != Offered: // our final response has overtaken it
		m.do(Respond{Status: 200})
	case r.Open.Status == 0 || e.RAck.RSeq != r.RSeq:
		m.do(Respond{Status: 481})
	default:
		m.acknowledged(e)
	}
}

func (m *machine) acknowledged(e GotRequest) {
	s := &m.s
	described := len(s.Reliable.Open.SDP) > 0
	s.Reliable.Open = Reply{}
	m.dirty = true
	m.disarm(TimerResend, TimerPrack)
	switch {
	case len(e.SDP) == 0:
		m.do(Respond{Status: 200})
	case s.Offerless && described && !s.Agreed: // section 5: the answer to our offer
		s.RemoteSDP, s.Agreed = e.SDP, true
		m.do(Respond{Status: 200})
		m.tell(EarlyAnswered{SDP: e.SDP})
	case !s.Agreed || s.Exchange.Turn == TurnOurs:
		m.do(Respond{Status: 491})
	case s.Exchange.Turn != "":
		m.do(Respond{Status: 500, RetryAfter: retryAfter(e.Dice)})
	default:
		m.take(e)
	}
	m.release()
}

// release sends what was held back, as far as it may go now.
func (m *machine) release() {
	s := &m.s
	for s.Phase == Offered && len(s.Reliable.Held) > 0 {
		next := s.Reliable.Held[0]
		if next.Status >= 200 {
			m.accept(next)
			return
		}
		if s.Reliable.Open.Status != 0 {
			return
		}
		s.Reliable.Held = append([]Reply(nil), s.Reliable.Held[1:]...) // nil when it was the last
		m.ring(next)
	}
}

// mayAccept says whether the 2xx may leave: not while a description of ours is unacknowledged
// (RFC 3262 section 3), nor while an exchange runs, which the 2xx would confuse.
func (s State) mayAccept() bool {
	return len(s.Reliable.Open.SDP) == 0 && s.Exchange.Turn == ""
}

// unacknowledged gives the call up: the caller does not hear us (section 3).
func (m *machine) unacknowledged() {
	m.refuse(Reply{Status: 504}, tel.CauseTimeout, false)
}

// prack acknowledges a reliable provisional (section 4).
func (m *machine) prack(e GotProvisional) {
	if e.RSeq == 0 || e.Peer.Tag == "" {
		return
	}
	s := &m.s
	i := slices.IndexFunc(s.Forks, func(f Fork) bool { return f.Tag == e.Peer.Tag })
	if i < 0 {
		return
	}
	s.CSeq++
	m.dirty = true
	m.do(SendRequest{
		Method: "PRACK", CSeq: s.CSeq, Peer: s.Forks[i].Peer,
		Headers: []string{fmt.Sprintf("RAck: %d %d INVITE", e.RSeq, e.CSeq)},
	})
}

// doubled is the next interval of a repetition: a 2xx stops growing at T2, a provisional does not.
func doubled(d time.Duration, provisional bool) time.Duration {
	if provisional {
		return 2 * d
	}
	return min(2*d, T2)
}
