package view

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestTheModelFollowsACallThroughTheOffice(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	m := NewModel("Bottega", time.UTC, []Queue{{ID: "sales", Name: "Vendite"}}, []Agent{{ID: "anna", Name: "Anna"}})
	m.Apply(tel.QueueJoined{Queue: "sales", Call: "c2", Caller: "333", At: at.Add(time.Second)})
	m.Apply(tel.QueueJoined{Queue: "sales", Call: "c1", Caller: "06", At: at})
	m.Apply(tel.QueueOffered{Queue: "sales", Call: "c1", Offer: "o1", Agent: "anna"})
	m.Apply(tel.AgentChanged{Agent: "anna", Name: "Anna", State: tel.AgentRinging, Since: at})
	m.Apply(tel.LampChanged{Lamp: "desk1", Agent: "anna", State: tel.AgentRinging})
	o := m.Office()
	w := o.Queues[0].Waiting
	if len(w) != 2 || w[0].Call != "c1" || len(w[0].RingsAt) != 1 || w[0].RingsAt[0] != "Anna" || o.WaitingNow() != 2 || o.Free() != 0 {
		t.Fatalf("while ringing: %+v", o)
	}
	if o.Agents[0].Lamp == nil || o.Agents[0].Lamp.State != tel.AgentRinging {
		t.Errorf("lamp: %+v", o.Agents[0])
	}
	m.Apply(tel.QueueLeft{Queue: "sales", Call: "c1", Joined: at, Left: at.Add(10 * time.Second), Outcome: tel.OutcomeAnswered})
	m.Apply(tel.QueueLeft{Queue: "sales", Call: "c2", Joined: at, Left: at.Add(30 * time.Second), Outcome: tel.OutcomeAbandoned})
	m.Apply(tel.CallEnded{Call: "c1", Ended: at.Add(time.Minute)})
	o = m.Office()
	if o.WaitingNow() != 0 || o.Today.Answered != 1 || o.Today.Lost != 1 || o.Today.Calls != 1 || o.Today.AverageWait() != 10*time.Second {
		t.Errorf("after: %+v", o)
	}
	m.Apply(tel.CallEnded{Call: "c9", Ended: at.Add(24 * time.Hour)})
	if o = m.Office(); o.Today.Calls != 1 || o.Today.Answered != 0 {
		t.Errorf("a new day keeps yesterday's numbers: %+v", o.Today)
	}
}

func TestPriorityComesBeforeWaiting(t *testing.T) {
	at := time.Now()
	m := NewModel("", time.UTC, nil, nil)
	m.Apply(tel.QueueJoined{Queue: "q", Call: "old", At: at})
	m.Apply(tel.QueueJoined{Queue: "q", Call: "vip", At: at.Add(time.Minute), Priority: 5})
	if w := m.Office().Queues[0].Waiting; w[0].Call != "vip" {
		t.Errorf("%+v", w)
	}
}
