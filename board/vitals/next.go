package vitals

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Condition names what can be wrong with a board.
type Condition string

// The conditions.
const (
	Hot   Condition = "board_hot"
	Weak  Condition = "board_power"   // its supply
	Empty Condition = "board_clock"   // the battery of its clock
	Worn  Condition = "board_disk"    // what it writes to
	Torn  Condition = "board_network" // a cable, or what it leads to
)

// Conditions lists them all.
func Conditions() []Condition { return []Condition{Hot, Weak, Empty, Worn, Torn} }

// Finding is how a condition stands.
type Finding struct {
	Condition Condition
	OK        bool
	Text      string // what it is about, without a language: "84 °C", "mmcblk0", "eth0"
}

// Where a value stops being good, and where it is good again: between the two nothing changes.
const (
	cooler     = 5    // degrees below the board's limit
	flat       = 2000 // mV of a clock's battery
	charged    = 2400 // mV
	endOfLife  = 100  // percent of wear: it stands in steps of ten, and 100 means 90 to 100
	slowest    = 10   // Mbit/s: a worn cable, or one with two wires broken
	tornShare  = 100  // of so many packets one was broken
	tornLeast  = 10   // broken packets between two looks
	calmAfter  = 5    // looks until what comes and goes is over
	twice      = 2    // looks until a figure is believed that could be a slip
	meterLeast = time.Hour
	meterDay   = 24 * time.Hour
)

// Scarce are the spare blocks of a disk from which on they are too few: a fifth of them is left (Disk.Spare).
const Scarce = 2

// alarm is a condition with its memory.
type alarm struct {
	on        bool
	bad, calm int // looks in a row
	text      string
}

// next takes one look: bad, good again, or neither. What was said at the start of an alarm stays.
func (a alarm) next(bad, good bool, on, off int, text string) alarm {
	switch {
	case bad:
		a.bad, a.calm = a.bad+1, 0
		if !a.on && a.bad >= on {
			a.on, a.text = true, text
		}
	case good:
		a.bad, a.calm = 0, a.calm+1
		if a.calm >= off {
			a = alarm{}
		}
	default:
		a.bad, a.calm = 0, 0
	}
	return a
}

// State is what is remembered between two looks.
type State struct {
	Last   Reading
	seen   bool // Last is something
	alarms map[Condition]alarm
	meters map[string]meter
}

// meter measures what is written to a disk.
type meter struct {
	from    time.Time
	written uint64 // at from
	perDay  uint64 // of the last whole day
	lasts   time.Duration
	since   uint64 // written in it
}

// Next judges a look at a board that is too hot from limit degrees Celsius on. It returns how every condition stands.
func Next(s State, r Reading, limit int, now time.Time) (State, []Finding) {
	next := State{Last: r, seen: true, alarms: map[Condition]alarm{}, meters: map[string]meter{}}
	next.alarms[Hot] = s.heat(r, limit)
	next.alarms[Weak] = s.power(r)
	next.alarms[Empty] = s.clock(r)
	next.alarms[Worn] = s.wear(r)
	next.alarms[Torn] = s.network(r)
	for _, d := range r.Disks {
		next.meters[d.Name] = s.meters[d.Name].next(d.Written, now)
	}
	var all []Finding
	for _, c := range Conditions() {
		all = append(all, Finding{Condition: c, OK: !next.alarms[c].on, Text: next.alarms[c].text})
	}
	return next, all
}

func (s State) heat(r Reading, limit int) alarm {
	a := s.alarms[Hot]
	if !r.Heat.Told {
		return a.next(false, true, 1, calmAfter, "") // a sensor that is gone for long says nothing any more
	}
	c := r.Heat.Celsius
	if c <= limit-cooler {
		return alarm{}
	}
	return a.next(c >= limit, false, 1, 1, fmt.Sprintf("%d °C", c))
}

// power is low now, or was between the last look and this one.
func (s State) power(r Reading) alarm {
	low := r.Power.Low || r.Power.Was && !(s.seen && s.Last.Power.Was)
	return s.alarms[Weak].next(low, !low, 1, calmAfter, "")
}

func (s State) clock(r Reading) alarm {
	told := r.Clock.Present && r.Clock.Told
	return s.alarms[Empty].next(told && r.Clock.Battery < flat, !told || r.Clock.Battery >= charged, twice, twice, "")
}

func (s State) wear(r Reading) alarm {
	var names []string
	for _, d := range r.Disks {
		if d.Worn >= endOfLife || d.Spare >= Scarce {
			names = append(names, d.Name)
		}
	}
	return s.alarms[Worn].next(len(names) > 0, len(names) == 0, twice, twice, strings.Join(names, ", "))
}

func (s State) network(r Reading) alarm {
	var names []string
	for _, p := range r.Ports {
		if !p.Up || p.Wireless {
			continue
		}
		broken := false
		if i := slices.IndexFunc(s.Last.Ports, func(was Port) bool { return was.Name == p.Name }); i >= 0 {
			was := s.Last.Ports[i]
			// A count that runs backwards began anew.
			if p.Errors >= was.Errors && p.Packets >= was.Packets {
				errors := p.Errors - was.Errors
				broken = errors >= tornLeast && errors >= (p.Packets-was.Packets)/tornShare
			}
		}
		if broken || p.Half || p.Speed != 0 && p.Speed <= slowest {
			names = append(names, p.Name)
		}
	}
	return s.alarms[Torn].next(len(names) > 0, len(names) == 0, twice, calmAfter, strings.Join(names, ", "))
}

func (m meter) next(written uint64, now time.Time) meter {
	if m.from.IsZero() || written < m.written || now.Before(m.from) {
		return meter{from: now, written: written, perDay: m.perDay}
	}
	m.lasts, m.since = now.Sub(m.from), written-m.written
	if m.lasts >= meterDay {
		return meter{from: now, written: written, perDay: max(1, scale(m.since, m.lasts))}
	}
	return m
}

func scale(bytes uint64, over time.Duration) uint64 {
	return uint64(float64(bytes) / over.Hours() * meterDay.Hours())
}

// PerDay is how many bytes are written to a disk in a day, as the last whole one or what there is of this one says;
// false: it is too early.
func (s State) PerDay(disk string) (bytes uint64, ok bool) {
	m := s.meters[disk]
	switch {
	case m.perDay > 0:
		return m.perDay, true
	case m.lasts >= meterLeast:
		return scale(m.since, m.lasts), true
	}
	return 0, false
}

// Failing lists the conditions that do not hold.
func (s State) Failing() (all []Finding) {
	for _, c := range Conditions() {
		if a := s.alarms[c]; a.on {
			all = append(all, Finding{Condition: c, Text: a.text})
		}
	}
	return all
}
