package main_test

import (
	"slices"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// invited lists the calls that have come to a phone, by Call-ID, in their order.
func (d *desk) invited() (calls []string) {
	for _, r := range d.Requests(sip.INVITE) {
		if id := r.CallID().Value(); !slices.Contains(calls, id) {
			calls = append(calls, id)
		}
	}
	return calls
}

// A phone that answers nothing cannot be sent a CANCEL (RFC 3261 section 9.1), so its call stays with it until it
// speaks or the transaction dies. Until then it has one call and not two; the agent is shown as who does not answer.
func TestAPhoneThatAnswersNothingIsNotRungForTheNextCaller(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 1, LoggedIn: 1, Carrier: 5070})
	anna, carrier := deskAt(t, o, 201, hzAgent), carrierOf(t, o, hzCarrier)
	o.Lamp(201, tel.AgentReady)
	anna.Mute(true)
	first := carrier.customer(number(1))
	o.Until("the offer", func(n pbxtest.Now) bool { return len(n.Offers) == 1 })
	next := carrier.customer(number(2))
	first.Hangup()
	within(t, "the first caller's end", first.Ended())
	agentIs(o, "agent201", tel.AgentUnreachable, "phone_silent")
	o.Lamp(201, tel.AgentUnreachable)
	if came := anna.invited(); len(came) != 1 {
		t.Fatalf("calls %q are at a phone that says nothing", came)
	}
	anna.Mute(false) // our INVITE comes again, up to 32 s later
	at := anna.ring()
	for at.Caller != number(2) { // that of the first caller, which is cancelled as soon as it rings
		within(t, "the first ring's end", at.Ended())
		at = anna.ring()
	}
	if anna.Doubles() > 0 {
		t.Error("the phone rang for two callers at once")
	}
	if !at.Answer() {
		t.Fatal("the next caller is gone")
	}
	o.Lamp(201, tel.AgentTalking)
	next.Hangup()
	within(t, "the agent's end", at.Ended())
}

// A phone that has said 100 and nothing more can be sent the CANCEL, which it does not answer either.
func TestAPhoneThatIsSilentAfter100IsNotRungForTheNextCaller(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 1, LoggedIn: 1, Carrier: 5070})
	anna := &desk{t: t, hz: hzAgent, rings: make(chan *peer.Call, 8)}
	anna.Peer = phone(t, o, 201, hzAgent, func(c *peer.Call) { anna.rings <- c }) // has said 100
	carrier := carrierOf(t, o, hzCarrier)
	o.Lamp(201, tel.AgentReady)
	first := carrier.customer(number(1))
	before := anna.ring()
	anna.Mute(true)
	first.Hangup()
	within(t, "the first caller's end", first.Ended())
	next := carrier.customer(number(2))
	agentIs(o, "agent201", tel.AgentUnreachable, "phone_silent")
	if came := anna.invited(); len(came) != 1 {
		t.Fatalf("calls %q are at a phone that says nothing", came)
	}
	anna.Mute(false) // the CANCEL comes again
	within(t, "the end of what was at the phone", before.Ended())
	at := anna.picksUp()
	if at.Caller != number(2) || anna.Doubles() > 0 {
		t.Errorf("%s rings, %d doubles", at.Caller, anna.Doubles())
	}
	o.Lamp(201, tel.AgentTalking)
	next.Hangup()
	within(t, "the agent's end", at.Ended())
}

// An agent with two phones, one of them dead: the other one rings for the next caller.
func TestAnAgentWithASilentPhoneIsRungAtTheOtherOne(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 1, LoggedIn: 1, Carrier: 5070})
	dead, anna, carrier := deskAt(t, o, 201, hzAgent), deskAt(t, o, 201, hzAgent), carrierOf(t, o, hzCarrier)
	o.Lamp(201, tel.AgentReady)
	dead.Mute(true)
	first := carrier.customer(number(1))
	rings := anna.ring()
	first.Hangup()
	within(t, "the first ring's end", rings.Ended())
	next := carrier.customer(number(2))
	at := anna.picksUp()
	o.Lamp(201, tel.AgentTalking)
	if at.Caller != number(2) || len(dead.invited()) != 1 {
		t.Errorf("%s rings, and calls %q are at the dead phone", at.Caller, dead.invited())
	}
	next.Hangup()
	within(t, "the agent's end", at.Ended())
}

// The box is killed while a phone rings which answers nothing any more: the next process cancels what the last one
// rang, and the caller, who has kept the place, is not sent there a second time before that is through.
func TestAfterAKillAPhoneThatAnswersNothingIsNotRungTwice(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 1, LoggedIn: 1, Carrier: 5070})
	anna, carrier := deskAt(t, o, 201, hzAgent), carrierOf(t, o, hzCarrier)
	o.Lamp(201, tel.AgentReady)
	caller := carrier.customer(number(1))
	rings := anna.ring()
	o.Lamp(201, tel.AgentRinging)
	anna.Mute(true)
	o.Kill()
	agentIs(o, "agent201", tel.AgentUnreachable, "phone_silent")
	if came := anna.invited(); len(came) != 1 {
		t.Fatalf("calls %q are at a phone that says nothing", came)
	}
	anna.Mute(false) // the CANCEL comes again (section 17.1.2.2, Timer E)
	within(t, "the end of the ring of the killed process", rings.Ended())
	if status, _, byBox := rings.Outcome(); status != 487 || !byBox {
		t.Errorf("it ends with %d, by the box: %v", status, byBox)
	}
	at := anna.picksUp()
	if at.Caller != number(1) || anna.Doubles() > 0 {
		t.Errorf("%s rings, %d doubles", at.Caller, anna.Doubles())
	}
	o.Lamp(201, tel.AgentTalking)
	caller.Hangup()
	within(t, "the agent's end", at.Ended())
}

// The kill comes when the caller has already given up and the CANCEL is on its way to a phone that says nothing: no
// call is left in the next process, and it still knows that the phone may ring.
func TestAfterAKillTheNextCallerDoesNotMeetTheRingOfACallThatHadEnded(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 1, LoggedIn: 1, Carrier: 5070})
	anna, carrier := deskAt(t, o, 201, hzAgent), carrierOf(t, o, hzCarrier)
	o.Lamp(201, tel.AgentReady)
	first := carrier.customer(number(1))
	rings := anna.ring()
	o.Lamp(201, tel.AgentRinging)
	anna.Mute(true)
	first.Hangup()
	within(t, "the first caller's end", first.Ended())
	o.CallRecords(1)
	o.Kill()
	next := carrier.customer(number(2))
	agentIs(o, "agent201", tel.AgentUnreachable, "phone_silent")
	if came := anna.invited(); len(came) != 1 {
		t.Fatalf("calls %q are at a phone that says nothing", came)
	}
	anna.Mute(false)
	within(t, "the first ring's end", rings.Ended())
	at := anna.picksUp()
	if at.Caller != number(2) || anna.Doubles() > 0 {
		t.Errorf("%s rings, %d doubles", at.Caller, anna.Doubles())
	}
	o.Lamp(201, tel.AgentTalking)
	next.Hangup()
	within(t, "the agent's end", at.Ended())
}
