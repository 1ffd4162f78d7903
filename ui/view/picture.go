package view

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

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
	o := Office{Name: m.name, Today: m.today, Supervision: m.supervision, Texts: m.allTexts(), Debts: m.debts, Trace: m.trace}
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
		a.Traced = m.trace.On && slices.Contains(m.trace.Agents, id)
		o.Agents = append(o.Agents, a)
	}
	for _, l := range m.lines {
		o.Lines = append(o.Lines, Line{l, LevelOf(l), m.trace.On && m.trace.Of == l.Line})
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
