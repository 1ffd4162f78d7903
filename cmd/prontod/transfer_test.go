package main_test

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Carla calls Anna, Anna sends her to Bruno; each way is tried on real phones of two makers.

func TestLinphoneTransfersBlind(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 3})
	anna, bruno, carla := o.Linphone(201, hzModem), byBaresip(o.Baresip(202, hzAgent)), byBaresip(o.Baresip(203, hzCaller))
	carla.calls(byLinphone(anna), "201")
	anna.Transfer(1, "202")
	bruno.picksUp()
	anna.Until("ended")
	o.Lamp(201, tel.AgentReady)
	part(t, carla, hzCaller, bruno, hzAgent)
	r := o.CallRecords(1)[0]
	if r.From != "203" || r.Out != "phone:202" || len(r.Moves) != 1 || r.Moves[0].Kind != tel.MoveBlind || r.Moves[0].By != "phone:201" {
		t.Errorf("call record %+v", r)
	}
}

func TestBaresipTransfersBlind(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 3})
	anna, bruno, carla := o.Baresip(201, hzModem), byLinphone(o.Linphone(202, hzAgent)), byBaresip(o.Baresip(203, hzCaller))
	carla.calls(byBaresip(anna), "201")
	anna.Transfer("202")
	bruno.picksUp()
	anna.Until("CALL_CLOSED")
	part(t, carla, hzCaller, bruno, hzAgent)
}

func TestLinphoneTransfersAttended(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 3})
	anna, bruno, carla := o.Linphone(201, hzModem), byBaresip(o.Baresip(202, hzAgent)), byBaresip(o.Baresip(203, hzCaller))
	carla.calls(byLinphone(anna), "201")
	anna.Hold(1)
	anna.Until("paused")
	byLinphone(anna).calls(bruno, "202")
	anna.Join(1, 2)
	anna.Until("ended")
	o.Lamp(201, tel.AgentReady)
	part(t, carla, hzCaller, bruno, hzAgent)
	if n := len(o.CallRecords(2)); n != 2 {
		t.Errorf("%d call records, want one for each call", n)
	}
}

func TestATargetThatDoesNotAnswerGivesTheCallerBack(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 3})
	anna, bruno, carla := o.Baresip(201, hzAgent), byBaresip(o.Baresip(202, hzModem)), byBaresip(o.Baresip(203, hzCaller))
	carla.calls(byBaresip(anna), "201")
	anna.Transfer("202")
	bruno.Until(bruno.rings)
	bruno.Hangup() // declines
	time.Sleep(talk)
	if r := o.CallRecords(0); len(r) != 0 {
		t.Fatalf("the call was lost: %+v", r)
	}
	carla.Hangup()
	carla.Until(carla.over)
	hears(t, "Carla", carla.Heard(), hzAgent)
}

func TestLinphoneTransfersToACallThatStillRings(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 3})
	anna, bruno, carla := o.Linphone(201, hzModem), byBaresip(o.Baresip(202, hzAgent)), byBaresip(o.Baresip(203, hzCaller))
	carla.calls(byLinphone(anna), "201")
	anna.Hold(1)
	anna.Until("paused")
	anna.Dial("202")
	bruno.Until(bruno.rings)
	anna.Until("ringing")
	anna.Join(1, 2)
	o.Lamp(201, tel.AgentReady)
	bruno.Answer()
	bruno.Until(bruno.talks)
	part(t, carla, hzCaller, bruno, hzAgent)
}
