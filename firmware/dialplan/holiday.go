package dialplan

import "time"

// The years that ParseDate and Easter are made for.
const (
	firstYear = 1900
	lastYear  = 2299
)

// Calendar is which days are holidays: those of the Italian state, and the town's own.
type Calendar struct {
	Patron Feast // of the town; the zero Feast is none
}

// Holiday names the holiday on a day, in Italian as calendars print it.
func (c Calendar) Holiday(day time.Time) (name string, ok bool) {
	y, m, d := day.Date()
	for _, f := range national {
		if f.Month == m && f.Day == d && y >= f.since {
			return f.Name, true
		}
	}
	easter := Easter(y)
	if sameDay(day, easter) {
		return "Pasqua", true
	}
	if sameDay(day, easter.AddDate(0, 0, 1)) {
		return "Lunedì dell'Angelo", true
	}
	if c.Patron.Name != "" && sameDay(day, c.Patron.In(y)) {
		return c.Patron.Name, true
	}
	return "", false
}

func sameDay(a, b time.Time) bool {
	ya, ma, da := a.Date()
	yb, mb, db := b.Date()
	return ya == yb && ma == mb && da == db
}

// national are the holidays on fixed days (law 260 of 1949, article 2, as it stands; 2 June again on
// its day since law 336 of 2000; 4 October again since 2026 by law 151 of 2025).
var national = []struct {
	Feast
	since int // first year
}{
	{Feast{Name: "Capodanno", Month: time.January, Day: 1}, 0},
	{Feast{Name: "Epifania", Month: time.January, Day: 6}, 1986},
	{Feast{Name: "Anniversario della Liberazione", Month: time.April, Day: 25}, 1946},
	{Feast{Name: "Festa del Lavoro", Month: time.May, Day: 1}, 1946},
	{Feast{Name: "Festa della Repubblica", Month: time.June, Day: 2}, 2001},
	{Feast{Name: "Assunzione", Month: time.August, Day: 15}, 0},
	{Feast{Name: "San Francesco d'Assisi", Month: time.October, Day: 4}, 2026},
	{Feast{Name: "Ognissanti", Month: time.November, Day: 1}, 0},
	{Feast{Name: "Immacolata Concezione", Month: time.December, Day: 8}, 0},
	{Feast{Name: "Natale", Month: time.December, Day: 25}, 0},
	{Feast{Name: "Santo Stefano", Month: time.December, Day: 26}, 1949},
}

// Easter returns Easter Sunday of the Gregorian calendar, at noon UTC (Oudin's form of the computus,
// 1940).
func Easter(year int) time.Time {
	golden, century := year%19, year/100
	moon := (century - century/4 - (8*century+13)/25 + 19*golden + 15) % 30
	moon -= (moon / 28) * (1 - (moon/28)*(29/(moon+1))*((21-golden)/11))
	weekday := (year + year/4 + moon + 2 - century + century/4) % 7
	offset := moon - weekday // of the full moon's Sunday from 28 March
	month := 3 + (offset+40)/44
	return time.Date(year, time.Month(month), offset+28-31*(month/4), 12, 0, 0, 0, time.UTC)
}

// Feast is a day that comes back every year: on a date, on the nth weekday of a month, or so many
// days after Easter.
type Feast struct {
	Name  string
	Month time.Month
	Day   int // of Month; 0 = the Nth Weekday
	Nth   int // 1 = first
	// Weekday counts with Nth.
	Weekday time.Weekday
	// Plus is added in days, to Easter when Month is 0.
	Plus int
}

// In returns the day of the feast in a year, at noon UTC.
func (f Feast) In(year int) time.Time {
	var at time.Time
	switch {
	case f.Month == 0:
		at = Easter(year)
	case f.Nth == 0:
		at = time.Date(year, f.Month, f.Day, 12, 0, 0, 0, time.UTC)
	default:
		first := time.Date(year, f.Month, 1, 12, 0, 0, 0, time.UTC)
		at = first.AddDate(0, 0, int(f.Weekday-first.Weekday()+7)%7+7*(f.Nth-1))
	}
	return at.AddDate(0, 0, f.Plus)
}
