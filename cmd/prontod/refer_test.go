package main_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// progress waits for the NOTIFY of a transfer that holds the status line.
func progress(t *testing.T, c *peer.Call, line string) {
	t.Helper()
	for timeout := time.After(40 * time.Second); ; {
		select {
		case n := <-c.Notes():
			if strings.HasPrefix(n.Body, "SIP/2.0 "+line) {
				return
			}
			if strings.Contains(n.State, "terminated") {
				t.Fatalf("the transfer ended with %q, not with %q", n.Body, line)
			}
		case <-timeout:
			t.Fatalf("no NOTIFY says %q", line)
		}
	}
}

// transferOffice is a customer who talks with Anna.
func transferOffice(t *testing.T, o *pbxtest.Office) (anna, carrier *desk, customer, at *peer.Call) {
	t.Helper()
	anna, carrier = deskAt(t, o, 201, hzAgent), carrierOf(t, o, hzCarrier)
	customer = carrier.customer(mobileNumber)
	at = anna.picksUp()
	talking(t, "before the transfer", customer, hzCarrier, at, hzAgent)
	return anna, carrier, customer, at
}

func refer(t *testing.T, c *peer.Call, to string) {
	t.Helper()
	if status, err := c.Refer(t.Context(), to); err != nil || status != 202 {
		t.Fatal(status, err)
	}
}

func TestATransferToAQueueWaitsThereAndIsAnswered(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, Carrier: 5070, In: "ext:201"})
	bruno := deskAt(t, o, 202, hzCaller)
	bruno.code("*41")
	bruno.code("*42") // nobody is free yet
	_, _, customer, at := transferOffice(t, o)
	refer(t, at, "400")
	progress(t, at, "200")
	within(t, "Anna's end", at.Ended())
	o.Until("the customer to wait", func(n pbxtest.Now) bool { return len(n.Waits) == 1 && n.Waits[0].Caller == mobileNumber })
	listen(t, "waiting", customer)
	bruno.code("*420")
	talking(t, "answered from the queue", customer, hzCarrier, bruno.picksUp(), hzCaller)
	customer.Hangup()
	o.Until("the end", func(n pbxtest.Now) bool { return len(n.Calls) == 0 })
	if w := o.WaitRecords(1)[0]; w.Caller != mobileNumber || w.Agent != "agent202" || w.Outcome != tel.OutcomeAnswered {
		t.Errorf("queue record %+v", w)
	}
}

func TestATransferToVoicemailTakesAMessage(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 2, Carrier: 5070, In: "ext:201", Extra: `voicemail: {boxes: [{number: "202", own_phone: true}]}` + "\n",
	})
	bruno := deskAt(t, o, 202, hzCaller)
	lamp := subscribe(t, bruno.Peer, "message-summary", "202")
	_, _, customer, at := transferOffice(t, o)
	refer(t, at, "*99202")
	progress(t, at, "200")
	within(t, "Anna's end", at.Ended())
	listen(t, "the greeting", customer)
	customer.Audio().Press("#")
	speaksOnTape(t, o)
	customer.Hangup()
	note(t, lamp, "Voice-Message: 1/0")
	bruno.quiet("straight to the mailbox")
}

// A transfer costs what its owner may dial: who may not call abroad cannot send others there.
func TestATransferWithoutTheRightIsRefusedAndTheCallerComesBack(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 2, Carrier: 5070, In: "ext:201", Routes: `{prefix: "+", via: ["trunk:carrier"]}`, Dial: map[int]string{201: "internal, local"},
		Extra: "toll: {countries: [GB]}\n",
	})
	_, carrier, customer, at := transferOffice(t, o)
	for _, to := range []string{"00442071234567", "3337654321"} {
		refer(t, at, to)
		progress(t, at, "403")
		talking(t, "after the refused transfer to "+to, customer, hzCarrier, at, hzAgent)
	}
	carrier.quiet("both were refused")
	refer(t, at, "0698765432") // what she may dial works
	out := carrier.picksUp()
	progress(t, at, "200")
	within(t, "Anna's end", at.Ended())
	talking(t, "sent outside", customer, hzCarrier, out, hzCarrier)
	over(t, customer, out)
}

// Who transfers blindly and hangs up gets the caller back when nobody answers.
func TestATransferThatNobodyAnswersComesBackAlsoAfterTheTransferorHungUp(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, Carrier: 5070, In: "ext:201", Calls: person(202, "ring: 5s")})
	bruno := deskAt(t, o, 202, hzCaller)
	anna, _, customer, at := transferOffice(t, o)
	refer(t, at, "202")
	progress(t, at, "180")
	rings := bruno.ring()
	over(t, at, at)
	within(t, "the end of the ring", rings.Ended())
	back := anna.picksUp()
	talking(t, "come back", customer, hzCarrier, back, hzAgent)
	if back.Caller != string(mobileNumber) && !strings.HasSuffix(back.Caller, "3331234567") {
		t.Errorf("the call that comes back is shown as %q", back.Caller)
	}
	// And while the transferor waits it comes back on the same leg, with the reason.
	refer(t, back, "202")
	bruno.ring().Reject(486)
	progress(t, back, "486")
	talking(t, "back on the same leg", customer, hzCarrier, back, hzAgent)
	over(t, customer, back)
}

// The transferor asks the target first (attended), or does not wait for its answer (semi-attended).
func TestAttendedTransfersAlsoOfACallThatStillRings(t *testing.T) {
	t.Parallel()
	for name, early := range map[string]bool{"the target has answered": false, "the target still rings": true} {
		t.Run(name, func(t *testing.T) {
			o := bench.Start(t, pbxtest.Setup{Agents: 2, Carrier: 5070, In: "ext:201"})
			bruno := deskAt(t, o, 202, hzCaller)
			anna, _, customer, at := transferOffice(t, o)
			if err := at.Hold(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			listen(t, "on hold", customer)
			consult := anna.dial("202")
			target := bruno.ring()
			within(t, "the ring", consult.Ringing())
			if !early {
				target.Answer()
				talking(t, "the consultation", consult, hzAgent, target, hzCaller)
			}
			if status, err := at.ReferInto(t.Context(), consult); err != nil || status != 202 {
				t.Fatal(status, err)
			}
			progress(t, at, "200")
			within(t, "Anna's first leg", at.Ended())
			within(t, "Anna's second leg", consult.Ended())
			if early {
				listen(t, "the ring at the target", customer)
				target.Answer()
			}
			talking(t, "transferred", customer, hzCarrier, target, hzCaller)
			over(t, customer, target)
		})
	}
}
