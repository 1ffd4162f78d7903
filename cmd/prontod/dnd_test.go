package main_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Who is not to be disturbed is so everywhere: for colleagues, for the queue, on the lamp, on the page
// and on the keys of the phones.
func TestNethServer7497DoNotDisturbIsOneStateForCallersQueuesLampsAndKeys(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 2})
	anna, bruno, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCarrier), deskAt(t, o, 203, hzCaller)
	o.Lamp(201, tel.AgentReady)
	key, mood := subscribe(t, anna.Peer, "dialog", "*78"), subscribe(t, carla.Peer, "presence", "201")
	note(t, mood, "<basic>open</basic>")
	anna.code("*78")
	o.Lamp(201, tel.AgentPaused)
	note(t, key, "<state>confirmed</state>")
	note(t, mood, "<basic>closed</basic>")
	if s := carla.refused("201"); s != 486 {
		t.Errorf("a call to who is not to be disturbed: %d, want busy", s)
	}
	c := carla.dial("400")
	over(t, c, bruno.picksUp())
	o.Kill()
	o.Lamp(201, tel.AgentPaused)
	if s := carla.refused("201"); s != 486 {
		t.Errorf("after a crash: %d, want busy", s)
	}
	anna.quiet("she is not to be disturbed")
	anna.code("*79")
	o.Lamp(201, tel.AgentReady)
	note(t, mood, "<basic>open</basic>")
	c = carla.dial("201")
	over(t, c, anna.picksUp())
}

// A pause that began before do-not-disturb goes on after it.
func TestTheEndOfDoNotDisturbDoesNotEndAPause(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 1, LoggedIn: 1})
	anna := deskAt(t, o, 201, hzAgent)
	anna.code("*421")
	o.Until("the pause", func(n pbxtest.Now) bool {
		a := n.Agents["agent201"]
		return a.State == tel.AgentPaused && a.Reason == "1"
	})
	anna.code("*78")
	anna.code("*79")
	o.Until("the first pause still", func(n pbxtest.Now) bool {
		a := n.Agents["agent201"]
		return a.State == tel.AgentPaused && a.Reason == "1"
	})
	anna.code("*78")
	anna.code("*420") // who asks for work ends both
	o.Lamp(201, tel.AgentReady)
	anna.code("*78")
	o.Lamp(201, tel.AgentPaused)
	anna.code("*410")
	o.Lamp(201, tel.AgentLoggedOut)
	anna.code("*41") // who comes to work and is not to be disturbed is not offered calls
	o.Lamp(201, tel.AgentPaused)
}

func TestASecondCallRingsOnlyWhereCallWaitingIsOn(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3})
	anna, bruno, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCarrier), deskAt(t, o, 203, hzCaller)
	first := bruno.dial("201")
	annaFirst := anna.picksUp()
	c := carla.dial("201")
	second := anna.ring()
	talking(t, "the first call, while the second rings", first, hzCarrier, annaFirst, hzAgent)
	c.Hangup()
	within(t, "the end of the second ring", second.Ended())
	over(t, first, annaFirst)

	anna.code("#26")
	first = bruno.dial("201")
	annaFirst = anna.picksUp()
	if s := carla.refused("201"); s != 486 {
		t.Errorf("a second call without call waiting: %d, want busy", s)
	}
	anna.quiet("call waiting is off")
	over(t, first, annaFirst)
	anna.code("*26")
	first = bruno.dial("201")
	annaFirst = anna.picksUp()
	c = carla.dial("201")
	anna.ring().Reject(486)
	if s := refusal(t, "201", c); s != 486 {
		t.Errorf("a second call that is declined: %d", s)
	}
	over(t, first, annaFirst)
}

// Together all ring, the first answer wins, and the others learn who answered, so that they count no
// missed call.
func TestAGroupRingsTogetherAndTheLosersAreToldWhoAnswered(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3, Extra: `groups: [{id: office, name: Office, number: "500", members: [{to: "ext:201"}, {to: "ext:202"}]}]` + "\n"})
	anna, bruno, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCarrier), deskAt(t, o, 203, hzCaller)
	c := carla.dial("500")
	loser := anna.ring()
	talking(t, "who answered first", c, hzCaller, bruno.picksUp(), hzCarrier)
	within(t, "the end of the other ring", loser.Ended())
	answeredElsewhere(t, loser)
	c.Hangup()
	c = carla.dial("500") // and who gives up is a missed call
	left := anna.ring()
	bruno.ring()
	c.Hangup()
	within(t, "the end of the ring", left.Ended())
	if why := left.Cause(); strings.Contains(why, "200") {
		t.Errorf("the caller gave up, the phone is told %q", why)
	}
}

func answeredElsewhere(t *testing.T, c *peer.Call) {
	t.Helper()
	if why := c.Cause(); !strings.Contains(why, "cause=200") || !strings.Contains(why, "completed elsewhere") {
		t.Errorf("the phone that did not answer is told %q", why)
	}
}

func TestAGroupInTurnRingsOneAfterTheOtherAndThenGoesOn(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 4, Extra: `groups: [{id: office, name: Office, number: "500", in_turn: true, ring: 5s, no_answer: "ext:203", members: [{to: "ext:201"}, {to: "ext:202"}]}]` + "\n"})
	anna, bruno, carla, dario := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCarrier), deskAt(t, o, 203, hzModem), deskAt(t, o, 204, hzCaller)
	c := dario.dial("500")
	first := anna.ring()
	bruno.quiet("it is not his turn")
	first.Reject(486) // the next one rings at once
	second := bruno.ring()
	carla.quiet("the group still rings")
	within(t, "the end of the second's turn", second.Ended())
	talking(t, "nobody of the group answers", c, hzCaller, carla.picksUp(), hzModem)
	c.Hangup()
}

// The mobile rings beside the desk after a while; whoever answers first has the call.
func TestFollowMeRingsTheDeskAndThenTheMobile(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 2, Carrier: 5070, Routes: `{prefix: "+393", via: ["trunk:carrier"]}`,
		Calls: person(201, `ring: 20s, follow: [{to: "outside:3331234567", after: 1s}]`),
	})
	anna, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller)
	carrier := carrierOf(t, o, hzCarrier)
	c := carla.dial("201")
	desk := anna.ring()
	carrier.quiet("the desk rings alone at first")
	mobile := carrier.picksUp()
	talking(t, "the mobile answers", c, hzCaller, mobile, hzCarrier)
	within(t, "the end of the ring at the desk", desk.Ended())
	answeredElsewhere(t, desk)
	over(t, c, mobile)
	c = carla.dial("201")
	desk = anna.ring()
	mobile = carrier.ring()
	desk.Answer()
	talking(t, "the desk answers", c, hzCaller, desk, hzAgent)
	within(t, "the end of the ring at the mobile", mobile.Ended())
	over(t, c, desk)
}

// The same through a modem, with a real telephone at the desk.
func TestFollowMeReachesTheMobileThroughAModem(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 2, Modem: true, Calls: person(201, `follow: [{to: "outside:3331234567", after: 1s}]`)})
	m := modem(t, o)
	anna, carla := o.Linphone(201, hzAgent), deskAt(t, o, 202, hzCaller)
	c := carla.dial("201")
	anna.Until("incoming call")
	select {
	case <-m.dialed:
	case <-time.After(10 * time.Second):
		t.Fatal("the modem dials nothing")
	}
	if err := m.RemoteAlert(); err != nil {
		t.Fatal(err)
	}
	if err := m.RemoteAnswer(); err != nil {
		t.Fatal(err)
	}
	answered(t, "201", c)
	anna.Until("ended")
	hearsTone(t, "Carla", c, hzModem)
	m.hears(t, hzCaller)
	c.Hangup()
}
