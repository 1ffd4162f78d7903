package appliance

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pronto-pbx/pronto/board/model"
	"github.com/pronto-pbx/pronto/board/vitals"
	"github.com/pronto-pbx/pronto/drivers/light"
	"github.com/pronto-pbx/pronto/drivers/light/lightsim"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/lamp"
)

// Buttons implements Board.
func (linuxBoard) Buttons(all []config.Button) (buttons []lamp.Button, err error) {
	var wired []config.Button
	for _, b := range all {
		switch b.Driver {
		case "sim":
			buttons = append(buttons, light.NewButton(b.ID))
		case "gpio":
			wired = append(wired, b)
		}
	}
	if len(wired) == 0 {
		return buttons, nil
	}
	err = withChips(func(chips []light.Chip) error {
		var pins []light.ButtonPin
		here := vitals.System().Identify()
		for _, b := range wired {
			pin, err := spot(here, chips, b.Chip, b.Line)
			if err != nil {
				return fmt.Errorf("button %q: %w", b.ID, err)
			}
			pin.ActiveLow = !b.Supply
			pins = append(pins, light.ButtonPin{ID: b.ID, Pin: pin})
		}
		got, err := light.OpenButtons(pins, chips)
		buttons = append(buttons, got...)
		return err
	})
	return buttons, err
}

// Buttons implements Board: those in memory only.
func (simBoard) Buttons(all []config.Button) (buttons []lamp.Button, err error) {
	for _, b := range all {
		buttons = append(buttons, light.NewButton(b.ID))
	}
	return buttons, nil
}

// Lights implements Board.
func (linuxBoard) Lights(all []config.Lamp) (lights []lamp.Light, err error) {
	defer func() {
		if err != nil {
			for _, l := range lights {
				_ = l.Close()
			}
			lights = nil
		}
	}()
	for _, device := range devices(all) {
		got, err := openDevice(device)
		if err != nil {
			return lights, err
		}
		for _, l := range got {
			if slices.ContainsFunc(device, func(c config.Lamp) bool { return c.ID == l.ID() && c.Relay }) {
				l = light.OnRelay(l)
			}
			lights = append(lights, l)
		}
	}
	return lights, nil
}

// devices groups lamps by what is opened at once: all GPIO lines, all USB lights, and each SPI or I2C device.
func devices(all []config.Lamp) (groups [][]config.Lamp) {
	for _, l := range all {
		i := slices.IndexFunc(groups, func(g []config.Lamp) bool {
			together := l.Driver == "gpio" || l.Driver == "usb" || l.Driver == "sim"
			return g[0].Driver == l.Driver && (together || g[0].Chip == l.Chip)
		})
		if i < 0 {
			groups = append(groups, nil)
			i = len(groups) - 1
		}
		groups[i] = append(groups[i], l)
	}
	return groups
}

// openDevice opens the lights of one group, which has one driver.
func openDevice(all []config.Lamp) ([]lamp.Light, error) {
	switch all[0].Driver {
	case "gpio":
		return openPins(all)
	case "usb":
		var lamps []light.USBLamp
		for _, l := range all {
			lamps = append(lamps, light.USBLamp{Lamp: l.ID, Place: l.Chip})
		}
		return light.OpenUSB(lamps, "/sys", "/dev")
	case "mcp23017", "pca9685":
		return openChip(all)
	case "74hc595":
		return openChain(all)
	case "apa102", "ws2812":
		return openStrip(all)
	default:
		var lights []lamp.Light
		for _, l := range all {
			lights = append(lights, lightsim.New(l.ID))
		}
		return lights, nil
	}
}

func openPins(all []config.Lamp) (lights []lamp.Light, err error) {
	err = withChips(func(chips []light.Chip) (err error) {
		pins, err := pinsOf(vitals.System().Identify(), chips, all)
		if err == nil {
			lights, err = light.OpenGPIO(pins, chips)
		}
		return err
	})
	return lights, err
}

// pinsOf finds the lines of lamps at a board's pins. Faults are told all at once.
func pinsOf(b model.Board, chips []light.Chip, all []config.Lamp) (pins []light.GPIO, err error) {
	var errs []error
	for _, l := range all {
		names := l.Lines
		if len(names) == 0 {
			names = []string{l.Line}
		}
		g := light.GPIO{Lamp: l.ID}
		for _, name := range names {
			pin, err := spot(b, chips, l.Chip, name)
			if err != nil {
				errs = append(errs, fmt.Errorf("lamp %q: %w", l.ID, err))
			}
			pin.ActiveLow = l.Invert
			g.Pins = append(g.Pins, pin)
		}
		pins = append(pins, g)
	}
	return pins, errors.Join(errs...)
}

// withChips does something with the GPIO chips of this machine, which its lines outlive. What could not be opened is
// told only when something failed.
func withChips(do func([]light.Chip) error) error {
	chips, chipErr := light.KernelChips()
	err := do(chips)
	for _, c := range chips {
		err = errors.Join(err, c.Close())
	}
	if err != nil {
		return errors.Join(err, chipErr)
	}
	return nil
}

func openChip(all []config.Lamp) ([]lamp.Light, error) {
	number, addr, err := config.I2CDevice(all[0].Chip)
	if err != nil {
		return nil, err
	}
	bus, err := light.I2CBus(number)
	if err != nil {
		return nil, err
	}
	var lamps []light.ChipLamp
	for _, l := range all {
		lamps = append(lamps, light.ChipLamp{Lamp: l.ID, Outputs: l.Outputs(), ActiveLow: l.Invert})
	}
	if all[0].Driver == "pca9685" {
		return light.OpenPCA9685(bus, addr, lamps)
	}
	return light.OpenMCP23017(bus, addr, lamps)
}

// openChain opens the shift registers, as many as the highest output needs.
func openChain(all []config.Lamp) ([]lamp.Light, error) {
	bus, chipSelect, err := config.SPIDevice(all[0].Chip)
	if err != nil {
		return nil, err
	}
	port, err := light.SPIPort(bus, chipSelect)
	if err != nil {
		return nil, fmt.Errorf("shift registers: %w", err)
	}
	chips := 1
	var lamps []light.ShiftLamp
	for _, l := range all {
		lamps = append(lamps, light.ShiftLamp{Lamp: l.ID, Outputs: l.Outputs(), ActiveLow: l.Invert})
		chips = max(chips, slices.Max(l.Outputs())/8+1)
	}
	return light.OpenShift(port, chips, lamps)
}

func openStrip(all []config.Lamp) ([]lamp.Light, error) {
	bus, chipSelect, err := config.SPIDevice(all[0].Chip)
	if err != nil {
		return nil, err
	}
	kind := light.APA102()
	if all[0].Driver == "ws2812" {
		kind = light.WS2812()
	}
	port, err := light.SPIPort(bus, chipSelect)
	if err != nil {
		return nil, fmt.Errorf("strip: %w", err)
	}
	var lamps []light.StripLamp
	for _, l := range all {
		lamps = append(lamps, light.StripLamp{Lamp: l.ID, First: l.Bit, Count: l.LEDCount()})
	}
	return light.OpenStrip(port, kind, lamps)
}
