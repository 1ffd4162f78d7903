package tel

import "time"

// Standing is all that a call which an earlier process left says of itself to the queues' owner. Both wrote down
// their own part, and a kill between two writes, or between a write and its message, leaves one of them behind. What
// the standings of all calls say holds: what they do not say is over.
type Standing struct {
	Call  CallID
	Waits *Enqueue        `json:",omitempty"` // its place in a queue, past the greeting; nil: it does not wait
	Holds []HeldOffer     `json:",omitempty"` // agents who have picked up for a queue; what still rang is hung up
	On    []EngagedOnCall `json:",omitempty"` // agents who are in it, and came from no queue
}

// HeldOffer is an offer whose agent is on the line.
type HeldOffer struct {
	Offer    OfferID
	Queue    QueueID
	Agent    AgentID    // who has picked up
	Callback CallbackID `json:",omitempty"` // the request of the customer who is called back
	Talking  bool       // with the caller or customer; false: the customer is still being called
	Since    time.Time  `json:",omitzero"` // since when they talk
	Held     bool       // the agent has put the other on hold
}

// EngagedOnCall is AgentEngaged, and whether the agent has put the other on hold.
type EngagedOnCall struct {
	AgentEngaged
	Held bool
}
