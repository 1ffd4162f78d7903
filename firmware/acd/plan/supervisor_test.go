package plan

import (
	"errors"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestAnAssignedCallerRingsExactlyThatAgentBeforeEverybodyElse(t *testing.T) {
	qs := q1("a", "b", "c")
	qs[0].Strategy = RingAll
	o := staffed(t, qs, "a", "b", "c")
	o.do(Pause{"c", "lunch"})
	o.call("c1", "q") // rings a and b
	o.call("c2", "q")
	o.do(Assign{"c2", "c", "carla"})
	offer := o.one()
	if offer.Call != "c2" || offer.Agent != "c" {
		t.Fatalf("offer %+v", offer)
	}
	for _, e := range o.events {
		if q, ok := e.(tel.QueueOffered); ok && q.Offer == offer.Offer && q.Why.String() != "assigned by carla" {
			t.Fatalf("why %q", q.Why)
		}
	}
	o.tell(tel.CallerGone{Call: "c1"}) // a and b are free, and do not ring along
	if n := len(o.s.Entries["c2"].Offers); n != 1 {
		t.Fatalf("%d phones ring for an assigned caller", n)
	}
	o.tell(tel.OfferAnswered{Offer: offer.Offer})
	o.wantState("c", tel.AgentTalking)
}

func TestAnAssignedCallerWhoIsNotTakenWaitsOnInTheOldPlace(t *testing.T) {
	o := staffed(t, q1("a", "b"), "a", "b")
	o.tell(tel.AgentEngaged{Agent: "a", Call: "x"})
	o.call("c1", "q") // rings b
	first := o.one()
	o.wait(time.Second)
	o.call("c2", "q")
	o.do(Assign{"c2", "b", ""}) // b picks the second: the first one's ring ends
	if w := o.withdrawals(); len(w) != 1 || w[0].Offer != first.Offer {
		t.Fatalf("withdrawn %+v", w)
	}
	o.tell(tel.OfferSettled{Offer: first.Offer})
	pick := o.one()
	if pick.Call != "c2" || pick.Agent != "b" {
		t.Fatalf("picked %+v", pick)
	}
	o.tell(tel.OfferFailed{Offer: pick.Offer, Cause: tel.CauseRejected})
	o.tell(tel.AgentDisengaged{Agent: "a", Call: "x"})
	if next := o.one(); next.Call != "c1" || next.Agent != "a" {
		t.Fatalf("next %+v, want the first caller in turn", next)
	}
}

func TestWhatASupervisorCannotDoIsSaidInWords(t *testing.T) {
	two := []QueueSpec{{ID: "help", Members: []tel.AgentID{"a"}}, {ID: "sales", Members: []tel.AgentID{"b"}}}
	o := staffed(t, two, "a", "b")
	o.do(Logout{"b"})
	o.talks("c1", "help")
	o.call("c2", "sales")
	for _, c := range []struct {
		do   Event
		want error
	}{
		{Assign{"none", "a", ""}, ErrNoCaller},
		{Assign{"c2", "none", ""}, ErrUnknownAgent},
		{Assign{"c2", "a", ""}, ErrBusy},
		{Assign{"c2", "b", ""}, ErrLoggedOut},
		{Move{"none", "help", ""}, ErrNoCaller},
		{Move{"c2", "none", ""}, ErrUnknownQueue},
		{Move{"c2", "sales", ""}, ErrSameQueue},
		{AddMember{"a", "none", ""}, ErrUnknownQueue},
		{RemoveMember{"a", "sales", ""}, ErrNotMember},
	} {
		if o.do(c.do); !errors.Is(o.refused(), c.want) {
			t.Errorf("%+v: %v, want %v", c.do, o.refused(), c.want)
		}
	}
	o.do(Login{"b"})
	o.tell(tel.AgentReachable{Agent: "b"})
	if o.do(Assign{"c2", "b", ""}); !errors.Is(o.refused(), ErrUnreachable) {
		t.Errorf("to who has no phone: %v", o.refused())
	}
}

func TestAMovedCallerLeavesTheQueueOnceAndKeepsTheTimeWaited(t *testing.T) {
	two := []QueueSpec{{ID: "help", Members: []tel.AgentID{"a"}}, {ID: "sales", Members: []tel.AgentID{"b"}}}
	o := newOffice(t, two, "a", "b")
	o.call("c1", "sales")
	joined := o.now
	o.wait(time.Minute)
	o.do(Move{"c1", "help", "carla"})
	var sent []tel.Overflow
	for _, x := range o.out {
		if s, ok := x.(Send); ok {
			sent = append(sent, s.Message.(tel.Overflow))
		}
	}
	if len(sent) != 1 || sent[0].To != "queue:help" || sent[0].Why != "moved" || len(o.left()) != 1 {
		t.Fatalf("sent %+v, left %+v", sent, o.left())
	}
	o.tell(tel.Enqueue{Call: "c1", Queue: "help", EnqueuedAt: joined}) // as the call does with its first time
	o.tell(tel.AgentReachable{Agent: "a", Reachable: true})
	o.call("c2", "help")
	if o.do(Login{"a"}); o.one().Call != "c1" {
		t.Fatalf("the moved caller lost the minute: %+v", o.offers())
	}
}

// A supervisor's skills hold through a change of the configuration, until the agent logs in again.
func TestASupervisorsSkillsHoldUntilTheNextLogin(t *testing.T) {
	spec := []AgentSpec{{ID: "a", Skills: map[string]int{"english": 5}}, {ID: "b"}}
	o := staffed(t, q1("a", "b"), "a", "b")
	o.do(Configure{[]QueueSpec{q1("a", "b")[0].Defaults()}, spec})
	o.tell(tel.AgentEngaged{Agent: "a", Call: "x"})
	german := func(call tel.CallID) {
		o.tell(tel.Enqueue{Call: call, Queue: "q", EnqueuedAt: o.now, Needs: []tel.Need{{Skill: "german", Level: 3}}})
	}
	o.do(SetSkills{"b", map[string]int{"german": 4}, "carla"})
	german("c1")
	if offer := o.one(); offer.Agent != "b" {
		t.Fatalf("rang %s", offer.Agent)
	}
	o.tell(tel.CallerGone{Call: "c1"})
	o.do(Configure{[]QueueSpec{q1("a", "b")[0].Defaults()}, spec})
	if got := o.s.Agents["b"].Spec.Skills["german"]; got != 4 {
		t.Fatalf("after a reload German at %d", got)
	}
	german("c2") // waits for b, who rings
	o.do(Logout{"b"})
	o.do(Login{"b"})
	if got := o.s.Agents["b"].Spec.Skills; len(got) != 0 {
		t.Fatalf("after a login %v", got)
	}
	if len(o.s.Entries) != 0 {
		t.Fatal("a caller waits for what nobody can do any more")
	}
	o.do(SetSkills{"a", map[string]int{"german": 11}, "carla"})
	if !errors.Is(o.refused(), ErrConfig) {
		t.Fatalf("a level that does not exist: %v", o.refused())
	}
	o.do(SetSkills{"a", map[string]int{"german": 10}, "carla"})
	german("c3")
	o.do(SetSkills{Agent: "a"})
	if got := o.s.Agents["a"].Spec.Skills; len(got) != 1 || got["english"] != 5 {
		t.Fatalf("given back: %v", got)
	}
	if len(o.s.Entries) != 0 {
		t.Fatalf("%d callers wait for what nobody can do any more", len(o.s.Entries))
	}
}
