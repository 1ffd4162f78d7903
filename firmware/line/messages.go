package line

import (
	"context"
	"errors"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Errors of lines that carry messages and service codes, beside those of Line.
var (
	// ErrUncertain means that a command reached the network and its outcome did not reach us: the
	// message may have been sent, and must not be sent again by a machine.
	ErrUncertain = errors.New("it is not known whether the network took it")
	// ErrTooLong means that a text needs more parts than MaxParts.
	ErrTooLong = errors.New("the text is too long for a message")
	// ErrUnsendable means that the number or the text cannot be put into a message.
	ErrUnsendable = errors.New("this cannot be sent as a message")
)

// MaxParts bounds one message: 10 parts are 1,530 characters of the GSM alphabet, or 670 others.
const MaxParts = 10

// Messages is implemented by lines that carry short messages (3GPP TS 23.040). Its methods may be
// called from any goroutine.
//
// What arrives goes to an Inbox that the driver was opened with.
type Messages interface {
	// Parts says in how many parts the line would send a message; ErrTooLong or ErrUnsendable.
	Parts(m OutgoingMessage) (int, error)
	// Ready reports whether a part would be sent now: the line is in service and free of calls, which go
	// before messages.
	Ready() bool
	// SendPart hands one part, counted from 0, to the network and returns the reference by which a
	// delivery report will name it (TP-MR, 0 to 255; -1 = the modem did not say). Every error means that
	// nothing was sent, except ErrUncertain: then nobody knows. ErrBusy when the line is not Ready, and a
	// *RefusedMessage with the network's reason.
	SendPart(ctx context.Context, m OutgoingMessage, part int) (reference int, err error)
}

// OutgoingMessage is a message of ours.
type OutgoingMessage struct {
	To     tel.Number `json:"to"`
	Text   string     `json:"text"`
	Join   byte       `json:"join"`             // says which parts belong together (TS 23.040 section 9.2.3.24.1)
	Report bool       `json:"report,omitempty"` // the network shall tell of its delivery
}

// RefusedMessage is the network's or the modem's no to a message.
type RefusedMessage struct {
	Code      int    // of +CMS ERROR (TS 27.005 section 3.2.5), -1 = none
	Why       string // in words
	Temporary bool   // the same message may be taken later
}

// Error says the reason.
func (r *RefusedMessage) Error() string { return "message refused: " + r.Why }

// Is makes a refusal an ErrRefused.
func (r *RefusedMessage) Is(target error) bool { return target == ErrRefused }

// Inbox takes over what a line received. Accept must not block. It, or somebody it tells, calls done
// exactly once: with nil when the part is safe from a power cut, and only then the driver deletes it from
// the SIM; with an error when it is not, and the driver offers it again later. A part may so be offered
// twice, and is the same when Raw is.
type Inbox interface {
	Accept(p ReceivedPart, done func(error))
	// Storage tells how many of the places for messages on the SIM or in the modem are used. A full
	// storage receives nothing more.
	Storage(l tel.LineID, used, total int)
	// Notice is a service message of the network that nobody asked for (network-initiated USSD).
	Notice(l tel.LineID, text string)
}

// PartKind says what was received.
type PartKind uint8

// The kinds.
const (
	TextPart       PartKind = iota + 1 // a message, or one part of it
	DeliveryReport                     // what became of a message of ours
	UnreadablePart                     // it could not be understood: only Raw and Why say something
)

// ReceivedPart is one PDU that the line received.
type ReceivedPart struct {
	Line tel.LineID `json:"line"`
	Kind PartKind   `json:"kind"`
	Raw  string     `json:"raw"` // the PDU in hexadecimal, as the modem gave it
	Why  string     `json:"why,omitempty"`

	From string    `json:"from,omitempty"` // a number, or a name of up to 11 letters
	Sent time.Time `json:"sent,omitzero"`  // the message centre's time stamp (TP-SCTS)
	// Text is in UTF-16 code units, because some phones cut a character between two parts.
	Text []uint16 `json:"text,omitempty"`
	// Join, Part (from 1) and Parts say which parts make a message; Parts is 1 for a message of one.
	Join  int `json:"join,omitempty"`
	Part  int `json:"part,omitempty"`
	Parts int `json:"parts,omitempty"`

	Reference byte           `json:"reference,omitempty"` // DeliveryReport: of the part that we sent
	Delivery  DeliveryStatus `json:"delivery,omitempty"`
	Code      byte           `json:"code,omitempty"` // TP-ST, for the log
}

// DeliveryStatus is what a delivery report says (TP-ST, TS 23.040 section 9.2.3.15).
type DeliveryStatus uint8

// The statuses.
const (
	Delivered DeliveryStatus = iota + 1
	StillTrying
	Undeliverable
)

// ServiceCodes is implemented by lines that can ask the network by service codes (USSD, TS 22.090).
type ServiceCodes interface {
	// AskService sends a code such as *123# and returns the network's answer; a menu is closed, and its
	// text is the answer. ErrBusy while the line has a call or another command, ErrTimeout when the network
	// says nothing in time, ErrNoSupport when it has no such service.
	AskService(ctx context.Context, code string) (string, error)
}

// Radio is implemented by lines that have an antenna.
type Radio interface {
	// Signal is what the modem said last.
	Signal() Signal
	// SignalHistory is the last 24 hours, the oldest first, at most one sample a minute.
	SignalHistory() []SignalSample
}

// Technology is the generation of a mobile network.
type Technology string

// The technologies; the empty one is not known.
const (
	GSM  Technology = "2G"
	UMTS Technology = "3G" // switched off in Italy since 2022
	LTE  Technology = "4G"
)

// Signal is how a line hears its network.
type Signal struct {
	Operator   string     `json:"operator,omitempty"`
	Network    string     `json:"network,omitempty"` // MCC and MNC: "22201"
	Technology Technology `json:"technology,omitempty"`
	Band       string     `json:"band,omitempty"` // in the modem's words: "EUTRAN-BAND3"
	DBm        int        `json:"dbm,omitempty"`  // 0 = unknown
	VoLTE      Readiness  `json:"volte,omitempty"`
	Roaming    bool       `json:"roaming,omitempty"`
}

// Readiness is a yes, a no, or not known.
type Readiness uint8

// The degrees.
const (
	NotKnown Readiness = iota
	Ready
	NotReady
)

// SignalSample is one moment of a signal's history.
type SignalSample struct {
	At         time.Time  `json:"at"`
	DBm        int        `json:"dbm"`
	Technology Technology `json:"technology,omitempty"`
}
