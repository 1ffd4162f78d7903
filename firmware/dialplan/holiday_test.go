package dialplan

import (
	"slices"
	"testing"
	"time"
)

// meeusEaster is the other well-known computus (Meeus, Jones, Butcher), as a judge.
func meeusEaster(year int) (time.Month, int) {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	f := (b + 8) / 25
	g := (b - f + 1) / 3
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return time.Month(n / 31), n%31 + 1
}

func TestEasterAgreesWithTheAlmanacAndWithAnotherComputus(t *testing.T) {
	for year, want := range map[int]string{
		1900: "04-15", 1913: "03-23", 1943: "04-25", 1954: "04-18", 1981: "04-19", 2000: "04-23", 2008: "03-23", 2011: "04-24",
		2024: "03-31", 2025: "04-20", 2026: "04-05", 2027: "03-28", 2038: "04-25", 2049: "04-18", 2076: "04-19", 2285: "03-22",
	} {
		if got := Easter(year).Format("01-02"); got != want {
			t.Errorf("%d: %s, want %s", year, got, want)
		}
	}
	for year := firstYear; year <= lastYear; year++ {
		at := Easter(year)
		if m, d := meeusEaster(year); at.Month() != m || at.Day() != d || at.Weekday() != time.Sunday || at.Year() != year {
			t.Errorf("%d: %v, another computus says %v %d", year, at, m, d)
		}
	}
}

func TestTheHolidaysOfAYear(t *testing.T) {
	list := func(year int, c Calendar) []string {
		var all []string
		for day := time.Date(year, 1, 1, 12, 0, 0, 0, time.UTC); day.Year() == year; day = day.AddDate(0, 0, 1) {
			if name, ok := c.Holiday(day); ok {
				all = append(all, day.Format("01-02 ")+name)
			}
		}
		return all
	}
	milan, _ := PatronOf("milano")
	want := []string{
		"01-01 Capodanno", "01-06 Epifania", "04-05 Pasqua", "04-06 Lunedì dell'Angelo", "04-25 Anniversario della Liberazione",
		"05-01 Festa del Lavoro", "06-02 Festa della Repubblica", "08-15 Assunzione", "10-04 San Francesco d'Assisi", "11-01 Ognissanti",
		"12-07 Sant'Ambrogio", "12-08 Immacolata Concezione", "12-25 Natale", "12-26 Santo Stefano",
	}
	if got := list(2026, Calendar{milan}); !slices.Equal(got, want) {
		t.Errorf("2026 in Milan:\n%q\nwant\n%q", got, want)
	}
	if got := list(2025, Calendar{}); slices.ContainsFunc(got, func(s string) bool { return s[:5] == "10-04" }) || len(got) != 12 {
		t.Errorf("4 October is a holiday again since 2026 only: %q", got)
	}
	if got := list(2011, Calendar{}); len(got) != 11 { // Easter Monday on 25 April
		t.Errorf("2011: %q", got)
	}
}

func TestTheFeastsOfTownsFollowTheirRule(t *testing.T) {
	for _, c := range []struct {
		town string
		year int
		want string
	}{
		{"roma", 2026, "06-29"},
		{"milano", 2030, "12-07"},
		{"asti", 2026, "05-05"},
		{"asti", 2029, "05-01"},
		{"andria", 2026, "09-20"},
		{"brindisi", 2026, "09-06"},
		{"carbonia", 2026, "05-14"},
		{"bolzano", 2026, "05-25"},
		{"l-aquila", 2026, "06-10"},
	} {
		f, ok := PatronOf(c.town)
		if got := f.In(c.year).Format("01-02"); !ok || got != c.want {
			t.Errorf("%s in %d: %s, want %s", c.town, c.year, got, c.want)
		}
	}
	if _, ok := PatronOf("paperopoli"); ok {
		t.Error("a town that does not exist has a patron")
	}
	if got := Towns("reggio"); len(got) != 2 {
		t.Errorf("towns that begin with reggio: %q", got)
	}
	for town, f := range patrons {
		for _, year := range []int{2024, 2025} {
			if f.Name == "" || f.In(year).Year() != year || f.Day != 0 && f.In(year).Day() != f.Day {
				t.Errorf("%s: %+v is %v", town, f, f.In(year))
			}
		}
	}
}
