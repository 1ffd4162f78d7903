package uitest

import (
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/view"
)

// Hostile is a name that a caller or a carrier could send: markup, and text that leaves attributes.
const Hostile = `<script>document.title="taken"</script><img src=x onerror=alert(1)>"'&`

// Empty is an office with two queues and nobody in it.
func Empty() *view.Model {
	m := view.NewModel("Bottega Rossi", []view.Queue{
		{ID: "sales", Name: "Vendite", Number: "400"}, {ID: "support", Name: "Assistenza", Number: "401"},
	}, nil)
	m.OfferSupervision(true)
	return m
}

// Busy tells of a small office at work at the given moment: every state of agents, lamps, lines,
// waits and calls once.
func Busy(now time.Time) []tel.Event {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	people := []struct {
		name, reason string
		state        tel.AgentState
		since        time.Duration
	}{
		{"Anna", "", tel.AgentReady, 132 * time.Second},
		{"Bruno", "", tel.AgentTalking, 272 * time.Second},
		{"Carla", "", tel.AgentRinging, 6 * time.Second},
		{"Dario", "", tel.AgentInternal, 67 * time.Second},
		{"Elena", "", tel.AgentWrapUp, 18 * time.Second},
		{"Franco", "Pranzo", tel.AgentPaused, 1330 * time.Second},
		{"Giulia", "", tel.AgentLoggedOut, 17 * time.Hour},
		{"Maria Antonietta Bevilacqua", "", tel.AgentUnreachable, 95 * time.Second},
		{"Ludovica", "", tel.AgentOutbound, 41 * time.Second},
		{"Nicola", "", tel.AgentHold, 12 * time.Second},
		{"Olga", "", tel.AgentReserved, time.Second},
	}
	var all []tel.Event
	for i, p := range people {
		id := tel.AgentID(fmt.Sprintf("agent%d", i+1))
		all = append(all,
			tel.AgentChanged{Agent: id, Name: p.name, State: p.state, Since: ago(p.since), Reason: p.reason},
			tel.LampChanged{Lamp: tel.LampID(fmt.Sprintf("lamp%d", i+1)), Agent: id, State: p.state, Fault: p.name == "Franco"})
	}
	return append(all,
		tel.QueueJoined{Queue: "sales", Call: "w1", Caller: "+390612345679", Name: "Studio Bianchi", At: ago(68 * time.Second)},
		tel.QueueJoined{Queue: "sales", Call: "w2", At: ago(41 * time.Second)},
		tel.QueueJoined{Queue: "sales", Call: "w3", Caller: "+393331234567", At: ago(9 * time.Second)},
		tel.QueueOffered{Queue: "sales", Call: "w1", Offer: "o1", Agent: "agent3", At: ago(6 * time.Second)},
		tel.QueueJoined{Queue: "support", Call: "w4", Caller: "+41445556677", At: ago(62*time.Minute + 5*time.Second)},
		tel.LineChanged{Line: "trunk:tim", Name: "TIM", Type: "sip", Up: true, Cause: tel.LineInUse, Calls: 2},
		tel.LineChanged{Line: "trunk:voip", Name: "Riserva", Type: "sip", Cause: tel.LineRegistering},
		tel.LineChanged{Line: "line:gsm0", Name: "Cellulare", Type: "gsm", Up: true, Cause: tel.LineOK, Operator: "WindTre", Signal: -73},
		tel.LineChanged{Line: "line:gsm1", Name: "Cellulare 2", Type: "gsm", Cause: tel.LineNoSIM},
		tel.LineChanged{Line: "trunk:old", Name: "Vecchia linea", Type: "sip", Cause: tel.LineDisabled},
		tel.CallChanged{Call: "c1", Stage: tel.StageTalking, Direction: tel.Inbound, From: "+393401112223", To: "+390612345679", Via: "trunk:tim", Queue: "sales", Agent: "agent2", Since: ago(272 * time.Second)},
		tel.CallChanged{Call: "w1", Stage: tel.StageRinging, Direction: tel.Inbound, From: "+390612345679", To: "+390612345680", Via: "line:gsm0", Queue: "sales", Agent: "agent3", Since: ago(68 * time.Second)},
		tel.CallChanged{Call: "c2", Stage: tel.StageTalking, Direction: tel.Internal, From: "204", To: "207", Via: "phone:204", Agent: "agent4", Since: ago(67 * time.Second)},
		tel.CallChanged{Call: "c3", Stage: tel.StageGreeting, Direction: tel.Inbound, To: "+390612345679", Via: "trunk:tim", Since: ago(2 * time.Second)},
		tel.SupervisionStarted{Supervision: tel.Supervision{Leg: "l1", Call: "c1", By: "agent8", Agent: "agent2", Mode: tel.SuperviseWhisper, From: ago(60 * time.Second)}},
		tel.FiguresChanged{Calls: 143, Answered: 118, Lost: 6, AverageWait: 24 * time.Second, Hours: []tel.HourFigures{
			{Hour: 8, Calls: 9, Answered: 8}, {Hour: 9, Calls: 31, Answered: 27, Lost: 1}, {Hour: 10, Calls: 42, Answered: 33, Lost: 4}, {Hour: 11, Calls: 38, Answered: 30, Lost: 1}, {Hour: 12, Calls: 20, Answered: 17}, {Hour: 13, Calls: 3, Answered: 3},
		}},
		tel.MissedChanged{Number: "+393407778889", Name: "Ferramenta Galli", Queue: "sales", Calls: 2, Last: ago(25 * time.Minute), Why: tel.MissedAbandoned},
		tel.HealthChanged{Condition: "lamps", Severity: "warn"},
	)
}

// Attack is the busy office with a hostile text wherever one can come from outside.
func Attack(now time.Time) []tel.Event {
	return append(Busy(now),
		tel.QueueJoined{Queue: "sales", Call: "w9", Caller: Hostile, Name: Hostile, At: now},
		tel.CallChanged{Call: "c9", Stage: tel.StageTalking, From: Hostile, To: Hostile, Via: "trunk:bad", Since: now},
		tel.LineChanged{Line: "trunk:bad", Name: Hostile, Type: "sip", Up: true, Cause: tel.LineOK, Operator: Hostile},
		tel.AgentChanged{Agent: Hostile, Name: Hostile, State: tel.AgentPaused, Reason: Hostile, Since: now},
		tel.LampChanged{Lamp: Hostile, Agent: Hostile, State: tel.AgentPaused},
		tel.HealthChanged{Condition: "strange", Severity: "error", Text: Hostile})
}

// Crowd tells of n agents in turn of states, with as many lamps as a box has.
func Crowd(n int, now time.Time) []tel.Event {
	var all []tel.Event
	states := tel.AgentStates()
	for i := range n {
		id := tel.AgentID(fmt.Sprintf("agent%d", i+1))
		state := states[i*5%len(states)]
		all = append(all, tel.AgentChanged{Agent: id, Name: fmt.Sprintf("Operatore %d", i+1), State: state, Since: now.Add(-time.Duration(i*37) * time.Second)})
		if i < 8 {
			all = append(all, tel.LampChanged{Lamp: tel.LampID(fmt.Sprintf("lamp%d", i+1)), Agent: id, State: state})
		}
	}
	return all
}
