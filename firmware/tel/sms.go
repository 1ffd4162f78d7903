package tel

import "time"

// SMSID names one short message: ours from the moment it is asked for, a received one by its content,
// so that the same message read twice from a SIM is one.
type SMSID string

// NewSMSID returns an unguessable identifier of 96 random bits.
func NewSMSID() SMSID { return SMSID("s" + random(12)) }

// SMS is what is known of one short message (3GPP TS 23.040) at one moment. Records keep it at each
// change of its state.
type SMS struct {
	ID    SMSID     `json:"id"`
	Line  string    `json:"line"`           // "line:gsm0"
	From  string    `json:"from,omitempty"` // of a received one: a number or a name
	To    Number    `json:"to,omitempty"`   // of ours
	Text  string    `json:"text,omitempty"`
	State SMSState  `json:"state"`
	Why   string    `json:"why,omitempty"` // it failed, or cannot be read, for this reason
	Parts int       `json:"parts,omitempty"`
	Lacks int       `json:"lacks,omitempty"` // parts that never came; [...] stands for them
	Raw   []string  `json:"raw,omitempty"`   // the PDUs of one that cannot be read, in hexadecimal
	Sent  time.Time `json:"sent,omitzero"`   // by the stamp of the message centre
	At    time.Time `json:"at"`              // of this state
	Began time.Time `json:"began,omitzero"`  // ours: it was asked for; received: its first part came
}

// SMSState is where a message stands.
type SMSState string

// The states.
const (
	SMSIn        SMSState = "received"
	SMSBroken    SMSState = "unreadable" // received, and only its octets are known
	SMSQueued    SMSState = "queued"     // ours waits for the line
	SMSOut       SMSState = "sent"       // the network took all parts
	SMSArrived   SMSState = "delivered"  // and the recipient's telephone has them
	SMSLost      SMSState = "undeliverable"
	SMSFailure   SMSState = "failed" // nothing, or not all, was sent
	SMSUncertain SMSState = "uncertain"
	// SMSUnreported was sent, and the network never said what became of it: its report is lost, or waits no more.
	SMSUnreported SMSState = "unreported"
)

// The events of short messages. They are records: journals keep them.
type (
	// SMSReceived is a whole message, one whose missing parts are not waited for any more, or one that
	// cannot be read.
	SMSReceived struct{ SMS }
	// SMSSent is a message that the network took.
	SMSSent struct{ SMS }
	// SMSFailed is a message that was not sent, or of which nobody knows whether it was.
	SMSFailed struct{ SMS }
	// SMSDelivered is what the network says became of a sent message: delivered, undeliverable, or nothing.
	SMSDelivered struct{ SMS }
)

// SMSWaits reports that a message of ours waits for its line.
type SMSWaits struct{ SMS }

// Kind implements Event.
func (SMSReceived) Kind() string  { return "sms_received" }
func (SMSSent) Kind() string      { return "sms_sent" }
func (SMSFailed) Kind() string    { return "sms_failed" }
func (SMSDelivered) Kind() string { return "sms_delivered" }
func (SMSWaits) Kind() string     { return "sms_waits" }
