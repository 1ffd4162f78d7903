package main_test

import (
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
)

// The guard stands between every phone and the carrier, also for who may dial anything, and the page says
// when it has refused.
func TestTheGuardRefusesTooManyCallsAndOtherCountriesAndSaysSo(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 3, Carrier: 5070, Routes: `{prefix: "+", via: ["trunk:carrier"]}`, Dial: map[int]string{
			201: "internal, local, mobile, international, premium", 202: "internal, local",
		},
		Extra: "toll: {countries: [GB], person: {calls: 1}, box: {calls: 2}}\n",
	})
	anna, bruno, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller), deskAt(t, o, 203, hzStranger)
	carrier := carrierOf(t, o, hzCarrier)
	for number, why := range map[string]string{
		"0033123456789": "a country that is not opened", "899123456": "a premium number", "00881612345678": "a satellite",
	} {
		if s := anna.refused(number); s < 400 || s > 599 {
			t.Errorf("%s: %d", why, s)
		}
	}
	carrier.quiet("refused by the guard")
	if why := o.Alarm("toll_limit", true); !strings.Contains(why, "refused") {
		t.Errorf("the page says %q", why)
	}
	first := anna.dial("00442071234567") // the country that is opened
	out := carrier.picksUp()
	talking(t, "abroad", first, hzAgent, out, hzCarrier)
	if s := anna.refused("0612345678"); s < 400 || s > 599 {
		t.Errorf("a second call of one person: %d", s)
	}
	second := bruno.dial("0698765432")
	out2 := carrier.picksUp()
	if s := carla.refused("0611223344"); s < 400 || s > 599 {
		t.Errorf("a third call of the box: %d", s)
	}
	help := carla.dial("112") // never counted, never refused
	over(t, help, carrier.picksUp())
	o.Kill() // the calls that are up still count
	o.Phone(203)
	o.Line("trunk:carrier", true)
	if s := carla.refused("0611223344"); s < 400 || s > 599 {
		t.Errorf("a third call of the box after a crash: %d", s)
	}
	carrier.quiet("refused by the guard")
	over(t, first, out)
	third := carla.dial("0611223344")
	over(t, third, carrier.picksUp())
	over(t, second, out2)
}

// A thief calls at night: what may be dialled then is a list of its own.
func TestAtNightOnlyWhatTheNightAllowsIsDialled(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 2, Carrier: 5070, Routes: `{prefix: "+", via: ["trunk:carrier"]}`, Dial: map[int]string{201: "internal, local, international"},
		Calls: person(202, "office: true"),
		Extra: `toll: {countries: [GB], night: shop, night_dial: [local]}
hours: [{id: shop, name: Shop, key: 1, open: ["mon-sun 00:00-24:00"], then: "ext:201"}]
`,
	})
	anna, bruno := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller)
	carrier := carrierOf(t, o, hzCarrier)
	reach := func(number string) *peer.Call {
		t.Helper()
		c := anna.dial(number)
		over(t, c, carrier.picksUp())
		return c
	}
	reach("00442071234567")
	bruno.code("*29") // it is night when the office is closed
	if s := anna.refused("00442071234567"); s < 400 || s > 599 {
		t.Errorf("abroad at night: %d", s)
	}
	reach("0612345678")
	reach("112")
	o.Alarm("toll_limit", true)
	bruno.code("*28")
	reach("00442071234567")
	carrier.quiet("refused at night")
}

// A transfer and a forward stand before the guard as well.
func TestForwardsAndTransfersPassTheGuardToo(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 2, Carrier: 5070, In: "ext:201", Routes: `{prefix: "+", via: ["trunk:carrier"]}`, Dial: map[int]string{201: "internal, local, international"},
	})
	anna, carrier, customer, at := transferOffice(t, o)
	refer(t, at, "00442071234567") // her rights would do, no country is opened
	progress(t, at, "4")
	talking(t, "after the refused transfer", customer, hzCarrier, at, hzAgent)
	over(t, customer, at)
	anna.code("*2100442071234567")
	if s := refusal(t, "a forward abroad", carrier.customer(mobileNumber)); s < 400 || s > 599 {
		t.Errorf("a forward abroad: %d", s)
	}
	carrier.quiet("refused by the guard")
	o.Alarm("toll_limit", true)
}
