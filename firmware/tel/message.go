package tel

import "time"

// The messages between calls and queues. call and acd do not import each other: appliance hands
// these from one mailbox to the other. Each is a plain value, safe to copy and to journal.

// ToQueue is a message from a call to the queues' owner.
type ToQueue interface{ toQueue() }

// Enqueue asks for a place. EnqueuedAt is the time that orders the queue; a call that comes back
// from an overflow or a restart keeps its first one.
type Enqueue struct {
	Call       CallID
	Queue      QueueID
	Caller     Number
	Name       string
	Priority   int
	EnqueuedAt time.Time

	Needs []Need `json:",omitempty"` // what this call asks of an agent beyond what the queue asks
}

// Need is a skill that a caller asks of an agent, for example a language, and how well the agent
// must have it.
type Need struct {
	Skill string `json:"skill"`
	Level int    `json:"level"` // 1 to 10
}

// CallerGone says the waiting caller hung up or left by key.
type CallerGone struct {
	Call  CallID
	Cause Cause
}

// OfferRinging says that at least one device of the agent rings.
type OfferRinging struct{ Offer OfferID }

// OfferFailed says that the agent will not take this offer: busy, declined, no answer, unreachable.
type OfferFailed struct {
	Offer OfferID
	Cause Cause
}

// OfferSettled answers Withdraw: no phone rings for this offer any more, or none ever did. The queue's owner
// waits for it no longer than SettleWithin.
type OfferSettled struct{ Offer OfferID }

// SettleWithin bounds how long an agent is kept from other callers because a phone may still ring for an
// offer that was withdrawn: a CANCEL waits for the phone's first answer (RFC 3261 section 9.1).
const SettleWithin = 2 * time.Second

// OfferAnswered says that this offer's agent talks with the caller now; the call has already
// decided that this answer won, every other offer of the call is void.
type OfferAnswered struct{ Offer OfferID }

// TalkEnded says that the conversation of this offer is over; wrap-up starts.
type TalkEnded struct {
	Offer OfferID
	Cause Cause
}

// AgentEngaged says that the agent is on a call which did not come from a queue.
type AgentEngaged struct {
	Agent    AgentID
	Call     CallID
	Internal bool // with a colleague
	Outbound bool // to the outside, made by the agent
}

// AgentHeld follows the hold key: the agent has put the other of this call on hold, or taken the
// other back.
type AgentHeld struct {
	Agent AgentID
	Call  CallID
	Held  bool
}

// AgentDisengaged ends AgentEngaged.
type AgentDisengaged struct {
	Agent AgentID
	Call  CallID
}

// AgentReachable follows the registrations of the agent's devices, and whether they answer.
type AgentReachable struct {
	Agent     AgentID
	Reachable bool
	Silent    bool `json:",omitempty"` // not reachable: phones are registered, but none answers
}

func (Enqueue) toQueue()         {}
func (CallerGone) toQueue()      {}
func (OfferRinging) toQueue()    {}
func (OfferFailed) toQueue()     {}
func (OfferSettled) toQueue()    {}
func (OfferAnswered) toQueue()   {}
func (TalkEnded) toQueue()       {}
func (AgentEngaged) toQueue()    {}
func (AgentDisengaged) toQueue() {}
func (AgentReachable) toQueue()  {}
func (AgentHeld) toQueue()       {}

// ToCall is a message from the queues' owner to one call.
type ToCall interface {
	toCall()
	// For names the call that shall get the message.
	For() CallID
}

// Offer asks the call to ring the agent's devices for at most Ring.
type Offer struct {
	Offer OfferID
	Call  CallID
	Queue QueueID
	Agent AgentID
	Ring  time.Duration

	Whisper  Whisper  `json:",omitzero"` // said to the agent before the bridge
	Callback Callback `json:",omitzero"` // the agent shall call this customer
}

// Withdraw asks the call to stop ringing for an offer, and to say when nothing rings any more (OfferSettled).
type Withdraw struct {
	Offer OfferID
	Call  CallID
	Agent AgentID `json:",omitempty"`
	Cause Cause
}

// Overflow sends the waiting call on to another destination of the dial plan.
type Overflow struct {
	Call CallID
	To   string // a destination as the dial plan writes it, e.g. "queue:support" or "ext:201"
	Why  string // closed list: "max_wait", "queue_full", "no_agents", "no_members", "no_skill", "closed", "exit_key", "moved"
}

// For implements ToCall.
func (m Offer) For() CallID    { return m.Call }
func (m Withdraw) For() CallID { return m.Call }
func (m Overflow) For() CallID { return m.Call }

func (Offer) toCall()    {}
func (Withdraw) toCall() {}
func (Overflow) toCall() {}

// PriorityVIP is what a caller on the list of those who always pass has above others of the queue. A
// queue for emergencies has a greater one of its own.
const PriorityVIP = 1000
