package appliance

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// askAbsent is how long a lamp that cannot be had is left alone before it is asked for again.
const askAbsent = 30 * time.Second

// absent is a device whose lamps could not be had at the start: a bus that is not switched on, a chip label of another
// board, a pin that another program holds. Calls do not wait for it; its lamps are told as broken until it is there.
type absent struct {
	open func() ([]lamp.Light, error)

	mu     sync.Mutex // guards what follows, and opening: the lamps of a device ask one after the other
	lights []lamp.Light
	err    error
	again  time.Time
	closed bool
}

// light finds a lamp of the device, which it opens when it is time to.
func (a *absent) light(id tel.LampID) (lamp.Light, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lights == nil && !a.closed && !time.Now().Before(a.again) {
		if a.lights, a.err = a.open(); a.err != nil {
			a.lights, a.again = nil, time.Now().Add(askAbsent)
		}
	}
	i := slices.IndexFunc(a.lights, func(l lamp.Light) bool { return l.ID() == id })
	if i < 0 {
		return nil, errors.Join(a.err, fmt.Errorf("lamp %q cannot be had", id))
	}
	return a.lights[i], nil
}

// absentLight is a lamp of an absent device.
type absentLight struct {
	id tel.LampID
	of *absent
}

// ID implements lamp.Light.
func (l absentLight) ID() tel.LampID { return l.id }

// Set implements lamp.Light.
func (l absentLight) Set(level lamp.Level) error {
	light, err := l.of.light(l.id)
	if err != nil {
		return err
	}
	return light.Set(level)
}

// Close implements lamp.Light.
func (l absentLight) Close() error {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	l.of.closed = true
	for _, light := range l.of.lights {
		if light.ID() == l.id {
			return light.Close()
		}
	}
	return nil
}

// lightsOf are the lights of a configuration on a board, those that cannot be had among them: the configuration was
// right once, and an exchange does not wait for its lamps.
func lightsOf(b Board, all []config.Lamp) (lights []lamp.Light, failed error) {
	lights, err := b.Lights(all)
	if err == nil {
		return lights, nil
	}
	for _, group := range apart(all) {
		got, err := b.Lights(group)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", names(group), err))
			a := &absent{open: func() ([]lamp.Light, error) { return b.Lights(group) }, again: time.Now().Add(askAbsent), err: err}
			got = nil
			for _, l := range group {
				got = append(got, absentLight{l.ID, a})
			}
		}
		lights = append(lights, got...)
	}
	return lights, failed
}

// apart groups lamps by device; lines of a chip that are lamps of their own fail alone.
func apart(all []config.Lamp) (groups [][]config.Lamp) {
	for _, group := range devices(all) {
		if d := group[0].Driver; d != "gpio" && d != "sim" {
			groups = append(groups, group)
			continue
		}
		for _, l := range group {
			groups = append(groups, []config.Lamp{l})
		}
	}
	return groups
}

func names(of []config.Lamp) string {
	var all []string
	for _, l := range of {
		all = append(all, string(l.ID))
	}
	return strings.Join(all, ", ")
}

// buttonsOf are the buttons of a configuration on a board, those that cannot be had among them: they are asked for
// again. had is called when the last of them is there.
func buttonsOf(b Board, all []config.Button, had func()) (buttons []lamp.Button, failed error) {
	buttons, err := b.Buttons(all)
	if err == nil {
		return buttons, nil
	}
	var missing atomic.Int32
	var wait []*absentButton
	for _, x := range all {
		got, err := b.Buttons([]config.Button{x})
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", x.ID, err))
			missing.Add(1)
			wait = append(wait, &absentButton{id: x.ID, presses: make(chan struct{}), stop: make(chan struct{}), open: func() (lamp.Button, error) {
				got, err := b.Buttons([]config.Button{x})
				if err != nil {
					return nil, err
				}
				if missing.Add(-1) == 0 {
					had()
				}
				return got[0], nil
			}})
		}
		buttons = append(buttons, got...)
	}
	for _, x := range wait {
		x.wg.Go(x.ask)
		buttons = append(buttons, x)
	}
	return buttons, failed
}

// absentButton is a button that could not be had at the start. It is asked for again until it is there.
type absentButton struct {
	id      tel.LampID
	open    func() (lamp.Button, error)
	presses chan struct{}
	stop    chan struct{} // closed by Close
	wg      sync.WaitGroup
}

// ask opens the button when it can be had, and hands its presses on.
func (x *absentButton) ask() {
	defer close(x.presses)
	again := time.NewTicker(askAbsent)
	defer again.Stop()
	for {
		select {
		case <-again.C:
		case <-x.stop:
			return
		}
		button, err := x.open()
		if err != nil {
			continue
		}
		for {
			select {
			case _, open := <-button.Presses():
				if !open {
					return
				}
				select {
				case x.presses <- struct{}{}:
				case <-x.stop:
				}
			case <-x.stop:
				_ = button.Close() // its pin; nobody waits for its presses
				return
			}
		}
	}
}

// ID implements lamp.Button.
func (x *absentButton) ID() tel.LampID { return x.id }

// Presses implements lamp.Button.
func (x *absentButton) Presses() <-chan struct{} { return x.presses }

// Close implements lamp.Button. It is called once.
func (x *absentButton) Close() error {
	close(x.stop)
	x.wg.Wait()
	return nil
}
