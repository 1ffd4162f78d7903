package acd

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

type guess map[tel.CallID][2]int

func (g guess) Wait(call tel.CallID) (from, to int, ok bool) {
	w, ok := g[call]
	return w[0], w[1], ok
}

func TestTheEstimatedWaitIsFilledInWhenItIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		a, err := New(Config{
			Queues: []plan.QueueSpec{{ID: "q", Members: []tel.AgentID{"a"}, Waiting: plan.WaitingSpec{Announce: plan.AnnounceSpec{Position: true, Wait: true, Head: true}}}},
			Agents: []plan.AgentSpec{{ID: "a"}}, Send: h.send, Publish: h.publish, Journal: h, History: h,
			Estimate: guess{"known": {3, 6}, "nonsense": {6, 3}},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		for _, call := range []tel.CallID{"known", "nonsense", "unknown"} {
			a.Tell(tel.Enqueue{Call: call, Queue: "q"})
			a.Tell(tel.CallerGreeted{Call: call})
		}
		synctest.Wait()
		h.mu.Lock()
		defer h.mu.Unlock()
		var said int
		for _, m := range h.sent {
			if say, ok := m.(tel.Announce); ok {
				said++
				if known := say.Call == "known"; known != (say.WaitFrom == 3 && say.WaitTo == 6) || !known && say.WaitTo != 0 || say.Position == 0 {
					t.Errorf("%+v", say)
				}
			}
		}
		if said != 3 {
			t.Errorf("%d announcements", said)
		}
		if c := h.again(t); c.Different+c.Passed > 0 { // what the estimator said is no part of the decision
			t.Errorf("%+v", c.Differences)
		}
	})
}

func TestACallerWhoWillBeCalledBackHearsTheForecast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		cfg := h.config()
		cfg.Queues = []plan.QueueSpec{{ID: "q", Members: []tel.AgentID{"anna"}, Waiting: plan.WaitingSpec{Callback: plan.CallbackSpec{Enabled: true, Promise: time.Hour}}}}
		cfg.Estimate = guess{"known": {3, 6}, "nonsense": {6, 3}}
		a := open(t, cfg)
		defer a.Close()
		want := map[tel.CallID]tel.CallbackAnswered{
			"known":    {Call: "known", OK: true, Estimate: true, WaitFrom: 3, WaitTo: 6},
			"nonsense": {Call: "nonsense", OK: true, Estimate: true, WaitTo: 60}, // as promised
			"unknown":  {Call: "unknown", OK: true, Estimate: true, WaitTo: 60},
		}
		for call := range want {
			tell(t, a, tel.Enqueue{Call: call, Queue: "q", EnqueuedAt: time.Now()})
			tell(t, a, tel.WantCallback{Call: call, Number: tel.Number("+39333" + call)})
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		got := 0
		for _, m := range h.sent {
			if said, ok := m.(tel.CallbackAnswered); ok {
				if got++; said != want[said.Call] {
					t.Errorf("%+v, want %+v", said, want[said.Call])
				}
			}
		}
		if got != len(want) {
			t.Errorf("%d answers", got)
		}
	})
}

func TestACallbackIsSeenDroppedAndTakenUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		a, err := New(Config{
			Queues: []plan.QueueSpec{{ID: "q", Members: []tel.AgentID{"a"}, Waiting: plan.WaitingSpec{Callback: plan.CallbackSpec{Enabled: true}}}},
			Agents: []plan.AgentSpec{{ID: "a"}}, Send: h.send, Publish: h.publish, Journal: h, History: h,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		a.Tell(tel.Enqueue{Call: "c1", Queue: "q", Caller: "+393331234567", Name: "Rossi"})
		a.Tell(tel.WantCallback{Call: "c1", Number: "+393331234567"})
		v, err := a.Snapshot(t.Context())
		if err != nil || len(v.Queues[0].Callbacks) != 1 || len(v.Queues[0].Waiting) != 0 {
			t.Fatalf("%+v, %v", v, err)
		}
		c := v.Queues[0].Callbacks[0]
		var last tel.CallbackChanged
		h.mu.Lock()
		for _, e := range h.events {
			if e, ok := e.(tel.CallbackChanged); ok {
				last = e
			}
		}
		h.mu.Unlock()
		if c.Name != "Rossi" || last.Callback != c.ID {
			t.Errorf("%+v, observers saw %+v", c, last)
		}
		if err := a.SetHours(t.Context(), "q", false); err != nil {
			t.Fatal(err)
		}
		if v, _ = a.Snapshot(t.Context()); !v.Queues[0].Closed {
			t.Error("the queue is open at night")
		}
		if err := a.DropCallback(t.Context(), c.ID); err != nil {
			t.Fatal(err)
		}
		if err := a.DropCallback(t.Context(), c.ID); !errors.Is(err, plan.ErrUnknownCallback) {
			t.Errorf("dropped twice: %v", err)
		}
		if err := a.Recall(t.Context(), []tel.CallbackChanged{last}, nil); err != nil {
			t.Fatal(err)
		}
		if v, _ = a.Snapshot(t.Context()); len(v.Queues[0].Callbacks) != 1 {
			t.Errorf("%+v", v.Queues[0])
		}
	})
}
