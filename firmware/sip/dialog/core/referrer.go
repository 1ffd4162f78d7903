package core

import "github.com/pronto-pbx/pronto/firmware/tel"

// Handover is a REFER of ours that is under way (RFC 3515, the other role of refer.go); CSeq 0 = none.
// It ends with the call: who has left a call hears no more of its transfer.
type Handover struct {
	CSeq uint32 `json:"cseq,omitempty"` // of the REFER, and the id of its subscription
}

// HandoverProgress tells how far our REFER is: 202 when the peer has taken it, then what its NOTIFYs
// say of the call to the target. Final means that nothing more comes: a Status below 300 is a
// success, 408 that no end was heard of.
type HandoverProgress struct {
	Status int
	Final  bool
}

// DoRefer asks the peer to call somebody else; Headers are Refer-To and Referred-By.
type DoRefer struct{ Headers []string }

// GotNotify is a NOTIFY of the event "refer"; its event is GotRequest too.
type GotNotify struct {
	GotRequest
	ID     uint32 // of the Event header, 0 = none
	Status int    // of the message/sipfrag, 0 = none
	Over   bool   // the subscription is terminated
}

func (DoRefer) event()           {}
func (GotNotify) event()         {}
func (HandoverProgress) notice() {}

// handOver sends a REFER, one at a time.
func (m *machine) handOver(e DoRefer) {
	s := &m.s
	if s.Phase != Up || s.Handover.CSeq != 0 {
		m.ignore("refer")
		return
	}
	s.CSeq++
	s.Handover = Handover{CSeq: s.CSeq}
	m.dirty = true
	m.do(SendRequest{Method: "REFER", CSeq: s.CSeq, Peer: s.Peer, Headers: e.Headers})
	m.arm(TimerHandover, ReferLife)
}

// handoverReply is the response to our REFER.
func (m *machine) handoverReply(e GotReply) {
	s := &m.s
	if s.Phase != Up || e.Status < 200 || e.Sent.CSeq != s.Handover.CSeq {
		return
	}
	switch {
	case e.Status < 300:
		m.tell(HandoverProgress{Status: 202})
	case m.authorizeInside(e):
		s.Handover.CSeq = s.CSeq
	case e.Status == 481: // RFC 5057 section 5.1: the peer has no such dialog
		m.end(tel.CauseNetworkFailure, true)
	default:
		m.handedOver(e.Status)
	}
}

// gotNotify is what the peer tells of the transfer; it may come before the 202.
func (m *machine) gotNotify(e GotNotify) {
	s := &m.s
	switch {
	case !m.inOrder(e.GotRequest):
		m.do(Respond{Status: 500, RetryAfter: retryAfter(e.Dice)})
	case s.Phase != Up, s.Handover.CSeq == 0, e.ID != 0 && e.ID != s.Handover.CSeq:
		m.do(Respond{Status: 481})
	default:
		m.do(Respond{Status: 200})
		switch {
		case e.Over || e.Status >= 200:
			m.handedOver(e.Status)
		case e.Status > 0:
			m.tell(HandoverProgress{Status: e.Status})
		}
	}
}

// handedOver ends our REFER. A subscription that ends without a final status has told no success.
func (m *machine) handedOver(status int) {
	if status < 200 {
		status = 408
	}
	m.disarm(TimerHandover)
	m.s.Handover = Handover{}
	m.dirty = true
	m.tell(HandoverProgress{Status: status, Final: true})
}
