package alarm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var at = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// said is a list of changes as a person reads them.
func said(changed []tel.QueueAlarm) string {
	var all []string
	for _, c := range changed {
		sign := "-"
		if c.Raised {
			sign = "+"
		}
		all = append(all, sign+string(c.Queue)+" "+string(c.What))
	}
	return strings.Join(all, ", ")
}

// waits are callers who have waited so long, in this queue and at all.
func waits(ready int, stays ...time.Duration) Load {
	l := Load{Queue: "sales", Stays: stays, Ready: ready}
	if len(stays) > 0 {
		l.Longest = stays[0]
	}
	return l
}

func TestAQueueCallsForItsSupervisor(t *testing.T) {
	type step struct {
		after time.Duration // since the last one
		load  Load
		want  string
		due   time.Duration // from the step on; 0: never
	}
	for name, c := range map[string]struct {
		limits Limits
		steps  []step
	}{
		"when more callers wait than it allows, and no sooner": {Limits{Waiting: 2}, []step{
			{0, waits(0, time.Minute, time.Minute), "", 0},
			{0, waits(0, time.Minute, time.Minute, 0), "+sales waiting", 0},
			{0, waits(0, time.Minute, time.Minute), "-sales waiting", 0},
		}},
		"when somebody has waited too long, which time alone brings about": {Limits{Longest: time.Minute}, []step{
			{0, waits(0), "", 0},
			{0, waits(0, 10*time.Second), "", 50 * time.Second},
			{50 * time.Second, waits(0, time.Minute), "+sales longest", 0},
			{time.Second, waits(0, 5*time.Second), "-sales longest", 55 * time.Second},
		}},
		"when too few agents are ready": {Limits{Ready: 2}, []step{
			{0, waits(2), "", 0},
			{0, waits(1), "+sales ready", 0},
			{0, waits(2), "-sales ready", 0},
		}},
		"only after it has been so for a while, and is calm only after a while": {Limits{Waiting: 1, For: 10 * time.Second, Clear: 30 * time.Second}, []step{
			{0, waits(0, time.Second), "", 0},
			{0, waits(0, time.Second, 0), "", 10 * time.Second},
			{9 * time.Second, waits(0, time.Second), "", 0}, // it passed by
			{0, waits(0, time.Second, 0), "", 10 * time.Second},
			{10 * time.Second, waits(0, time.Second, 0), "+sales waiting", 0},
			{0, waits(0, time.Second), "", 30 * time.Second},
			{29 * time.Second, waits(0, time.Second, 0), "", 0}, // it came back
			{0, waits(0, time.Second), "", 30 * time.Second},
			{30 * time.Second, waits(0, time.Second), "-sales waiting", 0},
		}},
		"of two kinds at once": {Limits{Waiting: 1, Ready: 1}, []step{
			{0, waits(0, time.Second, 0), "+sales waiting, +sales ready", 0},
			{0, waits(1, time.Second, 0), "-sales ready", 0},
		}},
		"never without thresholds": {Limits{}, []step{{0, waits(0, time.Hour, time.Hour), "", 0}}},
		// What it was before a restart follows from how the queue stands.
		"at once after a restart, when as many have waited for as long": {Limits{Waiting: 1, For: 10 * time.Second}, []step{
			{0, waits(0, time.Minute, 11*time.Second), "+sales waiting", 0},
		}},
		"a little later after a restart, when they have not": {Limits{Waiting: 1, For: 10 * time.Second}, []step{
			{0, waits(0, time.Minute, 4*time.Second), "", 6 * time.Second},
		}},
		"at once after a restart, when nobody has moved": {Limits{Ready: 1, For: time.Minute}, []step{
			{0, Load{Queue: "sales", Still: time.Hour}, "+sales ready", 0},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			state, now := State{}, at
			c.limits.Queue = "sales"
			for i, s := range c.steps {
				now = now.Add(s.after)
				next, changed, due := Next(state, []Limits{c.limits}, []Load{s.load}, now)
				state = next
				var in time.Duration
				if !due.IsZero() {
					in = due.Sub(now)
				}
				if said(changed) != s.want || in != s.due {
					t.Fatalf("step %d: %q, next in %v; want %q, %v", i+1, said(changed), in, s.want, s.due)
				}
			}
		})
	}
}

func TestAThresholdOrAQueueThatIsTakenAwayTakesItsAlarmAlong(t *testing.T) {
	limits := []Limits{{Queue: "help", Name: "Aiuto", Ready: 1}, {Queue: "sales", Name: "Vendite", Waiting: 1, Ready: 1, Clear: time.Hour}}
	loads := []Load{waits(0, time.Minute, time.Minute), {Queue: "help"}}
	state, changed, _ := Next(nil, limits, loads, at)
	if said(changed) != "+help ready, +sales waiting, +sales ready" {
		t.Fatalf("raised: %s", said(changed))
	}
	limits[1].Waiting = 0
	state, changed, _ = Next(state, limits, loads, at)
	if said(changed) != "-sales waiting" || changed[0].Name != "Vendite" || changed[0].Waiting != 2 {
		t.Fatalf("without a threshold: %+v", changed)
	}
	state, changed, _ = Next(state, limits, loads[:1], at)
	if said(changed) != "-help ready" {
		t.Fatalf("without a queue: %s", said(changed))
	}
	if state, changed, _ = Next(state, nil, nil, at); said(changed) != "-sales ready" || len(state) > 0 {
		t.Fatalf("without anything: %s, %v", said(changed), state)
	}
}

// Over random loads: an alarm is up exactly when its threshold has been passed, or not, for as long as was
// asked; who comes back at the moment that Next named learns the same as who looks all the time.
func TestAlarmsAreUpExactlyWhenTheirThresholdsSaySo(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		lim := Limits{Queue: "sales", Waiting: 1 + rng.IntN(3), Ready: 1, For: time.Duration(rng.IntN(4)) * time.Second, Clear: time.Duration(rng.IntN(4)) * time.Second}
		load := waits(rng.IntN(2), make([]time.Duration, rng.IntN(5))...)
		often, seldom, now := State{}, State{}, at
		var due time.Time
		up := map[tel.AlarmKind]bool{}
		run := map[tel.AlarmKind]time.Duration{} // for how long the threshold has said other than the alarm
		for tick := range 200 {
			changedLoad := rng.IntN(4) == 0 || tick == 0
			if changedLoad {
				load = waits(rng.IntN(2), make([]time.Duration, rng.IntN(5))...)
			}
			passed := map[tel.AlarmKind]bool{tel.AlarmWaiting: len(load.Stays) > lim.Waiting, tel.AlarmReady: load.Ready < 1}
			for k, p := range passed {
				if p == up[k] {
					run[k] = -1
					continue
				}
				if run[k] < 0 || tick == 0 {
					run[k] = 0
				} else {
					run[k] += time.Second
				}
				if p && run[k] >= lim.For || !p && run[k] >= lim.Clear {
					up[k], run[k] = p, -1
				}
			}
			often, _, _ = Next(often, []Limits{lim}, []Load{load}, now)
			if changedLoad || !due.IsZero() && !now.Before(due) {
				seldom, _, due = Next(seldom, []Limits{lim}, []Load{load}, now)
			}
			for k := range passed {
				key := threshold{"sales", k}
				if often[key].raised != up[k] || seldom[key].raised != up[k] {
					t.Fatalf("seed %d, second %d, %s of %+v: %v and %v, want %v", seed, tick, k, lim, often[key].raised, seldom[key].raised, up[k])
				}
			}
			now = now.Add(time.Second)
		}
	}
}

// At night nobody is called; what is raised at closing time ends then, and in the morning the agents have as long to
// come as the threshold allows.
func TestAClosedQueueRaisesNothingAndForCountsFromTheOpening(t *testing.T) {
	lim := Limits{Queue: "sales", Waiting: 1, Longest: time.Hour, Ready: 1, For: 5 * time.Minute, Clear: time.Hour}
	load := waits(0, 10*time.Hour, 9*time.Hour)
	load.Still = 12 * time.Hour
	var s State
	now := at
	for i, step := range []struct {
		after  time.Duration
		closed bool
		want   string
		due    time.Duration
	}{
		{0, true, "", 0}, // of a start at night
		{8 * time.Hour, true, "", 0},
		{time.Minute, false, "", 5 * time.Minute},
		{5*time.Minute - 1, false, "", 1},
		{1, false, "+sales waiting, +sales longest, +sales ready", 0},
		{time.Hour, false, "", 0},
		{0, true, "-sales waiting, -sales longest, -sales ready", 0},
		{0, true, "", 0},
	} {
		now = now.Add(step.after)
		lim.Closed = step.closed
		next, changed, due := Next(s, []Limits{lim}, []Load{load}, now)
		if s = next; said(changed) != step.want {
			t.Errorf("step %d: %q, want %q", i, said(changed), step.want)
		}
		if (step.due == 0) != due.IsZero() || step.due > 0 && !due.Equal(now.Add(step.due)) {
			t.Errorf("step %d: due %v", i, due)
		}
	}
}

// floor is an office of one queue.
type floor struct {
	mu      sync.Mutex
	limits  []Limits
	joined  []time.Time
	asked   int
	told    []string
	raised  int
	closed  bool
	started time.Time
}

func (f *floor) config() Config {
	return Config{
		Limits: func() []Limits { f.mu.Lock(); defer f.mu.Unlock(); return f.limits },
		Loads: func(_ context.Context, queues []tel.QueueID) ([]Load, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.asked++
			if f.closed {
				return nil, errors.New("closed")
			}
			var stays []time.Duration
			for _, j := range f.joined {
				stays = append(stays, time.Since(j))
			}
			return []Load{waits(0, stays...)}, nil
		},
		Tell: func(c tel.QueueAlarm, raised []tel.QueueAlarm) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.told, f.raised = append(f.told, fmt.Sprintf("%v %s", time.Since(f.started), said([]tel.QueueAlarm{c}))), len(raised)
		},
	}
}

func (f *floor) change(w *Watch, do func()) {
	f.mu.Lock()
	do()
	f.mu.Unlock()
	w.Look()
	synctest.Wait()
}

func TestTheWatchLooksWhenSomethingHasChangedOrIsDueAndNeverElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &floor{limits: []Limits{{Queue: "sales", Longest: time.Minute, Waiting: 1, Clear: 10 * time.Second}}, started: time.Now()}
		w := NewWatch(f.config())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); w.Run(ctx) }()
		time.Sleep(time.Hour) // nobody waits
		f.started = time.Now()
		f.change(w, func() { f.joined = append(f.joined, time.Now()) })
		time.Sleep(20 * time.Second)
		f.change(w, func() { f.joined = append(f.joined, time.Now()) })
		time.Sleep(2 * time.Minute)
		f.change(w, func() { f.joined = f.joined[1:] })
		time.Sleep(10 * time.Minute)
		f.change(w, func() { f.joined = nil })
		time.Sleep(time.Hour)
		synctest.Wait()
		want := []string{"20s +sales waiting", "1m0s +sales longest", "2m30s -sales waiting", "12m30s -sales longest"}
		if !slices.Equal(f.told, want) || f.raised != 0 {
			t.Errorf("told %q, want %q", f.told, want)
		}
		if f.asked != 8 {
			t.Errorf("the queues were asked %d times, want at the start, 4 times at a change and 3 times when due", f.asked)
		}
		cancel()
		<-done
	})
}

func TestTheWatchEndsWithTheQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &floor{limits: []Limits{{Queue: "sales", Ready: 1}}, started: time.Now()}
		w := NewWatch(f.config())
		done := make(chan struct{})
		go func() { defer close(done); w.Run(t.Context()) }()
		synctest.Wait()
		f.change(w, func() { f.closed = true })
		<-done
		w.Look() // of nobody: it does not block
		w.Look()
	})
}
