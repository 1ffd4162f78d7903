package appliance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/forecast"
	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// practised is what a learner knows after a hundred talks of four minutes in the queue sales.
func practised(t *testing.T) json.RawMessage {
	t.Helper()
	l := forecast.NewLearner(1)
	now := time.Now().Add(-24 * time.Hour)
	for i := range 100 {
		call := tel.CallID("past" + string(rune('a'+i%26)))
		l.Observe(now, tel.QueueJoined{Queue: "sales", Call: call, At: now})
		l.Observe(now, tel.AgentChanged{Agent: "anna", State: tel.AgentTalking, Since: now, Call: call, Queue: "sales"})
		l.Observe(now, tel.QueueLeft{Queue: "sales", Call: call, Joined: now, Left: now, Outcome: tel.OutcomeAnswered, Agent: "anna"})
		now = now.Add(4 * time.Minute)
		l.Observe(now, tel.AgentChanged{Agent: "anna", State: tel.AgentReady, Since: now})
		now = now.Add(time.Minute)
	}
	kept, err := l.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// What an earlier process has learned is told to who waits behind a talk that has just begun, on the page
// and to the queues' owner, and kept for the next process.
func TestWhoWaitsIsToldHowLongItWillLast(t *testing.T) {
	dir := t.TempDir() // first of all, so that it goes last
	t.Cleanup(func() { // after the box has stopped
		var kept json.RawMessage
		if err := statefile.Load(filepath.Join(dir, estimateFile), estimateVersion, &kept); err != nil {
			t.Error(err)
		} else if _, err := forecast.Restore(kept); err != nil {
			t.Error(err)
		}
	})
	b := startWith(t, strings.Replace(shop, "lamp: desk1}", "lamp: desk1, login: true}", 1), func(o *Options) {
		dir = o.Dir
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := statefile.Save(filepath.Join(dir, estimateFile), estimateVersion, practised(t)); err != nil {
			t.Fatal(err)
		}
	}, func(*Box) {})
	b.phone("201")
	bruno, carla := b.phone("202"), b.phone("203")
	bruno.call("400") // Anna takes it
	carla.call("400")
	var expected tel.WaitExpected
	b.eventually("the second caller's wait is expected", func() bool {
		var ok bool
		expected, ok = now(b, func(e tel.WaitExpected) bool { return e.To > 0 })
		return ok
	})
	if expected.From < 1 || expected.To > 15 {
		t.Errorf("behind a talk of usually four minutes: %d to %d minutes", expected.From, expected.To)
	}
	from, to, ok := b.box.estimates.Wait(expected.Call)
	if !ok || from > expected.From || to > expected.To || to < from {
		t.Errorf("the queues are told %d to %d, %v; the page %d to %d", from, to, ok, expected.From, expected.To)
	}
	if _, _, ok := b.box.estimates.Wait("nobody"); ok {
		t.Error("a wait of nobody is known")
	}
	t.Cleanup(func() { // runs before the box stops; its file is of the start until then
		if err := os.Remove(filepath.Join(dir, estimateFile)); err != nil {
			t.Error(err)
		}
	})
}

func TestABoxThatKnowsNothingSaysNothing(t *testing.T) {
	b := start(t, strings.Replace(shop, "lamp: desk1}", "lamp: desk1, login: true}", 1))
	b.phone("201")
	b.phone("202").call("400")
	b.phone("203").call("400")
	b.eventually("a round of forecasts", func() bool { s := b.box.estimates.said.Load(); return s != nil && len(s.all) > 0 })
	if e, said := now(b, func(e tel.WaitExpected) bool { return e.To > 0 }); said {
		t.Errorf("%+v", e)
	}
}

func TestHoldAndOffersAreSaidInTheWordsOfTheForecast(t *testing.T) {
	e := &estimates{states: map[tel.AgentID]tel.AgentState{}}
	for _, step := range []struct{ state, want tel.AgentState }{
		{tel.AgentReserved, tel.AgentRinging},
		{tel.AgentRinging, tel.AgentRinging},
		{tel.AgentTalking, tel.AgentTalking},
		{tel.AgentHold, tel.AgentTalking},
		{tel.AgentInternal, tel.AgentInternal},
		{tel.AgentHold, tel.AgentInternal},
		{tel.AgentOutbound, tel.AgentTalking},
		{tel.AgentPaused, tel.AgentPaused},
	} {
		if got := e.plain("anna", step.state); got != step.want {
			t.Errorf("%v is %v, want %v", step.state, got, step.want)
		}
	}
}

// A pause that is asked for during a call keeps nobody waiting longer than it must be expected.
func TestTheForecastKnowsWhoGoesWhenTheCallIsOver(t *testing.T) {
	b := startWith(t, strings.Replace(shop, "lamp: desk1}", "lamp: desk1, login: true}", 1), func(*Options) {}, func(*Box) {})
	b.phone("201")
	b.phone("202").call("400")                                  // Anna takes it
	own := &estimates{states: map[tel.AgentID]tel.AgentState{}} // the box's are its own goroutine's
	anna := func() (a forecast.Agent) {
		v, err := b.box.queues.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, a = range b.box.picture(own, v).Agents {
			if a.ID == "anna" {
				return a
			}
		}
		t.Fatal("no Anna")
		return a
	}
	b.eventually("Anna talks", func() bool { return anna().State == tel.AgentTalking })
	if a := anna(); a.Leaves || a.Pauses {
		t.Errorf("she has asked for nothing: %+v", a)
	}
	if err := b.box.queues.Pause(t.Context(), "anna", "coffee"); err != nil {
		t.Fatal(err)
	}
	if a := anna(); a.State != tel.AgentTalking || a.Leaves || !a.Pauses || a.Reason != "coffee" {
		t.Errorf("after asking for a pause: %+v", a)
	}
	if err := b.box.queues.Logout(t.Context(), "anna"); err != nil {
		t.Fatal(err)
	}
	if a := anna(); a.State != tel.AgentTalking || !a.Leaves || a.Pauses {
		t.Errorf("after going off duty: %+v", a)
	}
}

func TestTheRulesOfAQueueInTheWordsOfTheForecast(t *testing.T) {
	q := plan.QueueSpec{Distribution: plan.Distribution{
		Grades: map[tel.AgentID]plan.Grade{"b": {Level: 1}, "c": {Level: 9}},
		Levels: []plan.LevelRule{{After: 30 * time.Second, UpTo: 1}, {After: time.Minute, UpTo: 5}},
		Relax:  []plan.Relax{{After: time.Minute, Level: 3}, {After: 3 * time.Minute}},
	}}
	for agent, want := range map[tel.AgentID]time.Duration{"a": 0, "b": 30 * time.Second, "c": -1} {
		after, ever := opens(q, agent)
		if !ever {
			after = -1
		}
		if after != want {
			t.Errorf("%s: %v, want %v", agent, after, want)
		}
	}
	if got := relaxes(q, 6); got != 30*time.Second {
		t.Errorf("a level each %v", got)
	}
	if got := relaxes(plan.QueueSpec{}, 6); got != 0 {
		t.Errorf("nothing relaxes, and yet %v", got)
	}
}
