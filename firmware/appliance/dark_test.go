package appliance

import (
	"errors"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// leftLit is the outputs of a machine, as a killed process has left them: they keep what they show.
type leftLit struct {
	simBoard
	lit  map[tel.LampID]bool
	held tel.LampID // another program has this one
}

type leftLight struct {
	b  leftLit
	id tel.LampID
}

func (l leftLight) ID() tel.LampID { return l.id }
func (l leftLight) Set(v lamp.Level) error {
	l.b.lit[l.id] = v.Brightness > 0
	return nil
}
func (l leftLight) Close() error { return nil }

func (b leftLit) Lights(all []config.Lamp) (lights []lamp.Light, err error) {
	for _, l := range all {
		if l.ID == b.held {
			return nil, errors.New("take pinctrl-rp1/GPIO6: device or resource busy")
		}
		lights = append(lights, leftLight{b, l.ID})
	}
	return lights, nil
}

func TestAfterAKillEveryLampIsPutOutAndEveryDoorClosedWhateverOneOfThemDoes(t *testing.T) {
	c, err := config.Parse([]byte(`version: 1
lamps:
  - {id: a, driver: gpio, chip: pinctrl-rp1, line: GPIO5}
  - {id: b, driver: gpio, chip: pinctrl-rp1, line: GPIO6}
  - {id: c, driver: gpio, chip: pinctrl-rp1, line: GPIO7}
  - {id: d, driver: mcp23017, chip: "1:0x20", bit: 3}
phones: [{id: "301", password: password-of-301, extension: "301", door: {key: "5", driver: gpio, chip: pinctrl-rp1, line: GPIO8}}]
lines: [{id: gsm0, type: gsm, at: usb, power: {chip: pinctrl-rp1, line: GPIO9}}]
`))
	if err != nil {
		t.Fatal(err)
	}
	board := leftLit{lit: map[tel.LampID]bool{"a": true, "b": true, "c": true, "d": true, "door-301": true, "power-gsm0": true}}
	if err := PutOut(&c, board); err != nil {
		t.Error(err)
	}
	for id, lit := range board.lit {
		if lit {
			t.Errorf("%s is lit", id)
		}
	}
	board = leftLit{lit: map[tel.LampID]bool{"a": true, "b": true, "c": true, "d": true, "door-301": true, "power-gsm0": true}, held: "b"}
	if err := PutOut(&c, board); err == nil || !strings.Contains(err.Error(), "GPIO6") {
		t.Errorf("one that is held by another: %v", err)
	}
	for id, lit := range board.lit {
		if lit != (id == "b") {
			t.Errorf("with one that is held: %s is lit %v", id, lit)
		}
	}
}
