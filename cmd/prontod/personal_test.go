package main_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Who met a busy colleague is called as soon as both are free.
func TestCompletionOnBusyCallsBackWhenBothAreFree(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3})
	anna, bruno, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCarrier), deskAt(t, o, 203, hzCaller)
	if s := carla.refused("*37"); s != 404 {
		t.Errorf("a wish without a busy number: %d", s)
	}
	anna.code("#26") // no call waiting
	talk := bruno.dial("201")
	at := anna.picksUp()
	if s := carla.refused("201"); s != 486 {
		t.Fatalf("a busy colleague: %d", s)
	}
	carla.code("*37")
	o.Kill() // the wish is not forgotten
	o.Phone(203)
	talking(t, "after the crash", talk, hzCarrier, at, hzAgent)
	carla.quiet("she is still busy")
	over(t, talk, at)
	back := carla.picksUp()
	if back.Caller != "201" {
		t.Errorf("the call back is shown as %q", back.Caller)
	}
	at = anna.picksUp()
	if at.Caller != "203" {
		t.Errorf("the colleague sees %q", at.Caller)
	}
	talking(t, "called back", back, hzCaller, at, hzAgent)
	over(t, back, at)

	talk = bruno.dial("201")
	at = anna.picksUp()
	if s := carla.refused("201"); s != 486 {
		t.Fatalf("a busy colleague: %d", s)
	}
	carla.code("*37")
	carla.code("#37") // taken back
	over(t, talk, at)
	time.Sleep(4 * time.Second) // the pause before a call back is 3 s
	carla.quiet("the wish was taken back")
}

// A person sits down at another desk: calls ring there as well as at the own one, the lamp and the
// colleagues' keys follow.
func TestAPersonTakesAnotherDeskWithACodeAndLeavesIt(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 3, LoggedIn: 1, Carrier: 5070, Calls: person(201, `pin: "4711"`), Dial: map[int]string{202: "internal"},
	})
	own, hot, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzModem), deskAt(t, o, 203, hzCaller)
	carrier := carrierOf(t, o, hzCarrier)
	o.Lamp(201, tel.AgentReady)
	key := subscribe(t, carla.Peer, "dialog", "201")
	note(t, key, `entity="sip:201@`)
	sit := func(pin string) *peer.Call {
		t.Helper()
		c := hot.talksTo("*11201")
		listen(t, "the question for the code", c)
		c.Audio().Press(pin + "#")
		return c
	}
	c := sit("4712")
	time.Sleep(2 * time.Second)
	listen(t, "that the code is wrong", c)
	c.Audio().Press("4711#")
	within(t, "the end of the code", c.Ended())

	c = carla.dial("201")
	at := hot.picksUp()
	note(t, key, "<state>confirmed</state>")
	o.Lamp(201, tel.AgentInternal)
	talking(t, "at the other desk", c, hzCaller, at, hzModem)
	empty := own.ring()
	within(t, "the end of the ring at the own desk", empty.Ended())
	answeredElsewhere(t, empty)
	over(t, c, at)
	note(t, key, "<state>terminated</state>")
	c = hot.dial("0612345678") // with the person's rights, which the desk itself has not
	out := carrier.picksUp()
	over(t, c, out)
	o.Kill()
	o.Phone(202)
	o.Lamp(201, tel.AgentReady)
	c = carla.dial("400") // the queue rings there too
	at = hot.picksUp()
	o.Lamp(201, tel.AgentTalking)
	empty = own.ring()
	within(t, "the end of the queue's ring at the own desk", empty.Ended())
	over(t, c, at)
	hot.code("#11")
	c = carla.dial("201")
	over(t, c, own.picksUp())
	if s := hot.refused("0612345678"); s != 403 {
		t.Errorf("the desk without the person calls outside: %d", s)
	}
	hot.quiet("the person has left")
}

func TestSpeedDialsCallWithThePersonsRights(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, Carrier: 5070, Dial: map[int]string{202: "internal"}})
	anna, bruno := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller)
	carrier := carrierOf(t, o, hzCarrier)
	anna.code("*75070612345678")
	o.Kill()
	o.Phone(201)
	o.Line("trunk:carrier", true)
	c := anna.dial("*007")
	out := carrier.picksUp()
	if out.Called != "+390612345678" {
		t.Errorf("the carrier is asked for %q", out.Called)
	}
	talking(t, "speed dial", c, hzAgent, out, hzCarrier)
	over(t, c, out)
	if s := bruno.refused("*75070612345678"); s != 403 {
		t.Errorf("a speed dial of who may not call there: %d", s)
	}
	if s := bruno.refused("*007"); s != 404 {
		t.Errorf("a colleague's speed dial: %d", s)
	}
	anna.code("#7507")
	if s := anna.refused("*007"); s != 404 {
		t.Errorf("a speed dial that was cleared: %d", s)
	}
}

// Unwanted callers are turned away before a phone rings; the carrier never gets a 6xx.
func TestUnwantedAndNamelessCallersAreTurnedAway(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, Carrier: 5070, In: "ext:201", Calls: person(201, "anonymous: reject")})
	anna := deskAt(t, o, 201, hzAgent)
	carrier := carrierOf(t, o, hzCarrier)
	c := carrier.customer(mobileNumber)
	over(t, c, anna.picksUp())
	anna.code("*30") // who called last
	turnedAway := func(when, number string) {
		t.Helper()
		if s := refusal(t, when, carrier.customer(number)); s < 400 || s > 599 {
			t.Errorf("%s: %d", when, s)
		}
	}
	turnedAway("a blocked caller", mobileNumber)
	c = carrier.customer("+390699887766")
	over(t, c, anna.picksUp())
	turnedAway("a caller without a number", "anonymous")
	anna.code("*310699887766") // by number, in another form
	turnedAway("a caller blocked by number", "+390699887766")
	anna.code("#30" + strings.TrimPrefix(mobileNumber, "+39"))
	c = carrier.customer(mobileNumber)
	over(t, c, anna.picksUp())
	anna.quiet("the others were turned away")
}

// An intercom call asks the phone to answer by itself, and is not forced on who talks or is not to be
// disturbed.
func TestAnIntercomCallAsksThePhoneToAnswerByItself(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3})
	anna, bruno, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCarrier), deskAt(t, o, 203, hzCaller)
	c := carla.dial("*80201")
	at := anna.ring()
	if info, alert := at.Header("Call-Info"), at.Header("Alert-Info"); !strings.Contains(info, "answer-after=0") || !strings.Contains(alert, "info=alert-autoanswer") {
		t.Errorf("Call-Info %q, Alert-Info %q", info, alert)
	}
	at.Answer()
	talking(t, "intercom", c, hzCaller, at, hzAgent)
	if s := bruno.refused("*80201"); s != 486 {
		t.Errorf("an intercom call to who talks: %d", s)
	}
	over(t, c, at)
	c = carla.dial("201")
	at = anna.ring()
	if info := at.Header("Call-Info"); strings.Contains(info, "answer-after") {
		t.Errorf("an ordinary call has Call-Info %q", info)
	}
	at.Answer()
	over(t, c, at)
	anna.code("*78")
	if s := carla.refused("*80201"); s != 486 {
		t.Errorf("an intercom call to who is not to be disturbed: %d", s)
	}
}

// A premium number is opened for one call by the person's code.
func TestAPremiumNumberAsksForTheCodeOfThePerson(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 1, Carrier: 5070, Calls: person(201, `pin: "4711", pin_dial: [premium]`), Routes: `{prefix: "+39899", via: ["trunk:carrier"]}`,
		Extra: "toll: {premium: true}\n",
	})
	anna := deskAt(t, o, 201, hzAgent)
	carrier := carrierOf(t, o, hzCarrier)
	call := func(pin string) *peer.Call {
		t.Helper()
		c := anna.talksTo("899123456")
		listen(t, "the question for the code", c)
		c.Audio().Press(pin)
		return c
	}
	c := call("4711#")
	out := carrier.picksUp()
	talking(t, "with the code", c, hzAgent, out, hzCarrier)
	over(t, c, out)
	c = call("0000#")
	time.Sleep(2 * time.Second)
	listen(t, "that the code is wrong", c)
	c.Hangup()
	carrier.quiet("the code was wrong")
}

// Whose number is not to be shown is still told to the carrier, who keeps it from the called (RFC 3325
// section 9.3); an emergency call always shows it.
func TestACallWithoutANumberAsksTheCarrierForPrivacy(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 1, Carrier: 5070})
	anna := deskAt(t, o, 201, hzAgent)
	carrier := carrierOf(t, o, hzCarrier)
	for _, x := range []struct{ dialed, called, privacy string }{
		{"0698765432", "+390698765432", ""}, {"#31#0698765432", "+390698765432", "id"}, {"#31#112", "112", ""},
	} {
		c := anna.dial(x.dialed)
		out := carrier.picksUp()
		if out.Called != x.called {
			t.Errorf("%s: the carrier is asked for %q", x.dialed, out.Called)
		}
		if p := out.Header("Privacy"); p != x.privacy {
			t.Errorf("%s: Privacy %q, want %q", x.dialed, p, x.privacy)
		}
		if shown := strings.Contains(out.Header("From"), pbxtest.DID); shown != (x.privacy == "") {
			t.Errorf("%s: From %q", x.dialed, out.Header("From"))
		}
		if id := out.Header("P-Asserted-Identity"); !strings.Contains(id, strings.TrimPrefix(pbxtest.DID, "+")) {
			t.Errorf("%s: the carrier is told %q", x.dialed, id)
		}
		talking(t, x.dialed, c, hzAgent, out, hzCarrier)
		over(t, c, out)
	}
}
