package main_test

import (
	"testing"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

func TestAParkedCallIsFetchedAndHeard(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 3})
	anna, bruno, carla := o.Baresip(201, hzModem), byBaresip(o.Baresip(202, hzAgent)), byBaresip(o.Baresip(203, hzCaller))
	carla.calls(byBaresip(anna), "201")
	anna.Transfer("*70")
	anna.Until("CALL_CLOSED")
	bruno.Dial("701")
	bruno.Until(bruno.talks)
	part(t, carla, hzCaller, bruno, hzAgent)
}

func TestACallThatRingsAtAColleagueIsPickedUp(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 3})
	anna, bruno, carla := byBaresip(o.Baresip(201, hzModem)), byLinphone(o.Linphone(202, hzAgent)), byBaresip(o.Baresip(203, hzCaller))
	carla.Dial("201")
	anna.Until(anna.rings)
	bruno.Dial("*8201")
	bruno.Until(bruno.talks)
	carla.Until(carla.talks)
	part(t, carla, hzCaller, bruno, hzAgent)
}

// One speaks, the phones of the group answer by themselves and hear, and the speaker hears nobody.
func TestAnAnnouncementIsHeardByEveryPhoneOfTheGroup(t *testing.T) {
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 3, Extra: `
groups:
  - {id: all, name: Announcement, number: "390", page: true, members: [{to: "ext:201"}, {to: "ext:202"}, {to: "ext:203"}]}
`})
	anna, bruno, carla := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzModem), deskAt(t, o, 203, hzCaller)
	c := carla.talksTo("390")
	listeners := []*peer.Call{anna.picksUp(), bruno.picksUp()}
	for _, l := range listeners {
		hearsTone(t, "a listener", l, hzCaller)
	}
	if pcm := tone.Tail(c.Audio().Heard(), tone.Rate, 0); tone.Heard(pcm, hzAgent) == nil || tone.Heard(pcm, hzModem) == nil {
		t.Error("the speaker hears who listens")
	}
	c.Hangup()
	ended(t, listeners...)
}
