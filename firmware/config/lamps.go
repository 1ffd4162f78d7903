package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Lamp is one busy light.
type Lamp struct {
	ID     tel.LampID `yaml:"id"`
	Driver string     `yaml:"driver"` // sim, gpio, 74hc595, mcp23017, pca9685, apa102, ws2812, usb
	// Chip is where it hangs. gpio: the chip's label, default that of the board's header; 74hc595, apa102 and ws2812: the SPI device, e.g. "0.0"; mcp23017
	// and pca9685: the I2C bus and the address, e.g. "1:0x20"; usb: the socket, e.g. "1-1.2", or the serial number,
	// default the only light that is plugged in.
	Chip   string   `yaml:"chip"`
	Line   string   `yaml:"line"`             // gpio: pin of the header or line name, e.g. pin 11 or GPIO17
	Lines  []string `yaml:"lines,omitempty"`  // gpio, a colour light: its red, green and blue line, in place of line
	Bit    int      `yaml:"bit"`              // 74hc595, mcp23017, pca9685: output number from 0; apa102, ws2812: first LED from 0
	Colour bool     `yaml:"colour,omitempty"` // 74hc595, mcp23017, pca9685: red, green and blue are at bit and the next two; default false
	LEDs   int      `yaml:"leds,omitempty"`   // apa102, ws2812: LEDs of this lamp, 1 to 64; default 1
	Invert bool     `yaml:"invert"`           // active low
	Relay  bool     `yaml:"relay,omitempty"`  // a relay switches the lamp: no change sooner than 250 ms after the last one; default false
	// Shows is what it is of: agent:ID, desk:PHONE (whoever sits at that phone), queue:ID, trunk:ID, line:ID or system
	// (the box itself); default: the agent who has it as lamp.
	Shows string `yaml:"shows,omitempty"`
	Lens  string `yaml:"lens,omitempty"` // of a queue: green, amber or red, one of three lamps of a stack; default: the only one
	// Button is a push button beside it, for the agent's state: sim or gpio; default none.
	Button       string `yaml:"button"`
	ButtonChip   string `yaml:"button_chip,omitempty"`   // gpio: label of the button's chip; default chip
	ButtonLine   string `yaml:"button_line,omitempty"`   // gpio: pin of the header or line name
	ButtonSupply bool   `yaml:"button_supply,omitempty"` // gpio: a press connects the line to the supply; default to ground
}

// LampDrivers lists the drivers of lamps.
func LampDrivers() []string {
	return []string{"gpio", "usb", "74hc595", "mcp23017", "pca9685", "apa102", "ws2812", "sim"}
}

const maxLEDs = 64 // of one lamp

// LEDCount is how many LEDs of a strip the lamp has: at most as many as a configuration may say.
func (l Lamp) LEDCount() int { return min(max(1, l.LEDs), maxLEDs) }

// Outputs are the outputs of a chip that the lamp has.
func (l Lamp) Outputs() []int {
	if l.Colour {
		return []int{l.Bit, l.Bit + 1, l.Bit + 2}
	}
	return []int{l.Bit}
}

// ButtonAt is the label of the chip of a gpio button.
func (l Lamp) ButtonAt() string {
	if l.ButtonChip != "" {
		return l.ButtonChip
	}
	return l.Chip
}

// SPIDevice reads the SPI device of a lamp, "bus.select".
func SPIDevice(text string) (bus, chipSelect int, err error) {
	b, s, ok := strings.Cut(text, ".")
	bus, err1 := strconv.Atoi(b)
	chipSelect, err2 := strconv.Atoi(s)
	if !ok || err1 != nil || err2 != nil || bus < 0 || chipSelect < 0 {
		return 0, 0, fmt.Errorf("%q is no SPI device: write it as bus.select, such as 0.0", text)
	}
	return bus, chipSelect, nil
}

// I2CDevice reads the bus and the address of a chip, "bus:address".
func I2CDevice(text string) (bus int, addr uint16, err error) {
	b, a, ok := strings.Cut(text, ":")
	bus, err1 := strconv.Atoi(b)
	n, err2 := strconv.ParseUint(a, 0, 7)
	if !ok || err1 != nil || err2 != nil || bus < 0 {
		return 0, 0, fmt.Errorf("%q is no I2C chip: write it as bus:address, such as 1:0x20", text)
	}
	return bus, uint16(n), nil
}

func (v *validator) lamp(path string, l *Lamp) {
	v.id(path, "lamp", string(l.ID))
	switch l.Button {
	case "", "sim":
	case "gpio":
		if l.ButtonLine == "" {
			v.found.add(path+".button", "missing", "a gpio button needs button_line, such as pin 13 or GPIO27")
		}
	default:
		v.found.add(path+".button", "choice", "%q is not a kind of button; use sim or gpio", l.Button)
	}
	v.output(path, l)
	v.shows(path, l)
}

// output checks where a lamp or a relay is connected.
func (v *validator) output(path string, l *Lamp) {
	switch l.Driver {
	case "sim", "usb":
	case "gpio":
		switch {
		case l.Line == "" && len(l.Lines) == 0:
			v.found.add(path, "missing", "a gpio output needs its line, such as pin 11 or GPIO17")
		case l.Line != "" && len(l.Lines) > 0, len(l.Lines) != 0 && len(l.Lines) != 3:
			v.found.add(path+".lines", "range", "write line for one colour, or lines for red, green and blue")
		}
	case "74hc595":
		v.outputs(path, l, 256)
		if _, _, err := SPIDevice(l.Chip); err != nil {
			v.found.add(path+".chip", "form", "%v", err)
		}
	case "mcp23017":
		v.i2c(path, l, 0x20, 0x27)
	case "pca9685":
		v.i2c(path, l, 0x40, 0x7f)
	case "apa102", "ws2812":
		if _, _, err := SPIDevice(l.Chip); err != nil {
			v.found.add(path+".chip", "form", "%v", err)
		}
		if l.Bit < 0 || l.Bit > 400 {
			v.found.add(path+".bit", "range", "the first LED is within 0 and 400")
		}
		if l.LEDs < 0 || l.LEDs > maxLEDs {
			v.found.add(path+".leds", "range", "a lamp has 1 to %d LEDs", maxLEDs)
		}
	default:
		v.found.add(path+".driver", "choice", "%q is not one of %s", l.Driver, strings.Join(LampDrivers(), ", "))
		return
	}
}

func (v *validator) i2c(path string, l *Lamp, lo, hi uint16) {
	v.outputs(path, l, 16)
	if _, addr, err := I2CDevice(l.Chip); err != nil {
		v.found.add(path+".chip", "form", "%v", err)
	} else if addr < lo || addr > hi {
		v.found.add(path+".chip", "range", "the address of a %s is within %#x and %#x", l.Driver, lo, hi)
	}
}

func (v *validator) outputs(path string, l *Lamp, n int) {
	all := l.Outputs()
	if all[0] < 0 || all[len(all)-1] >= n {
		v.found.add(path+".bit", "range", "a %s has outputs 0 to %d", l.Driver, n-1)
	}
}

// places names everything on the board that a lamp takes.
func (l Lamp) places() (all []string) {
	at := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	switch l.Driver {
	case "gpio":
		for _, name := range append(slices.Clone(l.Lines), l.Line) {
			if name != "" {
				at("line %s of %s", name, chipNamed(l.Chip))
			}
		}
	case "74hc595", "mcp23017", "pca9685":
		for _, n := range l.Outputs() {
			at("output %d of %s %s", n, l.Driver, l.Chip)
		}
	case "apa102", "ws2812":
		for n := l.Bit; n < l.Bit+l.LEDCount(); n++ {
			at("LED %d of the strip at SPI %s", n, l.Chip)
		}
	case "usb":
		at("the USB light %q", l.Chip)
	}
	if l.Button == "gpio" {
		at("line %s of %s", l.ButtonLine, chipNamed(l.ButtonAt()))
	}
	return all
}

func chipNamed(label string) string {
	if label == "" {
		return "the header"
	}
	return "chip " + label
}

// shared refuses two lamps, buttons, supplies of modems or doors on one pin. One device belongs either to lamps of one kind or to doors,
// since whoever drives it writes all its outputs.
func (v *validator) shared() {
	owner, device := map[string]string{}, map[string]string{}
	take := func(path, kind, name string, l Lamp) {
		for _, place := range l.places() {
			if other, taken := owner[place]; taken {
				v.found.add(path, "shared", "%s is already that of %s", place, other)
				return
			}
			owner[place] = name
		}
		if l.Driver == "gpio" || l.Driver == "sim" || l.Driver == "usb" {
			return
		}
		kind = l.Driver + " of " + kind
		if other, taken := device[l.Chip]; taken && other != kind {
			v.found.add(path+".chip", "shared", "%s is already the %s", l.Chip, other)
		}
		device[l.Chip] = kind
	}
	for i, l := range v.c.Lamps {
		take(fmt.Sprintf("lamps[%d]", i), "lamps", fmt.Sprintf("lamp %q", l.ID), l)
	}
	for i, b := range v.c.Buttons {
		place := b.place()
		switch other, taken := owner[place]; {
		case taken:
			v.found.add(fmt.Sprintf("buttons[%d]", i), "shared", "%s is already that of %s", place, other)
		case place != "":
			owner[place] = fmt.Sprintf("the button %q", b.ID)
		}
	}
	v.sharedPower(take)
	for i, p := range v.c.Phones {
		if p.Door != nil {
			take(fmt.Sprintf("phones[%d].door", i), "doors", fmt.Sprintf("the door %q", p.ID), p.Door.Lamp(p.ID))
		}
	}
}
