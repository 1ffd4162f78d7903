package web

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
)

// plainly sends a form as the owner does who has come over plain HTTP.
func (s *site) plainly(path string, form url.Values) (status int, body string) {
	w := s.do(ask{method: http.MethodPost, path: path, form: form, as: access.Owner})
	return w.Code, w.Header().Get("Location") + w.Body.String()
}

// post sends a form as the owner does over HTTPS, and get reads a page.
func (s *site) post(path string, form url.Values) (status int, body string) {
	w := s.do(ask{method: http.MethodPost, path: path, form: form, as: access.Owner, tls: true})
	return w.Code, w.Header().Get("Location") + w.Body.String()
}

func (s *site) get(path string) (status int, body string) {
	w := s.do(ask{method: http.MethodGet, path: path, as: access.Owner, tls: true})
	return w.Code, w.Body.String()
}

// office is a site whose box has the configuration of a small office.
func office(t *testing.T) *site { return owned(t, newHub(t, emptyOffice)) }

func TestAQueueIsChangedReviewedAppliedAndUndone(t *testing.T) {
	s := office(t)
	s.settings.Probed = []page.Finding{{Level: "ok", Thing: "Vendite", Says: page.Said{Sentence: "probe.queue.ready", Args: []any{1, 2}}}}
	if status, to := s.post("/queues/sales", url.Values{"ring": {"25"}, "was-ring": {"20"}}); status != http.StatusSeeOther || to != "/changes" {
		t.Fatalf("saving: %d %s", status, to)
	}
	now := func() config.Queue { q, _ := s.settings.Port().Current().QueueOf("sales"); return q }
	if now().Ring.String() != "20s" {
		t.Fatal("it is in force before it was applied")
	}
	for path, want := range map[string]string{
		"/changes?lang=en": "<del>20s</del>", "/queues/sales": `value="25"`, "/people?lang=en": "1 change not yet applied", "/?lang=en": "1 change not yet applied",
	} {
		if status, body := s.get(path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, without %s", path, status, want)
		}
	}
	if w := s.do(ask{method: http.MethodGet, path: "/changes", as: access.Installer}); strings.Contains(w.Body.String(), "<del>20s</del>") {
		t.Error("somebody else sees the draft")
	}
	status, body := s.post("/changes/apply?lang=en", url.Values{"why": {"  too\nshort "}})
	if status != http.StatusOK || !strings.Contains(body, "In force, as version 2") || !strings.Contains(body, "1 of 2 people can ring now") {
		t.Fatalf("applying: %d %s", status, body)
	}
	if by, why := s.settings.By[0], s.settings.Whys[0]; now().Ring.String() != "25s" || by != (settings.By{User: "anna", From: "192.168.1.20"}) || why != "too short" {
		t.Errorf("ring %v by %v because %q", now().Ring, by, why)
	}
	if _, body := s.get("/?lang=en"); strings.Contains(body, "not yet applied") {
		t.Error("the tray is still there")
	}
	if status, body := s.post("/changes/undo?lang=en", url.Values{"version": {"2"}}); status != http.StatusOK || now().Ring.String() != "20s" || !strings.Contains(body, "<ins>20s</ins>") {
		t.Errorf("undoing: %d, ring %v", status, now().Ring)
	}
	if status, body := s.post("/changes/undo?lang=en", url.Values{"version": {"2"}}); status != http.StatusConflict || !strings.Contains(body, "undo.late") {
		t.Errorf("undoing what others have built upon: %d %s", status, body)
	}
}

func TestTwoPeopleChangeTheSameQueueAndBothAreHeard(t *testing.T) {
	s := office(t)
	s.post("/queues/sales", url.Values{"ring": {"25"}, "was-ring": {"20"}, "name": {"Vendite"}, "was-name": {"Vendite"}})
	form := url.Values{"name": {"Sales"}, "was-name": {"Vendite"}, "ring": {"20"}, "was-ring": {"20"}} // whose page is older
	if w := s.do(ask{method: http.MethodPost, path: "/queues/sales", form: form, as: access.Installer}); w.Code != http.StatusSeeOther {
		t.Fatal(w.Code)
	}
	s.post("/changes/apply", nil)
	s.do(ask{method: http.MethodPost, path: "/changes/apply", as: access.Installer})
	if q, _ := s.settings.Port().Current().QueueOf("sales"); q.Name != "Sales" || q.Ring.String() != "25s" {
		t.Errorf("%s rings for %v", q.Name, q.Ring)
	}
}

func TestADraftOfWhatIsGoneDoesNothing(t *testing.T) {
	s := office(t)
	s.post("/queues/help", url.Values{"name": {"Help"}})
	w := s.do(ask{method: http.MethodPost, path: "/queues/help/remove", as: access.Installer})
	if w.Code != http.StatusSeeOther {
		t.Fatal(w.Body)
	}
	s.do(ask{method: http.MethodPost, path: "/changes/apply", as: access.Installer})
	if status, to := s.post("/changes/apply", nil); status != http.StatusSeeOther || to != "/changes" {
		t.Errorf("%d %s", status, to)
	}
	if len(s.settings.Port().Current().Queues) != 1 {
		t.Error("it came back")
	}
	for _, path := range []string{"/queues/help", "/people/none", "/hours/none", "/lines/trunk/none", "/lines/modem/none", "/history/99"} {
		if status, body := s.get(path); status != http.StatusNotFound || !strings.Contains(body, "role=\"alert\"") {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestWhatIsStillNeededIsNotRemoved(t *testing.T) {
	s := office(t)
	for path, where := range map[string]string{"/queues/sales/remove": "lines[0].in", "/hours/office/remove": "trunks[0].in", "/people/anna/remove": "queues[1].agents"} {
		status, body := s.post(path+"?lang=en", nil)
		if status != http.StatusConflict || !strings.Contains(body, where) || !strings.Contains(body, "form.needed") {
			t.Errorf("%s: %d, without %s", path, status, where)
		}
	}
	if s.post("/people/carla/remove", nil); len(s.settings.Port().Current().Agents) != 3 {
		t.Error("somebody is gone before it was applied")
	}
	s.post("/people/bruno/remove", nil)
	s.post("/changes/apply", nil)
	c := s.settings.Port().Current()
	if len(c.Agents) != 1 || len(c.Phones) != 1 || len(c.Queues[0].Agents) != 1 {
		t.Errorf("left are %d people, %d phones, %v in the queue", len(c.Agents), len(c.Phones), c.Queues[0].Agents)
	}
}

func TestAPersonGetsANumberAPhoneAndAPlaceInAQueue(t *testing.T) {
	s := office(t)
	form := url.Values{"name": {"Dario Dè"}, "extension": {"204"}, "was-extension": {"204"}, "phone": {"on"}, "queues": {"help"}}
	if status, to := s.post("/people", form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, to)
	}
	w := s.do(ask{method: http.MethodPost, path: "/changes/apply", as: access.Owner, tls: true})
	c := s.settings.Port().Current()
	a, p := c.Agents[3], c.Phones[2]
	if a.ID != "dario-de" || a.Extension != "204" || len(a.Phones) != 1 || a.Phones[0] != "204" || p.ID != "204" || c.Queues[1].Agents[1] != "dario-de" {
		t.Errorf("%+v %v %v", a, p.ID, c.Queues[1].Agents)
	}
	if !strings.Contains(w.Body.String(), string(p.Password)) {
		t.Error("the password of the phone is not shown over HTTPS")
	}
	for _, path := range []string{"/changes", "/history/2", "/people/dario-de", "/people", "/history"} {
		w := s.do(ask{method: http.MethodGet, path: path, as: access.Owner, tls: true})
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), string(p.Password)) {
			t.Errorf("%s: %d, or it shows the password again", path, w.Code)
		}
	}
}

func TestAPasswordIsNotShownInTheClear(t *testing.T) {
	s := office(t)
	s.post("/phones/201/password", nil)
	before := s.settings.Port().Current().Phones[0].Password
	_, body := s.plainly("/changes/apply?lang=en", nil)
	now := s.settings.Port().Current().Phones[0].Password
	if now == before || len(now) < 12 || strings.Contains(body, string(now)) || !strings.Contains(body, "https://pronto.local:8443/people") {
		t.Errorf("a password of %d letters; the page: %s", len(now), body)
	}
	if status, _ := s.post("/phones/none/password", nil); status != http.StatusNotFound {
		t.Errorf("of a phone that is none: %d", status)
	}
	s.post("/phones/201/password", nil) // who sits at the box itself sees it
	w := s.do(ask{method: http.MethodPost, path: "/changes/apply", as: access.Owner, from: "127.0.0.1:5000"})
	if !strings.Contains(w.Body.String(), string(s.settings.Port().Current().Phones[0].Password)) {
		t.Error("not at the box itself either")
	}
}

// wrong is what people and attackers write into the fields of each kind, with values that no field of it takes.
func wrong(kind string) []string {
	return map[string][]string{
		page.FieldNumber: {"-1", "many", "1e99", "NaN", "99999999", "0x10", "1;2", "²"},
		page.FieldText:   {strings.Repeat("x", 201)},
		page.FieldSelect: {"none of these", hostile},
		page.FieldPlace:  {"queue:none", "nowhere", "outside:112", hostile, "ext:", strings.Repeat("x", 3000), ":"},
	}[kind]
}

// Every field of every form, wrong in every way that its kind allows: the field says so, all four parts, and
// nothing is proposed, let alone applied.
func TestEveryFieldSaysWhatIsWrongWithIt(t *testing.T) {
	special := map[string][]string{
		"queues.number": {"", "1", "123456", "112", "201", "four", hostile}, "queues.priority": {"-1000", "10000", "many"},
		"queues.agents": {"", "none", "anna,none"}, "agents.extension": {"", "7", "400", "202", "115", hostile}, "agents.phones": {"none", "202"},
		"agents.dial": {"moon"}, "agents.pin": {"12", "abcd", "12345678901"}, "agents.phone": nil, "queues.strategy": {"fastest"}, "queues.callback": {"77", "x"},
		"queues.greeting": {"prompt:none"}, "queues.sayings": {"prompt:none"}, "queues.max_length": {"-1", "many"}, "queues.sticky": {"-1", "999999"},
		"hours.exceptions": {"sometimes", "2026-02-30", "2026-08-10 2026-08-11 25-26"}, "trunks.number": {"x"},
		"menus.greeting": {"", "prompt:none", "moon", hostile}, "menus.timeouts": {"-1", "11", "many"}, "menus.invalid": {"-1", "11", "²"}, "menus.wait": {"0.5", "61", "many"},
		"prompts.list.number": {"", "123456", "one", hostile},
		"lamps.lines":         nil, "lamps.chip": {"", "moon", "/etc/passwd", hostile}, "lamps.line": nil, "lamps.button_line": nil, "lamps.button_chip": nil, // names that the machine knows
		"recording.rules.agents": {"none"}, "recording.rules.queues": {"none", "sales,none"}, "recording.rules.through": {"trunk:none", "sales"}, "recording.purposes.days": {"0", "3651", "many"},
		"recording.opt_out": {"77", "x"}, "recording.demand_keys": {"1", "12", "*", hostile}, "recording.pause_keys": {"1", "*1", "**********"}, "recording.keep_free": {"0", "63", "many"},
		"conferences.number": {"1", "201", "four", hostile},
		"dispositions.name":  {"", "Richiamare", strings.Repeat("x", 41), strings.Repeat("è", 201)}, "dispositions.code": {"", "0", "01", "1234", "2", "four", "²", "-1", hostile}, "dispositions.queues": {"none", "sales,none"},
		"lines.chip": {strings.Repeat("x", 65), "CX²"}, "lines.polarity": nil, "lines.agc": nil, "lines.silence": {"-1", "361", "many"}, "lines.recall": {"always", hostile},
		"lines.pin": nil, "trunks.user": {"", strings.Repeat("x", 201)}, "trunks.server": {""}, "trunks.password": nil, "trunks.max_calls": {"many"},
	}
	for _, d := range []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
		special["hours."+d] = []string{"mornings", "9-25", "13", hostile}
	}
	s, fields := office(t), 0
	s.apply(func(c *config.Config) {
		c.Conferences = append(c.Conferences, config.Conference{ID: "sala", Name: "Sala", Number: "88", Limit: 5, PIN: "2468"})
		c.Dispositions = []config.Disposition{{Code: "1", Name: "Venduto"}, {Code: "2", Name: "Richiamare"}}
		c.Trunks = append(c.Trunks, config.Trunk{ID: "gw", Name: "Gateway", Preset: "gateway-grandstream-gxw41xx", Server: "192.168.1.20", Match: []netip.Prefix{netip.MustParsePrefix("192.168.1.20/32")}, Number: "+390551234567"})
		c.Lamps = append(c.Lamps, config.Lamp{ID: "strip", Driver: "ws2812", Chip: "0.0", LEDs: 4})
	})
	s.settings.By = nil
	check := func(k string, at string, name, kind string, values []string) {
		for _, value := range values {
			form := url.Values{name: strings.Split(value, ",")}
			if kind != page.FieldChecks && kind != page.FieldMembers {
				form[name] = []string{value}
			}
			form.Set("was-"+name, "something else")
			status, body := s.post(at+"?lang=en", form)
			if status != http.StatusUnprocessableEntity {
				t.Errorf("%s.%s = %.40q: %d", k, name, value, status)
				s.post("/changes/discard", nil)
				continue
			}
			if !strings.Contains(body, `id="f-`+name+`-w"`) && !strings.Contains(body, `class="wrongs"`) || strings.Contains(body, "<script>alert") || strings.Contains(body, "⟦") {
				t.Errorf("%s.%s = %.40q: no message beside the field, or a sentence is missing", k, name, value)
			}
			if _, body := s.get("/changes?lang=en"); !strings.Contains(body, "No change waits") || len(s.settings.By) > 0 {
				t.Errorf("%s.%s = %.40q: something was kept", k, name, value)
			}
		}
		fields++
	}
	each(queueKind(), func(k, name, kind string) { check(k, "/queues/sales", name, kind, pick(special, k, name, kind)) })
	each(personKind(), func(k, name, kind string) { check(k, "/people/anna", name, kind, pick(special, k, name, kind)) })
	each(hoursKind(), func(k, name, kind string) { check(k, "/hours/office", name, kind, pick(special, k, name, kind)) })
	each(trunkKind(), func(k, name, kind string) { check(k, "/lines/trunk/tim", name, kind, pick(special, k, name, kind)) })
	each(menuKind(), func(k, name, kind string) { check(k, "/menus/main", name, kind, pick(special, k, name, kind)) })
	each(messageKind(), func(k, name, kind string) { check(k, "/messages/name/ferie", name, kind, pick(special, k, name, kind)) })
	each(lineKind(), func(k, name, kind string) { check(k, "/lines/modem/gsm0", name, kind, pick(special, k, name, kind)) })
	each(analogKind(), func(k, name, kind string) { check(k, "/lines/analog/fisso", name, kind, pick(special, k, name, kind)) })
	each(trunkKind(), func(k, name, kind string) {
		values := pick(special, k, name, kind)
		if name == "user" {
			values = values[1:] // a gateway of the office has no account
		}
		check(k, "/lines/trunk/gw", name, kind, values)
	})
	each(conferenceKind(), func(k, name, kind string) { check(k, "/conferences/sala", name, kind, pick(special, k, name, kind)) })
	each(dispositionKind(), func(k, name, kind string) { check(k, "/dispositions/1", name, kind, pick(special, k, name, kind)) })
	each(ruleKind(), func(k, name, kind string) {
		check(k, "/recording/rules/sales", name, kind, pick(special, k, name, kind))
	})
	each(purposeKind(), func(k, name, kind string) {
		check(k, "/recording/purposes/quality", name, kind, pick(special, k, name, kind))
	})
	each(mannerEditor().kind, func(k, name, kind string) { check(k, "/recording/manner", name, kind, pick(special, k, name, kind)) })
	each(lampKind(), func(k, name, kind string) { check(k, "/lamps/strip", name, kind, pick(special, k, name, kind)) })
	each(buttonKind(), func(k, name, kind string) { check(k, "/buttons/aid", name, kind, pick(special, k, name, kind)) })
	if fields < 50 {
		t.Errorf("only %d fields were tried", fields)
	}
}

func each[T any](k kind[T], do func(kind, name, field string)) {
	for _, g := range k.groups {
		for _, b := range g.fields {
			do(k.name, b.name, b.kind)
		}
	}
}

func pick(special map[string][]string, k, name, kind string) []string {
	if values, ok := special[k+"."+name]; ok {
		return values
	}
	return wrong(kind)
}

var gap = regexp.MustCompile(`\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}`)

// steady takes out of a page what differs from run to run.
func steady(body string) []byte {
	body = strings.ReplaceAll(body, page.Version(), "VERSION")
	body = regexp.MustCompile(`<dd>(\(devel\)|go1[^<]*|v0[^<]*)( <code>[0-9a-f]+</code>)?</dd>`).ReplaceAllString(body, "<dd>BUILD</dd>")
	body = regexp.MustCompile(`<td>v[0-9][^<]*</td>`).ReplaceAllString(body, "<td>VERSION</td>")
	return []byte(gap.ReplaceAllString(body, "TIME"))
}

// adminPages are what the owner sees of each page of the box.
func adminPages() []string {
	return []string{
		"/queues", "/queues/sales", "/queues/new", "/people", "/people/new", "/people/anna", "/people/import", "/hours", "/hours/new", "/hours/office",
		"/menus", "/menus/new", "/menus/main", "/messages", "/messages/sentence/greeting", "/messages/own/ferie", "/messages/name/new", "/messages/name/ferie",
		"/lines", "/lines/trunk/tim", "/lines/modem/gsm0", "/changes", "/history", "/history/1", "/system", "/security", "/about", "/codes", "/lamps", "/lamps/new", "/lamps/desk1", "/buttons", "/buttons/new", "/buttons/aid",
		"/signals", "/signals/ringing", "/signals/look", "/conferences/new", "/conferences/sala", "/lines/new/analog", "/lines/analog/fisso", "/nothing",
	}
}

// full has a hostile word in every place where others than the owner can write one.
func full(t *testing.T) *site {
	s := office(t)
	s.settings.Standing = map[string]tel.LineChanged{
		"trunk:tim": {Line: "trunk:tim", Name: "TIM", Type: "sip", Cause: tel.LineRefused}, "line:gsm0": {Line: "line:gsm0", Name: hostile, Type: "gsm", Up: true, Cause: tel.LineInUse, Calls: 1, Operator: hostile, Signal: -71},
	}
	s.settings.Audited = []tel.PageAccessed{{At: at, What: "wrong_password", User: hostile, From: "192.168.1.66"}, {At: at, What: "configured", User: "anna", Whom: "2 " + hostile}}
	s.post("/queues/sales", url.Values{"name": {"V" + hostile}, "agents": {"bruno", "anna"}})
	s.voice.Put("it/greeting", "before")
	s.voice.Put("ferie", "before, too")
	s.post("/hours/office", url.Values{"exceptions": {"2026-08-10 2026-08-21 " + hostile}})
	return s
}

func TestThePagesOfTheBoxLookAsReviewed(t *testing.T) {
	for _, lang := range []string{"it", "en"} {
		s := full(t)
		for _, path := range adminPages() {
			if path == "/conferences/new" {
				s.apply(func(c *config.Config) {
					c.Conferences = append(c.Conferences, config.Conference{ID: "sala", Name: "Sala", Number: "88", Limit: 10, PIN: "2468"})
				})
			}
			status, body := s.get(path + "?lang=" + lang)
			if want := map[bool]int{true: http.StatusNotFound, false: http.StatusOK}[path == "/nothing"]; status != want {
				t.Errorf("%s: %d", path, status)
			}
			look(t, lang, "full"+strings.ReplaceAll(path, "/", "-"), body)
		}
		s = office(t)
		empty(t, s)
		for _, path := range []string{"/queues", "/queues/new", "/people", "/people/new", "/hours", "/hours/new", "/menus", "/menus/new", "/messages", "/messages/name/new", "/lines", "/lamps", "/lamps/new", "/buttons", "/buttons/new", "/conferences/new", "/changes", "/history", "/security"} {
			_, body := s.get(path + "?lang=" + lang)
			look(t, lang, "empty"+strings.ReplaceAll(path, "/", "-"), body)
		}
		s = office(t)
		for name, do := range map[string]func(*site) (int, string){
			"queue": func(s *site) (int, string) {
				return s.post("/queues/sales?lang="+lang, url.Values{"ring": {"3"}, "number": {"201"}})
			},
			"new": func(s *site) (int, string) { return s.post("/queues?lang="+lang, url.Values{"name": {hostile}}) },
			"person": func(s *site) (int, string) {
				return s.post("/people?lang="+lang, url.Values{"name": {""}, "extension": {"112"}})
			},
			"import": func(s *site) (int, string) {
				return s.post("/people/import?lang="+lang, url.Values{"text": {"Eva,201\n" + hostile + ",112,none,perhaps"}})
			},
			"table": func(s *site) (int, string) { return s.post("/people/import?lang="+lang, url.Values{"text": {" "}}) },
			"hours": func(s *site) (int, string) {
				return s.post("/hours/office?lang="+lang, url.Values{"mon": {"mornings"}})
			},
			"menu": func(s *site) (int, string) {
				return s.post("/menus/main?lang="+lang, url.Values{"key-1": {"say:" + hostile}, "wait": {"0"}})
			},
			"sound": func(s *site) (int, string) {
				s.voice.Refuse = settings.Refusal{Sentence: "voice.kind", Detail: "neither WAV nor MP3: it begins with " + hostile}
				w := s.sends("/messages/sound/own/ferie?lang="+lang, hostile+".wav", strings.NewReader(hostile))
				return w.Code, w.Body.String()
			},
			"needed": func(s *site) (int, string) { return s.post("/queues/sales/remove?lang="+lang, nil) },
			"http":   func(s *site) (int, string) { return s.post("/security?lang="+lang, url.Values{"plain": {"perhaps"}}) },
			"file":   func(s *site) (int, string) { s.settings.Hand = byHand(); return s.get("/history?lang=" + lang) },
			"reload": func(s *site) (int, string) {
				s.settings.Hand = byHand()
				return s.post("/history/file?lang="+lang, url.Values{"do": {"reload"}})
			},
			"conference": func(s *site) (int, string) {
				return s.post("/conferences?lang="+lang, url.Values{"name": {hostile}, "number": {"201"}})
			},
			"trunk": func(s *site) (int, string) {
				return s.post("/lines/trunk/tim?lang="+lang, url.Values{"server": {hostile}, "was-server": {"x"}})
			},
			"analog": func(s *site) (int, string) {
				return s.post("/lines/new/analog?lang="+lang, url.Values{"name": {hostile}, "socket": {hostile}})
			},
			"modem": func(s *site) (int, string) {
				return s.post("/lines/modem/gsm0?lang="+lang, url.Values{"power_for": {"many"}})
			},
			"lamp": func(s *site) (int, string) { return s.post("/lamps?lang="+lang, url.Values{"name": {hostile}}) },
			"button": func(s *site) (int, string) {
				return s.post("/buttons?lang="+lang, url.Values{"line": {hostile}})
			},
			"signal": func(s *site) (int, string) {
				return s.post("/signals/ringing?lang="+lang, url.Values{"rhythm": {hostile}})
			},
			"look": func(s *site) (int, string) {
				return s.post("/signals/look?lang="+lang, url.Values{"night": {hostile}})
			},
			"veto":     func(s *site) (int, string) { return refused(s, "settings.veto", lang) },
			"rolled":   func(s *site) (int, string) { return refused(s, "settings.failed", lang) },
			"stuck":    func(s *site) (int, string) { return refused(s, "settings.stuck", lang) },
			"edited":   func(s *site) (int, string) { return refused(s, "settings.edited", lang) },
			"disk":     func(s *site) (int, string) { return refused(s, "settings.disk", lang) },
			"away":     func(s *site) (int, string) { return refused(s, "settings.away", lang) },
			"problems": func(s *site) (int, string) { return refused(s, "settings.problems", lang) },
		} {
			_, body := do(s)
			s.settings.Refuse, s.settings.Hand = settings.Refusal{}, settings.File{}
			s.post("/changes/discard", nil)
			if !strings.Contains(body, `class="said"`) {
				t.Errorf("%s: nothing says what is wrong", name)
			}
			look(t, lang, "error-"+name, body)
		}
	}
}

// refused has the box refuse a change.
func refused(s *site, sentence, lang string) (int, string) {
	s.post("/queues/sales", url.Values{"ring": {"25"}})
	s.settings.Refuse = settings.Refusal{Sentence: sentence, Detail: "lines: no such modem " + hostile}
	return s.post("/changes/apply?lang="+lang, nil)
}

// byHand is a file with a mistake.
func byHand() settings.File {
	return settings.File{Path: "/etc/pronto/pronto.yaml", Edited: true, Problems: config.Problems{{Path: "line 12", Code: "syntax", Text: "field qeues not found " + hostile}}}
}

// empty is a box on which nothing is set up.
func empty(t *testing.T, s *site) {
	t.Helper()
	fresh, err := settingstest.New("")
	if err != nil {
		t.Fatal(err)
	}
	_, no, err := s.settings.Port().Apply(t.Context(), func(c *config.Config) { *c = fresh.Port().Current().Clone() }, settings.By{}, "")
	if err != nil || no.Sentence != "" {
		t.Fatal(no, err)
	}
}

// look compares a page with the one that was reviewed.
func look(t *testing.T, lang, name, body string) {
	t.Helper()
	if strings.Contains(body, "⟦") {
		t.Errorf("%s %s: a sentence is missing: %s", lang, name, body[strings.Index(body, "⟦"):][:60])
	}
	if strings.Contains(body, "<script>alert") || strings.Contains(body, `"'&"`) {
		t.Errorf("%s %s: a name became markup", lang, name)
	}
	got := steady(body)
	if !slices.Contains(framed(), name) {
		got = within(got)
	}
	if whole, like := likeness()[name]; like {
		got = otherwise(t, got, fmt.Sprintf("testdata/%s-box-%s.html", lang, whole))
	}
	golden(t, filepath.Join("testdata", fmt.Sprintf("%s-box-%s.html", lang, name)), got)
}

// likeness names the form that is reviewed whole for each that is like it.
func likeness() map[string]string {
	return map[string]string{
		"full-queues-new": "full-queues-sales", "empty-queues-new": "full-queues-sales", "error-new": "full-queues-sales",
		"error-queue": "full-queues-sales", "error-needed": "full-queues-sales",
		"full-lamps-desk1": "full-lamps-new", "empty-lamps-new": "full-lamps-new", "error-lamp": "full-lamps-new",
		"full-buttons-aid": "full-buttons-new", "empty-buttons-new": "full-buttons-new", "error-button": "full-buttons-new",
		"full-conferences-sala": "full-conferences-new", "empty-conferences-new": "full-conferences-new", "error-conference": "full-conferences-new",
		"error-trunk": "full-lines-trunk-tim", "error-modem": "full-lines-modem-gsm0", "error-analog": "full-lines-new-analog",
		"error-signal": "full-signals-ringing", "error-look": "full-signals-look", "reset-wrong": "reset",
	}
}

// otherwise is how a page differs from a reviewed one: the lines that it alone has, and, behind a mark, those that it
// lacks.
func otherwise(t *testing.T, page []byte, reviewed string) []byte {
	t.Helper()
	whole, err := os.ReadFile(reviewed)
	if err != nil {
		t.Fatal(err)
	}
	without := func(from, those []byte) (rest []byte) {
		other := map[string]bool{}
		for line := range strings.Lines(string(those)) {
			other[line] = true
		}
		for line := range strings.Lines(string(from)) {
			if !other[line] {
				rest = append(rest, line...)
			}
		}
		return rest
	}
	return slices.Concat(without(page, whole), []byte("<!-- not here -->\n"), without(whole, page))
}
