// Package view is what the page shows, as plain values built from the feed's events. It knows
// neither HTML nor languages.
package view

import (
	"cmp"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Office is the whole live page.
type Office struct {
	Name   string
	Queues []Queue
	Agents []Agent
	Lines  []tel.LineChanged
	Calls  []Call
	Today  tel.FiguresChanged
	Health []tel.HealthChanged
}

// Queue is one queue with who waits in it, in order.
type Queue struct {
	ID      tel.QueueID
	Name    string
	Number  tel.Number
	Waiting []Waiting
}

// Waiting is one caller in a queue.
type Waiting struct {
	Call     tel.CallID
	Caller   tel.Number
	Name     string
	Since    time.Time
	Priority int
	RingsAt  []string // names of the agents whose phones ring for this caller
}

// Agent is one person.
type Agent struct {
	ID     tel.AgentID
	Name   string
	State  tel.AgentState
	Since  time.Time
	Reason string
	Lamp   *tel.LampChanged
}

// Call is one call that is up.
type Call struct {
	tel.CallChanged
	Agent string // name
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

// Broken counts the lines that are out of service.
func (o Office) Broken() int {
	return count(o.Lines, func(l tel.LineChanged) bool { return !l.Up && l.Cause != tel.LineDisabled })
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
	lines  map[string]tel.LineChanged
	calls  map[tel.CallID]tel.CallChanged
	offers map[tel.OfferID]tel.QueueOffered
	health map[string]tel.HealthChanged
	today  tel.FiguresChanged
}

// NewModel returns a model of an office in which nothing has happened yet.
func NewModel(name string, queues []Queue, agents []Agent) *Model {
	m := &Model{
		name: name, queues: slices.Clone(queues), agents: map[tel.AgentID]*Agent{},
		lines: map[string]tel.LineChanged{}, calls: map[tel.CallID]tel.CallChanged{},
		offers: map[tel.OfferID]tel.QueueOffered{}, health: map[string]tel.HealthChanged{},
	}
	for _, a := range agents {
		m.order = append(m.order, a.ID)
		m.agents[a.ID] = &a
	}
	return m
}

// Part names a fragment of the page that an event changes.
type Part string

// The parts of the page.
const (
	PartSummary Part = "summary"
	PartQueues  Part = "queues"
	PartAgents  Part = "agents"
	PartLines   Part = "lines"
	PartCalls   Part = "calls"
	PartToday   Part = "today"
	PartHealth  Part = "health"
)

// Parts lists every part, in the order of the page.
func Parts() []Part {
	return []Part{PartSummary, PartHealth, PartQueues, PartAgents, PartCalls, PartLines, PartToday}
}

// Apply takes one event and returns the parts that may look different now.
func (m *Model) Apply(e tel.Event) []Part {
	switch e := e.(type) {
	case tel.AgentChanged:
		return m.agent(e)
	case tel.QueueJoined:
		m.joined(e)
		return []Part{PartSummary, PartQueues}
	case tel.QueueOffered:
		m.offers[e.Offer] = e
		return []Part{PartQueues}
	case tel.QueueOfferEnded:
		delete(m.offers, e.Offer)
		return []Part{PartQueues}
	case tel.QueueLeft:
		m.left(e)
		return []Part{PartSummary, PartQueues}
	case tel.CallChanged:
		if e.Stage == tel.StageEnded {
			delete(m.calls, e.Call)
		} else {
			m.calls[e.Call] = e
		}
		return []Part{PartCalls}
	case tel.CallEnded:
		delete(m.calls, e.Call)
		return []Part{PartCalls}
	case tel.LineChanged:
		m.lines[e.Line] = e
		return []Part{PartSummary, PartLines}
	case tel.LampChanged:
		if a := m.agents[e.Agent]; a != nil {
			a.Lamp = &e
			return []Part{PartAgents}
		}
	case tel.FiguresChanged:
		m.today = e
		return []Part{PartToday}
	case tel.HealthChanged:
		m.health[e.Condition] = e
		return []Part{PartHealth}
	}
	return nil
}

func (m *Model) agent(e tel.AgentChanged) []Part {
	a := m.agents[e.Agent]
	if a == nil {
		a = &Agent{ID: e.Agent}
		m.agents[e.Agent] = a
		m.order = append(m.order, e.Agent)
	}
	if e.Name != "" {
		a.Name = e.Name
	}
	a.State, a.Since, a.Reason = e.State, e.Since, e.Reason
	return []Part{PartSummary, PartAgents}
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

func (m *Model) joined(e tel.QueueJoined) {
	q := m.queue(e.Queue)
	q.Waiting = slices.DeleteFunc(q.Waiting, func(w Waiting) bool { return w.Call == e.Call })
	q.Waiting = append(q.Waiting, Waiting{Call: e.Call, Caller: e.Caller, Name: e.Name, Since: e.At, Priority: e.Priority})
	slices.SortStableFunc(q.Waiting, func(a, b Waiting) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), a.Since.Compare(b.Since))
	})
}

func (m *Model) left(e tel.QueueLeft) {
	q := m.queue(e.Queue)
	q.Waiting = slices.DeleteFunc(q.Waiting, func(w Waiting) bool { return w.Call == e.Call })
	for id, o := range m.offers {
		if o.Call == e.Call {
			delete(m.offers, id)
		}
	}
}

// Office is the page of this instant; the caller may keep it.
func (m *Model) Office() Office {
	o := Office{Name: m.name, Today: m.today}
	for _, q := range m.queues {
		q.Waiting = slices.Clone(q.Waiting)
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
	for _, id := range m.order {
		o.Agents = append(o.Agents, *m.agents[id])
	}
	for _, l := range m.lines {
		o.Lines = append(o.Lines, l)
	}
	slices.SortFunc(o.Lines, func(a, b tel.LineChanged) int { return cmp.Compare(a.Line, b.Line) })
	for _, c := range m.calls {
		o.Calls = append(o.Calls, Call{CallChanged: c, Agent: m.nameOf(c.Agent)})
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

func (m *Model) nameOf(id tel.AgentID) string {
	if a := m.agents[id]; a != nil && a.Name != "" {
		return a.Name
	}
	return string(id)
}
