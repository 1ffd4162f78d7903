package missed

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var t0 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const (
	anna = tel.Number("+393331234567")
	bea  = tel.Number("+390212345678")
)

// waited is the end of a minute's wait.
func waited(call tel.CallID, who tel.Number, how tel.QueueOutcome, at time.Time) tel.QueueLeft {
	return tel.QueueLeft{Queue: "sales", Call: call, Caller: who, Joined: at.Add(-time.Minute), Left: at, Outcome: how}
}

func talked(call tel.CallID, dir tel.Direction, from, to tel.Number, answered bool, at time.Time) tel.CallEnded {
	e := tel.CallEnded{Call: call, Direction: dir, From: from, To: to, Ended: at, Agent: "carla"}
	if answered {
		e.Answered = at.Add(-time.Second)
	}
	return e
}

// line is a row in short.
func line(m tel.MissedChanged) string {
	s := fmt.Sprintf("%s x%d %s", m.Number, m.Calls, m.Why)
	if m.Closed != "" {
		s += " closed " + string(m.Closed)
	}
	return s
}

func TestTheListFollowsWhatHappensToCallers(t *testing.T) {
	sentOn := func(to string, how tel.QueueOutcome) tel.QueueLeft {
		e := waited("c1", anna, how, t0)
		e.To = to
		return e
	}
	short := waited("c1", anna, tel.OutcomeAbandoned, t0)
	short.Short = true
	for _, tt := range []struct {
		name   string
		events []tel.Event
		want   []string // changes
		open   int
	}{
		{"who gives up is on the list", []tel.Event{waited("c1", anna, tel.OutcomeAbandoned, t0)}, []string{"+393331234567 x1 abandoned"}, 1},
		{"who had hardly waited is not", []tel.Event{short}, nil, 0},
		{"who is served is not", []tel.Event{waited("c1", anna, tel.OutcomeAnswered, t0)}, nil, 0},
		{
			"one row per number, however it is written",
			[]tel.Event{waited("c1", anna, tel.OutcomeAbandoned, t0), waited("c2", "3331234567", tel.OutcomeAbandoned, t0.Add(time.Hour))},
			[]string{"+393331234567 x1 abandoned", "+393331234567 x2 abandoned"},
			1,
		},
		{
			"it closes when the caller is served",
			[]tel.Event{waited("c1", anna, tel.OutcomeAbandoned, t0), waited("c2", anna, tel.OutcomeAnswered, t0.Add(time.Hour))},
			[]string{"+393331234567 x1 abandoned", "+393331234567 x1 abandoned closed called_again"},
			0,
		},
		{
			"it closes when one of us calls and is answered",
			[]tel.Event{waited("c1", anna, tel.OutcomeAbandoned, t0), talked("c2", tel.Outbound, "201", "3331234567", true, t0.Add(time.Hour))},
			[]string{"+393331234567 x1 abandoned", "+393331234567 x1 abandoned closed called_back"},
			0,
		},
		{
			"a call of ours that nobody answers closes nothing",
			[]tel.Event{waited("c1", anna, tel.OutcomeAbandoned, t0), talked("c2", tel.Outbound, "201", anna, false, t0.Add(time.Hour))},
			[]string{"+393331234567 x1 abandoned"},
			1,
		},
		{
			"it closes when the caller reaches somebody without a queue",
			[]tel.Event{waited("c1", anna, tel.OutcomeAbandoned, t0), talked("c2", tel.Inbound, anna, "201", true, t0.Add(time.Hour))},
			[]string{"+393331234567 x1 abandoned", "+393331234567 x1 abandoned closed called_again"},
			0,
		},
		{
			"who was sent on and answered there is served",
			[]tel.Event{sentOn("outside:3339876543", tel.OutcomeTimedOut), talked("c1", tel.Inbound, anna, "400", true, t0.Add(time.Minute))},
			nil, 0,
		},
		{
			"who was sent on in vain is not",
			[]tel.Event{sentOn("ext:201", tel.OutcomeEmpty), talked("c1", tel.Inbound, anna, "400", false, t0.Add(time.Minute))},
			[]string{"+393331234567 x1 overflow"},
			1,
		},
		{
			"a message in a mailbox is no contact",
			[]tel.Event{sentOn("voicemail:201", tel.OutcomeExitKey), talked("c1", tel.Inbound, anna, "400", false, t0.Add(time.Minute))},
			[]string{"+393331234567 x1 voicemail"},
			1,
		},
		{
			"who was turned away by a full queue",
			[]tel.Event{sentOn("", tel.OutcomeRefused), talked("c1", tel.Inbound, anna, "400", false, t0)},
			[]string{"+393331234567 x1 refused"},
			1,
		},
		{
			"who gave up in the second queue is missed once",
			[]tel.Event{
				sentOn("queue:desk", tel.OutcomeTimedOut),
				tel.QueueJoined{Queue: "desk", Call: "c1", Caller: anna, At: t0},
				waited("c1", anna, tel.OutcomeAbandoned, t0.Add(time.Minute)), talked("c1", tel.Inbound, anna, "400", false, t0.Add(time.Minute)),
			},
			[]string{"+393331234567 x1 abandoned"},
			1,
		},
		{
			"a colleague who picks the caller up serves him",
			[]tel.Event{waited("c1", anna, tel.OutcomeWithdrawn, t0), talked("c1", tel.Inbound, anna, "400", true, t0.Add(time.Minute))},
			nil, 0,
		},
		{
			"who asked to be called back is missed only when that fails",
			[]tel.Event{
				waited("c1", anna, tel.OutcomeCallback, t0), talked("c1", tel.Inbound, anna, "400", false, t0),
				tel.CallbackChanged{Callback: "cb", State: tel.CallbackResting, Number: anna, At: t0},
				tel.CallbackChanged{Callback: "cb", State: tel.CallbackEnded, Outcome: tel.CallbackUnreached, Number: anna, Queue: "sales", At: t0.Add(time.Hour)},
			},
			[]string{"+393331234567 x1 callback"},
			1,
		},
		{
			"a callback that reaches its customer closes the rows of both numbers",
			[]tel.Event{
				waited("c1", anna, tel.OutcomeAbandoned, t0), waited("c2", bea, tel.OutcomeAbandoned, t0),
				tel.CallbackChanged{Callback: "cb", State: tel.CallbackEnded, Outcome: tel.CallbackReached, Number: anna, Caller: bea, At: t0.Add(time.Hour)},
			},
			[]string{"+393331234567 x1 abandoned", "+390212345678 x1 abandoned", "+393331234567 x1 abandoned closed called_back", "+390212345678 x1 abandoned closed called_back"},
			0,
		},
		{"colleagues are not reminded of", []tel.Event{waited("c1", "201", tel.OutcomeAbandoned, t0)}, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := New()
			var got []string
			for _, e := range tt.events {
				for _, m := range l.Apply(e) {
					got = append(got, line(m))
				}
			}
			if !reflect.DeepEqual(got, tt.want) || len(l.Open()) != tt.open {
				t.Errorf("changes %q, open %v\nwant %q, %d", got, l.Open(), tt.want, tt.open)
			}
			if len(l.Calls) != 0 && !strings.Contains(tt.name, "served is not") {
				t.Errorf("calls are remembered for ever: %v", l.Calls)
			}
		})
	}
}

func TestCallersWhoCannotBeListedAreCounted(t *testing.T) {
	l := New()
	l.Apply(waited("c1", "", tel.OutcomeAbandoned, t0))
	short := waited("c2", anna, tel.OutcomeAbandoned, t0)
	short.Short = true
	l.Apply(short)
	if l.Withheld != 1 || l.Short != 1 || len(l.Open()) != 0 {
		t.Errorf("%+v", l)
	}
}

func TestARowKeepsTheNameAndTheLongestWait(t *testing.T) {
	l := New()
	l.Apply(tel.QueueJoined{Queue: "sales", Call: "c1", Caller: anna, Name: "Rossi", At: t0})
	l.Apply(waited("c1", anna, tel.OutcomeAbandoned, t0.Add(time.Minute)))
	quick := waited("c2", anna, tel.OutcomeAbandoned, t0.Add(time.Hour))
	quick.Joined = quick.Left.Add(-10 * time.Second)
	l.Apply(quick)
	row := l.Open()[0]
	if row.Name != "Rossi" || row.Waited != time.Minute || row.Calls != 2 || !row.First.Equal(t0.Add(time.Minute)) || !row.Last.Equal(t0.Add(time.Hour)) {
		t.Errorf("%+v", row)
	}
}

func TestNethServer7833NightsAndWeekendsAreKeptUntilTheirTimeIsOver(t *testing.T) {
	l := New()
	l.Apply(waited("c1", anna, tel.OutcomeAbandoned, t0))
	l.Apply(waited("c2", bea, tel.OutcomeAbandoned, t0.Add(64*time.Hour)))
	if got := l.Expire(t0.Add(-time.Second), t0.Add(64*time.Hour)); len(got) != 0 {
		t.Fatalf("closed %v", got)
	}
	got := l.Expire(t0.Add(time.Hour), t0.Add(720*time.Hour))
	if len(got) != 1 || got[0].Number != anna || got[0].Closed != tel.MissedTooOld || len(l.Open()) != 1 {
		t.Errorf("closed %v, open %v", got, l.Open())
	}
	if got := l.Dismiss(bea, t0); len(got) != 1 || got[0].Closed != tel.MissedDismissed || len(l.Dismiss(bea, t0)) != 0 {
		t.Errorf("dismissed %v", got)
	}
}

func TestAFullListGivesUpTheOldest(t *testing.T) {
	l := New()
	for i := range Most + 1 {
		l.Apply(waited(tel.CallID(fmt.Sprint("c", i)), tel.Number(fmt.Sprintf("+3933310%05d", i)), tel.OutcomeAbandoned, t0.Add(time.Duration(i)*time.Second)))
	}
	if _, there := l.Rows["+393331000000"]; there || len(l.Rows) != Most {
		t.Errorf("%d rows", len(l.Rows))
	}
	for i := range mostCalls + 10 {
		l.Apply(tel.QueueJoined{Call: tel.CallID(fmt.Sprint("w", i)), At: t0.Add(time.Duration(i))})
	}
	if len(l.Calls) != mostCalls {
		t.Errorf("%d calls", len(l.Calls))
	}
}

// Whatever happens: one row per number, and the list survives its encoding.
func TestRandomDaysKeepOneRowPerNumber(t *testing.T) {
	numbers := []tel.Number{anna, "3331234567", bea, "0212345678", "201", ""}
	outcomes := []tel.QueueOutcome{tel.OutcomeAnswered, tel.OutcomeAbandoned, tel.OutcomeTimedOut, tel.OutcomeRefused, tel.OutcomeWithdrawn, tel.OutcomeCallback, tel.OutcomeFailed}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		l, open, at := New(), map[tel.Number]bool{}, t0
		for range 200 {
			at = at.Add(time.Minute)
			n, call := numbers[r.IntN(len(numbers))], tel.CallID(fmt.Sprint("c", r.IntN(20)))
			var e tel.Event
			switch r.IntN(4) {
			case 0:
				e = tel.QueueJoined{Call: call, Caller: n, At: at}
			case 1:
				e = waited(call, n, outcomes[r.IntN(len(outcomes))], at)
			case 2:
				e = talked(call, []tel.Direction{tel.Inbound, tel.Outbound, tel.Internal}[r.IntN(3)], n, n, r.IntN(2) == 0, at)
			default:
				e = tel.CallbackChanged{State: tel.CallbackEnded, Outcome: []tel.CallbackOutcome{tel.CallbackReached, tel.CallbackUnreached}[r.IntN(2)], Number: n, At: at}
			}
			for _, m := range l.Apply(e) {
				if m.Closed != "" != open[m.Number] && m.Closed != "" {
					t.Fatalf("seed %d: %s closes and was not open", seed, m.Number)
				}
				open[m.Number] = m.Closed == ""
			}
			for n, row := range l.Rows {
				if n != row.Number || key(n) != n || !open[n] || row.Calls < 1 || row.Last.Before(row.First) {
					t.Fatalf("seed %d: row %+v", seed, row)
				}
			}
		}
		b, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		var again List
		if err := json.Unmarshal(b, &again); err != nil {
			t.Fatal(err)
		}
		if again = again.Clone(); !reflect.DeepEqual(again, l) {
			t.Fatalf("seed %d: read back\n%+v\nwas\n%+v", seed, again, l)
		}
	}
}
