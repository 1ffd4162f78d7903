package plan

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// talks has the agent answer the next call of the queue and returns its offer.
func (o *office) talks(call tel.CallID, q tel.QueueID) tel.Offer {
	o.t.Helper()
	o.call(call, q)
	offer := o.one()
	o.tell(tel.OfferRinging{Offer: offer.Offer})
	o.tell(tel.OfferAnswered{Offer: offer.Offer})
	return offer
}

// spent are the intervals of an agent's day that were told.
func (o *office) spent(a tel.AgentID) []tel.AgentInterval {
	var list []tel.AgentInterval
	for _, e := range o.events {
		if i, ok := e.(tel.AgentInterval); ok && i.Agent == a {
			list = append(list, i)
		}
	}
	return list
}

// refused is why the last command was refused, nil if it was not.
func (o *office) refused() error {
	for _, x := range o.out {
		if r, ok := x.(Refuse); ok {
			return r.Err
		}
	}
	return nil
}

// A whole day of one agent: each interval is told once, none overlaps another and none is missing.
func TestQpanel280AnAgentsDayIsASumOfIntervals(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	began := o.now
	o.events = nil
	offer := o.talks("c1", "q")
	o.wait(30 * time.Second)
	o.tell(tel.AgentHeld{Agent: "a", Call: "c1", Held: true})
	o.wait(20 * time.Second)
	o.tell(tel.AgentHeld{Agent: "a", Call: "c1"})
	o.wait(10 * time.Second)
	o.tell(tel.TalkEnded{Offer: offer.Offer})
	o.do(ExtendWrapUp{"a", 5 * time.Second})
	o.wait(15 * time.Second)
	o.wait(5 * time.Second)
	o.do(Pause{"a", "lunch"})
	o.wait(time.Hour)
	o.do(Pause{"a", "training"})
	o.wait(time.Hour)
	o.do(Resume{"a"})
	o.tell(tel.AgentEngaged{Agent: "a", Call: "x", Outbound: true})
	o.wait(time.Minute)
	o.tell(tel.AgentDisengaged{Agent: "a", Call: "x"})
	o.wait(time.Minute)
	o.do(Logout{"a"})
	sum := map[string]time.Duration{}
	at := began.Add(-time.Second) // since the login
	for _, i := range o.spent("a") {
		if !i.From.Equal(at) {
			t.Fatalf("an interval begins at %v, the one before ended at %v", i.From, at)
		}
		at = i.To
		sum[i.State.String()+" "+string(i.Queue)+i.Reason] += i.To.Sub(i.From)
	}
	want := map[string]time.Duration{
		"reserved q": 0, "ringing q": 0, "talking q": 40 * time.Second, "hold q": 20 * time.Second, "wrap_up q": 15 * time.Second,
		"paused lunch": time.Hour, "paused training": time.Hour, "outbound ": time.Minute, "ready ": 66 * time.Second,
	}
	for what, d := range want {
		if sum[what] != d {
			t.Errorf("%s: %v, want %v", what, sum[what], d)
		}
	}
	if len(sum) != len(want) || !at.Equal(o.now) {
		t.Errorf("intervals %v until %v", sum, at)
	}
}

func TestStatesOfSeveralCallsAtOnce(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	offer := o.talks("c1", "q")
	steps := []struct {
		what string
		do   tel.ToQueue
		want tel.AgentState
		call tel.CallID
	}{
		{"a customer on hold", tel.AgentHeld{Agent: "a", Call: "c1", Held: true}, tel.AgentHold, "c1"},
		{"meanwhile a colleague is asked", tel.AgentEngaged{Agent: "a", Call: "x1", Internal: true}, tel.AgentInternal, "x1"},
		{"who is on hold too", tel.AgentHeld{Agent: "a", Call: "x1", Held: true}, tel.AgentHold, "c1"},
		{"while the outside is called", tel.AgentEngaged{Agent: "a", Call: "x2", Outbound: true}, tel.AgentOutbound, "x2"},
		{"the customer is back", tel.AgentHeld{Agent: "a", Call: "c1"}, tel.AgentTalking, "c1"},
		{"a hold of a call of somebody else is nothing", tel.AgentHeld{Agent: "a", Call: "c9", Held: true}, tel.AgentTalking, "c1"},
		{"the outside hangs up", tel.AgentDisengaged{Agent: "a", Call: "x2"}, tel.AgentTalking, "c1"},
		{"the customer hangs up", tel.TalkEnded{Offer: offer.Offer}, tel.AgentHold, "x1"},
		{"the colleague is taken back", tel.AgentHeld{Agent: "a", Call: "x1"}, tel.AgentInternal, "x1"},
	}
	for _, s := range steps {
		o.tell(s.do)
		if got := o.state("a"); got != s.want || o.s.Agents["a"].Shown.Call != s.call {
			t.Fatalf("%s: %v in %s, want %v in %s", s.what, got, o.s.Agents["a"].Shown.Call, s.want, s.call)
		}
	}
}

func TestAskingForHelpShowsAndChangesNothingElse(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	offer := o.talks("c1", "q")
	since := o.s.Agents["a"].Shown.Since
	o.wait(time.Minute)
	o.events = nil
	o.do(Help{"a", true})
	if len(o.events) != 1 {
		t.Fatalf("events %+v", o.events)
	}
	if e := o.events[0].(tel.AgentChanged); !e.Help || e.State != tel.AgentTalking || !e.Since.Equal(since) {
		t.Fatalf("event %+v", e)
	}
	o.do(Help{"a", true}) // again
	o.tell(tel.TalkEnded{Offer: offer.Offer})
	o.wantState("a", tel.AgentWrapUp)
	if n := len(o.spent("a")); n != 1 {
		t.Fatalf("%d intervals, want that of the talk alone", n)
	}
	o.do(Logout{"a"})
	if o.s.Agents["a"].Help {
		t.Fatal("who went home still asks for help")
	}
	o.do(Help{"a", true})
	if !errors.Is(o.refused(), ErrLoggedOut) {
		t.Fatalf("help from home: %v", o.refused())
	}
}

func TestTheEndOfAShiftWaitsForTheCallAndItsAfterCallWork(t *testing.T) {
	o := staffed(t, q1("a", "b"), "a", "b")
	o.do(Shift{"a", o.now.Add(time.Minute)})
	offer := o.talks("c1", "q")
	o.wait(2 * time.Minute)
	o.wantState("a", tel.AgentTalking)
	o.tell(tel.TalkEnded{Offer: offer.Offer})
	o.wantState("a", tel.AgentWrapUp)
	o.wait(10 * time.Second)
	o.wantState("a", tel.AgentLoggedOut)
	if s := o.s.Agents["a"].Shown; s.Reason != ReasonShift {
		t.Fatalf("shown %+v", s)
	}
	o.do(Login{"a"}) // overtime
	o.wait(time.Hour)
	o.wantState("a", tel.AgentReady)
}

func TestTheEndOfAShiftTakesARingBackAndEndsAPause(t *testing.T) {
	o := staffed(t, q1("a", "b"), "a", "b")
	o.call("c1", "q")
	ring := o.one()
	o.do(Shift{"a", o.now.Add(-time.Second)}) // past already
	o.wantState("a", tel.AgentLoggedOut)
	if w := o.withdrawals(); len(w) != 1 || w[0].Offer != ring.Offer {
		t.Fatalf("withdrawn %+v", w)
	}
	if next := o.one(); next.Agent != "b" {
		t.Fatalf("then rang %s", next.Agent)
	}
	o.do(Pause{"b", "lunch"})
	o.do(Shift{"b", o.now.Add(time.Second)})
	o.wait(time.Second)
	o.wantState("b", tel.AgentLoggedOut)
	o.do(Shift{"b", o.now.Add(time.Second)})
	if !errors.Is(o.refused(), ErrLoggedOut) {
		t.Fatalf("the shift of who is at home: %v", o.refused())
	}
}

// A shift ends by the clock on the wall: a clock that is set moves waits and after-call work, not the hour
// at which people go home.
func TestAShiftEndsByTheClockThatWasSet(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	o.do(Shift{"a", o.now.Add(time.Hour)})
	o.now = o.now.Add(40 * time.Minute)
	o.do(ClockMoved{40 * time.Minute})
	o.wantState("a", tel.AgentReady)
	o.wait(20 * time.Minute)
	o.wantState("a", tel.AgentLoggedOut)
}

func TestTheLastAgentWhoLeavesIsMissedByTheQueueUntilOneIsBack(t *testing.T) {
	o := staffed(t, q1("a", "b"), "a", "b")
	said := func() (list []bool) {
		for _, e := range o.events {
			if s, ok := e.(tel.QueueStaffed); ok {
				list = append(list, s.Staffed)
			}
		}
		return list
	}
	if got := said(); !slices.Equal(got, []bool{true}) {
		t.Fatalf("at the start of the day %v, want that it is staffed and no warning before", got)
	}
	o.events = nil
	o.do(Logout{"a"})
	if len(said()) != 0 {
		t.Fatal("warned while one agent is left")
	}
	o.do(Pause{"b", "lunch"})
	o.do(Resume{"b"})
	if got := said(); !slices.Equal(got, []bool{false, true}) {
		t.Fatalf("told %v", got)
	}
}

func TestAPauseInOneQueueLeavesTheOthers(t *testing.T) {
	two := []QueueSpec{{ID: "help", Members: []tel.AgentID{"a"}}, {ID: "sales", Members: []tel.AgentID{"a", "b"}}}
	o := staffed(t, two, "a", "b")
	o.call("c1", "sales")
	ring := o.one()
	if ring.Agent != "a" {
		t.Fatalf("rings %s", ring.Agent)
	}
	o.do(LeaveQueue{"a", "sales", "mail"})
	if w := o.withdrawals(); len(w) != 1 || w[0].Offer != ring.Offer {
		t.Fatalf("withdrawn %+v", w)
	}
	if next := o.one(); next.Agent != "b" {
		t.Fatalf("then rang %s", next.Agent)
	}
	o.wantState("a", tel.AgentReady)
	x := o.s.Explain("c1", o.now)
	if len(x) != 2 || x[1].Agent != "a" || x[1].Verdict != OutOfIt {
		t.Fatalf("explanation %+v", x)
	}
	o.call("c2", "help")
	if next := o.one(); next.Agent != "a" {
		t.Fatalf("the other queue rang %s", next.Agent)
	}
	o.tell(tel.CallerGone{Call: "c2"})
	o.call("c3", "sales") // b rings for c1
	if len(o.offers()) != 0 {
		t.Fatal("rang who is out of the queue")
	}
	o.do(EnterQueue{"a", "sales"})
	if next := o.one(); next.Agent != "a" || next.Call != "c3" {
		t.Fatalf("back in the queue: %+v", next)
	}
	for _, c := range []struct {
		do   Event
		want error
	}{
		{LeaveQueue{"b", "help", ""}, ErrNotMember},
		{EnterQueue{"b", "help"}, ErrNotMember},
		{LeaveQueue{"a", "none", ""}, ErrUnknownQueue},
		{Serve{"b", []tel.QueueID{"help"}}, ErrNotMember},
		{Serve{"a", []tel.QueueID{"none"}}, ErrUnknownQueue},
		{LeaveQueue{"x", "help", ""}, ErrUnknownAgent},
	} {
		if o.do(c.do); !errors.Is(o.refused(), c.want) {
			t.Errorf("%+v: %v, want %v", c.do, o.refused(), c.want)
		}
	}
}

// The set of queues that somebody chose is there again after a logout, a change of the configuration and
// a restart.
func TestALoginRestoresTheQueuesChosenLast(t *testing.T) {
	queues := []QueueSpec{{ID: "help", Members: []tel.AgentID{"a"}}, {ID: "post", Members: []tel.AgentID{"a"}}, {ID: "sales", Members: []tel.AgentID{"a"}}}
	o := staffed(t, queues, "a")
	o.do(Serve{"a", []tel.QueueID{"help", "sales"}})
	o.do(Logout{"a"})
	o.do(Configure{queues, []AgentSpec{{ID: "a"}}})
	b, err := o.s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if o.s, err = Restore(b); err != nil {
		t.Fatal(err)
	}
	o.do(Login{"a"})
	serves := func() (list []tel.QueueID) {
		for _, id := range sorted(o.s.Queues) {
			if slices.Contains(o.s.Queues[id].Spec.Members, "a") {
				list = append(list, id)
			}
		}
		return list
	}
	if got := serves(); !slices.Equal(got, []tel.QueueID{"help", "sales"}) {
		t.Fatalf("serves %v", got)
	}
	o.do(Serve{Agent: "a"})
	if got := serves(); len(got) != 3 {
		t.Fatalf("serves %v, want all", got)
	}
}

func TestASupervisorMovesAgentsBetweenQueuesUntilTakenBack(t *testing.T) {
	queues := []QueueSpec{{ID: "help", Members: []tel.AgentID{"b"}}, {ID: "sales", Members: []tel.AgentID{"a", "b"}}}
	o := staffed(t, queues, "a", "b")
	o.do(RemoveMember{"a", "sales", "carla"})
	o.do(AddMember{"a", "help", "carla"})
	o.do(Configure{queues, []AgentSpec{{ID: "a"}, {ID: "b"}}}) // a reload changes nothing of it
	if o.call("c1", "sales"); o.one().Agent != "b" {
		t.Fatal("rang who was taken out of the queue")
	}
	if o.call("c2", "help"); o.one().Agent != "a" {
		t.Fatal("did not ring who was added")
	}
	o.do(EnterQueue{"a", "sales"})
	if !errors.Is(o.refused(), ErrTakenOut) {
		t.Fatalf("back against the supervisor's will: %v", o.refused())
	}
	o.do(Serve{Agent: "a"})
	if slices.Contains(o.s.Queues["sales"].Spec.Members, "a") {
		t.Fatal("back against the supervisor's will, by serving all queues")
	}
	o.do(AddMember{"a", "sales", "carla"})
	o.do(RemoveMember{"a", "help", "carla"})
	if got := o.s.Queues["sales"].Spec.Members; !slices.Equal(got, []tel.AgentID{"a", "b"}) {
		t.Fatalf("sales %v", got)
	}
	if got := o.s.Queues["help"].Spec.Members; !slices.Equal(got, []tel.AgentID{"b"}) {
		t.Fatalf("help %v", got)
	}
}

func TestASupervisorsPauseSaysWhoseItIs(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	o.do(ForcePause{"a", "", "carla"})
	o.wantState("a", tel.AgentPaused)
	if s := o.s.Agents["a"].Shown; s.Reason != ReasonForced || s.By != "carla" {
		t.Fatalf("shown %+v", s)
	}
	o.do(Pause{"a", "lunch"})
	if s := o.s.Agents["a"].Shown; s.Reason != "lunch" || s.By != "" {
		t.Fatalf("shown %+v", s)
	}
	o.do(ForceLogout{"a", "carla"})
	o.wantState("a", tel.AgentLoggedOut)
	if s := o.s.Agents["a"].Shown; s.Reason != ReasonForced || s.By != "carla" {
		t.Fatalf("shown %+v", s)
	}
	o.do(ForcePause{"a", "", "carla"})
	if !errors.Is(o.refused(), ErrLoggedOut) {
		t.Fatalf("a pause of who is at home: %v", o.refused())
	}
}
