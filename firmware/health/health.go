// Package health keeps the named conditions of the box, knows which depend on which, and says
// whether the box is fit to serve.
package health

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Severity is how bad it is when a condition fails.
type Severity string

// The severities.
const (
	Info  Severity = "info"  // worth knowing
	Warn  Severity = "warn"  // degraded, heals by itself or waits for the installer
	Error Severity = "error" // the box does not do its work
)

// Spec declares a condition.
type Spec struct {
	Name     string
	Severity Severity
	// Vital conditions decide whether the box is fit to serve.
	Vital bool
	// Needs names conditions without which this one cannot hold. While one of them fails, this
	// one counts as failed because of it, so that the page shows the cause and not its followers.
	Needs []string
}

// Condition is what is known about one condition.
type Condition struct {
	Name     string
	Severity Severity
	Vital    bool
	OK       bool
	Text     string    // why it fails, in words for the log; the page has its own
	Blamed   string    // the failed condition that this one needs, or empty
	Since    time.Time // of the last change of OK, Text or Blamed
}

// Verdict is the answer to "can this box take a call?".
type Verdict struct {
	Fit     bool
	Unknown []string    // vital conditions that nobody reported yet: not fit
	Failed  []Condition // everything that fails now, roots before followers
}

// Board owns the conditions. Methods may be called from any goroutine.
type Board struct {
	publish func(tel.HealthChanged)

	// mu guards conditions and is held while publishing, so that changes are published in their
	// order; publish must not block and must not call back.
	mu    sync.Mutex
	order []string // needs before those who need them
	conds map[string]*state
}

type state struct {
	spec     Spec
	reported bool
	ok       bool   // as reported
	text     string // as reported
	shown    Condition
	told     bool
}

// New returns a board of the given conditions. Unknown or circular needs and double names are
// programming mistakes and panic. publish may be nil.
func New(publish func(tel.HealthChanged), specs ...Spec) *Board {
	b := &Board{publish: publish, conds: map[string]*state{}}
	for _, s := range specs {
		if _, twice := b.conds[s.Name]; twice || s.Name == "" {
			panic(fmt.Sprintf("health: condition %q declared twice or without a name", s.Name))
		}
		switch s.Severity {
		case Info, Warn, Error:
		default:
			panic(fmt.Sprintf("health: condition %q has no severity", s.Name))
		}
		b.conds[s.Name] = &state{spec: s}
	}
	visiting := map[string]bool{}
	var visit func(name, by string)
	visit = func(name, by string) {
		c := b.conds[name]
		if c == nil {
			panic(fmt.Sprintf("health: condition %q needs %q, which does not exist", by, name))
		}
		if visiting[name] {
			panic(fmt.Sprintf("health: condition %q needs itself", name))
		}
		if slices.Contains(b.order, name) {
			return
		}
		visiting[name] = true
		for _, n := range c.spec.Needs {
			visit(n, name)
		}
		delete(visiting, name)
		b.order = append(b.order, name)
	}
	for _, s := range specs {
		visit(s.Name, "")
	}
	return b
}

// Report says how a condition stands at now; text says why it fails and is ignored when it holds.
// Each change that observers can see is published once, also those of conditions that need this
// one. A name that was not declared is an error.
func (b *Board) Report(name string, ok bool, text string, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.conds[name]
	if c == nil {
		return fmt.Errorf("report health: no condition %q", name)
	}
	if ok {
		text = ""
	}
	c.reported, c.ok, c.text = true, ok, text
	for _, n := range b.order {
		b.refresh(b.conds[n], now)
	}
	return nil
}

// refresh derives what observers see of a condition; those that it needs are already fresh.
func (b *Board) refresh(c *state, now time.Time) {
	next := Condition{Name: c.spec.Name, Severity: c.spec.Severity, Vital: c.spec.Vital, OK: c.ok, Text: c.text}
	for _, n := range c.spec.Needs {
		if root := b.conds[n]; root.told && !root.shown.OK {
			next.OK, next.Blamed = false, cmp.Or(root.shown.Blamed, n)
			next.Text = "needs " + next.Blamed + ", which failed"
			break
		}
	}
	if !c.reported && next.Blamed == "" {
		if !c.told {
			return // nothing is known yet
		}
		next.OK = true // it failed only because of another, which is well again
	}
	next.Since = c.shown.Since
	if c.told && next == c.shown {
		return
	}
	next.Since = now
	c.shown, c.told = next, true
	if b.publish != nil {
		b.publish(tel.HealthChanged{
			Condition: next.Name, OK: next.OK, Severity: string(next.Severity), Text: next.Text, Since: next.Since,
		})
	}
}

// Conditions lists every condition that is known, roots before followers.
func (b *Board) Conditions() []Condition {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.list()
}

func (b *Board) list() []Condition {
	var all []Condition
	for _, n := range b.order {
		if c := b.conds[n]; c.told {
			all = append(all, c.shown)
		}
	}
	return all
}

// Verdict says whether the box is fit to serve: every vital condition was reported and holds.
func (b *Board) Verdict() Verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := Verdict{Fit: true}
	for _, n := range b.order {
		c := b.conds[n]
		if c.spec.Vital && !c.reported {
			v.Fit = false
			v.Unknown = append(v.Unknown, n)
		}
		if c.told && !c.shown.OK {
			v.Failed = append(v.Failed, c.shown)
			if c.spec.Vital {
				v.Fit = false
			}
		}
	}
	return v
}
