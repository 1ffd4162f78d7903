// Package view is what the page shows, as plain values built from the feed's events. It knows
// neither HTML nor languages.
package view

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Office is the whole live page.
type Office struct {
	Name   string
	Queues []Queue
	Agents []Agent
	Lamps  []Lamp
	Lines  []Line
	Calls  []Call
	Missed []Missed
	Today  tel.FiguresChanged
	Texts  []Text // the latest short messages, newest first
	Health []tel.HealthChanged
	Debts  []Todo // what the configuration still owes

	Trace tel.RTPTraceChanged // while it is On, RTP is kept in traces

	Supervision bool // somebody supervises others here
}

// Watching is a supervisor who takes part in an agent's conversation.
type Watching struct {
	By   string // name
	Mode tel.SupervisionMode
}

// Queue is one queue with who waits in it, in order.
type Queue struct {
	ID      tel.QueueID
	Name    string
	Number  tel.Number
	Waiting []Waiting
	// Callbacks are those who have hung up and keep a place, the oldest place first.
	Callbacks []tel.CallbackChanged
}

// Missed is one caller who was not served and whom somebody should call.
type Missed struct {
	tel.MissedChanged
	Queue string // name
}

// Waiting is one caller in a queue.
type Waiting struct {
	Call     tel.CallID
	Caller   tel.Number
	Name     string
	Since    time.Time
	Priority int
	Needs    []tel.Need
	RingsAt  []string // names of the agents whose phones ring for this caller

	Due      time.Time // orders callers of one priority
	From, To int       // minutes that the wait will probably still last; both 0: not known, To 0: From or more
}

// Agent is one person.
type Agent struct {
	ID     tel.AgentID
	Name   string
	State  tel.AgentState
	Since  time.Time
	Reason string
	By     string // who paused or logged out the agent, if not the agent
	Help   bool   // asks for a supervisor
	Lamp   *Lamp  // the first one assigned to the agent

	Watched []Watching // who takes part in the agent's conversation, by name
	Traced  bool       // the RTP of the agent's phone is kept in traces
}

// Talks reports whether there is a conversation to supervise.
func (a Agent) Talks() bool { return Talks(a.State) }

// Talks reports whether there is a conversation in a state.
func Talks(s tel.AgentState) bool {
	switch s {
	case tel.AgentTalking, tel.AgentOutbound, tel.AgentInternal, tel.AgentHold:
		return true
	default:
		return false
	}
}

// atWork reports whether the agent takes calls, now or after what the agent does.
func (a Agent) atWork() bool {
	return a.State != tel.AgentLoggedOut && a.State != tel.AgentUnreachable && a.State != tel.AgentPaused
}

// Lamp is one light and what it shows.
type Lamp struct {
	ID    tel.LampID
	Name  string // of the agent, queue or line whose state it shows; else the lamp's own
	Agent tel.AgentID
	State tel.AgentState
	Help  bool // the agent asks for a supervisor
	Fault bool

	Watched bool // it shows that a supervisor takes part

	Says string // what it shows that is no agent's state: of a queue, a line or the box, or an alarm; else empty
}

// Line is one line or trunk.
type Line struct {
	tel.LineChanged
	Level  Level
	Traced bool // its RTP is kept in traces
}

// Level is how much a line wants attention.
type Level string

// The levels of a line.
const (
	LevelOK       Level = "ok"
	LevelWarn     Level = "warn"     // serves, but something is wrong
	LevelStarting Level = "starting" // expected to serve in a moment, by itself
	LevelOff      Level = "off"      // by the owner's wish
	LevelDown     Level = "down"
)

func LevelOf(l tel.LineChanged) Level {
	switch {
	case l.Up && (l.Cause == tel.LineOK || l.Cause == tel.LineInUse):
		return LevelOK
	case l.Up:
		return LevelWarn
	case l.Cause == tel.LineDisabled:
		return LevelOff
	case l.Cause == tel.LineRegistering, l.Cause == tel.LineRestarting:
		return LevelStarting
	default:
		return LevelDown
	}
}

// Call is one call that is up.
type Call struct {
	tel.CallChanged
	Agent string // name
	Queue string // name, "" for none
	Via   string // the line's name where a line carries it, "" for none
}

// Code is one thing that can be dialled at a phone.
type Code struct {
	Code   string // what is dialled
	Action string // its sentence is "code.ACTION"
	Behind string // what follows the code, "" for nothing; its word is "behind.BEHIND"
}

// StateCount is how many agents are in a state.
type StateCount struct {
	State tel.AgentState
	Count int
}

// Free counts the agents who could take a call now.
func (o Office) Free() int {
	return count(o.Agents, func(a Agent) bool { return a.State == tel.AgentReady })
}

// WaitingNow counts the callers in all queues.
func (o Office) WaitingNow() int {
	n := 0
	for _, q := range o.Queues {
		n += len(q.Waiting)
	}
	return n
}

// Broken counts the lines that are out of service against the owner's wish.
func (o Office) Broken() int {
	return count(o.Lines, func(l Line) bool { return l.Level == LevelDown })
}

// States counts the agents of each state, in the declared order; states of nobody are left out.
func (o Office) States() []StateCount {
	var all []StateCount
	for _, s := range tel.AgentStates() {
		if n := count(o.Agents, func(a Agent) bool { return a.State == s }); n > 0 {
			all = append(all, StateCount{s, n})
		}
	}
	return all
}

func count[T any](all []T, is func(T) bool) int {
	n := 0
	for _, x := range all {
		if is(x) {
			n++
		}
	}
	return n
}
