package main_test

import (
	"testing"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
)

// What a person sets by code sends her calls on; it shows on her key, and outlives the program.
func TestAForwardByCodeIsFollowedShownAndOutlivesACrashAndARestart(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3})
	anna, bruno, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCarrier), deskAt(t, o, 203, hzCaller)
	key := subscribe(t, anna.Peer, "dialog", "*21")
	note(t, key, `entity="sip:*21@`)
	reaches := func(when string, who *desk) {
		t.Helper()
		c := carla.dial("201")
		talking(t, when, c, hzCaller, who.picksUp(), who.hz)
		c.Hangup()
	}
	reaches("no forward", anna)
	anna.code("*21202")
	note(t, key, "<state>confirmed</state>")
	reaches("forwarded", bruno)
	if r := o.CallRecords(3)[0]; r.Out != "phone:202" || r.To != "201" {
		t.Errorf("call record %+v", r)
	}
	o.Kill()
	o.Phone(203)
	reaches("after a crash", bruno)
	o.Restart()
	o.Phone(203)
	reaches("after a restart", bruno)
	anna.quiet("forwarded")
	anna.code("#21")
	reaches("taken back", anna)
}

func TestForwardsOnBusyNoAnswerAndUnreachableFollowTheirCase(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3, Calls: person(201, "ring: 5s")})
	anna, bruno, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCarrier), deskAt(t, o, 203, hzCaller)
	reachesBruno := func(when string) {
		t.Helper()
		c := carla.dial("201")
		if when != "unreachable" {
			at := anna.ring()
			if when == "busy" {
				at.Reject(486)
			} else {
				defer within(t, "the end of the ring at 201", at.Ended())
			}
		}
		talking(t, when, c, hzCaller, bruno.picksUp(), bruno.hz)
		c.Hangup()
	}
	anna.code("*67202")
	reachesBruno("busy")
	anna.code("#67")
	anna.code("*61*202#") // as a mobile phone writes it
	reachesBruno("no answer")
	anna.code("#61")
	anna.code("*62202")
	if _, err := anna.Register(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	o.Until("phone 201 to be gone", func(n pbxtest.Now) bool { return !n.Devices["201"].Reachable })
	reachesBruno("unreachable")
	anna.quiet("it is not registered")
}

// A forward is worth what its owner may dial, not what the caller may.
func TestAForwardUsesTheRightsOfWhoSetIt(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 3, Carrier: 5070, Dial: map[int]string{201: "internal, local", 202: "internal", 203: "internal, local, international"},
		Routes: `{prefix: "+", via: ["trunk:carrier"]}`, Extra: "toll: {countries: [GB]}\n",
	})
	anna, bruno, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller), deskAt(t, o, 203, hzStranger)
	carrier := carrierOf(t, o, hzCarrier)
	if s := anna.refused("*2100442071234567"); s != 403 {
		t.Errorf("a forward abroad of who may not call there: %d", s)
	}
	if s := bruno.refused("*210612345678"); s != 403 {
		t.Errorf("a forward to a landline of who may not call there: %d", s)
	}
	if s := anna.refused("*21112"); s != 403 {
		t.Errorf("a forward to an emergency number: %d", s)
	}
	anna.code("*210612345678")
	if s := bruno.refused("0612345678"); s != 403 {
		t.Errorf("a landline of who may not call there: %d", s)
	}
	c := bruno.dial("201") // the colleague's forward takes him where he may not call himself
	out := carrier.picksUp()
	talking(t, "forwarded outside", c, hzCaller, out, hzCarrier)
	if out.Called != "+390612345678" {
		t.Errorf("the carrier is asked for %q", out.Called)
	}
	over(t, c, out)
	carla.code("*2100442071234567")
	c = bruno.dial("203")
	out = carrier.picksUp()
	talking(t, "forwarded abroad", c, hzCaller, out, hzCarrier)
	over(t, c, out)
	// Who dials a colleague's phone that answers with a 302 gets what the colleague may.
	anna.code("#21")
	c = bruno.dial("201")
	anna.ring().Redirect("0698765432")
	out = carrier.picksUp()
	talking(t, "redirected outside", c, hzCaller, out, hzCarrier)
	over(t, c, out)
	c = bruno.dial("201")
	anna.ring().Redirect("00442071234567")
	if s := refusal(t, "a phone that redirects abroad", c); s != 403 {
		t.Errorf("redirected abroad: %d", s)
	}
	carrier.quiet("refused forwards")
}
