package backend

import (
	"context"
	"errors"

	"github.com/pronto-pbx/pronto/ota/install"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// None is a machine on which somebody else installs releases, as whoever runs a container does.
type None struct {
	Model string // as release.Manifest.Models has it
}

// ErrNone is returned where somebody else installs.
var ErrNone = errors.New("releases are installed by somebody else here")

// State implements updater.Slots.
func (n None) State(context.Context) (slot.Facts, error) {
	return slot.Facts{Running: slot.SlotA, Chosen: slot.SlotA, Model: n.Model}, nil
}

// Idle implements updater.Slots.
func (None) Idle(context.Context) (install.Target, error) { return nil, ErrNone }

// Try implements updater.Slots.
func (None) Try(context.Context, string, string) error { return ErrNone }

// Keep implements updater.Slots.
func (None) Keep(context.Context) error { return ErrNone }

// Back implements updater.Slots.
func (None) Back(context.Context, string, string) error { return ErrNone }
