package appliance

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/acd/replay"
	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// decided makes the journal record of a decision by which the events were published.
func decided(t *testing.T, events ...tel.Event) journal.Record {
	t.Helper()
	var effects []plan.Effect
	for _, e := range events {
		effects = append(effects, plan.Publish{Event: e})
	}
	body, err := json.Marshal(map[string]any{"v": 1, "kind": "tick", "event": plan.Tick{}, "effects": effects})
	if err != nil {
		t.Fatal(err)
	}
	return journal.Record{Kind: replay.KindDecision, Body: body}
}

func recordOf(t *testing.T, e tel.Event) journal.Record {
	t.Helper()
	kind, body, err := cdr.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	return journal.Record{Kind: kind, Body: body}
}

// A program that is killed between a decision and the records that follow from it owes them to the next one.
func TestTheRecordsThatAKilledProgramOwesAreFound(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	first := tel.QueueLeft{Queue: "q", Call: "c1", Joined: at, Left: at.Add(time.Second), Outcome: tel.OutcomeAbandoned, Stage: tel.AbandonWaiting}
	second := tel.QueueLeft{Queue: "q", Call: "c2", Joined: at, Left: at.Add(time.Second), Outcome: tel.OutcomeAnswered, Agent: "anna"}
	resting := tel.CallbackChanged{Callback: "cb", Queue: "q", State: tel.CallbackResting, EnqueuedAt: at, Asked: at, At: at}
	ended := tel.CallbackChanged{Callback: "cb2", Queue: "q", State: tel.CallbackEnded, Outcome: tel.CallbackExpired, EnqueuedAt: at, Asked: at, At: at}
	interval := tel.AgentInterval{Agent: "anna", State: tel.AgentReady, From: at, To: at.Add(time.Second)}
	for name, c := range map[string]struct {
		journal []journal.Record
		owed    []tel.Event
	}{
		"a journal without decisions owes nothing":           {[]journal.Record{recordOf(t, first)}, nil},
		"all was written":                                    {[]journal.Record{decided(t, first, second), recordOf(t, first), recordOf(t, second)}, nil},
		"the second of two records is missing":               {[]journal.Record{decided(t, first, second), recordOf(t, first)}, []tel.Event{second}},
		"a record of another process lies between":           {[]journal.Record{decided(t, first), recordOf(t, tel.CallEnded{Call: "x"}), recordOf(t, first)}, nil},
		"only the last decision can owe":                     {[]journal.Record{decided(t, first), recordOf(t, first), decided(t, second)}, []tel.Event{second}},
		"a callback is a record at its end alone":            {[]journal.Record{decided(t, resting, ended)}, []tel.Event{ended}},
		"an interval of an agent's day is owed":              {[]journal.Record{decided(t, interval)}, []tel.Event{interval}},
		"what the page alone is told of an agent is no debt": {[]journal.Record{decided(t, tel.AgentChanged{Agent: "anna"})}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var end tail
			for _, r := range c.journal {
				end.take(r)
			}
			owed, err := end.missing()
			if err != nil {
				t.Fatal(err)
			}
			got, _ := json.Marshal(owed)
			want, _ := json.Marshal(c.owed)
			if string(got) != string(want) {
				t.Errorf("owed %s, want %s", got, want)
			}
		})
	}
}
