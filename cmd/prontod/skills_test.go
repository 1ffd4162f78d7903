package main_test

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// polyglots is an office whose second agent alone speaks Italian, for which callers can ask by key.
func polyglots(t *testing.T, loggedIn int) (o *pbxtest.Office, anna, bruno, carrier *desk) {
	t.Helper()
	o = bench.Start(t, pbxtest.Setup{
		Agents: 2, LoggedIn: loggedIn, Carrier: 5070, In: "menu:main", Skills: map[int]string{202: "italian: 7"},
		Queue: "distribution: {languages: {it: {italian: 5}}, sticky: 1h}",
		Extra: "menus: [{id: main, name: Main, greeting: [greeting], keys: {\"1\": \"queue:sales\", \"8\": \"language:it\"}, wait: 5s, timeout_to: hangup}]\n",
	})
	return o, deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller), carrierOf(t, o, hzCarrier)
}

// chooses presses one key after the other, as a finger does.
func chooses(t *testing.T, c *peer.Call, keys string) {
	t.Helper()
	listen(t, "the menu", c)
	for _, k := range keys {
		c.Audio().Press(string(k))
		time.Sleep(400 * time.Millisecond)
	}
}

func TestACallerWhoChoosesItalianIsGivenWhoSpeaksItAndTheSameAgentTheNextTime(t *testing.T) {
	t.Parallel()
	o, anna, bruno, carrier := polyglots(t, 2)
	italian := carrier.customer(mobileNumber)
	chooses(t, italian, "81")
	talking(t, "in Italian", italian, hzCarrier, bruno.picksUp(), hzCaller)
	anna.quiet("although she has been idle longer") // she speaks no Italian
	italian.Hangup()
	o.Until("the end of the call", func(n pbxtest.Now) bool { return len(n.Calls) == 0 && n.Agents["agent202"].State == tel.AgentReady })
	again := carrier.customer(mobileNumber)
	chooses(t, again, "1")
	talking(t, "with the agent of the last time", again, hzCarrier, bruno.picksUp(), hzCaller)
	anna.quiet("although she has been idle longer, and any language would do")
	other := carrier.customer("3339876543")
	chooses(t, other, "1")
	talking(t, "in the language of the box", other, hzCarrier, anna.picksUp(), hzAgent)
}

// What a caller asks for is kept through a crash.
func TestACallerWhoWaitsForASkillWaitsForItAfterACrashToo(t *testing.T) {
	t.Parallel()
	o, anna, bruno, carrier := polyglots(t, 1)
	c := carrier.customer(mobileNumber)
	chooses(t, c, "81")
	stage(o, tel.StageWaiting)
	o.Kill()
	stage(o, tel.StageWaiting)
	anna.quiet("she speaks no Italian")
	bruno.code("*41")
	talking(t, "with who speaks Italian", c, hzCarrier, bruno.picksUp(), hzCaller)
}
