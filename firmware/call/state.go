package call

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// stateVersion is written into each snapshot.
const stateVersion = 1

// State is everything a call is, as one plain value.
type State struct {
	V         int           `json:"v"`
	Call      tel.CallID    `json:"call"`
	Direction tel.Direction `json:"direction"`
	From      tel.Number    `json:"from"`
	FromName  string        `json:"from_name,omitempty"`
	To        tel.Number    `json:"to"`
	Language  string        `json:"language"`

	Stage  tel.CallStage `json:"stage"`
	Since  time.Time     `json:"since"` // of the stage
	Caller LegState      `json:"caller"`
	Groups []Group       `json:"groups,omitempty"` // what rings for the caller
	Peer   *LegState     `json:"peer,omitempty"`   // who talks with the caller
	Early  tel.LegID     `json:"early,omitempty"`  // whose audio the caller hears before the answer

	Queue     tel.QueueID `json:"queue,omitempty"`
	Priority  int         `json:"priority,omitempty"`
	Offer     tel.OfferID `json:"offer,omitempty"` // of the conversation
	Agent     tel.AgentID `json:"agent,omitempty"` // who talks
	CallerIs  tel.AgentID `json:"caller_is,omitempty"`
	Vias      []Attempt   `json:"vias,omitempty"` // outside routes not yet tried
	Emergency bool        `json:"emergency,omitempty"`
	LastCause tel.Cause   `json:"last_cause,omitempty"`
	HangAfter bool        `json:"hang_after,omitempty"` // end when the prompt is over

	Started  time.Time `json:"started"`
	Enqueued time.Time `json:"enqueued,omitzero"`
	Answered time.Time `json:"answered,omitzero"`

	Recovered bool `json:"recovered,omitempty"`
}

// LegState is what a call remembers of a leg.
type LegState struct {
	ID    tel.LegID `json:"id"`
	Party string    `json:"party"`
	Ref   string    `json:"ref"`
	Up    bool      `json:"up,omitempty"` // answered
	Held  bool      `json:"held,omitempty"`
}

// Group is one attempt: legs that ring together, of which one may win.
type Group struct {
	Key      string      `json:"key"` // the offer, or "direct" or "out"
	Offer    tel.OfferID `json:"offer,omitempty"`
	Agent    tel.AgentID `json:"agent,omitempty"`
	Legs     []LegState  `json:"legs"`
	Deadline time.Time   `json:"deadline"`
	Rang     bool        `json:"rang,omitempty"`
}

// Snapshot encodes the state.
func (s *State) Snapshot() ([]byte, error) {
	s.V = stateVersion
	return json.Marshal(s)
}

// Restore decodes what Snapshot wrote.
func Restore(b []byte) (State, error) {
	var s State
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("restore a call: %w", err)
	}
	if s.V != stateVersion {
		return s, fmt.Errorf("restore a call: version %d, this program knows %d", s.V, stateVersion)
	}
	return s, nil
}

// leg finds a leg of the call by id; group is -1 for the caller and the peer.
func (s *State) leg(id tel.LegID) (leg *LegState, group int) {
	if s.Caller.ID == id {
		return &s.Caller, -1
	}
	if s.Peer != nil && s.Peer.ID == id {
		return s.Peer, -1
	}
	for g := range s.Groups {
		for i := range s.Groups[g].Legs {
			if s.Groups[g].Legs[i].ID == id {
				return &s.Groups[g].Legs[i], g
			}
		}
	}
	return nil, -1
}

// group finds an attempt by key.
func (s *State) group(key string) int {
	for i := range s.Groups {
		if s.Groups[i].Key == key {
			return i
		}
	}
	return -1
}

// changed is what observers see of the state.
func (s *State) changed() tel.CallChanged {
	return tel.CallChanged{
		Call: s.Call, Stage: s.Stage, Direction: s.Direction, From: s.From, To: s.To,
		Via: s.Caller.Party, Queue: s.Queue, Agent: s.Agent, Since: s.Since,
	}
}
