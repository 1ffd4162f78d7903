package dialplan

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestALoginAsksForThePINWhereTheContractSaysSo(t *testing.T) {
	p := site(t)
	p.Extensions[1].LoginPIN = true // the boss, 202
	dial := func(dev tel.DeviceID, n tel.Number, pin string) Decision {
		return Route(p, Request{Device: dev, Dialed: n, PIN: pin, At: monday})
	}
	for _, c := range []struct {
		name   string
		device tel.DeviceID
		dialed tel.Number
		pin    string
		want   string
	}{
		{"at the own desk", "202", "*41", "", "ask_pin 202"},
		{"with the PIN", "202", "*41", "4711", "login boss"},
		{"with a wrong one", "202", "*41", "4712", "reject forbidden wrong_pin"},
		{"at the own desk with the own number", "202", "*41202", "", "ask_pin 202"},
		{"who needs none", "201", "*41", "", "login anna"},
		{"the logout needs none", "202", "*410", "", "logout boss"},
	} {
		if got := brief(dial(c.device, c.dialed, c.pin)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	here := dial("door", "*41202", "4711")
	if here.Action != LoginHere || here.Agent != "boss" || here.Change.Kind != Sit || here.Change.Device != "door" || here.Change.Agent != "boss" {
		t.Errorf("at another desk: %+v", here)
	}
	if own := dial("202", "*41202", "4711"); own.Action != LoginHere || own.Change.Kind != "" {
		t.Errorf("at the own desk nobody takes a seat: %+v", own)
	}
}

// One agent, one seat: who logs in elsewhere leaves the first desk, and a desk has one person.
func TestAnAgentWhoLogsInAtAnotherDeskHasOneSeat(t *testing.T) {
	p := site(t)
	for _, dev := range []tel.DeviceID{"door", "205"} {
		d := Route(p, Request{Device: dev, Dialed: "*41202", PIN: "4711", At: monday})
		p.Personal = p.Personal.With(d.Change)
	}
	if len(p.Personal.Seats) != 1 || p.Personal.Seats["205"] != "boss" {
		t.Errorf("seats %v", p.Personal.Seats)
	}
}

func TestPauseReasonsAreNamedOrRefused(t *testing.T) {
	p := site(t)
	p.Pauses.Reasons = []PauseReason{{"1", "Caffe"}, {"12", "Pranzo"}}
	pause := func(n tel.Number) string { return brief(Route(p, Request{Device: "201", Dialed: n, At: monday})) }
	for n, want := range map[tel.Number]string{
		"*421": "pause anna Caffe", "*4212": "pause anna Pranzo", "*423": "pause anna 3", "*42": "pause anna",
	} {
		if got := pause(n); got != want {
			t.Errorf("%s with a free list: %s, want %s", n, got, want)
		}
	}
	p.Pauses.Only = true
	for n, want := range map[tel.Number]string{
		"*421": "pause anna Caffe", "*423": "reject unallocated nothing_to_do", "*42": "reject unallocated nothing_to_do",
	} {
		if got := pause(n); got != want {
			t.Errorf("%s with a closed list: %s, want %s", n, got, want)
		}
	}
}

func TestAShiftEndsWithTheLastSpanOfItsDayByTheClockOfTheSite(t *testing.T) {
	z := rome(t)
	weekdays := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	office := Hours{Holidays: true, Open: []Span{{weekdays, 9 * time.Hour, 13 * time.Hour}, {weekdays, 14 * time.Hour, 18 * time.Hour}}}
	night := Hours{Open: []Span{{[]time.Weekday{time.Saturday}, 22 * time.Hour, 6 * time.Hour}}}
	at := func(month time.Month, day, h, m int) time.Time { return time.Date(2026, month, day, h, m, 0, 0, z) }
	for _, c := range []struct {
		name string
		h    Hours
		at   time.Time
		want time.Time
	}{
		{"in the morning", office, at(3, 2, 8, 50), at(3, 2, 18, 0)},
		{"in the lunch break", office, at(3, 2, 13, 30), at(3, 2, 18, 0)},
		{"a minute before the end", office, at(3, 2, 17, 59), at(3, 2, 18, 0)},
		{"overtime goes on to the next day's end", office, at(3, 2, 18, 0), at(3, 3, 18, 0)},
		{"over a weekend", office, at(3, 6, 20, 0), at(3, 9, 18, 0)},
		{"over Easter Monday", office, at(4, 3, 20, 0), at(4, 7, 18, 0)},
		{"a night into Sunday", night, at(3, 7, 21, 0), at(3, 8, 6, 0)},
		{"a night already begun", night, at(3, 8, 2, 0), at(3, 8, 6, 0)},
		{"the night when the clocks go forward", night, at(3, 28, 21, 0), at(3, 29, 6, 0)},
		{"the night when the clocks go back", night, at(10, 24, 21, 0), at(10, 25, 6, 0)},
		{"a shift that is never worked", Hours{}, at(3, 2, 9, 0), time.Time{}},
	} {
		if got := c.h.ShiftEnd(c.at.UTC(), z, Calendar{}); !got.Equal(c.want) {
			t.Errorf("%s: ends %v, want %v", c.name, got, c.want)
		}
	}
}

func TestWorkedTimeIsThatOfTheHoursByTheClockOfTheSite(t *testing.T) {
	z := rome(t)
	weekdays := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	office := Hours{Holidays: true, Open: []Span{{weekdays, 9 * time.Hour, 13 * time.Hour}, {weekdays, 14 * time.Hour, 18 * time.Hour}}}
	night := Hours{Open: []Span{{[]time.Weekday{time.Saturday}, 22 * time.Hour, 6 * time.Hour}}}
	double := Hours{Open: []Span{{weekdays, 9 * time.Hour, 12 * time.Hour}, {weekdays, 11 * time.Hour, 13 * time.Hour}}}
	at := func(month time.Month, day, h, m int) time.Time { return time.Date(2026, month, day, h, m, 0, 0, z) }
	for _, c := range []struct {
		name     string
		h        Hours
		from, to time.Time
		want     time.Duration
	}{
		{"a day with its break", office, at(3, 2, 0, 0), at(3, 3, 0, 0), 8 * time.Hour},
		{"a half hour in it", office, at(3, 2, 10, 0), at(3, 2, 10, 30), 30 * time.Minute},
		{"the half hour in which it begins", office, at(3, 2, 8, 45), at(3, 2, 9, 15), 15 * time.Minute},
		{"the break", office, at(3, 2, 13, 0), at(3, 2, 14, 0), 0},
		{"a week", office, at(3, 2, 0, 0), at(3, 9, 0, 0), 40 * time.Hour},
		{"the week of Easter Monday", office, at(4, 6, 0, 0), at(4, 13, 0, 0), 32 * time.Hour},
		{"a night, seen from the next day", night, at(3, 8, 0, 0), at(3, 9, 0, 0), 6 * time.Hour},
		{"a night, seen from its evening", night, at(3, 7, 12, 0), at(3, 8, 0, 0), 2 * time.Hour},
		{"the night when the clocks go forward", night, at(3, 28, 12, 0), at(3, 29, 12, 0), 7 * time.Hour},
		{"the night when the clocks go back", night, at(10, 24, 12, 0), at(10, 25, 12, 0), 9 * time.Hour},
		{"hours that overlap", double, at(3, 2, 0, 0), at(3, 3, 0, 0), 4 * time.Hour},
		{"no time at all", office, at(3, 2, 10, 0), at(3, 2, 10, 0), 0},
		{"nothing is planned", Hours{}, at(3, 2, 0, 0), at(3, 9, 0, 0), 0},
	} {
		if got := c.h.Worked(c.from.UTC(), c.to.UTC(), z, Calendar{}); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// The parts of a span are worked as long as the whole, and what is worked is open.
func TestWorkedTimeOfHalfHoursIsThatOfTheDay(t *testing.T) {
	z := rome(t)
	h := Hours{Holidays: true, Open: []Span{{[]time.Weekday{time.Monday, time.Saturday, time.Sunday}, 7*time.Hour + 10*time.Minute, 4 * time.Hour}, {[]time.Weekday{time.Tuesday}, 9 * time.Hour, 17*time.Hour + 50*time.Minute}}}
	for day := range 365 {
		from := time.Date(2026, 1, 1+day, 0, 0, 0, 0, z)
		to := from.AddDate(0, 0, 1)
		var sum, open time.Duration
		for at := from; at.Before(to); at = at.Add(30 * time.Minute) {
			sum += h.Worked(at, at.Add(30*time.Minute), z, Calendar{})
		}
		for at := from; at.Before(to); at = at.Add(10 * time.Minute) {
			if h.StateAt(at, z, Calendar{}, Auto).Open {
				open += 10 * time.Minute
			}
		}
		if whole := h.Worked(from, to, z, Calendar{}); sum != whole || open != whole {
			t.Errorf("%s: %v, in half hours %v, open for %v", from.Format(time.DateOnly), whole, sum, open)
		}
	}
}

func TestWhatCameOfACallIsDialledByItsCode(t *testing.T) {
	p := site(t)
	p.Dispositions = []Disposition{{"1", "Venduto"}, {"12", "Reclamo"}}
	for n, want := range map[tel.Number]string{
		"*491": "dispose anna Venduto", "*4912": "dispose anna Reclamo", "*493": "reject unallocated nothing_to_do",
	} {
		if got := brief(Route(p, Request{Device: "201", Dialed: n, At: monday})); got != want {
			t.Errorf("%s: %s, want %s", n, got, want)
		}
	}
}
