package main_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Somebody wants to hear what customers hear: the box rings, and who answers waits in the queue like anybody, at a
// desk or outside, where it costs.
func TestTheBoxCallsSomebodyAsACustomer(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 1, Carrier: 5070, Extra: "toll: {person: {calls: 3}}\n"})
	anna, bruno, carrier := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller), carrierOf(t, o, hzCarrier)
	o.Lamp(201, tel.AgentReady)
	v := o.Claim()
	call := func(fields string) string {
		t.Helper()
		form, err := url.ParseQuery("do=call&which=sales&" + fields)
		if err != nil {
			t.Fatal(err)
		}
		_, page := v.Post("/queues/sales/call?lang=en", form)
		return page
	}
	call("at=202")
	me := bruno.ring()
	if me.Caller != "400" {
		t.Errorf("the telephone shows %q", me.Caller)
	}
	me.Answer()
	at := anna.picksUp()
	talking(t, "from the desk", me, hzCaller, at, hzAgent)
	over(t, me, at)
	o.Lamp(201, tel.AgentReady)

	call("number=06+98765432")
	out := carrier.picksUp()
	at = anna.picksUp()
	talking(t, "from outside", out, hzCarrier, at, hzAgent)
	over(t, out, at)
	if w := o.WaitRecords(2)[0]; w.Caller != "+390698765432" || w.Queue != "sales" {
		t.Errorf("the wait %+v", w)
	}
	if r := o.CallRecords(2)[0]; r.Direction != tel.Outbound || r.In != "trunk:carrier" {
		t.Errorf("the call %+v", r)
	}
	o.Lamp(201, tel.AgentReady)
	if page := call("number=0012125550100"); !strings.Contains(page, "callme.refused") {
		t.Errorf("a number that nobody may call: %s", page)
	}
}
