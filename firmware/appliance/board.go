package appliance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/light"
	"github.com/pronto-pbx/pronto/drivers/light/lightsim"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/line"
)

// Board makes the drivers of the machine that the box runs on.
type Board interface {
	Lights(all []config.Lamp) ([]lamp.Light, error)
	Buttons(all []config.Lamp) ([]lamp.Button, error) // of the lamps that have one
	Line(c config.Line, pins gsm.PINMemory, inbox line.Inbox, log *slog.Logger) (line.Line, error)
}

// BoardNamed returns the board of a name given on the command line: "sim" has lamps in memory,
// "linux" those of the machine.
func BoardNamed(name string) (Board, error) {
	switch name {
	case "sim":
		return simBoard{}, nil
	case "linux":
		return linuxBoard{}, nil
	default:
		return nil, fmt.Errorf("board %q is not known; use sim or linux", name)
	}
}

type simBoard struct{ linuxBoard }

// Lights implements Board; whatever driver is configured, the light is in memory.
func (simBoard) Lights(all []config.Lamp) ([]lamp.Light, error) {
	lights := make([]lamp.Light, len(all))
	for i, l := range all {
		lights[i] = lightsim.New(l.ID)
	}
	return lights, nil
}

type linuxBoard struct{}

// Buttons implements Board.
func (linuxBoard) Buttons(all []config.Lamp) (buttons []lamp.Button, err error) {
	for _, l := range all {
		if l.Button == "sim" {
			buttons = append(buttons, lightsim.NewButton(l.ID))
		}
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
	var pins []light.GPIO
	chains := map[string][]light.ShiftLamp{}
	for _, l := range all {
		switch l.Driver {
		case "sim":
			lights = append(lights, lightsim.New(l.ID))
		case "gpio":
			pins = append(pins, light.GPIO{Lamp: l.ID, Pins: []light.Pin{{Chip: l.Chip, Name: l.Line, ActiveLow: l.Invert}}})
		case "74hc595":
			chains[l.Chip] = append(chains[l.Chip], light.ShiftLamp{Lamp: l.ID, Outputs: []int{l.Bit}, ActiveLow: l.Invert})
		}
	}
	if len(pins) > 0 {
		chips, chipErr := light.KernelChips()
		got, err := light.OpenGPIO(pins, chips)
		if err != nil {
			return lights, errors.Join(err, chipErr)
		}
		lights = append(lights, got...)
	}
	for bus, lamps := range chains {
		got, err := openChain(bus, lamps)
		if err != nil {
			return lights, err
		}
		lights = append(lights, got...)
	}
	return lights, nil
}

// openChain opens the shift registers on an SPI device written as "bus.select".
func openChain(bus string, lamps []light.ShiftLamp) ([]lamp.Light, error) {
	b, s, ok := strings.Cut(bus, ".")
	busNo, err1 := strconv.Atoi(b)
	selectNo, err2 := strconv.Atoi(s)
	if !ok || err1 != nil || err2 != nil {
		return nil, fmt.Errorf("SPI device %q: write it as bus.select, such as 0.0", bus)
	}
	port, err := light.SPIPort(busNo, selectNo)
	if err != nil {
		return nil, fmt.Errorf("SPI device %q: %w", bus, err)
	}
	chips := 1
	for _, l := range lamps {
		for _, out := range l.Outputs {
			chips = max(chips, out/8+1)
		}
	}
	return light.OpenShift(port, chips, lamps)
}

// Line implements Board.
func (linuxBoard) Line(c config.Line, pins gsm.PINMemory, inbox line.Inbox, log *slog.Logger) (line.Line, error) {
	return gsm.Open(gsm.Config{
		ID: c.ID, Name: c.Name, Log: log, Locate: locate(c, "/sys", "/dev"), PIN: string(c.PIN), PINs: pins, Inbox: inbox,
		Identity: gsm.Identity{IMEI: c.IMEI, ICCID: c.ICCID}, SecondCaller: c.SecondCaller == config.SecondCallerWaits,
		Awake:      func(device string) error { return serialport.KeepAwake("/sys", device) },
		Rebind:     func(ctx context.Context, device string) error { return serialport.Rebind(ctx, "/sys", device) },
		PowerCycle: func(ctx context.Context, device string) error { return serialport.PowerCycle(ctx, "/sys", device) },
	})
}

// locate finds a modem where the configuration says: by its USB socket, which stays when the kernel
// numbers the ports anew, or at fixed paths.
func locate(c config.Line, sys, dev string) func() ([]gsm.Ports, error) {
	if kind, socket, _ := strings.Cut(c.AT, ":"); kind == "usb" {
		return gsm.OnUSB(sys, dev, socket)
	}
	return gsm.AtPaths(c.AT, c.Audio)
}
