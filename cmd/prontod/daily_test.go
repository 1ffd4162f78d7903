package main_test

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
)

func TestAParkedCallIsFetchedAndHeard(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 3})
	anna, bruno, carla := o.Baresip(201, hzModem), o.Baresip(202, hzAgent), o.Baresip(203, hzCaller)
	carla.Dial("201")
	anna.Until("CALL_INCOMING")
	anna.Answer()
	carla.Until("CALL_ESTABLISHED")
	anna.Transfer("*70")
	anna.Until("CALL_CLOSED")
	bruno.Dial("701")
	bruno.Until("CALL_ESTABLISHED")
	time.Sleep(talk)
	carla.Hangup()
	carla.Until("CALL_CLOSED")
	bruno.Until("CALL_CLOSED")
	hears(t, "Carla", carla.Heard(), hzAgent)
	hears(t, "Bruno", bruno.Heard(), hzCaller)
}

func TestACallThatRingsAtAColleagueIsPickedUp(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 3})
	anna, bruno, carla := o.Baresip(201, hzModem), o.Linphone(202, hzAgent), o.Baresip(203, hzCaller)
	carla.Dial("201")
	anna.Until("CALL_INCOMING")
	bruno.Dial("*8201")
	bruno.Until("Media streams established")
	carla.Until("CALL_ESTABLISHED")
	time.Sleep(talk)
	carla.Hangup()
	carla.Until("CALL_CLOSED")
	bruno.Until("ended")
	hears(t, "Carla", carla.Heard(), hzAgent)
	hears(t, "Bruno", bruno.Heard(), hzCaller)
}
