// Package dialplan decides where a dialled number goes. It is pure: a plan, who asks, the number
// and the time give one decision.
//
// Emergency numbers come first, from every phone, whatever else the plan says. Whoever sends a call
// outside, by dialling, forwarding, following or transferring, needs the right to have dialled the
// number: there is one check (Plan.outside) and no way around it.
package dialplan

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Plan is the whole numbering of one site. Validate finds its faults; Route expects none.
type Plan struct {
	Extensions []Extension
	Groups     []Group
	Queues     []QueueNumber
	Menus      []string // the voice menus that exist, by id
	// Conferences are the rooms for conferences.
	Conferences []ConferenceNumber
	Codes       []Code // nil = Codes()
	Slots       Slots  // where calls are parked; the zero value is DefaultSlots
	Inbound     []Inbound
	Routes      []OutsideRoute
	Outlets     []Outlet
	Hours       []Hours
	Calendar    Calendar
	Pauses      Pauses
	// Dispositions are what can come of a queue's call.
	Dispositions []Disposition
	// OutsidePrefix must be dialled before outside numbers, "0" in many offices; empty = none.
	// Numbers that begin with + never need it.
	OutsidePrefix tel.Number
	Blocked       []string // callers from outside that nobody wants: a number, or a beginning and *
	VIP           []string // callers who pass Blocked and Anonymous, written alike
	Anonymous     string   // where callers without a number go: a destination, "reject", or empty = like others
	// EmergencyTest, when set, is where emergency numbers lead instead of outside, so that an
	// installer can try them: ext:NUMBER, say:PROMPT or echo.
	EmergencyTest string
	// Zone is where the site's clock hangs; Europe/Rome is loaded by the caller. Nil is UTC.
	Zone *time.Location
	// Personal is what people have set from their phones up to this instant.
	Personal Personal
}

// Extension is an internal number: a person's phones, or a phone of nobody.
type Extension struct {
	Number  tel.Number
	Name    string
	Agent   tel.AgentID // empty for a phone of nobody, such as a door
	Devices []tel.DeviceID
	Allow   []Class // what may be dialled; nil = DefaultClasses

	PIN      string  // opens PINAllow for one call, and a seat at another desk; empty = neither
	PINAllow []Class // what may be dialled with the PIN
	LoginPIN bool    // the PIN is asked for at each login to the queues

	Ring    time.Duration // how long it rings; 0 = DefaultRing
	Follow  []FollowStep  // what rings besides the devices
	Forward Forwards      // until the person sets another
	Mailbox bool          // has a voicemail box

	Blocked   []string // as Plan.Blocked, for this person
	Anonymous string   // as Plan.Anonymous, for this person
	Pickup    string   // name of the group whose calls may be taken with the group pickup code; empty = none
	Office    bool     // may force opening hours and record prompts
}

// DefaultRing is how long a person's phones ring.
const DefaultRing = 30 * time.Second

// FollowStep rings a further number while the first phones still ring.
type FollowStep struct {
	To    string        // "outside:NUMBER" or "ext:NUMBER"
	After time.Duration // since the first phone rang
}

// Forwards says where calls go that a person does not take; an empty one is none.
type Forwards struct {
	Always      string `json:"always,omitempty"`
	Busy        string `json:"busy,omitempty"`
	NoAnswer    string `json:"no_answer,omitempty"`
	Unreachable string `json:"unreachable,omitempty"`
}

// Group rings several people for one number.
type Group struct {
	ID      string
	Number  tel.Number // internal; may be empty
	Name    string
	Members []Member
	Page    bool          // they are spoken to: their phones answer by themselves and only hear
	InTurn  bool          // one after the other, in the order of Members; false = together
	Ring    time.Duration // per member in turn, else in all; 0 = DefaultRing
	Busy    string        // destination when nobody is free; empty = NoAnswer
	// NoAnswer is the destination when nobody took the call; empty = the caller is told so.
	NoAnswer string
}

// Member is one of a group.
type Member struct {
	To    string        // "ext:NUMBER" or "outside:NUMBER"
	After time.Duration // how much later than the first it rings; not used in turn
}

// QueueNumber makes a queue dialable from inside.
type QueueNumber struct {
	Number tel.Number
	Queue  tel.QueueID
}

// ConferenceNumber is a conference room and how it is dialled from inside.
type ConferenceNumber struct {
	Number tel.Number // empty: only a destination leads there
	ID     tel.ConferenceID
}

// Slots are the dialable places of parked calls, First to Last, of equal length.
type Slots struct{ First, Last tel.Number }

// DefaultSlots is where calls are parked when a plan says nothing.
func DefaultSlots() Slots { return Slots{"701", "720"} }

func (p Plan) slots() Slots {
	if p.Slots == (Slots{}) {
		return DefaultSlots()
	}
	return p.Slots
}

func (s Slots) has(n tel.Number) bool {
	return len(n) == len(s.First) && len(n) == len(s.Last) && isDigits(string(n)) && n >= s.First && n <= s.Last
}

// ParkSlots lists the places of parked calls, in order.
func (p Plan) ParkSlots() []tel.Number {
	s := p.slots()
	first, err1 := strconv.Atoi(string(s.First))
	last, err2 := strconv.Atoi(string(s.Last))
	if err1 != nil || err2 != nil || last-first > maxSlots {
		return nil
	}
	var all []tel.Number
	for n := first; n <= last; n++ {
		all = append(all, tel.Number(fmt.Sprintf("%0*d", len(s.First), n)))
	}
	return all
}

// maxSlots bounds the places for parked calls.
const maxSlots = 1000

// Inbound says where calls from a trunk or a line go.
type Inbound struct {
	Via    string     // "trunk:tim" or "line:gsm0"
	Number tel.Number // the called number in any usual form; empty = every other number of this Via
	To     string     // a destination, e.g. "queue:sales", "ext:201" or "hours:office"
}

// extension finds an internal number's extension.
func (p Plan) extension(n tel.Number) (Extension, bool) {
	i := slices.IndexFunc(p.Extensions, func(x Extension) bool { return x.Number == n })
	if n == "" || i < 0 {
		return Extension{}, false
	}
	return p.Extensions[i], true
}

// person finds an agent's extension.
func (p Plan) person(a tel.AgentID) (Extension, bool) {
	i := slices.IndexFunc(p.Extensions, func(x Extension) bool { return x.Agent == a })
	if a == "" || i < 0 {
		return Extension{}, false
	}
	return p.Extensions[i], true
}

// At finds who uses a phone: who took a seat there, else whose phone it is.
func (p Plan) At(dev tel.DeviceID) (Extension, bool) {
	if x, ok := p.person(p.Personal.Seats[dev]); ok {
		return x, true
	}
	i := slices.IndexFunc(p.Extensions, func(x Extension) bool { return slices.Contains(x.Devices, dev) })
	if dev == "" || i < 0 {
		return Extension{}, false
	}
	return p.Extensions[i], true
}

// Phones lists the phones of an extension: its own, without those where somebody else took a seat,
// and those where its person did.
func (p Plan) Phones(x Extension) []tel.DeviceID {
	var all []tel.DeviceID
	for _, d := range x.Devices {
		if sits, ok := p.person(p.Personal.Seats[d]); !ok || sits.Number == x.Number {
			all = append(all, d)
		}
	}
	var seats []tel.DeviceID
	for d, a := range p.Personal.Seats {
		if x.Agent != "" && a == x.Agent && !slices.Contains(all, d) {
			seats = append(seats, d)
		}
	}
	slices.Sort(seats)
	return append(all, seats...)
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
