package books

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var nine = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func joined(queue tel.QueueID, call tel.CallID) tel.Event {
	return tel.QueueJoined{Queue: queue, Call: call}
}

func left(queue tel.QueueID, call tel.CallID, how tel.QueueOutcome) tel.Event {
	return tel.QueueLeft{Queue: queue, Call: call, Outcome: how}
}

func TestAnAccountBalancesUnlessACallerHasNoOutcomeOrTwo(t *testing.T) {
	type waiting = map[tel.QueueID]int
	for name, c := range map[string]struct {
		open    waiting
		events  []tel.Event
		waiting waiting
		broken  []string
	}{
		"nothing happened":                        {nil, nil, waiting{"q": 0}, nil},
		"one waits":                               {nil, []tel.Event{joined("q", "a")}, waiting{"q": 1}, nil},
		"one was answered, one waits":             {nil, []tel.Event{joined("q", "a"), joined("q", "b"), left("q", "a", tel.OutcomeAnswered)}, waiting{"q": 1}, nil},
		"one is refused and never entered":        {nil, []tel.Event{left("q", "a", tel.OutcomeRefused)}, waiting{"q": 0}, nil},
		"one who waited at the start has left":    {waiting{"q": 2}, []tel.Event{left("q", "a", tel.OutcomeAbandoned)}, waiting{"q": 1}, nil},
		"one went to another queue":               {nil, []tel.Event{joined("q", "a"), left("q", "a", tel.OutcomeWithdrawn), joined("r", "a")}, waiting{"q": 0, "r": 1}, nil},
		"a queue is gone with all its callers":    {waiting{"q": 1}, []tel.Event{left("q", "a", tel.OutcomeWithdrawn)}, waiting{}, nil},
		"a caller vanished without an outcome":    {nil, []tel.Event{joined("q", "a")}, waiting{"q": 0}, []string{"queue q: 0 callers wait, by what joined and left it should be 1"}},
		"a caller has two outcomes":               {nil, []tel.Event{joined("q", "a"), left("q", "a", tel.OutcomeAnswered), left("q", "a", tel.OutcomeAbandoned)}, waiting{"q": 0}, []string{"queue q: 0 callers wait, by what joined and left it should be -1"}},
		"a queue lost a caller to another's sums": {nil, []tel.Event{joined("q", "a"), left("r", "a", tel.OutcomeAnswered)}, waiting{"q": 0, "r": 0}, []string{"queue q: 0 callers wait, by what joined and left it should be 1", "queue r: 0 callers wait, by what joined and left it should be -1"}},
	} {
		t.Run(name, func(t *testing.T) {
			var a Accounts
			for queue, n := range c.open {
				a.Open(queue, n)
			}
			for _, e := range c.events {
				a.Take(e)
			}
			var got []string
			for _, b := range a.Balance(c.waiting) {
				got = append(got, b.String())
			}
			if !slices.Equal(got, c.broken) {
				t.Errorf("%q, want %q", got, c.broken)
			}
		})
	}
}

func TestCountsThatLieBetweenTwoLooksAreNoBreach(t *testing.T) {
	at := Place{"q", nine}
	counts := func(answered int) Counts {
		if answered == 0 {
			return Counts{}
		}
		return Counts{at: {tel.OutcomeAnswered: answered}}
	}
	for _, c := range []struct {
		name                    string
		before, recorded, after int
		suspect                 bool
	}{
		{"quiet and equal", 3, 3, 3, false},
		{"a call ended meanwhile and is on record", 3, 4, 4, false},
		{"a call ended meanwhile and is not yet", 3, 3, 4, false},
		{"one is missing", 3, 2, 3, true},
		{"one is too many", 3, 4, 3, true},
		{"all are missing", 1, 0, 1, true},
		{"records of what never happened", 0, 1, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Suspects(counts(c.before), counts(c.recorded), counts(c.after))
			if (len(got) > 0) != c.suspect {
				t.Errorf("%v", got)
			}
		})
	}
}

// Whatever is done to the records of a random day, the place and the figure are named.
func TestAnyRecordThatIsDroppedOrDoubledIsNamed(t *testing.T) {
	outcomes := []tel.QueueOutcome{tel.OutcomeAnswered, tel.OutcomeAbandoned, tel.OutcomeTimedOut, tel.OutcomeRefused}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var happened []Wait
		for i := range 1 + r.IntN(40) {
			happened = append(happened, Wait{Pos: uint64(100 + i), Call: tel.CallID(rune('a' + i)), Outcome: outcomes[r.IntN(len(outcomes))]})
		}
		at := Place{"q", nine}
		if b := Judge(at, happened, happened, 0, 1000); len(b) > 0 {
			t.Fatalf("a whole day is accused: %v", b)
		}
		i := r.IntN(len(happened))
		w := happened[i]
		records, by := slices.Delete(slices.Clone(happened), i, i+1), -1
		if seed%2 == 0 {
			records, by = append(slices.Clone(happened), w), 1
		}
		b := Judge(at, happened, records, 0, 1000)
		if len(b) != 1 || b[0].Figure != string(w.Outcome) || b[0].Have-b[0].Want != by || !slices.Equal(b[0].Calls, []tel.CallID{w.Call}) {
			t.Fatalf("%v of %+v", b, w)
		}
		if !strings.Contains(b[0].String(), string(w.Call)) {
			t.Fatalf("%s names nobody", b[0])
		}
	}
}

func TestRecordsThatCannotBeJudgedAreNotAccused(t *testing.T) {
	at := Place{"q", nine}
	one := Wait{Pos: 10, Call: "a", Outcome: tel.OutcomeAnswered}
	for name, c := range map[string]struct {
		journal, records []Wait
		oldest, written  uint64
	}{
		"the journal has forgotten what is in a backup": {nil, []Wait{one}, 11, 20},
		"the keeper has not read as far":                {[]Wait{one}, nil, 1, 9},
		"the keeper has read further than we looked":    {[]Wait{one}, []Wait{one}, 1, 9},
	} {
		if b := Judge(at, c.journal, c.records, c.oldest, c.written); len(b) > 0 {
			t.Errorf("%s: %v", name, b)
		}
	}
}

func TestSumsThatDifferFromTheirRecordsAreNamed(t *testing.T) {
	at := Place{"q", nine}
	records := []Wait{{1, "a", tel.OutcomeAnswered}, {2, "b", tel.OutcomeAbandoned}}
	if b := JudgeSums(at, map[tel.QueueOutcome]int{tel.OutcomeAnswered: 1, tel.OutcomeAbandoned: 1}, records); len(b) > 0 {
		t.Errorf("accused: %v", b)
	}
	b := JudgeSums(at, map[tel.QueueOutcome]int{tel.OutcomeAnswered: 2}, records)
	if len(b) != 2 || b[0].Figure != "abandoned" || b[0].Have != 0 || b[1].Figure != "answered" || b[1].Have != 2 || !b[1].Sums {
		t.Errorf("%v", b)
	}
}

func TestRowsOfAReportAreCounted(t *testing.T) {
	rows := []report.TrafficRow{{Queue: "q", From: nine, Traffic: report.Traffic{Outcomes: map[tel.QueueOutcome]int{tel.OutcomeAnswered: 2}}}, {Queue: "q", From: nine.Add(30 * time.Minute)}}
	if c := CountRows(rows); len(c) != 1 || c[Place{"q", nine}][tel.OutcomeAnswered] != 2 {
		t.Errorf("%v", c)
	}
}
