package main_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/acd/replay"
	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// judgeJournal decides everything again that the queues of an office have decided: each decision comes out as it is
// recorded, each end of a wait that was decided is one finished record, each process began where the one before was
// when it ended, and the day that is run again unchanged comes out as it was, unless a decision was cut. It may be called
// while nobody calls.
func judgeJournal(t *testing.T, o *pbxtest.Office) {
	t.Helper()
	check, day := replay.Check{Most: 3}, replay.NewReader(time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	decided, recorded, cuts := map[string]int{}, map[string]int{}, cutDecisions{t: t}
	wait := func(e tel.QueueLeft) string { return fmt.Sprint(e.Queue, e.Call, e.Left.UnixNano(), e.Outcome) }
	_, err := journal.ReadAll(filepath.Join(o.Dir, "history"), func(r journal.Record) error {
		if err := day.Take(r.Kind, r.Body); err != nil && !errors.Is(err, replay.ErrNoState) {
			return err
		}
		if r.Kind == replay.KindDecision {
			_, events, err := replay.Published(r.Body)
			if err != nil {
				return err
			}
			for _, e := range events {
				if left, ok := e.(tel.QueueLeft); ok {
					decided[wait(left)]++
				}
			}
		}
		if e, err := cdr.Decode(r.Kind, r.Body); err != nil {
			return err
		} else if left, ok := e.(tel.QueueLeft); ok {
			recorded[wait(left)]++
		}
		return cuts.take(r, &check)
	})
	if err != nil {
		t.Fatalf("the journal: %v", err)
	}
	for _, d := range check.Differences {
		t.Errorf("decided otherwise:\n%s", d)
	}
	if check.Decisions == 0 || check.Passed > 0 || len(decided) == 0 {
		t.Errorf("%d decisions made again, %d passed over, %d waits", check.Decisions, check.Passed, len(decided))
	}
	for id, n := range decided {
		if n != 1 || recorded[id] != 1 {
			t.Errorf("the end of wait %s was decided %d times and is %d records", id, n, recorded[id])
		}
	}
	story, err := day.Story()
	if err != nil {
		t.Fatalf("the day: %v", err)
	}
	again, err := story.Rerun(t.Context(), replay.Change{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d decisions, %d waits; %d decisions were cut by the end of a process, which left %d of them undone", check.Decisions, len(decided), story.Breaks, cuts.undone)
	if story.Breaks != cuts.seen {
		t.Errorf("the day has %d breaks, the journal %d", story.Breaks, cuts.seen)
	}
	if story.Breaks == 0 && !story.Recorded.Equal(again) {
		for i := range min(len(story.Recorded.Waits), len(again.Waits)) {
			if a, b := story.Recorded.Waits[i], again.Waits[i]; wait(a) != wait(b) {
				t.Errorf("wait %d was\n%+v\nis\n%+v", i, a, b)
				break
			}
		}
		t.Errorf("run again unchanged the day is another: %d waits became %d, %d intervals %d", len(story.Recorded.Waits), len(again.Waits), len(story.Recorded.Intervals), len(again.Intervals))
	}
}

// cutDecisions explains each place at which a journal begins anew with another state. A decision is on record before it is
// kept, entity by entity, and kept before anybody is told of it: a process that dies meanwhile leaves the first few of
// what the decision has changed, perhaps none, and nobody was told. No other state may a process begin with.
type cutDecisions struct {
	t       *testing.T
	before  plan.State // of the last decision
	touched []plan.Key // by it
	follows bool       // there is a last decision
	seen    int
	undone  int // of which nothing was left
}

// take follows one record, which it gives to check.
func (c *cutDecisions) take(r journal.Record, check *replay.Check) error {
	switch r.Kind {
	case replay.KindDecision:
		before, decided := check.State().Clone(), check.Decisions
		if err := check.Take(r.Kind, r.Body); err != nil {
			return err
		}
		if check.Decisions > decided {
			c.before, c.touched, c.follows = before, slices.Clone(check.State().Touched()), true
		}
		return nil
	case replay.KindState:
		after := check.State().Clone()
		begun := check.Decisions+check.Passed > 0
		if err := check.Take(r.Kind, r.Body); err != nil || !begun {
			return err
		}
		c.judge(uint64(r.Pos), after, check.State())
		return nil
	}
	return check.Take(r.Kind, r.Body)
}

// judge looks for the state that a process began with among those that the decision before it can have left.
func (c *cutDecisions) judge(at uint64, after plan.State, now *plan.State) {
	c.t.Helper()
	is := written(c.t, now)
	if is == written(c.t, &after) {
		return
	}
	c.seen++
	kept := entities(c.t, &c.before)
	for n := 0; c.follows && n <= len(c.touched); n++ {
		if left, errs := plan.RestoreEntities(kept); len(errs) == 0 && is == written(c.t, &left) {
			if n == 0 {
				c.undone++
			}
			return
		}
		if n == len(c.touched) {
			break
		}
		key := c.touched[n]
		b, ok, err := after.Entity(key)
		switch {
		case err != nil:
			c.t.Fatal(err)
		case ok:
			kept[key.String()] = b
		default:
			delete(kept, key.String())
		}
	}
	c.t.Errorf("at position %d a process begins with a state that none can have left before it: it was\n%s\nand is\n%s", at, written(c.t, &after), is)
}

func written(t *testing.T, s *plan.State) string {
	t.Helper()
	b, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// entities is a state as the hot journal keeps it.
func entities(t *testing.T, s *plan.State) map[string][]byte {
	t.Helper()
	kept := map[string][]byte{}
	for _, key := range s.Keys() {
		b, ok, err := s.Entity(key)
		if err != nil || !ok {
			t.Fatalf("%s: %v", key, err)
		}
		kept[key.String()] = b
	}
	return kept
}
