package config

import (
	"errors"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestWorkIsReadWithItsDefaults(t *testing.T) {
	c := example(t)
	anna, bruno := c.Agents[0].Work, c.Agents[1].Work
	if anna.WrapUp != 15*time.Second || anna.Capacity != 1 || anna.ShiftHours != "office" || anna.LoginPIN {
		t.Errorf("Anna: %+v", anna)
	}
	if !bruno.LoginPIN || !bruno.NoWrapUp || !bruno.RingOnInternal || bruno.Capacity != 2 || len(bruno.Shift) != 2 {
		t.Errorf("Bruno: %+v", bruno)
	}
	if m := c.Queues[0].Missed; m != (Missed{After: 3, Logout: true}) {
		t.Errorf("misses: %+v", m)
	}
	p := c.DialPlan()
	monday := time.Date(2026, 3, 2, 10, 0, 0, 0, p.Zone)
	for dialed, want := range map[tel.Number]string{"*422": "Pranzo", "*421": "Caffè"} {
		if d := dialplan.Route(p, dialplan.Request{Device: "201", Dialed: dialed, At: monday}); d.Action != dialplan.Pause || d.Reason != want {
			t.Errorf("%s: %+v", dialed, d)
		}
	}
	for _, x := range []struct {
		agent tel.AgentID
		at    time.Time
		want  time.Time
	}{
		{"anna", monday, time.Date(2026, 3, 2, 18, 0, 0, 0, p.Zone)},
		{"bruno", monday, time.Date(2026, 3, 2, 17, 0, 0, 0, p.Zone)},
		{"bruno", monday.AddDate(0, 0, 5), time.Date(2026, 3, 7, 12, 30, 0, 0, p.Zone)},
	} {
		table, ok := c.Shift(x.agent)
		if got := table.ShiftEnd(x.at, p.Zone, p.Calendar); !ok || !got.Equal(x.want) {
			t.Errorf("%s at %v: %v %v, want %v", x.agent, x.at, got, ok, x.want)
		}
	}
	if _, ok := c.Shift("nobody"); ok || c.Planned("nobody", p.Zone) != nil {
		t.Error("nobody has a shift")
	}
	if got := c.Planned("bruno", p.Zone)(monday, monday.AddDate(0, 0, 1)); got <= 0 || got > 24*time.Hour {
		t.Errorf("bruno is to work for %v of a day", got)
	}
}

func TestEveryMistakeOfWorkIsFoundAtOnceWithItsPath(t *testing.T) {
	_, err := Parse([]byte(`
phones: [{id: "201", password: correct-horse-1}]
agents:
  - {id: anna, extension: "201", phones: ["201"], work: {wrap_up: 2h, no_wrap_up: true, capacity: 21, login_pin: true, shift: ["lun 9-18"], shift_hours: none}}
queues: [{id: q, number: "400", agents: [anna], missed: {logout: true}}, {id: r, number: "401", agents: [anna], missed: {after: 21}}]
pauses: {reasons: [{code: "0", name: x}, {code: "1", name: ""}, {code: "1", name: dnd}, {code: "4444", name: x}]}
`))
	found, ok := errors.AsType[Problems](err)
	if !ok {
		t.Fatalf("want Problems, got %T %v", err, err)
	}
	got := map[string]bool{}
	for _, p := range found {
		got[p.Path+" "+p.Code] = true
	}
	for _, want := range []string{
		"agents[0].work.wrap_up range", "agents[0].work.wrap_up contradiction", "agents[0].work.capacity range", "agents[0].work.login_pin missing",
		"agents[0].work.shift contradiction", "agents[0].work.shift[0] hours", "agents[0].work.shift_hours unknown",
		"queues[0].missed.after missing", "queues[1].missed.after range",
		"pauses.reasons[0].code number", "pauses.reasons[1].name missing", "pauses.reasons[2].code duplicate", "pauses.reasons[2].name taken",
		"pauses.reasons[3].code number", "pauses.reasons[3].name duplicate",
	} {
		if !got[want] {
			t.Errorf("not reported: %s", want)
		}
	}
	if len(found) != 15 {
		t.Errorf("%d problems, want 15:\n%v", len(found), err)
	}
	if _, err := Parse([]byte("pauses: {only: true}")); err == nil {
		t.Error("a closed list without reasons was accepted")
	}
}
