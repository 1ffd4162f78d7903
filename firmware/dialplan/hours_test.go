package dialplan

import (
	"fmt"
	"testing"
	"time"
)

func TestHoursFollowTheWallClockOfTheSite(t *testing.T) {
	z := rome(t)
	office := Hours{Open: []Span{{[]time.Weekday{time.Sunday, time.Monday}, 9 * time.Hour, 13 * time.Hour}}}
	night := Hours{Open: []Span{{[]time.Weekday{time.Saturday}, 22 * time.Hour, 6 * time.Hour}}}
	always := Hours{Open: []Span{{[]time.Weekday{time.Sunday}, 0, 24 * time.Hour}}}
	at := func(month time.Month, day, h, m int) time.Time { return time.Date(2026, month, day, h, m, 0, 0, z) }
	for _, c := range []struct {
		name string
		h    Hours
		at   time.Time
		want bool
	}{
		{"the first minute is open", office, at(3, 2, 9, 0), true},
		{"the minute before is not", office, at(3, 2, 8, 59), false},
		{"the last minute is open", office, at(3, 2, 12, 59), true},
		{"the closing minute is not", office, at(3, 2, 13, 0), false},
		{"another day is closed", office, at(3, 3, 10, 0), false},
		{"09:00 on the day the clocks go forward", office, at(3, 29, 9, 0), true},
		{"09:00 on the day the clocks go back", office, at(10, 25, 9, 0), true},
		{"08:59 on the day the clocks go back", office, at(10, 25, 8, 59), false},
		{"a night begins", night, at(3, 7, 22, 0), true},
		{"and ends on the next morning", night, at(3, 8, 5, 59), true},
		{"sharp", night, at(3, 8, 6, 0), false},
		{"and does not begin on Sunday", night, at(3, 8, 23, 0), false},
		{"a whole day to its last second", always, at(3, 8, 23, 59), true},
	} {
		if got := c.h.StateAt(c.at.UTC(), z, Calendar{}, Auto).Open; got != c.want {
			t.Errorf("%s: open %v, want %v", c.name, got, c.want)
		}
	}
}

func TestTheHourThatTheClocksSkipAndTheOneTheyRepeat(t *testing.T) {
	z := rome(t)
	every := []time.Weekday{0, 1, 2, 3, 4, 5, 6}
	two := Hours{Open: []Span{{every, 2 * time.Hour, 3 * time.Hour}}}
	night := Hours{Open: []Span{{every, 22 * time.Hour, 2*time.Hour + 30*time.Minute}}}
	open := func(h Hours, from time.Time) (minutes int) {
		for i := range 6 * 60 {
			if h.StateAt(from.Add(time.Duration(i)*time.Minute), z, Calendar{}, Auto).Open {
				minutes++
			}
		}
		return minutes
	}
	spring := time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC)  // midnight; 02:00 becomes 03:00
	autumn := time.Date(2026, 10, 24, 22, 0, 0, 0, time.UTC) // midnight; 03:00 becomes 02:00
	for _, c := range []struct {
		name string
		h    Hours
		from time.Time
		want int
	}{
		{"02 to 03 does not exist in the spring night", two, spring, 0},
		{"and comes twice in the autumn night", two, autumn, 120},
		{"a night until 02:30 ends when the clocks jump", night, spring, 120},
		{"and is open until 02:30 comes for the first time, and again from 02:00", night, autumn, 180},
	} {
		if got := open(c.h, c.from); got != c.want {
			t.Errorf("%s: open %d minutes, want %d", c.name, got, c.want)
		}
	}
}

func TestExceptionsHolidaysAndForcedStatesComeInTheirOrder(t *testing.T) {
	z := rome(t)
	weekdays := []time.Weekday{1, 2, 3, 4, 5}
	h := Hours{
		ID: "office", Holidays: true,
		Open: []Span{{weekdays, 9 * time.Hour, 18 * time.Hour}, {weekdays, 22 * time.Hour, 6 * time.Hour}},
		Eve:  []Span{{nil, 9 * time.Hour, 13 * time.Hour}},
		Exceptions: []Exception{
			{Name: "fair", From: Date{2026, 12, 8}, To: Date{2026, 12, 8}, Open: []Span{{nil, 10 * time.Hour, 12 * time.Hour}}},
			{Name: "winter", From: Date{0, 12, 24}, To: Date{0, 1, 5}},
			{Name: "august", From: Date{2026, 8, 10}, To: Date{2026, 8, 21}},
		},
		Then: "queue:a", Closed: "say:closed", Holiday: "say:holiday",
	}
	milan, _ := PatronOf("milano")
	c := Calendar{milan}
	at := func(y int, m time.Month, d, hour int) time.Time { return time.Date(y, m, d, hour, 30, 0, 0, z) }
	for _, x := range []struct {
		name   string
		at     time.Time
		forced Override
		want   OpenState
		to     string
	}{
		{"a working day", at(2026, 3, 3, 10), Auto, OpenState{true, BecauseWeek, ""}, "queue:a"},
		{"its evening", at(2026, 3, 3, 19), Auto, OpenState{false, BecauseWeek, ""}, "say:closed"},
		{"the patron's day", at(2026, 12, 7, 10), Auto, OpenState{false, BecauseHoliday, "Sant'Ambrogio"}, "say:holiday"},
		{"a fair on a holiday", at(2026, 12, 8, 10), Auto, OpenState{true, BecauseException, "fair"}, "queue:a"},
		{"after the fair", at(2026, 12, 8, 15), Auto, OpenState{false, BecauseException, "fair"}, "say:holiday"},
		{"the morning before a holiday", at(2026, 4, 24, 10), Auto, OpenState{true, BecauseEve, ""}, "queue:a"},
		{"its afternoon", at(2026, 4, 24, 15), Auto, OpenState{false, BecauseEve, ""}, "say:closed"},
		{"the last of December", at(2026, 12, 31, 10), Auto, OpenState{false, BecauseException, "winter"}, "say:holiday"},
		{"the second of January", at(2027, 1, 4, 10), Auto, OpenState{false, BecauseException, "winter"}, "say:holiday"},
		{"the summer of that year", at(2026, 8, 12, 10), Auto, OpenState{false, BecauseException, "august"}, "say:holiday"},
		{"not of the next", at(2027, 8, 12, 10), Auto, OpenState{true, BecauseWeek, ""}, "queue:a"},
		{"Easter Monday", at(2026, 4, 6, 10), Auto, OpenState{false, BecauseHoliday, "Lunedì dell'Angelo"}, "say:holiday"},
		{"the night into a holiday, because an eve has its own hours", at(2026, 6, 2, 3), Auto, OpenState{false, BecauseHoliday, "Festa della Repubblica"}, "say:holiday"},
		{"a night that runs into a Saturday", at(2026, 3, 7, 3), Auto, OpenState{true, BecauseWeek, ""}, "queue:a"},
		{"forced open at night", at(2026, 3, 3, 20), ForceOpen, OpenState{true, BecauseForced, ""}, "queue:a"},
		{"forced closed by day", at(2026, 3, 3, 10), ForceClosed, OpenState{false, BecauseForced, ""}, "say:closed"},
	} {
		got := h.StateAt(x.at.UTC(), z, c, x.forced)
		if got != x.want || h.destination(got) != x.to {
			t.Errorf("%s: %+v to %q, want %+v to %q", x.name, got, h.destination(got), x.want, x.to)
		}
	}
}

func TestDatesAreReadWithAndWithoutAYear(t *testing.T) {
	for s, want := range map[string]Date{"2026-08-14": {2026, 8, 14}, "08-14": {0, 8, 14}, "02-29": {0, 2, 29}, "2024-02-29": {2024, 2, 29}} {
		if got, err := ParseDate(s); err != nil || got != want {
			t.Errorf("%s: %v %v", s, got, err)
		}
	}
	for _, s := range []string{"", "14", "13-01", "02-30", "2025-02-29", "26-08-14", "2026-8-14", "3026-08-14", "08-14-2026", "a-b", "-1-14"} {
		if got, err := ParseDate(s); err == nil {
			t.Errorf("%q is read as %v", s, got)
		}
	}
}

func FuzzParseDate(f *testing.F) {
	f.Add("2026-08-14")
	f.Add("02-29")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDate(s)
		if err == nil && (d.Month < 1 || d.Month > 12 || d.Day < 1 || d.Day > 31 || d.Year != 0 && (d.Year < firstYear || d.Year > lastYear)) {
			t.Fatalf("%q is read as %v", s, d)
		}
	})
}

func TestSpansAreReadAsPeopleWriteThem(t *testing.T) {
	for _, c := range []struct {
		text string
		days bool
		want string
	}{
		{"mon-fri 09:00-13:00,14:00-18:00", true, "[{[Monday Tuesday Wednesday Thursday Friday] 9h0m0s 13h0m0s} {[Monday Tuesday Wednesday Thursday Friday] 14h0m0s 18h0m0s}]"},
		{"fri-mon 22:00-06:00", true, "[{[Friday Saturday Sunday Monday] 22h0m0s 6h0m0s}]"},
		{"sat,sun 00:00-24:00", true, "[{[Saturday Sunday] 0s 24h0m0s}]"},
		{"mon,wed-thu 09:30-10:00", true, "[{[Monday Wednesday Thursday] 9h30m0s 10h0m0s}]"},
		{"09:00-12:30", false, "[{[] 9h0m0s 12h30m0s}]"},
	} {
		if got, err := ParseSpans(c.text, c.days); err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("%q: %v %v", c.text, got, err)
		}
	}
	for _, text := range []string{"", "mon", "mon-fri", "lun 09:00-10:00", "mon 9:00-10:00", "mon 09:00", "mon 09:60-10:00", "mon 24:00-25:00", "mon 24:00-01:00", "mon 09:00-10:00,", "09:00-10:00"} {
		if got, err := ParseSpans(text, true); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
	if got, err := ParseSpans("mon 09:00-10:00", false); err == nil {
		t.Errorf("days where there are none: %v", got)
	}
}

func FuzzParseSpans(f *testing.F) {
	f.Add("mon-fri 09:00-13:00,14:00-18:00", true)
	f.Add("22:00-06:00", false)
	f.Fuzz(func(t *testing.T, s string, days bool) {
		spans, err := ParseSpans(s, days)
		if err != nil {
			return
		}
		var v validator
		v.spans("open", spans, days)
		if len(v.errs) > 0 || len(spans) == 0 {
			t.Fatalf("%q is read as %v: %v", s, spans, v.errs)
		}
	})
}
