package main_test

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
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

// One speaks, the phones of the group answer by themselves and hear, and the speaker hears nobody.
func TestAnAnnouncementIsHeardByEveryPhoneOfTheGroup(t *testing.T) {
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 3, Extra: `
groups:
  - {id: all, name: Announcement, number: "390", page: true, members: [{to: "ext:201"}, {to: "ext:202"}, {to: "ext:203"}]}
`})
	heard := make(chan *peer.Call, 2)
	listen := func(c *peer.Call) {
		c.Answer()
		heard <- c
	}
	phone(t, o, 201, hzAgent, listen)
	phone(t, o, 202, hzModem, listen)
	carla := phone(t, o, 203, hzCaller, nil)
	c, err := carla.Dial(peer.Outgoing{To: "390"})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "the box to listen", c.Answered())
	first, second := <-heard, <-heard
	time.Sleep(talk)
	for _, l := range []*peer.Call{first, second} {
		hears(t, "a listener", tone.Tail(l.Audio().Heard(), 2*tone.Rate, 0), hzCaller)
	}
	if pcm := tone.Tail(c.Audio().Heard(), tone.Rate, 0); tone.Heard(pcm, hzAgent) == nil || tone.Heard(pcm, hzModem) == nil {
		t.Error("the speaker hears who listens")
	}
	c.Hangup()
	within(t, "the first listener's end", first.Ended())
	within(t, "the second listener's end", second.Ended())
}
