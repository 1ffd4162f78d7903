package config

import (
	"slices"
	"testing"
)

func TestAWeekIsReadAndWrittenDayByDay(t *testing.T) {
	h := Hours{Open: []string{"mon-fri 09:00-13:00,14:00-18:00", "sat 09:00-12:00"}}
	w := h.Week()
	if w[0] != "09:00-13:00,14:00-18:00" || w[4] != w[0] || w[5] != "09:00-12:00" || w[6] != "" {
		t.Errorf("%q", w)
	}
	for name, c := range map[string]struct {
		week Week
		want []string
	}{
		"days in a row stand together":   {w, h.Open},
		"a day off in the middle":        {Week{"9-13", "9-13", "", "9-13"}, []string{"mon-tue 09:00-13:00", "thu 09:00-13:00"}},
		"as people write":                {Week{" 9 - 13  14.30–18 "}, []string{"mon 09:00-13:00,14:30-18:00"}},
		"through the night":              {Week{6: "22:00-06:00"}, []string{"sun 22:00-06:00"}},
		"nothing is closed":              {Week{}, nil},
		"what is no time stays for help": {Week{"mornings"}, []string{"mon mornings"}},
	} {
		var h Hours
		h.SetWeek(c.week)
		if !slices.Equal(h.Open, c.want) {
			t.Errorf("%s: %q, want %q", name, h.Open, c.want)
		}
	}
	for text, good := range map[string]bool{"": true, "  ": true, "9-13": true, "09:00-13:00 14-18": true, "00:00-24:00": true, "mornings": false, "9": false, "25-26": false, "9:5-10": false, "9-13-15": false} {
		if GoodTimes(text) != good {
			t.Errorf("%q: good is %v", text, !good)
		}
	}
}

func TestClosedDaysAreLines(t *testing.T) {
	const text = "2026-08-10 2026-08-21 Ferie d'agosto\n12-24 09:00-13:00 Vigilia\n2026-04-25\n"
	all := ReadClosedDays(text)
	if len(all) != 3 || all[0].To != "2026-08-21" || all[0].Name != "Ferie d'agosto" || len(all[1].Open) != 1 || all[1].To != "12-24" {
		t.Errorf("%+v", all)
	}
	if got := ClosedDays(all); got != text {
		t.Errorf("written again: %q", got)
	}
	if bad := ReadClosedDays("sometimes\n"); len(bad) != 1 || bad[0].From != "sometimes" {
		t.Errorf("what is no date is lost: %+v", bad)
	}
}

// Whatever a person writes into a day: what can be read means the same when the form is opened and saved again.
func FuzzAWeekThatIsSavedAgainMeansTheSame(f *testing.F) {
	for _, s := range []string{"9-13 14-18", "09:00-24:00", "22:00-06:00", "x", "9.30–12", ",,,", "9-13,9-13"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, mon, sun string) {
		if !GoodTimes(mon) || !GoodTimes(sun) {
			return
		}
		var h Hours
		h.SetWeek(Week{0: mon, 6: sun})
		v := validator{c: &Config{}, ids: map[string]bool{}}
		h.ID, h.Then = "x", "hangup"
		if v.hours("hours[0]", &h); len(v.found) > 0 {
			t.Fatalf("%q and %q are good, and refused: %v", mon, sun, v.found)
		}
		again := Hours{}
		again.SetWeek(h.Week())
		if !slices.Equal(again.Open, h.Open) {
			t.Fatalf("%q became %q", h.Open, again.Open)
		}
	})
}

func FuzzClosedDaysThatAreSavedAgainMeanTheSame(f *testing.F) {
	f.Add("2026-08-10 2026-08-21 Ferie\n12-24 09:00-13:00 x\n")
	f.Add("a b\n\n 12-24 12-24 5-x")
	f.Fuzz(func(t *testing.T, text string) {
		once := ReadClosedDays(text)
		twice := ReadClosedDays(ClosedDays(once))
		if ClosedDays(once) != ClosedDays(twice) {
			t.Fatalf("%q became %q", ClosedDays(once), ClosedDays(twice))
		}
	})
}
