package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Contact is an entry of the phone book: its name is shown when the number calls. Applied to new calls.
type Contact struct {
	Name   string     `yaml:"name"`
	Number tel.Number `yaml:"number"` // in any usual form
}

// maxContacts bounds the phone book of the file; larger ones belong to a data base.
const maxContacts = 5000

// Door makes a phone the door's: who talks with it opens the door by a key.
type Door struct {
	Key    string        `yaml:"key"`    // 0-9, * or #; default 5
	For    time.Duration `yaml:"for"`    // how long the contact is closed; default 3s, 1s-30s
	Driver string        `yaml:"driver"` // of the relay: sim, gpio, 74hc595 or mcp23017, as lamps have it
	Chip   string        `yaml:"chip"`
	Line   string        `yaml:"line"`
	Bit    int           `yaml:"bit"`
	Invert bool          `yaml:"invert"` // the relay is active low
}

// relayDrivers are the drivers of lamps that can work a relay.
var relayDrivers = []string{"sim", "gpio", "74hc595", "mcp23017"}

// Lamp is the relay as an output of the board.
func (d Door) Lamp(phone tel.DeviceID) Lamp {
	return Lamp{ID: tel.LampID("door-" + phone), Driver: d.Driver, Chip: d.Chip, Line: d.Line, Bit: d.Bit, Invert: d.Invert, Relay: true}
}

func (c *Config) normaliseDoors() {
	for i := range c.Phones {
		if d := c.Phones[i].Door; d != nil {
			if d.Key == "" {
				d.Key = "5"
			}
			if d.For == 0 {
				d.For = 3 * time.Second
			}
			if d.Driver == "" {
				d.Driver = "sim"
			}
		}
	}
}

func (v *validator) contacts() {
	if len(v.c.Contacts) > maxContacts {
		v.found.add("contacts", "range", "%d entries; the file holds up to %d", len(v.c.Contacts), maxContacts)
	}
	for i, x := range v.c.Contacts {
		path := fmt.Sprintf("contacts[%d]", i)
		if strings.TrimSpace(x.Name) == "" {
			v.found.add(path+".name", "missing", "is missing")
		}
		if _, err := tel.ParseNumber(string(x.Number)); err != nil {
			v.found.add(path+".number", "number", "%q is not a number", x.Number)
		}
	}
}

// placePhone checks a phone that belongs to a place and not to a person: a door, a meeting room.
func (v *validator) placePhone(path string, p *Phone) {
	owned := slices.ContainsFunc(v.c.Agents, func(a Agent) bool { return slices.Contains(a.Phones, p.ID) })
	if p.Extension != "" {
		v.number(path+".extension", p.Extension, true)
		if owned {
			v.found.add(path+".extension", "shared", "phone %q belongs to a person, who has an extension", p.ID)
		}
	}
	for i, d := range p.Dial {
		if !slices.Contains(dialplan.Classes(), dialplan.Class(d)) {
			v.found.add(fmt.Sprintf("%s.dial[%d]", path, i), "choice", "%q is not one of internal, local, mobile, international, premium", d)
		}
	}
	d := p.Door
	if d == nil {
		return
	}
	if len(d.Key) != 1 || !strings.Contains("0123456789*#", d.Key) {
		v.found.add(path+".door.key", "key", "%q is not one of 0-9, * and #", d.Key)
	}
	v.duration(path+".door.for", d.For, time.Second, 30*time.Second)
	if !slices.Contains(relayDrivers, d.Driver) {
		v.found.add(path+".door.driver", "choice", "%q is not one of %s", d.Driver, strings.Join(relayDrivers, ", "))
		return
	}
	relay := d.Lamp(p.ID)
	v.output(path+".door", &relay)
}
