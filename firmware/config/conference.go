package config

import (
	"fmt"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// MostInConference is the most parties that a conference room may take.
const MostInConference = 30

// Conference is a room where many talk with each other. Changes are applied at once, also to a conference that is on;
// codes to who comes after. Who is in a room that is taken away is sent home.
type Conference struct {
	ID        tel.ConferenceID `yaml:"id"`
	Name      string           `yaml:"name"`
	Number    tel.Number       `yaml:"number"`     // internal number, 2-5 digits; default none = only conference:ID leads there
	PIN       Secret           `yaml:"pin"`        // of participants, 4-10 digits; default none; needed where callers from outside come in
	LeaderPIN Secret           `yaml:"leader_pin"` // of who leads; default none = nobody does
	Limit     int              `yaml:"limit"`      // parties at most; default 30, 2-30
	Await     bool             `yaml:"await"`      // music for all until a leader comes; default false; needs leader_pin
	EndAfter  bool             `yaml:"end_after"`  // the conference is over when the last leader leaves; default false; needs leader_pin
	Muted     bool             `yaml:"muted"`      // who comes is silent until *6, but a leader; default false
	Quiet     bool             `yaml:"quiet"`      // no tone when somebody comes or goes; default false
	NoMusic   bool             `yaml:"no_music"`   // silence for who waits; default false
}

func (c *Config) normaliseConferences() {
	for i := range c.Conferences {
		if x := &c.Conferences[i]; x.Limit == 0 {
			x.Limit = MostInConference
		}
	}
}

func (v *validator) conferences() {
	reached := map[string][]Way{}
	if len(v.c.Conferences) > 0 {
		reached = v.c.Ways()
	}
	for i := range v.c.Conferences {
		v.conference(fmt.Sprintf("conferences[%d]", i), &v.c.Conferences[i], reached)
	}
}

func (v *validator) conference(path string, x *Conference, reached map[string][]Way) {
	v.id(path, "conference", string(x.ID))
	v.number(path+".number", x.Number, false)
	v.between(path+".limit", x.Limit, 2, MostInConference)
	if x.PIN != "" && !dialplan.IsPIN(string(x.PIN)) {
		v.found.add(path+".pin", "pin", "use 4 to 10 digits, not all alike")
	}
	if x.LeaderPIN != "" && !dialplan.IsPIN(string(x.LeaderPIN)) {
		v.found.add(path+".leader_pin", "pin", "use 4 to 10 digits, not all alike")
	}
	if x.PIN != "" && x.PIN == x.LeaderPIN {
		v.found.add(path+".leader_pin", "duplicate", "is the code of the participants too: everybody would lead")
	}
	if (x.Await || x.EndAfter) && x.LeaderPIN == "" {
		v.found.add(path+".leader_pin", "missing", "is missing: nobody could lead, and await and end_after are about who does")
	}
	outside := slices.ContainsFunc(reached["conference:"+string(x.ID)], func(w Way) bool { return w.Via != "" })
	if outside && x.PIN == "" {
		v.found.add(path+".pin", "missing", "is missing: callers from outside come to this room, and would listen without a code")
	}
}
