package main_test

import (
	"fmt"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// lifted is the least level of a voice in a mix, and silent the most of one that is not in it.
const lifted, silent = -25.0, -45.0

// mixed waits until a party hears every one of the voices, and no other.
func mixed(t *testing.T, who string, c *peer.Call, voices ...int) {
	t.Helper()
	settles(t, who, func() error {
		hearing(c)
		pcm := c.Audio().Heard()
		for _, hz := range voices {
			if l := tone.Level(pcm, hz); l < lifted {
				return fmt.Errorf("%d Hz at %.1f of %.1f dB", hz, l, tone.Power(pcm))
			}
		}
		for _, hz := range tone.Others(tones, voices...) {
			if l := tone.Level(pcm, hz); l > silent {
				return fmt.Errorf("%d Hz at %.1f dB, who is not in the conference for it", hz, l)
			}
		}
		return nil
	}, c)
}

// Alice's phone calls two and mixes them with her voice: all three hear each other. The box has two calls
// of one phone at once, both unheld; who leaves takes nobody along.
func TestRFC5359Section2_10ConferenceAtAPhone(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3})
	alice, bob, carol := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent), deskAt(t, o, 203, hzCarrier)
	toBob, b := connected(t, alice, bob, "202")
	hold(t, toBob, true)
	toCarol, c := connected(t, alice, carol, "203")
	allHear(t, "before", ear{"Bob", b, musicHeard}, ear{"Carol", c, hzCaller}, ear{"Alice of Carol", toCarol, hzCarrier})
	hold(t, toBob, false)
	peer.Conference(toBob.Audio(), toCarol.Audio())
	mixed(t, "Bob", b, hzCaller, hzCarrier)
	mixed(t, "Carol", c, hzCaller, hzAgent)
	mixed(t, "Alice of Bob", toBob, hzAgent)
	mixed(t, "Alice of Carol", toCarol, hzCarrier)
	over(t, c, toCarol)
	toBob.Audio().Alone()
	allHear(t, "Carol has left", ear{"Bob", b, hzCaller}, ear{"Alice", toBob, hzAgent})
	over(t, toBob, b)
}

// Linphone mixes those whom it has called. It speaks from a file here, and of that its conference knows
// nothing: Bob and Carol hear each other through it.
func TestRFC5359Section2_10ConferenceAtLinphone(t *testing.T) {
	t.Parallel()
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3})
	bob, carol := deskAt(t, o, 202, hzAgent), deskAt(t, o, 203, hzCarrier)
	alice := o.Linphone(201, hzCaller)
	alice.Dial("202")
	b := bob.picksUp()
	alice.Until("Media streams established")
	hearsTone(t, "Bob, before", b, hzCaller)
	alice.Hold(1)
	alice.Until("paused")
	alice.Dial("203")
	c := carol.picksUp()
	alice.Until("Media streams established")
	hearsTone(t, "Carol, before", c, hzCaller)
	alice.Conference(2, 1)
	alice.Until("Resuming call 1")
	alice.Until("Media streams established")
	hearsTone(t, "Bob", b, hzCarrier)
	hearsTone(t, "Carol", c, hzAgent)
	alice.Hangup()
	ended(t, b, c)
}
