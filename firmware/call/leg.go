package call

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Leg is one party of a call, of whatever technology. Its methods never block and may be called
// from the call's goroutine only; a method that makes no sense in the leg's phase does nothing.
// The leg cleans up after itself when it ends.
type Leg interface {
	ID() tel.LegID
	// Party names who is at the other end: "phone:201", "trunk:tim", "line:gsm0".
	Party() string
	// Ref finds the leg again after a restart of the process.
	Ref() string

	// Alert tells a caller that the destination rings; early asks for audio before the answer.
	Alert(early bool)
	// Accept answers a caller.
	Accept()
	// Hangup refuses, cancels or ends the leg.
	Hangup(why tel.Cause)

	// Play replaces what the party hears until Hush, Join or another Play. LegPlayed follows when
	// the sound has ended; a looped sound never ends.
	Play(s Sound)
	// Hush stops what is played.
	Hush()
	// Join connects the audio of both parties, each with the other.
	Join(other Leg) error
	// Part separates the audio again.
	Part()
	// SendDTMF plays digits to the party.
	SendDTMF(digits string)
	// Page lets the other parties hear this one, and nobody else anybody, until Join, Part or the end.
	Page(to []Leg) error
	// Mix lets one or two parties of a conversation, and those who watch it, hear each other as loud as
	// gain says (indexes of parties, then of watchers); this leg is one of them. Join of the parties ends it.
	// It may be called from any goroutine: a conference room mixes the legs of many calls.
	Mix(parties, watchers []Leg, gain func(from, to int) float64) error
	// Echo lets the party hear itself until Join, Part or the end.
	Echo()
	// Record writes what the party says into a file until max, until silence without a voice (0: never),
	// StopRecord or the end of the leg; LegRecorded follows once.
	Record(path string, max, silence time.Duration)
	// StopRecord ends the recording.
	StopRecord()
	// PassesDTMF reports whether digits travel inside the leg's audio, as events (RFC 4733) or tones: the audio
	// of a joined leg then says them anew where it must, but for a line, whose driver dials.
	PassesDTMF() bool
	// Note sums up the audio so far.
	Note() tel.LegNote
}

// Unanswered is a leg that can tell, when it is found again after a restart, that whoever called has no answer yet.
type Unanswered interface {
	Unanswered() bool
}

// Flasher is a leg whose far end may know what a hook flash is: an analog line, or a gateway for such lines.
type Flasher interface {
	// Flash sends a hook flash to the far end; the exchange behind it turns to the party of this call.
	Flash()
}

// Referrer is a leg that can send its partner elsewhere and wants to know how it went (RFC 3515).
type Referrer interface {
	// AnswerRefer takes the wish up (202) or refuses it (300 to 699).
	AnswerRefer(status int)
	// NotifyRefer reports the progress; after final there is no more.
	NotifyRefer(status int, final bool)
}

// Sound names what a party shall hear: prompts one after the other, music or a tone.
type Sound struct {
	Names    []string `json:"names"`
	Loop     bool     `json:"loop,omitempty"`
	Language string   `json:"language,omitempty"` // of prompts; empty: the box's
	Over     bool     `json:"over,omitempty"`     // said over the loop that plays, which goes on softly
}

// LegEventKind is what happened on a leg.
type LegEventKind uint8

// The events of a leg. Exactly one LegEnded comes for each leg and it is the last, but for the LegQuiet of
// a phone that was called.
const (
	LegProgress LegEventKind = iota + 1 // the far end rings; Early: it also sends audio
	LegAnswered
	LegEnded // Cause, Remote
	LegDigit
	LegHeld     // Held
	LegPlayed   // the sound of the last Play has ended
	LegSilent   // no audio arrived for the time-out
	LegRecorded // Path, Length, Why
	LegRefer    // To, Replaces: the party wants its partner elsewhere; a Referrer is told how it goes
	LegMachine  // Machine: the party is no person, by the tones that it sends
	LegQuiet    // the phone rings no more: it may have gone on after LegEnded until our CANCEL was through
	LegFlash    // the party pressed R (hook flash); Beside as of LegDigit
)

// LegEvent is one happening on one leg.
type LegEvent struct {
	Leg    tel.LegID
	Kind   LegEventKind
	Early  bool
	Held   bool
	Remote bool
	Digit  rune
	Beside bool // LegDigit, LegFlash: it came beside the audio, in SIP INFO or from a modem
	Cause  tel.Cause

	Machine tel.Machine // LegMachine

	To       tel.Number    // LegRefer: a number to dial
	Replaces string        // LegRefer: or the reference of the party's leg in another call
	Path     string        // LegRecorded: as given to Record
	Length   time.Duration // LegRecorded: without the silence that ended it
	Why      string        // LegRecorded: one of the Why constants of ivr
	Redirect tel.Number    // LegEnded: where the phone sends the call instead (a 302)
}

// Outgoing describes a leg to be made.
type Outgoing struct {
	Call      tel.CallID
	From      tel.Number
	FromName  string
	Ring      time.Duration // the longest it may ring
	Emergency bool
	Offered   bool       // by a queue: a phone where an earlier offer may still ring is left out
	Intercom  bool       // the phone shall answer by itself
	Number    tel.Number // shown to the called one instead of From, outside; empty: the line decides
	Hide      bool       // the caller's number is withheld
	Attempt   Attempt    // of DialOut: whom it is charged to and what it costs
	Forwards  int        // as in Arrival
	// Diverted is why the person whom Attempt names has sent the call there; empty: by a transfer, or not at all.
	Diverted tel.Diversion
}

// Dialer makes outgoing legs. Events may be delivered before the method returns.
type Dialer interface {
	// DialDevice rings every reachable contact of a phone; no leg and no error means unreachable.
	DialDevice(dev tel.DeviceID, o Outgoing, events func(LegEvent)) ([]Leg, error)
	// WhenQuiet runs fn, which must not block, once no phone of the devices may still ring for an offer, be it of
	// an earlier process; at once if none may. It may never run after the dialer has closed.
	WhenQuiet(devs []tel.DeviceID, fn func())
	// DialOut calls a number through "trunk:ID" or "line:ID".
	DialOut(via string, to tel.Number, o Outgoing, events func(LegEvent)) (Leg, error)
}

// Finder gives back the legs that survived a restart.
type Finder interface {
	Find(id tel.LegID, ref, party string, events func(LegEvent)) (Leg, bool)
}
