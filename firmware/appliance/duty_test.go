package appliance

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const contracts = `
agents:
  - {id: anna, name: Anna, extension: "201", login: true, work: {wrap_up: 5s, shift: ["mon-sun 00:00-24:00"]}}
  - {id: bruno, name: Bruno, extension: "202", work: {no_wrap_up: true}}
queues: [{id: sales, name: Vendite, number: "400", agents: [anna, bruno]}, {id: help, name: Aiuto, number: "401", agents: [anna]}]
pauses: {only: true, reasons: [{code: "1", name: Pranzo}]}
`

// What agents do on their own page is what the codes of their phones do, with the same limits.
func TestAgentsWorkFromTheirOwnPage(t *testing.T) {
	b := start(t, contracts)
	ctx := t.Context()
	for _, c := range []struct {
		command, with string
		ok            bool
		state         tel.AgentState
	}{
		{"pause", "Pranzo", true, tel.AgentPaused},
		{"pause", "a reason of my own", false, tel.AgentPaused},
		{"resume", "", true, tel.AgentUnreachable}, // she has no phone
		{"resume", "", false, tel.AgentUnreachable},
		{"queue_leave", "help", true, tel.AgentUnreachable},
		{"queue_leave", "none", false, tel.AgentUnreachable},
		{"set", "{}", false, tel.AgentUnreachable}, // a code, and no button
		{"help", "", true, tel.AgentUnreachable},
		{"finish_wrap_up", "", false, tel.AgentUnreachable},
		{"logout", "", true, tel.AgentLoggedOut},
		{"help", "", false, tel.AgentLoggedOut},
		{"login", "", true, tel.AgentUnreachable},
	} {
		if err := b.box.ownCommand(ctx, "anna", c.command, c.with); (err == nil) != c.ok {
			t.Errorf("%s %s: %v", c.command, c.with, err)
		}
		if d, err := b.box.desk(ctx, "anna"); err != nil || d.State != c.state {
			t.Errorf("after %s %s: %+v, %v", c.command, c.with, d, err)
		}
	}
	d, err := b.box.desk(ctx, "anna")
	if err != nil || len(d.Reasons) != 1 || len(d.Queues) != 2 || d.Queues[0].Name != "Aiuto" || d.Queues[0].Serving || !d.Queues[1].Serving {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err := b.box.desk(ctx, "nobody"); d != nil || err != nil {
		t.Errorf("of nobody: %+v, %v", d, err)
	}
}

// Each interval of an agent's day is in the history once, for the reports.
func TestIntervalsOfAnAgentsDayAreWrittenDown(t *testing.T) {
	b := start(t, contracts)
	for _, reason := range []string{"a", "b"} {
		if err := b.box.queues.Pause(t.Context(), "anna", reason); err != nil {
			t.Fatal(err)
		}
	}
	var got []tel.AgentInterval
	if err := b.box.history.Read(0, func(r journal.Record) error {
		if r.Kind == "agent_interval" {
			e, err := cdr.Decode(r.Kind, r.Body)
			if err != nil {
				t.Errorf("%s: %v", r.Body, err)
			}
			if i, ok := e.(tel.AgentInterval); ok && i.Agent == "anna" {
				got = append(got, i)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(got) == 0 || got[len(got)-1].Reason != "a" || got[len(got)-1].State != tel.AgentPaused {
		t.Fatalf("intervals %+v", got)
	}
	for i := 1; i < len(got); i++ {
		if !got[i].From.Equal(got[i-1].To) {
			t.Errorf("%+v does not follow %+v", got[i], got[i-1])
		}
	}
}

func TestAShiftEndsByTheConfigurationOfToday(t *testing.T) {
	b := start(t, contracts)
	zone := b.box.numbering.Load().plan.Zone
	login := time.Date(2026, 3, 2, 9, 0, 0, 0, zone)
	if got := b.box.shiftEnd("anna", login); !got.Equal(time.Date(2026, 3, 3, 0, 0, 0, 0, zone)) {
		t.Errorf("Anna's shift ends %v", got)
	}
	if got := b.box.shiftEnd("bruno", login); !got.IsZero() {
		t.Errorf("Bruno's shift ends %v", got)
	}
	v, err := b.box.queues.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range v.Agents {
		if (a.ID == "anna") == a.ShiftEnds.IsZero() {
			t.Errorf("%s's shift ends %v", a.ID, a.ShiftEnds)
		}
	}
}

// A warning names every queue that its last agent has left, and ends with the last of them.
func TestQueuesThatTheirLastAgentHasLeftAreNamed(t *testing.T) {
	b := start(t, contracts)
	text := func() (string, bool) {
		var last tel.HealthChanged
		for _, e := range b.box.present.snapshot().([]tel.Event) {
			if h, ok := e.(tel.HealthChanged); ok && h.Condition == "unstaffed" {
				last = h
			}
		}
		return last.Text, last.OK
	}
	for _, c := range []struct {
		e    tel.QueueStaffed
		text string
	}{
		{tel.QueueStaffed{Queue: "sales", Name: "Vendite"}, "Vendite"},
		{tel.QueueStaffed{Queue: "help", Name: "Aiuto"}, "Aiuto, Vendite"},
		{tel.QueueStaffed{Queue: "sales", Name: "Vendite", Staffed: true}, "Aiuto"},
		{tel.QueueStaffed{Queue: "help", Name: "Aiuto", Staffed: true}, ""},
	} {
		b.box.publish(c.e)
		if got, ok := text(); got != c.text || ok != (c.text == "") {
			t.Errorf("after %+v: %q, well %v", c.e, got, ok)
		}
	}
}

// One press brings to work, the next ones into a pause and out of it; a button of nobody does nothing.
func TestTheButtonAtADeskDrivesItsAgent(t *testing.T) {
	b := start(t, `
lamps: [{id: desk1, driver: sim, button: sim}, {id: desk2, driver: sim, button: sim}, {id: desk3, driver: sim}]
phones: [{id: "201", name: Anna, password: password-of-201}]
agents: [{id: anna, name: Anna, extension: "201", phones: ["201"], lamp: desk1}]
queues: [{id: sales, name: Vendite, number: "400", agents: [anna]}]
pauses: {only: true, reasons: [{code: "1", name: Pranzo}]}
`)
	b.box.queues.Tell(tel.AgentReachable{Agent: "anna", Reachable: true})
	for i, want := range []tel.AgentState{tel.AgentReady, tel.AgentPaused, tel.AgentReady} {
		if !b.box.lamps.press("desk1") {
			t.Fatal("no button was found")
		}
		b.eventually("the press to be carried out", func() bool {
			e, _ := b.box.present.agent("anna")
			return e.State == want && (want != tel.AgentPaused || e.Reason == "Pranzo")
		})
		if t.Failed() {
			t.Fatalf("press %d", i+1)
		}
	}
	if !b.box.lamps.press("desk2") || b.box.lamps.press("desk3") || b.box.lamps.press("none") {
		t.Error("buttons: want one of nobody at desk2, and none at desk3")
	}
}
