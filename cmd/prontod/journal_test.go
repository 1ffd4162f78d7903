package main_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/replay"
	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// judgeJournal decides everything again that the queues of an office have decided: each decision comes out as it is
// recorded, each end of a wait that was decided is one finished record, and the day that is run again unchanged comes
// out as it was. It may be called while nobody calls.
func judgeJournal(t *testing.T, o *pbxtest.Office) {
	t.Helper()
	check, day := replay.Check{Most: 3}, replay.NewReader(time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	decided, recorded := map[string]int{}, map[string]int{}
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
		return check.Take(r.Kind, r.Body)
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
	t.Logf("%d decisions, %d waits, %d breaks", check.Decisions, len(decided), story.Breaks)
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
