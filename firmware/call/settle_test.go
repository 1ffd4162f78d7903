package call

import (
	"context"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// rings is what a random world knows of the phones that may ring for the offers of its queue.
type rings struct {
	of      map[tel.LegID]tel.OfferID // phones that may ring
	loud    map[tel.LegID]bool        // whose LegQuiet is still to come
	dialing map[tel.OfferID]bool      // phones for it may still be made
	asked   map[tel.OfferID]int       // Withdraw
	told    map[tel.OfferID]int       // OfferSettled
}

func newRings() rings {
	return rings{map[tel.LegID]tel.OfferID{}, map[tel.LegID]bool{}, map[tel.OfferID]bool{}, map[tel.OfferID]int{}, map[tel.OfferID]int{}}
}

// given notes an input before the call has it.
func (r *rings) given(w *world, in any) {
	switch in := in.(type) {
	case tel.Withdraw:
		r.asked[in.Offer]++
	case Dialed:
		delete(r.dialing, tel.OfferID(in.Key))
	case LegEvent:
		switch in.Kind {
		case LegAnswered: // whatever happens to it now: it does not ring
			r.over(in.Leg)
		case LegQuiet:
			r.over(in.Leg)
			delete(r.loud, in.Leg)
		}
	}
}

// made has the legs of a Dialed exist, which is now to be reported: nothing comes from them before.
func (w *world) made(d Dialed) Dialed {
	for _, l := range d.Legs {
		w.live[l.ID], w.rings.of[l.ID], w.rings.loud[l.ID] = true, tel.OfferID(d.Key), true
	}
	return d
}

func (r *rings) over(leg tel.LegID) { delete(r.of, leg) }

// ends is a phone whose leg has ended for the call and which has not said that it is quiet; empty: none.
func (r *rings) ends(w *world) tel.LegID {
	var all []tel.LegID
	for _, leg := range slices.Sorted(maps.Keys(r.loud)) {
		if !w.live[leg] {
			all = append(all, leg)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return all[w.r.IntN(len(all))]
}

// settled: no more often than asked, and only when nothing rings for it.
func (r *rings) settled(t *testing.T, offer tel.OfferID) {
	t.Helper()
	if r.told[offer]++; r.told[offer] > r.asked[offer] {
		t.Fatalf("offer %s is settled %d times and was withdrawn %d times", offer, r.told[offer], r.asked[offer])
	}
	for leg, of := range r.of {
		if of == offer {
			t.Fatalf("offer %s is settled while %s may ring", offer, leg)
		}
	}
	if r.dialing[offer] {
		t.Fatalf("offer %s is settled while its phones are being made", offer)
	}
}

// quieten has every phone that was hung up stop, and demands that each withdrawn offer was settled once.
func (w *world) quieten(t *testing.T, at time.Time) {
	t.Helper()
	for _, d := range w.late {
		w.apply(t, w.made(d), at)
	}
	w.late = nil
	for leg := w.rings.ends(w); leg != ""; leg = w.rings.ends(w) {
		w.apply(t, LegEvent{Leg: leg, Kind: LegQuiet}, at)
	}
	if len(w.s.Owed) > 0 {
		t.Fatalf("owed although all is quiet: %+v", w.s.Owed)
	}
	for _, offer := range slices.Sorted(maps.Keys(w.rings.asked)) {
		if w.offers[offer] != "answered" && w.rings.told[offer] != w.rings.asked[offer] {
			t.Fatalf("offer %s (%s) was withdrawn %d times and settled %d times", offer, w.offers[offer], w.rings.asked[offer], w.rings.told[offer])
		}
	}
}

func TestAWithdrawnOfferIsSettledWhenItsPhonesAreQuiet(t *testing.T) {
	toQueue := Begin{Decision{Kind: ToQueue, Queue: "sales"}}
	offer := tel.Offer{Offer: "o1", Call: "c1", Queue: "sales", Agent: "anna", Ring: 15 * time.Second}
	withdraw := tel.Withdraw{Offer: "o1", Call: "c1", Cause: tel.CauseCancelled}
	ended := func(id tel.LegID, remote bool) LegEvent {
		return LegEvent{Leg: id, Kind: LegEnded, Cause: tel.CauseCancelled, Remote: remote}
	}
	quiet := func(id tel.LegID) LegEvent { return LegEvent{Leg: id, Kind: LegQuiet} }
	queued := move{toQueue, "accept play(caller,greeting+wait) queue(Enqueue)"}
	dials := move{offer, "dial(o1,[]anna)"}
	follow(t, map[string][]move{
		"the last of two phones counts, and its end alone is not enough": {
			queued, dials,
			{Dialed{Key: "o1", Legs: legs("x", "y")}, ""},
			{withdraw, "hangup(x,cancelled) hangup(y,cancelled)"},
			{ended("x", false), ""},
			{ended("y", false), ""},
			{quiet("x"), ""},
			{quiet("x"), ""},
			{quiet("y"), "queue(OfferSettled)"},
			{quiet("y"), ""},
		},
		"withdrawn before its phones are made": {
			queued, dials, {withdraw, ""}, {Dialed{Key: "o1", Legs: legs("x")}, "hangup(x,cancelled)"}, {quiet("x"), "queue(OfferSettled)"},
		},
		"withdrawn before it turns out that there is no phone": {
			queued, dials, {withdraw, ""}, {Dialed{Key: "o1", Cause: tel.CauseUnreachable}, "queue(OfferSettled)"},
		},
		"withdrawn when the agent has declined": {
			queued, dials, {Dialed{Key: "o1", Legs: legs("x")}, ""}, {ended("x", true), "queue(OfferFailed)"}, {quiet("x"), ""}, {withdraw, "queue(OfferSettled)"},
		},
		"withdrawn when the phone was given up but may still ring": {
			queued, dials, {Dialed{Key: "o1", Legs: legs("x")}, ""}, {ended("x", false), "queue(OfferFailed)"}, {withdraw, ""}, {quiet("x"), "queue(OfferSettled)"},
		},
		"an offer that was never heard of": {queued, {withdraw, "queue(OfferSettled)"}},
		"the caller gives up, and the call stays for its phone": {
			queued, dials,
			{Dialed{Key: "o1", Legs: legs("x")}, ""},
			{ended("caller", true), "hangup(x,cancelled) queue(CallerGone) end(cancelled,caller)"},
			{withdraw, ""},
			{ended("x", false), ""},
			{quiet("x"), "queue(OfferSettled)"},
		},
		"the caller gives up while the phones are being made": {
			queued, dials,
			{ended("caller", true), "queue(CallerGone) end(cancelled,caller)"},
			{withdraw, ""},
			{Dialed{Key: "o1", Legs: legs("x")}, "hangup(x,cancelled)"},
			{quiet("x"), "queue(OfferSettled)"},
		},
		"who loses to a colleague settles, and the winner's other phone owes nothing": {
			queued, dials,
			{Dialed{Key: "o1", Legs: legs("x")}, ""},
			{tel.Offer{Offer: "o2", Call: "c1", Queue: "sales", Agent: "bruno", Ring: time.Second}, "dial(o2,[]bruno)"},
			{Dialed{Key: "o2", Legs: legs("y", "z")}, ""},
			{LegEvent{Leg: "y", Kind: LegAnswered}, "hangup(x,answered_elsewhere) hangup(z,answered_elsewhere) hush(caller) join(caller,y) queue(OfferAnswered)"},
			{withdraw, ""},
			{quiet("z"), ""},
			{quiet("x"), "queue(OfferSettled)"},
		},
	})
}

func TestACallThatHasEndedStaysForItsPhonesAndNoLonger(t *testing.T) {
	for _, quiet := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			o := newOffice(t)
			caller := o.dial("trunk:tim", "400")
			call := o.x.Calls()[0]
			o.x.Deliver(tel.Offer{Offer: "o1", Call: call, Queue: "sales", Agent: "agent201", Ring: time.Minute})
			synctest.Wait()
			anna := o.phone("201")
			anna.mu.Lock()
			anna.rings = true
			anna.mu.Unlock()
			caller.hangsUp()
			o.x.Deliver(tel.Withdraw{Offer: "o1", Call: call})
			synctest.Wait()
			settled := func() bool {
				o.mu.Lock()
				defer o.mu.Unlock()
				return slices.Contains(o.queue, tel.ToQueue(tel.OfferSettled{Offer: "o1"}))
			}
			if settled() || len(o.records) != 1 || len(o.x.Calls()) != 1 {
				t.Errorf("settled %v, %d records, %d calls", settled(), len(o.records), len(o.x.Calls()))
			}
			if quiet {
				anna.says(LegEvent{Kind: LegQuiet})
			} else {
				time.Sleep(tel.SettleWithin)
				synctest.Wait()
			}
			if settled() != quiet || len(o.x.Calls()) != 0 {
				t.Errorf("settled %v, %d calls left", settled(), len(o.x.Calls()))
			}
			o.x.Deliver(tel.Withdraw{Offer: "o1", Call: call}) // the call is gone
			if !settled() {
				t.Error("nobody answers for a call that is gone")
			}
			if err := o.x.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAClosingExchangeWaitsForNoPhone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.dial("trunk:tim", "400")
		o.x.Deliver(tel.Offer{Offer: "o1", Call: o.x.Calls()[0], Queue: "sales", Agent: "agent201", Ring: time.Minute})
		synctest.Wait()
		anna := o.phone("201")
		anna.mu.Lock()
		anna.rings = true
		anna.mu.Unlock()
		began := time.Now()
		if err := o.x.Close(context.Background()); err != nil || time.Since(began) > 0 {
			t.Errorf("closed after %v: %v", time.Since(began), err)
		}
	})
}

func TestACallRemembersABoundedNumberOfEndedOffers(t *testing.T) {
	s, _ := Next(incoming(), Begin{Decision{Kind: ToQueue, Queue: "sales"}}, noon)
	for i := range 3 * maxOwed {
		id := tel.OfferID(rune('a' + i))
		s, _ = Next(s, tel.Offer{Offer: id, Call: "c1", Queue: "sales", Agent: "anna"}, noon)
		s, _ = Next(s, Dialed{Key: string(id), Legs: legs(tel.LegID(id))}, noon)
		s, _ = Next(s, tel.Withdraw{Offer: id, Call: "c1"}, noon)
	}
	if len(s.Owed) != maxOwed {
		t.Errorf("%d remembered", len(s.Owed))
	}
}
