package core

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Event is what happens to a call: a message, a timer, a wish of the application, a restart.
type Event interface{ event() }

// Begin starts the life of a new State in Calling or Offered.
type Begin struct{ Dice uint32 }

// Restart takes up a State that an earlier process left.
type Restart struct{}

// GotProvisional is a 1xx to our INVITE.
type GotProvisional struct {
	CSeq   uint32
	Status int
	RSeq   uint32 // of a reliable one (RFC 3262), else 0
	Peer   Peer   // Tag empty when the response had none
	SDP    []byte
	Who    []string // header lines that name the peer, as Identified has them
}

// GotSuccess is a 2xx to our INVITE, first or repeated, of the dialog in which we are or another.
type GotSuccess struct {
	CSeq  uint32
	Peer  Peer
	SDP   []byte
	Terms Terms
	Who   []string
}

// GotFailure is a final response of 300 or more to our INVITE.
type GotFailure struct {
	CSeq          uint32
	Status        int
	Q850          int // of its Reason header, 0 = none
	Reason        string
	RetryAfter    time.Duration
	Contacts      []string
	MinSE         time.Duration // of a 422
	Nonce         string        // of the challenge in a 401 or 407
	Authorization string        // header line that answers the challenge, empty when it cannot be answered
}

// GotNothing says that our INVITE got no final response: no reply in time, or a transport error.
type GotNothing struct{ Timeout bool }

// GotAck is the ACK of a 2xx of ours.
type GotAck struct {
	CSeq uint32
	SDP  []byte
}

// GotCancel is a CANCEL that matches their INVITE.
type GotCancel struct {
	Cause tel.Cause
	Of    Txn // First or Theirs
}

// GotRequest is a request inside the dialog. Dice is any random number.
type GotRequest struct {
	Method      string
	CSeq        uint32
	Tag         string // the peer's
	Target      string // its Contact, empty when there is none
	SDP         []byte
	ContentType string
	Body        []byte
	Text        string    // the whole request
	Cause       tel.Cause // of the Reason header of a BYE
	Terms       Terms
	Timer       bool  // its Supported lists "timer"
	Update      Known // what its Allow says of UPDATE
	RAck        RAck  // of a PRACK
	Who         []string
	Dice        uint32
}

// Known is what a message says of an ability of its sender.
type Known uint8

// What may be known; a message without the header leaves it as it was.
const (
	Unsaid Known = iota
	Yes
	No
)

// RAck names the reliable provisional response that a PRACK acknowledges (RFC 3262 section 7.2).
type RAck struct {
	RSeq, CSeq uint32
	Method     string
}

// GotReply is a response to a request of ours inside the dialog, or its failure (Status 408 after
// a timeout, 503 after a transport error, with Silent set). Sent is what it answers.
type GotReply struct {
	Sent          SendRequest
	Status        int
	Silent        bool
	SDP           []byte
	Target        string
	Terms         Terms
	Who           []string
	Authorization string
	Dice          uint32
}

// Fired says that a timer's time has come.
type Fired struct{ Timer Timer }

// The wishes of the application; what they mean stands at the methods of dialog.Session.
type (
	DoProvisional struct {
		Status  int
		SDP     []byte
		Headers []string
	}
	DoAccept struct {
		SDP     []byte
		Headers []string
	}
	DoReject struct {
		Status  int
		Headers []string
	}
	DoHangup  struct{ Cause tel.Cause }
	DoReoffer struct{ SDP []byte }
	DoUpdate  struct {
		SDP     []byte
		Headers []string
	}
	DoAnswerReoffer struct{ SDP []byte }
	DoRejectReoffer struct{ Status int }
	DoInfo          struct {
		ContentType string
		Body        []byte
	}
)

func (Begin) event()           {}
func (Restart) event()         {}
func (GotProvisional) event()  {}
func (GotSuccess) event()      {}
func (GotFailure) event()      {}
func (GotNothing) event()      {}
func (GotAck) event()          {}
func (GotCancel) event()       {}
func (GotRequest) event()      {}
func (GotReply) event()        {}
func (Fired) event()           {}
func (DoProvisional) event()   {}
func (DoAccept) event()        {}
func (DoReject) event()        {}
func (DoHangup) event()        {}
func (DoReoffer) event()       {}
func (DoAnswerReoffer) event() {}
func (DoRejectReoffer) event() {}
func (DoInfo) event()          {}
func (DoUpdate) event()        {}
