// Package line is the port that drivers of telephone lines implement (GSM modems, analog modems)
// and the contract suite that proves each of them.
package line

import (
	"context"
	"errors"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// FrameSamples is the length of one frame: 20 ms at 8,000 Hz.
const FrameSamples = 160

// Frame is 20 ms of linear 16-bit audio at 8,000 Hz.
type Frame = [FrameSamples]int16

// Errors that callers of a Line decide on.
var (
	ErrBusy      = errors.New("line is in use")
	ErrDown      = errors.New("line is out of service")
	ErrNoCall    = errors.New("no call on the line")
	ErrGone      = errors.New("the other party is gone")
	ErrTimeout   = errors.New("the modem did not answer in time")
	ErrRefused   = errors.New("the modem or the network refused")
	ErrNoSupport = errors.New("the line cannot do this")
)

// AnswerSupervision tells how much the line knows about the far end picking up.
type AnswerSupervision uint8

// The degrees of answer supervision.
const (
	AnswerUnknown AnswerSupervision = iota
	AnswerAssumed                   // inferred from audio or time
	AnswerReal                      // signalled by the network
)

// Caps says what a line can do.
type Caps struct {
	FullDuplex        bool
	CallerID          bool
	DTMFDetect        bool // events for digits that the far end presses
	Flash             bool // Flash reaches an exchange that knows what it means
	AnswerSupervision AnswerSupervision
}

// Line is one telephone line that carries at most one call. Methods block until the line has
// accepted or refused the command, honour ctx, and may be called from any goroutine; what happens
// afterwards arrives on Events.
type Line interface {
	ID() tel.LineID
	Caps() Caps
	// Events is ordered and bounded; it has one consumer and is closed after Close. A driver that
	// cannot deliver takes the line out of service rather than dropping an event.
	Events() <-chan Event
	// Dial starts an outgoing call: Proceeding, Alerting, Connected or Ended follow.
	Dial(ctx context.Context, to tel.Number) error
	// Answer accepts the ringing call: Connected or Ended follows.
	Answer(ctx context.Context) error
	// Hangup ends or refuses the call. It is idempotent, returns at once, and Ended follows in
	// bounded time even when the modem never replies.
	Hangup(ctx context.Context, why tel.Cause) error
	// SendDTMF plays digits 0-9 * # A-D to the far end.
	SendDTMF(ctx context.Context, digits string) error
	// Flash breaks the loop of a call for a moment (hook flash, timed-break register recall): the exchange turns to
	// the subscriber, whose next digits are for it, and takes the parties in turn at the next one. It returns when both
	// ends hear each other again, or the exchange; the call goes on. A line without it (Caps) answers ErrNoSupport, one
	// without a call ErrNoCall, and one that is at it already, or sends digits, ErrBusy.
	Flash(ctx context.Context) error
	// Media is valid between Connected (or Alerting, where the line has early audio) and Ended.
	Media() (Media, error)
	// Close hangs up, releases the device and waits for the driver's goroutines.
	Close() error
}

// Supply is the port of what can take a modem's supply away: a relay or a transistor at a pin of the board. Its methods
// may be called from any goroutine.
type Supply interface {
	// Cycle takes the supply away for as long as the modem needs to forget everything, and gives it back, also when ctx
	// ends first. An error says that the modem may not have been restarted.
	Cycle(ctx context.Context) error
	// Close releases the pin and leaves the modem its supply. It waits for a Cycle.
	Close() error
}

// Media is the audio of a connected line, driven by the caller's 20 ms clock. The driver absorbs
// the difference between the two clocks; neither method blocks or allocates.
type Media interface {
	// ReadFrame fills f with the next 20 ms from the line. It returns false, and silence, when the
	// line has delivered nothing.
	ReadFrame(f *Frame) bool
	// WriteFrame queues 20 ms for the line. It returns false when the line does not take audio.
	WriteFrame(f *Frame) bool
	Stats() MediaStats
}

// MediaStats counts since the call was connected.
type MediaStats struct {
	FramesIn, FramesOut uint64
	Underruns           uint64        // ReadFrame calls without audio
	Overruns            uint64        // frames dropped because the line stalled
	Delay               time.Duration // audio held in the receive buffer now
	PPM                 float64       // measured offset of the line's clock
}

// EventKind is what happened on the line.
type EventKind uint8

// The events of a line. For each call exactly one Ended is sent, and it is the last.
const (
	Incoming   EventKind = iota + 1 // a call rings; Number and Name may be empty (withheld)
	Proceeding                      // an outgoing call was accepted by the network
	Alerting                        // the far end rings
	Connected                       // two-way audio
	Digit                           // the far end pressed Digit
	Ended                           // the call is over for Cause
	Recovered                       // at start, a call of an earlier process was found still up
	Status                          // the service state changed
)

// Event is one happening on a line.
type Event struct {
	Kind    EventKind
	Number  tel.Number // Incoming, Recovered
	Inbound bool       // Recovered: direction of the found call
	Digit   byte       // Digit
	Cause   tel.Cause  // Ended
	Status  tel.LineChanged
	At      time.Time
}
