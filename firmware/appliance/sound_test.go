package appliance

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Who has heard badly again and again is named on the page, where it is mended and by whom.
func TestBadSoundThatComesAgainIsBlamedOnWhereItComesFrom(t *testing.T) {
	b := start(t, shop+`
trunks:
  - {id: tim, name: TIM Vendite, server: "127.0.0.2:5099", match: ["127.0.0.2/32"]}
`)
	ended := func(trunk, phone tel.LegSound) {
		b.box.publish(tel.CallEnded{
			Call: tel.CallID("c" + time.Now().Format(time.RFC3339Nano)), Ended: time.Now(),
			Media: []tel.LegNote{{Party: "trunk:tim", Sound: trunk}, {Party: "phone:201", Sound: phone}},
		})
	}
	fine := tel.LegSound{Heard: 4.4}
	stands := func(condition, text string, ok bool) {
		t.Helper()
		if n := b.notice(condition); n.OK != ok || n.Text != text {
			t.Errorf("%s: %+v, want %q", condition, n, text)
		}
	}
	for range 2 {
		ended(fine, tel.LegSound{Heard: 3, Trouble: tel.SoundLoss, Place: tel.SoundAtPhone})
	}
	stands("sound_phone_network", "", true)
	ended(fine, tel.LegSound{Heard: 3, Trouble: tel.SoundLoss, Place: tel.SoundAtPhone})
	stands("sound_phone_network", "201", false)
	stands("sound_carrier", "", true)
	for range 3 {
		ended(tel.LegSound{Heard: 2, Trouble: tel.SoundBursts, Place: tel.SoundAtCarrier}, fine)
	}
	stands("sound_phone_network", "", true) // three calls went well
	stands("sound_carrier", "TIM Vendite", false)
	for range 3 {
		ended(tel.LegSound{Heard: 2, Trouble: tel.SoundStall, Place: tel.SoundAtBox}, fine)
	}
	stands("sound_carrier", "", true)
	if b.notice("sound_box").OK {
		t.Error("the box is not blamed")
	}
}
