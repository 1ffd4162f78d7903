package main_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Who parks a call gets it back when nobody fetches it; the key of the place says so meanwhile.
func TestAParkedCallShowsOnItsKeyAndComesBackToWhoParkedIt(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3, Extra: "dialling: {park_for: 10s}\n"})
	anna, bruno, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCarrier), deskAt(t, o, 203, hzCaller)
	key := subscribe(t, bruno.Peer, "dialog", "701")
	note(t, key, `entity="sip:701@`)
	park := func() *peer.Call {
		t.Helper()
		c := carla.dial("201")
		at := anna.picksUp()
		talking(t, "before the park", c, hzCaller, at, hzAgent)
		if status, err := at.Refer(t.Context(), "*70"); err != nil || status != 202 {
			t.Fatal(status, err)
		}
		within(t, "the end at who parked the call", at.Ended())
		note(t, key, "<state>confirmed</state>", ">sip:203@")
		listen(t, "parked", c)
		return c
	}
	c := park()
	fetched := bruno.talksTo("701")
	note(t, key, "<state>terminated</state>")
	talking(t, "fetched", c, hzCaller, fetched, hzCarrier)
	over(t, c, fetched)
	if s := bruno.refused("701"); s != 404 {
		t.Errorf("an empty place: %d", s)
	}

	c = park()
	o.Kill() // it counts on
	stage(o, tel.StageParked)
	back := anna.picksUp()
	if back.Caller != "203" {
		t.Errorf("the call that comes back is shown as %q", back.Caller)
	}
	note(t, key, "<state>terminated</state>")
	talking(t, "come back", c, hzCaller, back, hzAgent)
	over(t, c, back)
	for _, r := range o.CallRecords(4) { // with the call that fetched, and the one that found nothing
		if r.Out == "phone:201" && (len(r.Moves) != 3 || r.Moves[1].Kind != tel.MoveParked || r.Moves[2].Kind != tel.MoveReturned) {
			t.Errorf("call record %+v", r)
		}
	}
}

// A phone takes a colleague's call by the tags that its busy key was told (RFC 3891, RFC 4235).
func TestAPhonePicksUpByReplacesWhatItsKeyShows(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3})
	anna, bruno, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCarrier), deskAt(t, o, 203, hzCaller)
	key := subscribe(t, bruno.Peer, "dialog", "201")
	c := carla.dial("201")
	at := anna.ring()
	body := note(t, key, "<state>early</state>", "remote-tag=").Body
	attr := func(name string) string {
		t.Helper()
		m := regexp.MustCompile(` ` + name + `="([^"]+)"`).FindStringSubmatch(body)
		if m == nil {
			t.Fatalf("no %s in %s", name, body)
		}
		return m[1]
	}
	replaces := func(flag string) peer.Outgoing {
		return peer.Outgoing{To: "201", Headers: fmt.Sprintf("Replaces: %s;to-tag=%s;from-tag=%s%s\r\n", attr("call-id"), attr("local-tag"), attr("remote-tag"), flag)}
	}
	taken := bruno.call(replaces(";early-only"))
	talking(t, "picked up", c, hzCaller, taken, hzCarrier)
	within(t, "the end of the ring", at.Ended())
	answeredElsewhere(t, at)
	if s := refusal(t, "a call that rings no more", bruno.call(replaces(";early-only"))); s != 481 {
		t.Errorf("a call that rings no more: %d", s)
	}
	over(t, c, taken)
}

func TestAGroupPicksUpWhatRingsAtItsMembersAndNobodyElse(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 4, Calls: map[int]string{201: "pickup: front", 202: "pickup: front", 204: "pickup: back"}})
	anna, bruno, carla, dario := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCarrier), deskAt(t, o, 203, hzCaller), deskAt(t, o, 204, hzStranger)
	c := carla.dial("201")
	at := anna.ring()
	if s := dario.refused("*8"); s != 404 {
		t.Errorf("a pickup from another group: %d", s)
	}
	taken := bruno.talksTo("*8")
	talking(t, "picked up", c, hzCaller, taken, hzCarrier)
	within(t, "the end of the ring", at.Ended())
	answeredElsewhere(t, at)
	over(t, c, taken)
	if s := bruno.refused("*8"); s != 404 {
		t.Errorf("a pickup when nothing rings: %d", s)
	}
}
