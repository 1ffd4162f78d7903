package core

import (
	"bytes"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Bounds of session timers (RFC 4028).
const (
	DefaultExpires = 30 * time.Minute // section 4: the recommended interval
	DefaultMinSE   = 90 * time.Second // section 5: the smallest interval that anybody must accept

	maxRaises = 3 // intervals that a 422 makes us raise for one INVITE
)

// Side is one end of a transaction, as the refresher parameter names it (RFC 4028 section 4).
type Side string

// The sides; the empty Side leaves the choice to the other end.
const (
	SideUAC Side = "uac"
	SideUAS Side = "uas"
)

// Terms is what one message says of the session timer; a zero duration is a header that is missing.
type Terms struct {
	Expires   time.Duration `json:"expires,omitempty"` // Session-Expires
	Refresher Side          `json:"refresher,omitempty"`
	Min       time.Duration `json:"min,omitempty"` // Min-SE
}

// Expiry is the session timer that both sides have agreed on.
type Expiry struct {
	Every time.Duration `json:"every,omitempty"` // the session ends when nobody refreshes it for so long; 0 = never
	Ours  bool          `json:"ours,omitempty"`  // we refresh
}

// TooShort reports whether a request must be refused with 422 (section 9): only who understands
// session timers can raise the interval.
func (t Terms) TooShort(least time.Duration, supports bool) bool {
	return supports && t.Expires > 0 && t.Expires < least
}

// grant settles the session timer in a 2xx of ours (section 9). Whoever asks for one refreshes it,
// unless he leaves that to us. One that only we want we refresh ourselves: not every phone that says
// it knows timers keeps them unasked, and that would cost the call.
func (m *machine) grant(asked Terms, supports bool) Terms {
	s := &m.s
	every := asked.Expires
	if every == 0 && s.Wish.Expires > 0 {
		every = max(s.Wish.Expires, asked.Min)
	}
	if every == 0 {
		m.expire(Expiry{})
		return Terms{}
	}
	asks := supports && (asked.Expires > 0 || asked.Refresher == SideUAC)
	m.expire(Expiry{Every: every, Ours: !asks || asked.Refresher == SideUAS})
	return s.granted()
}

// granted is what our 2xx says of the timer in force.
func (s State) granted() Terms {
	switch {
	case s.Expiry.Every == 0:
		return Terms{}
	case s.Expiry.Ours:
		return Terms{Expires: s.Expiry.Every, Refresher: SideUAS}
	}
	return Terms{Expires: s.Expiry.Every, Refresher: SideUAC}
}

// settle takes the session timer of a 2xx to a request of ours that asked for sent (section 7.2). A
// peer that says nothing does not know timers: then we refresh.
func (m *machine) settle(sent, got Terms) {
	switch {
	case got.Expires > 0:
		every := max(got.Expires, min(m.s.Wish.Min, DefaultMinSE)) // less would make us flood him
		m.expire(Expiry{Every: every, Ours: got.Refresher != SideUAS})
	default:
		m.expire(Expiry{Every: sent.Expires, Ours: sent.Expires > 0})
	}
}

// expire starts the session timer anew. Without a refresh the session is hung up a little before it
// ends (section 10), so that the peer still knows what the BYE is for.
func (m *machine) expire(e Expiry) {
	changed := m.s.Expiry != e
	m.s.Expiry = e
	if e.Every <= 0 {
		m.dirty = m.dirty || changed
		m.disarm(TimerSession, TimerExpire)
		return
	}
	m.dirty = true // the new deadlines must survive us
	m.arm(TimerExpire, e.lasts())
	if e.Ours {
		m.arm(TimerSession, e.Every/2)
		return
	}
	m.disarm(TimerSession)
}

// lasts is how long a session lives after a refresh.
func (e Expiry) lasts() time.Duration { return e.Every - min(Life, e.Every/3) }

// terms is what a re-INVITE or UPDATE of ours asks for: the timer in force, refreshed by the same
// side as before (section 7.4).
func (m *machine) terms() Terms {
	t, e := m.s.Wish, m.s.Expiry
	if e.Every == 0 {
		return t
	}
	t.Expires, t.Refresher = max(e.Every, t.Min), SideUAC
	if !e.Ours {
		t.Refresher = SideUAS
	}
	return t
}

// refresh keeps the session alive: by UPDATE where the peer takes it, which cannot disturb the
// media, else by a re-INVITE with the description unchanged (section 7.4). One that stays without
// effect is tried again.
func (m *machine) refresh() {
	s := &m.s
	if !s.Expiry.Ours { // the peer has taken it over meanwhile
		return
	}
	m.arm(TimerSession, max(s.Expiry.Every/8, time.Second))
	if s.Phase != Up || s.Exchange.Turn != "" {
		return
	}
	if s.Peer.Update {
		s.CSeq++
		m.dirty = true
		m.do(SendRequest{Method: "UPDATE", CSeq: s.CSeq, Peer: s.Peer, Terms: m.terms(), Purpose: ForRefresh})
		return
	}
	if len(s.LocalSDP) > 0 {
		m.offer(Exchange{Method: "INVITE", SDP: s.LocalSDP, Purpose: ForRefresh})
	}
}

// updateReply is the response to an UPDATE of ours without an offer.
func (m *machine) updateReply(e GotReply) {
	s := &m.s
	refresh := e.Sent.Purpose == ForRefresh
	switch {
	case e.Status < 200:
		return
	case e.Status < 300:
		if s.Phase == Up {
			m.settle(e.Sent.Terms, e.Terms)
			m.retarget(e.Sent.Peer.Tag, e.Target)
		}
	case e.Status == 481 && s.Phase == Up: // RFC 4028 section 10
		m.end(tel.CauseNetworkFailure, true)
		return
	case e.Status == 408 && s.Phase == Up:
		m.bye(tel.CauseTimeout)
		return
	case e.Status == 405 || e.Status == 501:
		m.noUpdate(e.Sent.Peer.Tag)
		if refresh && s.Phase == Up {
			m.refresh()
			return
		}
	case e.Status == 422 && s.Phase == Up && m.raise(e.Terms.Min):
		s.CSeq++
		again := e.Sent
		again.CSeq, again.Terms = s.CSeq, m.terms()
		m.do(again)
		return
	case m.authorizeInside(e):
		return
	}
	if !refresh {
		m.tell(Updated{Status: e.Status})
	}
}

// raise takes the least interval of a 422 (section 7.3); false when it is none that we could ask for.
func (m *machine) raise(least time.Duration) bool {
	s := &m.s
	if least <= s.Wish.Min || least <= s.Wish.Expires && least <= s.Expiry.Every {
		return false
	}
	s.Wish.Min, s.Wish.Expires = least, max(s.Wish.Expires, least)
	m.dirty = true
	return true
}

// refreshed ends a re-INVITE of ours that was no offer of the application: it hears of it only when
// the peer has used the occasion to describe itself anew.
func (m *machine) refreshed(purpose Purpose, status int, sdp, before []byte) {
	if purpose == ForUpdate {
		m.tell(Updated{Status: status})
	}
	if status == 200 && !bytes.Equal(sdp, before) {
		m.tell(Refreshed{SDP: sdp})
	}
}
