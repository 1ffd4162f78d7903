package main_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// greeted is an office whose callers are greeted in a menu, and its owner at the page.
func greeted(t *testing.T) (o *pbxtest.Office, anna, carrier *desk, owner *pbxtest.Visitor) {
	t.Helper()
	o = bench.Start(t, pbxtest.Setup{Agents: 1, Carrier: 5070, In: "menu:main", Extra: `menus:
  - {id: main, name: Main, greeting: [greeting, greeting, "prompt:own"], keys: {"1": "ext:201"}, wait: 5s}
prompts: {list: [{id: own, name: Own, number: "1"}]}
`})
	anna, carrier = deskAt(t, o, 201, hzAgent), carrierOf(t, o, hzCarrier)
	owner = o.SignIn("agent201")
	owner.Owner()
	return o, anna, carrier, owner
}

const greetingSound = "/messages/sound/en/greeting"

// replaces sends a file as the greeting and judges the answer.
func replaces(t *testing.T, owner *pbxtest.Visitor, what string, file []byte, want int) {
	t.Helper()
	if status, page := owner.Upload(greetingSound, "../../etc/"+what+".wav", file); status != want {
		t.Fatalf("%s: %d %s", what, status, page)
	}
}

func TestCallersHearTheGreetingThatWasUploaded(t *testing.T) {
	t.Parallel()
	o, _, carrier, owner := greeted(t)
	call := func(judge func(*peer.Call)) {
		t.Helper()
		c := carrier.customer(mobileNumber)
		judge(c)
		c.Hangup()
		o.Until("the end of the call", func(n pbxtest.Now) bool { return len(n.Calls) == 0 })
	}
	hears := func(hz int) func(*peer.Call) {
		return func(c *peer.Call) { t.Helper(); hearsTone(t, "the customer", c, hz) }
	}
	own := func(c *peer.Call) { t.Helper(); listen(t, "the box's own greeting", c) }
	call(own)
	replaces(t, owner, "a tone", tone.WAV(tone.Sine(hzCaller, 5*tone.Rate)), http.StatusSeeOther)
	call(hears(hzCaller))
	replaces(t, owner, "a text", []byte("Gentile cliente, siamo in ferie."), http.StatusUnprocessableEntity)
	replaces(t, owner, "half a header", tone.WAV(tone.Sine(hzStranger, tone.Rate))[:30], http.StatusUnprocessableEntity)
	call(hears(hzCaller))
	replaces(t, owner, "another tone", tone.WAV(tone.Sine(hzStranger, 5*tone.Rate)), http.StatusSeeOther)
	call(hears(hzStranger))
	for _, step := range []struct {
		do    string
		judge func(*peer.Call)
	}{{"undo", hears(hzCaller)}, {"remove", own}, {"undo", hears(hzCaller)}} {
		if status, page := owner.Post(greetingSound+"/"+step.do, nil); status != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", step.do, status, page)
		}
		call(step.judge)
	}
	o.Kill() // it is on the disk
	o.Phone(201)
	call(hears(hzCaller))
	owner.Shows("/menus?lang=en", "nobody has recorded yet", "Carrier")
}

// The owner's phone rings; what is spoken there is the greeting of the next caller.
func TestAGreetingIsRecordedAtAPhoneThatThePageRings(t *testing.T) {
	t.Parallel()
	o, anna, carrier, owner := greeted(t)
	if status, page := owner.Post(greetingSound+"/ring", url.Values{"person": {"agent201"}}); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, page)
	}
	c := anna.picksUp()
	listen(t, "what to do", c)
	c.Audio().Press("#") // no more words: the tone, and then the tape
	speaksOnTape(t, o)
	c.Audio().Press("#")
	listen(t, "the question whether it is good", c)
	c.Audio().Press("#")
	within(t, "the end", c.Ended())
	owner.Shows("/messages/sentence/greeting?lang=en", "Your own sound")
	o.Until("the end of the call", func(n pbxtest.Now) bool { return len(n.Calls) == 0 })
	customer := carrier.customer(mobileNumber)
	hearsTone(t, "the customer", customer, hzAgent)
	customer.Hangup()
	if status, _ := owner.Post(greetingSound+"/ring", url.Values{"person": {"nobody"}}); status != http.StatusUnprocessableEntity {
		t.Errorf("the phones of nobody: %d", status)
	}
}
