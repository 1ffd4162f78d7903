package config

import (
	"strings"
	"testing"
)

func TestALampWithoutAChipHangsOnTheHeader(t *testing.T) {
	const office = "version: 1\nlamps:\n  - {id: a, driver: gpio, line: pin 11, button: gpio, button_line: pin 13}\n"
	if _, err := Parse([]byte(office)); err != nil {
		t.Error(err)
	}
	for line, want := range map[string]string{
		"  - {id: b, driver: gpio, line: pin 11}\n":                     `line pin 11 of the header is already that of lamp "a"`,
		"  - {id: b, driver: gpio}\n":                                   "needs its line, such as pin 11 or GPIO17",
		"  - {id: b, driver: gpio, line: pin 15, button: gpio}\n":       "needs button_line",
		"  - {id: b, driver: sim, button: gpio, button_line: pin 13}\n": `line pin 13 of the header is already that of lamp "a"`,
	} {
		if _, err := Parse([]byte(office + line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}
