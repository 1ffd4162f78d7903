package call

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// lineBook is the time that a world's calls to the outside occupied its lines, counted beside the machine.
type lineBook struct {
	open map[tel.LegID]tel.LineUse
	done []tel.LineUse
}

// left closes the uses whose leg lives no more.
func (b *lineBook) left(live map[tel.LegID]bool, at time.Time) {
	for id, u := range b.open {
		if !live[id] {
			u.To = at
			delete(b.open, id)
			if at.After(u.From) { // one that came too late and was hung up at once is of no call
				b.done = append(b.done, u)
			}
		}
	}
}

// ended compares what the record says with the book.
func (b *lineBook) ended(t *testing.T, live map[tel.LegID]bool, r tel.CallEnded, at time.Time) {
	t.Helper()
	b.left(live, at)
	line := func(u tel.LineUse) string { return fmt.Sprint(u.Line, u.From.Sub(noon), u.To.Sub(noon)) }
	var want, have []string
	for _, u := range b.done {
		want = append(want, line(u))
	}
	for _, u := range r.Lines {
		switch {
		case u.To.Before(u.From) || u.Cause == tel.CauseNone:
			t.Fatalf("a use of a line that makes no sense: %+v", u)
		case !u.Out || u.Took:
			continue
		case u.To.Equal(u.From) && u.Cause != tel.CauseCongestion:
			continue
		}
		have = append(have, line(u))
	}
	if len(r.Lines) == maxLineUses {
		return
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) {
		t.Fatalf("the record accounts for %q, occupied were %q: %+v", have, want, r.Lines)
	}
}

func TestTheRecordSaysHowLongEachLineWasUsed(t *testing.T) {
	s := incoming()
	s.Caller.Party = "trunk:tim"
	at := noon
	do := func(in any, later time.Duration) (out []Effect) {
		at = at.Add(later)
		s, out = Next(s, in, at)
		return out
	}
	do(Begin{Decision{Kind: ToOutside, Attempts: []Attempt{{Via: "trunk:a", Number: "1"}, {Via: "line:g", Number: "1"}}}}, 0)
	key := s.Groups[0].Key
	do(Dialed{Key: key, Via: "trunk:a", Cause: tel.CauseCongestion}, 0)
	do(Dialed{Key: s.Groups[0].Key, Via: "line:g", Legs: []LegState{{ID: "out", Party: "line:g", Ref: "out", Out: true}}}, 0)
	do(LegEvent{Leg: "out", Kind: LegAnswered}, 5*time.Second)
	out := do(LegEvent{Leg: "caller", Kind: LegEnded, Cause: tel.CauseNormal}, time.Minute)
	i := slices.IndexFunc(out, func(e Effect) bool { _, ok := e.(DoEnd); return ok })
	if i < 0 {
		t.Fatalf("the call has no record: %+v", out)
	}
	answered, ended := noon.Add(5*time.Second), noon.Add(65*time.Second)
	want := []tel.LineUse{
		{Line: "trunk:tim", From: noon, Answered: answered, To: ended, Cause: tel.CauseNormal},
		{Line: "trunk:a", Out: true, From: noon, To: noon, Cause: tel.CauseCongestion},
		{Line: "line:g", Out: true, From: noon, Answered: answered, To: ended, Cause: tel.CauseNormal},
	}
	if have := out[i].(DoEnd).Record.Lines; !slices.Equal(have, want) {
		t.Errorf("the record says\n%+v\nwant\n%+v", have, want)
	}
}
