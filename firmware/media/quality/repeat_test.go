package quality

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestATroubleThatComesAgainAndAgainIsNamedUntilItIsOver(t *testing.T) {
	fine := tel.LegSound{Heard: 4.4}
	loss := tel.LegSound{Heard: 3, Trouble: tel.SoundLoss, Place: tel.SoundAtPhone}
	stall := tel.LegSound{Heard: 3, Trouble: tel.SoundStall, Place: tel.SoundAtBox}
	lossy := tel.LegSound{Heard: 3, Trouble: tel.SoundBursts, Place: tel.SoundAtCarrier}
	type call struct {
		after time.Duration // since the call before
		legs  []tel.LegNote
		want  string // what stands afterwards; "=" for no change
	}
	phone := func(n string, s tel.LegSound) tel.LegNote { return tel.LegNote{Party: "phone:" + n, Sound: s} }
	trunk := func(s tel.LegSound) tel.LegNote { return tel.LegNote{Party: "trunk:tim", Sound: s} }
	many := func(n int, c call) (all []call) {
		for range n {
			all = append(all, c)
		}
		return all
	}
	bad := call{time.Minute, []tel.LegNote{trunk(fine), phone("201", loss)}, "="}
	good := call{time.Minute, []tel.LegNote{trunk(fine), phone("201", fine)}, "="}
	with := func(c call, want string) call { c.want = want; return c }
	for name, calls := range map[string][]call{
		"two bad calls are chance":                  many(2, bad),
		"three are not":                             append(many(2, bad), with(bad, "phone_network phone:201 loss 3")),
		"three of different phones are":             {bad, {time.Minute, []tel.LegNote{phone("202", loss)}, "="}, {time.Minute, []tel.LegNote{phone("203", loss)}, "="}},
		"three among good ones are not":             {bad, good, bad, good, with(bad, "phone_network phone:201 loss 3")},
		"three good ones end it":                    append(append(many(2, bad), with(bad, "phone_network phone:201 loss 3")), good, good, with(good, "")),
		"others' good ones do not":                  append(append(many(2, bad), with(bad, "phone_network phone:201 loss 3")), many(9, call{time.Minute, []tel.LegNote{phone("202", fine)}, "="})...),
		"what was a day ago is forgotten":           {bad, bad, with(bad, "phone_network phone:201 loss 3"), {25 * time.Hour, []tel.LegNote{phone("202", fine)}, ""}},
		"bad ones far apart are chance":             {bad, {25 * time.Hour, bad.legs, "="}, {25 * time.Hour, bad.legs, "="}},
		"the box is blamed once for all of a call":  append(many(2, call{time.Minute, []tel.LegNote{phone("201", stall), phone("202", stall)}, "="}), call{time.Minute, []tel.LegNote{phone("203", stall)}, "box  stall 3"}),
		"a carrier is blamed whoever talks":         {{time.Minute, []tel.LegNote{trunk(lossy), phone("201", fine)}, "="}, {time.Minute, []tel.LegNote{trunk(lossy), phone("202", fine)}, "="}, {time.Minute, []tel.LegNote{trunk(lossy), phone("203", fine)}, "carrier trunk:tim bursts 3"}},
		"a call of which nothing is known is none":  append(append(many(2, bad), with(bad, "phone_network phone:201 loss 3")), many(5, call{time.Minute, []tel.LegNote{phone("201", tel.LegSound{})}, "="})...),
		"the latest of its troubles is that of now": {bad, bad, with(bad, "phone_network phone:201 loss 3"), {time.Minute, []tel.LegNote{phone("201", tel.LegSound{Heard: 2, Trouble: tel.SoundJitter, Place: tel.SoundAtPhone})}, "="}},
	} {
		t.Run(name, func(t *testing.T) {
			var r Repeated
			now := time.Unix(1e9, 0)
			stood := ""
			for i, c := range calls {
				now = now.Add(c.after)
				standing, changed := r.Ended(c.legs, now)
				var words []string
				for _, s := range standing {
					words = append(words, fmt.Sprintf("%s %s %s %d", s.Place, s.Party, s.Trouble, s.Bad))
				}
				got := strings.Join(words, "; ")
				if changed != (c.want != "=") || changed && got != c.want || !changed && (got == "") != (stood == "") {
					t.Fatalf("call %d: %q stands, changed %v, want %q", i, got, changed, c.want)
				}
				stood = got
			}
		})
	}
}

func TestWellCallsAreNotRemembered(t *testing.T) {
	var r Repeated
	for i := range 1000 {
		r.Ended([]tel.LegNote{{Party: fmt.Sprint("phone:", i), Sound: tel.LegSound{Heard: 4}}}, time.Unix(int64(i), 0))
	}
	if len(r.causes) != 0 {
		t.Errorf("%d parties are kept", len(r.causes))
	}
}
