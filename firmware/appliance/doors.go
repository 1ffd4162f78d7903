package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// doors are the relays of the door stations. A relay is an output of the board like a lamp, and closes
// for a moment.
type doors struct {
	b *Box

	mu   sync.Mutex // guards all below; opening a relay takes microseconds
	all  map[tel.DeviceID]*relay
	made []config.Phone // what they were made of
}

type relay struct {
	out   lamp.Light
	lasts time.Duration
	off   *time.Timer
}

func (b *Box) openDoors() error { return b.doors.make(doorsOf(b.config())) }

func doorsOf(c *config.Config) []config.Phone {
	var all []config.Phone
	for _, p := range c.Phones {
		if p.Door != nil {
			all = append(all, config.Phone{ID: p.ID, Door: p.Door})
		}
	}
	return all
}

func (d *doors) make(phones []config.Phone) error {
	var outputs []config.Lamp
	lasts := map[tel.LampID]config.Phone{}
	for _, p := range phones {
		l := p.Door.Lamp(p.ID)
		outputs = append(outputs, l)
		lasts[l.ID] = p
	}
	lights, err := d.b.opts.Board.Lights(outputs)
	if err != nil {
		return fmt.Errorf("door relays: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all, d.made = map[tel.DeviceID]*relay{}, phones
	for _, l := range lights {
		p := lasts[l.ID()]
		d.all[p.ID] = &relay{out: l, lasts: p.Door.For}
		if err := l.Set(lamp.Level{}); err != nil {
			d.b.log.Error("door relay does not answer", "door", p.ID, "err", err)
		}
	}
	return nil
}

// open closes the relay's contact for its time; pressed again it counts anew.
func (d *doors) open(door tel.DeviceID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.all[door]
	if r == nil {
		return
	}
	if err := r.out.Set(lamp.Level{Brightness: 255, R: 255, G: 255, B: 255}); err != nil {
		d.b.log.Error("door is not opened", "door", door, "err", err)
	}
	if r.off != nil {
		r.off.Stop()
	}
	r.off = time.AfterFunc(r.lasts, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.all[door] != r {
			return // closed meanwhile
		}
		if err := r.out.Set(lamp.Level{}); err != nil {
			d.b.log.Error("door relay stays on", "door", door, "err", err)
		}
	})
}

func (d *doors) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, r := range d.all {
		if r.off != nil {
			r.off.Stop()
		}
		errs = append(errs, r.out.Set(lamp.Level{}), r.out.Close())
	}
	d.all = nil
	return errors.Join(errs...)
}

// doorOpened writes down who opened a door.
func (b *Box) doorOpened(e tel.DoorOpened) {
	body, err := json.Marshal(e)
	if err == nil {
		_, err = b.history.Append(e.Kind(), body)
	}
	if err != nil {
		b.log.Error("the opening of a door is not written down", "door", e.Door, "by", e.By, "err", err)
	}
}

// doorRoom follows with the relays.
type doorRoom struct{ d *doors }

// Name implements live.Room.
func (doorRoom) Name() string { return "doors" }

// Commit implements live.Room.
func (r doorRoom) Commit(_ context.Context, _, to *config.Config) (live.Outcome, error) {
	want := doorsOf(to)
	if reflect.DeepEqual(want, r.d.made) {
		return live.Unchanged, nil
	}
	if err := r.d.close(); err != nil {
		r.d.b.log.Warn("door relay does not close well", "err", err)
	}
	if err := r.d.make(want); err != nil {
		return 0, err
	}
	return live.Applied, nil
}
