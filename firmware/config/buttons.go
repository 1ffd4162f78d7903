package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Button is a push button at a desk that is for one thing. A change is applied at once, with the lamps.
type Button struct {
	ID     tel.LampID `yaml:"id"`
	Of     string     `yaml:"of"`     // whose: agent:ID, or desk:PHONE (whoever sits at that phone)
	Use    ButtonUse  `yaml:"use"`    // ready (login, end of a pause or of after-call work), pause, or help (asks for a supervisor, and takes that back)
	Reason string     `yaml:"reason"` // of a pause: one of pauses.reasons; default the first of them
	Driver string     `yaml:"driver"` // gpio (default) or sim
	Chip   string     `yaml:"chip"`   // gpio: the chip's label; default the board's header
	Line   string     `yaml:"line"`   // gpio: line of the chip, or pin of the header, e.g. GPIO22 or pin 15
	Supply bool       `yaml:"supply"` // gpio: a press connects the line to the supply; default to ground
}

// ButtonUse is what a button is for.
type ButtonUse = lamp.Use

// ButtonUses lists what a button can be for.
func ButtonUses() (all []string) {
	for _, u := range lamp.Uses() {
		all = append(all, string(u))
	}
	return all
}

// buttonDrivers are where a button can hang.
var buttonDrivers = []string{"gpio", "sim"}

// ButtonDrivers lists where a button can hang.
func ButtonDrivers() []string { return slices.Clone(buttonDrivers) }

func (c *Config) normaliseButtons() {
	for i := range c.Buttons {
		if c.Buttons[i].Driver == "" {
			c.Buttons[i].Driver = "gpio"
		}
	}
}

// AllButtons are those of their own and those beside lamps, which have the names of the lamps.
func (c *Config) AllButtons() []Button {
	all := slices.Clone(c.Buttons)
	for _, l := range c.Lamps {
		if l.Button != "" {
			all = append(all, Button{
				ID: l.ID, Of: c.Subject(l).String(), Use: lamp.UseAll,
				Driver: l.Button, Chip: l.ButtonAt(), Line: l.ButtonLine, Supply: l.ButtonSupply,
			})
		}
	}
	return all
}

// place is where the button is on the board; empty: in memory.
func (b Button) place() string {
	if b.Driver != "gpio" {
		return ""
	}
	return fmt.Sprintf("line %s of %s", b.Line, chipNamed(b.Chip))
}

func (v *validator) button(path string, b *Button) {
	v.id(path, "button", string(b.ID))
	if slices.ContainsFunc(v.c.Lamps, func(l Lamp) bool { return l.Button != "" && l.ID == b.ID && b.ID != "" }) {
		v.found.add(path+".id", "duplicate", "%q is the button beside the lamp of that name", b.ID)
	}
	of, ok := lamp.ReadSubject(b.Of)
	switch {
	case b.Of == "":
		v.found.add(path+".of", "missing", "say whose button it is: agent:ID or desk:PHONE")
	case !ok || of.Kind != lamp.Agent && of.Kind != lamp.Desk:
		v.found.add(path+".of", "form", "%q is nobody who has a button: write agent:ID or desk:PHONE", b.Of)
	case !v.there(of):
		v.found.add(path+".of", "unknown", "there is no %s", b.Of)
	}
	if !slices.Contains(lamp.Uses(), b.Use) {
		v.found.add(path+".use", "choice", "%q is not a use of a button; it is ready, pause or help", b.Use)
	}
	if b.Reason != "" {
		switch {
		case b.Use != lamp.UsePause:
			v.found.add(path+".reason", "range", "only a pause has a reason")
		case !slices.ContainsFunc(v.c.Pauses.Reasons, func(r PauseReason) bool { return r.Name == b.Reason }):
			v.found.add(path+".reason", "unknown", "%q is not a reason of a pause", b.Reason)
		}
	}
	switch {
	case !slices.Contains(buttonDrivers, b.Driver):
		v.found.add(path+".driver", "choice", "%q is not one of %s", b.Driver, strings.Join(buttonDrivers, ", "))
	case b.Driver == "gpio" && b.Line == "":
		v.found.add(path, "missing", "a gpio button needs its line, such as pin 13 or GPIO27")
	}
}

// there reports that what a lamp or a button is of is configured.
func (v *validator) there(s lamp.Subject) bool {
	switch s.Kind {
	case lamp.Agent:
		return slices.ContainsFunc(v.c.Agents, func(a Agent) bool { return string(a.ID) == s.ID })
	case lamp.Desk:
		return slices.ContainsFunc(v.c.Phones, func(p Phone) bool { return string(p.ID) == s.ID })
	case lamp.Queue:
		return slices.ContainsFunc(v.c.Queues, func(q Queue) bool { return string(q.ID) == s.ID })
	case lamp.Line:
		return slices.ContainsFunc(v.c.Trunks, func(t Trunk) bool { return "trunk:"+string(t.ID) == s.ID }) ||
			slices.ContainsFunc(v.c.Lines, func(x Line) bool { return "line:"+string(x.ID) == s.ID })
	default:
		return true
	}
}
