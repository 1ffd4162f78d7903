package main_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// within fails the test when nothing comes in time.
func within(t *testing.T, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(10 * time.Second):
		t.Fatalf("waited in vain for %s", what)
	}
}

// Every code of the README does at the lamp what it says, and the box hangs up after its two beeps.
func TestAgentWorksByTheCodesOfThePhone(t *testing.T) {
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 1, Carrier: 5070, WrapUp: time.Minute})
	anna := phone(t, o, 201, hzAgent, func(c *peer.Call) { c.Answer() })
	bruno := phone(t, o, 202, hzCaller, nil)
	o.Lamp(201, tel.AgentReady)
	o.Lamp(202, tel.AgentLoggedOut)
	dial := func(p *peer.Peer, code string) {
		t.Helper()
		c, err := p.Dial(peer.Outgoing{To: code})
		if err != nil {
			t.Fatal(err)
		}
		within(t, "the answer to "+code, c.Answered())
		within(t, "the end of "+code, c.Ended())
		if _, _, byBox := c.Outcome(); !byBox {
			t.Errorf("%s was not ended by the box", code)
		}
	}
	dial(bruno, "*41")
	o.Lamp(202, tel.AgentReady)
	dial(bruno, "*42")
	o.Lamp(202, tel.AgentPaused)
	dial(bruno, "*420")
	o.Lamp(202, tel.AgentReady)
	dial(bruno, "*410")
	o.Lamp(202, tel.AgentLoggedOut)

	customer, err := peer.New(peer.Config{Listen: netip.AddrPortFrom(o.Carrier, o.CarrierPort), Box: o.SIP, Law: tone.ALaw})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(customer.Close)
	c, err := customer.Dial(peer.Outgoing{To: pbxtest.DID, From: "+393331234567", Hz: hzCarrier})
	if err != nil {
		t.Fatal(err)
	}
	o.Lamp(201, tel.AgentTalking)
	c.Hangup()
	o.Lamp(201, tel.AgentWrapUp)
	dial(anna, "*44")
	o.Lamp(201, tel.AgentReady)
}

// An agent's call to a landline leaves through the carrier, with its number in the carrier's form.
func TestAgentCallsOutThroughCarrier(t *testing.T) {
	o := bench.Start(t, pbxtest.Setup{Agents: 1, LoggedIn: 1, Carrier: 5070})
	anna := phone(t, o, 201, hzAgent, nil)
	o.Lamp(201, tel.AgentReady)
	arrived := make(chan *peer.Call, 1)
	carrier, err := peer.New(peer.Config{
		Listen: netip.AddrPortFrom(o.Carrier, o.CarrierPort), Box: o.SIP, Law: tone.ALaw, Hz: hzCarrier,
		Incoming: func(c *peer.Call) { c.Ring(); c.Answer(); arrived <- c },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(carrier.Close)
	o.Line("trunk:carrier", true)
	out, err := anna.Dial(peer.Outgoing{To: "0612345678"})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "the answer", out.Answered())
	in := <-arrived
	o.Lamp(201, tel.AgentOutbound)
	talking(t, "outside", out, hzAgent, in, hzCarrier)
	out.Hangup()
	within(t, "the end", in.Ended())
	o.Lamp(201, tel.AgentReady)
	r := o.CallRecords(1)[0]
	if r.Direction != tel.Outbound || r.In != "phone:201" || r.Out != "trunk:carrier" || r.To != "0612345678" || r.Cause != tel.CauseNormal {
		t.Errorf("call record %+v", r)
	}
	if in.Called != "+390612345678" {
		t.Errorf("the carrier was asked for %q", in.Called)
	}
}
