package conference

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// MaxParties is the most that a room may take.
const MaxParties = 30

// stateVersion is written into each snapshot.
const stateVersion = 1

// Spec is a room as it is configured.
type Spec struct {
	ID       tel.ConferenceID `json:"id"`
	Name     string           `json:"name,omitempty"`
	Limit    int              `json:"limit"`               // parties at most, 2 to MaxParties
	Await    bool             `json:"await,omitempty"`     // nobody hears anybody before a leader has come
	EndAfter bool             `json:"end_after,omitempty"` // the last leader takes everybody along
	Tones    bool             `json:"tones,omitempty"`     // who is there hears that somebody comes or goes
	Silent   bool             `json:"silent,omitempty"`    // who comes is silenced until *6; not a leader
	NoMusic  bool             `json:"no_music,omitempty"`  // who waits hears nothing
	Tape     TapeRule         `json:"tape,omitzero"`       // how a conference is recorded that begins from now on
}

// State is a room and who is in it, as one plain value.
type State struct {
	V       int       `json:"v"`
	Spec    Spec      `json:"spec"`
	Since   time.Time `json:"since,omitzero"`   // of the first member
	Opened  bool      `json:"opened,omitempty"` // a leader has come
	Locked  bool      `json:"locked,omitempty"`
	Members []Member  `json:"members,omitempty"` // in the order in which they came
	Tape    Taping    `json:"tape,omitzero"`
}

// Member is who has a seat.
type Member struct {
	Call   tel.CallID  `json:"call"`
	Leg    tel.LegID   `json:"leg"`
	Party  string      `json:"party"`
	Number tel.Number  `json:"number,omitempty"`
	Name   string      `json:"name,omitempty"`
	Agent  tel.AgentID `json:"agent,omitempty"`
	Since  time.Time   `json:"since"`
	Leader bool        `json:"leader,omitempty"`
	Muted  bool        `json:"muted,omitempty"`
	Held   bool        `json:"held,omitempty"`
	Star   bool        `json:"star,omitempty"`  // the next key is a command
	Music  bool        `json:"music,omitempty"` // hears it
	Away   bool        `json:"away,omitempty"`  // of an earlier process; its call has not come back yet
	Ear
}

// Waits reports whether the members wait for a leader and hear nobody.
func (s *State) Waits() bool { return s.Spec.Await && !s.Opened }

// heard reports whether the others hear a member.
func (s *State) heard(m *Member) bool { return !m.Muted && !m.Held && !m.Away && !s.Waits() }

// member finds who has a seat.
func (s *State) member(call tel.CallID) *Member {
	for i := range s.Members {
		if s.Members[i].Call == call {
			return &s.Members[i]
		}
	}
	return nil
}

// led reports whether a leader is there.
func (s *State) led() bool {
	return slices.ContainsFunc(s.Members, func(m Member) bool { return m.Leader })
}

// Shown is the room for observers. speaks says who is heard at this moment; nil: nobody.
func (s *State) Shown(speaks func(tel.LegID) bool) tel.ConferenceChanged {
	c := tel.ConferenceChanged{Conference: s.Spec.ID, Name: s.Spec.Name, Since: s.Since, Waits: s.Waits() && len(s.Members) > 0, Locked: s.Locked, Recording: s.recording(), Recordable: s.Recordable(), Asked: s.Tape.Asked}
	for i := range s.Members {
		m := &s.Members[i]
		c.Members = append(c.Members, tel.ConferenceMember{
			Call: m.Call, Party: m.Party, Number: m.Number, Name: m.Name, Agent: m.Agent, Since: m.Since, Leader: m.Leader,
			Muted: m.Muted, Held: m.Held, Speaking: speaks != nil && s.heard(m) && speaks(m.Leg),
		})
	}
	return c
}

// recording is what observers see of it.
func (s *State) recording() string {
	switch t := &s.Tape; {
	case t.Now == "":
		return ""
	case t.Gap != "":
		return "paused"
	default:
		return "on"
	}
}

// Snapshot encodes the state.
func (s *State) Snapshot() ([]byte, error) {
	s.V = stateVersion
	return json.Marshal(s)
}

// ErrState is returned for a snapshot that is none of this program's.
var ErrState = errors.New("not the state of a conference room")

// Restore decodes what Snapshot wrote; the error wraps ErrState. Every member is away until its call comes back,
// and hears nothing of the process that is gone.
func Restore(b []byte) (State, error) {
	var s State
	if err := json.Unmarshal(b, &s); err != nil {
		return State{}, fmt.Errorf("%w: %w", ErrState, err)
	}
	switch {
	case s.V != stateVersion:
		return State{}, fmt.Errorf("%w: version %d, this program knows %d", ErrState, s.V, stateVersion)
	case s.Spec.ID == "":
		return State{}, fmt.Errorf("%w: without an identifier", ErrState)
	case len(s.Members) > MaxParties:
		return State{}, fmt.Errorf("%w: %d members", ErrState, len(s.Members))
	}
	seen := map[tel.CallID]bool{}
	for i := range s.Members {
		m := &s.Members[i]
		if m.Call == "" || seen[m.Call] {
			return State{}, fmt.Errorf("%w: a member without a call of its own", ErrState)
		}
		seen[m.Call] = true
		m.Away, m.Music, m.Star = true, false, false
		m.Telling, m.Taped = false, false
	}
	s.Tape.Now, s.Tape.Gap = "", "" // it ended with the process; another part goes on
	if len(s.Members) == 0 {
		s.empty()
	}
	return s, nil
}

// empty forgets a conference that is over; the room stays.
func (s *State) empty() { *s = State{V: s.V, Spec: s.Spec} }
