package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// lineCalls makes calls over lines: some noted use by use, some as programs of before wrote them, some twice, the later
// record with the lower position.
func lineCalls(r *rand.Rand, start time.Time) (all []store.Call) {
	lines := []string{"trunk:tim", "line:gsm0", "phone:201"}
	for i := range 300 {
		at := start.Add(time.Duration(r.IntN(40*3600*1000)) * time.Millisecond)
		c := store.Call{Pos: store.Position(10000 - i), CallEnded: tel.CallEnded{
			Call: tel.CallID(fmt.Sprintf("l%d", i-i/20%2)), In: lines[r.IntN(3)], Started: at, Ended: at.Add(time.Duration(r.IntN(2*3600)-20) * time.Second), Cause: tel.CauseNormal,
		}}
		if r.IntN(2) == 0 {
			c.Answered, c.Out = at.Add(time.Duration(r.IntN(60))*time.Second), lines[r.IntN(3)]
		}
		for range r.IntN(4) {
			u := tel.LineUse{Line: lines[r.IntN(2)], Out: r.IntN(2) == 0, Took: r.IntN(5) == 0, From: at, To: at.Add(time.Duration(r.IntN(3*3600)) * time.Second), Cause: []tel.Cause{tel.CauseBusy, tel.CauseCongestion, tel.CauseNormal}[r.IntN(3)]}
			if r.IntN(2) == 0 {
				u.Answered = at.Add(time.Duration(r.IntN(100)) * time.Second)
			}
			c.Lines = append(c.Lines, u)
		}
		all = append(all, c)
	}
	return all
}

// sumsOfLines: a hand-worked hour of one line.
func sumsOfLines(t *testing.T, s store.Records) {
	at := Day.Add(20 * time.Minute)
	in := tel.LineUse{Line: "trunk:tim", From: at, Answered: at.Add(time.Minute), To: at.Add(15 * time.Minute), Cause: tel.CauseNormal}
	full := tel.LineUse{Line: "trunk:tim", Out: true, From: at, To: at, Cause: tel.CauseCongestion}
	busy := tel.LineUse{Line: "trunk:tim", Out: true, From: at, To: at.Add(10 * time.Second), Cause: tel.CauseBusy}
	taken := tel.LineUse{Line: "trunk:tim", Took: true, From: at, Answered: at, To: at.Add(time.Minute), Cause: tel.CauseNormal}
	call := store.Call{Pos: 2, CallEnded: tel.CallEnded{Call: "c1", Started: at, Ended: in.To, Lines: []tel.LineUse{in, full, busy, taken}}}
	must(t, s.PutCalls(t.Context(), call))
	must(t, s.PutCalls(t.Context(), call)) // again: nothing may count twice
	q := store.ReportQuery{From: Day, To: Day.Add(time.Hour), Step: report.HalfHour, Zone: "Europe/Rome"}
	rows, err := s.LineCalls(t.Context(), q)
	must(t, err)
	want := []report.LineRow{
		{Line: "trunk:tim", From: Day, LineCalls: report.LineCalls{
			In: 1, InAnswered: 1, Out: 2, Failed: map[tel.Cause]int{tel.CauseCongestion: 1, tel.CauseBusy: 1}, Used: 11*time.Minute + 10*time.Second, Talked: 10 * time.Minute,
		}},
		{Line: "trunk:tim", From: Day.Add(30 * time.Minute), LineCalls: report.LineCalls{Used: 5 * time.Minute, Talked: 5 * time.Minute}},
	}
	sameRows(t, rows, want)
	if n := want[0].Refused(); n != 1 {
		t.Errorf("%d refused by the line, want the congested one", n)
	}
	earlier := call
	earlier.Pos, earlier.Lines = 1, []tel.LineUse{busy} // the record that was written first comes last: it counts alone
	must(t, s.PutCalls(t.Context(), earlier))
	rows, err = s.LineCalls(t.Context(), q)
	must(t, err)

	sameRows(t, rows, []report.LineRow{{Line: "trunk:tim", From: Day, LineCalls: report.LineCalls{Out: 1, Failed: map[tel.Cause]int{tel.CauseBusy: 1}, Used: 10 * time.Second}}})
	q.Lines = []string{"line:gsm0"}
	if rows, err = s.LineCalls(t.Context(), q); err != nil || len(rows) != 0 {
		t.Errorf("another line has %v %v", rows, err)
	}
}
