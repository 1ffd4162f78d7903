package config

import (
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The kinds of line, and the countries whose tones and electrical rules are known.
const (
	LineGSM    = "gsm"
	LineAnalog = "fxo"

	CountryItaly        = "it"
	CountryETSI         = "etsi" // the harmonised set of tones that most of Europe has
	CountryNorthAmerica = "us"
)

// What a hook flash (the key R) is good for on an analog line.
const (
	RecallSwitch = "switch" // to a second caller and back: one digit follows it
	RecallDial   = "dial"   // to any number, which the exchange dials: no rule of the box holds for it
	RecallOff    = "off"    // the line has no such service
)

// Analog says how an analog line behaves, for lines of type fxo. A change opens the line anew, after its call.
type Analog struct {
	Chip     string        `yaml:"chip"`              // part of what the voice modem says of itself, e.g. CX93001: another modem is refused; default any
	Country  string        `yaml:"country"`           // tones and line: it (default), etsi or us
	Polarity bool          `yaml:"polarity"`          // the exchange reverses the battery when the far end answers; default false: then answers are assumed from the sound
	AGC      bool          `yaml:"agc,omitempty"`     // bring callers to one level, by at most 12 dB: for a line that is weak or too loud; default false
	Recall   string        `yaml:"recall,omitempty"`  // what the key R in a call is for: switch (default: a second caller, one digit), dial (Centrex: any number, past the limits on costs) or off
	Silence  time.Duration `yaml:"silence,omitempty"` // a far end that is silent for so long has gone; default 1h, since who waits in a queue may be silent; 1m-6h
}

func (c *Config) normaliseAnalog() {
	for i := range c.Lines {
		a := &c.Lines[i].Analog
		if c.Lines[i].Type != LineAnalog {
			continue
		}
		if a.Country == "" {
			a.Country = CountryItaly
		}
		if a.Recall == "" {
			a.Recall = RecallSwitch
		}
		if a.Silence == 0 {
			a.Silence = time.Hour
		}
	}
}

// analog checks a line of type fxo, and that no other has its settings.
func (v *validator) analog(path string, l *Line) {
	if l.Type != LineAnalog {
		if l.Analog != (Analog{}) {
			v.found.add(path+".analog", "choice", "is for lines of type fxo; this one is %q", l.Type)
		}
		return
	}
	switch l.Analog.Country {
	case "", CountryItaly, CountryETSI, CountryNorthAmerica:
	default:
		v.found.add(path+".analog.country", "choice", "%q is none of it, etsi and us", l.Analog.Country)
	}
	if l.Analog.Chip != "" && (len(l.Analog.Chip) > 64 || strings.ContainsFunc(l.Analog.Chip, func(r rune) bool { return r < ' ' || r > '~' })) {
		v.found.add(path+".analog.chip", "choice", "is part of what a modem says of itself: at most 64 letters, digits and signs")
	}
	switch l.Analog.Recall {
	case "", RecallSwitch, RecallDial, RecallOff:
	default:
		v.found.add(path+".analog.recall", "choice", "%q is none of switch, dial and off", l.Analog.Recall)
	}
	if l.Analog.Silence != 0 {
		v.duration(path+".analog.silence", l.Analog.Silence, time.Minute, 6*time.Hour)
	}
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"audio", l.Audio != ""},
		{"pin", l.PIN != ""},
		{"imei", l.IMEI != ""},
		{"iccid", l.ICCID != ""},
		{"second_caller", l.SecondCaller == SecondCallerWaits},
		{"sim", l.SIM != (SIM{}) && l.SIM != (SIM{Below: 5 * tel.Euro, Days: 14})},
	} {
		if f.set {
			v.found.add(path+"."+f.name, "choice", "belongs to a SIM, and an analog line has none")
		}
	}
}
