package forecast

import "time"

// Words says how an announcement is put.
type Words string

// The ways to put a wait.
const (
	LessThan Words = "less_than" // less than Max minutes
	Between  Words = "between"   // between Min and Max minutes
	MoreThan Words = "more_than" // more than Min minutes
)

// Announcement is a wait as a caller can be told: whole minutes, rounded so that they never promise more
// than the interval does.
type Announcement struct {
	Words    Words
	Min, Max int // minutes; what Words does not name is zero
}

const longestTold = 60 // minutes; beyond it a number says no more than "long"

// Announce puts the forecast into minutes; ok is false when nothing shall be said. Minutes are whole
// up to ten, then steps of five: who is told "between 13 and 27" believes more than we know.
func (f Forecast) Announce() (a Announcement, ok bool) {
	if !f.Known {
		return Announcement{}, false
	}
	lo, hi := down(f.Low), up(f.High)
	switch {
	case hi > longestTold && lo == 0:
		return Announcement{}, false // it may be anything
	case hi > longestTold:
		return Announcement{Words: MoreThan, Min: min(lo, longestTold)}, true
	case lo == 0:
		return Announcement{Words: LessThan, Max: hi}, true
	default:
		return Announcement{Words: Between, Min: lo, Max: max(hi, lo+1)}, true
	}
}

// down rounds to the minutes that are surely over.
func down(d time.Duration) int {
	m := max(0, int(d/time.Minute))
	if m > 10 {
		m -= m % 5
	}
	return m
}

// up rounds to the minutes that are surely not over, one at least.
func up(d time.Duration) int {
	m := max(1, int((d+time.Minute-1)/time.Minute))
	if m > 10 {
		m += (5 - m%5) % 5
	}
	return m
}
