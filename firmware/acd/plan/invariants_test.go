package plan

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func (w *world) check(out []Effect) {
	w.checkReferences()
	w.checkLeases()
	w.checkNobodyIdles(w.now)
	w.checkOrder(out)
	w.checkRecords()
	w.checkLives(out)
}

// checkReferences: no agent in two calls or offers; caller, agent and offer agree on each other.
func (w *world) checkReferences() {
	held := map[tel.AgentID]tel.OfferID{}
	for id, o := range w.s.Offers {
		if o.Phase == Void {
			continue
		}
		if other, twice := held[o.Agent]; twice {
			w.t.Fatalf("agent %s is in offers %s and %s", o.Agent, id, other)
		}
		held[o.Agent] = id
		a := w.s.Agents[o.Agent]
		if a == nil || a.Offer != id || a.Talking != (o.Phase == Talking) || a.Accepted != (o.Phase == Accepted) {
			w.t.Fatalf("offer %+v and agent %+v disagree", o, a)
		}
		if e := w.s.Entries[o.Call]; o.Phase != Talking && (e == nil || !slices.Contains(e.Offers, id)) {
			w.t.Fatalf("offer %+v rings for a caller who does not know: %+v", o, e)
		}
	}
	for id, a := range w.s.Agents {
		if a.Offer != "" && held[id] != a.Offer {
			w.t.Fatalf("agent %s is held by the dead offer %s", id, a.Offer)
		}
		if got := w.shown[id]; got != a.State() {
			w.t.Fatalf("observers see agent %s %v, it is %v", id, got, a.State())
		}
	}
	waiting := 0
	for _, q := range w.s.queues {
		waiting += len(q.waiting)
		if !slices.IsSortedFunc(q.waiting, byTurn) || !slices.IsSortedFunc(q.free, byIdle) {
			w.t.Fatalf("queue %s is out of order", q.Spec.ID)
		}
		if got := q.serving(); !slices.Equal(got, q.Spec.Members) {
			w.t.Fatalf("queue %s is served by %v, its lists say %v", q.Spec.ID, q.Spec.Members, got)
		}
		free, present := 0, 0
		for _, m := range q.Spec.Members {
			if w.s.Agents[m].free() {
				free++
			}
			if w.s.Agents[m].present() {
				present++
			}
		}
		if free != len(q.free) || present != q.present || (present == 0) != !q.EmptySince.IsZero() {
			w.t.Fatalf("queue %s: %d free and %d present, index says %d and %d", q.Spec.ID, free, present, len(q.free), q.present)
		}
	}
	if waiting != len(w.s.Entries) {
		w.t.Fatalf("%d callers wait in queues, %d are known: somebody is in limbo", waiting, len(w.s.Entries))
	}
}

// checkLeases: everything that must end has a time that is not past, and a wake-up is asked for.
func (w *world) checkLeases() {
	next, ok := w.s.Deadline()
	due := func(at time.Time, what string) {
		if !at.After(w.now) {
			w.t.Fatalf("%s ended at %v, it is %v", what, at, w.now)
		}
		if !ok || next.After(at) {
			w.t.Fatalf("%s ends at %v, but the next wake-up is %v %v", what, at, next, ok)
		}
	}
	for _, o := range w.s.Offers {
		if o.Phase != Talking {
			due(o.Deadline, "offer "+string(o.ID))
		}
	}
	for _, a := range w.s.Agents {
		if !a.WrapUntil.IsZero() {
			due(a.WrapUntil, "wrap-up")
		}
		if !a.RestUntil.IsZero() {
			due(a.RestUntil, "rest")
		}
		if a.Settling == "" != a.SettleBy.IsZero() || a.Next != nil && a.Settling == "" {
			w.t.Fatalf("nothing ends the settling of %+v", a)
		}
		if a.Settling != "" {
			due(a.SettleBy, "settling")
			if a.free() {
				w.t.Fatalf("%+v is free while a phone may still ring", a)
			}
		}
		if !a.ShiftUntil.IsZero() {
			due(a.ShiftUntil, "shift")
		}
		if a.ShiftOver && (!a.LoggedIn || !a.holds() && a.WrapUntil.IsZero()) {
			w.t.Fatalf("the shift of %+v is over and nothing keeps the agent", a)
		}
		if a.WrapOwed > 0 && len(a.Engaged) == 0 {
			w.t.Fatalf("after-call work of %+v never begins", a)
		}
	}
	for _, e := range w.s.Entries {
		q := w.s.Queues[e.Queue]
		if e.Callback != "" {
			continue
		}
		if q.Spec.MaxWait > 0 && !e.Overdue {
			due(e.Arrived.Add(q.Spec.MaxWait), "wait")
		}
		if q.Spec.LeaveEmpty && q.present == 0 {
			due(q.leavesEmpty(e), "grace")
		}
		lonely := len(e.needs) > 0 && !slices.ContainsFunc(q.Spec.Members, func(m tel.AgentID) bool {
			return w.s.Agents[m].present() && w.s.Agents[m].has(e.needs, q.least())
		})
		if lonely != !e.NobodySince.IsZero() {
			w.t.Fatalf("nobody has the skills of %+v: %v", e, lonely)
		}
		if lonely && q.Spec.LeaveEmpty && len(e.Offers) == 0 {
			due(e.NobodySince.Add(q.Spec.EmptyGrace), "grace without the skill")
		}
		if q.Spec.Strategy == ProgressiveRing && len(e.Offers) > 0 {
			due(e.WidenAt, "step of the ring")
			if e.Width < 1 || e.WidenAt.After(w.now.Add(10*time.Second)) {
				w.t.Fatalf("ring of %+v does not widen", e)
			}
			if len(e.Offers) > e.Width {
				w.t.Fatalf("more agents than the step allows ring for %+v", e)
			}
		}
		if e.Overdue && len(e.Offers) == 0 {
			w.t.Fatalf("caller %s is overdue and nobody rings", e.Call)
		}
	}
}

// checkRecords: one record per place, no more.
func (w *world) checkRecords() {
	for c, n := range w.joined {
		open := 0
		if w.s.Entries[c] != nil {
			open = 1
		}
		if n-w.left[c] != open {
			w.t.Fatalf("call %s joined %d times and left %d times, waiting: %d", c, n, w.left[c], open)
		}
		if open == 0 {
			delete(w.joined, c)
			delete(w.left, c)
		}
	}
}
