package config

import (
	"errors"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestHowASIMIsWatchedHasDefaultsAndRanges(t *testing.T) {
	const gsm = "lines: [{id: gsm0, name: Mobile, type: gsm, at: usb"
	c := parsed(t, gsm+"}]")
	if got := c.Lines[0].SIM; got != (SIM{Below: 5 * tel.Euro, Days: 14}) {
		t.Errorf("read %+v", got)
	}
	c = parsed(t, gsm+`, sim: {operator: ho, ask: "*100#", below: 2.50, days: 30}}]`)
	if got := c.Lines[0].SIM; got != (SIM{Operator: "ho", Ask: "*100#", Below: 25_000, Days: 30}) {
		t.Errorf("read %+v", got)
	}
	for text, path := range map[string]string{
		"operator: wind":     "lines[0].sim.operator",
		"ask: credito":       "lines[0].sim.ask",
		"below: 5000":        "lines[0].sim.below",
		"days: 1000":         "lines[0].sim.days",
		`ask: "*1#\"\r ATD"`: "lines[0].sim.ask",
	} {
		_, err := Parse([]byte(gsm + ", sim: {" + text + "}}]"))
		var found Problems
		if !errors.As(err, &found) || len(found) != 1 || found[0].Path != path {
			t.Errorf("%s: %v", text, err)
		}
	}
}
