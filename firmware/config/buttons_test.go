package config

import (
	"errors"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/lamp"
)

// desk is an office in which buttons can be.
const desk = `version: 1
phones: [{id: "201", password: password-of-201}]
agents: [{id: anna, extension: "201", phones: ["201"]}]
pauses: {reasons: [{code: "1", name: Pranzo}, {code: "2", name: Pausa}]}
`

func pathsOf(err error) (paths []string) {
	var found Problems
	if errors.As(err, &found) {
		for _, p := range found {
			paths = append(paths, p.Path+" "+p.Code)
		}
	}
	return paths
}

func TestAButtonIsRefusedWithWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct{ buttons, more, want string }{
		"of an agent":                 {`{id: a, of: "agent:anna", use: help, chip: c, line: L1}`, "", ""},
		"of whoever sits at a phone":  {`{id: a, of: "desk:201", use: ready, driver: sim}`, "", ""},
		"with a reason":               {`{id: a, of: "agent:anna", use: pause, reason: Pausa, driver: sim}`, "", ""},
		"of what has none":            {`{id: a, of: "queue:sales", use: help, driver: sim}`, "", "buttons[0].of form"},
		"of nobody":                   {`{id: a, use: help, driver: sim}`, "", "buttons[0].of missing"},
		"of a queue":                  {`{id: a, of: "queue:x", use: help, driver: sim}`, "", "buttons[0].of form"},
		"of a stranger":               {`{id: a, of: "agent:bruno", use: help, driver: sim}`, "", "buttons[0].of unknown"},
		"of no phone":                 {`{id: a, of: "desk:299", use: help, driver: sim}`, "", "buttons[0].of unknown"},
		"for nothing":                 {`{id: a, of: "agent:anna", driver: sim}`, "", "buttons[0].use choice"},
		"for everything":              {`{id: a, of: "agent:anna", use: all, driver: sim}`, "", "buttons[0].use choice"},
		"help with a reason":          {`{id: a, of: "agent:anna", use: help, reason: Pausa, driver: sim}`, "", "buttons[0].reason range"},
		"a reason that is none":       {`{id: a, of: "agent:anna", use: pause, reason: Sole, driver: sim}`, "", "buttons[0].reason unknown"},
		"without a line":              {`{id: a, of: "agent:anna", use: help, chip: c}`, "", "buttons[0] missing"},
		"on a bus":                    {`{id: a, of: "agent:anna", use: help, driver: mcp23017}`, "", "buttons[0].driver choice"},
		"two of one name":             {`{id: a, of: "agent:anna", use: help, driver: sim}, {id: a, of: "agent:anna", use: pause, driver: sim}`, "", "buttons[1].id duplicate"},
		"named as one beside a lamp":  {`{id: a, of: "agent:anna", use: help, driver: sim}`, `lamps: [{id: a, driver: sim, button: sim}]`, "buttons[0].id duplicate"},
		"named as a lamp without one": {`{id: a, of: "agent:anna", use: help, driver: sim}`, `lamps: [{id: a, driver: sim}]`, ""},
		"two on one pin":              {`{id: a, of: "agent:anna", use: help, chip: c, line: L1}, {id: b, of: "agent:anna", use: pause, chip: c, line: L1}`, "", "buttons[1] shared"},
		"on the pin of a lamp":        {`{id: a, of: "agent:anna", use: help, chip: c, line: L1}`, `lamps: [{id: b, driver: gpio, chip: c, line: L1}]`, "buttons[0] shared"},
		"on the pin of a lamp's one":  {`{id: a, of: "agent:anna", use: help, chip: c, line: L1}`, `lamps: [{id: b, driver: sim, button: gpio, button_chip: c, button_line: L1}]`, "buttons[0] shared"},
		"where a modem's supply is":   {`{id: a, of: "agent:anna", use: help, chip: c, line: L1}`, `lines: [{id: gsm0, type: gsm, at: usb, power: {chip: c, line: L1}}]`, "lines[0].power shared"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(desk + "buttons: [" + c.buttons + "]\n" + c.more))
			got := ""
			if paths := pathsOf(err); len(paths) == 1 {
				got = paths[0]
			} else if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("problem at %q, want %q: %v", got, c.want, err)
			}
		})
	}
}

func TestAllButtonsAreThoseOfTheirOwnAndThoseBesideLamps(t *testing.T) {
	c := parsed(t, desk+`
buttons: [{id: aiuto, of: "desk:201", use: help, chip: c, line: L1, supply: true}]
lamps:
  - {id: none, driver: sim}
  - {id: seat, driver: gpio, chip: c, line: L2, shows: "desk:201", button: gpio, button_line: L3}
  - {id: other, driver: sim, shows: "agent:anna", button: gpio, button_chip: d, button_line: L3, button_supply: true}
`)
	want := []Button{
		{ID: "aiuto", Of: "desk:201", Use: lamp.UseHelp, Driver: "gpio", Chip: "c", Line: "L1", Supply: true},
		{ID: "seat", Of: "desk:201", Use: lamp.UseAll, Driver: "gpio", Chip: "c", Line: "L3"},
		{ID: "other", Of: "agent:anna", Use: lamp.UseAll, Driver: "gpio", Chip: "d", Line: "L3", Supply: true},
	}
	got := c.AllButtons()
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
}

func TestThePinAtAModemsSupplyHasItsDefaultAndItsBounds(t *testing.T) {
	const gsm = "version: 1\nlines: [{id: gsm0, type: gsm, at: usb"
	if p := parsed(t, gsm+"}]").Lines[0].Power; p != (ModemPower{}) || p.Fitted() {
		t.Errorf("without one: %+v", p)
	}
	if p := parsed(t, gsm+", power: {chip: pinctrl-rp1, line: GPIO23}}]").Lines[0].Power; p.For != 3*time.Second || !p.Fitted() {
		t.Errorf("read %+v", p)
	}
	for text, want := range map[string]string{
		"{chip: c, line: L, for: 200ms}": "",
		"{chip: c, line: L, for: 20s}":   "",
		"{chip: c, line: L, for: 199ms}": "lines[0].power.for range",
		"{chip: c, line: L, for: 21s}":   "lines[0].power.for range",
		"{chip: c}":                      "lines[0].power missing",
		"{invert: true, for: 1h}":        "", // what is left of one
		"{chip: c, line: L}}, {id: gsm1, type: gsm, at: x, power: {chip: c, line: L}": "lines[1].power shared",
	} {
		_, err := Parse([]byte(gsm + ", power: " + text + "}]"))
		got := ""
		if paths := pathsOf(err); len(paths) == 1 {
			got = paths[0]
		} else if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got != want {
			t.Errorf("%s: problem at %q, want %q", text, got, want)
		}
	}
}
