package main_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Who gives up is on the work list, also after a crash, until one of us has called and was answered.
func TestAMissedCallerIsOnTheListUntilSomebodyCalls(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 1, Carrier: 5070, Routes: `{prefix: "+39333", via: ["trunk:carrier"]}`, Queue: "waiting: {short: 1s}",
	})
	anna, carrier := deskAt(t, o, 201, hzAgent), carrierOf(t, o, hzCarrier)
	listed := func(when string, want bool) {
		t.Helper()
		var said string
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
			out, err := console(o, "missed")
			if said = out; err == nil && strings.Contains(out, mobileNumber) == want {
				return
			}
		}
		t.Fatalf("%s: the list is %q", when, said)
	}
	listed("before", false)
	c := carrier.customer(mobileNumber)
	listen(t, "in the queue", c)
	time.Sleep(time.Second) // who gives up sooner is no missed caller
	c.Hangup()
	if w := o.WaitRecords(1)[0]; w.Outcome != tel.OutcomeAbandoned || w.Short {
		t.Fatalf("record %+v", w)
	}
	listed("after the call", true)
	o.Kill()
	o.Phone(201)
	listed("after a crash", true)
	call := func(answer bool) {
		t.Helper()
		ours := anna.dial("3331234567")
		at := carrier.ring()
		if !answer {
			at.Reject(486)
			within(t, "the end", ours.Ended())
			return
		}
		at.Answer()
		talking(t, "called back", ours, hzAgent, at, hzCarrier)
		over(t, ours, at)
	}
	call(false)
	listed("after a call that was not answered", true)
	call(true)
	listed("after a call that was", false)
}

// A telephone that others have built hears the queue's name, and then the caller.
func TestBaresipHearsTheWhisperAndThenTheCaller(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{
		Agents: 1, LoggedIn: 1, Carrier: 5070, Extra: ownPrompts, Queue: "waiting: {whisper: \"prompt:name\"}",
	})
	recordPrompts(t, o)
	anna, carrier := o.Baresip(201, hzAgent), carrierOf(t, o, hzCarrier)
	c := carrier.customer(mobileNumber)
	anna.Until("CALL_INCOMING")
	anna.Answer()
	anna.Until("CALL_ESTABLISHED")
	hearsTone(t, "the caller", c, hzAgent)
	time.Sleep(talk)
	c.Hangup()
	anna.Until("CALL_CLOSED")
	hears(t, "Anna", anna.Heard(), hzCarrier)
}
