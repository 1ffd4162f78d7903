package main_test

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// milliwattHz is the test tone of telephony at 0 dBm0, 3.14 dB below full scale in A-law (ITU-T G.711,
// table 5).
const milliwattHz, milliwattLevel = 1000, -3.14

func TestTheTestNumbersEchoAndSayAToneAndThePrompts(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	anna := deskAt(t, o, 201, hzAgent)
	c := anna.talksTo("*43")
	hearsTone(t, "who calls the echo", c, hzAgent)
	c.Audio().Voice(hzCaller)
	hearsTone(t, "who calls the echo with another voice", c, hzCaller)
	c.Hangup()

	c = anna.talksTo("*45")
	hearsTone(t, "who calls the milliwatt", c, milliwattHz)
	c.Audio().Forget()
	hearing(c)
	if l := tone.Level(c.Audio().Heard(), milliwattHz); l < milliwattLevel-0.5 || l > milliwattLevel+0.5 {
		t.Errorf("the milliwatt is at %.2f dB, want %.2f", l, milliwattLevel)
	}
	c.Hangup()

	c = anna.talksTo("*46")
	listen(t, "the prompts", c)
	c.Hangup()

	bruno := o.Linphone(202, hzStranger)
	bruno.Dial("*43")
	bruno.Until("Media streams established")
	time.Sleep(talk)
	bruno.Hangup()
	bruno.Until("ended")
	hears(t, "Bruno", bruno.Heard(), hzStranger)
}

// What a person records from a phone is what callers hear in the menu.
func TestAPromptRecordedFromAPhoneIsHeardInAMenu(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 2, Carrier: 5070, In: "menu:main", Calls: person(201, "office: true"),
		Extra: `prompts: {list: [{id: welcome, name: Welcome, number: "5"}]}
menus: [{id: main, name: Main, greeting: ["prompt:welcome"], keys: {"1": "ext:201"}, wait: 5s}]
`,
	})
	anna, bruno := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller)
	carrier := carrierOf(t, o, hzCarrier)
	if s := bruno.refused("*775"); s != 403 {
		t.Errorf("a person who may not record: %d", s)
	}
	c := anna.talksTo("*775")
	listen(t, "what to do", c)
	c.Audio().Press("#") // straight to the beep
	speaksOnTape(t, o)
	c.Audio().Press("#") // that is all
	listen(t, "what to do with it", c)
	c.Audio().Press("1") // listen
	hearsTone(t, "who records", c, hzAgent)
	c.Audio().Press("#") // keep
	time.Sleep(time.Second)
	listen(t, "that it is kept", c)
	c.Hangup()
	customer := carrier.customer(mobileNumber)
	hearsTone(t, "the customer", customer, hzAgent)
	customer.Audio().Press("1")
	at := anna.picksUp()
	talking(t, "after the menu", customer, hzCarrier, at, hzAgent)
	over(t, customer, at)
}
