package ivr

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// stateVersion is written into each snapshot.
const stateVersion = 1

// Kind is what sort of script a State is.
type Kind string

// The kinds. A State holds exactly the part that its kind names.
const (
	KindMenu     Kind = "menu"
	KindDeposit  Kind = "deposit"
	KindMailbox  Kind = "mailbox"
	KindPrompt   Kind = "record_prompt"
	KindPIN      Kind = "pin"
	KindSay      Kind = "say"
	KindCallback Kind = "callback"
	KindTrial    Kind = "trial"

	KindConference Kind = "conference"
)

// State is a script and where it stands, as one plain value. It holds what the configuration said
// when the script began: a change does not reach a caller who is inside.
type State struct {
	V        int    `json:"v"`
	Kind     Kind   `json:"kind"`
	ID       string `json:"id"`       // names the recordings: the call's identifier
	Language string `json:"language"` // "it" or "en"

	Stage     stage     `json:"stage,omitempty"`
	Playing   []string  `json:"playing,omitempty"`
	Recording string    `json:"recording,omitempty"` // path of what is recorded now
	Timer     int       `json:"timer,omitempty"`     // of the last Wait
	Until     time.Time `json:"until,omitzero"`      // when it runs out; zero: none runs
	Files     int       `json:"files,omitempty"`     // recordings begun
	Silent    int       `json:"silent,omitempty"`    // time-outs in a row
	Wrong     int       `json:"wrong,omitempty"`     // wrong inputs in a row
	Keys      int       `json:"keys,omitempty"`      // keys pressed in all
	To        string    `json:"to,omitempty"`        // where the last words lead
	Gone      bool      `json:"gone,omitempty"`      // the caller left
	Done      bool      `json:"done,omitempty"`

	Menu     *Menu     `json:"menu,omitempty"`
	Deposit  *Deposit  `json:"deposit,omitempty"`
	Mailbox  *Mailbox  `json:"mailbox,omitempty"`
	Prompt   *Prompt   `json:"prompt,omitempty"`
	PIN      *PIN      `json:"pin,omitempty"`
	Say      *Say      `json:"say,omitempty"`
	Callback *Callback `json:"callback,omitempty"`
	Trial    *Trial    `json:"trial,omitempty"`
	Take     *take     `json:"take,omitempty"`

	Conference *Conference `json:"conference,omitempty"`

	// What was typed is not kept: it may be a code, and after a restart the question is asked again.
	typed, first string
}

// stage is where a script stands.
type stage string

// stageEnding says last words and then leaves for To.
const stageEnding stage = "ending"

// New begins a script of one part: a *Menu, *Deposit, *Mailbox, *Prompt, *PIN, *Say, *Callback, *Trial or *Conference. id is the
// call's identifier. The first event must be Started.
func New(id, language string, part any) State {
	s := State{V: stateVersion, ID: plain(id), Language: language}
	switch p := part.(type) {
	case *Menu:
		s.Kind, s.Menu = KindMenu, p
	case *Deposit:
		s.Kind, s.Deposit = KindDeposit, p
	case *Mailbox:
		s.Kind, s.Mailbox = KindMailbox, p
	case *Prompt:
		s.Kind, s.Prompt = KindPrompt, p
	case *PIN:
		s.Kind, s.PIN = KindPIN, p
	case *Say:
		s.Kind, s.Say = KindSay, p
	case *Callback:
		s.Kind, s.Callback = KindCallback, p
	case *Trial:
		s.Kind, s.Trial = KindTrial, p
	case *Conference:
		s.Kind, s.Conference = KindConference, p
	}
	return s.clone()
}

// plain keeps what may stand in a file name.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-':
			return r
		}
		return -1
	}, s)
}

// Snapshot encodes the state.
func (s *State) Snapshot() ([]byte, error) {
	s.V = stateVersion
	return json.Marshal(s)
}

// ErrState is returned for a snapshot that is none of this program's.
var ErrState = errors.New("not the state of a script")

// Restore decodes what Snapshot wrote; the error wraps ErrState.
func Restore(b []byte) (State, error) {
	var s State
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("%w: %w", ErrState, err)
	}
	return s, s.Valid()
}

// Valid says why a decoded state cannot go on; the error wraps ErrState. Whoever keeps a State inside
// a value of its own calls it after decoding.
func (s *State) Valid() error {
	if s.V != stateVersion {
		return fmt.Errorf("%w: version %d, this program knows %d", ErrState, s.V, stateVersion)
	}
	has := map[Kind]bool{
		KindMenu: s.Menu != nil, KindDeposit: s.Deposit != nil, KindMailbox: s.Mailbox != nil,
		KindPrompt: s.Prompt != nil, KindPIN: s.PIN != nil, KindSay: s.Say != nil,
		KindCallback: s.Callback != nil, KindTrial: s.Trial != nil, KindConference: s.Conference != nil,
	}
	known := false
	for k, there := range has {
		if there != (k == s.Kind) {
			return fmt.Errorf("%w: kind %q with part %q: %v", ErrState, s.Kind, k, there)
		}
		known = known || there
	}
	switch {
	case !known:
		return fmt.Errorf("%w: unknown kind %q", ErrState, s.Kind)
	case plain(s.ID) != s.ID:
		return fmt.Errorf("%w: identifier %q", ErrState, s.ID)
	case !s.Stage.known():
		return fmt.Errorf("%w: unknown stage %q", ErrState, s.Stage)
	case s.Stage.takes() && s.Take == nil:
		return fmt.Errorf("%w: stage %q without a recording", ErrState, s.Stage)
	}
	if m := s.Mailbox; m != nil {
		for _, i := range m.Order {
			if i < 0 || i >= len(m.Messages) {
				return fmt.Errorf("%w: message %d of %d", ErrState, i, len(m.Messages))
			}
		}
		if m.At < 0 || m.At > len(m.Order) || (s.Stage.hears() && m.At == len(m.Order)) {
			return fmt.Errorf("%w: place %d of %d", ErrState, m.At, len(m.Order))
		}
	}
	return nil
}

// clone shares nothing that Next changes.
func (s State) clone() State {
	if s.Mailbox != nil {
		m := *s.Mailbox
		m.Messages, m.Order = slices.Clone(m.Messages), slices.Clone(m.Order)
		s.Mailbox = &m
	}
	if s.Prompt != nil {
		p := *s.Prompt
		s.Prompt = &p
	}
	if s.Callback != nil {
		c := *s.Callback
		s.Callback = &c
	}
	if s.Take != nil {
		t := *s.Take
		s.Take = &t
	}
	return s
}
