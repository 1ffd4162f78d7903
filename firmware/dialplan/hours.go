package dialplan

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Hours is when somebody is there, and where calls go then and otherwise. The destination
// "hours:ID" asks it.
type Hours struct {
	ID string
	// Key is the digit behind the codes that force the table open or closed; 0 = cannot be forced
	// from a phone.
	Key  int
	Open []Span
	// Holidays closes on the holidays of Calendar.
	Holidays bool
	// Eve, when set, replaces Open on the day before such a holiday; its Days are not looked at.
	Eve []Span
	// Exceptions come before everything else but a forced state; the first that fits counts.
	Exceptions []Exception

	Then    string // destination while open
	Closed  string // destination otherwise; empty = the caller is told to try later
	Holiday string // destination on a holiday or while a closed exception lasts; empty = Closed
}

// Span is a time of day on some weekdays. A span whose end is not after its start runs past
// midnight and belongs to the day on which it starts.
type Span struct {
	Days     []time.Weekday
	From, To time.Duration // since midnight of the wall clock, 0 to 24h
}

// Exception replaces the weekly table on some dates.
type Exception struct {
	Name     string
	From, To Date   // both included; with a zero year they come back every year, also across 31 December
	Open     []Span // its Days are not looked at; empty = closed
}

// Date is a day of a year; Year 0 is every year.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ParseDate reads 2026-08-14, or 08-14 for every year.
func ParseDate(s string) (Date, error) {
	var d Date
	parts := strings.Split(s, "-")
	bad := fmt.Errorf("%q is not a date such as 2026-08-14, or 08-14 for every year", s)
	if len(parts) == 3 {
		year, err := strconv.Atoi(parts[0])
		if err != nil || len(parts[0]) != 4 || year < firstYear || year > lastYear {
			return d, bad
		}
		d.Year, parts = year, parts[1:]
	}
	if len(parts) != 2 || len(parts[0]) != 2 || len(parts[1]) != 2 {
		return Date{}, bad
	}
	month, err1 := strconv.Atoi(parts[0])
	day, err2 := strconv.Atoi(parts[1])
	d.Month, d.Day = time.Month(month), day
	year := d.Year
	if year == 0 {
		year = 2024 // 29 February exists in some years
	}
	if at := time.Date(year, d.Month, d.Day, 0, 0, 0, 0, time.UTC); err1 != nil || err2 != nil || at.Day() != day || at.Month() != d.Month {
		return Date{}, bad
	}
	return d, nil
}

// covers reports whether a day lies in the exception.
func (e Exception) covers(day time.Time) bool {
	y, m, d := day.Date()
	if e.From.Year != 0 {
		at := y*10000 + int(m)*100 + d
		return at >= e.From.order() && at <= e.To.order()
	}
	at, from, to := int(m)*100+d, e.From.order(), e.To.order()
	if from <= to {
		return at >= from && at <= to
	}
	return at >= from || at <= to // 24 December to 6 January
}

func (d Date) order() int { return d.Year*10000 + int(d.Month)*100 + d.Day }

// Override is a state that somebody forced by a code or a key.
type Override string

// The forced states.
const (
	Auto        Override = "" // the table decides
	ForceOpen   Override = "open"
	ForceClosed Override = "closed"
)

// OpenState is whether a table is open, and why.
type OpenState struct {
	Open    bool
	Because Because
	Name    string // of the exception or the holiday
}

// Because says which rule of a table decided.
type Because string

// The rules, strongest first.
const (
	BecauseForced    Because = "forced"
	BecauseException Because = "exception"
	BecauseHoliday   Because = "holiday"
	BecauseEve       Because = "eve"
	BecauseWeek      Because = "week"
)

// StateAt says whether the table is open at a moment, by the wall clock of the zone. A night shift
// belongs to the day on which it starts, so that a holiday ends the shift that would start on it and
// not the one that runs into it.
func (h Hours) StateAt(at time.Time, zone *time.Location, c Calendar, forced Override) OpenState {
	if zone == nil {
		zone = time.UTC
	}
	at = at.In(zone)
	switch forced {
	case ForceOpen:
		return OpenState{true, BecauseForced, ""}
	case ForceClosed:
		return OpenState{false, BecauseForced, ""}
	case Auto:
	}
	clock := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute +
		time.Duration(at.Second())*time.Second + time.Duration(at.Nanosecond())
	y, m, d := at.Date()
	today := time.Date(y, m, d, 12, 0, 0, 0, time.UTC) // noon of a clock that never changes
	spans, state := h.day(today, c)
	for _, s := range spans {
		overnight := s.To <= s.From
		if clock >= s.From && (overnight || clock < s.To) {
			state.Open = true
			return state
		}
	}
	before, was := h.day(today.AddDate(0, 0, -1), c)
	for _, s := range before {
		if s.To <= s.From && clock < s.To {
			was.Open = true
			return was
		}
	}
	return state
}

// day gives the spans that start on a day, and the rule they come from.
func (h Hours) day(day time.Time, c Calendar) ([]Span, OpenState) {
	for _, e := range h.Exceptions {
		if e.covers(day) {
			return e.Open, OpenState{Because: BecauseException, Name: e.Name}
		}
	}
	if h.Holidays {
		if name, ok := c.Holiday(day); ok {
			return nil, OpenState{Because: BecauseHoliday, Name: name}
		}
		if _, eve := c.Holiday(day.AddDate(0, 0, 1)); eve && h.Eve != nil {
			return h.Eve, OpenState{Because: BecauseEve}
		}
	}
	var spans []Span
	for _, s := range h.Open {
		for _, d := range s.Days {
			if d == day.Weekday() {
				spans = append(spans, s)
			}
		}
	}
	return spans, OpenState{Because: BecauseWeek}
}

// destination is where calls go in a state; empty = the caller is told to try later.
func (h Hours) destination(s OpenState) string {
	switch {
	case s.Open:
		return h.Then
	case h.Holiday != "" && (s.Because == BecauseHoliday || s.Because == BecauseException):
		return h.Holiday
	default:
		return h.Closed
	}
}
