package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Work is how a person works at the queues. All of it is applied at once; after-call work and shifts
// that run are not cut, but a shift that has another end now ends then.
type Work struct {
	WrapUp         time.Duration `yaml:"wrap_up"`          // after-call time in every queue, instead of the queues' own; default 0 = as each queue says, up to 1h
	NoWrapUp       bool          `yaml:"no_wrap_up"`       // no after-call time in any queue; default false
	Capacity       int           `yaml:"capacity"`         // pieces of work at once before no caller rings; default 1: who talks is not rung; up to 20
	RingOnInternal bool          `yaml:"ring_on_internal"` // a call with a colleague is no work in this count; default false
	LoginPIN       bool          `yaml:"login_pin"`        // the code of calls.pin is asked for at each login from a phone; default false
	Shift          []string      `yaml:"shift,omitempty"`  // working hours as in hours.open, e.g. "mon-fri 09:00-18:00": after their end the person is logged out when the work in hand is done; default never
	ShiftHours     string        `yaml:"shift_hours"`      // instead of shift: the id of opening hours
}

// Missed is what a queue does with an agent who does not take its calls.
type Missed struct {
	After  int  `yaml:"after"`  // so many in a row; default 0 = nothing happens, up to 20
	Logout bool `yaml:"logout"` // the agent is logged out; default false: paused
}

// Pauses is which reasons a pause has. Applied to new pauses.
type Pauses struct {
	Reasons []PauseReason `yaml:"reasons,omitempty"`
	Only    bool          `yaml:"only"` // no other reasons, and none is no reason; default false
}

// PauseReason can be dialled behind the code of a pause, *42 unless set otherwise.
type PauseReason struct {
	Code string `yaml:"code"` // one to three digits, the first not 0
	Name string `yaml:"name"` // as the page and reports show it; reports under another name begin anew
}

// Shift is the working hours of an agent; ok is false for who works as long as it pleases.
func (c *Config) Shift(id tel.AgentID) (table dialplan.Hours, ok bool) {
	i := slices.IndexFunc(c.Agents, func(a Agent) bool { return a.ID == id })
	if i < 0 {
		return table, false
	}
	switch w := c.Agents[i].Work; {
	case len(w.Shift) > 0:
		return dialplan.Hours{Open: spans(w.Shift, true)}, true
	case w.ShiftHours != "":
		for h := range c.Hours {
			if c.Hours[h].ID == w.ShiftHours {
				return c.Hours[h].table(), true
			}
		}
	}
	return table, false
}

// Planned is how long an agent is to work from one moment to another, by its shift as it stands now; nil for who works
// as long as it pleases.
func (c *Config) Planned(id tel.AgentID, zone *time.Location) func(from, to time.Time) time.Duration {
	table, ok := c.Shift(id)
	if !ok {
		return nil
	}
	calendar := c.calendar()
	return func(from, to time.Time) time.Duration { return table.Worked(from, to, zone, calendar) }
}

// list is the reasons as the dial plan knows them.
func (p Pauses) list() dialplan.Pauses {
	out := dialplan.Pauses{Only: p.Only}
	for _, r := range p.Reasons {
		out.Reasons = append(out.Reasons, dialplan.PauseReason(r))
	}
	return out
}

// normaliseWork fills the defaults.
func (c *Config) normaliseWork() {
	for i := range c.Agents {
		if w := &c.Agents[i].Work; w.Capacity == 0 {
			w.Capacity = 1
		}
	}
}

// maxCapacity is how much one person can have in hand.
const maxCapacity = 20

func (v *validator) work() {
	for i := range v.c.Agents {
		v.agentWork(fmt.Sprintf("agents[%d].work", i), &v.c.Agents[i])
	}
	for i, q := range v.c.Queues {
		path := fmt.Sprintf("queues[%d].missed", i)
		v.between(path+".after", q.Missed.After, 0, 20)
		if q.Missed.Logout && q.Missed.After == 0 {
			v.found.add(path+".after", "missing", "is missing: after how many missed calls the agent is logged out")
		}
	}
	v.pauses()
	v.dispositions()
}

func (v *validator) agentWork(path string, a *Agent) {
	w := a.Work
	v.duration(path+".wrap_up", w.WrapUp, 0, time.Hour)
	if w.NoWrapUp && w.WrapUp != 0 {
		v.found.add(path+".wrap_up", "contradiction", "%s, and no_wrap_up says none", w.WrapUp)
	}
	v.between(path+".capacity", w.Capacity, 1, maxCapacity)
	if w.LoginPIN && a.Calls.PIN == "" {
		v.found.add(path+".login_pin", "missing", "needs a code: set calls.pin")
	}
	if len(w.Shift) > 0 && w.ShiftHours != "" {
		v.found.add(path+".shift", "contradiction", "is set, and shift_hours too; use one")
	}
	for i, text := range w.Shift {
		if _, err := dialplan.ParseSpans(text, true); err != nil {
			v.found.add(fmt.Sprintf("%s.shift[%d]", path, i), "hours", "%s", err)
		}
	}
	if w.ShiftHours != "" && !slices.ContainsFunc(v.c.Hours, func(h Hours) bool { return h.ID == w.ShiftHours }) {
		v.found.add(path+".shift_hours", "unknown", "there are no hours %q", w.ShiftHours)
	}
}

// ownReasons are those that the box gives itself.
func ownReasons() []string {
	return []string{"dnd", "missed_calls", "shift_end", "forced", "phone_silent"}
}

func (v *validator) pauses() {
	codes, names := map[string]bool{}, map[string]bool{}
	for i, r := range v.c.Pauses.Reasons {
		path := fmt.Sprintf("pauses.reasons[%d]", i)
		v.dialled(path, r.Code, r.Name, codes, names)
		if slices.Contains(ownReasons(), r.Name) {
			v.found.add(path+".name", "taken", "%q is a reason that the box gives itself", r.Name)
		}
	}
	if v.c.Pauses.Only && len(v.c.Pauses.Reasons) == 0 {
		v.found.add("pauses.reasons", "missing", "are missing: only listed reasons are allowed, and none is listed")
	}
}

// dialled judges a name that is chosen by the digits behind a feature code, among those before it.
func (v *validator) dialled(path, code, name string, codes, names map[string]bool) {
	switch {
	case len(code) < 1 || len(code) > 3 || strings.Trim(code, "0123456789") != "" || code[0] == '0':
		v.found.add(path+".code", "number", "%q is not one to three digits, the first not 0", code)
	case codes[code]:
		v.found.add(path+".code", "duplicate", "%q is used twice", code)
	}
	switch {
	case strings.TrimSpace(name) == "":
		v.found.add(path+".name", "missing", "is missing")
	case names[name]:
		v.found.add(path+".name", "duplicate", "%q is used twice", name)
	}
	codes[code], names[name] = true, true
}
