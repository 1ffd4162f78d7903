package tel

import "time"

// VoicemailLeft reports a message that is safe in a mailbox. It is a record: journals keep it.
type VoicemailLeft struct {
	Box     Number        `json:"box"`
	Message string        `json:"message"`
	Call    CallID        `json:"call,omitempty"`
	From    Number        `json:"from,omitempty"`
	Name    string        `json:"name,omitempty"`
	At      time.Time     `json:"at"`
	Length  time.Duration `json:"length"`
}

// VoicemailChanged reports how many messages a mailbox holds (RFC 3842).
type VoicemailChanged struct {
	Box Number    `json:"box"`
	New int       `json:"new"`
	Old int       `json:"old"`
	At  time.Time `json:"at"`
}

// Kind implements Event.
func (VoicemailLeft) Kind() string    { return "voicemail_left" }
func (VoicemailChanged) Kind() string { return "voicemail_changed" }
