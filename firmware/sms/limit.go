package sms

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Errors of Admit. What is not let in stays on the SIM and, when that is full, with the network's centre,
// which keeps messages for days: nothing is lost, and our disk does not fill.
var (
	ErrFlood   = errors.New("the line receives more messages than it may")
	ErrBacklog = errors.New("the history takes no messages")
)

// maxUntold bounds the changes that wait for the history.
const maxUntold = 500

// Admit says whether a received part may come in now. Delivery reports and what is known already always
// may: there are no more of them than of our own messages.
func (b *Box) Admit(p line.ReceivedPart, now time.Time) error {
	if p.Kind == line.DeliveryReport || slices.Contains(b.s.Seen, digest(p)) {
		return nil
	}
	if len(b.s.Untold) >= maxUntold {
		return ErrBacklog
	}
	hour, day := lately(b.s.Came[p.Line], now)
	switch {
	case b.rules.HourIn > 0 && hour >= b.rules.HourIn:
		return fmt.Errorf("%w: %d within an hour", ErrFlood, hour)
	case b.rules.DayIn > 0 && day >= b.rules.DayIn:
		return fmt.Errorf("%w: %d within a day", ErrFlood, day)
	}
	return nil
}

// maySend checks the limits of a line against so many parts more.
func (b *Box) maySend(l tel.LineID, parts int, now time.Time) error {
	hour, day := lately(b.s.Spent[l], now)
	switch {
	case b.rules.Hour > 0 && hour+parts > b.rules.Hour:
		return fmt.Errorf("%w: %d parts per hour, %d sent or waiting", ErrLimit, b.rules.Hour, hour)
	case b.rules.Day > 0 && day+parts > b.rules.Day:
		return fmt.Errorf("%w: %d parts per day, %d sent or waiting", ErrLimit, b.rules.Day, day)
	}
	return nil
}

// lately sums what the last hour and the last day had. A clock that was set back makes minutes of the
// future: they count until the day after they were written.
func lately(minutes map[int64]int, now time.Time) (hour, day int) {
	for minute, n := range minutes {
		switch age := now.Sub(time.Unix(60*minute, 0)); {
		case age < time.Hour:
			hour, day = hour+n, day+n
		case age < 24*time.Hour:
			day += n
		}
	}
	return hour, day
}

// count notes one part of a line in this minute.
func count(all *map[tel.LineID]map[int64]int, l tel.LineID, now time.Time) {
	if *all == nil {
		*all = map[tel.LineID]map[int64]int{}
	}
	if (*all)[l] == nil {
		(*all)[l] = map[int64]int{}
	}
	(*all)[l][now.Unix()/60]++
}

// forgetMinutes drops what counts for no limit any more.
func forgetMinutes(all map[tel.LineID]map[int64]int, now time.Time) {
	for l, minutes := range all {
		maps.DeleteFunc(minutes, func(minute int64, _ int) bool { return now.Sub(time.Unix(60*minute, 0)) >= 24*time.Hour })
		if len(minutes) == 0 {
			delete(all, l)
		}
	}
}

func cloneMinutes(all map[tel.LineID]map[int64]int) map[tel.LineID]map[int64]int {
	all = maps.Clone(all)
	for l := range all {
		all[l] = maps.Clone(all[l])
	}
	return all
}
