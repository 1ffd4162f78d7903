package appliance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/pronto-pbx/pronto/drivers/fxo"
	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/light/lightsim"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/line"
)

// Board makes the drivers of the machine that the box runs on.
type Board interface {
	Lights(all []config.Lamp) ([]lamp.Light, error)
	Buttons(all []config.Button) ([]lamp.Button, error)
	Line(c config.Line, memory LineMemory, supply line.Supply, inbox line.Inbox, log *slog.Logger) (line.Line, error)
}

// LineMemory is what lines keep over restarts.
type LineMemory struct {
	PINs  gsm.PINMemory
	Tones fxo.ToneMemory
}

// BoardNamed returns the board of a name given on the command line: "sim" has lamps in memory, and tells how it is by
// files that it makes in dir; "linux" is the machine.
func BoardNamed(name, dir string) (Board, error) {
	switch name {
	case "sim":
		return simBoard{dir: dir}, nil
	case "linux":
		return linuxBoard{}, nil
	default:
		return nil, fmt.Errorf("board %q is not known; use sim or linux", name)
	}
}

type simBoard struct {
	linuxBoard
	dir string // of the files by which it tells how it is; empty: it does not
}

// Lights implements Board; whatever driver is configured, the light is in memory.
func (simBoard) Lights(all []config.Lamp) ([]lamp.Light, error) {
	lights := make([]lamp.Light, len(all))
	for i, l := range all {
		lights[i] = lightsim.New(l.ID)
	}
	return lights, nil
}

type linuxBoard struct{}

// Line implements Board.
func (linuxBoard) Line(c config.Line, memory LineMemory, supply line.Supply, inbox line.Inbox, log *slog.Logger) (line.Line, error) {
	if c.Type == config.LineAnalog {
		return analogLine(c, memory.Tones, supply, log)
	}
	modem, err := gsm.Open(gsm.Config{
		ID: c.ID, Name: c.Name, Log: log, Locate: locate(c, "/sys", "/dev"), PIN: string(c.PIN), PINs: memory.PINs, Inbox: inbox,
		Identity: gsm.Identity{IMEI: c.IMEI, ICCID: c.ICCID}, SecondCaller: c.SecondCaller == config.SecondCallerWaits,
		Awake:      func(device string) error { return serialport.KeepAwake("/sys", device) },
		Rebind:     func(ctx context.Context, device string) error { return serialport.Rebind(ctx, "/sys", device) },
		PowerCycle: func(ctx context.Context, device string) error { return serialport.PowerCycle(ctx, "/sys", device) },
		Supply:     supply,
	})
	if err != nil && supply != nil {
		err = errors.Join(err, supply.Close())
	}
	if err != nil {
		return nil, err
	}
	return modem, nil
}

// locate finds a modem where the configuration says: by its USB socket, which stays when the kernel
// numbers the ports anew, or at fixed paths.
func locate(c config.Line, sys, dev string) func() ([]gsm.Ports, error) {
	if kind, socket, _ := strings.Cut(c.AT, ":"); kind == "usb" {
		return gsm.OnUSB(sys, dev, socket)
	}
	return gsm.AtPaths(c.AT, c.Audio)
}
