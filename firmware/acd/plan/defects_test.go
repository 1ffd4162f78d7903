package plan

import (
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The tests of this file are named after defects that users of other systems reported.

// An agent stays "Reserved" for ever when the call that reserved it dies at the wrong moment.
func TestFreeswitch2540AReservationAlwaysEnds(t *testing.T) {
	for name, what := range map[string]func(o *office, of tel.Offer){
		"nothing comes back":          func(*office, tel.Offer) {},
		"the caller is gone":          func(o *office, _ tel.Offer) { o.tell(tel.CallerGone{Call: "c1"}) },
		"the call does not survive":   func(o *office, _ tel.Offer) { o.do(Reconcile{}) },
		"it rings and nothing more":   func(o *office, of tel.Offer) { o.tell(tel.OfferRinging{Offer: of.Offer}) },
		"the queue is taken away":     func(o *office, _ tel.Offer) { o.do(Configure{nil, []AgentSpec{{ID: "a"}}}) },
		"an end of talk without talk": func(o *office, of tel.Offer) { o.tell(tel.TalkEnded{Offer: of.Offer, Cause: tel.CauseNormal}) },
	} {
		t.Run(name, func(t *testing.T) {
			o := staffed(t, q1("a"), "a")
			o.call("c1", "q")
			of := o.one()
			o.wantState("a", tel.AgentReserved)
			what(o, of)
			o.tell(tel.CallerGone{Call: "c1"})
			o.wait(lease + 15*time.Second + restMost)
			o.wantState("a", tel.AgentReady)
		})
	}
}

// Callers and agents stay "Answered" or "in call" until a restart.
func TestFreeswitch1973NobodyStaysAnsweredAfterTheCallIsGone(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	offer := o.talks("c1", "q")
	o.do(Reconcile{}) // the call is known to nobody any more
	o.wantState("a", tel.AgentWrapUp)
	o.tell(tel.OfferAnswered{Offer: offer.Offer}) // what comes late does not bring it back
	o.wantState("a", tel.AgentWrapUp)
	o.wait(10 * time.Second)
	o.wantState("a", tel.AgentReady)
	if len(o.s.Entries)+len(o.s.Offers) != 0 {
		t.Fatalf("left over: %v %v", o.s.Entries, o.s.Offers)
	}
}

// Distribution stops when the last agent of the order is unavailable.
func TestFreeswitch1216AnUnavailableLastAgentStopsNobody(t *testing.T) {
	for _, away := range []Event{Logout{"c"}, Pause{"c", "lunch"}, Told{tel.AgentReachable{Agent: "c"}}, Told{tel.AgentEngaged{Agent: "c", Call: "x"}}} {
		qs := q1("a", "b", "c")
		qs[0].Strategy, qs[0].WrapUp = RoundRobin, 0
		o := staffed(t, qs, "a", "b", "c")
		o.do(away)
		for i := range 6 {
			offer := o.talks(tel.CallID(rune('A'+i)), "q")
			if want := []tel.AgentID{"a", "b"}[i%2]; offer.Agent != want {
				t.Fatalf("%s, call %d rang %s, want %s", away.Kind(), i, offer.Agent, want)
			}
			o.tell(tel.TalkEnded{Offer: offer.Offer})
		}
	}
}

// Agents stay in a call that ended while the queue was told so at a bad moment.
func TestOpensips3123AnAgentIsFreeAgainHoweverTheCallEnds(t *testing.T) {
	for name, end := range map[string]func(o *office, of tel.Offer){
		"the end comes before the answer": func(o *office, of tel.Offer) {
			o.tell(tel.TalkEnded{Offer: of.Offer, Cause: tel.CauseNormal})
			o.tell(tel.OfferAnswered{Offer: of.Offer})
		},
		"the caller is gone, then the answer comes": func(o *office, of tel.Offer) {
			o.tell(tel.CallerGone{Call: "c1"})
			o.tell(tel.OfferAnswered{Offer: of.Offer})
		},
		"both ends are told twice": func(o *office, of tel.Offer) {
			o.tell(tel.OfferAnswered{Offer: of.Offer})
			o.tell(tel.TalkEnded{Offer: of.Offer})
			o.tell(tel.TalkEnded{Offer: of.Offer})
			o.tell(tel.CallerGone{Call: "c1"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := staffed(t, q1("a"), "a")
			o.call("c1", "q")
			end(o, o.one())
			o.tell(tel.CallerGone{Call: "c1"})
			o.wait(time.Minute)
			o.wantState("a", tel.AgentReady)
			if len(o.s.Offers) != 0 {
				t.Fatalf("left over: %v", o.s.Offers)
			}
		})
	}
}

// A phone is offline and the agent still counts as available.
func TestFusionpbx2831AnAgentWithoutAPhoneIsNotAvailable(t *testing.T) {
	qs := q1("a")
	qs[0].LeaveEmpty, qs[0].EmptyGrace, qs[0].EmptyTo = true, 5*time.Second, "ext:300"
	o := staffed(t, qs, "a")
	o.tell(tel.AgentReachable{Agent: "a"})
	o.wantState("a", tel.AgentUnreachable)
	if offers := o.call("c1", "q"); len(offers) != 0 {
		t.Fatalf("rang a phone that is not there: %+v", offers)
	}
	if x := o.s.Explain("c1", o.now); x[0].Verdict != "unreachable" {
		t.Fatalf("explanation %+v", x)
	}
	o.wait(5 * time.Second)
	if l := o.left(); len(l) != 1 || l[0].To != "ext:300" {
		t.Fatalf("the caller waits for an agent who cannot answer: %+v", l)
	}
	o.tell(tel.AgentReachable{Agent: "a", Reachable: true})
	if o.call("c2", "q"); o.one().Agent != "a" {
		t.Fatal("the phone is back and does not ring")
	}
}

// misses lets a call ring in vain.
func (o *office) misses(call tel.CallID) {
	o.t.Helper()
	o.call(call, "q")
	o.wait(2 * time.Second)
	for _, id := range sorted(o.s.Offers) {
		if o.s.Offers[id].Phase == Reserved {
			o.tell(tel.OfferRinging{Offer: id})
		}
	}
	o.wait(15 * time.Second)
	o.tell(tel.CallerGone{Call: call})
	o.wait(2 * time.Second)
}

// Auto-pause is fixed at one miss, counts for ever, and nobody learns why.
func TestFreePBX816AutoPauseCountsMissesInARowAndSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		between Event // after two of three misses
		want    tel.AgentState
		logout  bool
	}{
		"three in a row pause":            {Tick{}, tel.AgentPaused, false},
		"three in a row log out":          {Tick{}, tel.AgentLoggedOut, true},
		"a pause and its end begin anew":  {Pause{"a", "lunch"}, tel.AgentReady, false},
		"a logout and login begin anew":   {Logout{"a"}, tel.AgentReady, false},
		"an answered call begins anew":    {nil, tel.AgentReady, false},
		"an answered call, with a logout": {nil, tel.AgentReady, true},
	} {
		t.Run(name, func(t *testing.T) {
			qs := q1("a")
			qs[0].AutoPause, qs[0].AutoLogout = 3, c.logout
			o := staffed(t, qs, "a")
			o.misses("1")
			o.misses("2")
			o.wantState("a", tel.AgentReady)
			switch c.between {
			case nil:
				o.tell(tel.TalkEnded{Offer: o.talks("answered", "q").Offer})
				o.wait(10 * time.Second)
			default:
				o.do(c.between)
				o.do(Login{"a"})
				if o.s.Agents["a"].Paused {
					o.do(Resume{"a"})
				}
			}
			o.misses("3")
			o.wantState("a", c.want)
			if got := o.s.Agents["a"].Shown.Reason; c.want != tel.AgentReady && got != ReasonMissed {
				t.Fatalf("reason %q", got)
			}
		})
	}
}

// Who rejects a call is rung with the same one at once.
func TestMikopbx1043WhoRejectsIsNotRungAgainAtOnceAndIsPausedInTheEnd(t *testing.T) {
	qs := q1("a")
	qs[0].AutoPause = 3
	o := staffed(t, qs, "a")
	o.call("c1", "q")
	var rang []time.Duration
	begin := o.now
	reject := func() {
		for _, of := range o.offers() {
			rang = append(rang, o.now.Sub(begin))
			o.tell(tel.OfferFailed{Offer: of.Offer, Cause: tel.CauseRejected})
		}
	}
	reject()
	for range 600 {
		o.wait(100 * time.Millisecond)
		reject()
	}
	if len(rang) != 3 || rang[1] < 10*time.Second || rang[2]-rang[1] < 20*time.Second {
		t.Fatalf("rang at %v, want twice more with growing gaps of 10 and 20 s, then the pause", rang)
	}
	o.wantState("a", tel.AgentPaused)
}

// After-call work ends early: it is kept per queue, so another queue does not know of it.
func TestAsterisk1006AfterCallWorkHoldsForEveryQueueToItsEnd(t *testing.T) {
	o := staffed(t, []QueueSpec{
		{ID: "long", Members: []tel.AgentID{"a"}, WrapUp: 30 * time.Second},
		{ID: "none", Members: []tel.AgentID{"a"}},
		{ID: "short", Members: []tel.AgentID{"a"}, WrapUp: time.Second},
	}, "a")
	o.tell(tel.TalkEnded{Offer: o.talks("c1", "long").Offer})
	for _, q := range []tel.QueueID{"none", "short", "long"} {
		if offers := o.call("c-"+tel.CallID(q), q); len(offers) != 0 {
			t.Fatalf("rang for %s in after-call work", q)
		}
	}
	o.wait(30*time.Second - time.Nanosecond)
	o.wantState("a", tel.AgentWrapUp)
	o.wait(time.Nanosecond)
	o.wantState("a", tel.AgentReserved)
}

// After an attended transfer the after-call work is forgotten, or runs while the agent still talks.
func TestAsterisk607AfterCallWorkBeginsWhenTheTransferIsDone(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	offer := o.talks("c1", "q")
	o.tell(tel.AgentHeld{Agent: "a", Call: "c1", Held: true})
	o.tell(tel.AgentEngaged{Agent: "a", Call: "consultation", Internal: true})
	o.tell(tel.TalkEnded{Offer: offer.Offer, Cause: tel.CauseTransferred})
	o.wantState("a", tel.AgentInternal)
	o.wait(time.Minute) // a last word with the colleague
	if offers := o.call("c2", "q"); len(offers) != 0 {
		t.Fatal("rang before the after-call work")
	}
	o.tell(tel.AgentDisengaged{Agent: "a", Call: "consultation"})
	o.wantState("a", tel.AgentWrapUp)
	if s := o.s.Agents["a"].Shown; s.Call != "c1" || s.Queue != "q" || !s.Until.Equal(o.now.Add(10*time.Second)) {
		t.Fatalf("after-call work of %+v", s)
	}
	o.wait(10*time.Second - time.Nanosecond)
	o.wantState("a", tel.AgentWrapUp)
	o.wait(time.Nanosecond)
	o.wantState("a", tel.AgentReserved)
}

// A reload of the configuration ends after-call work early; so does a restart.
func TestAsterisk1255AfterCallWorkSurvivesReloadAndRestart(t *testing.T) {
	qs := q1("a")
	o := staffed(t, qs, "a")
	o.tell(tel.TalkEnded{Offer: o.talks("c1", "q").Offer})
	o.wait(3 * time.Second)
	shorter := q1("a")
	shorter[0].WrapUp = 0
	for name, change := range map[string]Event{
		"the same again":                Configure{[]QueueSpec{qs[0].Defaults()}, []AgentSpec{{ID: "a"}}},
		"without after-call work":       Configure{[]QueueSpec{shorter[0].Defaults()}, []AgentSpec{{ID: "a"}}},
		"without the queue":             Configure{nil, []AgentSpec{{ID: "a", Name: "Anna"}}},
		"the agent's own, shorter time": Configure{[]QueueSpec{qs[0].Defaults()}, []AgentSpec{{ID: "a", WrapUp: time.Second}}},
	} {
		o.do(change)
		if got := o.s.Agents["a"].WrapUntil.Sub(o.now); got != 7*time.Second {
			t.Fatalf("%s: %v of after-call work left, want 7s", name, got)
		}
	}
	kept := map[string][]byte{}
	for _, k := range o.s.Keys() {
		b, _, err := o.s.Entity(k)
		if err != nil {
			t.Fatal(err)
		}
		kept[k.String()] = b
	}
	var errs []error
	if o.s, errs = RestoreEntities(kept); len(errs) > 0 {
		t.Fatal(errs)
	}
	o.do(Reconcile{})
	o.wait(7*time.Second - time.Nanosecond)
	o.wantState("a", tel.AgentWrapUp)
	o.wait(time.Nanosecond)
	o.wantState("a", tel.AgentReady)
}

func TestTheAgentsOwnAfterCallWorkGoesBeforeTheQueues(t *testing.T) {
	for name, c := range map[string]struct {
		own  time.Duration
		want time.Duration
	}{"as the queue says": {0, 10 * time.Second}, "longer": {time.Minute, time.Minute}, "none": {-1, 0}} {
		o := staffed(t, q1("a"), "a")
		o.do(Configure{[]QueueSpec{q1("a")[0].Defaults()}, []AgentSpec{{ID: "a", WrapUp: c.own}}})
		o.tell(tel.TalkEnded{Offer: o.talks("c1", "q").Offer})
		var got time.Duration
		if until := o.s.Agents["a"].WrapUntil; !until.IsZero() {
			got = until.Sub(o.now)
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestAWordWithAColleagueHasNoAfterCallWork(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	o.tell(tel.AgentEngaged{Agent: "a", Call: "x", Internal: true})
	o.tell(tel.AgentDisengaged{Agent: "a", Call: "x"})
	o.wantState("a", tel.AgentReady)
}

func TestHowMuchWorkAnAgentHasAtOnce(t *testing.T) {
	internal := tel.AgentEngaged{Agent: "a", Call: "x1", Internal: true}
	outside := tel.AgentEngaged{Agent: "a", Call: "x2", Outbound: true}
	for name, c := range map[string]struct {
		spec AgentSpec
		work []tel.AgentEngaged
		want bool
	}{
		"by default a colleague keeps callers away":            {AgentSpec{}, []tel.AgentEngaged{internal}, false},
		"and so does the outside":                              {AgentSpec{}, []tel.AgentEngaged{outside}, false},
		"a colleague does not where the contract says so":      {AgentSpec{RingOnInternal: true}, []tel.AgentEngaged{internal}, true},
		"but the outside does":                                 {AgentSpec{RingOnInternal: true}, []tel.AgentEngaged{outside}, false},
		"room for two":                                         {AgentSpec{Capacity: 2}, []tel.AgentEngaged{outside}, true},
		"which are taken":                                      {AgentSpec{Capacity: 2}, []tel.AgentEngaged{outside, internal}, false},
		"which are not taken where colleagues do not count":    {AgentSpec{Capacity: 2, RingOnInternal: true}, []tel.AgentEngaged{outside, internal}, true},
		"nobody is rung twice, however much room there is":     {AgentSpec{Capacity: 3}, nil, true},
		"room that is taken while it rings takes the ring off": {AgentSpec{}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			o := staffed(t, q1("a"), "a")
			c.spec.ID = "a"
			o.do(Configure{[]QueueSpec{q1("a")[0].Defaults()}, []AgentSpec{c.spec}})
			for _, w := range c.work {
				o.tell(w)
			}
			offers := o.call("c1", "q")
			if (len(offers) == 1) != c.want {
				t.Fatalf("offers %+v, want %v", offers, c.want)
			}
			if more := o.call("c2", "q"); len(more) != 0 {
				t.Fatalf("rung twice at once: %+v", more)
			}
			if len(c.work) == 0 {
				o.tell(outside)
				if w := o.withdrawals(); (len(w) == 1) != (c.spec.Capacity == 0) {
					t.Fatalf("withdrawn %+v", w)
				}
			}
		})
	}
}

// Renaming a queue, or reordering it, loses its agents.
func TestFusionpbx2712RenamingAQueueKeepsWhoServesIt(t *testing.T) {
	o := staffed(t, q1("a", "b", "c"), "a", "b", "c")
	o.do(LeaveQueue{"a", "q", "mail"})
	o.do(RemoveMember{"b", "q", "carla"})
	renamed := q1("c", "b", "a")
	renamed[0].Name = "Another name"
	o.do(Configure{[]QueueSpec{renamed[0].Defaults()}, []AgentSpec{{ID: "a"}, {ID: "b"}, {ID: "c"}}})
	if got := o.s.Queues["q"].Spec.Members; !slices.Equal(got, []tel.AgentID{"c"}) {
		t.Fatalf("serving %v", got)
	}
	o.do(EnterQueue{"a", "q"})
	o.do(AddMember{"b", "q", "carla"})
	if got := o.s.Queues["q"].Spec.Members; !slices.Equal(got, []tel.AgentID{"c", "b", "a"}) {
		t.Fatalf("serving %v, want the new order", got)
	}
	for _, a := range []tel.AgentID{"a", "b", "c"} {
		o.wantState(a, tel.AgentReady)
	}
}

// What the program wrote before agents had these states is read as it was meant.
func TestAgentsOfAnEarlierProgramAreReadAsTheyWere(t *testing.T) {
	kept := map[string][]byte{
		"queue/q":    []byte(`{"v":1,"queue":{"spec":{"id":"q","strategy":"longest_idle","members":["a","b","c"],"ring":15000000000,"backoff":10000000000}}}`),
		"agent/a":    []byte(`{"v":1,"agent":{"spec":{"id":"a"},"logged_in":true,"reachable":true,"offer":"o1-x","talking":true,"shown":{"state":"talking","since":"2026-03-02T08:59:00Z","call":"c1","queue":"q"}}}`),
		"offer/o1-x": []byte(`{"v":1,"offer":{"id":"o1-x","call":"c1","queue":"q","agent":"a","phase":"talking","made":"2026-03-02T08:58:50Z"}}`),
		"agent/b":    []byte(`{"v":1,"agent":{"spec":{"id":"b"},"logged_in":true,"reachable":true,"paused":true,"reason":"7","shown":{"state":"paused","since":"2026-03-02T08:00:00Z","reason":"7"}}}`),
		"agent/c":    []byte(`{"v":1,"agent":{"spec":{"id":"c"},"logged_in":true,"reachable":true,"engaged":[{"call":"x"}],"shown":{"state":"talking","since":"2026-03-02T08:50:00Z","call":"x"}}}`),
	}
	s, errs := RestoreEntities(kept)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	o := &office{t: t, s: s, now: t0}
	o.do(Reconcile{Live: []tel.CallID{"c1", "x"}})
	o.do(Configure{[]QueueSpec{QueueSpec{ID: "q", Members: []tel.AgentID{"a", "b", "c"}}.Defaults()}, []AgentSpec{{ID: "a"}, {ID: "b"}, {ID: "c"}}})
	o.wantState("a", tel.AgentTalking)
	o.wantState("b", tel.AgentPaused)
	o.wantState("c", tel.AgentTalking)
	o.tell(tel.TalkEnded{Offer: "o1-x"})
	o.do(Resume{"b"})
	if i := o.spent("b"); len(i) != 1 || i[0].Reason != "7" || i[0].To.Sub(i[0].From) != time.Hour {
		t.Fatalf("the pause that began before: %+v", i)
	}
	if o.call("c2", "q"); o.one().Agent == "c" {
		t.Fatal("rang who talks")
	}
}
