package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestALampIsRefusedWithWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct{ lamps, want string }{
		"gpio":                     {`{id: a, driver: gpio, chip: pinctrl-rp1, line: GPIO17}`, ""},
		"gpio, colour":             {`{id: a, driver: gpio, chip: pinctrl-rp1, lines: [GPIO5, GPIO6, GPIO7]}`, ""},
		"gpio without a line":      {`{id: a, driver: gpio, chip: pinctrl-rp1}`, "lamps[0]"},
		"gpio, two colours":        {`{id: a, driver: gpio, chip: pinctrl-rp1, lines: [GPIO5, GPIO6]}`, "lamps[0].lines"},
		"mcp23017":                 {`{id: a, driver: mcp23017, chip: "1:0x27", bit: 13, colour: true}`, ""},
		"mcp23017, past the end":   {`{id: a, driver: mcp23017, chip: "1:0x27", bit: 14, colour: true}`, "lamps[0].bit"},
		"mcp23017, another's":      {`{id: a, driver: mcp23017, chip: "1:0x40"}`, "lamps[0].chip"},
		"pca9685":                  {`{id: a, driver: pca9685, chip: "1:0x40", bit: 15}`, ""},
		"pca9685 without address":  {`{id: a, driver: pca9685, chip: "1"}`, "lamps[0].chip"},
		"strip":                    {`{id: a, driver: ws2812, chip: "0.0", bit: 12, leds: 4}`, ""},
		"strip, too long":          {`{id: a, driver: apa102, chip: "0.0", leds: 65}`, "lamps[0].leds"},
		"strip on no bus":          {`{id: a, driver: apa102, chip: "0"}`, "lamps[0].chip"},
		"usb, the only one":        {`{id: a, driver: usb}`, ""},
		"usb, twice the only one":  {`{id: a, driver: usb}, {id: b, driver: usb}`, "lamps[1]"},
		"shift register":           {`{id: a, driver: 74hc595, chip: "0.0", bit: 255}`, ""},
		"shift register, negative": {`{id: a, driver: 74hc595, chip: "0.0", bit: -1}`, "lamps[0].bit"},
		"button":                   {`{id: a, driver: sim, button: gpio, button_chip: pinctrl-rp1, button_line: GPIO27}`, ""},
		"button without a line":    {`{id: a, driver: sim, button: gpio}`, "lamps[0].button"},
		"button on its own lamp":   {`{id: a, driver: gpio, chip: c, line: L1, button: gpio, button_line: L1}`, "lamps[0]"},
		"two on one line":          {`{id: a, driver: gpio, chip: c, line: L1}, {id: b, driver: gpio, chip: c, lines: [L2, L3, L1]}`, "lamps[1]"},
		"two chips, one line name": {`{id: a, driver: gpio, chip: c, line: L1}, {id: b, driver: gpio, chip: d, line: L1}`, ""},
		"strip, without end":       {`{id: a, driver: apa102, chip: "0.0", leds: 2000000000}`, "lamps[0].leds"},
		"two on one LED":           {`{id: a, driver: apa102, chip: "0.0", leds: 3}, {id: b, driver: apa102, chip: "0.0", bit: 2}`, "lamps[1]"},
		"two on one output":        {`{id: a, driver: pca9685, chip: "1:64", colour: true}, {id: b, driver: pca9685, chip: "1:64", bit: 2}`, "lamps[1]"},
		"two kinds on one bus":     {`{id: a, driver: apa102, chip: "0.0"}, {id: b, driver: 74hc595, chip: "0.0", bit: 9}`, "lamps[1].chip"},
		"unknown":                  {`{id: a, driver: neon}`, "lamps[0].driver"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := Parse([]byte("version: 1\nlamps: [" + c.lamps + "]\n"))
			var found []string
			if problems, ok := err.(Problems); ok {
				for _, p := range problems {
					if strings.HasPrefix(p.Path, "lamps") {
						found = append(found, p.Path)
					}
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(found, " "); got != c.want {
				t.Errorf("problems at %q, want %q: %v %v", got, c.want, cfg, err)
			}
		})
	}
}

func TestADoorSharesNoChipWithLamps(t *testing.T) {
	_, err := Parse([]byte(`version: 1
lamps: [{id: a, driver: mcp23017, chip: "1:0x20"}]
phones: [{id: "201", password: secretsecret12, extension: "201", door: {key: "5", driver: mcp23017, chip: "1:0x20", bit: 9}}]
`))
	if err == nil || !strings.Contains(err.Error(), "already the mcp23017 of lamps") {
		t.Errorf("%v", err)
	}
	_, err = Parse([]byte(`version: 1
phones: [{id: "201", password: secretsecret12, extension: "201", door: {key: "5", driver: apa102, chip: "0.0"}}]
`))
	if err == nil || !strings.Contains(err.Error(), "phones[0].door.driver") {
		t.Errorf("%v", err)
	}
}

func FuzzI2CDevice(f *testing.F) {
	for _, s := range []string{"1:0x20", "0:64", ":", "1:0xff", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		bus, addr, err := I2CDevice(s)
		if err != nil {
			return
		}
		if b, a, err := I2CDevice(fmt.Sprintf("%d:%#x", bus, addr)); err != nil || b != bus || a != addr || addr > 0x7f {
			t.Errorf("%q: %d %d %v", s, bus, addr, err)
		}
	})
}
