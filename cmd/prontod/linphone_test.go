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
	callHoldAndPart(t, o, o.Linphone(201, hzCaller), o.Baresip(202, hzAgent))
}

// callHoldAndPart lets linphone at 201 call baresip at 202, hold, come back and be heard.
func callHoldAndPart(t *testing.T, o *pbxtest.Office, anna *pbxtest.Linphone, bruno *pbxtest.Baresip) {
	t.Helper()
	byLinphone(anna).calls(byBaresip(bruno), "202")
	o.Lamp(201, tel.AgentInternal)
	time.Sleep(talk)
	anna.Hold(1)
	anna.Until("paused")
	time.Sleep(talk)
	anna.Resume(1)
	anna.Until("Media streams established")
	part(t, byLinphone(anna), hzCaller, byBaresip(bruno), hzAgent)
}
