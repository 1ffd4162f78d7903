package wiring

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pronto-pbx/pronto/board/model"
	"github.com/pronto-pbx/pronto/firmware/config"
)

// plan is a sheet while it is made.
type plan struct {
	Sheet
	board model.Board
	taken map[int]string // who has the signal of a pin
	turn  int            // of the colours
}

func (p *plan) lose(l config.Lamp, why error) {
	p.Lost = append(p.Lost, Lost{string(l.ID), why.Error()})
}

// pin finds the pin of a line of a lamp, which nobody else may have.
func (p *plan) pin(chip, line, who string) (model.Pin, error) {
	if chip != "" && chip != p.board.Hardware.Chip {
		return model.Pin{}, fmt.Errorf("its chip is %q, that of this board is %q", chip, p.board.Hardware.Chip)
	}
	found, err := p.board.Pin(line)
	if err != nil {
		return model.Pin{}, err
	}
	if other, taken := p.taken[found.Number]; taken {
		return model.Pin{}, fmt.Errorf("%s already belongs to %s", found, other)
	}
	p.taken[found.Number] = who
	return found, nil
}

// part adds one, whose terminals are wired then.
func (p *plan) part(key, name string) int {
	p.Parts = append(p.Parts, Part{Key: key, Name: name})
	return len(p.Parts) - 1
}

// wire adds a terminal to a part, with its wire.
func (p *plan) wire(part int, terminal string, w Wire) {
	t := &p.Parts[part].Terminals
	*t = append(*t, terminal)
	w.Part, w.Terminal = part, len(*t)-1
	p.Wires = append(p.Wires, w)
}

// signal wires a pin of a lamp, or of a bus, with a colour of its own.
func (p *plan) signal(part int, terminal string, pin model.Pin, through, lamp string) {
	all := signalColours()
	p.wire(part, terminal, Wire{Pin: pin, Colour: all[p.turn%len(all)], Through: through, Lamp: lamp})
	p.turn++
}

// supply wires a pin that is no signal, of those of its kind the one that is nearest to another pin.
func (p *plan) supply(part int, terminal string, kind model.Kind, near int) {
	colour := map[model.Kind]Colour{model.Ground: Black, model.Supply3V3: Orange, model.Supply5V: Red}[kind]
	var of []model.Pin
	for _, x := range model.Pins() {
		if x.Kind == kind {
			of = append(of, x)
		}
	}
	nearest := slices.MinFunc(of, func(a, b model.Pin) int { return cmp.Compare(distance(a.Number, near), distance(b.Number, near)) })
	p.wire(part, terminal, Wire{Pin: nearest, Colour: colour})
}

func distance(a, b int) int { return max(a-b, b-a) }

const resistor = "330 Ω"

// atPins draws a lamp, relay or button that hangs at pins alone.
func (p *plan) atPins(l config.Lamp) {
	lines, chip := l.Lines, l.Chip
	if p.Kind == Button {
		lines, chip = []string{l.ButtonLine}, l.ButtonAt()
	} else if len(lines) == 0 {
		lines = []string{l.Line}
	}
	var pins []model.Pin
	for _, line := range lines {
		x, err := p.pin(chip, line, string(l.ID))
		if err != nil {
			p.lose(l, err)
			for _, given := range pins {
				delete(p.taken, given.Number)
			}
			return
		}
		pins = append(pins, x)
	}
	at, id := pins[0].Number, string(l.ID)
	common := model.Ground
	switch p.Kind {
	case LED:
		p.MA += perLED
		part := p.part("led", id)
		if l.Invert {
			p.supply(part, "+", model.Supply3V3, at)
			p.signal(part, "−", pins[0], resistor, id)
			return
		}
		p.signal(part, "+", pins[0], resistor, id)
		p.supply(part, "−", common, at)
	case RGB:
		p.MA += 3 * perLED
		part := p.part("rgb", id)
		for i, name := range []string{"R", "G", "B"}[:len(pins)] {
			p.signal(part, name, pins[i], resistor, id)
		}
		if l.Invert {
			p.supply(part, "+", model.Supply3V3, at)
			return
		}
		p.supply(part, "−", common, at)
	case Relay:
		p.relay(l, pins[0])
	case Button:
		part := p.part("button", id)
		p.signal(part, "1", pins[0], "", id)
		if l.ButtonSupply {
			common = model.Supply3V3
		}
		p.supply(part, "2", common, at)
	}
}

// relay draws what switches more than a pin can: an array of transistors, or a module that closes when its input is
// low.
func (p *plan) relay(l config.Lamp, pin model.Pin) {
	id := string(l.ID)
	if l.Invert {
		part := p.part("relay", id)
		p.signal(part, "IN", pin, "", id)
		p.supply(part, "VCC", model.Supply3V3, pin.Number)
		p.supply(part, "JD-VCC", model.Supply5V, pin.Number)
		p.supply(part, "GND", model.Ground, pin.Number)
		return
	}
	part := p.part("uln2803", id)
	p.signal(part, "1B (1)", pin, "", id)
	p.supply(part, "GND (9)", model.Ground, pin.Number)
	p.wire(part, "COM (10)", Wire{Source: FromSupply, Colour: Red})
	p.Parts[part].Outputs = []Output{{Name: "1C (18)", Lamp: id}}
}

// spi are the pins of the bus of a device, or why there is none.
func (p *plan) spi() (bus model.Bus, chipSelect model.Pin, err error) {
	number, cs, err := config.SPIDevice(p.Device)
	if err != nil {
		return bus, chipSelect, err
	}
	for _, b := range model.SPI() {
		if b.Number == number && cs < len(b.Select) {
			chipSelect, _ = model.PinOf(b.Select[cs])
			return b, chipSelect, nil
		}
	}
	return bus, chipSelect, fmt.Errorf("the header has no SPI device %s", p.Device)
}

// at is the pin of a line of a bus.
func at(gpio int) model.Pin {
	p, _ := model.PinOf(gpio)
	return p
}

func (p *plan) loseAll(own []config.Lamp, why error) {
	for _, l := range own {
		p.lose(l, why)
	}
}

// shift draws a chain of 74HC595, each fed by the one before it.
func (p *plan) shift(own []config.Lamp) {
	bus, latch, err := p.spi()
	if err != nil {
		p.loseAll(own, err)
		return
	}
	last := 0
	for _, l := range own {
		last = max(last, slices.Max(l.Outputs())/8)
	}
	for chip := range last + 1 {
		part := p.part("74hc595", fmt.Sprint(chip+1))
		p.turn = 0 // the same wire has the same colour at each chip
		if chip == 0 {
			p.signal(part, "SER (14)", at(bus.MOSI), "", "")
		} else {
			p.wire(part, "SER (14)", Wire{Source: FromPrevious, Colour: "violet", Through: "QH′ (9)"})
			p.turn++
		}
		p.signal(part, "SRCLK (11)", at(bus.Clock), "", "")
		p.signal(part, "RCLK (12)", latch, "", "")
		p.supply(part, "VCC (16)", model.Supply3V3, 17)
		p.supply(part, "SRCLR (10)", model.Supply3V3, 17)
		p.supply(part, "GND (8)", model.Ground, 25)
		p.supply(part, "OE (13)", model.Ground, 25)
		p.outputs(part, own, func(n int) (string, bool) {
			leg := []int{15, 1, 2, 3, 4, 5, 6, 7}
			return fmt.Sprintf("Q%c (%d)", 'A'+n%8, leg[n%8]), n/8 == chip
		})
	}
}

// outputs lists the lamps at a chip's outputs.
func (p *plan) outputs(part int, own []config.Lamp, name func(n int) (string, bool)) {
	for _, l := range own {
		all := l.Outputs()
		for i, n := range all {
			said, here := name(n)
			if !here {
				continue
			}
			o := Output{Name: said, Lamp: string(l.ID)}
			if len(all) == 3 {
				o.Colour = []string{"red", "green", "blue"}[i]
			}
			p.Parts[part].Outputs = append(p.Parts[part].Outputs, o)
		}
	}
}

// i2c draws one chip on the bus.
func (p *plan) i2c(own []config.Lamp) {
	number, addr, err := config.I2CDevice(p.Device)
	i := slices.IndexFunc(model.I2C(), func(b model.Bus) bool { return b.Number == number })
	if err == nil && i < 0 {
		err = fmt.Errorf("the header has no I2C bus %d for lamps", number)
	}
	if err != nil {
		p.loseAll(own, err)
		return
	}
	bus := model.I2C()[i]
	part := p.part(string(p.Kind), fmt.Sprintf("%#x", addr))
	if p.Kind == PCA {
		p.signal(part, "SDA", at(bus.Data), "", "")
		p.signal(part, "SCL", at(bus.Clock), "", "")
		p.supply(part, "VCC", model.Supply3V3, 1)
		p.supply(part, "GND", model.Ground, 6)
		p.supply(part, "OE", model.Ground, 6)
		p.address(part, addr-0x40, 6, []string{"A0", "A1", "A2", "A3", "A4", "A5"})
		p.outputs(part, own, func(n int) (string, bool) { return fmt.Sprintf("PWM %d", n), true })
		return
	}
	p.signal(part, "SDA (13)", at(bus.Data), "", "")
	p.signal(part, "SCL (12)", at(bus.Clock), "", "")
	p.supply(part, "VDD (9)", model.Supply3V3, 1)
	p.supply(part, "RESET (18)", model.Supply3V3, 1)
	p.supply(part, "VSS (10)", model.Ground, 6)
	p.address(part, addr-0x20, 3, []string{"A0 (15)", "A1 (16)", "A2 (17)"})
	p.outputs(part, own, func(n int) (string, bool) {
		if n < 8 {
			return fmt.Sprintf("GPA%d (%d)", n, 21+n), true
		}
		return fmt.Sprintf("GPB%d (%d)", n-8, n-7), true
	})
}

// address wires the bits of a chip's address. Those of a breakout of a PCA9685 are bridges of solder, of which only
// the closed ones are drawn.
func (p *plan) address(part int, addr uint16, bits int, names []string) {
	for bit := range bits {
		switch high := addr>>bit&1 == 1; {
		case high:
			p.supply(part, names[bit], model.Supply3V3, 1)
		case p.Kind == MCP:
			p.supply(part, names[bit], model.Ground, 6)
		}
	}
}

// fromBoard is how many LEDs of a strip the 5 V of the board can feed: half an ampere.
const fromBoard = 8

func leds(own []config.Lamp) (n int) {
	for _, l := range own {
		n = max(n, l.Bit+l.LEDCount())
	}
	return n
}

// strip draws a strip behind a chip that lifts the signals to 5 V.
func (p *plan) strip(own []config.Lamp) {
	bus, _, err := p.spi()
	if err != nil {
		p.loseAll(own, err)
		return
	}
	lift := p.part("74ahct125", "")
	p.signal(lift, "1A (2)", at(bus.MOSI), "", "")
	p.Parts[lift].Outputs = []Output{{Name: "1Y (3) → DIN"}}
	if p.Kind == APA {
		p.signal(lift, "2A (5)", at(bus.Clock), "", "")
		p.Parts[lift].Outputs = []Output{{Name: "1Y (3) → DI"}, {Name: "2Y (6) → CI"}}
	}
	p.supply(lift, "VCC (14)", model.Supply5V, 2)
	p.supply(lift, "GND (7)", model.Ground, 20)
	p.supply(lift, "1OE (1)", model.Ground, 20)
	if p.Kind == APA {
		p.supply(lift, "2OE (4)", model.Ground, 20)
	}
	part := p.part("strip", string(p.Kind))
	if leds(own) > fromBoard {
		p.wire(part, "5 V", Wire{Source: FromSupply, Colour: Red})
	} else {
		p.supply(part, "5 V", model.Supply5V, 2)
	}
	p.supply(part, "GND", model.Ground, 20)
	for _, l := range own {
		name := fmt.Sprintf("LED %d", l.Bit)
		if n := l.LEDCount(); n > 1 {
			name = fmt.Sprintf("LED %d–%d", l.Bit, l.Bit+n-1)
		}
		p.Parts[part].Outputs = append(p.Parts[part].Outputs, Output{Name: name, Lamp: string(l.ID)})
	}
}

func (p *plan) usb(l config.Lamp) {
	part := p.part("usb", string(l.ID))
	terminal := "USB"
	if l.Chip != "" {
		terminal += " " + l.Chip
	}
	p.wire(part, terminal, Wire{Source: FromUSB, Colour: "grey", Lamp: string(l.ID)})
}
