package call

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// stateVersion is written into each snapshot. Version 1 knew one caller, one peer and no transfer.
const stateVersion = 2

// State is everything a call is, as one plain value.
type State struct {
	V         int           `json:"v"`
	Call      tel.CallID    `json:"call"`
	Direction tel.Direction `json:"direction"`
	From      tel.Number    `json:"from"`
	FromName  string        `json:"from_name,omitempty"`
	To        tel.Number    `json:"to"`
	Language  string        `json:"language"`
	Zone      string        `json:"zone,omitempty"` // IANA name: dates and times are said by its clock

	DivertedBy tel.Number `json:"diverted_by,omitempty"` // who forwarded the call to us
	Forwards   int        `json:"forwards,omitempty"`    // as in Arrival
	ForeignCLI bool       `json:"foreign_cli,omitempty"` // as in Arrival

	Machine tel.Machine `json:"machine,omitempty"` // what one of the parties is, by its tones

	In       string        `json:"in,omitempty"` // the party that began the call
	Stage    tel.CallStage `json:"stage"`
	Since    time.Time     `json:"since"` // of the stage
	Caller   LegState      `json:"caller"`
	Groups   []Group       `json:"groups,omitempty"`   // what rings for the caller
	Peer     *LegState     `json:"peer,omitempty"`     // who talks with the caller
	Accepted *LegState     `json:"accepted,omitempty"` // the agent who has picked up and hears who waits
	Early    tel.LegID     `json:"early,omitempty"`    // whose audio the caller hears before the answer

	Owed []Owed `json:"owed,omitempty"` // offers that have ended while phones may still ring for them

	Ring     *Ring      `json:"ring,omitempty"`   // what may ring next, and where the call goes when nobody answers
	Tries    int        `json:"tries,omitempty"`  // branches begun so far; names them
	Hops     int        `json:"hops,omitempty"`   // forwards and transfers so far: a circle ends at maxHops
	As       string     `json:"as,omitempty"`     // whose rights the last forward or transfer used
	Onward   *Onward    `json:"onward,omitempty"` // where the caller goes on, as long as nobody has decided what that is
	Moving   *Moving    `json:"moving,omitempty"` // a transfer whose end the transferor waits for
	Parked   *Parked    `json:"parked,omitempty"`
	Page     bool       `json:"page,omitempty"`     // the caller speaks to many
	Paged    []LegState `json:"paged,omitempty"`    // who hear it
	Watch    *Watch     `json:"watch,omitempty"`    // the caller has come only for this part in another call
	Watchers []Watcher  `json:"watchers,omitempty"` // who supervise
	ReviewAt time.Time  `json:"review_at,omitzero"` // when they are asked about anew
	Summons  *Summons   `json:"summons,omitempty"`  // the phones of who wants this call still ring
	Told     int        `json:"told,omitempty"`     // the last status that who clicked for it knows; 0 = nobody wants more
	Script   *ivr.State `json:"script,omitempty"`   // that the caller is in
	Seat     *Seat      `json:"seat,omitempty"`     // in a conference room
	Menus    int        `json:"menus,omitempty"`    // scripts left so far
	// AnswerBy is when another call must have answered for the leg that was offered to it.
	AnswerBy time.Time `json:"answer_by,omitzero"`

	Queue     tel.QueueID `json:"queue,omitempty"`
	Priority  int         `json:"priority,omitempty"`
	Needs     []tel.Need  `json:"needs,omitempty"`     // what the caller asks of an agent
	Waiting   bool        `json:"waiting,omitempty"`   // the queue's owner counts this caller
	Greeted   bool        `json:"greeted,omitempty"`   // the queue's greeting is over
	Saying    bool        `json:"saying,omitempty"`    // an announcement is said over the music
	Overflows int         `json:"overflows,omitempty"` // how often a queue has sent the caller on
	Callback  *Customer   `json:"callback,omitempty"`  // who is called back by this call
	Agent     tel.AgentID `json:"agent,omitempty"`     // who talks, or talked last
	Emergency bool        `json:"emergency,omitempty"`
	Lines     []Attempt   `json:"lines,omitempty"`  // of an emergency call: every way out
	FreeBy    time.Time   `json:"free_by,omitzero"` // one of them was cut for it and must be free by then
	LastCause tel.Cause   `json:"last_cause,omitempty"`
	HangAfter bool        `json:"hang_after,omitempty"` // end when the prompt is over

	Started  time.Time  `json:"started"`
	Enqueued time.Time  `json:"enqueued,omitzero"`
	Answered time.Time  `json:"answered,omitzero"`
	Uses     []LineUse  `json:"uses,omitempty"`  // of lines, the last maxLineUses
	Moves    []tel.Move `json:"moves,omitempty"` // parties who came or went by transfer, park or pickup
	// Supervised are the spans of supervision that are over, and the attempts.
	Supervised []tel.Supervision `json:"supervised,omitempty"`

	Tape  Taping         `json:"tape,omitzero"`
	Tapes []tel.Recorded `json:"tapes,omitempty"` // parts that were recorded in this call

	Recovered bool `json:"recovered,omitempty"`
}

// LegState is what a call remembers of a leg.
type LegState struct {
	ID    tel.LegID `json:"id"`
	Party string    `json:"party"`
	Ref   string    `json:"ref"`
	Up    bool      `json:"up,omitempty"` // answered
	Held  bool      `json:"held,omitempty"`
	Rang  bool      `json:"rang,omitempty"` // its phone said so
	Out   bool      `json:"out,omitempty"`  // the box has called it

	Number tel.Number  `json:"number,omitempty"` // of the far end, as others see it
	Name   string      `json:"name,omitempty"`
	Agent  tel.AgentID `json:"agent,omitempty"` // whose phone it is
	Door   rune        `json:"door,omitempty"`  // it is a door's: the key that opens it
	// What the queues' owner was told of that agent, and must be told the end of.
	Offer   tel.OfferID `json:"offer,omitempty"`   // the offer that this conversation came from
	Engaged bool        `json:"engaged,omitempty"` // on a call that came from no queue
}

// Group is one attempt: legs that ring together, of which one may win.
type Group struct {
	Key      string      `json:"key"` // the offer, or "direct" or "out" and a number
	Offer    tel.OfferID `json:"offer,omitempty"`
	Agent    tel.AgentID `json:"agent,omitempty"`
	Outside  bool        `json:"outside,omitempty"` // by trunks and lines
	Vias     []Attempt   `json:"vias,omitempty"`    // of an outside group: not tried yet
	Legs     []LegState  `json:"legs"`
	Deadline time.Time   `json:"deadline"`
	Rang     bool        `json:"rang,omitempty"`
	Whisper  tel.Whisper `json:"whisper,omitzero"`  // what the agent is told first
	Dialing  bool        `json:"dialing,omitempty"` // of an offer: Dialed has not come yet
}

// Onward is a destination that was asked for: as the configuration writes it, or a number.
type Onward struct {
	To     string     `json:"to,omitempty"`
	Number tel.Number `json:"number,omitempty"`
	As     string     `json:"as,omitempty"` // whose rights count
}

// Moving is a transfer under way. The transferor's leg stays until the outcome is known (RFC 5589
// section 6), unless its phone hangs up before.
type Moving struct {
	By       LegState   `json:"by"` // ID empty: its phone has left
	To       tel.Number `json:"to,omitempty"`
	Attended bool       `json:"attended,omitempty"` // to a call that the transferor has; otherwise to a number
	Returned bool       `json:"returned,omitempty"` // the transferor is rung again
}

// Parked is a caller who waits in a numbered place.
type Parked struct {
	Slot  tel.Number    `json:"slot,omitempty"` // empty until a place is found
	By    string        `json:"by"`             // the party that parked the call and gets it back
	Slots []tel.Number  `json:"slots,omitempty"`
	For   time.Duration `json:"for"`
	Until time.Time     `json:"until,omitzero"`
}

// Snapshot encodes the state.
func (s *State) Snapshot() ([]byte, error) {
	s.V = stateVersion
	return json.Marshal(s)
}

// Restore decodes what Snapshot wrote, in this version or the one before: an update must not lose
// the calls that are up.
func Restore(b []byte) (State, error) {
	var s State
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("restore a call: %w", err)
	}
	scripts := []*ivr.State{s.Script}
	if s.Summons != nil {
		scripts = append(scripts, s.Summons.Script)
	}
	for _, script := range scripts {
		if script == nil {
			continue
		}
		if err := script.Valid(); err != nil {
			return s, fmt.Errorf("restore a call: %w", err)
		}
	}
	switch s.V {
	case stateVersion:
		return s, nil
	case 1:
		return fromVersion1(s, b)
	default:
		return s, fmt.Errorf("restore a call: version %d, this program knows %d", s.V, stateVersion)
	}
}

// fromVersion1 moves what version 1 kept for the call as a whole to the legs.
func fromVersion1(s State, b []byte) (State, error) {
	var old struct {
		Offer    tel.OfferID `json:"offer"`
		CallerIs tel.AgentID `json:"caller_is"`
	}
	if err := json.Unmarshal(b, &old); err != nil {
		return s, fmt.Errorf("restore a call of version 1: %w", err)
	}
	s.V = stateVersion
	s.Caller.Agent, s.Caller.Engaged = old.CallerIs, old.CallerIs != ""
	s.Caller.Number, s.Caller.Name = s.From, s.FromName
	if s.Peer != nil {
		s.Peer.Agent, s.Peer.Offer = s.Agent, old.Offer
		s.Peer.Engaged = s.Agent != "" && old.Offer == ""
	}
	s.Waiting = s.Queue != "" && old.Offer == ""
	s.In = s.Caller.Party
	return s, nil
}

// leg finds a leg of the call by id. Where is inGroup and the index of its group, or which of the
// places below it has.
func (s *State) leg(id tel.LegID) (leg *LegState, where int) {
	if id == "" {
		return nil, nowhere
	}
	switch {
	case s.Caller.ID == id:
		return &s.Caller, asCaller
	case s.Peer != nil && s.Peer.ID == id:
		return s.Peer, asPeer
	case s.Accepted != nil && s.Accepted.ID == id:
		return s.Accepted, asAccepted
	case s.Moving != nil && s.Moving.By.ID == id:
		return &s.Moving.By, asTransferor
	}
	for i := range s.Paged {
		if s.Paged[i].ID == id {
			return &s.Paged[i], asListener
		}
	}
	if w := s.watching(id); w != nil {
		return &w.LegState, asWatcher
	}
	for g := range s.Groups {
		for i := range s.Groups[g].Legs {
			if s.Groups[g].Legs[i].ID == id {
				return &s.Groups[g].Legs[i], g
			}
		}
	}
	return nil, nowhere
}

// The places of a leg that is in no group.
const (
	nowhere      = -1
	asCaller     = -2
	asPeer       = -3
	asTransferor = -4
	asListener   = -5
	asAccepted   = -6
	asWatcher    = -7
)

// byRef finds a leg by its reference.
func (s *State) byRef(ref string) (leg *LegState, where int) {
	all := []*LegState{&s.Caller}
	if s.Peer != nil {
		all = append(all, s.Peer)
	}
	for _, l := range all {
		if l.Ref == ref && l.ID != "" {
			return s.leg(l.ID)
		}
	}
	for g := range s.Groups {
		for i := range s.Groups[g].Legs {
			if l := &s.Groups[g].Legs[i]; l.Ref == ref {
				return l, g
			}
		}
	}
	return nil, nowhere
}

// other is who talks with leg; nil when nobody does.
func (s *State) other(leg *LegState) *LegState {
	if s.Peer == nil || leg.ID == "" {
		return nil
	}
	if leg.ID == s.Peer.ID {
		return &s.Caller
	}
	return s.Peer
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
	c := tel.CallChanged{
		Call: s.Call, Stage: s.Stage, Direction: s.Direction, From: s.From, To: s.To,
		Via: s.In, DivertedBy: s.DivertedBy, ForeignCLI: s.ForeignCLI, Queue: s.Queue, Agent: s.Agent, Since: s.Since,
		Machine: s.Machine, Recording: s.recording(),
	}
	if s.Parked != nil {
		c.Slot = s.Parked.Slot
	}
	return c
}

// parties is what busy-lamp fields show: each phone's part in the call.
func (s *State) parties() []tel.PartyChanged {
	var all []tel.PartyChanged
	if s.Stage == tel.StageEnded {
		return nil
	}
	add := func(l LegState, phase tel.PartyPhase, remote tel.Number, name string) {
		if l.ID != "" {
			all = append(all, tel.PartyChanged{Call: s.Call, Leg: l.ID, Party: l.Party, Ref: l.Ref, Phase: phase, Initiator: l.ID == s.Caller.ID && l.Party == s.In, Remote: remote, RemoteName: name})
		}
	}
	phase := func(l LegState, up tel.PartyPhase) tel.PartyPhase {
		if l.Held {
			return tel.PartyHeld
		}
		return up
	}
	caller, callerName := s.From, s.FromName
	if s.Summons != nil { // the phone that rings is the caller's own
		caller, callerName = s.Summons.Number, ""
	}
	called, name := s.To, ""
	if s.Peer != nil && s.Peer.Number != "" {
		called, name = s.Peer.Number, s.Peer.Name
	}
	if s.Caller.Up {
		add(s.Caller, phase(s.Caller, tel.PartyTalking), called, name)
	} else {
		add(s.Caller, tel.PartyDialing, called, name)
	}
	if s.Peer != nil {
		add(*s.Peer, phase(*s.Peer, tel.PartyTalking), s.From, s.FromName)
	}
	if s.Accepted != nil {
		add(*s.Accepted, phase(*s.Accepted, tel.PartyTalking), s.From, s.FromName)
	}
	for _, l := range s.Paged {
		add(l, tel.PartyTalking, s.From, s.FromName)
	}
	for _, w := range s.Watchers {
		add(w.LegState, phase(w.LegState, tel.PartyTalking), called, name)
	}
	for _, g := range s.Groups {
		for _, l := range g.Legs {
			add(l, tel.PartyRinging, caller, callerName)
			if n := len(all); n > 0 && all[n-1].Leg == l.ID {
				all[n-1].Alerted = l.Rang
			}
		}
	}
	return all
}
