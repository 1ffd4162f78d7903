package main_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Three callers wait where two may: the page says so, also after a crash. The supervisor reads why nobody
// rings, moves one caller to another queue and has another one ring at an agent who is paused.
func TestASupervisorIsAlarmedAndSpreadsTheCallers(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 3, LoggedIn: 1, Carrier: 5070,
		Queue: "alarms: {waiting: 2}}\n  - {id: help, name: Help, number: \"401\", agents: [agent202]",
	})
	anna, carrier := deskAt(t, o, 201, hzAgent), carrierOf(t, o, hzCarrier)
	sara := o.SignIn("agent203")
	o.Lamp(201, tel.AgentReady)
	order := func(path string, form url.Values) {
		t.Helper()
		if status, page := sara.Post(path, form); status != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", path, status, page)
		}
	}
	order("/agents/agent201/order", url.Values{"do": {"pause"}})
	if a := agentIs(o, "agent201", tel.AgentPaused, "forced"); a.By != "sara" {
		t.Errorf("paused by %q", a.By)
	}
	var callers []*peer.Call
	alarm := func(on bool) pbxtest.Now {
		t.Helper()
		return o.Until("the alarm to follow", func(n pbxtest.Now) bool {
			h, known := n.Health["alarm_waiting"]
			return (known && !h.OK && h.Text == "Sales") == on
		})
	}
	for i, number := range []string{mobileNumber, "+393337654321", "+390212345678"} {
		c := carrier.customer(number)
		listen(t, number, c)
		o.Until("callers to wait", func(n pbxtest.Now) bool { return len(n.Waits) == i+1 })
		callers = append(callers, c)
	}
	alarm(true)
	sara.Shows("/?lang=en", `id="health-alarm_waiting"`, "Too many callers wait")
	o.Kill()
	if _, page := sara.Get("/?lang=en"); strings.Count(page, `<tr id="wait-`) != 3 || strings.Count(page, `<tr id="call-`) != 3 {
		t.Errorf("the first page after the crash is not whole:\n%s", page)
	}
	waits := alarm(true).Waits
	if len(waits) != 3 {
		t.Fatalf("%d wait after the crash", len(waits))
	}

	first, last := string(waits[0].Call), string(waits[2].Call)
	sara.Shows("/?lang=en", `href="/waiting/`+last+`?lang=en"`, `href="/agents/agent201?lang=en"`)
	sara.Shows("/waiting/"+last+"?lang=en", "3 of 3", "Paused · by a supervisor")
	order("/waiting/"+last+"/move", url.Values{"queue": {"help"}})
	n := alarm(false)
	if len(n.Waits) != 3 {
		n = o.Until("the moved caller to wait again", func(n pbxtest.Now) bool { return len(n.Waits) == 3 })
	}
	for _, w := range n.Waits {
		if moved := string(w.Call) == last; moved != (w.Queue == "help") || !w.At.Equal(waitOf(waits, w.Call).At) {
			t.Errorf("%+v waits, before it was %+v", w, waitOf(waits, w.Call))
		}
	}
	listen(t, "the moved caller", callers[2])

	order("/waiting/"+first+"/assign", url.Values{"agent": {"agent201"}})
	at := anna.picksUp()
	talking(t, "assigned", callers[0], hzCarrier, at, hzAgent)
	over(t, callers[0], at)
	for _, c := range callers[1:] {
		c.Hangup()
	}
}

// waitOf finds a caller among those who waited.
func waitOf(all []tel.QueueJoined, call tel.CallID) tel.QueueJoined {
	for _, w := range all {
		if w.Call == call {
			return w
		}
	}
	return tel.QueueJoined{}
}
