package appliance

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/drivers/fxo"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// analogLine opens an analog line behind a voice modem.
func analogLine(c config.Line, tones fxo.ToneMemory, supply line.Supply, log *slog.Logger) (line.Line, error) {
	network, country := analogCountry(c.Analog.Country)
	timing := fxo.Timing{Silence: c.Analog.Silence}
	if c.Analog.Country == config.CountryNorthAmerica {
		timing.Flash = 600 * time.Millisecond // as long as the own one of modems that are sold there
	}
	modem, err := fxo.Open(fxo.Config{
		ID: c.ID, Name: c.Name, Log: log, Locate: locateAnalog(c, "/sys", "/dev"), Chip: c.Analog.Chip,
		Network: network, Country: country, Polarity: c.Analog.Polarity, Tones: tones, Timing: timing, Recall: analogRecall(c.Analog.Recall), AGC: c.Analog.AGC,
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

// analogRecall is what the key R may ask the exchange for.
func analogRecall(rule string) fxo.Recall {
	switch rule {
	case config.RecallDial:
		return fxo.RecallDial
	case config.RecallOff:
		return fxo.RecallOff
	default:
		return fxo.RecallSwitch
	}
}

// learnedTones remembers in a directory what was learned of each line's exchange.
type learnedTones struct{ dir string }

func (t learnedTones) path(id tel.LineID) string { return filepath.Join(t.dir, string(id)+".json") }

// Load implements fxo.ToneMemory; what is damaged is learned again.
func (t learnedTones) Load(id tel.LineID) (l dsp.Learned) {
	if err := statefile.Load(t.path(id), dsp.LearnedVersion, &l); err != nil {
		return dsp.Learned{}
	}
	return l
}

// Save implements fxo.ToneMemory.
func (t learnedTones) Save(id tel.LineID, l dsp.Learned) error {
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return err
	}
	return statefile.Save(t.path(id), dsp.LearnedVersion, l)
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
