package dialplan

import (
	"maps"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Personal is what people have set from their phones, as one plain value. Values are never changed in
// place: With returns a new one, so that a plan may keep what it has.
type Personal struct {
	People map[tel.AgentID]Person       `json:"people,omitempty"`
	Hours  map[string]Override          `json:"hours,omitempty"` // forced tables
	Seats  map[tel.DeviceID]tel.AgentID `json:"seats,omitempty"` // who took a seat at which phone
	Wrong  map[tel.DeviceID]WrongPINs   `json:"wrong,omitempty"`
}

// Person is what one person has set.
type Person struct {
	DND       bool                  `json:"dnd,omitempty"`
	NoWaiting bool                  `json:"no_waiting,omitempty"` // a second call does not ring
	Forward   Forwards              `json:"forward,omitzero"`
	Speed     map[string]tel.Number `json:"speed,omitempty"`   // "07" -> number as dialled
	Blocked   []tel.Number          `json:"blocked,omitempty"` // callers from outside
}

// WrongPINs counts what was entered wrongly at a phone.
type WrongPINs struct {
	Count int       `json:"count"`
	Last  time.Time `json:"last"`
}

// ChangeKind is the sort of a change.
type ChangeKind string

// The changes that a phone can make.
const (
	DND         ChangeKind = "dnd"
	CallWaiting ChangeKind = "call_waiting"
	Forward     ChangeKind = "forward"
	Speed       ChangeKind = "speed_dial"
	Blocking    ChangeKind = "block"
	ForceHours  ChangeKind = "hours"
	Sit         ChangeKind = "sit"
	Leave       ChangeKind = "leave"
	WrongPIN    ChangeKind = "wrong_pin"
)

// When is the case in which a forward is followed.
type When string

// The cases.
const (
	Always        When = "always"
	OnBusy        When = "busy"
	OnNoAnswer    When = "no_answer"
	OnUnreachable When = "unreachable"
)

// Change is one setting that a phone changes.
type Change struct {
	Kind     ChangeKind   `json:"kind"`
	Agent    tel.AgentID  `json:"agent,omitempty"`
	Device   tel.DeviceID `json:"device,omitempty"`
	On       bool         `json:"on,omitempty"`
	When     When         `json:"when,omitempty"`
	To       string       `json:"to,omitempty"`   // destination of a forward
	Slot     string       `json:"slot,omitempty"` // of a speed dial
	Number   tel.Number   `json:"number,omitempty"`
	Hours    string       `json:"hours,omitempty"`
	Override Override     `json:"override,omitempty"`
	At       time.Time    `json:"at,omitzero"`
}

// maxBlocked and maxSpeed bound what one person can store.
const (
	maxBlocked = 200
	maxSpeed   = 100
)

// With returns the settings after a change. A change that makes no sense changes nothing.
func (s Personal) With(c Change) Personal {
	switch c.Kind {
	case ForceHours:
		if c.Hours != "" {
			s.Hours = with(s.Hours, c.Hours, c.Override, c.Override == Auto)
		}
	case Sit:
		if c.Agent == "" || c.Device == "" {
			return s
		}
		seats := maps.Clone(s.Seats)
		maps.DeleteFunc(seats, func(_ tel.DeviceID, a tel.AgentID) bool { return a == c.Agent }) // one person, one seat
		s.Seats = with(seats, c.Device, c.Agent, false)
		s.Wrong = with(s.Wrong, c.Device, WrongPINs{}, true)
	case Leave:
		s.Seats = with(s.Seats, c.Device, "", true)
	case WrongPIN:
		was := s.Wrong[c.Device]
		if c.At.Sub(was.Last) >= pinPenalty {
			was.Count = 0
		}
		s.Wrong = with(s.Wrong, c.Device, WrongPINs{was.Count + 1, c.At}, c.Device == "")
	case DND, CallWaiting, Forward, Speed, Blocking:
		if c.Agent == "" {
			return s
		}
		p := s.People[c.Agent].with(c)
		s.People = with(s.People, c.Agent, p, p.empty())
	}
	return s
}

// with copies a map, with one entry set or taken away; an empty map is nil.
func with[K comparable, V any](m map[K]V, key K, v V, remove bool) map[K]V {
	m = maps.Clone(m)
	if m == nil {
		m = map[K]V{}
	}
	m[key] = v
	if remove {
		delete(m, key)
	}
	return filled(m)
}

// filled writes an empty map as it is read back from a file: nil.
func filled[K comparable, V any](m map[K]V) map[K]V {
	if len(m) == 0 {
		return nil
	}
	return m
}

func (p Person) with(c Change) Person {
	switch c.Kind {
	case DND:
		p.DND = c.On
	case CallWaiting:
		p.NoWaiting = !c.On
	case Forward:
		to := c.To
		if !c.On {
			to = ""
		}
		switch c.When {
		case Always:
			p.Forward.Always = to
		case OnBusy:
			p.Forward.Busy = to
		case OnNoAnswer:
			p.Forward.NoAnswer = to
		case OnUnreachable:
			p.Forward.Unreachable = to
		}
	case Speed:
		if _, known := p.Speed[c.Slot]; c.Slot != "" && (known || !c.On || len(p.Speed) < maxSpeed) {
			p.Speed = with(p.Speed, c.Slot, c.Number, !c.On || c.Number == "")
		}
	case Blocking:
		p.Blocked = slices.DeleteFunc(slices.Clone(p.Blocked), func(n tel.Number) bool { return sameNumber(n, c.Number) })
		if c.On && c.Number != "" {
			p.Blocked = append(p.Blocked, c.Number)
			p.Blocked = p.Blocked[max(0, len(p.Blocked)-maxBlocked):] // the oldest goes
		}
		if len(p.Blocked) == 0 {
			p.Blocked = nil
		}
	default:
	}
	return p
}

func (p Person) empty() bool {
	return !p.DND && !p.NoWaiting && p.Forward == Forwards{} && len(p.Speed) == 0 && len(p.Blocked) == 0
}

// Without drops what belongs to nobody in the plan any more: removed people, phones and tables of
// hours. Unchanged is true when there was nothing to drop.
func (s Personal) Without(p Plan, phones []tel.DeviceID) (kept Personal, unchanged bool) {
	gone := func(a tel.AgentID) bool { _, ok := p.person(a); return !ok }
	unchanged = true
	people, hours, seats, wrong := maps.Clone(s.People), maps.Clone(s.Hours), maps.Clone(s.Seats), maps.Clone(s.Wrong)
	count := func() int { return len(people) + len(hours) + len(seats) + len(wrong) }
	before := count()
	maps.DeleteFunc(people, func(a tel.AgentID, _ Person) bool { return gone(a) })
	maps.DeleteFunc(hours, func(id string, _ Override) bool { _, ok := p.hours(id); return !ok })
	maps.DeleteFunc(seats, func(d tel.DeviceID, a tel.AgentID) bool { return gone(a) || !slices.Contains(phones, d) })
	maps.DeleteFunc(wrong, func(d tel.DeviceID, _ WrongPINs) bool { return !slices.Contains(phones, d) })
	if count() == before {
		return s, unchanged
	}
	return Personal{filled(people), filled(hours), filled(seats), filled(wrong)}, false
}
