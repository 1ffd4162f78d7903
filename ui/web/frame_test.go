package web

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
	"github.com/pronto-pbx/pronto/ui/setup"
)

// reads are the GET routes of pages, each with a path that exists.
func reads() (all []string) {
	for _, r := range paths(&server{}) {
		if r.method == http.MethodGet && r.pattern != "GET /recordings/{id}/sound" && !slices.Contains([]string{"/live", "/api/now", "/healthz", "/asset/pronto.css", "/people.csv", "/calls.csv", "/reports.csv", "/reports/queue_log", "/reports/lines.csv", "/calls/c1/sip.pcapng", "/calls/c1/rtp.pcapng", "/messages/sound/it/greeting", "/me/code.png", "/about/licences", "/claim", "/invite", "/signin", "/setup", "/setup/live", "/phone/live", "/phone/ready/live", "/handover.pdf", "/restore", "/backup/copy/" + aCopy}, r.path) {
			all = append(all, r.path)
			if r.pattern == "GET /setup/{step}" {
				for _, x := range setup.Steps() {
					if x != setup.Lines { // r.path
						all = append(all, setupPath(x))
					}
				}
			}
		}
	}
	return all
}

// in asks for a language at the end of a path.
func in(path, lang string) string {
	if strings.Contains(path, "?") {
		return "&lang=" + lang
	}
	return "?lang=" + lang
}

var loads = regexp.MustCompile(`(?:<link rel="(?:stylesheet|icon)" href|<script src|<img src)="([^"?]+)`)

// Every page, opened for the first time with everything that it loads, stays below 30 kB on the wire, with two
// requests beside its own and a script on the live page.
func TestEveryPageIsLight(t *testing.T) {
	s := full(t)
	pages := reads()
	if len(pages) < 25 {
		t.Fatalf("only %d pages", len(pages))
	}
	most, heaviest := 0, ""
	for _, path := range pages {
		_, body := s.get(path)
		var wire bytes.Buffer
		weigh := func(what string) {
			z := gzip.NewWriter(&wire) // each answer by itself, as a server sends it
			_, _ = z.Write([]byte(what))
			_ = z.Close()
		}
		weigh(body)
		found := loads.FindAllStringSubmatch(body, -1)
		for _, m := range found {
			status, what := s.get(m[1])
			if status != http.StatusOK {
				t.Errorf("%s loads %s: %d", path, m[1], status)
			}
			if !strings.HasSuffix(m[1], ".png") { // compressed already
				weigh(what)
			}
		}
		limit := 2
		if path == "/" || path == "/me" || path == "/me/code" || strings.HasSuffix(path, "/call") || strings.HasPrefix(path, "/setup/") || strings.HasPrefix(path, "/messages/") { // their scripts; the picture of a secret
			limit = 3
		}
		if len(found) > limit || len(found) < 2 {
			t.Errorf("%s makes %d requests beside its own, more than %d", path, len(found), limit)
		}
		if wire.Len() > 30<<10 {
			t.Errorf("%s is %d bytes gzipped", path, wire.Len())
		}
		if wire.Len() > most {
			most, heaviest = wire.Len(), path
		}
	}
	t.Logf("the heaviest of %d pages is %s with %d bytes", len(pages), heaviest, most)
}

// Every page has the same frame, one title, and no label, description or id that leads nowhere.
func TestEveryPageHasItsFrame(t *testing.T) {
	s := full(t)
	for _, path := range reads() {
		_, body := s.get(path + in(path, "en"))
		for _, want := range []string{`<html lang="en">`, `class="skip"`, `<nav class="main"`, `<main id="main"`, "<h1", `name="viewport"`} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %s", path, want)
			}
		}
		if n := strings.Count(body, "<h1"); n != 1 {
			t.Errorf("%s has %d titles", path, n)
		}
		for _, m := range regexp.MustCompile(`<nav class="main".*?</nav>`).FindAllString(body, -1) {
			if n := strings.Count(m, "aria-current"); n > 1 || n == 0 && path != "/nothing" && path != "/me" && path != "/phone" && path != "/me/code" {
				t.Errorf("%s: %d entries of the navigation say that one is there", path, n)
			}
		}
		for _, id := range regexp.MustCompile(`<label for="([^"]+)"`).FindAllStringSubmatch(body, -1) {
			if !strings.Contains(body, `id="`+id[1]+`"`) {
				t.Errorf("%s: a label of %q, which is not there", path, id[1])
			}
		}
		for _, m := range regexp.MustCompile(`aria-describedby="([^"]+)"`).FindAllStringSubmatch(body, -1) {
			for _, id := range strings.Fields(m[1]) {
				if !strings.Contains(body, `id="`+id+`"`) {
					t.Errorf("%s: described by %q, which is not there", path, id)
				}
			}
		}
		ids := map[string]bool{}
		for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(body, -1) {
			if ids[m[1]] {
				t.Errorf("%s: the id %q twice", path, m[1])
			}
			ids[m[1]] = true
		}
	}
}

func TestTheNavigationShowsWhatOneMayUse(t *testing.T) {
	s := office(t)
	for role, want := range map[access.Role]string{
		access.Owner: "/ /calls /queues /people /lines /reports /system", access.Installer: "/ /calls /queues /people /lines /reports /system",
		access.Supervisor: "/ /calls /me /reports /system", access.Agent: "/ /me /system", access.Reader: "/ /system",
	} {
		body := s.do(ask{method: http.MethodGet, path: "/system", as: role}).Body.String()
		nav := regexp.MustCompile(`(?s)<nav class="main".*?</nav>`).FindString(body)
		var got []string
		for _, m := range regexp.MustCompile(`href="([^"?]+)`).FindAllStringSubmatch(nav, -1) {
			got = append(got, m[1])
			if w := s.do(ask{method: http.MethodGet, path: m[1], as: role}); w.Code != http.StatusOK {
				t.Errorf("%s is led to %s: %d", role, m[1], w.Code)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s sees %v, want %s", role, got, want)
		}
		for _, m := range regexp.MustCompile(`<li class="card"><a href="([^"?]+)`).FindAllStringSubmatch(body, -1) {
			if w := s.do(ask{method: http.MethodGet, path: m[1], as: role}); w.Code != http.StatusOK {
				t.Errorf("%s is led to %s: %d", role, m[1], w.Code)
			}
		}
	}
}

// Every mistake that a configuration can have, every refusal, every deed has its words; whatever goes wrong is
// said in its parts.
func TestWhateverGoesWrongIsSaidInFourParts(t *testing.T) {
	source := regexp.MustCompile(`(?:s\.sentence|s\.refuse\(w, v, http\.\w+, |Sentence: |sentence = |return |, "|= )\(?"?((?:door|user|onetime|password|floor|callbacks|supervise|desk|form|settings|past|import|changes|undo|security|voice|filter|records|story|invite|backup|kit|restore|network|certificate|traces)\.[a-z_.]*[a-z]|denied|fault|gone|missing)"`)
	var keys []string
	for _, dir := range []string{"ui/web", "firmware/appliance"} {
		out, err := exec.Command("sh", "-c", "cat $(ls ../../"+dir+"/*.go | grep -v _test.go)").Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range source.FindAllStringSubmatch(string(out), -1) {
			keys = append(keys, m[1])
		}
	}
	out, err := exec.Command("sh", "-c", "cat ../../firmware/config/*.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	codes := 0
	for _, m := range regexp.MustCompile(`found\.add\((?:[^",]|"[^"]*"[^",]*)+, "([a-z_]+)"|Code: "([a-z_]+)"`).FindAllStringSubmatch(string(out), -1) {
		keys = append(keys, "problem."+m[1]+m[2])
		codes++
	}
	if codes < 100 {
		t.Errorf("only %d mistakes were found in the source", codes)
	}
	keys = append(keys, "problem.figure", "problem.long", "missed.gone", "problem.net_address", "problem.net_mask", "problem.net_whole", "problem.net_elsewhere", "problem.net_same")
	slices.Sort(keys)
	keys = slices.Compact(keys)
	tried := 0
	for _, lang := range i18n.Languages() {
		cat, err := i18n.Load(lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if !cat.Has(k+".why") && !strings.HasPrefix(k, "problem.") && cat.Has(k) && !strings.HasSuffix(cat.T(k), ".") {
				continue // the name of something, not a sentence
			}
			for _, part := range []string{"", ".why", ".do"} {
				if !cat.Has(k + part) {
					t.Errorf("%s lacks %s", lang, k+part)
				}
			}
			tried++
		}
	}
	if tried < 100 {
		t.Errorf("only %d sentences were tried", tried)
	}
}

func TestEverySettingStateAndDeedHasItsWords(t *testing.T) {
	var keys []string
	setting := func(k, name, _ string) { keys = append(keys, "set."+k+"."+name) }
	each(queueKind(), setting)
	each(personKind(), setting)
	each(hoursKind(), setting)
	each(trunkKind(), setting)
	each(lineKind(), setting)
	each(buttonKind(), setting)
	each(dispositionKind(), setting)
	each(orderEditor().kind, setting)
	each(menuKind(), setting)
	each(messageKind(), setting)
	for _, name := range config.Sentences()[0].Names {
		keys = append(keys, "say."+name)
	}
	for _, name := range saidPlaces() {
		keys = append(keys, "place.say."+name)
	}
	for _, g := range config.Sentences() {
		keys = append(keys, "messages."+g.Key)
	}
	each(placeKind(), setting)
	each(networkKind(), setting)
	for _, c := range tel.LineCauses() {
		keys = append(keys, "fix."+string(c))
	}
	for _, x := range config.Strategies() {
		keys = append(keys, "strategy."+x)
	}
	out, err := exec.Command("sh", "-c", "cat ../access/accounts.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`Deed\w+ +Deed = "(\w+)"`).FindAllStringSubmatch(string(out), -1) {
		keys = append(keys, "deed."+m[1])
	}
	for _, kind := range []string{"queue", "ext", "voicemail", "menu", "hours", "group", "say", "hangup", "none"} {
		keys = append(keys, "place."+kind)
	}
	for _, lang := range i18n.Languages() {
		cat, err := i18n.Load(lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if !cat.Has(k) {
				t.Errorf("%s lacks %s", lang, k)
			}
		}
	}
}

func TestHTTPSAloneIsASetting(t *testing.T) {
	s := office(t)
	if status, _ := s.post("/security", url.Values{"plain": {"off"}}); status != http.StatusConflict {
		t.Errorf("a box without HTTPS would have locked everybody out: %d", status) // the validator says so, too
	}
	if status, _ := s.post("/security", url.Values{"plain": {"on"}}); status != http.StatusSeeOther {
		t.Errorf("what holds already: %d", status)
	}
	s.settings.Audited = []tel.PageAccessed{{At: at, What: "wrong_password", User: "eve", From: "192.168.1.66"}}
	if _, body := s.get("/security?lang=en"); !strings.Contains(body, "wrong password") || !strings.Contains(body, "192.168.1.66") {
		t.Error("the audit log is not shown")
	}
	for _, path := range []string{"/security", "/users"} {
		if w := s.do(ask{method: http.MethodGet, path: path, as: access.Installer}); w.Code != http.StatusForbidden {
			t.Errorf("an installer at %s: %d", path, w.Code)
		}
	}
}

func TestThePastIsShownAndTakenBackInPartsOrWhole(t *testing.T) {
	s := office(t)
	s.post("/queues/sales", url.Values{"ring": {"25"}})
	s.post("/people/anna", url.Values{"name": {"Annamaria"}})
	s.post("/changes/apply", url.Values{"why": {"two things"}})
	if _, body := s.get("/history?lang=en"); !strings.Contains(body, "two things") || !strings.Contains(body, "in force") {
		t.Error("the history does not say who and why")
	}
	if _, body := s.get("/history/1?lang=en"); !strings.Contains(body, "queues[sales]") || !strings.Contains(body, "agents[anna]") {
		t.Errorf("the past does not say what was otherwise")
	}
	for _, thing := range []string{"queues[none]", "nothing", hostile, ""} {
		if status, body := s.post("/history/1/take", url.Values{"thing": {thing}}); status != http.StatusConflict || strings.Contains(body, "<script>alert") {
			t.Errorf("%q: %d", thing, status)
		}
	}
	if status, _ := s.post("/history/1/take", url.Values{"thing": {"queues[sales]"}}); status != http.StatusSeeOther {
		t.Fatalf("taking one thing: %d", status)
	}
	s.post("/changes/apply", nil)
	c := s.settings.Port().Current()
	if c.Queues[0].Ring.String() != "20s" || c.Agents[0].Name != "Annamaria" {
		t.Errorf("the queue rings for %v, she is called %s", c.Queues[0].Ring, c.Agents[0].Name)
	}
	if status, body := s.post("/history/1/restore?lang=en", nil); status != http.StatusOK || s.settings.Port().Current().Agents[0].Name != "Anna" {
		t.Errorf("going back to all of it: %d %s", status, body)
	}
	if status, _ := s.post("/history/77/restore", nil); status != http.StatusNotFound {
		t.Errorf("a version that is none: %d", status)
	}
}

func TestAFileWrittenByHandIsShownWithItsLines(t *testing.T) {
	s := office(t)
	s.settings.Hand = byHand()
	if status, body := s.get("/history?lang=en"); status != http.StatusOK || !strings.Contains(body, "line 12: field qeues not found") || !strings.Contains(body, "/etc/pronto/pronto.yaml") {
		t.Errorf("%d: the line is not shown", status)
	}
	if status, body := s.post("/history/file?lang=en", url.Values{"do": {"reload"}}); status != http.StatusConflict || !strings.Contains(body, "settings.problems") {
		t.Errorf("reading it again: %d", status)
	}
	if status, _ := s.post("/history/file", url.Values{"do": {"burn"}}); status != http.StatusBadRequest || !s.settings.Hand.Edited {
		t.Errorf("something else: %d", status)
	}
	if status, to := s.post("/history/file", url.Values{"do": {"discard"}}); status != http.StatusSeeOther || to != "/history" || s.settings.Hand.Edited {
		t.Errorf("discarding it: %d %s", status, to)
	}
}

func TestADraftThatNoLongerFitsSaysSo(t *testing.T) {
	s := office(t)
	s.post("/lines/modem/gsm0", url.Values{"in": {"queue:help"}})
	w := s.do(ask{method: http.MethodPost, path: "/queues/help/remove", as: access.Installer})
	if w.Code != http.StatusSeeOther {
		t.Fatal(w.Code)
	}
	s.do(ask{method: http.MethodPost, path: "/changes/apply", as: access.Installer})
	if status, body := s.get("/changes?lang=en"); status != http.StatusOK || !strings.Contains(body, "problem.unknown") {
		t.Errorf("%d: the review does not say what is wrong", status)
	}
	if status, body := s.post("/changes/apply?lang=en", nil); status != http.StatusConflict || !strings.Contains(body, "settings.problems") {
		t.Errorf("applying: %d", status)
	}
	if status, _ := s.post("/changes/discard", nil); status != http.StatusSeeOther {
		t.Error(status)
	}
	if _, body := s.get("/changes?lang=en"); !strings.Contains(body, "No change waits") {
		t.Error("the draft is still there")
	}
}

func TestADraftHasAnEnd(t *testing.T) {
	s := office(t)
	for i := range mostSteps {
		if status, _ := s.post("/queues/sales", url.Values{"priority": {[]string{"1", "2"}[i%2]}}); status != http.StatusSeeOther {
			t.Fatalf("step %d: %d", i, status)
		}
	}
	if status, body := s.post("/queues/sales", url.Values{"priority": {"7"}}); status != http.StatusConflict || !strings.Contains(body, "changes.full") {
		t.Errorf("%d", status)
	}
	if _, body := s.get("/changes?lang=en"); strings.Contains(body, page.Said{Sentence: "fault"}.Sentence+"</code>") {
		t.Error("a fault")
	}
}

func TestAPageOfFiveHundredPeopleIsLightAndFindsEach(t *testing.T) {
	s := office(t)
	_, no, err := s.settings.Port().Apply(t.Context(), func(c *config.Config) {
		for i := range 500 {
			id := tel.AgentID(fmt.Sprint("person-", i))
			c.Agents = append(c.Agents, config.Agent{ID: id, Name: fmt.Sprint("Persona Numero ", i), Extension: tel.Number(fmt.Sprint(2000 + i)), Dial: []string{"internal"}})
			c.Queues[0].Agents = append(c.Queues[0].Agents, id)
		}
	}, settings.By{}, "")
	if err != nil || no.Sentence != "" {
		t.Fatal(no, err)
	}
	for _, path := range []string{"/people", "/queues/sales", "/queues", "/queues/new"} {
		_, body := s.get(path)
		var wire bytes.Buffer
		z := gzip.NewWriter(&wire)
		_, _ = z.Write([]byte(body))
		_ = z.Close()
		if wire.Len() > 24<<10 { // with style and icon 30 kB
			t.Errorf("%s is %d bytes gzipped", path, wire.Len())
		}
	}
	if _, body := s.get("/people?q=numero+377&lang=en"); !strings.Contains(body, "Persona Numero 377") || strings.Contains(body, "Persona Numero 376") {
		t.Error("number 377 is not found")
	}
	if _, body := s.get("/people?lang=en"); !strings.Contains(body, "403 more people") {
		t.Error("nothing tells of those who are not shown")
	}
	if _, body := s.get("/people?lang=en&q=" + url.QueryEscape(hostile)); !strings.Contains(body, "Nobody was found") || strings.Contains(body, "<script>alert") {
		t.Error("a script was looked for, and found")
	}
}

// A handler that fails is a page in four parts, and not the end of the program.
func TestAFaultIsSaidInFourParts(t *testing.T) {
	s := office(t)
	s.settings.Fault = true
	status, body := s.get("/lines?lang=en")
	if status != http.StatusInternalServerError || !strings.Contains(body, "It is a fault of the program") || !strings.Contains(body, "GET /lines") {
		t.Errorf("%d %s", status, body)
	}
	w := s.do(ask{method: http.MethodPost, path: "/changes/apply?lang=en", as: access.Owner, header: http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}})
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "does not come from the box&#39;s own page") {
		t.Errorf("a forged request: %d %s", w.Code, w.Body)
	}
}
