package plan

import (
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestACallGoesToTheAgentIdleLongestAndEndsInWrapUp(t *testing.T) {
	o := staffed(t, q1("a", "b"), "b", "a")
	offer := func() tel.Offer { o.call("c1", "q"); return o.one() }()
	if offer.Agent != "b" || offer.Ring != 15*time.Second {
		t.Fatalf("offer %+v, want agent b ringing 15s", offer)
	}
	o.wantState("b", tel.AgentReserved)
	o.tell(tel.OfferRinging{Offer: offer.Offer})
	o.wantState("b", tel.AgentRinging)
	o.tell(tel.OfferAnswered{Offer: offer.Offer})
	o.wantState("b", tel.AgentTalking)
	left := o.left()
	if len(left) != 1 || left[0].Outcome != tel.OutcomeAnswered || left[0].Agent != "b" || left[0].Offers != 1 || !slices.Equal(left[0].Rang, []tel.AgentID{"b"}) {
		t.Fatalf("queue record %+v", left)
	}
	o.tell(tel.TalkEnded{Offer: offer.Offer})
	o.wantState("b", tel.AgentWrapUp)
	o.wait(10*time.Second - time.Nanosecond)
	o.wantState("b", tel.AgentWrapUp)
	o.wait(time.Nanosecond)
	o.wantState("b", tel.AgentReady)
}

func TestWhatFollowsTheCallIsKnownWhenItWasAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		asks   Event
		after  tel.AgentState
		reason string
	}{
		"nothing":              {Tick{}, tel.AgentReady, ""},
		"a pause":              {Pause{"a", "lunch"}, tel.AgentPaused, "lunch"},
		"a pause by force":     {ForcePause{"a", "meeting", "carla"}, tel.AgentPaused, "meeting"},
		"a logout":             {Logout{"a"}, tel.AgentLoggedOut, ""},
		"the end of the shift": {Shift{"a", t0}, tel.AgentLoggedOut, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := staffed(t, []QueueSpec{{ID: "q", Members: []tel.AgentID{"a"}}}, "a")
			o.call("c1", "q")
			of := o.one()
			o.tell(tel.OfferAnswered{Offer: of.Offer})
			o.do(c.asks)
			o.wantState("a", tel.AgentTalking)
			if after, reason := o.s.Agents["a"].After(); after != c.after || reason != c.reason {
				t.Errorf("%v %q, want %v %q", after, reason, c.after, c.reason)
			}
			o.tell(tel.TalkEnded{Offer: of.Offer})
			o.wantState("a", c.after)
		})
	}
}

func TestWrapUpOfOneQueueHoldsInEveryQueue(t *testing.T) {
	o := staffed(t, []QueueSpec{
		{ID: "sales", Members: []tel.AgentID{"a"}, WrapUp: 30 * time.Second},
		{ID: "help", Members: []tel.AgentID{"a"}},
	}, "a")
	o.call("c1", "sales")
	offer := o.one()
	o.tell(tel.OfferAnswered{Offer: offer.Offer})
	o.tell(tel.TalkEnded{Offer: offer.Offer})
	if got := o.call("c2", "help"); len(got) != 0 {
		t.Fatalf("rang in wrap-up: %+v", got)
	}
	o.wait(29 * time.Second)
	if n := len(o.s.Offers); n != 0 {
		t.Fatal("wrap-up ended early")
	}
	o.do(ExtendWrapUp{"a", time.Minute})
	o.wait(59 * time.Second)
	o.wantState("a", tel.AgentWrapUp)
	o.do(FinishWrapUp{"a"})
	if offer := o.one(); offer.Call != "c2" {
		t.Fatalf("offer %+v after finishing", offer)
	}
}

func TestThePointerOfARoundRobinSurvivesTheRemovalOfItsMember(t *testing.T) {
	spec := QueueSpec{ID: "q", Strategy: RoundRobin, Members: []tel.AgentID{"a", "b", "c", "d"}}
	o := staffed(t, []QueueSpec{spec}, "d", "c", "b", "a")
	next := func(call tel.CallID) tel.AgentID {
		o.call(call, "q")
		offer := o.one()
		o.tell(tel.OfferAnswered{Offer: offer.Offer})
		o.tell(tel.TalkEnded{Offer: offer.Offer})
		return offer.Agent
	}
	got := []tel.AgentID{next("1"), next("2"), next("3")}
	if !slices.Equal(got, []tel.AgentID{"a", "b", "c"}) {
		t.Fatalf("turns %v", got)
	}
	spec.Members = []tel.AgentID{"a", "b", "d"}
	o.do(Configure{[]QueueSpec{spec.Defaults()}, []AgentSpec{{ID: "a"}, {ID: "b"}, {ID: "d"}}})
	if got := next("4"); got != "d" {
		t.Fatalf("after removing c the turn is with %s, want d", got)
	}
	if got := next("5"); got != "a" {
		t.Fatalf("then %s, want a", got)
	}
}

func TestRingAllRingsEveryoneAndTheFirstAnswerWithdrawsTheRest(t *testing.T) {
	o := staffed(t, []QueueSpec{{ID: "q", Strategy: RingAll, Members: []tel.AgentID{"a", "b", "c"}}}, "a", "b", "c")
	offers := o.call("c1", "q")
	if len(offers) != 3 {
		t.Fatalf("%d offers, want 3", len(offers))
	}
	o.tell(tel.OfferAnswered{Offer: offers[1].Offer})
	w := o.withdrawals()
	if len(w) != 2 || w[0].Cause != tel.CauseAnsweredElsewhere {
		t.Fatalf("withdrawals %+v", w)
	}
	o.wantState("a", tel.AgentReady)
	o.wantState("b", tel.AgentTalking)
	if m := o.s.Agents["a"].Misses; m != 0 {
		t.Fatalf("losing a race counted as %d misses", m)
	}
}

func TestRingAllLeavesOneAgentForEachCallerBeforeRingingMoreForTheFirst(t *testing.T) {
	o := newOffice(t, []QueueSpec{{ID: "q", Strategy: RingAll, Members: []tel.AgentID{"a", "b", "c"}}}, "a", "b", "c")
	o.call("c1", "q")
	o.call("c2", "q")
	for _, a := range []tel.AgentID{"a", "b", "c"} {
		o.tell(tel.AgentReachable{Agent: a, Reachable: true})
		o.do(Pause{Agent: a}) // refused: logged out
		o.do(Login{a})
	}
	calls := map[tel.CallID]int{}
	for _, of := range o.s.Offers {
		calls[of.Call]++
	}
	if calls["c1"] != 2 || calls["c2"] != 1 {
		t.Fatalf("offers per caller %v, want c1:2 c2:1", calls)
	}
}

func TestAnAgentWhoDeclinedIsSparedTheSameCallerButNotTheNext(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	o.call("c1", "q")
	offer := o.one()
	o.tell(tel.OfferFailed{Offer: offer.Offer, Cause: tel.CauseRejected})
	o.call("c2", "q")
	o.wait(time.Second) // the phone's rest
	var rung []tel.CallID
	for _, of := range o.s.Offers {
		rung = append(rung, of.Call)
	}
	if !slices.Equal(rung, []tel.CallID{"c2"}) {
		t.Fatalf("rung for %v, want c2 only", rung)
	}
	x := o.s.Explain("c1", o.now)
	if len(x) != 1 || x[0].Verdict != "reserved" {
		t.Fatalf("explanation %+v", x)
	}
	o.tell(tel.CallerGone{Call: "c2"})
	o.wait(8 * time.Second)
	if x := o.s.Explain("c1", o.now); x[0].Verdict != SparedNow {
		t.Fatalf("explanation %+v, want refused_this_caller", x)
	}
	o.wait(time.Second) // 10 s after the refusal
	if x := o.s.Explain("c1", o.now); x[0].Verdict != TookCall {
		t.Fatalf("explanation %+v, want a new offer", x)
	}
}

func TestAPhoneThatFailsAtOnceIsNotRungInALoop(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	for i := range 50 {
		o.call(tel.CallID(rune('A'+i)), "q")
	}
	attempts := 0
	end := o.now.Add(time.Minute)
	for o.now.Before(end) {
		for _, id := range sorted(o.s.Offers) {
			if o.s.Offers[id].Phase == Reserved {
				attempts++
				o.tell(tel.OfferFailed{Offer: id, Cause: tel.CauseBusy})
			}
		}
		o.wait(100 * time.Millisecond)
	}
	if attempts < 4 || attempts > 8 {
		t.Fatalf("%d attempts in a minute at a phone that is always busy, want the doubling rest of 4 to 8", attempts)
	}
}

func TestMissesInARowPauseTheAgentAndAnAnswerResetsThem(t *testing.T) {
	qs := q1("a")
	qs[0].AutoPause = 2
	o := staffed(t, qs, "a")
	miss := func(id tel.CallID) {
		o.call(id, "q")
		o.wait(2 * time.Second)
		for _, oid := range sorted(o.s.Offers) {
			if of := o.s.Offers[oid]; of.Phase == Reserved {
				o.tell(tel.OfferRinging{Offer: oid})
			}
		}
		o.wait(15 * time.Second)
		o.tell(tel.CallerGone{Call: id})
		o.wait(2 * time.Second)
	}
	miss("1")
	o.wantState("a", tel.AgentReady)
	o.call("2", "q")
	of := o.one()
	o.tell(tel.OfferAnswered{Offer: of.Offer})
	o.tell(tel.TalkEnded{Offer: of.Offer})
	o.wait(10 * time.Second)
	miss("3")
	o.wantState("a", tel.AgentReady)
	miss("4")
	o.wantState("a", tel.AgentPaused)
	if r := o.s.Agents["a"].Reason; r != ReasonMissed {
		t.Fatalf("reason %q", r)
	}
}

func TestAChangeOfPauseReasonSplitsTheInterval(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	o.events = nil
	o.do(Pause{"a", "break"})
	o.wait(5 * time.Minute)
	o.do(Pause{"a", "training"})
	var got []tel.AgentChanged
	for _, e := range o.events {
		if c, ok := e.(tel.AgentChanged); ok {
			got = append(got, c)
		}
	}
	if len(got) != 2 || got[0].Reason != "break" || got[1].Reason != "training" || got[1].Since.Sub(got[0].Since) != 5*time.Minute {
		t.Fatalf("intervals %+v", got)
	}
}

func TestPausingWhileTheRingAndTheAnswerCrossFollowsTheFacts(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	o.call("c1", "q")
	of := o.one()
	o.do(Pause{"a", "break"})
	if w := o.withdrawals(); len(w) != 1 || w[0].Offer != of.Offer {
		t.Fatalf("withdrawals %+v", w)
	}
	o.wantState("a", tel.AgentPaused)
	o.tell(tel.OfferAnswered{Offer: of.Offer}) // was on its way
	o.wantState("a", tel.AgentTalking)
	o.tell(tel.TalkEnded{Offer: of.Offer})
	o.wait(10 * time.Second)
	o.wantState("a", tel.AgentPaused)
}

func TestTheCallersHangUpFreesTheAgentForGood(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	o.call("c1", "q")
	of := o.one()
	o.tell(tel.CallerGone{Call: "c1", Cause: tel.CauseCancelled})
	if w := o.withdrawals(); len(w) != 1 {
		t.Fatalf("the phone rings on: %+v", o.out)
	}
	o.wantState("a", tel.AgentReady)
	o.tell(tel.OfferAnswered{Offer: of.Offer})
	o.wantState("a", tel.AgentReady)
	if l := o.left(); len(l) != 1 || l[0].Outcome != tel.OutcomeAbandoned {
		t.Fatalf("records %+v", l)
	}
	if len(o.s.Offers) != 0 {
		t.Fatal("the withdrawn offer is remembered")
	}
}

func TestAnAnswerThatCrossesTheKeyToLeaveKeepsTheAgentBusy(t *testing.T) {
	qs := q1("a")
	qs[0].Waiting.ExitKeys = map[string]string{"0": "ext:200"}
	o := staffed(t, qs, "a")
	o.call("c1", "q")
	of := o.one()
	o.tell(tel.CallerKey{Call: "c1", Key: '0'})
	o.tell(tel.OfferAnswered{Offer: of.Offer}) // the call had connected them before it read the overflow
	o.wantState("a", tel.AgentTalking)
	if more := o.call("c2", "q"); len(more) != 0 {
		t.Fatalf("an agent who talks was offered %+v", more)
	}
	o.tell(tel.TalkEnded{Offer: of.Offer})
	o.wantState("a", tel.AgentWrapUp)
	if l := o.left(); len(l) != 1 || l[0].Outcome != tel.OutcomeExitKey || l[0].To != "ext:200" {
		t.Fatalf("records %+v", l)
	}
}

func TestLogoutWhileTalkingLetsTheConversationEndWithoutWrapUp(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	o.call("c1", "q")
	of := o.one()
	o.tell(tel.OfferAnswered{Offer: of.Offer})
	o.do(Logout{"a"})
	o.wantState("a", tel.AgentTalking)
	o.tell(tel.TalkEnded{Offer: of.Offer})
	o.wantState("a", tel.AgentLoggedOut)
}

func TestLogoutInWrapUpEndsIt(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	o.call("c1", "q")
	of := o.one()
	o.tell(tel.OfferAnswered{Offer: of.Offer})
	o.tell(tel.TalkEnded{Offer: of.Offer})
	o.do(Logout{"a"})
	o.wantState("a", tel.AgentLoggedOut)
	o.do(Login{"a"})
	o.wantState("a", tel.AgentReady)
}

func TestALostRegistrationTakesTheOfferBack(t *testing.T) {
	o := staffed(t, q1("a", "b"), "a", "b")
	o.call("c1", "q")
	o.tell(tel.AgentReachable{Agent: "a", Reachable: false})
	o.wantState("a", tel.AgentUnreachable)
	if of := o.one(); of.Agent != "b" {
		t.Fatalf("then rang %s", of.Agent)
	}
	o.tell(tel.AgentReachable{Agent: "a", Reachable: true})
	o.wantState("a", tel.AgentReady)
}

func TestAnOutsideCallBlocksOffersAndMovesTheAgentBackButAWordWithAColleagueDoesNot(t *testing.T) {
	o := staffed(t, q1("a", "b"), "a", "b")
	o.tell(tel.AgentEngaged{Agent: "a", Call: "x", Internal: true})
	o.wantState("a", tel.AgentInternal)
	o.tell(tel.AgentDisengaged{Agent: "a", Call: "x"})
	o.call("c1", "q")
	if of := o.one(); of.Agent != "a" {
		t.Fatalf("after an internal call %s rings, want a", of.Agent)
	}
	o.tell(tel.CallerGone{Call: "c1"})
	o.tell(tel.AgentEngaged{Agent: "a", Call: "y"})
	o.wantState("a", tel.AgentTalking)
	o.tell(tel.AgentDisengaged{Agent: "a", Call: "y"})
	o.call("c2", "q")
	if of := o.one(); of.Agent != "b" {
		t.Fatalf("after an outside call %s rings, want b", of.Agent)
	}
}
