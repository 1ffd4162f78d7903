package tel

import "time"

// SupervisionMode is what a supervisor does in the conversation of an agent.
type SupervisionMode string

// The modes.
const (
	SuperviseListen   SupervisionMode = "listen"    // hears both, is heard by nobody
	SuperviseWhisper  SupervisionMode = "whisper"   // is heard by the agent alone
	SuperviseBarge    SupervisionMode = "barge"     // is heard by all
	SuperviseTakeOver SupervisionMode = "take_over" // talks in the agent's place, who leaves
)

// SupervisionModes lists every mode.
func SupervisionModes() []SupervisionMode {
	return []SupervisionMode{SuperviseListen, SuperviseWhisper, SuperviseBarge, SuperviseTakeOver}
}

// Supervision is one span of time in which somebody took part in the conversation of an agent in one
// mode, or an attempt at it that was refused. The record of the call keeps every one (art. 4 of the
// Italian law 300/1970, GDPR art. 5: who is monitored can see by whom, when and on what ground).
type Supervision struct {
	Leg   LegID           `json:"leg,omitempty"` // of the supervisor; empty: refused
	Call  CallID          `json:"call,omitempty"`
	By    AgentID         `json:"by"`
	Party string          `json:"party,omitempty"` // the supervisor's phone: "phone:201"
	Agent AgentID         `json:"agent"`           // who is supervised
	Queue QueueID         `json:"queue,omitempty"` // that the call came from
	Mode  SupervisionMode `json:"mode"`
	From  time.Time       `json:"from"`
	To    time.Time       `json:"to,omitzero"`
	Basis string          `json:"basis,omitempty"` // the legal basis, as the configuration of that moment named it
	Why   SupervisionEnd  `json:"why,omitempty"`   // how it ended, or why it was refused
}

// SupervisionEnd is how a span of supervision ended, or why none began.
type SupervisionEnd string

// The ends and the refusals.
const (
	SupervisionLeft      SupervisionEnd = "left"       // the supervisor hung up
	SupervisionCallEnded SupervisionEnd = "call_ended" // the call did
	SupervisionModeEnded SupervisionEnd = "mode"       // it goes on in another mode
	SupervisionMoved     SupervisionEnd = "moved"      // the agent left the call
	SupervisionTaken     SupervisionEnd = "taken_over" // the supervisor talks in the agent's place
	SupervisionLost      SupervisionEnd = "lost"       // the supervisor's phone was gone after a restart

	SupervisionNoBasis   SupervisionEnd = "no_basis"  // no legal basis is recorded
	SupervisionExpired   SupervisionEnd = "expired"   // it holds no more, or not yet
	SupervisionNotYours  SupervisionEnd = "not_yours" // this person may not supervise that one
	SupervisionNoMode    SupervisionEnd = "no_mode"   // not in this mode
	SupervisionEmergency SupervisionEnd = "emergency" // nobody listens to a call for help
)

// SupervisionStarted reports that somebody takes part in an agent's conversation from now on. Another
// one of the same leg in the same call replaces it. Where a customer and who listens go on in another
// call, the start there may be told before the end here.
type SupervisionStarted struct{ Supervision }

// SupervisionEnded reports the end of what a SupervisionStarted of the same leg and call began, if one did: to
// take a call over takes no time.
type SupervisionEnded struct{ Supervision }

// SupervisionRefused reports an attempt that was turned away.
type SupervisionRefused struct{ Supervision }

// Kind implements Event.
func (SupervisionStarted) Kind() string { return "supervision_started" }
func (SupervisionEnded) Kind() string   { return "supervision_ended" }
func (SupervisionRefused) Kind() string { return "supervision_refused" }

// RTPTraceChanged says whether the RTP of the calls of one phone, trunk or line is kept in memory for traces, by
// permission of the owner: everybody whom it may concern can see it while it is so.
type RTPTraceChanged struct {
	On     bool      `json:"on"`
	Of     string    `json:"of"`   // "phone:201", "trunk:tim" or "line:gsm0"
	Name   string    `json:"name"` // of it
	Agents []AgentID `json:"agents,omitempty"`
	By     string    `json:"by,omitempty"` // who has permitted it
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"` // by the clock of now
}

// Kind implements Event.
func (RTPTraceChanged) Kind() string { return "rtp_trace_changed" }
