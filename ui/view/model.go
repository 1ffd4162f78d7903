package view

import (
	"cmp"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

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
	trace       tel.RTPTraceChanged
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
	case tel.RTPTraceChanged:
		m.trace = e
		return whole(SectionHealth, SectionAgents, SectionLines)
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
