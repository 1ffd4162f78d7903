package lab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/drivers/fxo/fxosim"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
)

// Fault is what can befall a line.
type Fault struct {
	Name, Says, Takes string // Takes names what may follow the name, empty for nothing
	Lasts             bool   // until it is healed
}

// frail is a line that faults befall.
type frail interface {
	Strike(name, argument string) error
	Heal(name string) error
	HealAll() error
	Struck() []string
}

// frailLine is one of the lab's.
type frailLine struct {
	ID string
	frail
	Faults []Fault
}

// Lines are the lines of every lab.
func Lines() []string { return []string{Line, AnalogLine} }

// Faults lists what can befall one of them; nil for another name.
func Faults(line string) (all []Fault) {
	switch line {
	case Line:
		for _, f := range gsmsim.Catalogue() {
			all = append(all, Fault{f.Name, f.Says, f.Takes, f.Lasts})
		}
	case AnalogLine:
		for _, f := range fxosim.Catalogue() {
			all = append(all, Fault{Name: f.Name, Says: f.Says, Lasts: true})
		}
	}
	return all
}

// lines are those of this lab, in order.
func (l *lab) lines() []frailLine {
	return []frailLine{{Line, l.mobile, Faults(Line)}, {AnalogLine, l.analog, Faults(AnalogLine)}}
}

// lineNamed is one of them.
func (l *lab) lineNamed(id string) (frailLine, error) {
	for _, x := range l.lines() {
		if x.ID == id {
			return x, nil
		}
	}
	return frailLine{}, fmt.Errorf("the lab has no line %q; it has %s", id, strings.Join(Lines(), " and "))
}

// list tells every fault of a line: whether it lasts now, its name, and what it is.
func (x frailLine) list() string {
	var b strings.Builder
	now := x.Struck()
	for _, f := range x.Faults {
		mark := "-"
		if slices.Contains(now, f.Name) {
			mark = "*"
		}
		fmt.Fprintf(&b, "%s %s %s\n", mark, f.Name, f.Says)
	}
	return b.String()
}

// strike lets a fault befall a line, and says so.
func (l *lab) strike(line, name, argument string) error {
	x, err := l.lineNamed(line)
	if err != nil {
		return err
	}
	if err := x.Strike(name, argument); err != nil {
		return err
	}
	for _, f := range x.Faults {
		if f.Name == name {
			l.say("mishap: %s", f.Says)
		}
	}
	return nil
}

// heal ends one fault of a line, or all.
func (l *lab) heal(line, name string) error {
	x, err := l.lineNamed(line)
	if err != nil {
		return err
	}
	if name == "all" {
		err = x.HealAll()
	} else {
		err = x.Heal(name)
	}
	if err == nil {
		l.say("that is over")
	}
	return err
}
