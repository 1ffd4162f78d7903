package main_test

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// callbackOffice has one agent, who is not at work yet, and a queue that calls back by key 1.
func callbackOffice(t *testing.T) (o *pbxtest.Office, anna, carrier *desk) {
	t.Helper()
	o = bench.Start(t, pbxtest.Setup{
		Agents: 1, Carrier: 5070, Routes: `{prefix: "+39333", via: ["trunk:carrier"]}`,
		Queue: "waiting: {callback: {key: \"1\", after: 10s, gap: 30s, promise: 10m}}",
	})
	return o, deskAt(t, o, 201, hzAgent), carrierOf(t, o, hzCarrier)
}

// agrees presses 1 after what confirms a number, hears the words, and waits for the box to say goodbye.
func agrees(t *testing.T, c *peer.Call, words ...string) {
	t.Helper()
	says(t, "the caller", c, "callback_number", "callback_keys")
	c.Audio().Press("1")
	says(t, "the caller", c, append(words, "callback_agreed")...)
	within(t, "the box to hang up", c.Ended())
}

// A caller hangs up and keeps the place; the program is killed; the agent who comes to work is rung first
// and then talks with the customer.
func TestACallerWhoHangsUpIsCalledBackInTurnAlsoAfterACrash(t *testing.T) {
	t.Parallel()
	o, anna, carrier := callbackOffice(t)
	c := carrier.customer(mobileNumber)
	says(t, "the caller", c, "queue_callback")
	c.Audio().Press("1")
	agrees(t, c, "callback_within") // ten minutes are promised, and nothing is known yet that says more
	w := o.WaitRecords(1)[0]
	if w.Outcome != tel.OutcomeCallback || w.Callback == "" {
		t.Fatalf("record %+v", w)
	}
	later := carrier.customer("+393337654321")
	listen(t, "somebody who came later", later)
	o.Kill()
	listen(t, "somebody who came later, after the crash", later)
	o.Phone(201)
	anna.code("*41")

	at := anna.ring()
	if at.Caller != mobileNumber {
		t.Fatalf("the agent is offered %s", at.Caller)
	}
	at.Answer()
	says(t, "the agent", at, "whisper_callback")
	out := carrier.ring()
	if out.Called != mobileNumber {
		t.Errorf("%s is called", out.Called)
	}
	o.Lamp(201, tel.AgentTalking)
	out.Answer()
	talking(t, "called back", out, hzCarrier, at, hzAgent)
	over(t, out, at)
	next := anna.picksUp()
	talking(t, "who came later", later, hzCarrier, next, hzAgent)
	over(t, later, next)
	for _, r := range o.CallRecords(3) {
		if r.To == mobileNumber && (r.Direction != tel.Outbound || r.Queue != "sales" || r.Agent != "agent201" || r.Answered.IsZero()) {
			t.Errorf("call record %+v", r)
		}
	}
	carrier.quiet("everybody is served")
}

// Who hides the number types one: an emergency number is refused, the digits are read back. The customer is
// busy at first; the agent is free meanwhile and is not blamed.
func TestACallerWithoutANumberTypesOneAndIsTriedAgainWhenBusy(t *testing.T) {
	t.Parallel()
	o, anna, carrier := callbackOffice(t)
	c := carrier.customer("anonymous")
	listen(t, "the caller", c)
	c.Audio().Press("1")
	says(t, "the caller", c, "callback_type")
	c.Audio().Press("112#")
	says(t, "the caller", c, "callback_refused")
	c.Audio().Press("3331234567#")
	agrees(t, c)
	anna.code("*41")

	for attempt := range 2 {
		var at *peer.Call
		select {
		case at = <-anna.rings: // the second time half a minute later
			at.Answer()
		case <-time.After(45 * time.Second):
			t.Fatalf("attempt %d: the agent is not rung", attempt+1)
		}
		out := carrier.ring()
		if out.Called != "+393331234567" {
			t.Fatalf("%s is called", out.Called)
		}
		if attempt == 1 {
			out.Answer()
			talking(t, "called back", out, hzCarrier, at, hzAgent)
			over(t, out, at)
			break
		}
		out.Reject(486)
		says(t, "the agent", at, "unavailable")
		within(t, "the end of the attempt", at.Ended())
		o.Lamp(201, tel.AgentReady)
		anna.quiet("the customer rests")
	}
}

func TestACustomerWhoCallsAgainTakesThePlaceAndIsNotCalled(t *testing.T) {
	t.Parallel()
	o, anna, carrier := callbackOffice(t)
	c := carrier.customer(mobileNumber)
	listen(t, "the caller", c)
	c.Audio().Press("1")
	agrees(t, c)
	other := carrier.customer("+393337654321")
	listen(t, "another", other)
	again := carrier.customer(mobileNumber)
	listen(t, "the caller again", again)
	anna.code("*41")
	at := anna.picksUp()
	talking(t, "in the old place", again, hzCarrier, at, hzAgent)
	carrier.quiet("the customer is on the line")
	over(t, again, at)
	at = anna.picksUp()
	talking(t, "the other", other, hzCarrier, at, hzAgent)
	over(t, other, at)
	o.Until("the end of every call", func(n pbxtest.Now) bool { return len(n.Calls) == 0 })
	carrier.quiet("nobody asked for it any more")
}
