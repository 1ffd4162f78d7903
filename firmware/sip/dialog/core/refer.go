package core

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// ReferLife is how long the subscription that a REFER makes may last (RFC 3515 section 2.4.4): as
// long as a transfer target rings, with room to spare.
const ReferLife = 5 * time.Minute

// maxReferrals bounds the transfers under way in one call.
const maxReferrals = 4

// ReplacesID names a dialog by its identifiers as the one who is asked has them (RFC 3891 section 3):
// ToTag is his own.
type ReplacesID struct {
	CallID, ToTag, FromTag string
	EarlyOnly              bool
}

// Progress is what a NOTIFY of a REFER says: the status line of the referred request.
type Progress struct {
	Status int    `json:"status,omitempty"` // 0 = nothing to say
	Reason string `json:"reason,omitempty"`
	Final  bool   `json:"final,omitempty"` // it ends the subscription
}

// Referral is a REFER of theirs and the subscription that it makes. It outlives the call: who
// transfers hangs up before he knows how it went (RFC 5057 section 4.1).
type Referral struct {
	ID     uint32   `json:"id"`              // the CSeq of the REFER, and the id of its subscription
	Asked  bool     `json:"asked,omitempty"` // the application has not answered it
	Named  bool     `json:"named,omitempty"` // not the first in its dialog: NOTIFY tells it apart by the id
	Silent bool     `json:"silent,omitempty"`
	Busy   bool     `json:"busy,omitempty"` // a NOTIFY with Now is on its way: the next one waits, so that none overtakes it
	Now    Progress `json:"now,omitzero"`
	Next   Progress `json:"next,omitzero"`
}

// Referred asks for AnswerRefer within AnswerWithin: the peer wants the call transferred (RFC 3515).
type Referred struct {
	ID         uint32      // names it in AnswerRefer and NotifyRefer
	ReferTo    string      // a SIP URI, without the headers that came within it
	Replaces   *ReplacesID // the call that the target has with the referrer already: an attended transfer
	ReferredBy string      // RFC 3892, as it was written; empty when it is missing
}

// GotRefer is a REFER of theirs; its event is GotRequest too.
type GotRefer struct {
	GotRequest
	Referred Referred // without ID
	Silent   bool     // Refer-Sub: false, no NOTIFY is wanted (RFC 4488)
}

// The wishes of the application about a REFER of theirs.
type (
	DoAnswerRefer struct {
		ID     uint32
		Status int
	}
	DoNotifyRefer struct {
		ID uint32
		Progress
	}
)

func (GotRefer) event()      {}
func (DoAnswerRefer) event() {}
func (DoNotifyRefer) event() {}
func (Referred) notice()     {}

// referral finds a REFER by its id, -1 when there is none.
func (s State) referral(id uint32) int {
	return slices.IndexFunc(s.Referrals, func(r Referral) bool { return r.ID == id })
}

// gotRefer gives the transfer to the application (RFC 3515 section 2.4.2).
func (m *machine) gotRefer(e GotRefer) {
	s := &m.s
	if !m.inOrder(e.GotRequest) {
		m.do(Respond{Status: 500, RetryAfter: retryAfter(e.Dice)})
		return
	}
	switch {
	case s.Phase > Up, !s.Live():
		m.do(Respond{Status: 481})
		return
	case s.Phase == Accepted, len(s.Referrals) >= maxReferrals:
		m.do(Respond{Status: 500, RetryAfter: retryAfter(e.Dice)})
		return
	case s.Phase != Up: // nobody talks yet: there is nothing to transfer
		m.do(Respond{Status: 403})
		return
	}
	r := Referral{ID: e.CSeq, Asked: true, Named: s.Referred, Silent: e.Silent}
	s.Referrals = append(slices.Clone(s.Referrals), r)
	s.Referred = true
	m.dirty = true
	m.arm(TimerReferTo, AnswerWithin)
	e.Referred.ID = e.CSeq
	m.tell(e.Referred)
}

// answerRefer answers a REFER. With 202 its subscription begins, and says so at once (section 2.4.4).
func (m *machine) answerRefer(id uint32, status int) {
	s := &m.s
	i := s.referral(id)
	if i < 0 || !s.Referrals[i].Asked || status != 202 && (status < 300 || status > 699) {
		m.ignore("answer refer")
		return
	}
	r := s.Referrals[i]
	r.Asked = false
	m.dirty = true
	answer := Respond{To: Refer, Refer: id, Status: status}
	if r.Silent && status == 202 {
		answer.Headers = []string{"Refer-Sub: false"}
	}
	m.do(answer)
	if status != 202 {
		m.forget(id)
		return
	}
	m.keep(r)
	m.arm(TimerRefer, ReferLife)
	m.notify(id, Progress{Status: 100, Reason: "Trying"})
}

// keep stores what has changed of a referral.
func (m *machine) keep(r Referral) {
	i := m.s.referral(r.ID)
	m.s.Referrals = slices.Clone(m.s.Referrals)
	m.s.Referrals[i] = r
	m.dirty = true
	if !slices.ContainsFunc(m.s.Referrals, func(r Referral) bool { return r.Asked }) {
		m.disarm(TimerReferTo)
	}
}

// forget ends a referral.
func (m *machine) forget(id uint32) {
	s := &m.s
	s.Referrals = slices.DeleteFunc(slices.Clone(s.Referrals), func(r Referral) bool { return r.ID == id })
	m.dirty = true
	if !slices.ContainsFunc(s.Referrals, func(r Referral) bool { return r.Asked }) {
		m.disarm(TimerReferTo)
	}
	if len(s.Referrals) > 0 {
		return
	}
	s.Referrals = nil
	m.disarm(TimerRefer)
}

// notifyRefer tells the referrer how far the transfer is.
func (m *machine) notifyRefer(id uint32, p Progress) {
	i := m.s.referral(id)
	if i < 0 || m.s.Referrals[i].Asked || p.Status < 100 || p.Status > 699 {
		m.ignore("notify refer")
		return
	}
	m.notify(id, p)
}

func (m *machine) notify(id uint32, p Progress) {
	r := m.s.Referrals[m.s.referral(id)]
	switch {
	case r.Silent:
		if p.Final {
			m.forget(id)
		}
	case r.Busy:
		if !r.Next.Final {
			r.Next = p
			m.keep(r)
		}
	default:
		r.Now, r.Busy = p, true
		m.keep(r)
		m.sendNotify(r)
	}
}

// sendNotify sends r.Now (section 2.4.5).
func (m *machine) sendNotify(r Referral) {
	s := &m.s
	s.CSeq++
	m.dirty = true
	event, state := "refer", "terminated;reason=noresource"
	if r.Named {
		event += ";id=" + strconv.FormatUint(uint64(r.ID), 10)
	}
	if !r.Now.Final {
		left, _ := s.Until(TimerRefer, m.now, ReferLife)
		state = fmt.Sprintf("active;expires=%d", left/time.Second)
	}
	m.do(SendRequest{
		Method: "NOTIFY", CSeq: s.CSeq, Peer: s.Peer, Refer: r.ID,
		Headers:     []string{"Event: " + event, "Subscription-State: " + state},
		ContentType: "message/sipfrag;version=2.0",
		Body:        fmt.Appendf(nil, "SIP/2.0 %d %s\r\n", r.Now.Status, r.Now.Reason),
	})
}

// notified is the reply to a NOTIFY. A refusal ends that subscription and nothing else (RFC 5057
// section 5.1).
func (m *machine) notified(e GotReply) {
	i := m.s.referral(e.Sent.Refer)
	if i < 0 || e.Status < 200 || m.authorizeInside(e) {
		return
	}
	r := m.s.Referrals[i]
	if e.Status >= 300 || r.Now.Final {
		m.forget(r.ID)
		return
	}
	r.Busy = false
	if r.Next.Status != 0 {
		r.Now, r.Next, r.Busy = r.Next, Progress{}, true
	}
	m.keep(r)
	if r.Busy {
		m.sendNotify(r)
	}
}

// refersForgotten refuses what the application did not answer.
func (m *machine) refersForgotten() {
	for _, r := range m.s.Referrals {
		if r.Asked {
			m.do(Respond{To: Refer, Refer: r.ID, Status: 603})
			m.forget(r.ID)
		}
	}
}

// refersExpired ends the subscriptions of transfers of which nobody has told the end: the last word
// stays what it was.
func (m *machine) refersExpired() {
	for _, r := range m.s.Referrals {
		switch {
		case r.Asked:
		case r.Silent, r.Busy:
			m.forget(r.ID)
		default:
			r.Now.Final, r.Busy = true, true
			m.keep(r)
			m.sendNotify(r)
		}
	}
	if len(m.s.Referrals) > 0 {
		m.arm(TimerRefer, Life) // for the replies
	}
}

// restartRefers takes up the subscriptions; a REFER without an answer is repeated by its sender and
// taken again, a NOTIFY that may not have arrived is sent again.
func (m *machine) restartRefers() {
	s := &m.s
	for _, r := range s.Referrals {
		switch {
		case r.Asked:
			m.unread(s.Peer.Tag, r.ID)
			s.Referred = r.Named
			m.forget(r.ID)
		case r.Busy:
			m.sendNotify(r)
		}
	}
	if len(s.Referrals) > 0 {
		m.rearm(TimerRefer, ReferLife)
	}
}
