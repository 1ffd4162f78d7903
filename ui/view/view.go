// Package view is what the page shows, as plain values built from the feed's events. It knows
// neither HTML nor languages.
package view

import (
	"cmp"
	"slices"
	"strings"
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
}

// Talks reports whether there is a conversation to supervise.
func (a Agent) Talks() bool {
	switch a.State {
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
	Level Level
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

// Model keeps an Office up to date. It has one owner.
type Model struct {
	name   string
	queues []Queue
	agents map[tel.AgentID]*Agent
	order  []tel.AgentID
	lamps  map[tel.LampID]tel.LampChanged
	lines  map[string]tel.LineChanged
	calls  map[tel.CallID]tel.CallChanged
	offers map[tel.OfferID]tel.QueueOffered
	health map[string]tel.HealthChanged
	missed map[tel.Number]tel.MissedChanged
	today  tel.FiguresChanged
	texts  []Text // newest first
	debts  []Todo

	supervision bool
	watching    map[watcher]tel.Supervision
}

// watcher is a supervisor's part in one call.
type watcher struct {
	call tel.CallID
	leg  tel.LegID
}

// NewModel returns a model of an office in which nothing has happened yet.
func NewModel(name string, queues []Queue, agents []Agent) *Model {
	m := &Model{
		name: name, queues: slices.Clone(queues), agents: map[tel.AgentID]*Agent{}, lamps: map[tel.LampID]tel.LampChanged{},
		lines: map[string]tel.LineChanged{}, calls: map[tel.CallID]tel.CallChanged{},
		offers: map[tel.OfferID]tel.QueueOffered{}, health: map[string]tel.HealthChanged{},
		missed:   map[tel.Number]tel.MissedChanged{},
		watching: map[watcher]tel.Supervision{},
	}
	for _, a := range agents {
		m.order = append(m.order, a.ID)
		m.agents[a.ID] = &a
	}
	return m
}

// OfferSupervision says whether anybody may take part in the conversations of others.
func (m *Model) OfferSupervision(on bool) { m.supervision = on }

// Part names a fragment of the page that an event changes: a section, or one element of a section
// that lists many.
type Part struct {
	Section string
	ID      string // of the element; "" = the whole section
}

// The sections of the page.
const (
	SectionSummary = "summary"
	SectionHealth  = "health"
	SectionLamps   = "lamps"
	SectionQueues  = "queues"
	SectionCalls   = "calls"
	SectionMissed  = "missed"
	SectionAgents  = "agents"
	SectionStates  = "states"
	SectionLines   = "lines"
	SectionToday   = "today"
	SectionTexts   = "texts"
)

// Sections lists every section, in the order of the page.
func Sections() []string {
	return []string{
		SectionSummary, SectionHealth, SectionLamps, SectionQueues, SectionCalls, SectionMissed, SectionStates, SectionAgents, SectionLines, SectionTexts, SectionToday,
	}
}

func whole(sections ...string) []Part {
	parts := make([]Part, len(sections))
	for i, s := range sections {
		parts[i] = Part{Section: s}
	}
	return parts
}

// Apply takes one event and returns the parts that may look different now.
func (m *Model) Apply(e tel.Event) []Part {
	switch e := e.(type) {
	case tel.AgentChanged:
		return m.agent(e)
	case tel.QueueJoined:
		return append(whole(SectionSummary), m.joined(e))
	case tel.WaitExpected:
		return m.expected(e)
	case tel.QueueOffered:
		m.offers[e.Offer] = e
		return []Part{{SectionQueues, string(e.Queue)}}
	case tel.QueueOfferEnded:
		delete(m.offers, e.Offer)
		return []Part{{SectionQueues, string(e.Queue)}}
	case tel.QueueLeft:
		return append(whole(SectionSummary), m.left(e))
	case tel.CallChanged:
		if e.Stage == tel.StageEnded {
			delete(m.calls, e.Call)
		} else {
			m.calls[e.Call] = e
		}
		return whole(SectionCalls)
	case tel.CallEnded:
		delete(m.calls, e.Call)
		return whole(SectionCalls)
	case tel.CallbackChanged:
		return []Part{m.callback(e)}
	case tel.MissedChanged:
		if e.Closed != "" {
			delete(m.missed, e.Number)
		} else {
			m.missed[e.Number] = e
		}
		return whole(SectionHealth, SectionMissed)
	case tel.LineChanged:
		m.lines[e.Line] = e
		return whole(SectionSummary, SectionHealth, SectionLines)
	case tel.LampChanged:
		return m.lamp(e)
	case tel.SupervisionStarted:
		return m.watched(watcher{e.Call, e.Leg}, &e.Supervision)
	case tel.SupervisionEnded:
		return m.watched(watcher{e.Call, e.Leg}, nil)
	case tel.FiguresChanged:
		m.today = e
		return whole(SectionToday)
	case tel.SMSReceived:
		return m.text(e.SMS)
	case tel.SMSWaits:
		return m.text(e.SMS)
	case tel.SMSSent:
		return m.text(e.SMS)
	case tel.SMSDelivered:
		return m.text(e.SMS)
	case tel.SMSFailed:
		return m.text(e.SMS)
	case tel.HealthChanged:
		m.health[e.Condition] = e
		return whole(SectionSummary, SectionHealth)
	}
	return nil
}

func (m *Model) agent(e tel.AgentChanged) []Part {
	a := m.agents[e.Agent]
	known := a != nil
	if !known {
		a = &Agent{ID: e.Agent}
		m.agents[e.Agent] = a
		m.order = append(m.order, e.Agent)
	}
	renamed := e.Name != "" && e.Name != a.Name
	if renamed {
		a.Name = e.Name
	}
	staffed, was := m.staffed(), a.State
	a.State, a.Since, a.Reason, a.By, a.Help = e.State, e.Since, e.Reason, e.By, e.Help
	if !known || renamed { // the name also stands at lamps, calls and waiting callers
		return whole(SectionSummary, SectionHealth, SectionLamps, SectionQueues, SectionCalls, SectionStates, SectionAgents)
	}
	parts := append(whole(SectionSummary), m.counts(was, e.State)...)
	parts = append(parts, Part{SectionAgents, string(e.Agent)})
	if m.staffed() != staffed { // what is the headline is not said twice
		parts = append(parts, whole(SectionHealth)...)
	}
	return parts
}

// counts are the parts that change with the states of all agents after one of them went from one to another.
func (m *Model) counts(from, to tel.AgentState) []Part {
	if from == to {
		return nil
	}
	left, there := 0, 0
	for _, a := range m.agents {
		switch a.State {
		case from:
			left++
		case to:
			there++
		}
	}
	if left == 0 || there == 1 { // a state of nobody has no place on the page
		return whole(SectionStates)
	}
	return []Part{{SectionStates, from.String()}, {SectionStates, to.String()}}
}

// staffed tells whether anybody is at work.
func (m *Model) staffed() bool {
	for _, a := range m.agents {
		if a.atWork() {
			return true
		}
	}
	return false
}

// watched notes who takes part in whose conversation; nil ends it.
func (m *Model) watched(w watcher, now *tel.Supervision) []Part {
	var parts []Part
	if was, ok := m.watching[w]; ok {
		parts = append(parts, Part{SectionAgents, string(was.Agent)})
		delete(m.watching, w)
	}
	if now != nil {
		m.watching[w] = *now
		parts = append(parts, Part{SectionAgents, string(now.Agent)})
	}
	slices.SortFunc(parts, func(a, b Part) int { return cmp.Compare(a.ID, b.ID) })
	return slices.Compact(parts)
}

func (m *Model) lamp(e tel.LampChanged) []Part {
	old, known := m.lamps[e.Lamp]
	m.lamps[e.Lamp] = e
	if !known || old.Agent != e.Agent {
		return whole(SectionLamps, SectionAgents)
	}
	if e.Agent == "" {
		return []Part{{SectionLamps, string(e.Lamp)}}
	}
	return []Part{{SectionLamps, string(e.Lamp)}, {SectionAgents, string(e.Agent)}}
}

func (m *Model) queue(id tel.QueueID) *Queue {
	for i := range m.queues {
		if m.queues[i].ID == id {
			return &m.queues[i]
		}
	}
	m.queues = append(m.queues, Queue{ID: id, Name: string(id)})
	return &m.queues[len(m.queues)-1]
}

func (m *Model) joined(e tel.QueueJoined) Part {
	before := len(m.queues)
	q := m.queue(e.Queue)
	q.Waiting = slices.DeleteFunc(q.Waiting, func(w Waiting) bool { return w.Call == e.Call })
	q.Waiting = append(q.Waiting, Waiting{Call: e.Call, Caller: e.Caller, Name: e.Name, Since: e.At, Due: e.Due, Priority: e.Priority, Needs: e.Needs})
	slices.SortStableFunc(q.Waiting, func(a, b Waiting) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), a.Due.Compare(b.Due), a.Since.Compare(b.Since))
	})
	if len(m.queues) != before {
		return Part{Section: SectionQueues}
	}
	return Part{SectionQueues, string(e.Queue)}
}

// expected notes how long a caller has probably still to wait.
func (m *Model) expected(e tel.WaitExpected) []Part {
	q := m.queue(e.Queue)
	for i := range q.Waiting {
		if w := &q.Waiting[i]; w.Call == e.Call {
			w.From, w.To = e.From, e.To
			return []Part{{SectionQueues, string(e.Queue)}}
		}
	}
	return nil
}

func (m *Model) left(e tel.QueueLeft) Part {
	before := len(m.queues)
	q := m.queue(e.Queue)
	q.Waiting = slices.DeleteFunc(q.Waiting, func(w Waiting) bool { return w.Call == e.Call })
	m.forgetOffers(e.Call)
	if len(m.queues) != before {
		return Part{Section: SectionQueues}
	}
	return Part{SectionQueues, string(e.Queue)}
}

func (m *Model) callback(e tel.CallbackChanged) Part {
	before := len(m.queues)
	q := m.queue(e.Queue)
	q.Callbacks = slices.DeleteFunc(q.Callbacks, func(c tel.CallbackChanged) bool { return c.Callback == e.Callback })
	if e.State == tel.CallbackEnded {
		m.forgetOffers(e.Call)
	} else {
		q.Callbacks = append(q.Callbacks, e)
		slices.SortStableFunc(q.Callbacks, func(a, b tel.CallbackChanged) int { return a.EnqueuedAt.Compare(b.EnqueuedAt) })
	}
	if len(m.queues) != before {
		return Part{Section: SectionQueues}
	}
	return Part{SectionQueues, string(e.Queue)}
}

// forgetOffers ends what was offered for a call that left its queue.
func (m *Model) forgetOffers(call tel.CallID) {
	for id, o := range m.offers {
		if o.Call == call {
			delete(m.offers, id)
		}
	}
}

// mostMissed is how many missed callers the page shows; prontoctl lists all.
const mostMissed = 50

func (m *Model) allMissed() []Missed {
	var all []Missed
	for _, e := range m.missed {
		all = append(all, Missed{MissedChanged: e, Queue: m.queueName(e.Queue)})
	}
	slices.SortFunc(all, func(a, b Missed) int { return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Number, b.Number)) })
	return all[:min(len(all), mostMissed)]
}

// Office is the page of this instant; the caller may keep it.
func (m *Model) Office() Office {
	o := Office{Name: m.name, Today: m.today, Supervision: m.supervision, Texts: m.allTexts(), Debts: m.debts}
	for _, q := range m.queues {
		q.Waiting, q.Callbacks = slices.Clone(q.Waiting), slices.Clone(q.Callbacks)
		for i := range q.Waiting {
			for _, off := range m.offers {
				if off.Call == q.Waiting[i].Call {
					q.Waiting[i].RingsAt = append(q.Waiting[i].RingsAt, m.nameOf(off.Agent))
				}
			}
			slices.Sort(q.Waiting[i].RingsAt)
		}
		o.Queues = append(o.Queues, q)
	}
	o.Lamps, o.Missed = m.allLamps(), m.allMissed()
	for _, id := range m.order {
		a := *m.agents[id]
		if i := slices.IndexFunc(o.Lamps, func(l Lamp) bool { return l.Agent == id }); i >= 0 {
			a.Lamp = &o.Lamps[i]
		}
		for _, w := range m.watching {
			if w.Agent == id {
				a.Watched = append(a.Watched, Watching{m.nameOf(w.By), w.Mode})
			}
		}
		slices.SortFunc(a.Watched, func(x, y Watching) int { return cmp.Compare(x.By, y.By) })
		o.Agents = append(o.Agents, a)
	}
	for _, l := range m.lines {
		o.Lines = append(o.Lines, Line{l, LevelOf(l)})
	}
	slices.SortFunc(o.Lines, func(a, b Line) int { return cmp.Compare(a.LineChanged.Line, b.LineChanged.Line) })
	for _, c := range m.calls {
		o.Calls = append(o.Calls, Call{CallChanged: c, Agent: m.nameOf(c.Agent), Queue: m.queueName(c.Queue), Via: m.lines[c.Via].Name})
	}
	slices.SortFunc(o.Calls, func(a, b Call) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Call, b.Call))
	})
	for _, h := range m.health {
		if !h.OK {
			o.Health = append(o.Health, h)
		}
	}
	slices.SortFunc(o.Health, func(a, b tel.HealthChanged) int { return cmp.Compare(a.Condition, b.Condition) })
	return o
}

// allLamps lists the lamps, shorter names first so that lamp2 comes before lamp10.
func (m *Model) allLamps() []Lamp {
	var all []Lamp
	for _, l := range m.lamps {
		name := string(l.Lamp)
		if l.Agent != "" {
			name = m.nameOf(l.Agent)
		}
		if queue, ok := strings.CutPrefix(l.Shows, "queue:"); ok {
			name = cmp.Or(m.queueName(tel.QueueID(queue)), name)
		}
		if line, ok := m.lines[l.Shows]; ok {
			name = cmp.Or(line.Name, name)
		}
		all = append(all, Lamp{ID: l.Lamp, Name: name, Agent: l.Agent, State: l.State, Help: l.Help, Fault: l.Fault, Watched: l.Watched, Says: besides(l)})
	}
	slices.SortFunc(all, func(a, b Lamp) int {
		return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// besides is what a lamp says that is no agent's state.
func besides(l tel.LampChanged) string {
	agents := l.Says == l.State.String() || l.Says == "help" || l.Says == "supervised"
	if l.Says == "dark" || l.Agent != "" && agents {
		return ""
	}
	return l.Says
}

func (m *Model) queueName(id tel.QueueID) string {
	for _, q := range m.queues {
		if q.ID == id {
			return q.Name
		}
	}
	return string(id)
}

func (m *Model) nameOf(id tel.AgentID) string {
	if a := m.agents[id]; a != nil && a.Name != "" {
		return a.Name
	}
	return string(id)
}
