package media

import (
	"testing"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

func TestACodecMayChangeInTheMiddleOfACall(t *testing.T) {
	e := startEngine(t, 22910, 22919, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	a.send("at once")
	b.hearsFirst("at once")
	if !a.leg.Stats().Fast {
		t.Error("the same codec is transcoded")
	}
	clock := byHand(t, a.leg)
	for _, id := range []codec.ID{codec.PCMA, codec.G722} {
		a.pt = id.PayloadType()
		a.configure(as(id))
		if s := a.leg.Stats(); s.Fast || s.Codec != id.Name() {
			t.Errorf("%v: %+v", id, s)
		}
		heardA, heardB := talkers(t, clock, a, b, as(id), pcmu, 60)
		clean(t, "a", heardA, 1300, 700)
		clean(t, "b", heardB, 700, 1300)
	}
	a.pt = 0
	a.configure(pcmu)
	a.send("at once again")
	b.hearsFirst("at once again")
	if !b.leg.Stats().Fast {
		t.Error("the same codec is still transcoded")
	}
}
