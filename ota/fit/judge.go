package fit

import (
	"fmt"
	"time"
)

// Rules is how patient the judge is.
type Rules struct {
	Version  string        // of the release on trial; empty: whatever runs is judged
	Stable   time.Duration // how long all must be well, and the exchange run without a break
	Patience time.Duration // how long something may be amiss: services come up one after the other
	Trunks   time.Duration // how long, from the beginning, trunks are waited for that were up before
	Limit    time.Duration // of the whole; the first program of a box gives a release up after 15 min
	Look     time.Duration // between two looks
}

// Usual is what a box has. Its Limit leaves the first program time to hear the verdict.
func Usual(version string) Rules {
	return Rules{Version: version, Stable: 2 * time.Minute, Patience: 90 * time.Second, Trunks: 10 * time.Minute, Limit: 13 * time.Minute, Look: 5 * time.Second}
}

// most is how often the exchange may begin anew during a trial: a crash in the first minutes says more than the minutes
// after it.
const most = 2

// Look is what one look has shown.
type Look struct {
	At       time.Time
	Exchange Exchange // where Silent is empty
	Silent   string   // why the exchange does not say how it is
	Checks   []Check  // of a whole examination; nil: it was only asked how it is
}

// State is what the judge remembers; the zero value is that of before the first look.
type State struct {
	Began  time.Time
	Up     time.Duration // of the exchange, at the last look
	Breaks int           // how often it began anew
	Amiss  time.Time     // since when something is; zero: nothing is
	Well   time.Time     // since when a whole examination has found all well; zero: none has, or something was amiss since
	Whole  []Check       // of the latest whole examination
}

// Step is what comes next.
type Step struct {
	Done   bool
	Report Report        // where Done
	After  time.Duration // else: until the next look
	Whole  bool          // which is a whole examination
}

// Next is what the judge makes of a look; before is what the office consisted of under the release of before.
func (r Rules) Next(before Counts, s State, l Look) (State, Step) {
	if s.Began.IsZero() {
		s.Began = l.At
	}
	if l.Silent == "" {
		if s.Up > 0 && l.Exchange.Up < s.Up {
			s.Breaks++
			s.Well = time.Time{}
		}
		s.Up = l.Exchange.Up
	}
	if l.Checks != nil {
		s.Whole = l.Checks
	}
	checks := r.checks(before, s, l)
	amiss, any := Report{Checks: checks}.amiss()
	switch {
	case s.Breaks > most:
		return s, r.end(l, checks, Check{CheckExchange, false, fmt.Sprintf("the exchange began anew %d times", s.Breaks)})
	case any:
		s.Well = time.Time{}
		if s.Amiss.IsZero() {
			s.Amiss = l.At
		}
		if l.At.Sub(s.Amiss) >= r.Patience || l.At.Sub(s.Began) >= r.Limit {
			return s, r.end(l, checks, amiss)
		}
		return s, Step{After: r.Look, Whole: true}
	}
	s.Amiss = time.Time{}
	return r.well(before, s, l, checks)
}

// well is Next while nothing is amiss.
func (r Rules) well(before Counts, s State, l Look, checks []Check) (State, Step) {
	if s.Well.IsZero() {
		if l.Checks == nil {
			return s, Step{Whole: true}
		}
		s.Well = l.At
	}
	late := l.At.Sub(s.Began) >= r.Limit
	switch {
	case min(l.At.Sub(s.Well), l.Exchange.Up) < r.Stable:
		if late {
			return s, r.end(l, checks, Check{CheckExchange, false, fmt.Sprintf("it was never well for %v without a break", r.Stable)})
		}
		return s, Step{After: r.Look}
	case l.Checks == nil: // the verdict is of now
		return s, Step{Whole: true}
	case missing(before, l) && l.Exchange.Link && l.At.Sub(s.Began) < r.Trunks:
		return s, Step{After: r.Look}
	}
	return s, Step{Done: true, Report: Report{Version: l.Exchange.Version, Fit: true, Checks: checks}}
}

// missing reports that fewer trunks are up than before.
func missing(before Counts, l Look) bool { return l.Exchange.Trunks.Up < before.Trunks.Up }

// end is a verdict against a release: the check that decided it takes the place of its like.
func (r Rules) end(l Look, checks []Check, why Check) Step {
	for i := range checks {
		if checks[i].Name == why.Name {
			checks[i] = why
		}
	}
	return Step{Done: true, Report: Report{Version: l.Exchange.Version, Checks: checks}}
}

// checks is all that is known: of this look, and of the latest whole examination.
func (r Rules) checks(before Counts, s State, l Look) []Check {
	x := l.Exchange
	all := []Check{{Name: CheckExchange, OK: true}}
	switch {
	case l.Silent != "":
		return append([]Check{{CheckExchange, false, l.Silent}}, s.Whole...)
	case r.Version != "" && x.Version != r.Version:
		all[0] = Check{CheckExchange, false, fmt.Sprintf("the exchange that runs is %q, and not the release on trial, %q", x.Version, r.Version)}
	}
	all = append(all, counted(before, x.Counts))
	memory := Check{Name: CheckMemory, OK: true}
	if x.Limit > 0 && x.Memory > x.Limit/10*9 {
		memory = Check{CheckMemory, false, fmt.Sprintf("the exchange takes %d MB of the %d MB that it may", x.Memory>>20, x.Limit>>20)}
	}
	trunks := Check{Name: CheckTrunks, OK: true}
	if missing(before, l) {
		trunks = Check{CheckTrunks, false, fmt.Sprintf("%d of %d trunks are up, and %d were before", x.Trunks.Up, x.Trunks.Of, before.Trunks.Up)}
	}
	all = append(append(all, s.Whole...), memory, trunks)
	return all
}

func counted(before, now Counts) Check {
	for _, c := range []struct {
		what     string
		was, are int
	}{
		{"people", before.People, now.People},
		{"lines", before.Lines, now.Lines},
		{"queues", before.Queues, now.Queues},
		{"trunks", before.Trunks.Of, now.Trunks.Of},
	} {
		if c.was != c.are {
			return Check{CheckCounts, false, fmt.Sprintf("there were %d %s, and there are %d", c.was, c.what, c.are)}
		}
	}
	return Check{Name: CheckCounts, OK: true}
}
