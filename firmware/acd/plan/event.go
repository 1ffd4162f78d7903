package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Event is what Next reacts to: a message from a call, a command of a person, the passing of time
// or a change of the configuration.
type Event interface {
	// Kind is the stable name under which journals keep the event.
	Kind() string
}

// Told is a message from a call.
type Told struct{ Message tel.ToQueue }

// The commands of agents.
type (
	Login  struct{ Agent tel.AgentID }
	Logout struct{ Agent tel.AgentID }
	Pause  struct { // or change the reason of a pause
		Agent  tel.AgentID
		Reason string
	}
	Resume       struct{ Agent tel.AgentID }
	FinishWrapUp struct{ Agent tel.AgentID }
	ExtendWrapUp struct {
		Agent tel.AgentID
		By    time.Duration
	}
)

// What agents choose beside their state.
type (
	Help struct { // ask for a supervisor, or need none any more
		Agent tel.AgentID
		On    bool
	}
	Serve struct { // exactly these of the queues where the agent is a member; none = all
		Agent  tel.AgentID
		Queues []tel.QueueID
	}
	EnterQueue struct { // serve the queue again
		Agent tel.AgentID
		Queue tel.QueueID
	}
	LeaveQueue struct { // a pause in one queue only
		Agent  tel.AgentID
		Queue  tel.QueueID
		Reason string
	}
	Shift struct { // when the agent goes home; the zero time = nobody knows
		Agent tel.AgentID
		Until time.Time
	}
)

// The commands of supervisors; By names who gave it, for the log and the page.
type (
	ForcePause struct {
		Agent  tel.AgentID
		Reason string
		By     string
	}
	ForceLogout struct {
		Agent tel.AgentID
		By    string
	}
	AddMember struct { // have an agent serve a queue
		Agent tel.AgentID
		Queue tel.QueueID
		By    string
	}
	RemoveMember struct { // until the agent is added again
		Agent tel.AgentID
		Queue tel.QueueID
		By    string
	}
	SetSkills struct { // until the next login; nil = as configured
		Agent  tel.AgentID
		Skills map[string]int
		By     string
	}
	Move struct { // a waiting caller to another queue, with the time waited
		Call  tel.CallID
		Queue tel.QueueID
		By    string
	}
	Assign struct { // a waiting caller to exactly one agent, who may be the one who asks
		Call  tel.CallID
		Agent tel.AgentID
		By    string
	}
)

// Hours opens or closes a queue for callbacks: customers are not called at night. A queue is open
// until told otherwise.
type Hours struct {
	Queue tel.QueueID
	Open  bool
}

// Recall takes up what a power cut made the state forget: callbacks, by their last records, and what was known of
// callers.
type Recall struct {
	Callbacks []tel.CallbackChanged
	Memories  []Memory `json:",omitempty"`
}

// DropCallback ends a request to be called back.
type DropCallback struct{ Callback tel.CallbackID }

// Erase drops what is remembered of callers who do not wait, and the requests of theirs to be called back: they have
// asked to be erased. What is told of their requests names their aliases.
type Erase struct{ Callers []Alias }

// Alias is what stands for the number of a person from now on.
type Alias struct{ Number, Alias tel.Number }

// Tick says only that time has passed.
type Tick struct{}

// Configure replaces the queues and agents. People and callers keep their state.
type Configure struct {
	Queues []QueueSpec
	Agents []AgentSpec
}

// SetZone names the clock by which days begin, as IANA does; empty is UTC.
type SetZone struct{ Zone string }

// Drain has all queues take no new callers for a while; 0: they take them again.
type Drain struct{ For time.Duration }

// Reconcile follows a restart: it makes the state agree with what all calls that survived say of themselves. Calls
// that are not listed did not survive.
type Reconcile struct {
	Calls []tel.Standing `json:",omitempty"`
	// Live are calls that survived and say nothing of themselves, as in the journals of programs before this one: they
	// keep what the state has of them.
	Live []tel.CallID `json:",omitempty"`
}

// ClockMoved says that the wall clock was set: every time in the state moves along, so that order,
// waits and deadlines stay what they were.
type ClockMoved struct{ By time.Duration }

// Kind implements Event.
func (e Told) Kind() string {
	switch e.Message.(type) {
	case tel.Enqueue:
		return "enqueue"
	case tel.CallerGone:
		return "caller_gone"
	case tel.OfferRinging:
		return "offer_ringing"
	case tel.OfferFailed:
		return "offer_failed"
	case tel.OfferSettled:
		return "offer_settled"
	case tel.OfferAnswered:
		return "offer_answered"
	case tel.TalkEnded:
		return "talk_ended"
	case tel.CallerKey:
		return "caller_key"
	case tel.CallerGreeted:
		return "caller_greeted"
	case tel.CallerNamed:
		return "caller_named"
	case tel.Announced:
		return "announced"
	case tel.OfferAccepted:
		return "offer_accepted"
	case tel.WantCallback:
		return "want_callback"
	case tel.CallbackMissed:
		return "callback_missed"
	case tel.AgentEngaged:
		return "agent_engaged"
	case tel.AgentDisengaged:
		return "agent_disengaged"
	case tel.AgentReachable:
		return "agent_reachable"
	case tel.AgentHeld:
		return "agent_held"
	default:
		return fmt.Sprintf("%T", e.Message)
	}
}

// MarshalJSON writes the message alone: its Kind names the type.
func (e Told) MarshalJSON() ([]byte, error) { return json.Marshal(e.Message) }

// Kind implements Event.
func (Login) Kind() string        { return "login" }
func (Logout) Kind() string       { return "logout" }
func (Pause) Kind() string        { return "pause" }
func (Resume) Kind() string       { return "resume" }
func (FinishWrapUp) Kind() string { return "finish_wrap_up" }
func (ExtendWrapUp) Kind() string { return "extend_wrap_up" }
func (Help) Kind() string         { return "help" }
func (Serve) Kind() string        { return "serve" }
func (EnterQueue) Kind() string   { return "enter_queue" }
func (LeaveQueue) Kind() string   { return "leave_queue" }
func (Shift) Kind() string        { return "shift" }
func (ForcePause) Kind() string   { return "force_pause" }
func (ForceLogout) Kind() string  { return "force_logout" }
func (AddMember) Kind() string    { return "add_member" }
func (RemoveMember) Kind() string { return "remove_member" }
func (SetSkills) Kind() string    { return "set_skills" }
func (Move) Kind() string         { return "move" }
func (Assign) Kind() string       { return "assign" }
func (Tick) Kind() string         { return "tick" }
func (Configure) Kind() string    { return "configure" }
func (Reconcile) Kind() string    { return "reconcile" }
func (SetZone) Kind() string      { return "set_zone" }
func (Drain) Kind() string        { return "drain" }
func (ClockMoved) Kind() string   { return "clock_moved" }
func (Hours) Kind() string        { return "hours" }
func (Recall) Kind() string       { return "recall" }
func (DropCallback) Kind() string { return "drop_callback" }
func (Erase) Kind() string        { return "erase" }

// Effect is what the owner of the state must do, in order: Send, Publish or Refuse.
type Effect interface{ effect() }

// Send passes a message to the call that it names.
type Send struct{ Message tel.ToCall }

// Publish tells observers.
type Publish struct{ Event tel.Event }

// Refuse answers a command that could not be carried out; the state did not change for it.
type Refuse struct{ Err error }

func (Send) effect()    {}
func (Publish) effect() {}
func (Refuse) effect()  {}

// MarshalJSON names the message's type beside it.
func (e Send) MarshalJSON() ([]byte, error) {
	kind := "offer"
	switch e.Message.(type) {
	case tel.Withdraw:
		kind = "withdraw"
	case tel.Overflow:
		kind = "overflow"
	case tel.Announce:
		kind = "announce"
	case tel.AskCallback:
		kind = "ask_callback"
	case tel.CallbackAnswered:
		kind = "callback_answered"
	}
	return json.Marshal(map[string]any{"send": kind, "body": e.Message})
}

// MarshalJSON names the event's kind beside it.
func (e Publish) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"publish": e.Event.Kind(), "body": e.Event})
}

// MarshalJSON writes the error's text.
func (e Refuse) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"refuse": e.Err.Error()})
}

// Reasons for which a command is refused.
var (
	ErrUnknownAgent    = errors.New("no such agent")
	ErrLoggedOut       = errors.New("the agent is logged out")
	ErrNotPaused       = errors.New("the agent is not paused")
	ErrNoWrapUp        = errors.New("the agent is not in after-call work")
	ErrExtension       = errors.New("after-call work cannot be extended by that much")
	ErrConfig          = errors.New("queue configuration refused")
	ErrUnknownQueue    = errors.New("no such queue")
	ErrNotMember       = errors.New("the agent is not a member of the queue")
	ErrTakenOut        = errors.New("a supervisor has taken the agent out of the queue")
	ErrNoCaller        = errors.New("the call does not wait in a queue")
	ErrSameQueue       = errors.New("the call waits in that queue already")
	ErrUnreachable     = errors.New("no phone of the agent is registered")
	ErrBusy            = errors.New("the agent has a call")
	ErrUnknownCallback = errors.New("no such callback")
)

// Key names one entity of the state for incremental snapshots.
type Key struct {
	Kind string // "agent", "entry", "offer", "queue", "memory", "callback" or "meta"
	ID   string
}

// String is the key under which a journal keeps the entity.
func (k Key) String() string { return k.Kind + "/" + k.ID }
