package light

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Pin names one GPIO line by what is printed on the board rather than by a number that the next
// kernel changes: the chip's label and the line's name.
type Pin struct {
	Chip      string // label of the chip: "pinctrl-bcm2711", "pinctrl-rp1"
	Name      string // name of the line: "GPIO17"; empty on boards that have none
	Offset    int    // the line's offset on the chip, when Name is empty
	ActiveLow bool   // lit when the line is low
}

func (p Pin) String() string {
	if p.Name != "" {
		return p.Chip + "/" + p.Name
	}
	return fmt.Sprintf("%s/#%d", p.Chip, p.Offset)
}

// GPIO describes one lamp: a single Pin for a one-colour light, or three for a colour light.
type GPIO struct {
	Lamp tel.LampID
	Pins []Pin // one, or red, green and blue
}

// Chip is a GPIO chip as the driver needs it; Kernel opens the real ones.
type Chip interface {
	Name() string    // "gpiochip0": for messages only
	Label() string   // what the hardware is
	Lines() []string // names by offset; empty where a line has none
	// Output takes a line, dark, for the named user.
	Output(offset int, activeLow bool, user string) (Line, error)
	// Input takes a line and tells each time that it becomes active, on a goroutine of the chip's, until the line is
	// closed.
	Input(offset int, activeLow bool, user string, pressed func()) (io.Closer, error)
	Close() error
}

// Line is one output that was taken.
type Line interface {
	SetValue(int) error // 1 is lit, whatever the polarity
	Close() error
}

// OpenGPIO takes every line of the lamps. Faults are told all at once, each with what was found
// instead; then nothing is kept open.
func OpenGPIO(lamps []GPIO, chips []Chip) ([]lamp.Light, error) {
	var lights []lamp.Light
	var errs []error
	used := map[string]tel.LampID{}
	for _, g := range lamps {
		l, err := openOne(g, chips, used)
		if err != nil {
			errs = append(errs, fmt.Errorf("lamp %q: %w", g.Lamp, err))
			continue
		}
		lights = append(lights, l)
	}
	if len(errs) > 0 {
		for _, l := range lights {
			errs = append(errs, l.Close())
		}
		return nil, errors.Join(errs...)
	}
	return lights, nil
}

func openOne(g GPIO, chips []Chip, used map[string]tel.LampID) (lamp.Light, error) {
	if len(g.Pins) != 1 && len(g.Pins) != 3 {
		return nil, fmt.Errorf("has %d pins, want 1, or 3 for red, green and blue", len(g.Pins))
	}
	l := &gpioLight{id: g.Lamp}
	for i, p := range g.Pins {
		line, err := take(g, i, p, chips, used)
		if err != nil {
			return nil, errors.Join(err, l.Close())
		}
		l.lines = append(l.lines, line)
	}
	return l, nil
}

func take(g GPIO, i int, p Pin, chips []Chip, used map[string]tel.LampID) (Line, error) {
	chip, offset, err := find(p, chips)
	if err != nil {
		return nil, err
	}
	place := fmt.Sprintf("%s line %d", chip.Name(), offset)
	if other, taken := used[place]; taken {
		return nil, fmt.Errorf("%s is already the pin of lamp %q", p, other)
	}
	// The kernel keeps 31 characters of the user's name.
	user := "pronto lamp " + string(g.Lamp)
	if len(g.Pins) == 3 {
		user += " " + "rgb"[i:i+1]
	}
	line, err := chip.Output(offset, p.ActiveLow, user[:min(len(user), 31)])
	if err != nil {
		return nil, fmt.Errorf("take %s (%s): %w", p, place, err)
	}
	used[place] = g.Lamp
	return line, nil
}

// find resolves a pin. Two chips may carry one label (expanders of one kind): then only a line name
// can tell them apart.
func find(p Pin, chips []Chip) (Chip, int, error) {
	var labelled []Chip
	var found []string
	for _, c := range chips {
		if c.Label() == p.Chip {
			labelled = append(labelled, c)
		}
		found = append(found, fmt.Sprintf("%s %q with %d lines", c.Name(), c.Label(), len(c.Lines())))
	}
	if len(labelled) == 0 {
		list := "no chip at all"
		if len(found) > 0 {
			list = strings.Join(found, ", ")
		}
		return nil, 0, fmt.Errorf("no GPIO chip with label %q; found %s", p.Chip, list)
	}
	if p.Name == "" {
		if len(labelled) > 1 {
			return nil, 0, fmt.Errorf("%d chips have the label %q, so an offset is ambiguous; found %s", len(labelled), p.Chip, strings.Join(found, ", "))
		}
		if n := len(labelled[0].Lines()); p.Offset < 0 || p.Offset >= n {
			return nil, 0, fmt.Errorf("%s: the chip has lines 0 to %d", p, n-1)
		}
		return labelled[0], p.Offset, nil
	}
	type place struct {
		chip   Chip
		offset int
	}
	var places []place
	var names []string
	for _, c := range labelled {
		for i, name := range c.Lines() {
			if name == p.Name {
				places = append(places, place{c, i})
			}
			if name != "" {
				names = append(names, name)
			}
		}
	}
	switch len(places) {
	case 1:
		return places[0].chip, places[0].offset, nil
	case 0:
		slices.Sort(names)
		list := "its lines have no names: use an offset"
		if len(names) > 0 {
			list = "its lines are " + strings.Join(names, " ")
		}
		return nil, 0, fmt.Errorf("chip %q has no line %q; %s", p.Chip, p.Name, list)
	default:
		return nil, 0, fmt.Errorf("%d lines are named %q on chips labelled %q", len(places), p.Name, p.Chip)
	}
}

// gpioLight is a lamp on one or three lines.
type gpioLight struct {
	id    tel.LampID
	mu    sync.Mutex // Close may come from another goroutine than Set
	lines []Line
}

// ID implements lamp.Light.
func (l *gpioLight) ID() tel.LampID { return l.id }

// Set implements lamp.Light.
func (l *gpioLight) Set(v lamp.Level) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines == nil {
		return ErrClosed
	}
	r, g, b := parts(v)
	lit := []bool{r, g, b}
	if len(l.lines) == 1 {
		lit = []bool{v.Brightness > 0}
	}
	var errs []error
	for i, line := range l.lines {
		errs = append(errs, line.SetValue(value(lit[i])))
	}
	return errors.Join(errs...)
}

// Close implements lamp.Light. It darkens the lamp first: what a line shows after its release is
// not promised by the kernel.
func (l *gpioLight) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, line := range l.lines {
		errs = append(errs, line.SetValue(0), line.Close())
	}
	l.lines = nil
	return errors.Join(errs...)
}

func value(lit bool) int {
	if lit {
		return 1
	}
	return 0
}
