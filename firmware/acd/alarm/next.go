package alarm

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Limits are the thresholds of one queue; zero ones are off.
type Limits struct {
	Queue   tel.QueueID
	Name    string
	Waiting int           // more callers than this
	Longest time.Duration // somebody has waited as long
	Ready   int           // fewer agents than this
	For     time.Duration // raised when passed for so long
	Clear   time.Duration // cleared when not passed for so long
	Closed  bool          // outside of the opening hours: nothing is raised, and For counts from the opening
}

// Load is how one queue stands.
type Load struct {
	Queue   tel.QueueID
	Stays   []time.Duration // of each caller in this queue, the longest first
	Longest time.Duration   // wait from the first enqueue time on; 0: nobody waits
	Ready   int             // members who could take a call
	Still   time.Duration   // since a member's state changed for the last time
}

// threshold names one mark.
type threshold struct {
	Queue tel.QueueID
	What  tel.AlarmKind
}

// mark is what is remembered of a threshold.
type mark struct {
	name   string
	passed bool
	since  time.Time // when passed became what it is
	raised bool
}

// State is what is remembered of all thresholds. The zero value knows none: of one that is passed when it
// is seen for the first time, as after a restart, the load tells how long that has been so at least.
type State map[threshold]mark

// Next judges the queues at an instant. It returns the alarms that were raised or cleared, by queue, and
// when time alone can change the verdict; the zero time is never.
func Next(s State, limits []Limits, loads []Load, now time.Time) (next State, changed []tel.QueueAlarm, due time.Time) {
	next = State{}
	at := map[tel.QueueID]Load{}
	for _, l := range loads {
		at[l.Queue] = l
	}
	for _, lim := range limits {
		load, known := at[lim.Queue]
		if !known {
			continue // the queues do not have it yet, or any more
		}
		for _, v := range lim.verdicts(load) {
			key := threshold{lim.Queue, v.what}
			old, seen := s[key]
			m, when := old.follow(seen, v, lim, now)
			if lim.Closed {
				m, when, v = mark{since: now}, time.Time{}, verdict{what: v.what}
			}
			m.name = lim.Name
			next[key] = m
			if m.raised != old.raised {
				changed = append(changed, told(key, m, load, now))
			}
			due = sooner(due, when)
			if !v.passed && v.in > 0 {
				due = sooner(due, now.Add(v.in))
			}
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(s), byName) {
		if _, stays := next[key]; !stays && s[key].raised {
			m := s[key]
			m.raised = false
			changed = append(changed, told(key, m, at[key.Queue], now))
		}
	}
	return next, changed, due
}

// verdict is how a load stands to one threshold.
type verdict struct {
	what   tel.AlarmKind
	passed bool
	held   time.Duration // at least so long, where it is passed
	in     time.Duration // until time alone passes it; 0: it does not
}

func (l Limits) verdicts(load Load) (all []verdict) {
	if l.Waiting > 0 {
		v := verdict{what: tel.AlarmWaiting, passed: len(load.Stays) > l.Waiting}
		if v.passed {
			v.held = load.Stays[l.Waiting] // since then the queue has never been shorter
		}
		all = append(all, v)
	}
	if l.Longest > 0 {
		v := verdict{what: tel.AlarmLongest, passed: load.Longest >= l.Longest}
		if v.passed {
			v.held = load.Longest - l.Longest
		} else if len(load.Stays) > 0 {
			v.in = l.Longest - load.Longest
		}
		all = append(all, v)
	}
	if l.Ready > 0 {
		all = append(all, verdict{what: tel.AlarmReady, passed: load.Ready < l.Ready, held: load.Still})
	}
	return all
}

// follow takes a verdict into account; due is when the mark changes if the verdict stays.
func (m mark) follow(seen bool, v verdict, l Limits, now time.Time) (next mark, due time.Time) {
	switch {
	case !seen:
		m.passed, m.since = v.passed, now
		if v.passed {
			m.since = now.Add(-v.held)
		}
	case m.passed != v.passed:
		m.passed, m.since = v.passed, now
	}
	if m.passed == m.raised {
		return m, time.Time{}
	}
	due = m.since.Add(l.For)
	if m.raised {
		due = m.since.Add(l.Clear)
	}
	if now.Before(due) {
		return m, due
	}
	m.raised = m.passed
	return m, time.Time{}
}

func told(k threshold, m mark, load Load, now time.Time) tel.QueueAlarm {
	return tel.QueueAlarm{
		Queue: k.Queue, Name: m.name, What: k.What, Raised: m.raised, Waiting: len(load.Stays), Longest: load.Longest, Ready: load.Ready, At: now,
	}
}

func byName(a, b threshold) int {
	return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.What, b.What))
}

// sooner is the earlier of two times; a zero time is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
