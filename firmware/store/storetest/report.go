package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/store/memory"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Interval makes a record of an agent's day.
func Interval(pos store.Position, agent tel.AgentID, state tel.AgentState, queue tel.QueueID, from time.Time, took time.Duration) store.Interval {
	return store.Interval{Pos: pos, AgentInterval: tel.AgentInterval{Agent: agent, State: state, Queue: queue, From: from, To: from.Add(took)}}
}

// morning fills a store with two callers and the agent who answered the second one.
func morning(t *testing.T, s store.Records) {
	t.Helper()
	lost := store.Wait{Pos: 1, QueueLeft: tel.QueueLeft{
		Queue: "sales", Call: "c1", Joined: Day, Left: Day.Add(12500 * time.Millisecond), Outcome: tel.OutcomeAbandoned, Stage: tel.AbandonRinging,
	}}
	served := store.Wait{Pos: 2, QueueLeft: tel.QueueLeft{
		Queue: "sales", Call: "c2", Joined: Day.Add(28 * time.Minute), Left: Day.Add(28*time.Minute + 20*time.Second), Outcome: tel.OutcomeAnswered, Agent: "anna",
	}}
	must(t, s.PutWaits(t.Context(), lost, served))
	at := served.Left
	all := []store.Interval{
		Interval(3, "anna", tel.AgentReady, "", Day, 28*time.Minute+20*time.Second),
		Interval(4, "anna", tel.AgentTalking, "sales", at, 3*time.Minute), // over the half hour
		Interval(5, "anna", tel.AgentWrapUp, "sales", at.Add(3*time.Minute), 20*time.Second),
		Interval(6, "anna", tel.AgentPaused, "", at.Add(200*time.Second), 10*time.Minute),
		Interval(7, "anna", tel.AgentLoggedOut, "", at.Add(800*time.Second), time.Hour),
	}
	must(t, s.PutIntervals(t.Context(), all...))
	must(t, s.PutIntervals(t.Context(), all...)) // again: nothing may count twice
	must(t, s.PutWaits(t.Context(), lost, served))
}

// sums: a hand-worked morning.
func sums(t *testing.T, s store.Records) {
	morning(t, s)
	q := store.ReportQuery{From: Day, To: Day.Add(time.Hour), Step: report.HalfHour, Zone: "Europe/Rome"}
	traffic, err := s.Traffic(t.Context(), q)
	must(t, err)
	wantTraffic := []report.TrafficRow{
		{Queue: "sales", From: Day, Traffic: report.Traffic{
			Outcomes: map[tel.QueueOutcome]int{tel.OutcomeAbandoned: 1, tel.OutcomeAnswered: 1}, Stages: map[tel.AbandonStage]int{tel.AbandonRinging: 1},
			Answered: spread(20), GaveUp: spread(13), Waited: 20 * time.Second, Longest: 20 * time.Second, Talked: 100 * time.Second,
		}},
		{Queue: "sales", From: Day.Add(30 * time.Minute), Traffic: report.Traffic{Talked: 80 * time.Second, Wrapped: 20 * time.Second}},
	}
	sameRows(t, traffic, wantTraffic)
	work, err := s.Work(t.Context(), q)
	must(t, err)
	sameRows(t, work, []report.WorkRow{
		{Agent: "anna", From: Day, Work: report.Work{Answered: 1, Spent: map[tel.AgentState]time.Duration{
			tel.AgentReady: 28*time.Minute + 20*time.Second, tel.AgentTalking: 100 * time.Second,
		}}},
		{Agent: "anna", From: Day.Add(30 * time.Minute), Work: report.Work{Spent: map[tel.AgentState]time.Duration{
			tel.AgentTalking: 80 * time.Second, tel.AgentWrapUp: 20 * time.Second, tel.AgentPaused: 10 * time.Minute,
		}}},
	})
	page, err := s.ListIntervals(t.Context(), store.IntervalQuery{Agent: "anna"})
	must(t, err)
	if len(page.Items) != 5 || page.Items[0].State != tel.AgentLoggedOut {
		t.Errorf("intervals %+v", page.Items)
	}
	q.Queues, q.Agents = []tel.QueueID{"support"}, []tel.AgentID{"bruno"}
	traffic, err = s.Traffic(t.Context(), q)
	must(t, err)
	work, err = s.Work(t.Context(), q)
	must(t, err)
	if len(traffic)+len(work) != 0 {
		t.Errorf("others have %v %v", traffic, work)
	}
}

// spread is that of one wait.
func spread(seconds int) report.Spread {
	s := make(report.Spread, seconds+1)
	s[seconds] = 1
	return s
}

func sameRows[R any](t *testing.T, got, want []R) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d: %+v", len(got), len(want), got)
	}
	for i := range want {
		if a, b := fmt.Sprintf("%+v", got[i]), fmt.Sprintf("%+v", want[i]); a != b {
			t.Errorf("row %d:\n%s\n%s", i, a, b)
		}
	}
}

// sumsOfMany: what is kept as sums is what the records give, in every step and zone, whatever came when.
func sumsOfMany(t *testing.T, s store.Records) {
	oracle := &memory.Store{}
	r := rand.New(rand.NewPCG(11, 12))
	start := time.Date(2026, 10, 24, 20, 0, 0, 0, time.UTC) // the night in which summer time ends
	var waits []store.Wait
	var intervals []store.Interval
	for i := range 400 {
		at := start.Add(time.Duration(r.IntN(40*3600*1000)) * time.Millisecond)
		w := store.Wait{Pos: store.Position(i + 1), QueueLeft: tel.QueueLeft{
			Queue: tel.QueueID([]string{"sales", "support"}[r.IntN(2)]), Call: tel.CallID(fmt.Sprintf("c%d", i)), Joined: at, Left: at.Add(time.Duration(r.IntN(90000)-50) * time.Millisecond),
			Outcome: []tel.QueueOutcome{tel.OutcomeAnswered, tel.OutcomeAbandoned, tel.OutcomeTimedOut, tel.OutcomeRefused, tel.OutcomeCallback}[r.IntN(5)], Short: r.IntN(9) == 0,
		}}
		if w.Outcome == tel.OutcomeAnswered {
			w.Agent = tel.AgentID([]string{"anna", "bruno"}[r.IntN(2)])
		}
		if n := r.IntN(40); n > 0 { // else it is withheld
			w.Caller = tel.Number(fmt.Sprintf("+3933300000%02d", n))
		}
		if r.IntN(4) == 0 {
			w.Arrived = at.Add(time.Duration(r.IntN(60000)) * time.Millisecond)
		}
		waits = append(waits, w)
		states := tel.AgentStates()
		intervals = append(intervals, Interval(store.Position(1000+i), tel.AgentID([]string{"anna", "bruno"}[r.IntN(2)]), states[r.IntN(len(states))],
			tel.QueueID([]string{"", "sales", "support"}[r.IntN(3)]), at, time.Duration(r.IntN(3*3600)-60)*time.Second))
	}
	intervals = append(intervals, Interval(5000, "anna", tel.AgentReady, "", start, 20*365*24*time.Hour)) // a clock was set
	calls := lineCalls(r, start)
	for _, store := range []store.Records{oracle, s} {
		must(t, store.PutCalls(t.Context(), calls...))
		must(t, store.PutCalls(t.Context(), calls[:50]...))
		must(t, store.PutWaits(t.Context(), waits...))
		must(t, store.PutIntervals(t.Context(), intervals...))
		must(t, store.PutWaits(t.Context(), waits[:100]...))
	}
	for _, zone := range []string{"Europe/Rome", "UTC", "America/New_York", "Asia/Kolkata"} {
		for _, step := range report.Steps() {
			q := store.ReportQuery{Step: step, Zone: zone}
			if r.IntN(2) == 0 {
				q.From, q.To = start.Add(5*time.Hour), start.Add(30*time.Hour)
			}
			for _, name := range []string{"traffic", "work", "lines"} {
				got, err := answer(t, s, name, q)
				must(t, err)
				want, err := answer(t, oracle, name, q)
				must(t, err)
				if len(want) == 0 || len(got) != len(want) {
					t.Fatalf("%s by %s in %s: %d rows, want %d", name, step, zone, len(got), len(want))
				}
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("%s by %s in %s, row %d:\n%s\n%s", name, step, zone, i, got[i], want[i])
					}
				}
			}
		}
	}
}

func answer(t *testing.T, s store.Records, name string, q store.ReportQuery) (rows []string, err error) {
	switch name {
	case "work":
		all, err := s.Work(t.Context(), q)
		for _, r := range all {
			rows = append(rows, fmt.Sprintf("%+v", r))
		}
		return rows, err
	case "lines":
		all, err := s.LineCalls(t.Context(), q)
		for _, r := range all {
			rows = append(rows, fmt.Sprintf("%+v", r))
		}
		return rows, err
	}
	all, err := s.Traffic(t.Context(), q)
	for _, r := range all {
		rows = append(rows, fmt.Sprintf("%+v", r))
	}
	return rows, err
}

// badReports: what cannot be answered is refused.
func badReports(t *testing.T, s store.Records) {
	for _, q := range []store.ReportQuery{
		{Step: "fortnight", Zone: "UTC"}, {Zone: "UTC"}, {Step: report.Day}, {Step: report.Day, Zone: "Europe/Atlantis"}, {Step: report.Day, Zone: "../../etc/passwd"}, {Step: report.Day, Zone: "Local"},
	} {
		for _, name := range []string{"traffic", "work", "lines"} {
			if _, err := answer(t, s, name, q); !errors.Is(err, store.ErrQuery) {
				t.Errorf("%s of %+v: %v", name, q, err)
			}
		}
	}
	var many []store.Wait
	for i := range store.MaxRows + 1 {
		at := Day.Add(time.Duration(i) * report.SlotLength)
		many = append(many, store.Wait{Pos: store.Position(i + 1), QueueLeft: tel.QueueLeft{Queue: "sales", Call: tel.CallID(fmt.Sprint(i)), Joined: at, Left: at, Outcome: tel.OutcomeAnswered, Agent: "anna"}})
	}
	for part := range slices.Chunk(many, 500) {
		must(t, s.PutWaits(t.Context(), part...))
	}
	var busy []store.Call
	for _, w := range many {
		u := tel.LineUse{Line: "trunk:tim", From: w.Joined, To: w.Joined.Add(time.Second), Cause: tel.CauseNormal}
		busy = append(busy, store.Call{Pos: w.Pos, CallEnded: tel.CallEnded{Call: w.Call, Started: u.From, Ended: u.To, Lines: []tel.LineUse{u}}})
	}
	for part := range slices.Chunk(busy, 500) {
		must(t, s.PutCalls(t.Context(), part...))
	}
	for _, name := range []string{"traffic", "work", "lines"} {
		if _, err := answer(t, s, name, store.ReportQuery{Step: report.HalfHour, Zone: "UTC"}); !errors.Is(err, store.ErrTooLarge) {
			t.Errorf("%s of too many rows: %v", name, err)
		}
		if rows, err := answer(t, s, name, store.ReportQuery{Step: report.Month, Zone: "UTC"}); err != nil || len(rows) == 0 {
			t.Errorf("%s in months: %v %v", name, rows, err)
		}
	}
}
