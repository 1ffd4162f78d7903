package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Menu lets callers choose by keys. Changes reach callers who enter after them.
type Menu struct {
	ID        string            `yaml:"id"`
	Name      string            `yaml:"name"`
	Greeting  []string          `yaml:"greeting,omitempty"` // sentences of the box, or prompt:ID; said first and at each repetition
	Keys      map[string]string `yaml:"keys,omitempty"`     // 0-9, *, # -> destination, menu:ID, repeat, language:it, language:en
	Dial      bool              `yaml:"dial"`               // callers may dial extensions; default false
	Wait      time.Duration     `yaml:"wait"`               // for a key after the greeting; default 5s, 1s-1m
	Timeouts  int               `yaml:"timeouts"`           // in a row until timeout_to; default 3, 1-10
	TimeoutTo string            `yaml:"timeout_to"`         // default hangup, after a goodbye
	Invalid   int               `yaml:"invalid"`            // wrong keys in a row until invalid_to; default 3, 1-10
	InvalidTo string            `yaml:"invalid_to"`         // default hangup, after a goodbye
}

// Prompts are announcements of the owner of the box, recorded from a phone or given to the page.
type Prompts struct {
	PIN  Secret   `yaml:"pin"` // 4-10 digits, asked before recording; default none = only phones that may
	List []Prompt `yaml:"list,omitempty"`
}

// Prompt is one announcement.
type Prompt struct {
	ID     string     `yaml:"id"`
	Name   string     `yaml:"name"`
	Number tel.Number `yaml:"number"` // typed to choose it when recording; 1-5 digits
}

// normaliseMenus fills the defaults of list entries, which YAML creates as zero values.
func (c *Config) normaliseMenus() {
	for i := range c.Menus {
		m := &c.Menus[i]
		if m.Wait == 0 {
			m.Wait = 5 * time.Second
		}
		if m.Timeouts == 0 {
			m.Timeouts = 3
		}
		if m.Invalid == 0 {
			m.Invalid = 3
		}
		if m.TimeoutTo == "" {
			m.TimeoutTo = "hangup"
		}
		if m.InvalidTo == "" {
			m.InvalidTo = "hangup"
		}
	}
}

func (v *validator) menus() {
	v.prompts()
	for i := range v.c.Menus {
		v.menu(fmt.Sprintf("menus[%d]", i), &v.c.Menus[i])
	}
	v.menuLoops()
}

func (v *validator) prompts() {
	p := v.c.Prompts
	if p.PIN != "" {
		if err := tel.GoodPIN("", string(p.PIN)); err != nil {
			v.found.add("prompts.pin", "pin", "%v", err)
		}
	}
	numbers := map[tel.Number]bool{}
	for i, x := range p.List {
		path := fmt.Sprintf("prompts.list[%d]", i)
		v.id(path, "prompt", x.ID)
		if strings.Contains(x.ID, ".") {
			v.found.add(path+".id", "id", "%q: an announcement's id has no dot", x.ID)
		}
		switch {
		case len(x.Number) < 1 || len(x.Number) > 5 || strings.Trim(string(x.Number), "0123456789") != "":
			v.found.add(path+".number", "number", "%q is not a number of 1 to 5 digits", x.Number)
		case numbers[x.Number]:
			v.found.add(path+".number", "duplicate", "%q is used twice", x.Number)
		}
		numbers[x.Number] = true
	}
}

func (v *validator) menu(path string, m *Menu) {
	v.id(path, "menu", m.ID)
	if len(m.Greeting) == 0 {
		v.found.add(path+".greeting", "missing", "is missing: callers would not know what to press")
	}
	v.sentences(path+".greeting", m.Greeting)
	if len(m.Keys) == 0 && !m.Dial {
		v.found.add(path+".keys", "missing", "a menu needs a key, or dial")
	}
	for key, to := range m.Keys {
		at := fmt.Sprintf("%s.keys[%s]", path, key)
		if len(key) != 1 || !strings.Contains("0123456789*#", key) {
			v.found.add(at, "key", "%q is not one of 0-9, * and #", key)
		}
		switch to {
		case "repeat", "language:it", "language:en":
		default:
			v.destination(at, to)
		}
	}
	v.duration(path+".wait", m.Wait, time.Second, time.Minute)
	v.between(path+".timeouts", m.Timeouts, 1, 10)
	v.between(path+".invalid", m.Invalid, 1, 10)
	v.destination(path+".timeout_to", m.TimeoutTo)
	v.destination(path+".invalid_to", m.InvalidTo)
}

// menuLoops finds menus, and queues behind them, that send a caller who does nothing round and round.
func (v *validator) menuLoops() {
	next := map[string][]string{}
	for _, m := range v.c.Menus {
		next["menu:"+m.ID] = []string{m.TimeoutTo, m.InvalidTo}
	}
	for _, q := range v.c.Queues {
		next["queue:"+string(q.ID)] = []string{q.Overflow}
	}
	for i, m := range v.c.Menus {
		for _, way := range [][2]string{{"timeout_to", m.TimeoutTo}, {"invalid_to", m.InvalidTo}} {
			if reaches(next, way[1], "menu:"+m.ID, map[string]bool{}) {
				v.found.add(fmt.Sprintf("menus[%d].%s", i, way[0]), "loop", "callers who do not choose would come back to %q for ever", m.ID)
			}
		}
	}
}

func reaches(next map[string][]string, from, to string, seen map[string]bool) bool {
	if from == to {
		return true
	}
	if seen[from] {
		return false
	}
	seen[from] = true
	return slices.ContainsFunc(next[from], func(x string) bool { return reaches(next, x, to, seen) })
}
