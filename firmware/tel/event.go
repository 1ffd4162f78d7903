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
	Reason string     `json:"reason,omitempty"` // of a pause or a logout
	By     string     `json:"by,omitempty"`     // who paused or logged out the agent, if not the agent
	Until  time.Time  `json:"until,omitzero"`   // when the after-call work ends
	Help   bool       `json:"help,omitempty"`   // the agent asks for a supervisor
}

// AgentInterval is one interval of an agent's day, told once when it has ended: a report is a sum over
// them. A change of the reason of a pause ends one and begins the next.
type AgentInterval struct {
	Agent  AgentID    `json:"agent"`
	State  AgentState `json:"state"`
	Call   CallID     `json:"call,omitempty"`
	Queue  QueueID    `json:"queue,omitempty"`
	Reason string     `json:"reason,omitempty"`
	From   time.Time  `json:"from"`
	To     time.Time  `json:"to"`
}

// MembershipChanged reports that an agent serves a queue, or does not although logged in.
type MembershipChanged struct {
	Queue   QueueID   `json:"queue"`
	Agent   AgentID   `json:"agent"`
	Serving bool      `json:"serving"`
	Reason  string    `json:"reason,omitempty"`
	By      string    `json:"by,omitempty"` // the supervisor who decided so; empty: the agent
	At      time.Time `json:"at"`
}

// QueueStaffed reports that the last agent who could take a queue's calls has left, or that one is
// back.
type QueueStaffed struct {
	Queue   QueueID   `json:"queue"`
	Name    string    `json:"name,omitempty"`
	Staffed bool      `json:"staffed"`
	At      time.Time `json:"at"`
}

// QueueJoined reports a caller who got a place.
type QueueJoined struct {
	Queue    QueueID   `json:"queue"`
	Call     CallID    `json:"call"`
	Caller   Number    `json:"caller"`
	Name     string    `json:"name,omitempty"`
	At       time.Time `json:"at"`           // original enqueue time
	Due      time.Time `json:"due,omitzero"` // with the priority, by this stand the callers of all queues in line
	Priority int       `json:"priority,omitempty"`
	Needs    []Need    `json:"needs,omitempty"` // what the caller asks of an agent, before time relaxes it
}

// WaitExpected reports how long a caller has probably still to wait: eight of ten waits end between From and
// To, in whole minutes. Both are 0 where it is not known; To alone is 0 where the wait may have no end.
type WaitExpected struct {
	Queue QueueID `json:"queue"`
	Call  CallID  `json:"call"`
	From  int     `json:"from,omitempty"`
	To    int     `json:"to,omitempty"`
}

// QueueOffered reports that an agent rings for a waiting caller.
type QueueOffered struct {
	Queue QueueID   `json:"queue"`
	Call  CallID    `json:"call"`
	Offer OfferID   `json:"offer"`
	Agent AgentID   `json:"agent"`
	At    time.Time `json:"at"`
	// Why this agent. Records of before it had codes have a sentence under another name.
	Why OfferReason `json:"because,omitzero"`
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
	Arrived time.Time    `json:"arrived,omitzero"` // in this queue; Joined may be of one before it, or of an earlier call
	Agent   AgentID      `json:"agent,omitempty"`
	Offers  int          `json:"offers"`
	Rang    []AgentID    `json:"rang,omitempty"`  // whose phones rang, each once, in their order; of very many the first
	To      string       `json:"to,omitempty"`    // overflow destination
	Why     string       `json:"why,omitempty"`   // of one who was sent on, as Overflow says it
	Stage   AbandonStage `json:"stage,omitempty"` // of an abandoned wait
	Short   bool         `json:"short,omitempty"` // abandoned so soon that it hardly was a wait
	// Callback names the request that keeps the place of a wait which ended as one.
	Callback CallbackID `json:"callback,omitempty"`
}

// QueueOutcome is how a wait ended. Each place that was given (QueueJoined) ends with exactly one, so
// that entered = answered + abandoned + timed out + exit key + empty + callback + withdrawn + failed +
// waiting; who is refused has not entered.
type QueueOutcome string

// The outcomes of a wait.
const (
	OutcomeAnswered  QueueOutcome = "answered"
	OutcomeAbandoned QueueOutcome = "abandoned"
	OutcomeTimedOut  QueueOutcome = "timed_out" // the longest wait was over
	OutcomeExitKey   QueueOutcome = "exit_key"  // the caller pressed the key to leave
	OutcomeEmpty     QueueOutcome = "empty"     // no agent could take a call for too long
	OutcomeCallback  QueueOutcome = "callback"  // the caller hung up and is called back
	OutcomeWithdrawn QueueOutcome = "withdrawn" // moved on by us: to another queue, to somebody who picked up, or the queue is gone
	OutcomeFailed    QueueOutcome = "failed"    // our fault or the line's

	OutcomeRefused QueueOutcome = "refused" // never had a place: the queue was full, closed or had nobody

	OutcomeOverflow QueueOutcome = "overflow" // in records of before the causes were told apart: timed out or moved on
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
	Slot      Number    `json:"slot,omitempty"` // where it is parked
	// DivertedBy is who forwarded the call to us, before it came; empty: nobody, or it is withheld.
	DivertedBy Number    `json:"diverted_by,omitempty"`
	ForeignCLI bool      `json:"foreign_cli,omitempty"` // an Italian number that came through a carrier abroad: it may be false
	Machine    Machine   `json:"machine,omitempty"`     // one of the parties is no person
	Since      time.Time `json:"since"`
	// Recording is "on" while the conversation is recorded, "paused" while that is paused, empty otherwise.
	Recording string `json:"recording,omitempty"`
}

// Machine is what a party that is no person is, by the tones that it sends; empty: none was heard.
type Machine string

// The machines.
const (
	MachineFax   Machine = "fax"   // CNG or the preamble of V.21 (ITU-T T.30)
	MachineModem Machine = "modem" // an answering tone only (V.25): a card terminal, an alarm, or a fax that answers
)

// Or is what m and o tell together: a fax machine has a modem's tone too.
func (m Machine) Or(o Machine) Machine {
	if m == MachineFax || o == "" {
		return m
	}
	return o
}

// PartyChanged reports one phone's part in one call, for busy-lamp fields (RFC 4235).
type PartyChanged struct {
	Call       CallID     `json:"call"`
	Leg        LegID      `json:"leg"`
	Party      string     `json:"party"` // "phone:201"
	Ref        string     `json:"ref"`   // names the leg's SIP dialog, for who wants its tags
	Phase      PartyPhase `json:"phase"`
	Initiator  bool       `json:"initiator,omitempty"` // it began the call
	Alerted    bool       `json:"alerted,omitempty"`   // of a phone that rings: it said so, and its dialog has both tags now
	Remote     Number     `json:"remote,omitempty"`
	RemoteName string     `json:"remote_name,omitempty"`
}

// PartyPhase is what a phone does in a call.
type PartyPhase string

// The phases of a party.
const (
	PartyDialing PartyPhase = "dialing" // it called and is not answered yet
	PartyRinging PartyPhase = "ringing" // it is called
	PartyTalking PartyPhase = "talking"
	PartyHeld    PartyPhase = "held" // it holds the other
	PartyGone    PartyPhase = "gone"
)

// EmergencyCalled reports a call to an emergency number the moment it is dialled: somebody at the site
// should know.
type EmergencyCalled struct {
	Call   CallID    `json:"call"`
	From   string    `json:"from"` // "phone:201"
	Name   string    `json:"name,omitempty"`
	Number Number    `json:"number"`
	At     time.Time `json:"at"`
}

// DoorOpened reports that somebody who talks with a door station has opened the door. It is a record:
// journals keep it.
type DoorOpened struct {
	Door DeviceID  `json:"door"`
	By   string    `json:"by"` // "phone:201"
	Call CallID    `json:"call"`
	At   time.Time `json:"at"`
}

// PageAccessed is a line of the audit log: who did what at the door of the page. It is a record: journals
// keep it, and nobody can edit it.
type PageAccessed struct {
	At   time.Time `json:"at"`
	What string    `json:"what"` // one of the deeds of ui/access
	User string    `json:"user,omitempty"`
	Whom string    `json:"whom,omitempty"`
	From string    `json:"from,omitempty"` // address
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
	StageParked   CallStage = "parked"
	StageMenu     CallStage = "menu"    // with a menu, a mailbox or another script
	StageMeeting  CallStage = "meeting" // in a conference room
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
	Call       CallID        `json:"call"`
	Direction  Direction     `json:"direction"`
	From       Number        `json:"from"`
	To         Number        `json:"to"`
	In         string        `json:"in"`                    // where it came from: "trunk:tim", "line:gsm0", "phone:201"
	Out        string        `json:"out,omitempty"`         // where it was answered
	DivertedBy Number        `json:"diverted_by,omitempty"` // as in CallChanged
	ForeignCLI bool          `json:"foreign_cli,omitempty"` // as in CallChanged
	Queue      QueueID       `json:"queue,omitempty"`
	Agent      AgentID       `json:"agent,omitempty"`
	Started    time.Time     `json:"started"`
	Answered   time.Time     `json:"answered,omitzero"` // when the caller was connected with a person
	Ended      time.Time     `json:"ended"`
	Cause      Cause         `json:"cause"`
	EndedBy    string        `json:"ended_by,omitempty"` // "caller", "callee", "box"
	Recovered  bool          `json:"recovered,omitempty"`
	Moves      []Move        `json:"moves,omitempty"`
	Media      []LegNote     `json:"media,omitempty"`
	Supervised []Supervision `json:"supervised,omitempty"` // who took part in it, and who tried to
	Machine    Machine       `json:"machine,omitempty"`    // as in CallChanged
	Recordings []Recorded    `json:"recordings,omitempty"` // parts that were recorded, in their order
	Lines      []LineUse     `json:"lines,omitempty"`      // each use of a line, in the order of their beginnings; none in a record of before they were noted
}

// LineUse is the time that one leg of a call occupied a trunk or a line, or asked for it in vain.
type LineUse struct {
	Line     string    `json:"line"`              // "trunk:tim" or "line:gsm0"
	Out      bool      `json:"out,omitempty"`     // the box called; otherwise it was called
	Took     bool      `json:"took,omitempty"`    // the leg came from another call, by a transfer: the use goes on, and is no call more
	From     time.Time `json:"from"`              // the leg began, or was asked for
	Answered time.Time `json:"answered,omitzero"` // one of the two sides has picked up
	To       time.Time `json:"to"`                // the leg ended; From where the line took no call
	Cause    Cause     `json:"cause"`             // of its end
}

// Move is a change of the parties of a call by transfer, park or pickup.
type Move struct {
	At    time.Time `json:"at"`
	Kind  MoveKind  `json:"kind"`
	By    string    `json:"by,omitempty"`    // the party that did it
	Party string    `json:"party,omitempty"` // who came or went
	To    Number    `json:"to,omitempty"`    // where to, of a transfer to a number; the place of a park
	Call  CallID    `json:"call,omitempty"`  // the other call
	Why   Diversion `json:"why,omitempty"`   // of a forward; empty: the phone itself sent it on (a 302)
}

// Diversion is why somebody's calls go elsewhere.
type Diversion string

// The diversions.
const (
	DivertAlways       Diversion = "always"
	DivertBusy         Diversion = "busy"
	DivertNoAnswer     Diversion = "no_answer"
	DivertUnreachable  Diversion = "unreachable"
	DivertDoNotDisturb Diversion = "do_not_disturb"
)

// MoveKind is the sort of a Move.
type MoveKind string

// The kinds of Move.
const (
	MoveBlind     MoveKind = "blind_transfer" // the party was sent to a number
	MoveReturned  MoveKind = "returned"       // nobody took it there: back to the transferor
	MoveInto      MoveKind = "into_call"      // the party went on in another call
	MoveReplaced  MoveKind = "replaced"       // the party took another's place
	MoveParked    MoveKind = "parked"
	MoveFetched   MoveKind = "fetched_from_park"
	MovePickup    MoveKind = "picked_up"
	MoveForward   MoveKind = "forwarded"
	MoveTakenOver MoveKind = "taken_over" // a supervisor talks in the party's place
	MoveSeated    MoveKind = "conference" // the party has a seat in the conference room To
	MoveUnseated  MoveKind = "conference_left"
)

// LegNote sums up the audio of one leg.
type LegNote struct {
	Leg      LegID  `json:"leg"`
	Party    string `json:"party"`
	Codec    string `json:"codec,omitempty"`
	Received uint64 `json:"received"`
	Sent     uint64 `json:"sent"`
	Lost     uint64 `json:"lost"`

	Sound   LegSound `json:"sound,omitzero"`
	Machine Machine  `json:"machine,omitempty"` // the party is no person
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
	Knocks   bool      `json:"knocks,omitempty"` // a second caller waits for the end of the call
	Sound    LineSound `json:"sound,omitzero"`
	// Technology is the generation of a mobile network, "2G", "3G" or "4G", and VoLTE "yes" or "no" where
	// the modem says it: a 4G line without it must fall back to 2G or 3G for each call.
	Technology string `json:"technology,omitempty"`
	VoLTE      string `json:"volte,omitempty"`
	// ForeignCLI says that the carrier is abroad and would show Italian numbers, whose calls Italian networks
	// drop (AGCOM 106/25/CONS).
	ForeignCLI bool      `json:"foreign_cli,omitempty"`
	Since      time.Time `json:"since"`
}

// LineSound is the health of a line's audio: of its last call, whose counters begin anew with each, and how
// often it had to be repaired.
type LineSound struct {
	Received uint64 `json:"received"` // frames of 20 ms that the line delivered
	Missing  uint64 `json:"missing"`  // frames for which it had nothing
	Dropped  uint64 `json:"dropped"`  // frames that it did not take in time
	Stalls   uint64 `json:"stalls"`   // writes that did not fit
	Silent   int    `json:"silent"`   // seconds in which the far end was silent
	Delay    int    `json:"delay_ms"` // held in the receive buffer at the end
	PPM      int    `json:"ppm"`      // offset of the line's clock from the box's
	Calls    uint64 `json:"calls"`    // with sound, since the line was opened
	Faults   uint64 `json:"faults"`   // calls without sound, or with a dying one, since then
	Restarts uint64 `json:"restarts"` // of the modem since then
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

	LineNoSound     LineCause = "no_sound_path"  // a modem whose sound does not reach the box: messages only
	LineSIMPUK      LineCause = "sim_puk"        // locked after wrong PINs; the PUK is never tried
	LineWrongPIN    LineCause = "sim_pin_wrong"  // the PIN that is set was refused, or too few tries are left
	LineNotModem    LineCause = "not_a_modem"    // another device, or one that refuses every command
	LineOtherModem  LineCause = "other_modem"    // a modem, and not the one of this line
	LineModemPower  LineCause = "modem_power"    // it switched itself off for want of power
	LineBadFirmware LineCause = "modem_firmware" // known to lose the sound of one direction
	LineStuck       LineCause = "modem_stuck"    // nothing that the box can do brings it back

	LineNoVoltage  LineCause = "line_dead"     // an analog line without voltage, or without a dial tone
	LineOffHook    LineCause = "line_off_hook" // another telephone on the analog line holds it
	LineReversed   LineCause = "line_reversed" // the two wires of an analog line are exchanged
	LineShared     LineCause = "line_shared"   // another telephone on the analog line answers its calls
	LineHalfDuplex LineCause = "half_duplex"   // a voice modem that plays or listens, never both
	LineNoVoice    LineCause = "no_voice"      // a modem for data and fax only
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
	Lamp    LampID     `json:"lamp"`
	Agent   AgentID    `json:"agent,omitempty"`
	State   AgentState `json:"state"`
	Help    bool       `json:"help,omitempty"`    // the agent asks for a supervisor: that is shown instead
	Watched bool       `json:"watched,omitempty"` // and a supervisor takes part in the agent's conversation
	Fault   bool       `json:"fault,omitempty"`   // the light's driver reports an error
	Shows   string     `json:"shows,omitempty"`   // what it is of: agent:ID, desk:PHONE, queue:ID, trunk:ID, line:ID or system
	Lens    string     `json:"lens,omitempty"`    // of a queue's stack of three lamps: green, amber or red
	Says    string     `json:"says,omitempty"`    // what it shows, by the table of package lamp; of an agent usually State
	At      time.Time  `json:"at"`
}

// QualityReported is what a phone says of the audio that it received (RFC 6035). A pointer is nil
// where the phone does not know.
type QualityReported struct {
	Device    DeviceID       `json:"device"`
	SIPCall   string         `json:"sip_call"` // Call-ID of the phone's dialog
	Stage     string         `json:"stage"`    // "session" at the end of the call, "interval" during it, "alert" when it turns bad
	From      string         `json:"from,omitempty"`
	To        string         `json:"to,omitempty"`
	Codec     string         `json:"codec,omitempty"`
	MOSLQ     *float64       `json:"mos_lq,omitempty"` // listening quality, 1 to 5
	MOSCQ     *float64       `json:"mos_cq,omitempty"` // conversational quality, 1 to 5
	Loss      *float64       `json:"loss,omitempty"`   // percent lost on the way
	Discarded *float64       `json:"discarded,omitempty"`
	Jitter    *time.Duration `json:"jitter,omitempty"`
	RoundTrip *time.Duration `json:"round_trip,omitempty"`
	At        time.Time      `json:"at"`
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
	SentOn      int           `json:"sent_on"`      // waits that ended at another destination: overflow, exit key
	AverageWait time.Duration `json:"average_wait"` // of the answered
	// Hours are the same by the hour of the clock in which calls and waits began, in order; hours before the
	// first one and after the last one are left out.
	Hours []HourFigures `json:"hours,omitempty"`
}

// HourFigures are the figures of one hour of the day.
type HourFigures struct {
	Hour     int `json:"hour"` // 0 to 23, by the office's clock
	Calls    int `json:"calls"`
	Answered int `json:"answered"`
	Lost     int `json:"lost"`
}

// Kind implements Event.
func (AgentChanged) Kind() string      { return "agent_changed" }
func (AgentInterval) Kind() string     { return "agent_interval" }
func (MembershipChanged) Kind() string { return "membership_changed" }
func (QueueStaffed) Kind() string      { return "queue_staffed" }
func (QueueJoined) Kind() string       { return "queue_joined" }
func (WaitExpected) Kind() string      { return "wait_expected" }
func (QueueOffered) Kind() string      { return "queue_offered" }
func (QueueOfferEnded) Kind() string   { return "queue_offer_ended" }
func (QueueLeft) Kind() string         { return "queue_left" }
func (CallChanged) Kind() string       { return "call_changed" }
func (PartyChanged) Kind() string      { return "party_changed" }
func (EmergencyCalled) Kind() string   { return "emergency_called" }
func (DoorOpened) Kind() string        { return "door_opened" }
func (CallEnded) Kind() string         { return "call_ended" }
func (LineChanged) Kind() string       { return "line_changed" }
func (DeviceChanged) Kind() string     { return "device_changed" }
func (LampChanged) Kind() string       { return "lamp_changed" }
func (QualityReported) Kind() string   { return "quality_reported" }
func (HealthChanged) Kind() string     { return "health_changed" }
func (FiguresChanged) Kind() string    { return "figures_changed" }
func (PageAccessed) Kind() string      { return "page_accessed" }

// LineCauses lists every cause, in the order declared.
func LineCauses() []LineCause {
	return []LineCause{
		LineOK, LineInUse, LineRegistering, LineDisabled, LineDNSFailed, LineUnreachable, LineRefused, LineWrongDomain,
		LineNoModem, LineModemMute, LineNoSIM, LineSIMPIN, LineSearching, LineDenied, LineAudioFault, LineRestarting,
		LineRefusedNumber, LineTooManyRegistrations, LineExpiredEarly, LineOneWayAudio, LineCodecMismatch, LineTLSUntrusted,
		LineCarrierDown, LineSpendLimit, LineNoSound, LineSIMPUK, LineWrongPIN, LineNotModem, LineOtherModem, LineModemPower, LineBadFirmware, LineStuck,
		LineNoVoltage, LineOffHook, LineReversed, LineShared, LineHalfDuplex, LineNoVoice,
	}
}

// CallDisposed is what an agent says came of a queue's caller. A later one of the same call and agent takes its place.
type CallDisposed struct {
	Call        CallID    `json:"call"`
	Queue       QueueID   `json:"queue"`
	Agent       AgentID   `json:"agent"`
	Disposition string    `json:"disposition"` // its name, as configured then
	At          time.Time `json:"at"`
}

// Kind implements Event.
func (CallDisposed) Kind() string { return "call_disposed" }
