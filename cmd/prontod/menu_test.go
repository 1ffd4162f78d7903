package main_test

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const menus = `menus:
  - {id: main, name: Main, greeting: [greeting], keys: {"1": "ext:201", "7": "menu:second", "8": "language:it", "9": repeat}, dial: true, wait: 2s, timeouts: 1, timeout_to: "ext:202", invalid: 2, invalid_to: "ext:202"}
  - {id: second, name: Second, greeting: [wait], keys: {"1": "ext:202", "*": "menu:main"}, wait: 5s}
`

func menuOffice(t *testing.T) (o *pbxtest.Office, anna, bruno, carrier *desk) {
	t.Helper()
	o = bench.Start(t, pbxtest.Setup{Agents: 2, Carrier: 5070, In: "menu:main", Extra: menus})
	return o, deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller), carrierOf(t, o, hzCarrier)
}

// stage waits until the only call of the office is there.
func stage(o *pbxtest.Office, want tel.CallStage) {
	o.Until("the call to be "+string(want), func(n pbxtest.Now) bool { return len(n.Calls) == 1 && n.Calls[0].Stage == want })
}

func TestACallerFromTheCarrierChoosesByKeysInTwoLevels(t *testing.T) {
	t.Parallel()
	o, anna, bruno, carrier := menuOffice(t)
	enter := func() *peer.Call {
		t.Helper()
		c := carrier.customer(mobileNumber)
		listen(t, "the greeting", c)
		return c
	}
	for _, way := range []struct {
		name, keys string
		to         *desk
	}{
		{"a key", "1", anna},
		{"the second level", "71", bruno},
		{"the second level and back", "7*1", anna},
		{"the number of a colleague", "202", bruno},
		{"a wrong key and then a right one", "51", anna},
		{"two wrong keys", "56", bruno},
		{"another language", "81", anna},
		{"nothing", "", bruno},
	} {
		t.Log(way.name)
		c := enter()
		for _, k := range way.keys {
			c.Audio().Press(string(k))
			time.Sleep(400 * time.Millisecond) // as a finger does; a wrong key cuts the words that follow the one before
		}
		talking(t, way.name, c, hzCarrier, way.to.picksUp(), way.to.hz)
		c.Hangup()
		o.Until("the end of the call", func(n pbxtest.Now) bool { return len(n.Calls) == 0 })
	}
	anna.quiet("every call has been taken")
	bruno.quiet("every call has been taken")
	if r := o.CallRecords(8)[0]; r.Direction != tel.Inbound || r.In != "trunk:carrier" || r.Out != "phone:202" {
		t.Errorf("call record %+v", r)
	} else {
		for _, m := range r.Media {
			if m.Sound.Heard < 1 {
				t.Errorf("nobody knows how %s was heard: %+v", m.Party, m)
			}
		}
		if len(r.Media) != 2 {
			t.Errorf("%d parties", len(r.Media))
		}
	}
}

// A menu goes on where it was when the program is killed; the caller hears the question again.
func TestAMenuGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	o, _, bruno, carrier := menuOffice(t)
	c := carrier.customer(mobileNumber)
	listen(t, "the greeting", c)
	c.Audio().Press("7")
	says(t, "the caller, of the second level", c, "wait") // so the key was taken
	for range 2 {
		o.Kill()
		stage(o, tel.StageMenu)
		listen(t, "after the crash", c)
		time.Sleep(3 * time.Second) // another crash within 3 s would be a crash loop
	}
	o.Phone(202)
	c.Audio().Press("1") // of the second level: in the first it is another phone
	talking(t, "after the crashes", c, hzCarrier, bruno.picksUp(), hzCaller)
	c.Hangup()
}

// Real telephones press the keys (RFC 4733).
func TestLinphoneAndSIPpChooseInAMenu(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{
		Agents: 3, Carrier: 5070, In: "menu:main", Extra: menus, Calls: person(203, `forward: {always: "menu:main"}`),
	})
	bruno := deskAt(t, o, 202, hzAgent)
	anna := o.Linphone(201, hzCaller)
	anna.Dial("203")
	stage(o, tel.StageMenu)
	anna.Until("Media streams established")
	anna.Press("202")
	at := bruno.picksUp()
	hearsTone(t, "Bruno", at, hzCaller)
	time.Sleep(talk)
	at.Hangup()
	anna.Until("ended")
	hears(t, "Anna", anna.Heard(), hzAgent)

	customer := o.SIPpKeys(mobileNumber, "71", 5*time.Second)
	at = bruno.picksUp()
	time.Sleep(talk)
	hears(t, "the customer", customer.Ears.Heard(time.Second), hzAgent)
	customer.Wait()
	within(t, "the customer's end", at.Ended())
}
