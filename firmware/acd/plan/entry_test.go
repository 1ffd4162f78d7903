package plan

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestOverflowByTimeWaitsForTheRingInProgress(t *testing.T) {
	qs := q1("a")
	qs[0].MaxWait, qs[0].MaxWaitTo = 20*time.Second, "queue:second"
	o := staffed(t, qs, "a")
	o.do(Pause{"a", ""})
	o.call("c1", "q")
	o.wait(19 * time.Second)
	o.do(Resume{"a"})
	of := o.one()
	o.tell(tel.OfferRinging{Offer: of.Offer})
	o.wait(10 * time.Second)
	if len(o.left()) != 0 {
		t.Fatal("the caller left while the agent rang")
	}
	o.wait(5 * time.Second)
	l := o.left()
	if len(l) != 1 || l[0].Outcome != tel.OutcomeTimedOut || l[0].To != "queue:second" {
		t.Fatalf("records %+v", l)
	}
}

func TestACallerBeyondTheLengthIsTurnedAwayWithARecord(t *testing.T) {
	qs := q1("a")
	qs[0].MaxLength, qs[0].FullTo = 1, "ext:201"
	o := newOffice(t, qs, "a")
	o.call("c1", "q")
	o.call("c2", "q")
	if want := (tel.Overflow{Call: "c2", To: "ext:201", Why: "queue_full"}); o.out[1] != Effect(Send{want}) {
		t.Fatalf("got %+v, want %+v", o.out[0], want)
	}
	if l := o.left(); len(l) != 1 || l[0].Outcome != tel.OutcomeRefused {
		t.Fatalf("records %+v", l)
	}
}

func TestAQueueWithoutAgentsSendsCallersOnAfterItsGrace(t *testing.T) {
	qs := q1("a")
	qs[0].LeaveEmpty, qs[0].EmptyGrace, qs[0].EmptyTo = true, 5*time.Second, "ext:9"
	o := staffed(t, qs, "a")
	o.do(Pause{"a", "break"})
	o.wait(time.Minute)
	o.call("c1", "q")
	o.wait(3 * time.Second)
	o.call("c2", "q")
	o.wait(time.Second)
	o.do(Resume{"a"}) // back in time: c1 rings, nobody leaves
	o.wait(4 * time.Second)
	if l := o.left(); len(l) != 0 {
		t.Fatalf("left although an agent came back: %+v", l)
	}
	o.do(Logout{"a"})
	o.wait(5*time.Second - 1)
	if len(o.left()) != 0 {
		t.Fatal("left before the grace was over")
	}
	o.wait(1)
	if l := o.left(); len(l) != 2 || l[0].Call != "c1" || l[0].To != "ext:9" {
		t.Fatalf("records %+v", l)
	}
	qs[0].EmptyGrace = 0
	o.do(Configure{qs, []AgentSpec{{ID: "a"}}})
	o.call("c3", "q")
	if l := o.left(); len(l) != 3 {
		t.Fatal("without grace a caller must leave an empty queue at once")
	}
}

func TestTheFirstTimeInTheLineIsKeptThroughAnOverflow(t *testing.T) {
	o := newOffice(t, []QueueSpec{
		{ID: "one", Members: []tel.AgentID{"a"}, MaxWait: time.Minute, MaxWaitTo: "queue:two"},
		{ID: "two", Members: []tel.AgentID{"a"}},
	}, "a")
	first := o.now
	o.call("early", "one")
	o.wait(30 * time.Second)
	o.call("late", "two")
	o.wait(31 * time.Second)
	o.tell(tel.Enqueue{Call: "early", Queue: "two", EnqueuedAt: first})
	w := o.s.Waiting("two")
	if len(w) != 2 || w[0].Call != "early" {
		t.Fatalf("order %+v", w)
	}
}

func TestPriorityComesBeforeTime(t *testing.T) {
	o := newOffice(t, q1("a"), "a")
	o.call("normal", "q")
	o.tell(tel.Enqueue{Call: "vip", Queue: "q", Priority: 5, EnqueuedAt: o.now.Add(time.Hour)}) // from the future: clamped
	o.tell(tel.AgentReachable{Agent: "a", Reachable: true})
	o.do(Login{"a"})
	if of := o.one(); of.Call != "vip" {
		t.Fatalf("first %s", of.Call)
	}
}

func TestAHeadCallerWhomNobodyMayServeDoesNotBlockTheNext(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	o.call("c1", "q")
	o.tell(tel.OfferFailed{Offer: o.one().Offer, Cause: tel.CauseRejected})
	o.call("c2", "q")
	o.wait(time.Second)
	if o.s.Entries["c2"].Offers == nil {
		t.Fatal("c2 waits behind a caller whom the only agent just refused")
	}
}

func TestAnEarlierCallerIsGivenAnotherAgentWhenThatServesALaterOneToo(t *testing.T) {
	o := newOffice(t, []QueueSpec{
		{ID: "both", Members: []tel.AgentID{"x", "y"}},
		{ID: "only-x", Members: []tel.AgentID{"x"}},
	}, "x", "y")
	o.call("c1", "both")
	o.call("c2", "only-x")
	for _, a := range []tel.AgentID{"x", "y"} {
		o.do(Login{a})
	}
	// Both become free in one event, as after a registrar's recovery; x has the longer idle time
	// by its id.
	o.s.Agents["x"].Reachable, o.s.Agents["y"].Reachable = true, true
	o.s.reindex()
	o.do(Tick{})
	got := map[tel.CallID]tel.AgentID{}
	for _, of := range o.offers() {
		got[of.Call] = of.Agent
	}
	if got["c1"] != "y" || got["c2"] != "x" {
		t.Fatalf("offers %v", got)
	}
}

func TestADeletedQueueLeavesNobodyInLimbo(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	o.call("c1", "q")
	o.call("c2", "q")
	o.do(Configure{nil, []AgentSpec{{ID: "a"}}})
	l := o.left()
	if len(l) != 2 || l[0].Outcome != tel.OutcomeWithdrawn || len(o.s.Entries) != 0 {
		t.Fatalf("records %+v", l)
	}
	o.wantState("a", tel.AgentReady)
	o.call("c3", "q")
	if want := (tel.Overflow{Call: "c3", Why: "closed"}); o.out[1] != Effect(Send{want}) {
		t.Fatalf("an unknown queue answered %+v", o.out)
	}
}

func TestARemovedAgentEndsTheConversationFirst(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	o.call("c1", "q")
	of := o.one()
	o.tell(tel.OfferAnswered{Offer: of.Offer})
	o.do(Configure{[]QueueSpec{{ID: "q", Strategy: LongestIdle, Ring: time.Second, Backoff: time.Second}}, nil})
	o.wantState("a", tel.AgentTalking)
	o.do(Pause{"a", ""})
	if r, ok := o.out[0].(Refuse); !ok || r.Err != ErrUnknownAgent {
		t.Fatalf("command to a removed agent: %+v", o.out)
	}
	o.tell(tel.TalkEnded{Offer: of.Offer})
	if o.s.Agents["a"] != nil {
		t.Fatal("the removed agent stayed")
	}
	last := o.events[len(o.events)-1].(tel.AgentChanged)
	if last.State != tel.AgentLoggedOut {
		t.Fatalf("observers were told %v last", last.State)
	}
}

func TestAFaultyConfigurationChangesNothing(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	before, _ := o.s.Snapshot()
	o.do(Configure{[]QueueSpec{{ID: "q", Strategy: "leastest", Ring: time.Second, Backoff: time.Second, Members: []tel.AgentID{"zoe"}}}, nil})
	if _, ok := o.out[0].(Refuse); !ok || len(o.out) != 1 {
		t.Fatalf("effects %+v", o.out)
	}
	if after, _ := o.s.Snapshot(); string(after) != string(before) {
		t.Fatal("the state changed")
	}
}

func TestCallsThatDidNotSurviveFreeTheirAgents(t *testing.T) {
	o := staffed(t, q1("a", "b", "c"), "a", "b", "c")
	o.call("dead-talk", "q")
	o.tell(tel.OfferAnswered{Offer: o.one().Offer})
	o.call("dead-ring", "q")
	o.call("live-ring", "q")
	live := o.one()
	o.call("live-wait", "q")
	o.call("dead-wait", "q")
	o.tell(tel.AgentEngaged{Agent: "b", Call: "dead-out"})
	o.do(Reconcile{Live: []tel.CallID{"live-ring", "live-wait"}})
	if a := o.s.Agents["c"]; a.Settling != live.Offer || !a.RestUntil.IsZero() || o.s.Entries["live-ring"].spared("c", o.now) {
		t.Fatalf("what rang for the surviving caller is not left to settle: %+v", a)
	}
	o.tell(tel.OfferSettled{Offer: live.Offer})
	o.wantState("c", tel.AgentReserved)
	o.wantState("a", tel.AgentWrapUp)
	o.wait(tel.SettleWithin)            // nobody is left who could say that the phone is quiet
	o.wantState("b", tel.AgentReserved) // freed, and given to the surviving caller
	if w := o.s.Waiting("q"); len(w) != 2 {
		t.Fatalf("waiting %+v", w)
	}
}

func TestASetClockMovesNoWaitAndNoWrapUp(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	o.call("c1", "q")
	of := o.one()
	o.tell(tel.OfferAnswered{Offer: of.Offer})
	o.tell(tel.TalkEnded{Offer: of.Offer})
	o.wait(4 * time.Second)
	o.now = o.now.Add(24 * time.Hour)
	o.do(ClockMoved{24 * time.Hour})
	o.wait(6*time.Second - 1)
	o.wantState("a", tel.AgentWrapUp)
	o.wait(1)
	o.wantState("a", tel.AgentReady)
}

func TestALeaseOfAPhoneThatNeverRingsEnds(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	o.call("c1", "q")
	o.wait(lease)
	o.wantState("a", tel.AgentReady)
	if o.s.Agents["a"].Misses != 0 {
		t.Fatal("the agent is blamed for a phone that never rang")
	}
}

func TestATieOfIdleTimesGoesToTheSmallerId(t *testing.T) {
	o := newOffice(t, q1("b", "a", "c"), "c", "b", "a")
	for _, a := range []tel.AgentID{"c", "b", "a"} {
		o.tell(tel.AgentReachable{Agent: a, Reachable: true})
		o.do(Login{a})
	}
	o.call("c1", "q")
	if of := o.one(); of.Agent != "a" {
		t.Fatalf("%s rings, want a", of.Agent)
	}
}

func TestAnOverdueCallerWhoseOldOfferIsAnsweredLeavesOnce(t *testing.T) {
	qs := q1("a")
	qs[0].MaxWait, qs[0].Backoff = 30*time.Second, time.Second
	o := staffed(t, qs, "a")
	o.call("c1", "q")
	first := o.one()
	o.tell(tel.OfferRinging{Offer: first.Offer})
	o.wait(24 * time.Second) // withdrawn after 15 s, rung again a second later, still remembered
	for id := range o.s.Offers {
		o.tell(tel.OfferRinging{Offer: id})
	}
	o.s.Offers[first.Offer].Deadline = o.now.Add(time.Minute)
	o.wait(7 * time.Second) // overdue, and the second offer rings
	if !o.s.Entries["c1"].Overdue {
		t.Fatal("the scene is not set")
	}
	o.tell(tel.OfferAnswered{Offer: first.Offer})
	if l := o.left(); len(l) != 1 || l[0].Outcome != tel.OutcomeAnswered {
		t.Fatalf("records %+v", l)
	}
	o.wantState("a", tel.AgentTalking)
}
