package config

import (
	"fmt"

	"github.com/pronto-pbx/pronto/firmware/sip/trunk/presets"
)

// Carrier is a carrier of which a preset knows the most: the name of the preset, and what only the customer knows.
type Carrier struct {
	ID       string   // as Trunk.Preset has it
	Label    string   // shown to people
	Asks     []string // fields of a trunk that only the customer knows
	Optional []string // those of Asks that may stay empty
}

// Carriers lists every carrier with a preset, in the order of their ids. An error is a fault of this program.
func Carriers() ([]Carrier, error) {
	known, err := presets.All()
	if err != nil {
		return nil, fmt.Errorf("carriers: %w", err)
	}
	all := make([]Carrier, len(known))
	for i, p := range known {
		all[i] = carrierOf(p)
	}
	return all, nil
}

// CarrierOf is the carrier of a preset; presets.ErrUnknown for an id without one.
func CarrierOf(id string) (Carrier, error) {
	p, err := presets.Find(id)
	return carrierOf(p), err
}

func carrierOf(p presets.Preset) Carrier {
	return Carrier{ID: p.ID, Label: p.Label, Asks: p.Asks, Optional: p.Optional}
}
