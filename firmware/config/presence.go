package config

import (
	"fmt"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Presence is what phones may know of each other.
type Presence struct {
	Watchers       []tel.DeviceID `yaml:"watchers,omitempty"` // phones that may watch the lines and the presence of others; default every phone; applied at once
	Messages       bool           `yaml:"messages"`           // phones may send text messages to each other; default true; applied at once
	UnsolicitedMWI bool           `yaml:"unsolicited_mwi"`    // phones that do not ask for their waiting voice messages are told all the same; default true; applied to the next change
}

// presence checks that the watchers exist.
func (v *validator) presence() {
	for i, d := range v.c.Presence.Watchers {
		if !v.ids["phone/"+string(d)] {
			v.found.add(fmt.Sprintf("presence.watchers[%d]", i), "unknown", "there is no phone %q", d)
		}
	}
}
