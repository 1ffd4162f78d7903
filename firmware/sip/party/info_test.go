package party

import "testing"

func TestKeysAndTheFlashAreReadFromINFO(t *testing.T) {
	for _, c := range []struct {
		kind, body string
		digit      rune
		flash      bool
	}{
		{"application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", '5', false},
		{"application/dtmf", "11", '#', false},
		{"application/dtmf-relay", "Signal=16\r\nDuration=160\r\n", 0, true},
		{"Application/DTMF-Relay; x=y", "Signal= hf", 0, true},
		{"application/dtmf", "16", 0, true},
		{"application/hook-flash", "", 0, true},
		{"application/hook-flash", "anything", 0, true},
		{"application/dtmf-relay", "Duration=16", 0, false},
		{"text/plain", "16", 0, false},
		{"", "", 0, false},
	} {
		digit, _ := infoDigit(c.kind, []byte(c.body))
		if flash := infoFlash(c.kind, []byte(c.body)); flash != c.flash || digit != c.digit {
			t.Errorf("%s %q: digit %q, flash %v", c.kind, c.body, digit, flash)
		}
	}
}
