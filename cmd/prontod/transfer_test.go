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
	anna, bruno, carla := o.Linphone(201, hzModem), o.Baresip(202, hzAgent), o.Baresip(203, hzCaller)
	carla.Dial("201")
	anna.Until("incoming call")
	anna.Answer()
	anna.Until("Media streams established")
	carla.Until("CALL_ESTABLISHED")
	anna.Transfer(1, "202")
	bruno.Until("CALL_INCOMING")
	bruno.Answer()
	bruno.Until("CALL_ESTABLISHED")
	anna.Until("ended")
	o.Lamp(201, tel.AgentReady)
	time.Sleep(talk)
	carla.Hangup()
	carla.Until("CALL_CLOSED")
	bruno.Until("CALL_CLOSED")
	hears(t, "Carla", carla.Heard(), hzAgent)
	hears(t, "Bruno", bruno.Heard(), hzCaller)
	r := o.CallRecords(1)[0]
	if r.From != "203" || r.Out != "phone:202" || len(r.Moves) != 1 || r.Moves[0].Kind != tel.MoveBlind || r.Moves[0].By != "phone:201" {
		t.Errorf("call record %+v", r)
	}
}

func TestBaresipTransfersBlind(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 3})
	anna, bruno, carla := o.Baresip(201, hzModem), o.Linphone(202, hzAgent), o.Baresip(203, hzCaller)
	carla.Dial("201")
	anna.Until("CALL_INCOMING")
	anna.Answer()
	carla.Until("CALL_ESTABLISHED")
	anna.Transfer("202")
	bruno.Until("incoming call")
	bruno.Answer()
	bruno.Until("Media streams established")
	anna.Until("CALL_CLOSED")
	time.Sleep(talk)
	carla.Hangup()
	carla.Until("CALL_CLOSED")
	bruno.Until("ended")
	hears(t, "Carla", carla.Heard(), hzAgent)
	hears(t, "Bruno", bruno.Heard(), hzCaller)
}

func TestLinphoneTransfersAttended(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 3})
	anna, bruno, carla := o.Linphone(201, hzModem), o.Baresip(202, hzAgent), o.Baresip(203, hzCaller)
	carla.Dial("201")
	anna.Until("incoming call")
	anna.Answer()
	carla.Until("CALL_ESTABLISHED")
	anna.Hold(1)
	anna.Until("paused")
	anna.Dial("202")
	bruno.Until("CALL_INCOMING")
	bruno.Answer()
	bruno.Until("CALL_ESTABLISHED")
	anna.Until("Media streams established")
	anna.Join(1, 2)
	anna.Until("ended")
	o.Lamp(201, tel.AgentReady)
	time.Sleep(talk)
	carla.Hangup()
	carla.Until("CALL_CLOSED")
	bruno.Until("CALL_CLOSED")
	hears(t, "Carla", carla.Heard(), hzAgent)
	hears(t, "Bruno", bruno.Heard(), hzCaller)
	if n := len(o.CallRecords(2)); n != 2 {
		t.Errorf("%d call records, want one for each call", n)
	}
}

func TestATargetThatDoesNotAnswerGivesTheCallerBack(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 3})
	anna, bruno, carla := o.Baresip(201, hzAgent), o.Baresip(202, hzModem), o.Baresip(203, hzCaller)
	carla.Dial("201")
	anna.Until("CALL_INCOMING")
	anna.Answer()
	carla.Until("CALL_ESTABLISHED")
	anna.Transfer("202")
	bruno.Until("CALL_INCOMING")
	bruno.Hangup() // declines
	time.Sleep(talk)
	if r := o.CallRecords(0); len(r) != 0 {
		t.Fatalf("the call was lost: %+v", r)
	}
	carla.Hangup()
	carla.Until("CALL_CLOSED")
	hears(t, "Carla", carla.Heard(), hzAgent)
}

func TestLinphoneTransfersToACallThatStillRings(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 3})
	anna, bruno, carla := o.Linphone(201, hzModem), o.Baresip(202, hzAgent), o.Baresip(203, hzCaller)
	carla.Dial("201")
	anna.Until("incoming call")
	anna.Answer()
	carla.Until("CALL_ESTABLISHED")
	anna.Hold(1)
	anna.Until("paused")
	anna.Dial("202")
	bruno.Until("CALL_INCOMING")
	anna.Until("ringing")
	anna.Join(1, 2)
	o.Lamp(201, tel.AgentReady)
	bruno.Answer()
	bruno.Until("CALL_ESTABLISHED")
	time.Sleep(talk)
	carla.Hangup()
	carla.Until("CALL_CLOSED")
	bruno.Until("CALL_CLOSED")
	hears(t, "Carla", carla.Heard(), hzAgent)
	hears(t, "Bruno", bruno.Heard(), hzCaller)
}
