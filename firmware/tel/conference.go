package tel

import "time"

// ConferenceID names a conference room of the configuration.
type ConferenceID string

// ToConference is a message from a call to the owner of the conference rooms.
type ToConference interface{ toConference() }

// EnterConference asks for a seat in a room; Seated or SeatRefused answers. A call that has a seat already gets
// it again, with the leg that it has now.
type EnterConference struct {
	Call       CallID
	Conference ConferenceID
	Leg        LegID
	Party      string // "phone:201", "trunk:tim"
	Number     Number
	Name       string
	Agent      AgentID
	Leader     bool
	Again      bool // after a restart of the process: the others are not told
	Refused    bool // the party has refused to be recorded, in the call that brings it here
}

// LeaveConference gives the seat back; for a call without one it is nothing.
type LeaveConference struct {
	Call       CallID
	Conference ConferenceID
}

// ConferenceKey is a key that a party has pressed in the room.
type ConferenceKey struct {
	Call       CallID
	Conference ConferenceID
	Key        rune
}

// ConferenceHeld says that a party's phone holds the room, and its music must not be heard there; or is back.
type ConferenceHeld struct {
	Call       CallID
	Conference ConferenceID
	Held       bool
}

// ConferenceSaid says that words which a party was told in the room are over.
type ConferenceSaid struct {
	Call       CallID
	Conference ConferenceID
}

func (ConferenceSaid) toConference()  {}
func (EnterConference) toConference() {}
func (LeaveConference) toConference() {}
func (ConferenceKey) toConference()   {}
func (ConferenceHeld) toConference()  {}

// Seated says that the call has its seat, and hears the room.
type Seated struct{ Call CallID }

// SeatRefused says that the call gets no seat.
type SeatRefused struct {
	Call CallID
	Why  SeatEnd
}

// SeatEnded says that the call has lost its seat.
type SeatEnded struct {
	Call CallID
	Why  SeatEnd
}

// ConferenceSays lets one party hear words, over the music if it hears any; or the music itself.
type ConferenceSays struct {
	Call  CallID
	Names []string // of sounds; none: the music stops
	Loop  bool
}

// ConferenceTaped says that what the party says in the room is recorded from now on, or, with a reason or a failure, no
// more. One of a chain without a part is about all parts of the chain.
type ConferenceTaped struct {
	Call      CallID
	ID, Chain string
	Why       string // as Recorded has it
	Failed    string
}

// SeatEnd is why a party gets no seat, or has none any more.
type SeatEnd string

// The reasons.
const (
	SeatFull    SeatEnd = "full"    // as many parties as the room takes
	SeatLocked  SeatEnd = "locked"  // the leader lets nobody in any more
	SeatGone    SeatEnd = "gone"    // there is no such room, or no more
	SeatRemoved SeatEnd = "removed" // by the leader or at the page
	SeatOver    SeatEnd = "over"    // the leader, or the page, has ended the conference
)

// For implements ToCall.
func (m Seated) For() CallID         { return m.Call }
func (m SeatRefused) For() CallID    { return m.Call }
func (m SeatEnded) For() CallID      { return m.Call }
func (m ConferenceSays) For() CallID { return m.Call }

// For implements ToCall.
func (m ConferenceTaped) For() CallID { return m.Call }

func (Seated) toCall()          {}
func (SeatRefused) toCall()     {}
func (SeatEnded) toCall()       {}
func (ConferenceSays) toCall()  {}
func (ConferenceTaped) toCall() {}

// ConferenceChanged is a conference room as it is now, for observers. One without members is empty.
type ConferenceChanged struct {
	Conference ConferenceID       `json:"conference"`
	Name       string             `json:"name"`
	Since      time.Time          `json:"since,omitzero"`    // of the first member
	Waits      bool               `json:"waits,omitempty"`   // for its leader
	Locked     bool               `json:"locked,omitempty"`  // nobody comes in any more
	Members    []ConferenceMember `json:"members,omitempty"` // in the order in which they came

	Recording  string `json:"recording,omitempty"`  // on, paused; empty: it is not recorded now
	Recordable bool   `json:"recordable,omitempty"` // somebody may begin and end that
	Asked      bool   `json:"asked,omitempty"`      // and has begun it
}

// ConferenceMember is one party in a conference room.
type ConferenceMember struct {
	Call     CallID    `json:"call"`
	Party    string    `json:"party"`
	Number   Number    `json:"number,omitempty"`
	Name     string    `json:"name,omitempty"`
	Agent    AgentID   `json:"agent,omitempty"`
	Since    time.Time `json:"since"`
	Leader   bool      `json:"leader,omitempty"`
	Muted    bool      `json:"muted,omitempty"`
	Held     bool      `json:"held,omitempty"` // by its own phone
	Speaking bool      `json:"speaking,omitempty"`
}

// Kind implements Event.
func (ConferenceChanged) Kind() string { return "conference_changed" }
