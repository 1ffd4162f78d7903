package tel

import "testing"

func TestMoneyIsReadAndWrittenInEuros(t *testing.T) {
	for text, want := range map[string]Money{"0": 0, "0.0125": 125, "12.50": 12*Euro + 5000, "3": 3 * Euro, "0.1": 1000, "999999999.9999": 9_999_999_999_999} {
		var m Money
		if err := m.UnmarshalText([]byte(text)); err != nil || m != want {
			t.Errorf("%s: %d %v, want %d", text, m, err, want)
		}
		var again Money
		if err := again.UnmarshalText([]byte(m.String())); err != nil || again != m {
			t.Errorf("%s is written as %s and read as %d (%v)", text, m, again, err)
		}
	}
	for _, text := range []string{"", "-1", "1,5", "0.00001", ".5", "1e3", "1234567890", "a"} {
		m := Money(7)
		if err := m.UnmarshalText([]byte(text)); err == nil || m != 7 {
			t.Errorf("%q was taken as %s", text, m)
		}
	}
	if got := Money(-15000).String(); got != "-1.50" {
		t.Error(got)
	}
}

func FuzzMoney(f *testing.F) {
	for _, s := range []string{"0.0125", "12", "-1", "9999999999", "1.23456"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var m, again Money
		if err := m.UnmarshalText([]byte(s)); err != nil {
			return
		}
		if err := again.UnmarshalText([]byte(m.String())); err != nil || again != m || m < 0 {
			t.Fatalf("%q: %d, then %d (%v)", s, m, again, err)
		}
	})
}
