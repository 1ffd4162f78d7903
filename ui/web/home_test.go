package web

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/setup"
	"github.com/pronto-pbx/pronto/ui/view"
)

// Whatever Home says is to be done leads to a page on which its reader can do it.
func TestWhatHomeSaysLeadsWhereItIsDone(t *testing.T) {
	names := []string{
		"sip", "journal", "recordd", "books", "damage", "clock", "missed", "memories", "lamps", "buttons", "supplies", "toll", "emergency", "toll_limit", "sms", "sms_full", "sms_flood", "sim_credit", "line_3g", "line_volte",
		"personal", "lines", "voicemail", "mail", "bans", "sip_alg", "unstaffed", "config_file", "config_later", "update_back", "update_stale", "update_support", "backup", "setup", "certificate", "alarm_waiting", "alarm_longest", "alarm_ready",
		"board_hot", "board_power", "board_clock", "board_disk", "board_network", "erasures", "sound_phone_network", "sound_carrier", "sound_box",
	}
	offices := map[string]func(*view.Model){
		"nothing": func(*view.Model) {},
		"a line that fails": func(m *view.Model) {
			m.Apply(tel.LineChanged{Line: "trunk:tim", Name: "TIM", Type: "sip", Cause: tel.LineRefused})
		},
		"nobody": func(m *view.Model) {
			m.Apply(tel.LineChanged{Line: "trunk:tim", Name: "TIM", Type: "sip", Up: true, Cause: tel.LineOK})
		},
		"debts": func(m *view.Model) {
			m.Apply(tel.MissedChanged{Number: "+393331234567", Why: tel.MissedAbandoned})
			m.Owe([]view.Todo{{ID: "plain_http", Link: "/security", Severity: view.TodoInfo}})
		},
		"a set-up with debts": func(m *view.Model) {
			m.Apply(tel.HealthChanged{Condition: "setup", Severity: "info", Text: "setup.lines, setup.safety"})
			m.Owe(setup.State{}.Debts())
		},
	}
	for _, name := range names {
		offices[name] = func(m *view.Model) { m.Apply(tel.HealthChanged{Condition: name, Severity: "warn"}) }
	}
	links := map[string]bool{}
	for name, fill := range offices {
		s := owned(t, newHub(t, func() *view.Model { m := emptyOffice(); fill(m); return m }))
		_, body := s.get("/?lang=en")
		if strings.Contains(body, "⟦") {
			t.Errorf("%s: a sentence is missing", name)
		}
		for _, m := range regexp.MustCompile(`class="open" href="([^"]+)" data-needs="(\w+)"`).FindAllStringSubmatch(body, -1) {
			links[m[1]] = true
			if status, _ := s.get(m[1]); status != http.StatusOK {
				t.Errorf("%s leads to %s: %d", name, m[1], status)
			}
			for _, role := range access.Roles() { // who is shown the link may follow it
				may := s.do(ask{method: http.MethodGet, path: m[1], as: role}).Code == http.StatusOK
				shown := slices.Contains(strings.Fields((page.Reader{Role: role}).Rights()), m[2])
				if may != shown {
					t.Errorf("%s leads %s to %s, which is shown: %v, may: %v", name, role, m[1], shown, may)
				}
			}
		}
	}
	for _, want := range []string{"/setup/1", "/setup/6", "/setup/15", "/backup", "/certificate", "/lines"} {
		if !links[want+"?lang=en"] {
			t.Errorf("nothing leads to %s", want)
		}
	}
	if len(links) < 7 {
		t.Errorf("only %v", links)
	}
}
