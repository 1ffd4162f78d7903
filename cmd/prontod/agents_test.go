package main_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// agentIs waits until an agent is in a state for a reason.
func agentIs(o *pbxtest.Office, agent tel.AgentID, state tel.AgentState, reason string) tel.AgentChanged {
	n := o.Until(string(agent)+" to be "+state.String()+" ("+reason+")", func(n pbxtest.Now) bool {
		a := n.Agents[agent]
		return a.State == state && a.Reason == reason
	})
	return n.Agents[agent]
}

// Help is asked for in the middle of a call: the lamp and the agent's own key show it, the call goes on.
func TestAnAgentAsksForHelpByCodeAndLampAndKeyShowIt(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 1})
	anna, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller)
	o.Lamp(201, tel.AgentReady)
	key := subscribe(t, anna.Peer, "dialog", "*47")
	c := carla.dial("400")
	at := anna.picksUp()
	o.Lamp(201, tel.AgentTalking)
	anna.code("*47")
	note(t, key, "<state>confirmed</state>")
	o.Until("the lamp to ask for help", func(n pbxtest.Now) bool {
		return n.Lamps["agent201"].Help && n.Agents["agent201"].Help && n.Agents["agent201"].State == tel.AgentTalking
	})
	talking(t, "while help is asked for", c, hzCaller, at, hzAgent)
	anna.code("#47")
	note(t, key, "<state>terminated</state>")
	o.Until("the lamp to be calm", func(n pbxtest.Now) bool {
		return !n.Lamps["agent201"].Help && n.Lamps["agent201"].State == tel.AgentTalking
	})
	over(t, c, at)
	o.Lamp(201, tel.AgentReady)
}

// Whose contract says so enters a code to come to work, at whatever desk; the desk becomes the seat.
func TestAnAgentComesToWorkAtAnyDeskWithACode(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 3, LoggedIn: 0, Calls: person(201, `pin: "4711"`), Work: person(201, "login_pin: true"),
	})
	own, hot, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzModem), deskAt(t, o, 203, hzCaller)
	o.Lamp(201, tel.AgentLoggedOut)
	enter := func(d *desk, code, pin string) {
		t.Helper()
		c := d.talksTo(code)
		listen(t, "the question for the code", c)
		c.Audio().Press(pin + "#")
		within(t, "the end of "+code, c.Ended())
	}
	enter(own, "*41", "4711")
	o.Lamp(201, tel.AgentReady)
	own.code("*410")
	o.Lamp(201, tel.AgentLoggedOut)
	enter(hot, "*41201", "4711")
	o.Lamp(201, tel.AgentReady)
	c := carla.dial("400")
	at := hot.picksUp()
	talking(t, "at the other desk", c, hzCaller, at, hzModem)
	if n, err := o.Now(); err != nil || n.Agents["agent202"].State != tel.AgentLoggedOut {
		t.Errorf("whose desk it is: %+v, %v", n.Agents["agent202"], err)
	}
	over(t, c, at)
	hot.code("*410")
	o.Lamp(201, tel.AgentLoggedOut)
}

// A key leaves one queue only: its lamp is lit, calls for the queue go to the others, the way back works.
func TestAnAgentLeavesOneQueueByAKeyAndComesBack(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 2})
	anna, bruno, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzModem), deskAt(t, o, 203, hzCaller)
	o.Lamp(201, tel.AgentReady)
	o.Lamp(202, tel.AgentReady)
	key := subscribe(t, anna.Peer, "dialog", "#48400")
	anna.code("#48400")
	note(t, key, "<state>confirmed</state>")
	o.Lamp(201, tel.AgentReady) // at work, for other queues
	for range 2 {
		c := carla.dial("400")
		over(t, c, bruno.picksUp())
		o.Lamp(202, tel.AgentReady)
	}
	anna.quiet("she has left the queue")
	o.Kill() // and is out of it after a crash
	o.Phone(202)
	c := carla.dial("400")
	over(t, c, bruno.picksUp())
	anna.quiet("she has left the queue")
	anna.code("*48400")
	note(t, key, "<state>terminated</state>")
	bruno.code("*410")
	o.Lamp(202, tel.AgentLoggedOut)
	c = carla.dial("400")
	over(t, c, anna.picksUp())
	if s := anna.refused("#48401"); s != 404 {
		t.Errorf("leaving a queue that does not exist: %d", s)
	}
}

func TestPauseReasonsComeFromTheList(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 1, LoggedIn: 1, Extra: `pauses: {only: true, reasons: [{code: "1", name: Coffee}, {code: "2", name: Lunch}]}` + "\n"})
	anna := deskAt(t, o, 201, hzAgent)
	o.Lamp(201, tel.AgentReady)
	if s := anna.refused("*42"); s != 404 {
		t.Errorf("a pause without a reason: %d", s)
	}
	anna.code("*421")
	first := agentIs(o, "agent201", tel.AgentPaused, "Coffee")
	anna.code("*422")
	if second := agentIs(o, "agent201", tel.AgentPaused, "Lunch"); !second.Since.After(first.Since) {
		t.Errorf("another reason begins another interval: since %v, before %v", second.Since, first.Since)
	}
	anna.code("*420")
	o.Lamp(201, tel.AgentReady)
}

// Who does not answer is paused with the reason shown, the queue has nobody left and says so, and the
// caller is still there when the agent is back.
func TestWhoMissesTooManyCallsIsPausedAndTheQueueWarns(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 1, Queue: "missed: {after: 2}"})
	anna, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller)
	o.Lamp(201, tel.AgentReady)
	first := carla.dial("400")
	anna.ring().Reject(486) // busy is no miss
	second := carla.dial("400")
	for range 2 {
		anna.ring().Reject(603)
	}
	agentIs(o, "agent201", tel.AgentPaused, "missed_calls")
	if text := o.Alarm("unstaffed", true); text != "Sales" {
		t.Errorf("the warning names %q", text)
	}
	anna.quiet("she is paused")
	anna.code("*420")
	o.Alarm("unstaffed", false)
	at := anna.picksUp()
	first.Hangup()
	second.Hangup()
	within(t, "the end of the call", at.Ended())
}

// The hold key is a state of the agent, and so is a call to the outside.
func TestHoldAndOutsideCallsAreStatesOfTheirOwn(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 1, Carrier: 5070, WrapUp: time.Minute})
	anna, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller)
	carrier := carrierOf(t, o, hzCarrier)
	o.Lamp(201, tel.AgentReady)
	c := carla.dial("400")
	at := anna.picksUp()
	o.Lamp(201, tel.AgentTalking)
	hold(t, at, true)
	o.Lamp(201, tel.AgentHold)
	out := anna.dial("0612345678")
	far := carrier.picksUp()
	o.Lamp(201, tel.AgentOutbound)
	over(t, out, far)
	o.Lamp(201, tel.AgentHold)
	hold(t, at, false)
	o.Lamp(201, tel.AgentTalking)
	over(t, c, at)
	o.Lamp(201, tel.AgentWrapUp)
	out = anna.dial("0612345678") // after-call work is done by telephone, and ends by its key
	far = carrier.picksUp()
	o.Lamp(201, tel.AgentOutbound)
	over(t, out, far)
	o.Lamp(201, tel.AgentWrapUp)
	anna.code("*440")
	anna.code("*44")
	o.Lamp(201, tel.AgentReady)
}

// What a supervisor does at the console: look, pause, take out of a queue, assign a waiting caller.
func TestASupervisorAtTheConsoleMovesAgentsAndCallers(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 2})
	anna, bruno, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzModem), deskAt(t, o, 203, hzCaller)
	o.Lamp(201, tel.AgentReady)
	o.Lamp(202, tel.AgentReady)
	ctl(t, o, "agent", "pause", "agent201", "team", "meeting")
	if a := agentIs(o, "agent201", tel.AgentPaused, "team meeting"); a.By != "prontoctl" {
		t.Errorf("paused by %q", a.By)
	}
	ctl(t, o, "agent", "remove", "agent202", "sales")
	c := carla.dial("400")
	n := o.Until("the caller to wait", func(n pbxtest.Now) bool { return len(n.Waits) == 1 })
	bruno.quiet("he was taken out of the queue")
	ctl(t, o, "agent", "assign", "agent201", string(n.Waits[0].Call)) // she is paused, and is asked all the same
	at := anna.picksUp()
	talking(t, "an assigned caller", c, hzCaller, at, hzAgent)
	if said := ctl(t, o, "agents"); !strings.Contains(said, "out of sales") || !strings.Contains(said, "talking") {
		t.Errorf("agents: %s", said)
	}
	over(t, c, at)
	agentIs(o, "agent201", tel.AgentPaused, "team meeting")
	ctl(t, o, "agent", "logout", "agent201")
	agentIs(o, "agent201", tel.AgentLoggedOut, "forced")
	ctl(t, o, "agent", "add", "agent202", "sales")
	c = carla.dial("400")
	over(t, c, bruno.picksUp())
	for _, wrong := range [][]string{{"agent", "pause", "nobody"}, {"agent", "add", "agent202", "none"}, {"agent", "assign", "agent202", "none"}, {"move", "none", "sales"}} {
		if said, err := console(o, wrong...); err == nil || said == "" {
			t.Errorf("%v: %q, %v", wrong, said, err)
		}
	}
}

// After the call the agent dials what came of it; the last word of each call is in the records.
func TestAnAgentSaysByCodeWhatCameOfTheCall(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 2, LoggedIn: 1, Extra: `dispositions: [{code: "1", name: Venduto}, {code: "2", name: Reclamo}]`,
	})
	anna, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller)
	o.Lamp(201, tel.AgentReady)
	for _, codes := range [][]string{{"*491", "*492"}, {"*491"}} { // of the first caller there is a second thought
		c := carla.dial("400")
		at := anna.picksUp()
		talking(t, "with the customer", c, hzCaller, at, hzAgent)
		over(t, c, at)
		o.Lamp(201, tel.AgentReady)
		for _, code := range codes {
			anna.code(code)
			o.Lamp(201, tel.AgentReady)
		}
	}
	said := o.Dispositions(2)
	waits := o.WaitRecords(2)
	for i, want := range []string{"Venduto", "Reclamo"} {
		if d := said[i]; d.Disposition != want || d.Agent != "agent201" || d.Queue != waits[i].Queue || d.Call != waits[i].Call {
			t.Errorf("%d: %+v of %+v, want %s", i, d, waits[i], want)
		}
	}
}
