package plan

import (
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

var t0 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// office is a state under test with its own clock and a record of everything that came out.
type office struct {
	t      *testing.T
	s      State
	now    time.Time
	out    []Effect // of the last event
	events []tel.Event
}

func newOffice(t *testing.T, queues []QueueSpec, agents ...tel.AgentID) *office {
	o := &office{t: t, s: NewState(), now: t0}
	var specs []AgentSpec
	for _, a := range agents {
		specs = append(specs, AgentSpec{ID: a})
	}
	for i := range queues {
		queues[i] = queues[i].Defaults()
	}
	o.do(Configure{queues, specs})
	return o
}

// staffed has every agent logged in, one second apart in the order given, so that the first has
// been idle longest.
func staffed(t *testing.T, queues []QueueSpec, agents ...tel.AgentID) *office {
	o := newOffice(t, queues, agents...)
	for _, a := range agents {
		o.tell(tel.AgentReachable{Agent: a, Reachable: true})
		o.do(Login{a})
		o.wait(time.Second)
	}
	return o
}

func (o *office) do(e Event) []Effect {
	o.s, o.out = Next(o.s, e, o.now, 7)
	for _, x := range o.out {
		if p, ok := x.(Publish); ok {
			o.events = append(o.events, p.Event)
		}
	}
	return o.out
}

func (o *office) tell(m tel.ToQueue) []Effect { return o.do(Told{m}) }

// wait lets time pass, stopping at each deadline as the owner of the state does.
func (o *office) wait(d time.Duration) {
	end := o.now.Add(d)
	for {
		at, ok := o.s.Deadline()
		if !ok || at.After(end) {
			break
		}
		o.now = at
		o.do(Tick{})
	}
	o.now = end
}

func (o *office) call(id tel.CallID, q tel.QueueID) []tel.Offer {
	o.tell(tel.Enqueue{Call: id, Queue: q, Caller: "0212345678", EnqueuedAt: o.now})
	return o.offers()
}

// offers are those made by the last event.
func (o *office) offers() []tel.Offer {
	var list []tel.Offer
	for _, x := range o.out {
		if s, ok := x.(Send); ok {
			if m, ok := s.Message.(tel.Offer); ok {
				list = append(list, m)
			}
		}
	}
	return list
}

func (o *office) withdrawals() []tel.Withdraw {
	var list []tel.Withdraw
	for _, x := range o.out {
		if s, ok := x.(Send); ok {
			if m, ok := s.Message.(tel.Withdraw); ok {
				list = append(list, m)
			}
		}
	}
	return list
}

func (o *office) one() tel.Offer {
	o.t.Helper()
	list := o.offers()
	if len(list) != 1 {
		o.t.Fatalf("%d offers, want 1", len(list))
	}
	return list[0]
}

func (o *office) state(a tel.AgentID) tel.AgentState { return o.s.Agents[a].State() }

func (o *office) wantState(a tel.AgentID, want tel.AgentState) {
	o.t.Helper()
	if got := o.state(a); got != want {
		o.t.Fatalf("agent %s is %v, want %v", a, got, want)
	}
}

func (o *office) left() []tel.QueueLeft {
	var list []tel.QueueLeft
	for _, e := range o.events {
		if l, ok := e.(tel.QueueLeft); ok {
			list = append(list, l)
		}
	}
	return list
}

func q1(members ...tel.AgentID) []QueueSpec {
	return []QueueSpec{{ID: "q", Members: members, WrapUp: 10 * time.Second}}
}

func TestACallGoesToTheAgentIdleLongestAndEndsInWrapUp(t *testing.T) {
	o := staffed(t, q1("a", "b"), "b", "a")
	offer := func() tel.Offer { o.call("c1", "q"); return o.one() }()
	if offer.Agent != "b" || offer.Ring != 15*time.Second {
		t.Fatalf("offer %+v, want agent b ringing 15s", offer)
	}
	o.wantState("b", tel.AgentRinging)
	o.tell(tel.OfferRinging{Offer: offer.Offer})
	o.tell(tel.OfferAnswered{Offer: offer.Offer})
	o.wantState("b", tel.AgentTalking)
	left := o.left()
	if len(left) != 1 || left[0].Outcome != tel.OutcomeAnswered || left[0].Agent != "b" || left[0].Offers != 1 {
		t.Fatalf("queue record %+v", left)
	}
	o.tell(tel.TalkEnded{Offer: offer.Offer})
	o.wantState("b", tel.AgentWrapUp)
	o.wait(10*time.Second - time.Nanosecond)
	o.wantState("b", tel.AgentWrapUp)
	o.wait(time.Nanosecond)
	o.wantState("b", tel.AgentReady)
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
	if len(x) != 1 || x[0].Verdict != "ringing" {
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

func TestAnAnswerThatCrossesTheCallersHangUpIsWithdrawn(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	o.call("c1", "q")
	of := o.one()
	o.tell(tel.CallerGone{Call: "c1", Cause: tel.CauseCancelled})
	o.wantState("a", tel.AgentReady)
	o.tell(tel.OfferAnswered{Offer: of.Offer})
	o.wantState("a", tel.AgentReady)
	if w := o.withdrawals(); len(w) != 1 {
		t.Fatalf("the late answer was not sent away: %+v", o.out)
	}
	if l := o.left(); len(l) != 1 || l[0].Outcome != tel.OutcomeAbandoned {
		t.Fatalf("records %+v", l)
	}
	o.wait(time.Minute)
	if len(o.s.Offers) != 0 {
		t.Fatal("the withdrawn offer is remembered for ever")
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
	if len(l) != 1 || l[0].Outcome != tel.OutcomeOverflow || l[0].To != "queue:second" {
		t.Fatalf("records %+v", l)
	}
}

func TestACallerBeyondTheLengthIsTurnedAwayWithARecord(t *testing.T) {
	qs := q1("a")
	qs[0].MaxLength, qs[0].FullTo = 1, "ext:201"
	o := newOffice(t, qs, "a")
	o.call("c1", "q")
	o.call("c2", "q")
	if want := (tel.Overflow{Call: "c2", To: "ext:201", Why: "queue_full"}); o.out[0] != Effect(Send{want}) {
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
	if len(l) != 2 || l[0].Outcome != tel.OutcomeRefused || len(o.s.Entries) != 0 {
		t.Fatalf("records %+v", l)
	}
	o.wantState("a", tel.AgentReady)
	o.call("c3", "q")
	if want := (tel.Overflow{Call: "c3", Why: "closed"}); o.out[0] != Effect(Send{want}) {
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
	o.do(Reconcile{[]tel.CallID{"live-ring", "live-wait"}})
	if o.s.Agents["c"].Offer != live.Offer {
		t.Fatal("the surviving offer was lost")
	}
	o.wantState("a", tel.AgentWrapUp)
	o.wantState("b", tel.AgentRinging) // freed, and given to the surviving caller
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
