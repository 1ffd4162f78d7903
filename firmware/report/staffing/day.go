package staffing

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Weeks is how many of the same weekdays before are looked at, holidays aside.
const Weeks = 8

// Limits within which what the past says is believed, for queues that hardly had a call.
const (
	usualHandle = 3 * time.Minute
	shortHandle = 10 * time.Second
	longHandle  = 2 * time.Hour
	shortWait   = 10 * time.Second
	fewCalls    = 20
)

// Aim is what a queue shall reach.
type Aim struct {
	Share  float64       // of all callers, 0 to 1
	Within time.Duration // who should have an answer
}

// Slot is one half hour of a planned day.
type Slot struct {
	From    time.Time
	Callers float64 // expected
	Agents  int     // needed
	Then    Outlook
}

// Day is a planned day.
type Day struct {
	Days     []time.Time // the days like it that had callers; empty: nothing is known
	Handle   time.Duration
	Patience time.Duration // 0: hardly anybody gave up
	Slots    []Slot        // from the first that expects a caller to the last
}

// mostWeeks bounds how far back Weeks of a weekday are looked for, past those that were holidays.
const mostWeeks = 12

// Like are the days before a day that say what to expect of it, the oldest first. Of a working day they are the
// same weekdays of the last weeks that were no holidays, of a holiday the holidays of the year before. Day is
// midnight by the clock of the shop.
func Like(day time.Time, holiday func(time.Time) bool) (days []time.Time) {
	y, m, d := day.Date()
	before := func(n int) time.Time { return time.Date(y, m, d-n, 0, 0, 0, 0, day.Location()) }
	if holiday(day) {
		for n := 1; n <= 366; n++ {
			if at := before(n); holiday(at) {
				days = append(days, at)
			}
		}
	} else {
		for week := 1; week <= mostWeeks && len(days) < Weeks; week++ {
			if at := before(7 * week); !holiday(at) {
				days = append(days, at)
			}
		}
	}
	slices.Reverse(days)
	return days
}

// Plan says how many agents a day needs, from the half hours of a queue on days that are like it; half hours of
// other days tell only how long calls take and callers stay. Half hours are those of the clock, also where summer
// time begins or ends between. Days without any caller are left out of the mean.
func Plan(day time.Time, like []time.Time, slots []report.TrafficRow, aim Aim) Day {
	zone := day.Location()
	alike := map[string]bool{}
	for _, at := range like {
		alike[at.Format(time.DateOnly)] = true
	}
	var all report.Traffic
	entered := map[string]map[int]int{} // by date, by half hour of the day
	for _, s := range slots {
		at := s.From.In(zone)
		if !at.Before(day) {
			continue
		}
		all.Add(s.Traffic)
		date := at.Format(time.DateOnly)
		if !alike[date] || s.Entered() == 0 {
			continue
		}
		if entered[date] == nil {
			entered[date] = map[int]int{}
		}
		entered[date][halfHour(at)] += s.Entered()
	}
	d := Day{Handle: handle(&all), Patience: patience(&all)}
	sums := map[int]int{}
	for date, slots := range entered {
		at, err := time.ParseInLocation(time.DateOnly, date, zone)
		if err != nil {
			continue // our own format
		}
		d.Days = append(d.Days, at)
		for i, n := range slots {
			sums[i] += n
		}
	}
	slices.SortFunc(d.Days, time.Time.Compare)
	first, last := 48, -1
	for i := range sums {
		first, last = min(first, i), max(last, i)
	}
	for i := first; i <= last; i++ {
		callers := float64(sums[i]) / float64(len(d.Days))
		s := Slot{From: time.Date(day.Year(), day.Month(), day.Day(), 0, 30*i, 0, 0, zone), Callers: callers}
		s.Agents, s.Then = Queue{PerHour: 2 * callers, Handle: d.Handle, Patience: d.Patience}.Need(aim.Share, aim.Within)
		d.Slots = append(d.Slots, s)
	}
	return d
}

func halfHour(at time.Time) int { return 2*at.Hour() + at.Minute()/30 }

// handle is the mean handling time, or the usual one where there were too few calls to tell.
func handle(t *report.Traffic) time.Duration {
	if t.Of(tel.OutcomeAnswered) < fewCalls || t.HandleTime() < shortHandle {
		return usualHandle
	}
	return min(t.HandleTime(), longHandle)
}

// patience is the mean patience: the time that all callers waited by the number of those who gave up, which
// is the most likely value where it is exponentially distributed. Who gives up at once says nothing of it.
func patience(t *report.Traffic) time.Duration {
	lost := t.Of(tel.OutcomeAbandoned) - t.Short
	if lost < fewCalls {
		return 0
	}
	waited := t.Waited
	for seconds, n := range t.GaveUp {
		waited += time.Duration(seconds*n) * time.Second
	}
	return max(shortWait, waited/time.Duration(lost))
}
