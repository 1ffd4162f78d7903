package config

import (
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// ModemPower is an output of the board that cuts a modem's supply, or holds its reset, while it is active; a pin that
// nobody drives leaves the modem on. It is the last step before a person is called for a modem that does not answer. A
// change opens the line anew, after its call.
type ModemPower struct {
	Chip   string        `yaml:"chip"`          // label of the chip; default the board's header
	Line   string        `yaml:"line"`          // line of the chip, or pin of the header, e.g. GPIO23 or pin 16; default no such pin
	Invert bool          `yaml:"invert"`        // active low
	For    time.Duration `yaml:"for,omitempty"` // how long it is active; default 3s, 200ms-20s
}

// Fitted reports that there is such a pin.
func (p ModemPower) Fitted() bool { return p.Line != "" }

// Lamp is the pin as an output of the board, which is dark while the modem has its supply.
func (p ModemPower) Lamp(of tel.LineID) Lamp {
	return Lamp{ID: tel.LampID("power-" + of), Driver: "gpio", Chip: p.Chip, Line: p.Line, Invert: p.Invert}
}

func (c *Config) normalisePower() {
	for i := range c.Lines {
		switch p := &c.Lines[i].Power; {
		case !p.Fitted() && p.Chip == "" && p.For >= 0: // what is left of one that was taken away
			*p = ModemPower{}
		case p.For == 0:
			p.For = 3 * time.Second
		}
	}
}

// power checks the pin that cuts a modem's supply.
func (v *validator) power(path string, p *ModemPower) {
	if !p.Fitted() && p.Chip != "" {
		v.found.add(path, "missing", "a pin needs its line, such as pin 16 or GPIO23")
	}
	if p.Fitted() || p.For != 0 {
		v.duration(path+".for", p.For, 200*time.Millisecond, 20*time.Second)
	}
}

// sharedPower refuses a modem's pin that is something else already.
func (v *validator) sharedPower(take func(path, kind, name string, l Lamp)) {
	for i, l := range v.c.Lines {
		if l.Power.Fitted() {
			take(fmt.Sprintf("lines[%d].power", i), "lines", fmt.Sprintf("the supply of line %q", l.ID), l.Power.Lamp(l.ID))
		}
	}
}
