package config

import (
	"slices"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Browsers is the audio of those who telephone with the page.
type Browsers struct {
	Port int `yaml:"port"` // UDP, one for all browsers; default 16382, outside of port_min to port_max; needs a restart
	Max  int `yaml:"max"`  // calls of browsers at a time; default 8, which a Pi 4 carries; 0 = none, 0-64; needs a restart
}

func defaultBrowsers() Browsers { return Browsers{Port: 16382, Max: 8} }

// IsZero has the file say nothing of them by default: see Encode.
func (b Browsers) IsZero() bool { return b == defaultBrowsers() }

// mostBrowsers bounds what anybody may want: each costs encryption and two more system calls per packet.
const mostBrowsers = 64

// browserPrefix makes the name of a person's page among the phones.
const browserPrefix = "browser-"

// BrowserPhone is how the page of a person is named among the phones; ok is false of who may not telephone with it.
func (a *Agent) BrowserPhone() (d tel.DeviceID, ok bool) {
	return tel.DeviceID(browserPrefix + string(a.ID)), a.Browser
}

// devices are the phones of a person, with the page.
func (a *Agent) devices() []tel.DeviceID {
	if d, ok := a.BrowserPhone(); ok {
		return append(slices.Clone(a.Phones), d)
	}
	return a.Phones
}

// browsers checks where the audio of pages goes, and that no phone has the name of one.
func (v *validator) browsers() {
	m := &v.c.Media
	b := m.Browsers
	if b.Max < 0 || b.Max > mostBrowsers {
		v.found.add("media.browsers.max", "range", "%d: use 0 to %d", b.Max, mostBrowsers)
	}
	switch {
	case b.Port < 1024 || b.Port > 65535:
		v.found.add("media.browsers.port", "range", "%d: use 1024 to 65535", b.Port)
	case b.Port >= m.PortMin && b.Port <= m.PortMax, b.Port == int(v.c.SIP.Listen.Port()):
		v.found.add("media.browsers.port", "duplicate", "%d is taken by phones: browsers need a port of their own, usually 16382", b.Port)
	}
	for i := range v.c.Agents {
		if d, ok := v.c.Agents[i].BrowserPhone(); ok && v.ids["phone/"+string(d)] {
			v.found.add("agents["+string(v.c.Agents[i].ID)+"].browser", "duplicate", "the name %q is taken by a phone", d)
		}
	}
}
