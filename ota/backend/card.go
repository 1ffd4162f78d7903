// Package backend is where releases are installed: the slots of a card, behind the first program of its box; a package,
// behind the package manager; nowhere, where somebody else installs them.
package backend

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/pronto-pbx/pronto/board/gate"
	"github.com/pronto-pbx/pronto/ota/fit/promise"
	"github.com/pronto-pbx/pronto/ota/install"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// Card is a box with two slots. The first program owns them; it lends the idle one. A stand-in for the boot loader
// makes no difference here: which one starts the slots is known to the first program alone.
type Card struct {
	gate *gate.Client
}

// NewCard speaks to the first program on the unix socket at path.
func NewCard(path string) *Card { return &Card{gate.NewClient(path)} }

// State implements updater.Slots.
func (c *Card) State(ctx context.Context) (slot.Facts, error) {
	s, err := c.gate.Slots(ctx)
	if err != nil {
		return slot.Facts{}, err
	}
	return facts(s), nil
}

func facts(s gate.Slots) slot.Facts {
	return slot.Facts{
		Running: s.Running, Chosen: s.Chosen, Trying: s.Trying, Model: s.Model, EEPROM: s.EEPROM, Idle: s.Idle, Active: s.Active, Left: s.Left,
		Last: slot.Trial{
			Version: s.Last.Version, Slot: s.Last.Slot, Asked: s.Last.Asked, Outcome: s.Last.Outcome, Why: slot.Code(s.Last.Why), Words: s.Last.Words,
		},
	}
}

// Idle implements updater.Slots.
func (c *Card) Idle(ctx context.Context) (install.Target, error) {
	s, err := c.gate.Slots(ctx)
	switch {
	case err != nil:
		return nil, err
	case s.Trying:
		return nil, errors.New("the other slot is the way back of the trial")
	case s.Idle == "":
		return nil, errors.New("no slot is lent")
	}
	return install.OpenDevice(s.Idle)
}

// Running opens the slot that runs, to be read.
func (c *Card) Running(ctx context.Context) (*os.File, error) {
	s, err := c.gate.Slots(ctx)
	switch {
	case err != nil:
		return nil, err
	case s.Active == "":
		return nil, errors.New("the running slot is not lent")
	}
	return os.Open(s.Active)
}

// Try implements updater.Slots. What the first program refuses because of what lies in the slot is a failure of the
// slot: it is written again.
func (c *Card) Try(ctx context.Context, version, token string) error {
	err := c.gate.TrySlot(ctx, version, token)
	if r, ok := errors.AsType[*gate.Refused](err); ok {
		switch r.Code {
		case gate.CodeSlot, gate.CodeData:
			return &install.Failure{Code: slot.CodeDiffers, Err: fmt.Errorf("the first program refuses it: %w", r)}
		case gate.CodeCalls:
			return fmt.Errorf("%w: %w", promise.ErrNone, r)
		case gate.CodeDisk:
			return &install.Failure{Code: slot.CodeDisk, Err: r}
		}
	}
	return err
}

// Keep implements updater.Slots.
func (c *Card) Keep(ctx context.Context) error { return c.gate.KeepSlot(ctx) }

// Back implements updater.Slots. A trial that is over already is no error: the box restarts.
func (c *Card) Back(ctx context.Context, why, words string) error {
	err := c.gate.LeaveSlot(ctx, why, words)
	if r, ok := errors.AsType[*gate.Refused](err); ok && r.Code == gate.CodeNotOn {
		return nil
	}
	return err
}

// Refuse implements updater.Refuser: the light of the box says it.
func (c *Card) Refuse(ctx context.Context) error { return c.gate.RefuseUpdate(ctx) }
