package appliance

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/board/model"
	"github.com/pronto-pbx/pronto/drivers/light"
	"github.com/pronto-pbx/pronto/firmware/config"
)

// mainboard is a Board that knows which machine it is and looks at its pins.
type mainboard interface {
	// Mainboard is the machine.
	Mainboard() model.Board
	// Look does something with the GPIO chips of the machine, which are closed then.
	Look(do func(chips []light.Chip) error) error
}

// spot finds the line that a lamp or button names: a pin of the header by its number or by any name that device trees
// have for it, or a line of another chip by its own name. Whether it is there the drivers say.
func spot(b model.Board, chips []light.Chip, chip, line string) (light.Pin, error) {
	own := b.Hardware.Chip
	_, onHeader := model.Named(line)
	switch {
	case chip == "" && !b.Hardware.Header:
		return light.Pin{}, fmt.Errorf("%s has no header that is known: write the label of the line's chip; found %s", b.Says, found(chips))
	case chip != "" && chip != own && model.Counted(line):
		return light.Pin{}, fmt.Errorf("%q is counted on the header, whose chip is %q, not on chip %q; found %s", line, own, chip, found(chips))
	case chip != "" && (chip != own || !b.Hardware.Header || !onHeader && !model.Counted(line)):
		return light.Pin{Chip: chip, Name: line}, nil
	}
	p, err := b.Pin(line)
	if err != nil {
		return light.Pin{}, err
	}
	named := false
	for _, c := range chips {
		if c.Label() != own {
			continue
		}
		for _, name := range p.Names {
			if slices.Contains(c.Lines(), name) {
				return light.Pin{Chip: own, Name: name}, nil
			}
		}
		named = named || slices.ContainsFunc(c.Lines(), func(name string) bool { return name != "" })
	}
	if named || len(chips) == 0 {
		return light.Pin{Chip: own, Name: p.Names[0]}, nil
	}
	return light.Pin{Chip: own, Offset: p.GPIO}, nil // its tree names no lines
}

// found lists the GPIO chips of the machine.
func found(chips []light.Chip) string {
	var all []string
	for _, c := range chips {
		all = append(all, fmt.Sprintf("%s %q with %d lines", c.Name(), c.Label(), len(c.Lines())))
	}
	if len(all) == 0 {
		return "no chip at all"
	}
	return strings.Join(all, ", ")
}

// claims are lines with who has them.
type claims struct {
	board model.Board
	chips []light.Chip
	owner map[string]string
	errs  []error
}

// claim takes a line for somebody, who shares it with nobody else.
func (c *claims) claim(who, chip, line string) {
	pin, err := spot(c.board, c.chips, chip, line)
	if err != nil {
		c.wrong(who, err)
		return
	}
	if len(c.chips) == 0 { // a machine that only pretends
		c.take(who, pin.String(), pin.String())
		return
	}
	at, offset, err := light.Locate(pin, c.chips)
	if err != nil {
		c.wrong(who, err)
		return
	}
	if h, ok := at.(light.Held); ok {
		// What is held by us is released before the new lamps are opened.
		if holder := h.Holder(offset); holder != "" && !strings.HasPrefix(holder, "pronto ") {
			c.wrong(who, fmt.Errorf("%s (%s line %d) is held by %q", pin, at.Name(), offset, holder))
			return
		}
	}
	c.take(who, fmt.Sprintf("%s line %d", at.Name(), offset), pin.String())
}

func (c *claims) take(who, place, says string) {
	if other, taken := c.owner[place]; taken && other != who {
		c.wrong(who, fmt.Errorf("%s already belongs to %s", says, other))
		return
	}
	c.owner[place] = who
}

func (c *claims) wrong(who string, err error) {
	c.errs = append(c.errs, fmt.Errorf("%s: %w", who, err))
}

// output takes the lines of a lamp or relay, and those of the bus at which it hangs.
func (c *claims) output(l config.Lamp, who string) {
	switch l.Driver {
	case "gpio":
		for _, line := range append(slices.Clone(l.Lines), l.Line) {
			if line != "" {
				c.claim(who, l.Chip, line)
			}
		}
	case "74hc595", "apa102", "ws2812":
		if bus, chipSelect, err := config.SPIDevice(l.Chip); err == nil {
			c.spi(bus, chipSelect)
		}
	case "mcp23017", "pca9685":
		if bus, _, err := config.I2CDevice(l.Chip); err == nil {
			c.i2c(bus)
		}
	}
}

// spi and i2c take the lines of a bus of the header; the kernel holds some of them, for us.
func (c *claims) spi(bus, chipSelect int) {
	for _, b := range model.SPI() {
		if b.Number == bus {
			c.bus(fmt.Sprintf("the bus SPI%d", bus), b.MOSI, b.Clock)
			if chipSelect < len(b.Select) {
				c.bus(fmt.Sprintf("chip select %d of the bus SPI%d", chipSelect, bus), b.Select[chipSelect])
			}
		}
	}
}

func (c *claims) i2c(bus int) {
	for _, b := range model.I2C() {
		if b.Number == bus {
			c.bus(fmt.Sprintf("the bus I2C%d", bus), b.Data, b.Clock)
		}
	}
}

func (c *claims) bus(who string, lines ...int) {
	if !c.board.Hardware.Header {
		return
	}
	for _, gpio := range lines {
		pin, err := spot(c.board, c.chips, "", fmt.Sprint("GPIO", gpio))
		if err != nil {
			continue // a board without that pin; whether it has the bus is the driver's to say
		}
		place := pin.String()
		if at, offset, err := light.Locate(pin, c.chips); err == nil {
			place = fmt.Sprintf("%s line %d", at.Name(), offset)
		}
		c.take(who, place, pin.String())
	}
}

// checkPins says what is wrong with the lines of lamps, buttons, modems' supplies and doors on a machine: all at once, with what was
// found on it.
func checkPins(b model.Board, chips []light.Chip, c *config.Config) error {
	k := claims{board: b, chips: chips, owner: map[string]string{}}
	for _, l := range c.Lamps {
		k.output(l, fmt.Sprintf("lamp %q", l.ID))
	}
	for _, b := range c.AllButtons() {
		if b.Driver == "gpio" {
			k.claim(fmt.Sprintf("the button %q", b.ID), b.Chip, b.Line)
		}
	}
	for _, l := range c.Lines {
		if l.Power.Fitted() {
			k.output(l.Power.Lamp(l.ID), fmt.Sprintf("the supply of line %q", l.ID))
		}
	}
	for _, p := range doorsOf(c) {
		k.output(p.Door.Lamp(p.ID), fmt.Sprintf("the door %q", p.ID))
	}
	return errors.Join(k.errs...)
}

// wired is what of a configuration hangs on the machine.
func wired(c *config.Config) any {
	var supplies []config.ModemPower
	for _, l := range c.Lines {
		supplies = append(supplies, l.Power)
	}
	return struct {
		lamps    []config.Lamp
		buttons  []config.Button
		supplies []config.ModemPower
		doors    []config.Phone
	}{c.Lamps, c.Buttons, supplies, doorsOf(c)}
}

// Verify implements live.Verifier. Only who changes what hangs on the machine is told that one of them is not there.
func (r lampRoom) Verify(_ context.Context, from, to *config.Config) error {
	m, ok := r.l.b.opts.Board.(mainboard)
	if !ok || reflect.DeepEqual(wired(from), wired(to)) {
		return nil
	}
	return m.Look(func(chips []light.Chip) error { return checkPins(m.Mainboard(), chips, to) })
}
