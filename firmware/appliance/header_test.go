package appliance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/board/model"
	"github.com/pronto-pbx/pronto/drivers/light"
	"github.com/pronto-pbx/pronto/firmware/config"
)

// chipOf is a GPIO chip that is only looked at.
type chipOf struct {
	light.Chip
	name, label string
	lines       []string
	holders     map[int]string
}

func (c chipOf) Name() string             { return c.name }
func (c chipOf) Label() string            { return c.label }
func (c chipOf) Lines() []string          { return c.lines }
func (c chipOf) Holder(offset int) string { return c.holders[offset] }

// header names the lines of a header as most trees do; as Linux itself does where other is true.
func header(other bool) (lines []string) {
	for n := range 28 {
		p, _ := model.PinOf(n)
		name := p.Names[0]
		if other || n < 2 {
			name = p.Names[len(p.Names)-1]
		}
		lines = append(lines, name)
	}
	return append(lines, make([]string, 26)...)
}

func boardOf(compatible, arguments string) model.Board {
	return model.Identify(model.Facts{Compatible: []byte(compatible + "\x00"), Arguments: []byte(arguments)})
}

// A Raspberry Pi 5 had its header as gpiochip4, as gpiochip0 and as gpiochip15; its other chips come before or after.
func TestAPinOfAPi5IsFoundWhateverNumberTheKernelGivesItsChip(t *testing.T) {
	pi := boardOf("raspberrypi,5-model-b", "")
	others := []light.Chip{chipOf{name: "gpiochip10", label: "gpio-brcmstb@107d508500", lines: make([]string, 32)}, chipOf{name: "gpiochip11", label: "gpio-brcmstb@107d508520", lines: []string{"GPIO17"}}}
	for _, number := range []int{4, 0, 15} {
		for _, named := range []bool{false, true} {
			own := chipOf{name: fmt.Sprint("gpiochip", number), label: "pinctrl-rp1", lines: header(named)}
			for order, chips := range map[string][]light.Chip{"first": append([]light.Chip{own}, others...), "last": append(others[:2:2], own)} {
				for _, text := range []string{"pin 19", "GPIO10", "SPI_MOSI"} {
					for _, label := range []string{"", "pinctrl-rp1"} {
						pin, err := spot(pi, chips, label, text)
						if err != nil {
							t.Fatal(err)
						}
						at, offset, err := light.Locate(pin, chips)
						if err != nil || at.Name() != own.name || offset != 10 {
							t.Errorf("%q of chip %q on %s, %s: line %d, %v", text, label, own.name, order, offset, err)
						}
					}
				}
			}
		}
	}
}

func TestAPinIsFoundOnBoardsWhoseLinesHaveNoNamesOrNamesOfTheirOwn(t *testing.T) {
	pi, rock, pc := boardOf("raspberrypi,4-model-b", ""), boardOf("radxa,rock-5b", ""), boardOf("", "")
	mute := []light.Chip{chipOf{name: "gpiochip0", label: "pinctrl-bcm2711", lines: make([]string, 58)}}
	own := []light.Chip{chipOf{name: "gpiochip1", label: "gpio1", lines: []string{"", "PIN_11"}}}
	usb := []light.Chip{chipOf{name: "gpiochip0", label: "ftdi-cbus", lines: []string{"CBUS0"}}}
	for _, tc := range []struct {
		name       string
		on         model.Board
		chips      []light.Chip
		chip, line string
		offset     int
		wrong      string
	}{
		{"lines without names", pi, mute, "", "pin 11", 17, ""},
		{"a board that names its own", rock, own, "gpio1", "PIN_11", 1, ""},
		{"its pins are not counted", rock, own, "", "pin 11", 0, `found gpiochip1 "gpio1" with 2 lines`},
		{"nor on its chip", rock, own, "gpio1", "pin 11", 0, "counted on the header"},
		{"a chip at a PC", pc, usb, "ftdi-cbus", "CBUS0", 0, ""},
		{"another chip beside the header", pi, append(usb, mute...), "ftdi-cbus", "CBUS0", 0, ""},
		{"a chip that there is not", pi, usb, "", "pin 11", 0, `no GPIO chip with label "pinctrl-bcm2711"; found gpiochip0 "ftdi-cbus" with 1 lines`},
		{"no chip at all", pc, nil, "", "GPIO17", 0, "found no chip at all"},
	} {
		pin, err := spot(tc.on, tc.chips, tc.chip, tc.line)
		offset := 0
		if err == nil {
			_, offset, err = light.Locate(pin, tc.chips)
		}
		if offset != tc.offset || (err == nil) != (tc.wrong == "") || err != nil && !strings.Contains(err.Error(), tc.wrong) {
			t.Errorf("%s: line %d, %v; want %d, %q", tc.name, offset, err, tc.offset, tc.wrong)
		}
	}
}

func TestLampsButtonsAndDoorsAreRefusedWithWhatWasFoundOnTheMachine(t *testing.T) {
	chips := []light.Chip{chipOf{name: "gpiochip0", label: "pinctrl-rp1", lines: header(false), holders: map[int]string{7: "spi0 CS1", 8: "spi0 CS0", 26: "pronto lamp old", 22: "fan"}}}
	pi, talking := boardOf("raspberrypi,5-model-b", ""), boardOf("raspberrypi,5-model-b", "console=ttyAMA0,115200")
	door := func(line string) []config.Phone {
		return []config.Phone{{ID: "door", Door: &config.Door{Driver: "gpio", Line: line}}}
	}
	for _, tc := range []struct {
		name  string
		on    model.Board
		c     config.Config
		wrong []string
	}{
		{"a good office", pi, config.Config{Lamps: []config.Lamp{
			{ID: "a", Driver: "gpio", Line: "pin 11"},
			{ID: "b", Driver: "gpio", Lines: []string{"GPIO5", "GPIO6", "pin 33"}, Button: "gpio", ButtonLine: "pin 37"},
			{ID: "c", Driver: "ws2812", Chip: "0.0"},
			{ID: "d", Driver: "74hc595", Chip: "0.1"},
			{ID: "e", Driver: "mcp23017", Chip: "1:0x20"},
			{ID: "f", Driver: "pca9685", Chip: "1:0x40"},
			{ID: "g", Driver: "usb"},
		}, Phones: door("GPIO23")}, nil},
		{
			"one pin by two names", pi,
			config.Config{Lamps: []config.Lamp{{ID: "a", Driver: "gpio", Line: "pin 11"}, {ID: "b", Driver: "gpio", Chip: "pinctrl-rp1", Line: "GPIO17"}}},
			[]string{`lamp "b": pinctrl-rp1/GPIO17 already belongs to lamp "a"`},
		},
		{
			"a lamp on its own button", pi,
			config.Config{Lamps: []config.Lamp{{ID: "a", Driver: "gpio", Line: "pin 11", Button: "gpio", ButtonLine: "GPIO17"}}},
			[]string{`the button "a": pinctrl-rp1/GPIO17 already belongs to lamp "a"`},
		},
		{
			"a door on the pin of a lamp", pi,
			config.Config{Lamps: []config.Lamp{{ID: "a", Driver: "gpio", Line: "GPIO23"}}, Phones: door("pin 16")},
			[]string{`the door "door": pinctrl-rp1/GPIO23 already belongs to lamp "a"`},
		},
		{
			"a lamp on the wire of a bus", pi,
			config.Config{Lamps: []config.Lamp{{ID: "a", Driver: "gpio", Line: "pin 19"}, {ID: "b", Driver: "apa102", Chip: "0.0"}}},
			[]string{`the bus SPI0: pinctrl-rp1/GPIO10 already belongs to lamp "a"`},
		},
		{
			"a lamp on the wire of the other bus", pi,
			config.Config{Lamps: []config.Lamp{{ID: "b", Driver: "mcp23017", Chip: "1:0x20"}, {ID: "a", Driver: "gpio", Line: "GPIO3"}}},
			[]string{`lamp "a": pinctrl-rp1/GPIO3 already belongs to the bus I2C1`},
		},
		{
			"held by another program, and by the kernel", pi,
			config.Config{Lamps: []config.Lamp{{ID: "a", Driver: "gpio", Line: "GPIO22"}, {ID: "b", Driver: "gpio", Line: "pin 24"}}},
			[]string{`lamp "a": pinctrl-rp1/GPIO22 (gpiochip0 line 22) is held by "fan"`, `lamp "b": pinctrl-rp1/GPIO8 (gpiochip0 line 8) is held by "spi0 CS0"`},
		},
		{
			"pins that are no signals", pi,
			config.Config{Lamps: []config.Lamp{{ID: "a", Driver: "gpio", Line: "pin 6"}, {ID: "b", Driver: "gpio", Line: "pin 99"}}},
			[]string{`lamp "a": pin 6 is ground`, `lamp "b": there is no "pin 99"`},
		},
		{"the console's", talking, config.Config{Lamps: []config.Lamp{{ID: "a", Driver: "gpio", Line: "GPIO14"}}}, []string{"belongs to the console"}},
		{
			"a chip that is not there", pi,
			config.Config{Lamps: []config.Lamp{{ID: "a", Driver: "gpio", Chip: "pinctrl-bcm2711", Line: "GPIO14"}}},
			[]string{`no GPIO chip with label "pinctrl-bcm2711"; found gpiochip0 "pinctrl-rp1" with 54 lines`},
		},
	} {
		err := checkPins(tc.on, chips, &tc.c)
		if (err == nil) != (len(tc.wrong) == 0) {
			t.Errorf("%s: %v", tc.name, err)
		}
		for _, want := range tc.wrong {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nwant %s", tc.name, err, want)
			}
		}
	}
}
