package appliance

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/pronto-pbx/pronto/drivers/fxo"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
)

// analogLine opens an analog line behind a voice modem.
func analogLine(c config.Line, supply line.Supply, log *slog.Logger) (line.Line, error) {
	network, country := analogCountry(c.Analog.Country)
	modem, err := fxo.Open(fxo.Config{
		ID: c.ID, Name: c.Name, Log: log, Locate: locateAnalog(c, "/sys", "/dev"), Chip: c.Analog.Chip,
		Network: network, Country: country, Polarity: c.Analog.Polarity, Timing: fxo.Timing{Silence: c.Analog.Silence},
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

// analogCountry is what the exchange's tones are, and the modem's setting for the electrical side (ITU-T T.35 annex A).
func analogCountry(name string) (dsp.Network, byte) {
	switch name {
	case config.CountryETSI:
		return dsp.ETSI(), 0x42 // Germany, whose terminals follow ETSI ES 203 021
	case config.CountryNorthAmerica:
		return dsp.NorthAmerica(), 0xb5
	default:
		return dsp.Italy(), 0x59
	}
}

// locateAnalog finds a voice modem where the configuration says: by its USB socket, or at a fixed path.
func locateAnalog(c config.Line, sys, dev string) func() ([]fxo.Port, error) {
	if kind, socket, _ := strings.Cut(c.AT, ":"); kind == "usb" {
		return fxo.OnUSB(sys, dev, socket)
	}
	return fxo.AtPath(c.AT)
}
