package core

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Effect is something that the runtime must do. Effects are carried out in their order.
type Effect interface{ effect() }

// Save puts the state into the hot journal. It stands before every message that depends on it.
type Save struct{}

// Drop deletes the state from the hot journal.
type Drop struct{}

// Close forgets the call: no message can concern it any more.
type Close struct{}

// SendInvite renders our INVITE with State.Invite.CSeq and State.Wish, keeps its text in the state, saves and
// sends it. Authorization is a header line for it, or empty.
type SendInvite struct{ Authorization string }

// SendCancel cancels our INVITE (RFC 3261 section 9.1), with a Reason.
type SendCancel struct{ Cause tel.Cause }

// CancelReoffer cancels our re-INVITE.
type CancelReoffer struct{}

// SendAck acknowledges a 2xx: CSeq is that of the INVITE (RFC 3261 section 13.2.2.4), never a new one.
type SendAck struct {
	CSeq uint32
	Peer Peer
}

// SendRequest sends a request inside a dialog; its replies come back as GotReply.
type SendRequest struct {
	Method        string
	CSeq          uint32
	Peer          Peer
	ContentType   string
	Body          []byte
	Authorization string
	Cause         tel.Cause // for the Reason header of a BYE
	Loser         bool      // hangs up a forked answer
	Terms         Terms     // of a re-INVITE or UPDATE
	Purpose       Purpose
	Refer         uint32 // the REFER of whose progress a NOTIFY tells
	Headers       []string
}

// Txn names a server transaction of the call.
type Txn uint8

// The server transactions.
const (
	This   Txn = iota // the request that is being handled now
	First             // the INVITE that opened the call
	Theirs            // their re-INVITE, UPDATE or PRACK that waits for the application
	Refer             // their REFER that Respond.Refer names
)

// Respond answers a request.
type Respond struct {
	To         Txn
	Status     int
	SDP        []byte
	RetryAfter int    // seconds, 0 = none
	RSeq       uint32 // of a reliable provisional, else 0
	Refer      uint32 // the CSeq of the REFER that is answered
	Terms      Terms
	Headers    []string
}

// Resend repeats our 2xx outside its transaction (RFC 3261 section 13.3.1.4).
type Resend struct{ To Txn }

// Readopt gives an open INVITE of an earlier process back to the transaction layer. Incoming
// ones are First or Theirs; This stands for our own INVITE. Text is the request.
type Readopt struct {
	Txn  Txn
	Text string
}

// Arm starts or restarts a timer.
type Arm struct {
	Timer Timer
	After time.Duration
}

// Disarm stops a timer.
type Disarm struct{ Timer Timer }

// Tell gives the application a notice.
type Tell struct{ Notice Notice }

func (Save) effect()          {}
func (Drop) effect()          {}
func (Close) effect()         {}
func (SendInvite) effect()    {}
func (SendCancel) effect()    {}
func (CancelReoffer) effect() {}
func (SendAck) effect()       {}
func (SendRequest) effect()   {}
func (Respond) effect()       {}
func (Resend) effect()        {}
func (Readopt) effect()       {}
func (Arm) effect()           {}
func (Disarm) effect()        {}
func (Tell) effect()          {}

// Notice is what the application learns of a call.
type Notice interface{ notice() }

// Provisional reports a 101 to 199 response to our INVITE; SDP is early media, or nil.
type Provisional struct {
	Status int
	SDP    []byte
}

// Answered reports the 2xx to our INVITE, with the answer to our offer. It is acknowledged already.
type Answered struct{ SDP []byte }

// Confirmed reports the ACK of our 2xx. SDP is the answer when our 2xx carried the offer.
type Confirmed struct{ SDP []byte }

// EarlyAnswered reports the answer to an offer of ours that came before the call was answered: in
// the PRACK of a reliable provisional (RFC 3262 section 5).
type EarlyAnswered struct{ SDP []byte }

// Rejected reports the final failure of our INVITE; Ended follows. Contacts are those of a 3xx.
type Rejected struct {
	Status     int
	Q850       int // of its Reason header (RFC 3326), 0 = none
	Reason     string
	RetryAfter time.Duration
	Contacts   []string
}

// Reoffered asks for AnswerReoffer or RejectReoffer within AnswerWithin. A nil SDP asks for an offer.
type Reoffered struct{ SDP []byte }

// ReofferDone reports the end of our re-offer: 200 with the answer, or why not. After 491 the
// peer's own offer came first: look at it and offer again if still needed.
type ReofferDone struct {
	Status int
	SDP    []byte
}

// Identified tells what the peer says of who is at his end (RFC 3325 and its like, RFC 4916), when
// that has changed: Headers are the lines of P-Asserted-Identity, Remote-Party-ID and Privacy. It
// comes before the notice of the message that said so. Whether to believe it is for the application.
type Identified struct{ Headers []string }

// Refreshed reports a description that the peer has sent without being asked for one: in its reply
// to our session refresh. It replaces the one before; media may have moved.
type Refreshed struct{ SDP []byte }

// Updated reports the final status of an Update without an offer.
type Updated struct{ Status int }

// Ended is the last notice of each call. Remote says that the peer ended it.
type Ended struct {
	Cause  tel.Cause
	Remote bool
}

// Info reports an INFO request (RFC 6086), already answered with 200.
type Info struct {
	ContentType string
	Body        []byte
}

// Ignored reports a command that the call's phase did not allow.
type Ignored struct{ Command, Phase string }

func (Provisional) notice()   {}
func (Answered) notice()      {}
func (Confirmed) notice()     {}
func (Rejected) notice()      {}
func (Reoffered) notice()     {}
func (ReofferDone) notice()   {}
func (Identified) notice()    {}
func (Ended) notice()         {}
func (Refreshed) notice()     {}
func (EarlyAnswered) notice() {}
func (Updated) notice()       {}
func (Info) notice()          {}
func (Ignored) notice()       {}
