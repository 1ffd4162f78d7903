package config

import (
	"errors"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/sip/trunk/presets"
)

func TestEveryCarrierIsAPresetThatATrunkTakes(t *testing.T) {
	all, err := Carriers()
	if err != nil || len(all) < 30 {
		t.Fatal(len(all), err)
	}
	for _, c := range all {
		one, err := CarrierOf(c.ID)
		if err != nil || one.Label != c.Label || c.Label == "" {
			t.Errorf("%s: %+v %v", c.ID, one, err)
		}
		if _, err := (Trunk{Preset: c.ID}).Filled(); err != nil {
			t.Errorf("%s: %v", c.ID, err)
		}
	}
	for _, id := range []string{"", "none", "../it/tim", "TIM"} {
		if c, err := CarrierOf(id); !errors.Is(err, presets.ErrUnknown) || c.ID != "" {
			t.Errorf("%q: %+v %v", id, c, err)
		}
	}
}
