package model

import (
	"fmt"
	"strings"
)

// Light is a way to drive lamps, by the name that the configuration has for it.
type Light struct {
	Driver string
	Needs  string // of a board: "pins", "SPI", "I2C" or "USB"
}

// Lights lists the ways that need a board. A strip of WS2812 has no clock, so that a bus whose speed moves with that of
// the processor shows other colours.
func Lights() []Light {
	return []Light{
		{"gpio", "pins"},
		{"74hc595", "SPI"},
		{"apa102", "SPI"},
		{"ws2812", "SPI"},
		{"mcp23017", "I2C"},
		{"pca9685", "I2C"},
		{"usb", "USB"},
	}
}

// Supports tells whether lamps of a driver can hang on a model: "yes", "no", or what to look at first.
func (m Model) Supports(driver string) string {
	if m.Way == Nowhere {
		return "no"
	}
	for _, l := range Lights() {
		if l.Driver != driver {
			continue
		}
		switch h := m.Hardware; {
		case l.Needs == "USB":
			return "yes"
		case h.Header && driver == "ws2812" && strings.HasPrefix(h.Chip, "pinctrl-bcm"):
			return "with core_freq=250 in config.txt"
		case h.Header:
			return "yes"
		case h.Lines && l.Needs == "pins":
			return "by the names of its lines"
		case h.Lines:
			return "if its system has the bus"
		default:
			return "no"
		}
	}
	return "no"
}

// HardwareTable is what hangs on which board, in Markdown.
func HardwareTable() string {
	var b strings.Builder
	b.WriteString("| board | chip of the pins | pins | a pin, all pins | clock | too hot |")
	rule := "|---|---|---|---|---|---|"
	for _, l := range Lights() {
		fmt.Fprintf(&b, " %s |", l.Driver)
		rule += "---|"
	}
	b.WriteString("\n" + rule + "\n")
	for _, m := range Models() {
		if m.Way == Nowhere {
			continue
		}
		h := m.Hardware
		chip, pins, current, clock := "-", "none", "-", "no"
		if h.Chip != "" {
			chip, current = "`"+h.Chip+"`", fmt.Sprintf("%d mA, %d mA", h.PinMA, h.SumMA)
		}
		switch {
		case h.Header && h.Carrier:
			pins = "40, on the carrier that is sold with it"
		case h.Header:
			pins = "40"
		case h.Lines:
			pins = "as its maker or carrier has them"
		}
		if h.Clock {
			clock = "with a battery"
		}
		if m.ID == "pc" {
			clock = "yes"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %d °C |", m.Name, chip, pins, current, clock, h.Hot)
		for _, l := range Lights() {
			fmt.Fprintf(&b, " %s |", m.Supports(l.Driver))
		}
		b.WriteString("\n")
	}
	return b.String()
}
