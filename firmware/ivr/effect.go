package ivr

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Effect is something the owner of the call must do, in order; each type below is one.
type Effect interface{ effect() }

// The effects.
type (
	// Play replaces what plays. Names are said one after the other, in the script's language.
	Play struct{ Names []string }
	// Hush stops what plays; no Played follows.
	Hush struct{}
	// Record writes what the caller says until Max, until Silence without a word, or StopRecord. Path
	// is a plain name: letters, digits, "-" and "_".
	Record struct {
		Path         string
		Max, Silence time.Duration
	}
	// StopRecord ends the recording; Recorded follows.
	StopRecord struct{}
	// Discard removes a recording that nobody wants; one that still runs, when it has ended.
	Discard struct{ Path string }
	// Wait sets the script's one timer anew.
	Wait struct {
		Timer int
		For   time.Duration
	}
	// Check asks something outside of the script; Checked answers. Of is what it is about: for CheckPIN
	// and CheckNewPIN the mailbox or what the code opens.
	Check struct{ What, Of, Value string }
	// List asks for the messages of a mailbox; Listed answers.
	List struct{ Box string }
	// Goto leaves the script for a destination of the dial plan, such as "queue:sales", "ext:201",
	// "menu:night".
	Goto struct{ To string }
	// Dial leaves the script for an internal number that a caller typed. It carries no right to call
	// outside.
	Dial struct{ Number tel.Number }
	// CallBack leaves a mailbox for the number of a message, with the rights of the mailbox's owner.
	CallBack struct {
		Box    string
		Number tel.Number
	}
	// Language changes the language of the call: "it" or "en".
	Language struct{ Lang string }
	// Deliver gives a recording to a mailbox. Length 0 means unknown: the file tells.
	Deliver struct {
		Box, Path  string
		Length     time.Duration
		From       tel.Number
		CallerName string
		At         time.Time
	}
	// MarkHeard notes that a message was heard.
	MarkHeard struct{ Box, ID string }
	// Keep exempts a message from its box's retention.
	Keep struct{ Box, ID string }
	// Delete removes a message so that Undelete can bring it back.
	Delete struct{ Box, ID string }
	// Undelete takes a Delete back.
	Undelete struct{ Box, ID string }
	// SaveGreeting makes a recording the greeting of a mailbox; Kind is "standard" or "busy".
	SaveGreeting struct{ Box, Kind, Path string }
	// SetPIN changes the code of a mailbox.
	SetPIN struct{ Box, PIN string }
	// SavePrompt makes a recording the announcement "prompt:ID".
	SavePrompt struct{ ID, Path string }
	// AskCallback asks the queue to keep the caller's place and have Number called. Agreed answers, or Checked
	// that it does not.
	AskCallback struct{ Number tel.Number }
	// Proved tells that the line of a Trial carries sound in both directions.
	Proved struct{}
	// Enter leaves the script for a seat in a conference room.
	Enter struct {
		Room   string
		Leader bool
	}
	// GoOn leaves the script: the caller waits in the queue as before.
	GoOn struct{}
	// Hangup ends the call.
	Hangup struct{}
)

// What a Check asks.
const (
	CheckExtension = "extension" // Value is an internal number that may be dialled from outside
	CheckPIN       = "pin"       // Value opens Of; throttled
	CheckNewPIN    = "new_pin"   // Value is good enough as the code of Of
	CheckCallback  = "callback"  // Value is an outside number that the queue Of may call back

	CheckConference = "conference" // Value opens the room of Of, "ROOM/CALLER"; Let answers, or Checked that it does not; throttled
)

// String hides what was typed.
func (c Check) String() string { return "check " + c.What + " of " + c.Of }

// GoString hides what was typed from %#v.
func (c Check) GoString() string { return c.String() }

// String hides the code.
func (s SetPIN) String() string { return "set the PIN of " + s.Box }

// GoString hides the code from %#v.
func (s SetPIN) GoString() string { return s.String() }

func (Play) effect()         {}
func (Hush) effect()         {}
func (Record) effect()       {}
func (StopRecord) effect()   {}
func (Discard) effect()      {}
func (Wait) effect()         {}
func (Check) effect()        {}
func (List) effect()         {}
func (Goto) effect()         {}
func (Dial) effect()         {}
func (CallBack) effect()     {}
func (Language) effect()     {}
func (Deliver) effect()      {}
func (MarkHeard) effect()    {}
func (Keep) effect()         {}
func (Delete) effect()       {}
func (Undelete) effect()     {}
func (SaveGreeting) effect() {}
func (SetPIN) effect()       {}
func (SavePrompt) effect()   {}
func (AskCallback) effect()  {}
func (Proved) effect()       {}
func (GoOn) effect()         {}
func (Enter) effect()        {}
func (Hangup) effect()       {}
