package replay

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// With unchanged inputs a day comes out as it was, to the nanosecond: every wait and every interval of every
// agent, although the box woke late, callers were sent on and called back, agents missed calls, answers crossed
// withdrawals, the clock was set and the program restarted.
func TestADayThatIsRunAgainUnchangedComesOutAsItWas(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			s := newShop(t, seed, 5)
			s.late = time.Duration(seed%3) * 30 * time.Millisecond
			s.open()
			s.comes(120, 4*time.Hour)
			s.run(90 * time.Minute)
			s.do(plan.ClockMoved{By: []time.Duration{time.Hour, -time.Hour, 0}[seed%3]})
			s.run(2 * time.Hour)
			s.whole() // and a restart: the state begins the journal anew
			s.n = 0
			again := plan.Reconcile{Live: sortedKeys(s.s.Entries)} // as programs before this one wrote it
			if seed%2 == 0 {
				again = plan.Reconcile{Calls: s.standings()}
			}
			s.do(again)
			s.run(5 * time.Hour)
			story := s.story(morning, morning.Add(24*time.Hour))
			if n := len(story.Recorded.Waits); n < 100 {
				t.Fatalf("only %d waits", n)
			}
			if story.Breaks > 0 {
				t.Fatalf("%d breaks", story.Breaks)
			}
			rerun, err := story.Rerun(t.Context(), Change{})
			if err != nil {
				t.Fatal(err)
			}
			same(t, story.Recorded, rerun)
			if !story.Recorded.Equal(rerun) {
				t.Error("and is not called the same")
			}
			rerun.Waits[7].Left = rerun.Waits[7].Left.Add(1)
			if story.Recorded.Equal(rerun) {
				t.Error("a day with another wait is called the same")
			}
		})
	}
}

func same(t *testing.T, was, is Figures) {
	t.Helper()
	for i := range max(len(was.Waits), len(is.Waits)) {
		if i >= len(was.Waits) || i >= len(is.Waits) || !reflect.DeepEqual(was.Waits[i], is.Waits[i]) {
			var a, b tel.QueueLeft
			if i < len(was.Waits) {
				a = was.Waits[i]
			}
			if i < len(is.Waits) {
				b = is.Waits[i]
			}
			t.Fatalf("wait %d of %d and %d was\n%+v\nis\n%+v", i, len(was.Waits), len(is.Waits), a, b)
		}
	}
	if !reflect.DeepEqual(was.Intervals, is.Intervals) {
		t.Fatalf("%d intervals became %d others", len(was.Intervals), len(is.Intervals))
	}
	if !reflect.DeepEqual(was.Queues, is.Queues) {
		t.Fatal("the sums differ")
	}
}
