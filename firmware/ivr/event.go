package ivr

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Event is an input of a script; each type below is one.
type Event interface{ event() }

// The events.
type (
	// Started begins the script.
	Started struct{}
	// Resumed tells that the process was restarted: nothing plays or is recorded any more and no
	// timer runs. Keys typed but not yet acted on are forgotten; the question is asked again.
	Resumed struct{}
	// Digit is one key of the caller: 0-9 * # A-D.
	Digit struct{ Key rune }
	// Played tells that all of the last Play is over.
	Played struct{}
	// Recorded tells that a recording has ended. Length does not count the silence that ended it, so
	// that a caller who says nothing leaves no message. Why is one of the Why constants.
	Recorded struct {
		Path   string
		Length time.Duration
		Why    string
	}
	// Expired tells that the timer of a Wait ran out. Those of replaced Waits are ignored.
	Expired struct{ Timer int }
	// Checked answers a Check.
	Checked struct{ OK bool }
	// Let answers the Check of a code that opens a conference room, as its leader's or a participant's.
	Let struct{ Leader bool }
	// Agreed answers AskCallback: the place is kept, and the call may be expected in From to To minutes; To 0:
	// nobody knows.
	Agreed struct{ From, To int }
	// Listed answers a List, oldest message first.
	Listed struct{ Messages []Message }
	// Left tells that the caller has gone. Nothing can be played any more.
	Left struct{}
)

// Why a recording ended.
const (
	WhyStopped = "stopped" // by StopRecord
	WhySilence = "silence" // nothing was said for the time given
	WhyMax     = "max"     // the longest time was reached
	WhyLeft    = "left"    // the caller hung up
	WhyFailed  = "failed"  // the disk does not take it
)

// Message is one message of a mailbox.
type Message struct {
	ID      string        `json:"id"`
	From    tel.Number    `json:"from,omitempty"`
	Name    string        `json:"name,omitempty"`
	At      time.Time     `json:"at"`
	Length  time.Duration `json:"length"`
	Heard   bool          `json:"heard,omitempty"`
	Deleted bool          `json:"deleted,omitempty"` // by this script; can be undone
}

func (Started) event()  {}
func (Resumed) event()  {}
func (Digit) event()    {}
func (Played) event()   {}
func (Recorded) event() {}
func (Expired) event()  {}
func (Checked) event()  {}
func (Let) event()      {}
func (Agreed) event()   {}
func (Listed) event()   {}
func (Left) event()     {}
