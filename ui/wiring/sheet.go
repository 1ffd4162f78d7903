// Package wiring is where each wire of a lamp goes: which pin of the board's header is connected with what, and by
// what. It decides and draws; it touches nothing.
package wiring

import (
	"fmt"
	"slices"

	"github.com/pronto-pbx/pronto/board/model"
	"github.com/pronto-pbx/pronto/firmware/config"
)

// Kind is a way to connect lamps of which there is a sheet.
type Kind string

// The kinds.
const (
	LED    Kind = "led"   // of one colour, at a pin
	RGB    Kind = "rgb"   // red, green and blue in one, at three pins
	Relay  Kind = "relay" // a relay, or a lamp of 12 or 24 V
	Button Kind = "button"
	Shift  Kind = "74hc595"
	MCP    Kind = "mcp23017"
	PCA    Kind = "pca9685"
	APA    Kind = "apa102"
	WS     Kind = "ws2812"
	USB    Kind = "usb"
)

// Kinds lists them, the simplest first.
func Kinds() []Kind { return []Kind{LED, RGB, Relay, Button, Shift, MCP, PCA, APA, WS, USB} }

// Colour is that of a wire's insulation, by convention or in turn.
type Colour string

// The colours. Signals have the others in turn.
const (
	Red    Colour = "red"    // 5 V
	Orange Colour = "orange" // 3.3 V
	Black  Colour = "black"  // ground
)

func signalColours() []Colour { return []Colour{"yellow", "green", "blue", "violet", "brown", "grey"} }

// Sources of wires that come from no pin.
const (
	FromSupply   = "supply" // a power supply of its own
	FromUSB      = "usb"
	FromPrevious = "previous" // the chip before
)

// Wire connects a pin, or another source, with a terminal of a part.
type Wire struct {
	Pin      model.Pin // Number 0: from Source
	Source   string
	Part     int // of Sheet.Parts
	Terminal int // of the part's Terminals
	Colour   Colour
	Through  string // what stands between: "330 Ω"; empty: nothing
	Lamp     string // whose signal it is; empty: a supply, or the wire of a bus
}

// Part is what wires end at.
type Part struct {
	Key       string // of its name in the catalogue, below wiring.part.
	Name      string // of a lamp, or what tells it from others
	Terminals []string
	Outputs   []Output
}

// Output is a terminal of a part at which a lamp hangs.
type Output struct {
	Name   string
	Lamp   string
	Colour string // of a colour light: "red"; empty: the lamp has one
}

// Lost is a lamp that cannot be drawn on the board, and why in the words of the log.
type Lost struct{ Lamp, Why string }

// Sheet is the drawing of one kind, or of one device of a kind.
type Sheet struct {
	Kind     Kind
	Device   string // SPI or I2C device, as the configuration has it
	Parts    []Part
	Wires    []Wire
	Lost     []Lost
	Warnings []string // keys below wiring.warn.
	MA       int      // that the pins give when all is lit; 0: next to nothing
}

// perLED is what an LED takes at 3.3 V through 330 ohm, mA.
const perLED = 4

// KindOf is how a lamp is connected; empty: not at all.
func KindOf(l config.Lamp) Kind {
	switch l.Driver {
	case "gpio":
		switch {
		case l.Relay:
			return Relay
		case len(l.Lines) > 0:
			return RGB
		}
		return LED
	case "sim", "":
		return ""
	default:
		return Kind(l.Driver)
	}
}

// Outputs are all lamps and relays of doors of a configuration.
func Outputs(c *config.Config) []config.Lamp {
	all := slices.Clone(c.Lamps)
	for _, p := range c.Phones {
		if p.Door != nil {
			all = append(all, p.Door.Lamp(p.ID))
		}
	}
	return all
}

// Examples are the lamps that a sheet shows of a kind that an office has not.
func Examples(k Kind) []config.Lamp {
	switch k {
	case LED:
		return []config.Lamp{{ID: "lamp1", Driver: "gpio", Line: "pin 11"}, {ID: "lamp2", Driver: "gpio", Line: "pin 13"}}
	case RGB:
		return []config.Lamp{{ID: "lamp1", Driver: "gpio", Lines: []string{"pin 29", "pin 31", "pin 33"}}}
	case Relay:
		return []config.Lamp{{ID: "lamp1", Driver: "gpio", Line: "pin 16", Relay: true}}
	case Button:
		return []config.Lamp{{ID: "lamp1", Button: "gpio", ButtonLine: "pin 37"}}
	case Shift, APA, WS:
		return []config.Lamp{{ID: "lamp1", Driver: string(k), Chip: "0.0"}, {ID: "lamp2", Driver: string(k), Chip: "0.0", Bit: 1}}
	case MCP:
		return []config.Lamp{{ID: "lamp1", Driver: string(k), Chip: "1:0x20"}, {ID: "lamp2", Driver: string(k), Chip: "1:0x20", Bit: 8}}
	case PCA:
		return []config.Lamp{{ID: "lamp1", Driver: string(k), Chip: "1:0x40", Colour: true}}
	case USB:
		return []config.Lamp{{ID: "lamp1", Driver: "usb"}}
	default:
		return nil
	}
}

// Sheets draws all lamps, kind by kind and device by device.
func Sheets(b model.Board, lamps []config.Lamp) (all []Sheet) {
	for _, k := range Kinds() {
		var devices []string
		for _, l := range lamps {
			if of(l, k) && !slices.Contains(devices, device(l, k)) {
				devices = append(devices, device(l, k))
			}
		}
		for _, d := range devices {
			all = append(all, sheet(b, k, d, lamps))
		}
	}
	return all
}

func of(l config.Lamp, k Kind) bool {
	return k == Button && l.Button == "gpio" || k != Button && KindOf(l) == k
}

// device tells apart what is drawn apart: each SPI or I2C device.
func device(l config.Lamp, k Kind) string {
	switch k {
	case Shift, MCP, PCA, APA, WS:
		return l.Chip
	default:
		return ""
	}
}

func sheet(b model.Board, k Kind, d string, lamps []config.Lamp) Sheet {
	var own []config.Lamp
	for _, l := range lamps {
		if of(l, k) && device(l, k) == d {
			own = append(own, l)
		}
	}
	p := plan{board: b, Sheet: Sheet{Kind: k, Device: d}, taken: map[int]string{}}
	switch {
	case k == USB:
		for _, l := range own {
			p.usb(l)
		}
		return p.Sheet
	case !b.Hardware.Header:
		for _, l := range own {
			p.lose(l, fmt.Errorf("%s has no header that is known: its maker tells where the lines are", b.Says))
		}
		return p.Sheet
	}
	p.draw(own)
	if len(p.Parts) > 0 {
		p.warn(own)
	}
	return p.Sheet
}

func (p *plan) draw(own []config.Lamp) {
	switch p.Kind {
	case Shift:
		p.shift(own)
	case MCP, PCA:
		p.i2c(own)
	case APA, WS:
		p.strip(own)
	default:
		for _, l := range own {
			p.atPins(l)
		}
	}
}

// warn says what can go wrong with such wires.
func (p *plan) warn(own []config.Lamp) {
	p.Warnings = []string{"off", "volt"}
	if p.MA > 0 {
		p.Warnings = append(p.Warnings, "sum")
	}
	if p.MA > p.board.Hardware.SumMA {
		p.Warnings = append(p.Warnings, "toomuch")
	}
	switch p.Kind {
	case Relay:
		p.Warnings = append(p.Warnings, "mains")
	case WS:
		if p.board.Supports("ws2812") != "yes" {
			p.Warnings = append(p.Warnings, "core")
		}
	}
	if p.Kind == APA || p.Kind == WS {
		if leds(own) > fromBoard {
			p.Warnings = append(p.Warnings, "supply")
		}
	}
	if p.board.Hardware.Carrier {
		p.Warnings = append(p.Warnings, "carrier")
	}
}
