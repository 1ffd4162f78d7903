package view

import (
	"slices"
	"strings"
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

func TestALineThatIsStartingOrOffIsNotBroken(t *testing.T) {
	m := NewModel("", nil, nil)
	for i, c := range []struct {
		up    bool
		cause tel.LineCause
		want  Level
	}{
		{true, tel.LineOK, LevelOK},
		{true, tel.LineInUse, LevelOK},
		{true, tel.LineCarrierDown, LevelWarn},
		{true, tel.LineExpiredEarly, LevelWarn},
		{false, tel.LineRegistering, LevelStarting},
		{false, tel.LineRestarting, LevelStarting},
		{false, tel.LineDisabled, LevelOff},
		{false, tel.LineNoSIM, LevelDown},
		{false, tel.LineUnreachable, LevelDown},
	} {
		m.Apply(tel.LineChanged{Line: string(rune('a' + i)), Up: c.up, Cause: c.cause})
		if got := m.Office().Lines[i].Level; got != c.want {
			t.Errorf("%s: %s, want %s", c.cause, got, c.want)
		}
	}
	if got := m.Office().Broken(); got != 2 {
		t.Errorf("%d lines broken, want 2", got)
	}
}

func TestAChangeNamesWhatItTouchesAndNoMore(t *testing.T) {
	m := NewModel("", []Queue{{ID: "q"}}, []Agent{{ID: "anna", Name: "Anna"}})
	m.Apply(tel.LampChanged{Lamp: "l", Agent: "anna"})
	for _, c := range []struct {
		event tel.Event
		want  []Part
	}{
		{tel.AgentChanged{Agent: "anna", State: tel.AgentReady}, []Part{{SectionSummary, ""}, {SectionStates, ""}, {SectionAgents, "anna"}, {SectionHealth, ""}}},
		{tel.AgentChanged{Agent: "anna", State: tel.AgentTalking}, []Part{{SectionSummary, ""}, {SectionStates, ""}, {SectionAgents, "anna"}}}, // is at work as before
		{tel.AgentChanged{Agent: "anna", State: tel.AgentTalking, Help: true}, []Part{{SectionSummary, ""}, {SectionAgents, "anna"}}},
		{tel.LampChanged{Lamp: "l", Agent: "anna", Fault: true}, []Part{{SectionLamps, "l"}, {SectionAgents, "anna"}}},
		{tel.LampChanged{Lamp: "l", Agent: ""}, whole(SectionLamps, SectionAgents)}, // moved to another desk
		{tel.LampChanged{Lamp: "l", Agent: "", Fault: true}, []Part{{SectionLamps, "l"}}},
		{tel.QueueJoined{Queue: "q", Call: "c"}, []Part{{SectionSummary, ""}, {SectionQueues, "q"}}},
		{tel.QueueLeft{Queue: "q", Call: "c"}, []Part{{SectionSummary, ""}, {SectionQueues, "q"}}},
		{tel.QueueJoined{Queue: "new", Call: "c"}, whole(SectionSummary, SectionQueues)},
		{tel.QueueLeft{Queue: "other", Call: "c"}, whole(SectionSummary, SectionQueues)},
		{tel.CallbackChanged{Queue: "q", Callback: "cb"}, []Part{{SectionQueues, "q"}}},
		{tel.MissedChanged{Number: "+393331234567"}, whole(SectionHealth, SectionMissed)},
		{tel.DeviceChanged{Device: "201"}, nil},
	} {
		if got := m.Apply(c.event); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.event, got, c.want)
		}
	}
	// A state that others are in keeps its place, and only its number changes.
	for i, id := range []tel.AgentID{"b", "c", "d", "e"} {
		m.Apply(tel.AgentChanged{Agent: id, State: []tel.AgentState{tel.AgentReady, tel.AgentTalking}[i%2]})
	}
	want := []Part{{SectionSummary, ""}, {SectionStates, "ready"}, {SectionStates, "talking"}, {SectionAgents, "b"}}
	if got := m.Apply(tel.AgentChanged{Agent: "b", State: tel.AgentTalking}); !slices.Equal(got, want) {
		t.Errorf("between two states that others are in: %v, want %v", got, want)
	}
	// A name stands in many places.
	if got := m.Apply(tel.AgentChanged{Agent: "anna", Name: "Anna Maria"}); len(got) != 7 || slices.ContainsFunc(got, func(p Part) bool { return p.ID != "" }) {
		t.Errorf("a new name touches %v", got)
	}
}

func TestLampsAndCallsCarryNamesForPeople(t *testing.T) {
	m := NewModel("", []Queue{{ID: "sales", Name: "Vendite"}}, []Agent{{ID: "anna", Name: "Anna"}})
	for _, l := range []tel.LampID{"lamp10", "lamp2"} {
		m.Apply(tel.LampChanged{Lamp: l, Agent: "anna", State: tel.AgentTalking})
	}
	m.Apply(tel.LampChanged{Lamp: "lamp3"})
	m.Apply(tel.LineChanged{Line: "trunk:tim", Name: "TIM", Up: true})
	m.Apply(tel.CallChanged{Call: "c", Via: "trunk:tim", Queue: "sales", Agent: "anna"})
	m.Apply(tel.CallChanged{Call: "d", Via: "phone:201"})
	o := m.Office()
	if l := o.Lamps; len(l) != 3 || l[0].ID != "lamp2" || l[0].Name != "Anna" || l[1].Name != "lamp3" || l[2].ID != "lamp10" {
		t.Errorf("lamps: %+v", l)
	}
	if l := o.Agents[0].Lamp; l == nil || l.ID != "lamp2" {
		t.Errorf("Anna's lamp: %+v", l)
	}
	if c := o.Calls; c[0].Via != "TIM" || c[0].Queue != "Vendite" || c[0].Agent != "Anna" || c[1].Via != "" || c[1].Queue != "" {
		t.Errorf("calls: %+v", c)
	}
	if s := o.States(); len(s) != 1 || s[0] != (StateCount{tel.AgentLoggedOut, 1}) {
		t.Errorf("states: %+v", s)
	}
}

func TestMissedCallersAndCallbacksComeAndGo(t *testing.T) {
	m := NewModel("", []Queue{{ID: "sales", Name: "Vendite"}}, nil)
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	m.Apply(tel.MissedChanged{Number: "+390212345678", Queue: "sales", Last: at})
	m.Apply(tel.MissedChanged{Number: "+393331234567", Queue: "sales", Last: at.Add(time.Minute), Calls: 2})
	m.Apply(tel.CallbackChanged{Callback: "b", Queue: "sales", State: tel.CallbackWaiting, EnqueuedAt: at.Add(time.Minute)})
	m.Apply(tel.CallbackChanged{Callback: "a", Queue: "sales", State: tel.CallbackResting, EnqueuedAt: at})
	o := m.Office()
	if len(o.Missed) != 2 || o.Missed[0].Number != "+393331234567" || o.Missed[0].Queue != "Vendite" {
		t.Errorf("missed %+v", o.Missed)
	}
	if c := o.Queues[0].Callbacks; len(c) != 2 || c[0].Callback != "a" {
		t.Errorf("callbacks %+v", c)
	}
	m.Apply(tel.MissedChanged{Number: "+393331234567", Closed: tel.MissedCalledBack})
	m.Apply(tel.CallbackChanged{Callback: "a", Queue: "sales", State: tel.CallbackEnded})
	if again := m.Office(); len(again.Missed) != 1 || len(again.Queues[0].Callbacks) != 1 || len(o.Missed) != 2 {
		t.Errorf("%+v", again)
	}
}

func TestASupervisedAgentShowsWhoTakesPart(t *testing.T) {
	m := NewModel("", nil, []Agent{{ID: "anna", Name: "Anna"}, {ID: "bruno", Name: "Bruno"}, {ID: "boss", Name: "Sara"}})
	span := tel.Supervision{Leg: "l1", By: "boss", Agent: "anna", Mode: tel.SuperviseListen}
	watched := func() string {
		var all []string
		for _, a := range m.Office().Agents {
			for _, w := range a.Watched {
				all = append(all, a.Name+": "+w.By+" "+string(w.Mode))
			}
		}
		return strings.Join(all, ", ")
	}
	parts := m.Apply(tel.SupervisionStarted{Supervision: span})
	if watched() != "Anna: Sara listen" || !slices.Equal(parts, []Part{{SectionAgents, "anna"}}) {
		t.Errorf("%s, parts %v", watched(), parts)
	}
	span.Agent = "bruno" // the customer was transferred, and the supervisor with him
	if parts = m.Apply(tel.SupervisionStarted{Supervision: span}); watched() != "Bruno: Sara listen" || len(parts) != 2 {
		t.Errorf("%s, parts %v", watched(), parts)
	}
	elsewhere := span // the same phone in the call where the customer went on: told before the end of the first
	elsewhere.Call = "c2"
	m.Apply(tel.SupervisionStarted{Supervision: elsewhere})
	if m.Apply(tel.SupervisionEnded{Supervision: span}); watched() != "Bruno: Sara listen" {
		t.Error(watched())
	}
	if m.Apply(tel.SupervisionEnded{Supervision: elsewhere}); watched() != "" {
		t.Error(watched())
	}
	if parts = m.Apply(tel.SupervisionEnded{Supervision: span}); len(parts) != 0 {
		t.Errorf("an end of nothing changes %v", parts)
	}
}

func TestALampOfAQueueOrALineHasItsNameAndSaysWhatItShows(t *testing.T) {
	m := NewModel("Bottega", []Queue{{ID: "sales", Name: "Vendite"}}, nil)
	for _, e := range []tel.LampChanged{
		{Lamp: "a", Shows: "queue:sales", Says: "queue_late"},
		{Lamp: "b", Agent: "anna", State: tel.AgentTalking, Shows: "agent:anna", Says: "talking"},
		{Lamp: "c", Agent: "anna", State: tel.AgentTalking, Says: "failure"},
		{Lamp: "d", Says: "dark"},
		{Lamp: "e", Agent: "anna", Help: true, Says: "help"},
		{Lamp: "f", Shows: "trunk:tim", Says: "line_in_use"},
		{Lamp: "g", Shows: "line:none", Says: "line_off"},
	} {
		m.Apply(e)
	}
	m.Apply(tel.LineChanged{Line: "trunk:tim", Name: "TIM", Up: true})
	var got []string
	for _, l := range m.Office().Lamps {
		got = append(got, l.Name+" "+l.Says)
	}
	if want := []string{"Vendite queue_late", "anna ", "anna failure", "d ", "anna ", "TIM line_in_use", "g line_off"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
