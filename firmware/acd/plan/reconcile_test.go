package plan

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// standings are what the calls of the world say of themselves after a restart: mostly what the state has of them, but now
// and then a call has ended, talks already with whom it rang, has picked up an agent whom nobody offered, or waits no more.
func (w *world) standings() []tel.Standing {
	all := map[tel.CallID]*tel.Standing{}
	of := func(id tel.CallID) *tel.Standing {
		if all[id] == nil {
			all[id] = &tel.Standing{Call: id}
		}
		return all[id]
	}
	for _, id := range sorted(w.s.Entries) {
		e := w.s.Entries[id]
		if st := of(id); e.Callback == "" && w.r.IntN(8) > 0 {
			st.Waits = &tel.Enqueue{Call: id, Queue: e.Queue, Caller: e.Caller, Name: e.Name, Priority: e.Priority, EnqueuedAt: e.EnqueuedAt, Needs: e.Needs}
		}
	}
	for _, id := range sorted(w.s.Offers) {
		o := w.s.Offers[id]
		st, e := of(o.Call), w.s.Entries[o.Call]
		h := tel.HeldOffer{Offer: id, Queue: o.Queue, Agent: o.Agent, Talking: true, Since: w.now.Add(-time.Second), Held: w.r.IntN(4) == 0}
		switch {
		case w.r.IntN(8) == 0 || len(st.Holds) > 0:
		case o.Phase == Talking, w.r.IntN(3) == 0:
			st.Holds, st.Waits = append(st.Holds, h), nil
			if e != nil {
				h.Callback = e.Callback
			}
		case o.Phase == Accepted && e != nil && e.Callback != "":
			h.Talking, h.Held = false, false
			st.Holds = append(st.Holds, h)
		}
	}
	for _, id := range sorted(w.s.Agents) {
		for x := range 3 {
			if w.r.IntN(6) == 0 {
				st := of(tel.CallID(fmt.Sprintf("x%d", x)))
				st.On = append(st.On, tel.EngagedOnCall{AgentEngaged: tel.AgentEngaged{Agent: id, Call: st.Call, Outbound: w.r.IntN(2) == 0}, Held: w.r.IntN(2) == 0})
			}
		}
	}
	var list []tel.Standing
	for _, id := range sorted(all) {
		if w.r.IntN(12) > 0 {
			list = append(list, *all[id])
		}
	}
	w.r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// What the calls say holds, in whatever order they are listed, and saying it again changes nothing.
func TestReconcilingIsFreeOfOrderAndChangesNothingTheSecondTime(t *testing.T) {
	for seed := range uint64(100) {
		w := newWorld(t, seed)
		for range 300 {
			if w.r.IntN(3) == 0 {
				w.advance(time.Duration(w.r.IntN(4000)) * time.Millisecond)
			}
			w.do(w.random())
		}
		said := w.standings()
		sentOn := map[tel.CallID]bool{}
		reconciled := func(s State, said []tel.Standing) (State, []byte) {
			next := &step{State: &s, now: w.now.Round(0).UTC(), seed: 1, keys: map[Key]bool{}}
			next.unsettle()
			next.reconcile(Reconcile{Calls: said}) // without the offers and announcements that follow
			for _, x := range next.out {
				if m, ok := x.(Send); ok {
					if o, ok := m.Message.(tel.Overflow); ok {
						sentOn[o.Call] = true
					}
				}
			}
			b, err := s.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			return s, b
		}
		once, first := reconciled(w.s.Clone(), said)
		w.r.Shuffle(len(said), func(i, j int) { said[i], said[j] = said[j], said[i] })
		if _, other := reconciled(w.s.Clone(), said); !bytes.Equal(first, other) {
			t.Fatalf("seed %d: in another order\n%s\nis\n%s", seed, first, other)
		}
		for i := range said { // whose wait was over is told so, and says something else then
			if sentOn[said[i].Call] {
				said[i].Waits = nil
			}
		}
		if _, again := reconciled(once, said); !bytes.Equal(first, again) {
			t.Fatalf("seed %d: the second time\n%s\nis\n%s", seed, first, again)
		}
	}
}

// Each case is a call and the queues at a moment at which one of them was killed before it heard of the other.
func TestAfterARestartTheCallsAreBelieved(t *testing.T) {
	since := t0.Add(-time.Minute)
	place := func(c tel.CallID) *tel.Enqueue {
		return &tel.Enqueue{Call: c, Queue: "q", Caller: customer, EnqueuedAt: since}
	}
	talk := func(of tel.Offer) []tel.HeldOffer {
		return []tel.HeldOffer{{Offer: of.Offer, Queue: "q", Agent: of.Agent, Talking: true, Since: t0}}
	}
	for name, c := range map[string]struct {
		before func(o *office, of tel.Offer)
		says   func(of tel.Offer) []tel.Standing
		want   tel.AgentState
		left   tel.QueueOutcome // of c1; empty: it waits on
	}{
		"the answer was not heard of": {
			says: func(of tel.Offer) []tel.Standing { return []tel.Standing{{Call: "c1", Holds: talk(of)}} },
			want: tel.AgentTalking, left: tel.OutcomeAnswered,
		},
		"the answer crossed the withdrawal": {
			before: func(o *office, _ tel.Offer) { o.do(Pause{"a", "mail"}) },
			says:   func(of tel.Offer) []tel.Standing { return []tel.Standing{{Call: "c1", Holds: talk(of)}} },
			want:   tel.AgentTalking, left: tel.OutcomeAnswered,
		},
		"the end of the talk was not heard of": {
			before: func(o *office, of tel.Offer) { o.tell(tel.OfferAnswered{Offer: of.Offer}) },
			says:   func(tel.Offer) []tel.Standing { return []tel.Standing{{Call: "c1"}} },
			want:   tel.AgentWrapUp, left: tel.OutcomeAnswered,
		},
		"the call has lost that it has talked at all": {
			before: func(o *office, of tel.Offer) { o.tell(tel.OfferAnswered{Offer: of.Offer}) },
			says: func(of tel.Offer) []tel.Standing {
				return []tel.Standing{{Call: "c1", Holds: []tel.HeldOffer{{Offer: of.Offer, Queue: "q", Agent: of.Agent}}}}
			},
			want: tel.AgentWrapUp, left: tel.OutcomeAnswered,
		},
		"the end of the call was not heard of": {
			says: func(tel.Offer) []tel.Standing { return nil },
			want: tel.AgentReady, left: tel.OutcomeFailed,
		},
		"a colleague has picked the caller up": {
			says: func(tel.Offer) []tel.Standing { return []tel.Standing{{Call: "c1"}} },
			want: tel.AgentReady, left: tel.OutcomeWithdrawn,
		},
		"the call waits on, and has hung up what rang": {
			says: func(tel.Offer) []tel.Standing { return []tel.Standing{{Call: "c1", Waits: place("c1")}} },
			want: tel.AgentReady,
		},
		"a call outside the queues was not heard of": {
			before: func(o *office, _ tel.Offer) { o.tell(tel.CallerGone{Call: "c1"}) },
			says: func(tel.Offer) []tel.Standing {
				return []tel.Standing{{Call: "x", On: []tel.EngagedOnCall{{AgentEngaged: tel.AgentEngaged{Agent: "a", Call: "x", Outbound: true}, Held: true}}}}
			},
			want: tel.AgentHold, left: tel.OutcomeAbandoned,
		},
		"nor its end": {
			before: func(o *office, _ tel.Offer) {
				o.tell(tel.AgentEngaged{Agent: "a", Call: "x"})
			},
			says: func(tel.Offer) []tel.Standing { return []tel.Standing{{Call: "c1", Waits: place("c1")}} },
			want: tel.AgentReady,
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := staffed(t, q1("a"), "a")
			o.from("c1", customer)
			of := o.one()
			if c.before != nil {
				c.before(o, of)
			}
			o.restart()
			o.do(Reconcile{Calls: c.says(of)})
			left := o.left() // since the beginning
			o.wantState("a", c.want)
			if c.left == "" {
				if e := o.s.Entries["c1"]; e == nil || len(left) > 0 {
					t.Fatalf("the caller does not wait any more: %+v", left)
				}
				return
			}
			if e := o.s.Entries["c1"]; e != nil || len(left) > 1 || len(left) == 1 && left[0].Outcome != c.left {
				t.Fatalf("left %+v, waits %+v", left, e)
			}
		})
	}
}

// Whoever came first is served first, also when the queues had never heard of that caller.
func TestACallerOfWhomTheQueuesHadNotHeardStandsWhereTheArrivalSays(t *testing.T) {
	o := newOffice(t, q1("a"), "a")
	o.call("late", "q")
	o.restart()
	o.do(Reconcile{Calls: []tel.Standing{
		{Call: "late", Waits: &tel.Enqueue{Call: "late", Queue: "q", EnqueuedAt: o.now}},
		{Call: "early", Waits: &tel.Enqueue{Call: "early", Queue: "q", EnqueuedAt: o.now.Add(-time.Minute)}},
		{Call: "lost", Waits: &tel.Enqueue{Call: "lost", Queue: "gone", EnqueuedAt: o.now.Add(-time.Hour)}},
	}})
	if w := o.s.Waiting("q"); len(w) != 2 || w[0].Call != "early" || !w[0].Greeted {
		t.Fatalf("waiting %+v", w)
	}
	// The record of a queue was lost: the configuration knows it, or sends its callers on.
	o.do(Configure{[]QueueSpec{q1("a")[0].Defaults(), QueueSpec{ID: "gone", Members: []tel.AgentID{"a"}}.Defaults()}, []AgentSpec{{ID: "a"}}})
	if w := o.s.Waiting("gone"); len(w) != 1 || w[0].Call != "lost" {
		t.Fatalf("waiting %+v", w)
	}
}

// Two calls that each say to have the same agent cannot both: the one that the queues know stays, the other is told.
func TestAnAgentWhomTwoCallsClaimStaysWhereTheQueuesKnow(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	of := o.talks("c2", "q")
	o.restart()
	o.do(Reconcile{Calls: []tel.Standing{
		{Call: "c1", Holds: []tel.HeldOffer{{Offer: "o0-old", Queue: "q", Agent: "a", Talking: true}}},
		{Call: "c2", Holds: []tel.HeldOffer{{Offer: of.Offer, Queue: "q", Agent: "a", Talking: true}}},
	}})
	o.wantState("a", tel.AgentTalking)
	if w := o.withdrawals(); len(w) != 1 || w[0].Call != "c1" || len(o.s.Offers) != 1 || o.s.Offers[of.Offer] == nil {
		t.Fatalf("withdrawn %+v, offers %+v", w, o.s.Offers)
	}
	o.tell(tel.TalkEnded{Offer: of.Offer})
	o.wantState("a", tel.AgentWrapUp)
}
