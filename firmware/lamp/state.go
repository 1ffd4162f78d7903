package lamp

import (
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// State is what a lamp can say. Those of agents have the names of tel.AgentState.
type State string

// The states beside those of agents.
const (
	Dark State = "dark" // of nobody's lamp, and of the lenses of a stack that are not meant; it has no row

	Help       State = "help"       // the agent asks for a supervisor, whatever else the agent does
	Supervised State = "supervised" // the agent talks, and a supervisor takes part

	QueueCalm  State = "queue_calm"  // nobody waits
	QueueWaits State = "queue_waits" // callers wait, all within the queue's target
	QueueLate  State = "queue_late"  // one has waited for longer than the target

	StackCalm  State = "stack_calm" // the same of a stack of three lamps: the green one
	StackWaits State = "stack_waits"
	StackLate  State = "stack_late"

	LineOff   State = "line_off"  // switched off, or not yet heard of
	LineIdle  State = "line_idle" // works, without a call
	LineInUse State = "line_in_use"
	LineFault State = "line_fault"

	SystemWell    State = "system_well"
	SystemTrouble State = "system_trouble" // something that the page shows as an error

	Failure State = "failure" // nothing is known: the program does not answer itself any more
	Alarm   State = "alarm"   // an emergency call was made
	Find    State = "find"    // somebody looks for this lamp
	Test    State = "test"    // all colours, one after the other
)

// OfAgent is the state of a lamp for that of an agent.
func OfAgent(s tel.AgentState) State { return State(s.String()) }

// Kind is what a lamp can be of.
type Kind string

// The kinds.
const (
	Nobody Kind = ""
	Agent  Kind = "agent"
	Desk   Kind = "desk" // whoever sits at a phone
	Queue  Kind = "queue"
	Line   Kind = "line" // a trunk or a modem
	System Kind = "system"
)

// Lens is one of the lamps of a stack of three.
type Lens string

// The lenses, from below.
const (
	NoLens Lens = ""
	Green  Lens = "green"
	Amber  Lens = "amber"
	Red    Lens = "red"
)

// Subject is what a lamp is of.
type Subject struct {
	Kind Kind
	ID   string // of agent, desk (its phone) or queue; "trunk:ID" or "line:ID"; empty: the system, or nobody
	Lens Lens   // of a queue: one lamp of three
}

// String writes it as the configuration does; ReadSubject reads that.
func (s Subject) String() string {
	switch s.Kind {
	case Nobody, System:
		return string(s.Kind)
	case Line:
		return s.ID
	default:
		return string(s.Kind) + ":" + s.ID
	}
}

// ReadSubject reads agent:ID, desk:PHONE, queue:ID, trunk:ID, line:ID or system; ok is false of anything else.
func ReadSubject(text string) (s Subject, ok bool) {
	kind, id, named := strings.Cut(text, ":")
	switch {
	case text == "":
		return Subject{}, true
	case text == string(System):
		return Subject{Kind: System}, true
	case !named || id == "":
		return Subject{}, false
	}
	switch kind {
	case "agent", "desk", "queue":
		return Subject{Kind: Kind(kind), ID: id}, true
	case "trunk", "line":
		return Subject{Kind: Line, ID: text}, true
	default:
		return Subject{}, false
	}
}

// Facts are what is known of a subject; those of other kinds are not looked at.
type Facts struct {
	Agent      tel.AgentState
	Help       bool
	Supervised bool

	Oldest time.Time     // of a queue: since when its first caller waits; zero: nobody waits
	Target time.Duration // within how long a caller should have an agent

	Line State // LineIdle ...; empty: LineOff

	Trouble bool // of the system
}

// State is what a lamp of the subject says now, and when time alone changes that; zero: it does not.
func (f Facts) State(of Subject, now time.Time) (s State, changes time.Time) {
	switch of.Kind {
	case Agent, Desk:
		switch {
		case f.Help:
			return Help, time.Time{}
		case f.Supervised && talks(f.Agent):
			return Supervised, time.Time{}
		default:
			return OfAgent(f.Agent), time.Time{}
		}
	case Queue:
		return f.queue(of.Lens, now)
	case Line:
		if f.Line == "" {
			return LineOff, time.Time{}
		}
		return f.Line, time.Time{}
	case System:
		if f.Trouble {
			return SystemTrouble, time.Time{}
		}
		return SystemWell, time.Time{}
	default:
		return Dark, time.Time{}
	}
}

func (f Facts) queue(lens Lens, now time.Time) (State, time.Time) {
	late := f.Oldest.Add(f.Target)
	at, changes := 0, time.Time{}
	switch {
	case f.Oldest.IsZero():
	case now.Before(late):
		at, changes = 1, late
	default:
		at = 2
	}
	if lens == NoLens {
		return []State{QueueCalm, QueueWaits, QueueLate}[at], changes
	}
	if []Lens{Green, Amber, Red}[at] != lens {
		return Dark, changes
	}
	return []State{StackCalm, StackWaits, StackLate}[at], changes
}

// LineStateOf is what a lamp says of a line. One that is on its way to its network, or switched off, is no fault.
func LineStateOf(e tel.LineChanged) State {
	switch {
	case e.Calls > 0:
		return LineInUse
	case e.Up:
		return LineIdle
	case e.Cause == tel.LineRegistering, e.Cause == tel.LineDisabled, e.Cause == tel.LineSearching, e.Cause == tel.LineRestarting:
		return LineOff
	default:
		return LineFault
	}
}

// talks says that there is a conversation in which a supervisor can take part.
func talks(s tel.AgentState) bool {
	switch s {
	case tel.AgentTalking, tel.AgentOutbound, tel.AgentInternal, tel.AgentHold:
		return true
	default:
		return false
	}
}
