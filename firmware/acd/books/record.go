package books

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Window is how far back records are compared with what happened.
const Window = 25 * time.Hour

// Place is where the waits are counted: in the half hour in which the caller joined.
type Place struct {
	Queue tel.QueueID
	Slot  time.Time // UTC
}

// PlaceOf is the place of a wait.
func PlaceOf(e tel.QueueLeft) Place { return Place{e.Queue, report.SlotOf(e.Joined)} }

// Counts are the ends of waits by place and outcome; who was refused is one of them.
type Counts map[Place]map[tel.QueueOutcome]int

// Take counts one wait.
func (c Counts) Take(e tel.QueueLeft) { c.add(PlaceOf(e), e.Outcome, 1) }

func (c Counts) add(at Place, outcome tel.QueueOutcome, n int) {
	if c[at] == nil {
		c[at] = map[tel.QueueOutcome]int{}
	}
	c[at][outcome] += n
}

// CountRows makes counts of what a report by half hours says.
func CountRows(rows []report.TrafficRow) Counts {
	c := Counts{}
	for _, r := range rows {
		for outcome, n := range r.Outcomes {
			c.add(Place{r.Queue, report.SlotOf(r.From)}, outcome, n)
		}
	}
	return c
}

// Clone copies the counts of the slots from a moment on.
func (c Counts) Clone(from time.Time) Counts {
	all := Counts{}
	for at, n := range c {
		if !at.Slot.Before(from) {
			all[at] = maps.Clone(n)
		}
	}
	return all
}

// Forget drops the slots before a moment.
func (c Counts) Forget(before time.Time) {
	maps.DeleteFunc(c, func(at Place, _ map[tel.QueueOutcome]int) bool { return at.Slot.Before(before) })
}

// Suspects are the places where the records, which were summed up some time between the two counts of what
// happened, lie outside of both. Calls that end meanwhile are no breach.
func Suspects(before, recorded, after Counts) (all []Place) {
	places := map[Place]bool{}
	for _, c := range []Counts{before, recorded, after} {
		for at := range c {
			places[at] = true
		}
	}
	for at := range places {
		outcomes := map[tel.QueueOutcome]bool{}
		for _, c := range []Counts{before, recorded, after} {
			for o := range c[at] {
				outcomes[o] = true
			}
		}
		for o := range outcomes {
			if n := recorded[at][o]; n < before[at][o] || n > after[at][o] {
				all = append(all, at)
				break
			}
		}
	}
	slices.SortFunc(all, func(a, b Place) int { return cmp.Or(a.Slot.Compare(b.Slot), cmp.Compare(a.Queue, b.Queue)) })
	return all
}

// Wait is one end of a wait with its place in the journal.
type Wait struct {
	Pos     uint64
	Call    tel.CallID
	Outcome tel.QueueOutcome
}

// mostNamed is how many calls a breach names.
const mostNamed = 5

// Judge compares the records of one place with what the journal holds of it, one by one. Written ends at a
// position that the keeper of the records has; records of before the journal begins (oldest) cannot be judged.
func Judge(at Place, journal, records []Wait, oldest, written uint64) (all []Breach) {
	type figures struct {
		have, want int
		calls      []tel.CallID
	}
	by := map[tel.QueueOutcome]*figures{}
	of := func(o tel.QueueOutcome) *figures {
		if by[o] == nil {
			by[o] = &figures{}
		}
		return by[o]
	}
	happened, recorded := map[Wait]int{}, map[Wait]int{}
	for _, w := range journal {
		happened[w]++
	}
	for _, w := range records {
		if w.Pos >= oldest {
			recorded[w]++
		}
	}
	for w, n := range happened {
		have := recorded[w]
		if w.Pos > written { // the keeper may have it, or not yet
			have = max(have, n)
		}
		f := of(w.Outcome)
		f.want, f.have = f.want+n, f.have+have
		if have != n {
			f.calls = append(f.calls, w.Call)
		}
	}
	for w, n := range recorded {
		if happened[w] == 0 {
			f := of(w.Outcome)
			f.have += n
			f.calls = append(f.calls, w.Call)
		}
	}
	for _, o := range slices.Sorted(maps.Keys(by)) {
		if f := by[o]; len(f.calls) > 0 {
			slices.Sort(f.calls)
			all = append(all, Breach{Queue: at.Queue, Figure: string(o), Have: f.have, Want: f.want, Calls: f.calls[:min(len(f.calls), mostNamed)]})
		}
	}
	return all
}

// JudgeSums compares the sums of one place with the records that they are made of.
func JudgeSums(at Place, sums map[tel.QueueOutcome]int, records []Wait) (all []Breach) {
	have, outcomes := map[tel.QueueOutcome]int{}, map[tel.QueueOutcome]bool{}
	for _, w := range records {
		have[w.Outcome]++
		outcomes[w.Outcome] = true
	}
	for o := range sums {
		outcomes[o] = true
	}
	for _, o := range slices.Sorted(maps.Keys(outcomes)) {
		if sums[o] != have[o] {
			all = append(all, Breach{Queue: at.Queue, Figure: string(o), Have: sums[o], Want: have[o], Sums: true})
		}
	}
	return all
}
