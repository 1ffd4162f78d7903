package appliance

import (
	"errors"
	"fmt"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/lamp"
)

// PutOut darkens every lamp of a configuration, opens every door relay's contact and gives every modem its supply, for a
// prontod that was killed: a pin keeps the level that it had, so that a lamp would go on to say "free", a door stay open
// and a modem off. Whoever calls it knows that no prontod runs. Each device is tried, whatever
// becomes of the others.
func PutOut(c *config.Config, b Board) error {
	var errs []error
	for _, group := range devices(outputs(c)) {
		err := putOut(group, b)
		if err != nil && len(group) > 1 { // one bad pin shall not leave the others lit
			err = nil
			for _, l := range group {
				err = errors.Join(err, putOut([]config.Lamp{l}, b))
			}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// outputs are the lamps, the door relays and the pins at the supplies of modems.
func outputs(c *config.Config) []config.Lamp {
	all := append([]config.Lamp{}, c.Lamps...)
	for _, p := range doorsOf(c) {
		all = append(all, p.Door.Lamp(p.ID))
	}
	for _, l := range c.Lines {
		if l.Power.Fitted() {
			all = append(all, l.Power.Lamp(l.ID))
		}
	}
	return all
}

// putOut opens lights, sets each dark and releases it.
func putOut(all []config.Lamp, b Board) error {
	lights, err := b.Lights(all)
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range lights {
		if err := errors.Join(l.Set(lamp.Level{}), l.Close()); err != nil {
			errs = append(errs, fmt.Errorf("lamp %q: %w", l.ID(), err))
		}
	}
	return errors.Join(errs...)
}
