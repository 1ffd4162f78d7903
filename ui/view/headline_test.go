package view

import (
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// What is said first is what keeps most calls away; each row lacks what the row before it complains of.
func TestTheHeadlineNamesTheWorstThingFirst(t *testing.T) {
	var (
		noModem  = tel.LineChanged{Line: "line:gsm0", Name: "SIM", Cause: tel.LineNoModem}
		trunkUp  = tel.LineChanged{Line: "trunk:tim", Name: "TIM", Up: true, Cause: tel.LineOK}
		starting = tel.LineChanged{Line: "trunk:tim", Name: "TIM", Cause: tel.LineRegistering}
		off      = tel.LineChanged{Line: "line:gsm0", Name: "SIM", Cause: tel.LineDisabled}
		sip      = tel.HealthChanged{Condition: "sip", Severity: "error"}
		lines    = tel.HealthChanged{Condition: "lines", Severity: "error"}
		lamps    = tel.HealthChanged{Condition: "lamps", Severity: "warn"}
		note     = tel.HealthChanged{Condition: "bans", Severity: "info"}
		ready    = tel.AgentChanged{Agent: "anna", State: tel.AgentReady}
		paused   = tel.AgentChanged{Agent: "anna", State: tel.AgentPaused}
		away     = tel.AgentChanged{Agent: "bruno", State: tel.AgentUnreachable}
	)
	for name, c := range map[string]struct {
		events []tel.Event
		key    string
		level  Level
		about  string // a condition or a line
		link   string
	}{
		"the box itself fails":                    {[]tel.Event{sip, lines, noModem, paused, lamps}, "headline.notice", LevelDown, "sip", ""},
		"no line is configured":                   {[]tel.Event{lamps, ready}, "headline.no_line", LevelDown, "", "/lines/new"},
		"every line is off":                       {[]tel.Event{off, ready}, "headline.no_line", LevelDown, "", "/lines/new"},
		"no line works: the line's cause is said": {[]tel.Event{noModem, starting, lines, ready}, "headline.lines", LevelDown, "line:gsm0", "/lines"},
		"no line works and none says why":         {[]tel.Event{starting, lines, ready}, "headline.notice", LevelDown, "lines", "/lines"},
		"the lines are connecting":                {[]tel.Event{starting, off, ready, lamps}, "headline.starting", LevelStarting, "", "/lines"},
		"nobody was set up":                       {[]tel.Event{trunkUp, lamps}, "headline.no_people", LevelDown, "", "/people/new"},
		"one of two lines fails":                  {[]tel.Event{trunkUp, noModem, paused, lamps}, "headline.line", LevelWarn, "line:gsm0", "/lines"},
		"everybody is away":                       {[]tel.Event{trunkUp, paused, away, lamps}, "headline.nobody", LevelWarn, "", "/people"},
		"something wants a look":                  {[]tel.Event{trunkUp, off, ready, away, lamps, note}, "headline.but", LevelWarn, "lamps", "/lamps"},
		"all is well":                             {[]tel.Event{trunkUp, off, ready, away, note}, "headline.ok", LevelOK, "", ""},
		"what has healed is not said":             {[]tel.Event{sip, tel.HealthChanged{Condition: "sip", Severity: "error", OK: true}, trunkUp, ready}, "headline.ok", LevelOK, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewModel("", nil, nil)
			for _, e := range c.events {
				m.Apply(e)
			}
			o := m.Office()
			h := o.Headline()
			about := ""
			switch {
			case h.Notice != nil:
				about = h.Notice.Condition
			case h.Line != nil:
				about = h.Line.Line
			}
			if h.Key != c.key || h.Level != c.level || about != c.about || h.Link != c.link {
				t.Errorf("%+v about %q", h, about)
			}
			for _, n := range o.Notices() {
				if n.Condition == about {
					t.Errorf("%s is said twice", about)
				}
			}
		})
	}
}

func TestWhatIsToDoHasTheWorstFirst(t *testing.T) {
	m := NewModel("", nil, nil)
	m.Owe([]Todo{{ID: "a", Severity: "info"}, {ID: "b", Severity: "error"}, {ID: "c", Severity: "info"}})
	m.Apply(tel.MissedChanged{Number: "+393331234567"})
	var got string
	for _, x := range m.Office().Todos() {
		got += x.ID + " "
	}
	if got != "b missed a c " {
		t.Errorf("%s", got)
	}
	m.Apply(tel.MissedChanged{Number: "+393331234567", Closed: tel.MissedDismissed})
	if all := m.Office().Todos(); len(all) != 3 {
		t.Errorf("after the last one was called back: %+v", all)
	}
}

func TestTheSetUpIsSaidByItsDebtsOneByOne(t *testing.T) {
	m := NewModel("", nil, nil)
	m.Apply(tel.HealthChanged{Condition: "setup", Severity: "info", Text: "setup.lines"})
	m.Apply(tel.HealthChanged{Condition: "backup", Severity: "info"})
	if all := m.Office().Notices(); len(all) != 2 {
		t.Errorf("without a list of debts the condition is not said: %+v", all)
	}
	m.Owe([]Todo{{ID: "setup.lines", Link: "/setup/6", Severity: TodoError}})
	if all := m.Office().Notices(); len(all) != 1 || all[0].Condition != "backup" {
		t.Errorf("beside the list of debts it is said as a condition, too: %+v", all)
	}
}

func TestNamesOfQueuesAreNotEnglish(t *testing.T) {
	m := NewModel("", nil, nil)
	for _, k := range tel.AlarmKinds() {
		m.Apply(tel.HealthChanged{Condition: "alarm_" + string(k), Severity: "warn", Text: "Vendite"})
	}
	m.Apply(tel.HealthChanged{Condition: "unstaffed", Severity: "warn", Text: "Vendite"})
	m.Apply(tel.HealthChanged{Condition: "recordd", Severity: "warn", Text: "recordd does not answer"})
	all := m.Office().Notices() // no line is the headline
	if len(all) != 5 {
		t.Fatalf("%+v", all)
	}
	for _, n := range all {
		if n.Names != (n.Text == "Vendite") {
			t.Errorf("%s: %v", n.Condition, n.Names)
		}
	}
}
