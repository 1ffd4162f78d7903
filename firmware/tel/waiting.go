package tel

import "time"

// The messages between calls and queues about the life of a waiting caller: keys, announcements, the
// word to the agent before the bridge, and callbacks.

// CallerKey says that the waiting caller pressed a key; the queue's configuration gives it a meaning.
type CallerKey struct {
	Call CallID
	Key  rune // 0-9 * #
}

// CallerGreeted says that the queue's greeting is over: who leaves from now on has waited.
type CallerGreeted struct{ Call CallID }

// CallerNamed says that somebody else waits on this call now: an agent had dialled the queue and has
// transferred a customer into the place.
type CallerNamed struct {
	Call   CallID
	Caller Number
	Name   string
}

// Announced says that the last Announce has been spoken, or was cut off.
type Announced struct{ Call CallID }

// OfferAccepted says that the agent has picked up and hears the whisper, or waits while the customer
// of a callback is called. The caller still waits and others go on ringing; OfferAnswered follows when
// the two are connected.
type OfferAccepted struct{ Offer OfferID }

// WantCallback asks to give up the line and keep the place: Number has been confirmed by the caller
// and may be called. CallbackAnswered follows.
type WantCallback struct {
	Call   CallID
	Number Number
}

// CallbackMissed says that the customer of a callback was not reached. The agent is free and has no
// part in it.
type CallbackMissed struct {
	Offer OfferID
	Cause Cause
}

func (CallerKey) toQueue()      {}
func (CallerGreeted) toQueue()  {}
func (CallerNamed) toQueue()    {}
func (Announced) toQueue()      {}
func (OfferAccepted) toQueue()  {}
func (WantCallback) toQueue()   {}
func (CallbackMissed) toQueue() {}

// Whisper is what an agent hears before the caller is connected; its zero value is nothing.
type Whisper struct {
	Prompt string    `json:",omitempty"` // names the queue: a recorded announcement, or a sound of the box
	Since  time.Time `json:",omitzero"`  // since when the caller waits; zero: the wait is not said
}

// Callback is the customer whom the agent who takes an Offer shall call.
type Callback struct {
	ID     CallbackID `json:",omitempty"` // empty: the caller is on the line
	Number Number     `json:",omitempty"`
	Name   string     `json:",omitempty"`
}

// Announce asks the call to say something over the music. What is zero is not said.
type Announce struct {
	Call     CallID
	Position int    `json:",omitempty"` // of the caller; 1 is next
	MoreThan int    `json:",omitempty"` // instead of a position: more callers than this are ahead
	Estimate bool   `json:",omitempty"` // say the estimated wait: who sends fills in the two that follow, if anybody knows
	WaitFrom int    `json:",omitempty"` // minutes
	WaitTo   int    `json:",omitempty"`
	Callback rune   `json:",omitempty"` // the key by which the caller can ask to be called back
	Message  string `json:",omitempty"` // a prompt
}

// AskCallback begins the talk with the caller about being called back: the number is confirmed and
// checked, and WantCallback follows if the caller agrees.
type AskCallback struct{ Call CallID }

// CallbackAnswered says whether the place is kept; if so the caller has left the queue and may hang up.
type CallbackAnswered struct {
	Call     CallID
	OK       bool
	Estimate bool `json:",omitempty"` // the wait is expected to go on from now: as in Announce
	WaitFrom int  `json:",omitempty"` // minutes until the call back
	WaitTo   int  `json:",omitempty"` // at most; 0 = nobody knows, and nothing is said
}

// For implements ToCall.
func (m Announce) For() CallID         { return m.Call }
func (m AskCallback) For() CallID      { return m.Call }
func (m CallbackAnswered) For() CallID { return m.Call }

func (Announce) toCall()         {}
func (AskCallback) toCall()      {}
func (CallbackAnswered) toCall() {}

// CallbackChanged reports a request to be called back, from the wish to its end. It is a record:
// journals keep it, and a box that lost its memory takes the open ones up from there.
type CallbackChanged struct {
	Callback   CallbackID      `json:"callback"`
	Queue      QueueID         `json:"queue"`
	State      CallbackState   `json:"state"`
	Outcome    CallbackOutcome `json:"outcome,omitempty"` // of CallbackEnded
	Number     Number          `json:"number"`            // to be called
	Caller     Number          `json:"caller,omitempty"`  // who asked, as the call showed it; empty: withheld
	Name       string          `json:"name,omitempty"`
	Priority   int             `json:"priority,omitempty"`
	Needs      []Need          `json:"needs,omitempty"`
	EnqueuedAt time.Time       `json:"enqueued_at"`        // orders the place
	Asked      time.Time       `json:"asked"`              // when the caller asked
	Promise    time.Time       `json:"promise,omitzero"`   // until when we said to call; zero: nothing was promised
	Expires    time.Time       `json:"expires,omitzero"`   // given up then
	Attempts   int             `json:"attempts,omitempty"` // at which the customer was not reached
	Next       time.Time       `json:"next,omitzero"`      // of a CallbackResting: not before
	Call       CallID          `json:"call,omitempty"`
	Agent      AgentID         `json:"agent,omitempty"`
	At         time.Time       `json:"at"`
}

// CallbackState is where a callback stands.
type CallbackState string

// The states of a callback.
const (
	CallbackWaiting CallbackState = "waiting" // has its place in the queue
	CallbackDialing CallbackState = "dialing" // an agent is on the line, the customer is called
	CallbackResting CallbackState = "resting" // the customer was not reached; until the next attempt
	CallbackEnded   CallbackState = "ended"
)

// CallbackOutcome is how a callback ended.
type CallbackOutcome string

// The outcomes of a callback.
const (
	CallbackReached   CallbackOutcome = "reached"       // the customer talks, or talked, with an agent
	CallbackUnreached CallbackOutcome = "unreached"     // every attempt failed
	CallbackReturned  CallbackOutcome = "caller_called" // the customer called again and has the place
	CallbackExpired   CallbackOutcome = "expired"       // nobody had time for too long
	CallbackDropped   CallbackOutcome = "withdrawn"     // by us, or its queue is gone
)

// Kind implements Event.
func (CallbackChanged) Kind() string { return "callback_changed" }

// AbandonStage is what a caller was doing who gave up.
type AbandonStage string

// The stages of an abandoned wait.
const (
	AbandonGreeting AbandonStage = "greeting" // before the greeting was over
	AbandonWaiting  AbandonStage = "waiting"
	AbandonRinging  AbandonStage = "ringing" // an agent's phone rang
	AbandonWhisper  AbandonStage = "whisper" // an agent had picked up and was being told who waits
)

// MissedChanged reports a row of the work list of callers who were not served, after a change. There is
// one row per number; it closes itself when there is contact.
type MissedChanged struct {
	Number Number        `json:"number"`
	Name   string        `json:"name,omitempty"`
	Queue  QueueID       `json:"queue"` // of the last call
	Call   CallID        `json:"call"`  // the last
	Calls  int           `json:"calls"` // that were not served
	First  time.Time     `json:"first"`
	Last   time.Time     `json:"last"`
	Waited time.Duration `json:"waited"` // the longest of these waits
	Why    MissedReason  `json:"why"`    // of the last call

	Closed MissedClose `json:"closed,omitempty"` // empty: somebody should call
	By     AgentID     `json:"by,omitempty"`     // who had the contact that closed it, as far as known
	At     time.Time   `json:"at"`               // of the change
}

// MissedReason is why a caller was not served.
type MissedReason string

// The reasons.
const (
	MissedAbandoned MissedReason = "abandoned"
	MissedOverflow  MissedReason = "overflow"  // sent on, and nobody answered there
	MissedVoicemail MissedReason = "voicemail" // sent on to a mailbox
	MissedRefused   MissedReason = "refused"   // the queue was full, closed or had nobody
	MissedFailed    MissedReason = "failed"    // our fault or the line's
	MissedCallback  MissedReason = "callback"  // asked to be called back and was not reached
)

// MissedClose is why a row was closed.
type MissedClose string

// The reasons to close a row.
const (
	MissedCalledAgain MissedClose = "called_again" // the caller called and was served
	MissedCalledBack  MissedClose = "called_back"  // one of us called and was answered
	MissedDismissed   MissedClose = "dismissed"    // somebody took it off the list
	MissedTooOld      MissedClose = "too_old"      // the time for which rows are kept is over, or the list is full
)

// Kind implements Event.
func (MissedChanged) Kind() string { return "missed_changed" }
