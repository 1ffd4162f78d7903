package tel

import "time"

// Event is something that happened, for observers only (page, lamps, records, webhooks). Nobody
// commands by event. Each concrete type below is one kind; its JSON is what journals keep.
type Event interface {
	// Kind is the stable name of the type, e.g. "agent_changed".
	Kind() string
}

// AgentChanged reports the state of one agent after a change.
type AgentChanged struct {
	Agent  AgentID    `json:"agent"`
	Name   string     `json:"name"`
	State  AgentState `json:"state"`
	Since  time.Time  `json:"since"`
	Call   CallID     `json:"call,omitempty"`
	Queue  QueueID    `json:"queue,omitempty"`
	Reason string     `json:"reason,omitempty"` // pause reason
}

// QueueJoined reports a caller who got a place.
type QueueJoined struct {
	Queue    QueueID   `json:"queue"`
	Call     CallID    `json:"call"`
	Caller   Number    `json:"caller"`
	Name     string    `json:"name,omitempty"`
	At       time.Time `json:"at"` // original enqueue time
	Priority int       `json:"priority,omitempty"`
}

// QueueOffered reports that an agent rings for a waiting caller.
type QueueOffered struct {
	Queue QueueID   `json:"queue"`
	Call  CallID    `json:"call"`
	Offer OfferID   `json:"offer"`
	Agent AgentID   `json:"agent"`
	At    time.Time `json:"at"`
	Why   string    `json:"why,omitempty"` // why this agent, in the planner's words
}

// QueueOfferEnded reports that an offer ended without an answer.
type QueueOfferEnded struct {
	Queue QueueID   `json:"queue"`
	Call  CallID    `json:"call"`
	Offer OfferID   `json:"offer"`
	Agent AgentID   `json:"agent"`
	Cause Cause     `json:"cause"`
	At    time.Time `json:"at"`
}

// QueueLeft reports the end of a wait and is the queue record of the call.
type QueueLeft struct {
	Queue   QueueID      `json:"queue"`
	Call    CallID       `json:"call"`
	Caller  Number       `json:"caller"`
	Joined  time.Time    `json:"joined"`
	Left    time.Time    `json:"left"`
	Outcome QueueOutcome `json:"outcome"`
	Agent   AgentID      `json:"agent,omitempty"`
	Offers  int          `json:"offers"`
	To      string       `json:"to,omitempty"` // overflow destination
}

// QueueOutcome is how a wait ended.
type QueueOutcome string

// The outcomes of a wait.
const (
	OutcomeAnswered  QueueOutcome = "answered"
	OutcomeAbandoned QueueOutcome = "abandoned"
	OutcomeOverflow  QueueOutcome = "overflow"
	OutcomeRefused   QueueOutcome = "refused" // the queue was full, closed or had nobody
	OutcomeFailed    QueueOutcome = "failed"  // our fault or the line's
)

// CallChanged reports one call after a change, for live views.
type CallChanged struct {
	Call      CallID    `json:"call"`
	Stage     CallStage `json:"stage"`
	Direction Direction `json:"direction"`
	From      Number    `json:"from"`
	To        Number    `json:"to"`
	Via       string    `json:"via,omitempty"` // "trunk:tim", "line:gsm0", "phone:201"
	Queue     QueueID   `json:"queue,omitempty"`
	Agent     AgentID   `json:"agent,omitempty"`
	Since     time.Time `json:"since"`
}

// CallStage is where a call stands.
type CallStage string

// The stages of a call.
const (
	StageRouting  CallStage = "routing"
	StageGreeting CallStage = "greeting"
	StageWaiting  CallStage = "waiting"
	StageRinging  CallStage = "ringing"
	StageTalking  CallStage = "talking"
	StageEnded    CallStage = "ended"
)

// Direction is seen from the box.
type Direction string

// The directions.
const (
	Inbound  Direction = "in"
	Outbound Direction = "out"
	Internal Direction = "internal"
)

// CallEnded is the call detail record, written once when the last leg is gone.
type CallEnded struct {
	Call      CallID    `json:"call"`
	Direction Direction `json:"direction"`
	From      Number    `json:"from"`
	To        Number    `json:"to"`
	In        string    `json:"in"`            // where it came from: "trunk:tim", "line:gsm0", "phone:201"
	Out       string    `json:"out,omitempty"` // where it was answered
	Queue     QueueID   `json:"queue,omitempty"`
	Agent     AgentID   `json:"agent,omitempty"`
	Started   time.Time `json:"started"`
	Answered  time.Time `json:"answered,omitzero"` // when the caller was connected with a person
	Ended     time.Time `json:"ended"`
	Cause     Cause     `json:"cause"`
	EndedBy   string    `json:"ended_by,omitempty"` // "caller", "callee", "box"
	Recovered bool      `json:"recovered,omitempty"`
	Media     []LegNote `json:"media,omitempty"`
}

// LegNote sums up the audio of one leg.
type LegNote struct {
	Leg      LegID  `json:"leg"`
	Party    string `json:"party"`
	Codec    string `json:"codec,omitempty"`
	Received uint64 `json:"received"`
	Sent     uint64 `json:"sent"`
	Lost     uint64 `json:"lost"`
}

// LineChanged reports the health of a trunk or a line.
type LineChanged struct {
	Line     string    `json:"line"` // "trunk:tim" or "line:gsm0"
	Name     string    `json:"name"`
	Type     string    `json:"type"` // "sip", "gsm", "fxo"
	Up       bool      `json:"up"`
	Cause    LineCause `json:"cause"`
	Calls    int       `json:"calls"`
	Operator string    `json:"operator,omitempty"`
	Signal   int       `json:"signal,omitempty"` // dBm, 0 = unknown
	Since    time.Time `json:"since"`
}

// LineCause is one of the closed list of reasons that the page explains.
type LineCause string

// The causes that issue A can produce; the list grows with the drivers.
const (
	LineOK          LineCause = "ok"
	LineInUse       LineCause = "in_use"
	LineRegistering LineCause = "registering"
	LineDisabled    LineCause = "disabled"
	LineDNSFailed   LineCause = "dns_failed"
	LineUnreachable LineCause = "unreachable"
	LineRefused     LineCause = "refused_credentials"
	LineWrongDomain LineCause = "wrong_domain"
	LineNoModem     LineCause = "modem_missing"
	LineModemMute   LineCause = "modem_mute"
	LineNoSIM       LineCause = "sim_missing"
	LineSIMPIN      LineCause = "sim_pin"
	LineSearching   LineCause = "searching"
	LineDenied      LineCause = "registration_denied"
	LineAudioFault  LineCause = "audio_fault"
	LineRestarting  LineCause = "restarting"

	LineRefusedNumber        LineCause = "refused_number"         // of a call out: the presented or the dialled one
	LineTooManyRegistrations LineCause = "too_many_registrations" // somebody else uses the account, too
	LineExpiredEarly         LineCause = "expired_early"          // the carrier forgot a registration before its time
	LineOneWayAudio          LineCause = "nat_one_way_audio"
	LineCodecMismatch        LineCause = "codec_mismatch"
	LineTLSUntrusted         LineCause = "tls_untrusted"
	LineCarrierDown          LineCause = "carrier_down" // registered, and no call gets through
	LineSpendLimit           LineCause = "spend_limit"
)

// DeviceChanged reports the registration of one phone.
type DeviceChanged struct {
	Device    DeviceID  `json:"device"`
	Reachable bool      `json:"reachable"`
	WeakAuth  bool      `json:"weak_auth,omitempty"` // registered with MD5 digest
	Address   string    `json:"address,omitempty"`
	UserAgent string    `json:"user_agent,omitempty"`
	At        time.Time `json:"at"`
}

// LampChanged reports what a lamp shows.
type LampChanged struct {
	Lamp  LampID     `json:"lamp"`
	Agent AgentID    `json:"agent,omitempty"`
	State AgentState `json:"state"`
	Fault bool       `json:"fault,omitempty"` // the light's driver reports an error
	At    time.Time  `json:"at"`
}

// HealthChanged reports one named condition.
type HealthChanged struct {
	Condition string    `json:"condition"`
	OK        bool      `json:"ok"`
	Severity  string    `json:"severity"` // "info", "warn", "error"
	Text      string    `json:"text,omitempty"`
	Since     time.Time `json:"since"`
}

// FiguresChanged reports the day's figures after a call or a wait has ended.
type FiguresChanged struct {
	Calls       int           `json:"calls"`        // from and to outside
	Answered    int           `json:"answered"`     // waits that an agent ended
	Lost        int           `json:"lost"`         // waits that the caller gave up
	AverageWait time.Duration `json:"average_wait"` // of the answered
}

// Kind implements Event.
func (AgentChanged) Kind() string    { return "agent_changed" }
func (QueueJoined) Kind() string     { return "queue_joined" }
func (QueueOffered) Kind() string    { return "queue_offered" }
func (QueueOfferEnded) Kind() string { return "queue_offer_ended" }
func (QueueLeft) Kind() string       { return "queue_left" }
func (CallChanged) Kind() string     { return "call_changed" }
func (CallEnded) Kind() string       { return "call_ended" }
func (LineChanged) Kind() string     { return "line_changed" }
func (DeviceChanged) Kind() string   { return "device_changed" }
func (LampChanged) Kind() string     { return "lamp_changed" }
func (HealthChanged) Kind() string   { return "health_changed" }
func (FiguresChanged) Kind() string  { return "figures_changed" }

// LineCauses lists every cause, in the order declared.
func LineCauses() []LineCause {
	return []LineCause{
		LineOK, LineInUse, LineRegistering, LineDisabled, LineDNSFailed, LineUnreachable, LineRefused, LineWrongDomain,
		LineNoModem, LineModemMute, LineNoSIM, LineSIMPIN, LineSearching, LineDenied, LineAudioFault, LineRestarting,
		LineRefusedNumber, LineTooManyRegistrations, LineExpiredEarly, LineOneWayAudio, LineCodecMismatch, LineTLSUntrusted,
		LineCarrierDown, LineSpendLimit,
	}
}
