// Package dialplan decides where a dialled number goes. It is pure: a plan, who asks, the number
// and the time give one decision.
//
// Emergency numbers come first, from every phone, whatever else the plan says.
package dialplan

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Plan is the whole numbering of one site. Validate finds its faults; Route expects none.
type Plan struct {
	Extensions []Extension
	Queues     []QueueNumber
	Features   []Feature // nil = DefaultFeatures
	Inbound    []Inbound
	Routes     []OutsideRoute
	Outlets    []Outlet
	Hours      []Hours
	// OutsidePrefix must be dialled before outside numbers, "0" in many offices; empty = none.
	// Numbers that begin with + never need it.
	OutsidePrefix tel.Number
	// Zone is where the site's clock hangs; Europe/Rome is loaded by the caller. Nil is UTC.
	Zone *time.Location
}

// Extension is an internal number: a person's phones, or a phone of nobody.
type Extension struct {
	Number  tel.Number
	Name    string
	Agent   tel.AgentID // empty for a phone of nobody, such as a door
	Devices []tel.DeviceID
	Allow   []Class // what may be dialled; nil = DefaultClasses
}

// QueueNumber makes a queue dialable from inside.
type QueueNumber struct {
	Number tel.Number
	Queue  tel.QueueID
}

// Class is a group of destinations that a person may or may not dial.
type Class string

// The classes. Emergency numbers are in none: they never need a permission.
const (
	Internal      Class = "internal"
	Local         Class = "local"         // geographic, nomadic, toll-free, shared cost and service numbers of Italy
	Mobile        Class = "mobile"        // Italian mobile numbers
	International Class = "international" // everything behind 00 or + that is not +39
	Premium       Class = "premium"       // 89x, 4x, 178, 12xx, satellites and international premium
)

// DefaultClasses is what an extension may dial when nothing is said: what fraudsters want
// (international and premium numbers) is locked.
func DefaultClasses() []Class { return []Class{Internal, Local, Mobile} }

// Feature is a code that a phone dials to do something. A code that takes a reason may be followed
// by digits; of several codes that fit, the longest counts.
type Feature struct {
	Code   tel.Number
	Action Action // Echo, Login, Logout, Pause, Resume or FinishWrapUp
}

// DefaultFeatures are the codes of a plan that names none.
func DefaultFeatures() []Feature {
	return []Feature{
		{"*41", Login}, {"*410", Logout}, {"*42", Pause}, {"*420", Resume}, {"*43", Echo}, {"*44", FinishWrapUp},
	}
}

// Inbound says where calls from a trunk or a line go.
type Inbound struct {
	Via    string     // "trunk:tim" or "line:gsm0"
	Number tel.Number // the called number in any usual form; empty = every other number of this Via
	To     string     // a destination, e.g. "queue:sales" or "ext:201"
	Hours  string     // name of the opening hours; empty = always open
	Closed string     // destination outside the hours; empty = the caller is told to try later
}

// OutsideRoute sends outside numbers to trunks and lines.
type OutsideRoute struct {
	// Prefix is compared with the international form (+39 for all Italian numbers, +393 for
	// mobiles, + for everything) and, for numbers that have none, with what was dialled. The
	// longest prefix counts; of equal ones the first.
	Prefix  tel.Number
	Via     []string // in the order in which they are tried
	Form    Form
	Strip   int        // symbols removed at the front, after Form
	Prepend tel.Number // put in front, after Strip
}

// Form is how a number is written for a trunk or a line.
type Form string

// The forms.
const (
	National Form = "national" // 0212345678, 3331234567, 0044...: what a telephone in Italy dials; the default
	E164     Form = "e164"     // +390212345678
)

// Outlet is a trunk or a line through which the site can call out.
type Outlet struct {
	Via string // "trunk:tim" or "line:gsm0"
	// Emergency marks the line whose registered address is this site: emergency calls try it first.
	Emergency bool
}

// Hours is a weekly table.
type Hours struct {
	Name string
	Open []Span
}

// Span is a time of day on some weekdays. A span whose end is not after its start runs past
// midnight and belongs to the day on which it starts.
type Span struct {
	Days     []time.Weekday
	From, To time.Duration // since midnight of the wall clock, 0 to 24h
}

// OpenAt says whether the table is open at a moment, by the wall clock of the zone.
func (h Hours) OpenAt(at time.Time, zone *time.Location) bool {
	if zone == nil {
		zone = time.UTC
	}
	at = at.In(zone)
	clock := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute +
		time.Duration(at.Second())*time.Second + time.Duration(at.Nanosecond())
	today, yesterday := at.Weekday(), (at.Weekday()+6)%7
	for _, s := range h.Open {
		for _, d := range s.Days {
			overnight := s.To <= s.From
			switch {
			case d == today && !overnight && clock >= s.From && clock < s.To,
				d == today && overnight && clock >= s.From,
				d == yesterday && overnight && clock < s.To:
				return true
			}
		}
	}
	return false
}
