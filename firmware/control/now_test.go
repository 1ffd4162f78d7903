package control

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

var at = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// everything is one event of each kind that a Present keeps, and one that it does not.
func everything() []tel.Event {
	return []tel.Event{
		tel.AgentChanged{Agent: "anna", Name: "Anna", State: tel.AgentTalking, Since: at},
		tel.LampChanged{Lamp: "desk1", Agent: "anna", State: tel.AgentTalking},
		tel.DeviceChanged{Device: "201", Reachable: true},
		tel.LineChanged{Line: "line:gsm0", Name: "SIM", Up: true},
		tel.QueueJoined{Queue: "sales", Call: "c1", Caller: "+39061", At: at, Needs: []tel.Need{{Skill: "english", Level: 7}}},
		tel.QueueJoined{Queue: "sales", Call: "c2", At: at},
		tel.WaitExpected{Queue: "sales", Call: "c1", From: 2, To: 5},
		tel.QueueOffered{Queue: "sales", Call: "c1", Offer: "o", Agent: "anna", At: at, Why: tel.OfferReason{Merit: tel.MeritLongestIdle, Free: 1}},
		tel.CallChanged{Call: "c1", Stage: tel.StageWaiting, Since: at},
		tel.CallbackChanged{Callback: "cb1", Queue: "sales", State: tel.CallbackWaiting, Number: "+39333", EnqueuedAt: at, Asked: at, At: at},
		tel.MissedChanged{Number: "+39334", Queue: "sales", Calls: 2, First: at, Last: at, At: at, Why: tel.MissedAbandoned},
		tel.HealthChanged{Condition: "lines", OK: false, Text: "down"},
		tel.SupervisionStarted{Supervision: tel.Supervision{Call: "c3", Leg: "l", By: "sara", Agent: "anna", Mode: tel.SuperviseListen, From: at}},
		tel.FiguresChanged{Calls: 3, Answered: 2, SentOn: 1},
		tel.ConferenceChanged{Conference: "hall", Members: []tel.ConferenceMember{{Call: "c4", Party: "phone:201", Since: at}}},
		tel.RTPTraceChanged{On: true, Of: "phone:201", Name: "201 · Anna", Agents: []tel.AgentID{"anna"}, By: "owner", Since: at, Until: at.Add(time.Hour)},
		tel.VoicemailChanged{Box: "208"},
	}
}

func TestWhatHoldsIsReadAsItWasWritten(t *testing.T) {
	events := everything()
	body, err := EncodePresent(events)
	if err != nil {
		t.Fatal(err)
	}
	p, err := DecodePresent(body)
	if err != nil {
		t.Fatal(err)
	}
	got := []tel.Event{p.Agents["anna"], p.Lamps["anna"], p.Devices["201"], p.Lines["line:gsm0"]}
	for _, e := range p.Waits {
		got = append(got, e)
	}
	got = append(got, p.Expected["c1"], p.Offers[0], p.Calls[0], p.Callbacks[0], p.Missed[0], p.Health["lines"], tel.SupervisionStarted{Supervision: p.Supervised["anna"]}, p.Today, p.Conferences[0], p.RTPTrace)
	if want := events[:len(events)-1]; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	// A field of Present that no event above fills would be read by nobody.
	for i, v := 0, reflect.ValueOf(p); i < v.NumField(); i++ {
		if v.Field(i).IsZero() || v.Field(i).Kind() != reflect.Struct && v.Field(i).Len() == 0 {
			t.Errorf("%s is empty", v.Type().Field(i).Name)
		}
	}
}

func TestAnAnswerThatIsNoneIsSaidSo(t *testing.T) {
	for body, want := range map[string]string{
		``:                                      "prontod's answer: ",
		`{"kind":"agent_changed"}`:              "prontod's answer: ",
		`[{"kind":"agent_changed","event":[]}]`: "prontod's answer, agent_changed: ",
	} {
		if _, err := DecodePresent([]byte(body)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", body, err)
		}
	}
	if p, err := DecodePresent([]byte(`[{"kind":"of_tomorrow","event":7}]`)); err != nil || len(p.Waits) > 0 {
		t.Errorf("a kind of a newer program: %+v, %v", p, err)
	}
}

func FuzzDecodePresent(f *testing.F) {
	body, err := EncodePresent(everything())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`[{"kind":"queue_joined","event":null}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := DecodePresent(body)
		if err != nil {
			return
		}
		var again []tel.Event
		for _, e := range p.Waits {
			again = append(again, e)
		}
		b, err := EncodePresent(again)
		if err != nil {
			return // a time that JSON cannot hold
		}
		if q, err := DecodePresent(b); err != nil || len(q.Waits) != len(p.Waits) {
			t.Errorf("%d waits come back as %d, %v", len(p.Waits), len(q.Waits), err)
		}
	})
}
