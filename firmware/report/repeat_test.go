package report

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestAFirstContactIsResolvedWhenTheNumberDoesNotComeAgainWithinTheWindow(t *testing.T) {
	const day = 24 * time.Hour
	answered := func(call tel.CallID, at time.Duration) Contact {
		return Contact{At: noon.Add(at), Left: noon.Add(at + time.Minute), Call: call, Answered: true}
	}
	for _, c := range []struct {
		name string
		next Contact
		want Repeats
	}{
		{"an hour later", answered("b", time.Hour), Repeats{1, 0, 0}},
		{"just a day after the answer", answered("b", day+time.Minute), Repeats{1, 0, 0}},
		{"a moment more", answered("b", day+time.Minute+1), Repeats{0, 1, 0}},
		{"after three weeks", answered("b", 21*day), Repeats{0, 0, 1}},
		{"after a season", answered("b", 90*day), Repeats{}},
		{"in the same call", answered("a", time.Hour), Repeats{}},
		{"before the answer", answered("b", 30*time.Second), Repeats{}},
		{"without an answer this time", Contact{At: noon.Add(time.Hour), Call: "b"}, Repeats{1, 0, 0}},
	} {
		traffic := Traffic{Known: 1}
		traffic.TakeRepeat(answered("a", 0), c.next, 1)
		if traffic.Again != c.want {
			t.Errorf("%s: %v, want %v", c.name, traffic.Again, c.want)
		}
		lost := 0
		for i := range c.want {
			lost += c.want[i]
			if got := traffic.FirstContact(i); got != (Ratio{1 - lost, 1}) {
				t.Errorf("%s: within %v %+v", c.name, RepeatWindows()[i], got)
			}
		}
		traffic.TakeRepeat(answered("a", 0), c.next, -1)
		if traffic.Again != (Repeats{}) {
			t.Errorf("%s: %v is left of what was taken back", c.name, traffic.Again)
		}
	}
	var traffic Traffic
	traffic.TakeRepeat(Contact{At: noon, Call: "a"}, answered("b", time.Hour), 1)
	if traffic.Again != (Repeats{}) || traffic.FirstContact(0).Known() {
		t.Errorf("who was not answered is counted: %+v", traffic)
	}
}
