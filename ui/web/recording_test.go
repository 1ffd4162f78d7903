package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

func TestARuleOfRecordingIsMadeReviewedAppliedPutFirstAndRemoved(t *testing.T) {
	s, _ := withTapes(t)
	now := func() config.Recording { return s.settings.Port().Current().Recording }
	form := url.Values{"name": {"Aiuto sì"}, "record": {"demand"}, "purpose": {"orders"}, "queues": {"help"}, "agents": {"anna", "bruno"}, "through": {"line:gsm0"}, "direction": {"in"}}
	if status, to := s.post("/recording/rules", form); status != http.StatusSeeOther || to != "/changes" {
		t.Fatalf("%d %s", status, to)
	}
	if len(now().Rules) != 2 {
		t.Fatal("it is in force before it was applied")
	}
	if _, body := s.get("/changes?lang=en"); !strings.Contains(body, "Aiuto sì") || !strings.Contains(body, "rule of recording") {
		t.Errorf("the change is not said in words: %s", body)
	}
	s.post("/changes/apply", nil)
	r := now().Rules[2]
	if r.ID != "aiuto-si" || r.Record != config.RecordDemand || r.Purpose != "orders" || !slices.Equal(r.Queues, []tel.QueueID{"help"}) || len(r.Agents) != 2 || r.Through[0] != "line:gsm0" || r.Direction != "in" {
		t.Errorf("%+v", r)
	}
	s.post("/recording/rules/aiuto-si/first", nil)
	if _, body := s.get("/changes?lang=en"); !strings.Contains(body, "rule of recording") {
		t.Error("the order is not said in words")
	}
	s.post("/changes/apply", nil)
	var order []string
	for _, r := range now().Rules {
		order = append(order, r.ID)
	}
	if !slices.Equal(order, []string{"aiuto-si", "boss", "sales"}) {
		t.Errorf("the rules stand as %v", order)
	}
	s.post("/recording/rules/aiuto-si/remove", nil)
	s.post("/recording/purposes/quality?lang=en", url.Values{"days": {"30"}, "was-days": {"90"}, "basis": {"consent"}, "was-basis": {"interest"}, "listen": {"owner"}, "was-listen": {"supervisors"}})
	s.post("/recording/manner", url.Values{"opt_out": {"8"}, "was-opt_out": {"9"}, "on_hold": {"on"}, "was-on_hold": {""}})
	_, body := s.get("/changes?lang=en")
	for _, want := range []string{"Kept for", "Legal ground", "Who may listen", "Key that refuses it", "Also while somebody is on hold"} {
		if !strings.Contains(body, want) {
			t.Errorf("the changes do not say %q", want)
		}
	}
	s.post("/changes/apply", nil)
	if c := now(); len(c.Rules) != 2 || c.Purposes[0].Days != 30 || c.Purposes[0].Basis != "consent" || c.Purposes[0].Listen != config.ListenOwner || c.OptOut != "8" || !c.OnHold || !c.Notice {
		t.Errorf("%+v", c)
	}
}

func TestAPurposeThatARuleNeedsAndAPersonOfARuleStay(t *testing.T) {
	s, _ := withTapes(t)
	for path, where := range map[string]string{"/recording/purposes/quality/remove": "recording.rules[1].purpose", "/people/anna/remove": "recording.rules[0].agents[0]", "/queues/sales/remove": "recording.rules[1].queues[0]"} {
		if status, body := s.post(path+"?lang=en", nil); status != http.StatusConflict || !strings.Contains(body, where) {
			t.Errorf("%s: %d, without %s", path, status, where)
		}
	}
	for _, path := range []string{"/recording/rules/none/first", "/recording/rules/none/remove", "/recording/purposes/none/remove"} {
		if status, _ := s.post(path, nil); status != http.StatusConflict && status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestRecordingsOfAPurposeForTheOwnersEarsAreHeardByTheOwnerAlone(t *testing.T) {
	s, x := withTapes(t)
	sound := func(as access.Role) int {
		return s.do(ask{method: http.MethodGet, path: "/recordings/c1-1/sound", as: as, tls: true}).Code
	}
	if sound(access.Supervisor) != http.StatusOK {
		t.Fatal("the supervisor does not hear what is for supervisors")
	}
	x.all[0].Purpose = "orders" // which the owner alone hears
	if got := sound(access.Supervisor); got != http.StatusForbidden {
		t.Errorf("the supervisor: %d", got)
	}
	if got := sound(access.Owner); got != http.StatusOK {
		t.Errorf("the owner: %d", got)
	}
	if w := s.do(ask{method: http.MethodGet, path: tapedStory, as: access.Supervisor, tls: true}); strings.Contains(w.Body.String(), "c1-1") {
		t.Error("the page of the call shows it to the supervisor")
	}
}

func TestTheRecordingsAreCheckedWhenSomebodyWhoMayAsks(t *testing.T) {
	s, x := withTapes(t)
	for role, may := range map[access.Role]bool{access.Owner: true, access.Installer: true, access.Supervisor: false, access.Agent: false, access.Reader: false} {
		x.deeds = nil
		w := s.do(ask{method: http.MethodPost, path: "/recording/check", as: role, tls: true})
		if checked := slices.Contains(x.deeds, "check"); checked != may || (w.Code == http.StatusSeeOther) != may {
			t.Errorf("%s: %d, checked %v", role, w.Code, checked)
		}
		if w := s.do(ask{method: http.MethodGet, path: "/recording", as: role, tls: true}); (w.Code == http.StatusOK) != may {
			t.Errorf("%s sees %d", role, w.Code)
		}
	}
	x.checked = page.Checked{Running: true}
	w := s.do(ask{method: http.MethodGet, path: "/recording?lang=en", as: access.Owner, tls: true})
	if w.Header().Get("Refresh") != "3; url=/recording?lang=en" || !strings.Contains(w.Body.String(), "Being checked") {
		t.Errorf("while it runs: refresh %q", w.Header().Get("Refresh"))
	}
	s.config.Recordings = nil
	var err error
	if s.Handler, err = New(s.config); err != nil {
		t.Fatal(err)
	}
	if status, body := s.post("/recording/check?lang=en", nil); status != http.StatusServiceUnavailable || !strings.Contains(body, "recording.away") || !strings.Contains(body, "nothing is recorded") {
		t.Errorf("without an archive: %d %s", status, body)
	}
}

func TestThePagesOfRecordingLookAsReviewed(t *testing.T) {
	for _, lang := range []string{"it", "en"} {
		s, x := withTapes(t)
		show := func(name, path string) {
			status, body := s.get(path + "?lang=" + lang)
			if status != http.StatusOK {
				t.Errorf("%s: %d", path, status)
			}
			look(t, lang, name, body)
		}
		x.checked = page.Checked{At: at, Files: 3, Open: 1}
		for _, path := range []string{"", "/manner", "/rules/new", "/rules/sales", "/purposes/new", "/purposes/quality"} {
			show("recording"+strings.ReplaceAll(path, "/", "-"), "/recording"+path)
		}
		x.checked = page.Checked{At: at, Files: 3, Wrong: []string{"recording c1-1: the file was changed", "recording " + hostile + ": the file is missing"}}
		s.apply(func(c *config.Config) {
			c.Recording.Purposes[0].Basis, c.Recording.Rules[0].Name, c.Recording.Purposes[1].Name = "", hostile, hostile
			c.Recording.Rules = append(c.Recording.Rules, config.RecordingRule{ID: "rest", Record: config.RecordDemand, Purpose: "quality"})
		})
		show("recording-changed", "/recording")
		x.checked = page.Checked{At: time.Time{}}
		for name, do := range map[string]func() (int, string){
			"manner-wrong": func() (int, string) {
				return s.post("/recording/manner?lang="+lang, url.Values{"keep_free": {hostile}, "demand_keys": {"1"}})
			},
			"rule-wrong": func() (int, string) {
				return s.post("/recording/rules?lang="+lang, url.Values{"name": {hostile}, "purpose": {"none"}, "agents": {"nobody"}})
			},
			"purpose-wrong": func() (int, string) {
				return s.post("/recording/purposes?lang="+lang, url.Values{"name": {hostile}, "days": {"4000"}})
			},
		} {
			status, body := do()
			if status != http.StatusUnprocessableEntity {
				t.Errorf("%s: %d", name, status)
			}
			look(t, lang, "recording-"+name, body)
		}
		empty(t, s)
		x.all = nil
		show("recording-none", "/recording")
		show("recording-rules-new-none", "/recording/rules/new")
	}
}
