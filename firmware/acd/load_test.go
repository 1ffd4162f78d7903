package acd

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// What alarms are judged by follows from the queues' state, so it is the same after a restart.
func TestTheLoadOfAQueueIsTheSameAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		cfg := h.config()
		cfg.Queues = append(cfg.Queues, plan.QueueSpec{ID: "empty", Members: []tel.AgentID{"bruno"}})
		a := open(t, cfg)
		tell(t, a, tel.AgentReachable{Agent: "anna", Reachable: true})
		do(t, a.Login(t.Context(), "anna"))
		do(t, a.Pause(t.Context(), "anna", "lunch"))
		began := time.Now()
		tell(t, a, tel.Enqueue{Call: "c1", Queue: "q", EnqueuedAt: began.Add(-time.Hour)}) // waited elsewhere before
		time.Sleep(time.Minute)
		tell(t, a, tel.Enqueue{Call: "c2", Queue: "q", EnqueuedAt: time.Now()})
		time.Sleep(time.Minute)
		judge := func(a *ACD, when string) {
			t.Helper()
			all, err := a.Loads(t.Context(), []tel.QueueID{"q", "nowhere", "empty"})
			do(t, err)
			if len(all) != 2 || all[0].Queue != "q" || all[1].Queue != "empty" {
				t.Fatalf("%s: %+v", when, all)
			}
			since := time.Since(began)
			q := all[0]
			if want := []time.Duration{since, since - time.Minute}; !slices.Equal(q.Stays, want) || q.Longest != since+time.Hour || q.Ready != 0 || q.Still != since {
				t.Errorf("%s: %+v, want stays of %v", when, q, want)
			}
			if all[1].Longest != 0 || len(all[1].Stays) != 0 {
				t.Errorf("%s: an empty queue is %+v", when, all[1])
			}
		}
		judge(a, "before")
		a.Close()
		time.Sleep(30 * time.Second)
		cfg.Kept, cfg.Restored = h.hot, h.survive("c1", "c2")
		b := open(t, cfg)
		defer b.Close()
		judge(b, "after")
		do(t, b.Resume(t.Context(), "anna"))
		tell(t, b, tel.CallerGone{Call: "c1"})
		tell(t, b, tel.CallerGone{Call: "c2"})
		all, err := b.Loads(t.Context(), []tel.QueueID{"q"})
		do(t, err)
		if len(all[0].Stays) != 0 || all[0].Ready != 1 {
			t.Errorf("afterwards %+v", all[0])
		}
	})
}

// survive is what calls say of themselves after a restart that agree with what the hot journal has of them.
func (h *house) survive(calls ...tel.CallID) <-chan []tel.Standing {
	s, _ := plan.RestoreEntities(maps.Clone(h.hot))
	var all []tel.Standing
	for _, id := range calls {
		st := tel.Standing{Call: id}
		if e := s.Entries[id]; e != nil {
			st.Waits = &tel.Enqueue{Call: id, Queue: e.Queue, Caller: e.Caller, EnqueuedAt: e.EnqueuedAt}
		}
		for _, o := range s.Offers {
			if o.Call == id && o.Phase == plan.Talking {
				st.Holds = append(st.Holds, tel.HeldOffer{Offer: o.ID, Queue: o.Queue, Agent: o.Agent, Talking: true, Since: o.Answered})
			}
		}
		all = append(all, st)
	}
	said := make(chan []tel.Standing, 1)
	said <- all
	return said
}
