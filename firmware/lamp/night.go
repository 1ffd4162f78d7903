package lamp

import "time"

// Night is when the lamps are dimmed, by the clock of the office.
type Night struct {
	From, To time.Duration // since midnight; To before From: over midnight; the same: never
	Percent  int           // of the brightness by day, 1 to 100
	Zone     *time.Location
}

// Full is the brightness, of 255, of what is fully on at an instant, when it is day by day.
func (n Night) Full(day uint8, now time.Time) uint8 {
	if n.Zone == nil || n.From == n.To {
		return day
	}
	t := now.In(n.Zone)
	at := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
	within := at >= n.From && at < n.To
	if n.To < n.From {
		within = at >= n.From || at < n.To
	}
	if !within {
		return day
	}
	return uint8(max(1, int(day)*n.Percent/100))
}
