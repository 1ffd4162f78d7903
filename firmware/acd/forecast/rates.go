package forecast

import (
	"math"
	"time"
)

// turnover is how often something happens per second of risk, for each hour of the day.
type turnover struct {
	Events [24]float64 `json:"events"`
	Risk   [24]float64 `json:"risk"` // seconds
}

const (
	turnoverKeep = 0.98 // per event: about the last fifty of each hour count
	turnoverLean = 3.0  // weight of the whole day in each hour, in events
)

// happened counts one event in the hour of at.
func (t *turnover) happened(at time.Time) {
	h := at.Hour()
	t.Events[h] = t.Events[h]*turnoverKeep + 1
	t.Risk[h] *= turnoverKeep
}

// stood adds the risk from one time to another, a day at most.
func (t *turnover) stood(from, to time.Time) {
	if to.Sub(from) > 24*time.Hour {
		from = to.Add(-24 * time.Hour)
	}
	for from.Before(to) {
		next := from.Truncate(time.Minute).Add(time.Duration(60-from.Minute()) * time.Minute)
		if next.After(to) || !next.After(from) {
			next = to
		}
		t.Risk[from.Hour()] += next.Sub(from).Seconds()
		from = next
	}
}

// rate is the number of events per second of risk in the hour of at; 0 when none was ever seen.
func (t *turnover) rate(at time.Time) float64 {
	events, risk := 0.0, 0.0
	for h := range t.Events {
		events += t.Events[h]
		risk += t.Risk[h]
	}
	if events <= 0 || risk <= 0 {
		return 0
	}
	h := at.Hour()
	return (t.Events[h] + turnoverLean) / (t.Risk[h] + turnoverLean*risk/events)
}

// slots divide the day; each kind of day (weekday, Saturday, Sunday) has its own.
const slots = 48

// arrivals is what is known of the callers of one queue and one priority.
type arrivals struct {
	Usual [3][slots]float64 `json:"usual"` // callers per slot
	Days  [3][slots]float64 `json:"days"`  // slots seen, up to a limit
	Open  float64           `json:"open"`  // callers in the running slot
	// Recent and Expected are counts that fade with a time constant of ten minutes: of callers, and
	// of what the usual slots promised.
	Recent   float64   `json:"recent"`
	Expected float64   `json:"expected"`
	At       time.Time `json:"at"`   // of both
	Slot     time.Time `json:"slot"` // beginning of the running slot
}

const (
	recentFor   = 600.0 // seconds
	recentLean  = 3.0   // callers: how much it takes to believe that today is not as usual
	usualDays   = 8.0   // days of a kind that make the usual
	slotSeconds = 24 * 3600 / slots
)

func slotOf(at time.Time) (kind, slot int) {
	switch at.Weekday() {
	case time.Saturday:
		kind = 1
	case time.Sunday:
		kind = 2
	}
	return kind, (at.Hour()*60 + at.Minute()) * slots / (24 * 60)
}

func slotStart(at time.Time) time.Time {
	into := time.Duration(at.Minute()%30)*time.Minute + time.Duration(at.Second())*time.Second + time.Duration(at.Nanosecond())
	return at.Add(-into)
}

// pass lets time go by until at.
func (a *arrivals) pass(at time.Time) {
	if a.Slot.IsZero() || at.Before(a.Slot) || at.Sub(a.Slot) > 36*time.Hour {
		a.Slot, a.At, a.Open, a.Recent, a.Expected = slotStart(at), at, 0, 0, 0 // a first time, or a clock that jumped
		return
	}
	// Steps of absolute time: in the hour that October repeats, clock times would go round in circles.
	for next := a.Slot.Add(slotSeconds * time.Second); !next.After(at); next = a.Slot.Add(slotSeconds * time.Second) {
		kind, slot := slotOf(a.Slot.In(at.Location()))
		n := min(a.Days[kind][slot]+1, usualDays)
		a.Days[kind][slot] = n
		a.Usual[kind][slot] += (a.Open - a.Usual[kind][slot]) / n
		a.Open, a.Slot = 0, next
	}
	if d := at.Sub(a.At).Seconds(); d > 0 {
		f := math.Exp(-d / recentFor)
		a.Recent *= f
		a.Expected = a.Expected*f + a.usual(at)*recentFor*(1-f)
		a.At = at
	}
}

// usual is the usual rate at a time, per second.
func (a *arrivals) usual(at time.Time) float64 {
	kind, slot := slotOf(at)
	return a.Usual[kind][slot] / slotSeconds
}

// arrived counts one caller.
func (a *arrivals) arrived(at time.Time) {
	a.pass(at)
	a.Open++
	a.Recent++
}

// rate is what to expect from now on, per second: the usual, corrected by the last minutes.
func (a *arrivals) rate(at time.Time) float64 {
	kind, slot := slotOf(at)
	if a.Days[kind][slot] < 1 {
		return a.Recent / recentFor
	}
	return a.usual(at) * (a.Recent + recentLean) / (a.Expected + recentLean)
}
