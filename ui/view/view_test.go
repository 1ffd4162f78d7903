package view

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestTheModelFollowsACallThroughTheOffice(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	m := NewModel("Bottega", []Queue{{ID: "sales", Name: "Vendite"}}, []Agent{{ID: "anna", Name: "Anna"}})
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
	m.Apply(tel.FiguresChanged{Calls: 2, Answered: 1, Lost: 1, AverageWait: 10 * time.Second})
	o = m.Office()
	if o.WaitingNow() != 0 || o.Today.Answered != 1 || o.Today.Lost != 1 || o.Today.Calls != 2 {
		t.Errorf("after: %+v", o)
	}
}

func TestPriorityComesBeforeWaiting(t *testing.T) {
	at := time.Now()
	m := NewModel("", nil, nil)
	m.Apply(tel.QueueJoined{Queue: "q", Call: "old", At: at})
	m.Apply(tel.QueueJoined{Queue: "q", Call: "vip", At: at.Add(time.Minute), Priority: 5})
	if w := m.Office().Queues[0].Waiting; w[0].Call != "vip" {
		t.Errorf("%+v", w)
	}
}
