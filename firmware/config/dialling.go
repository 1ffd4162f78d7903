package config

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Dialling is what numbers mean beside who has which. All of it is applied to new calls.
type Dialling struct {
	Prefix    tel.Number            `yaml:"prefix"`            // dialled before outside numbers, e.g. "0"; default none
	Codes     map[string]tel.Number `yaml:"codes,omitempty"`   // feature code by action, e.g. echo: "*43"; "off" takes one away; default: the list on the page
	ParkFirst tel.Number            `yaml:"park_first"`        // parked calls lie at these numbers; default 701
	ParkLast  tel.Number            `yaml:"park_last"`         // default 720
	ParkFor   time.Duration         `yaml:"park_for"`          // then a parked call rings at who parked it; default 2m, 10s-1h
	Blocked   []string              `yaml:"blocked,omitempty"` // callers from outside that nobody wants: a number, or a beginning and *
	VIP       []string              `yaml:"vip,omitempty"`     // callers who always pass, written alike
	Anonymous string                `yaml:"anonymous"`         // callers without a number: a destination, "reject", or empty (default) = like others
	Outlets   []Outlet              `yaml:"outlets,omitempty"` // what is known of trunks and lines as ways out
}

// Outlet is what the dial plan knows of a trunk or a line.
type Outlet struct {
	Via       string               `yaml:"via"`              // "trunk:ID" or "line:ID"
	Number    tel.Number           `yaml:"number"`           // its own number, shown on emergency calls
	Emergency bool                 `yaml:"emergency"`        // its registered address is this site: emergency calls try it first; default false
	Prices    map[string]tel.Money `yaml:"prices,omitempty"` // euros per minute by class: local, mobile, international, premium; for cheapest routes and spending limits
}

// Group rings several people for one number. Applied to new calls.
type Group struct {
	ID       string        `yaml:"id"`
	Name     string        `yaml:"name"`
	Number   tel.Number    `yaml:"number"` // internal number; may be empty
	Members  []Member      `yaml:"members,omitempty"`
	Page     bool          `yaml:"page"`      // an announcement to all: their phones answer by themselves and only hear; default false
	InTurn   bool          `yaml:"in_turn"`   // one after the other; default false: all together
	Ring     time.Duration `yaml:"ring"`      // of each in turn, else of all; default 30s, 5s-3m
	Busy     string        `yaml:"busy"`      // destination when nobody is free; default: as no_answer
	NoAnswer string        `yaml:"no_answer"` // destination when nobody takes the call; default: the caller is told so
}

// Member is one of a group.
type Member struct {
	To    string        `yaml:"to"`    // "ext:NUMBER" or "outside:NUMBER"
	After time.Duration `yaml:"after"` // how much later than the first; default 0, up to 3m; not used in turn
}

// AgentCalls is how a person's calls are carried. Applied to new calls.
type AgentCalls struct {
	Ring      time.Duration `yaml:"ring"`              // how long the phones ring; default 30s, 5s-3m
	Follow    []Member      `yaml:"follow,omitempty"`  // what rings besides the phones, e.g. a mobile after 15s
	Forward   Forward       `yaml:"forward,omitempty"` // until the person sets another by code
	PIN       Secret        `yaml:"pin"`               // 4-10 digits: opens pin_dial for one call, another desk, the mailbox from elsewhere
	PINDial   []string      `yaml:"pin_dial,omitempty"`
	Blocked   []string      `yaml:"blocked,omitempty"` // as dialling.blocked, for this person
	Anonymous string        `yaml:"anonymous"`         // as dialling.anonymous, for this person
	Pickup    string        `yaml:"pickup"`            // name of the group whose ringing calls may be taken with *8
	Office    bool          `yaml:"office"`            // may force opening hours and record prompts by code; default false
}

// Forward is where calls go that a person does not take; empty = nowhere.
type Forward struct {
	Always      string `yaml:"always"`
	Busy        string `yaml:"busy"`
	NoAnswer    string `yaml:"no_answer"`
	Unreachable string `yaml:"unreachable"`
}

// Hours is when somebody is there; the destination "hours:ID" asks it. Applied to new calls.
type Hours struct {
	ID         string      `yaml:"id"`
	Name       string      `yaml:"name"`
	Key        int         `yaml:"key"`                  // 1-9, behind the codes that force it open or closed; default 0 = only from the page
	Open       []string    `yaml:"open,omitempty"`       // "mon-fri 09:00-13:00,14:00-18:00"
	Holidays   bool        `yaml:"holidays"`             // closed on Italian holidays and the town's own; default false
	Eve        []string    `yaml:"eve,omitempty"`        // "09:00-13:00" on the day before a holiday; default: as usual
	Exceptions []Exception `yaml:"exceptions,omitempty"` // the first that fits counts
	Then       string      `yaml:"then"`                 // destination while open
	Closed     string      `yaml:"closed"`               // destination otherwise; default: the caller is told to try later
	Holiday    string      `yaml:"holiday"`              // destination on holidays and closed exceptions; default: as closed
}

// Exception replaces the weekly hours on some dates.
type Exception struct {
	Name string   `yaml:"name"`
	From string   `yaml:"from"`           // 2026-08-10, or 12-24 for every year
	To   string   `yaml:"to"`             // included; default: the same day
	Open []string `yaml:"open,omitempty"` // "09:00-13:00"; default: closed
}

// Toll limits what calls to the outside may cost. A person's own rights come first; these come on top.
// Applied at once, also to calls that are up.
type Toll struct {
	Countries []string `yaml:"countries,omitempty"` // international calls only to these: ISO codes such as FR, or "all"; default none
	Premium   bool     `yaml:"premium"`             // premium numbers and satellites at all; default false
	Person    Caps     `yaml:"person,omitempty"`    // of each person; default 3 calls, 20 and 50 euros
	Line      Caps     `yaml:"line,omitempty"`      // of each trunk and line; default no limit
	Box       Caps     `yaml:"box,omitempty"`       // of all together; default 50 and 150 euros
	Night     string   `yaml:"night"`               // id of the opening hours outside of which night_dial holds; default none
	NightDial []string `yaml:"night_dial"`          // classes that may be dialled then; default local, mobile; [] is nothing but emergency numbers
}

// Caps are limits; 0 is none.
type Caps struct {
	Calls       int       `yaml:"calls"`        // at the same time
	HourMinutes int       `yaml:"hour_minutes"` // within the last hour
	DayMinutes  int       `yaml:"day_minutes"`  // within the last 24 hours
	HourMoney   tel.Money `yaml:"hour_money"`   // euros
	DayMoney    tel.Money `yaml:"day_money"`
}

// defaultToll is what holds when the file says nothing: enough for a busy office, little for a thief.
func defaultToll() Toll {
	return Toll{
		NightDial: []string{"local", "mobile"},
		Person:    Caps{Calls: 3, HourMoney: 20 * tel.Euro, DayMoney: 50 * tel.Euro},
		Box:       Caps{HourMoney: 50 * tel.Euro, DayMoney: 150 * tel.Euro},
	}
}

// normaliseDialling fills the defaults of what YAML creates as zero values.
func (c *Config) normaliseDialling() {
	for i := range c.Groups {
		if g := &c.Groups[i]; g.Ring == 0 {
			g.Ring = 30 * time.Second
		}
	}
	for i := range c.Agents {
		if a := &c.Agents[i].Calls; a.Ring == 0 {
			a.Ring = 30 * time.Second
		}
	}
	for i := range c.Hours {
		for j := range c.Hours[i].Exceptions {
			if e := &c.Hours[i].Exceptions[j]; e.To == "" {
				e.To = e.From
			}
		}
	}
}
