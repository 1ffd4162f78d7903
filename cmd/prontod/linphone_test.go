package main_test

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestLinphoneAndBaresipHearEachOtherAndHold(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 2})
	anna, bruno := o.Linphone(201, hzCaller), o.Baresip(202, hzAgent)
	anna.Dial("202")
	bruno.Until("CALL_INCOMING")
	bruno.Answer()
	anna.Until("connected")
	o.Lamp(201, tel.AgentInternal)
	time.Sleep(talk)
	anna.Hold(1)
	anna.Until("paused")
	time.Sleep(talk)
	anna.Resume(1)
	anna.Until("Media streams established")
	time.Sleep(talk)
	anna.Hangup()
	bruno.Until("CALL_CLOSED")
	hears(t, "Anna", anna.Heard(), hzAgent)
	hears(t, "Bruno", bruno.Heard(), hzCaller)
}
