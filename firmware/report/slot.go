package report

import (
	"iter"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// SlotLength is the span of the smallest sums that are kept. Slots begin on the half hours of UTC, so
// days and hours are exact in every zone that lies whole or half hours from it.
const SlotLength = 30 * time.Minute

// maxInterval is the longest interval of an agent's day that is believed; a longer one is the mark of
// a clock that was set.
const maxInterval = 7 * 24 * time.Hour

// SlotOf is the start of the slot that a moment lies in, in UTC.
func SlotOf(at time.Time) time.Time { return at.UTC().Truncate(SlotLength) }

// Parts cuts an interval of an agent's day at the borders of the slots. Nothing comes of an interval
// that ends before it begins or lasts longer than a week, nor of one without duty.
func Parts(e tel.AgentInterval) iter.Seq2[time.Time, time.Duration] {
	return func(yield func(time.Time, time.Duration) bool) {
		if e.State == tel.AgentLoggedOut || e.To.Sub(e.From) > maxInterval {
			return
		}
		for from := e.From; from.Before(e.To); {
			slot := SlotOf(from)
			to := slot.Add(SlotLength)
			if to.After(e.To) {
				to = e.To
			}
			if !yield(slot, to.Sub(from)) {
				return
			}
			from = to
		}
	}
}

// Step is the span that one row of a report stands for.
type Step string

// The steps.
const (
	HalfHour Step = "half_hour"
	Hour     Step = "hour"
	Day      Step = "day"
	Week     Step = "week" // from Monday (ISO 8601)
	Month    Step = "month"
	Whole    Step = "whole" // all in one row
)

// Steps lists them from the shortest.
func Steps() []Step { return []Step{HalfHour, Hour, Day, Week, Month, Whole} }

// Start is when the row began that a moment belongs to, by the clock of zone; the zero time for Whole.
// The second of two hours that a change to winter time repeats is a row of its own.
func (s Step) Start(at time.Time, zone *time.Location) time.Time {
	at = at.In(zone)
	y, m, d := at.Date()
	switch s {
	case HalfHour:
		return at.Truncate(SlotLength)
	case Hour:
		return at.Add(-time.Duration(at.Minute())*time.Minute - time.Duration(at.Second())*time.Second - time.Duration(at.Nanosecond()))
	case Day:
		return time.Date(y, m, d, 0, 0, 0, 0, zone)
	case Week:
		return time.Date(y, m, d-(int(at.Weekday())+6)%7, 0, 0, 0, 0, zone)
	case Month:
		return time.Date(y, m, 1, 0, 0, 0, 0, zone)
	default:
		return time.Time{}
	}
}
