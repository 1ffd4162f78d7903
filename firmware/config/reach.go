package config

import (
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Way is how calls come into the house, or begin in it.
type Way struct {
	Via    string     // "trunk:ID" or "line:ID"; empty: from inside
	Number tel.Number // that was dialled; "*" is every other number of a trunk, empty of a line is all its calls
}

// Ways tells for every destination, such as menu:ID, how calls reach it, directly or through others. What is
// not in it is reached by nobody.
func (c *Config) Ways() map[string][]Way {
	next := c.onward()
	reached := map[string][]Way{}
	var follow func(to string, w Way)
	follow = func(to string, w Way) {
		if to == "" || slices.Contains(reached[to], w) {
			return
		}
		reached[to] = append(reached[to], w)
		for _, n := range next[to] {
			follow(n, w)
		}
	}
	for _, t := range c.Trunks {
		for _, number := range sortedNumbers(t.In) {
			follow(t.In[number], Way{"trunk:" + string(t.ID), number})
		}
	}
	for _, l := range c.Lines {
		follow(l.In, Way{Via: "line:" + string(l.ID)})
	}
	for _, to := range c.dialled() {
		follow(to, Way{})
	}
	if c.Dialling.Anonymous != "reject" {
		follow(c.Dialling.Anonymous, Way{})
	}
	return reached
}

// dialled are the destinations that have an internal number.
func (c *Config) dialled() (all []string) {
	for _, a := range c.Agents {
		all = append(all, "ext:"+string(a.Extension))
	}
	for _, p := range c.Phones {
		if p.Extension != "" {
			all = append(all, "ext:"+string(p.Extension))
		}
	}
	for _, q := range c.Queues {
		all = append(all, "queue:"+string(q.ID))
	}
	for _, g := range c.Groups {
		if g.Number != "" {
			all = append(all, "group:"+g.ID)
		}
	}
	for _, x := range c.Conferences {
		if x.Number != "" {
			all = append(all, "conference:"+string(x.ID))
		}
	}
	return all
}

// onward is where each destination may send a call on.
func (c *Config) onward() map[string][]string {
	next := map[string][]string{}
	for i := range c.Menus {
		m := &c.Menus[i]
		next["menu:"+m.ID] = append(m.leads(), m.TimeoutTo, m.InvalidTo)
	}
	for _, h := range c.Hours {
		next["hours:"+h.ID] = []string{h.Then, h.Closed, h.Holiday}
	}
	for i := range c.Queues {
		q := &c.Queues[i]
		to := []string{q.Overflow, q.Waiting.FullTo, q.Waiting.EmptyTo}
		for _, exit := range q.Waiting.Exit {
			to = append(to, exit)
		}
		next["queue:"+string(q.ID)] = to
	}
	for _, g := range c.Groups {
		to := []string{g.Busy, g.NoAnswer}
		for _, m := range g.Members {
			to = append(to, m.To)
		}
		next["group:"+g.ID] = to
	}
	for _, a := range c.Agents {
		f := a.Calls.Forward
		next["ext:"+string(a.Extension)] = []string{f.Always, f.Busy, f.NoAnswer, f.Unreachable}
	}
	return next
}

// leads is where the keys of a menu lead, without those that stay in it.
func (m *Menu) leads() (all []string) {
	for _, key := range MenuKeys() {
		switch to := m.Keys[key]; to {
		case "", "repeat", "language:it", "language:en":
		default:
			all = append(all, to)
		}
	}
	return all
}

// MenuKeys are the keys of a telephone in their order.
func MenuKeys() []string { return []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "*", "#"} }

// DeadEnd reports a menu from which no key leads to anybody, however often one presses: only to menus of the
// same kind, or to the end of the call.
func (c *Config) DeadEnd(id string) bool {
	seen := map[string]bool{}
	var dead func(id string) bool
	dead = func(id string) bool {
		seen[id] = true
		i := slices.IndexFunc(c.Menus, func(m Menu) bool { return m.ID == id })
		if i < 0 {
			return true
		}
		m := &c.Menus[i]
		if m.Dial {
			return false
		}
		for _, to := range append(m.leads(), m.TimeoutTo, m.InvalidTo) {
			menu, isMenu := menuOf(to)
			if isMenu && (seen[menu] || dead(menu)) || to == "hangup" || to == "" {
				continue
			}
			return false
		}
		return true
	}
	return dead(id)
}

// menuOf is the menu that a destination names.
func menuOf(to string) (id string, ok bool) { return strings.CutPrefix(to, "menu:") }
