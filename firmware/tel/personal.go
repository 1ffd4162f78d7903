package tel

import "time"

// PersonalChanged reports what a person has set from a phone or the page, after a change.
type PersonalChanged struct {
	Agent       AgentID   `json:"agent"`
	DND         bool      `json:"dnd"`
	CallWaiting bool      `json:"call_waiting"`
	Always      string    `json:"always,omitempty"` // destinations of the forwards
	Busy        string    `json:"busy,omitempty"`
	NoAnswer    string    `json:"no_answer,omitempty"`
	Unreachable string    `json:"unreachable,omitempty"`
	At          time.Time `json:"at"`
}

// HoursForced reports that somebody forced opening hours open or closed, or let them be.
type HoursForced struct {
	Hours string    `json:"hours"`
	State string    `json:"state"` // "open", "closed", or empty: the table decides
	At    time.Time `json:"at"`
}

// SeatChanged reports who uses a hot desk's phone now; an empty agent left it.
type SeatChanged struct {
	Device DeviceID  `json:"device"`
	Agent  AgentID   `json:"agent,omitempty"`
	At     time.Time `json:"at"`
}

// TollAlarm reports that the guard refused a call to the outside, or ended one.
type TollAlarm struct {
	Why    string    `json:"why"`              // the guard's word, e.g. "hour_money"
	Of     string    `json:"of"`               // whose limit: "person:ID", "trunk:ID", "line:ID" or "box"
	Call   CallID    `json:"call,omitempty"`   // the call that was refused or ended
	Number string    `json:"number,omitempty"` // masked
	Ended  bool      `json:"ended,omitempty"`  // a call that was up was ended
	At     time.Time `json:"at"`
}

// Kind implements Event.
func (PersonalChanged) Kind() string { return "personal_changed" }
func (HoursForced) Kind() string     { return "hours_forced" }
func (SeatChanged) Kind() string     { return "seat_changed" }
func (TollAlarm) Kind() string       { return "toll_alarm" }
