package view

import (
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// way is a trail in words.
func way(t Trail) string {
	var all []string
	for _, n := range t.Nodes() {
		all = append(all, n.State)
	}
	return strings.Join(all, " ")
}

func TestACallIsSeenOnItsWay(t *testing.T) {
	lamp := func(s tel.AgentState, fault bool) tel.Event {
		return tel.LampChanged{Lamp: "desk1", Agent: "anna", State: s, Fault: fault}
	}
	call := func(stage tel.CallStage, via string, agent tel.AgentID) tel.Event {
		c := tel.CallChanged{Call: "c1", Stage: stage, Via: via, From: "+393331112222", Agent: agent}
		if stage == tel.StageWaiting || stage == tel.StageTalking {
			c.Queue = "sales"
		}
		return c
	}
	joined := tel.QueueJoined{Call: "c1", Queue: "sales"}
	offered := tel.QueueOffered{Call: "c1", Queue: "sales", Agent: "anna"}
	left := func(how tel.QueueOutcome) tel.Event {
		return tel.QueueLeft{Call: "c1", Queue: "sales", Outcome: how, Agent: "anna"}
	}
	type step struct {
		e    tel.Event
		want string
	}
	for name, x := range map[string]struct {
		steps  []step
		passed bool
	}{
		"from a line to a lamp": {[]step{
			{lamp(tel.AgentReady, false), ""},
			{call(tel.StageRouting, "trunk:tim", ""), "done now ahead ahead"},
			{joined, "done done now ahead"},
			{offered, "done done now ahead"},
			{lamp(tel.AgentRinging, false), "done done now now"},
			{left(tel.OutcomeAnswered), "done done done now"},
			{lamp(tel.AgentTalking, false), "done done done done"},
			{lamp(tel.AgentWrapUp, false), "done done done done"},
			{call(tel.StageEnded, "trunk:tim", ""), "done done done done"},
		}, true},
		"the lamp is told before the call": {[]step{
			{lamp(tel.AgentReady, false), ""},
			{call(tel.StageRouting, "trunk:tim", ""), "done now ahead ahead"},
			{joined, "done done now ahead"},
			{offered, "done done now ahead"},
			{lamp(tel.AgentTalking, false), "done done now ahead"},
			{call(tel.StageTalking, "trunk:tim", "anna"), "done done done done"},
		}, true},
		"an agent without a lamp": {[]step{
			{call(tel.StageRouting, "line:gsm0", ""), "done now ahead ahead"},
			{joined, "done done now ahead"},
			{offered, "done done now none"},
			{left(tel.OutcomeAnswered), "done done done none"},
		}, true},
		"a lamp that does not answer": {[]step{
			{lamp(tel.AgentReady, true), ""},
			{call(tel.StageRouting, "line:gsm0", ""), "done now ahead ahead"},
			{joined, "done done now ahead"},
			{offered, "done done now lost"},
			{left(tel.OutcomeAnswered), "done done done lost"},
		}, false},
		"nobody answers": {[]step{
			{call(tel.StageRouting, "line:gsm0", ""), "done now ahead ahead"},
			{joined, "done done now ahead"},
			{offered, "done done now none"},
			{left(tel.OutcomeAbandoned), "done done now none"},
			{call(tel.StageEnded, "line:gsm0", ""), "done done lost none"},
		}, false},
		"from inside there is no line to try": {[]step{
			{call(tel.StageRinging, "", ""), "now ahead ahead ahead"},
			{call(tel.StageWaiting, "phone:201", ""), "none done now ahead"},
		}, false},
		"nobody answers whom the box rings": {[]step{
			{call(tel.StageRinging, "", ""), "now ahead ahead ahead"},
			{call(tel.StageEnded, "", ""), "lost lost lost lost"},
		}, false},
		"seen only when it is there already": {[]step{
			{lamp(tel.AgentTalking, false), ""},
			{call(tel.StageTalking, "trunk:tim", "anna"), "done done done done"},
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var ts Trails
			for i, s := range x.steps {
				ts.Apply(s.e)
				got, ok := ts.Of("c1")
				if w := way(got); ok && w != s.want || ok != (s.want != "") {
					t.Fatalf("step %d: %q, want %q", i, w, s.want)
				}
			}
			if got, _ := ts.Of("c1"); got.Passed() != x.passed {
				t.Errorf("passed: %v", got.Passed())
			}
		})
	}
}

func TestOnlyTheLatestCallsAreFollowed(t *testing.T) {
	var ts Trails
	for i := range 3 * mostTrails {
		ts.Apply(tel.CallChanged{Call: tel.CallID(rune('A' + i)), Stage: tel.StageRouting, Via: "trunk:tim"})
	}
	if len(ts.all) != mostTrails {
		t.Fatalf("%d calls", len(ts.all))
	}
	if newest, _ := ts.Of(""); newest.Call != tel.CallID(rune('A'+3*mostTrails-1)) {
		t.Errorf("the newest is %q", newest.Call)
	}
	if _, ok := ts.Of("A"); ok {
		t.Error("the oldest is still followed")
	}
}
