package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
)

func TestTheOwnerDecidesAboutUpdates(t *testing.T) {
	s := office(t)
	for path, c := range map[string]struct {
		form url.Values
		to   string
		ask  string
	}{
		"/update/check":    {nil, "checked", "check"},
		"/update/install":  {url.Values{"version": {"1.4.2"}}, "installing", "install 1.4.2"},
		"/update/postpone": {url.Values{"days": {"7"}}, "postponed", "postpone"},
		"/update/settings": {url.Values{"channel": {"beta"}, "from": {"23:30"}, "to": {"04:00"}, "drain": {"15"}, "end": {"on"}}, "saved", "settings"},
		"/update/stick":    {url.Values{"name": {"pronto-1.4.2.update"}}, "given", "stick pronto-1.4.2.update"},
	} {
		s.releases.Asked = nil
		if w := s.overTLS(http.MethodPost, path, c.form); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/update?done="+c.to || !slices.Equal(s.releases.Asked, []string{c.ask}) {
			t.Errorf("%s: %d %s, asked %v", path, w.Code, w.Header().Get("Location"), s.releases.Asked)
		}
	}
	x := s.releases.Stands.Settings
	if x.Auto || x.Channel != "beta" || x.From != 23*60+30 || x.To != 4*60 || x.Drain != 15 || !x.EndCalls || time.Until(x.Postponed) < 6*24*time.Hour || time.Until(x.Postponed) > 8*24*time.Hour {
		t.Errorf("the settings are %+v", x)
	}
	if w := s.overTLS(http.MethodPost, "/update/postpone", url.Values{"days": {"0"}}); w.Code != http.StatusSeeOther || !s.releases.Stands.Settings.Postponed.IsZero() {
		t.Errorf("put off no longer: %d, %v", w.Code, s.releases.Stands.Settings.Postponed)
	}
	if got := s.deeds(); len(got) != 5 || slices.ContainsFunc(got, func(d access.Deed) bool { return d != access.DeedUpdate }) {
		t.Errorf("the audit log says %v", got)
	}
	for role, want := range map[access.Role]int{access.Installer: http.StatusOK, access.Supervisor: http.StatusForbidden, access.Agent: http.StatusForbidden} {
		w := s.do(ask{method: http.MethodGet, path: "/update?lang=en", as: role, tls: true})
		if w.Code != want || strings.Contains(w.Body.String(), `action="/update/`) {
			t.Errorf("%s: %d", role, w.Code)
		}
	}
}

func TestWhatMakesNoSenseOfUpdatesIsRefusedAndNothingIsAsked(t *testing.T) {
	s := office(t)
	good := url.Values{"channel": {"stable"}, "from": {"02:00"}, "to": {"05:00"}, "drain": {"0"}}
	with := func(name, value string) url.Values {
		v := url.Values{}
		for k, x := range good {
			v[k] = x
		}
		v.Set(name, value)
		return v
	}
	for name, c := range map[string]struct {
		path     string
		form     url.Values
		sentence string
	}{
		"an hour that is none":       {"/update/settings", with("from", "25:00"), "update.mistaken"},
		"words in place of an hour":  {"/update/settings", with("to", "midnight"), "update.mistaken"},
		"queues that drain all day":  {"/update/settings", with("drain", "1440"), "update.mistaken"},
		"no number of minutes":       {"/update/settings", with("drain", ""), "update.mistaken"},
		"another channel":            {"/update/settings", with("channel", "../stable"), "update.mistaken"},
		"a year":                     {"/update/postpone", url.Values{"days": {"365"}}, "update.mistaken"},
		"no number of days":          {"/update/postpone", url.Values{"days": {"x"}}, "update.mistaken"},
		"a version of another offer": {"/update/install", url.Values{"version": {"1.4.1"}}, "update.other"},
		"a file that is elsewhere":   {"/update/stick", url.Values{"name": {"../../etc/passwd"}}, "update.bundle"},
	} {
		w := s.overTLS(http.MethodPost, c.path+"?lang=en", c.form)
		if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "<code>"+c.sentence+"</code>") {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if len(s.releases.Asked) != 0 || len(s.deeds()) != 0 {
		t.Errorf("asked %v, told %v", s.releases.Asked, s.deeds())
	}
}

func TestABundleIsPassedOnAndAWrongOneGetsASentence(t *testing.T) {
	s := office(t)
	if w := s.sendFile("/update/bundle", access.Owner, field{"file", settingstest.GoodBundle + strings.Repeat("x", 1<<20)}); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/update?done=given" || s.releases.Taken != 1<<20+4 {
		t.Errorf("%d %s, %d bytes", w.Code, w.Header().Get("Location"), s.releases.Taken)
	}
	for name, c := range map[string]struct {
		fields   []field
		sentence string
	}{
		"a photograph":       {[]field{{"file", "\xff\xd8\xff" + hostile}}, "update.bundle"},
		"nothing":            {[]field{{"file", ""}}, "update.nothing"},
		"a form without one": {[]field{{"other", "x"}}, "update.nothing"},
	} {
		if w := s.sendFile("/update/bundle?lang=en", access.Owner, c.fields...); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "<code>"+c.sentence+"</code>") {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	s.releases.Refuse = settings.Refusal{Sentence: "update.untrusted", Detail: hostile}
	if w := s.sendFile("/update/bundle?lang=en", access.Owner, field{"file", settingstest.GoodBundle}); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "<code>update.untrusted</code>") {
		t.Errorf("one that is not signed: %d", w.Code)
	}
	s.config.Updates.Most = 1 << 20
	var err error
	if s.Handler, err = New(s.config); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "https://pronto.local/update/bundle?lang=en", &endless{})
	r.ContentLength, r.RemoteAddr = 1<<40, inTheOffice
	r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.AddCookie(&http.Cookie{Name: tlsCookie, Value: sealedToken(s.tokens[access.Owner])})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "<code>update.large</code>") || w.Header().Get("Connection") != "close" {
		t.Errorf("one that is too large: %d", w.Code)
	}
	r.ContentLength = -1 // it does not say
	body := &endless{most: 10 << 20}
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.update\"\r\n\r\n"+settingstest.GoodBundle), body))
	w = httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusConflict || body.read > 2<<20 {
		t.Errorf("one without an end: %d after %d bytes", w.Code, body.read)
	}
}

// What is chosen or typed on a page that is asked for again every three seconds would be lost.
func TestAPageOfAnUpdateThatMovesIsAskedForAgain(t *testing.T) {
	s := office(t)
	for _, phase := range []string{"idle", "fetching", "writing", "checking", "waiting", "trying", "kept", "back", "refused"} {
		s.releases.Stands.Phase = phase
		w := s.overTLS(http.MethodGet, "/update?lang=en", nil)
		moves := slices.Contains([]string{"fetching", "writing", "checking", "trying"}, phase)
		if (w.Header().Get("Refresh") != "") != moves || strings.Contains(w.Body.String(), `action="/update/`) == moves {
			t.Errorf("%s: refresh %q", phase, w.Header().Get("Refresh"))
		}
		s.releases.Stands.Trouble = page.Said{Sentence: "update.network"} // it stands, and a stick may help
		w = s.overTLS(http.MethodGet, "/update?lang=en", nil)
		if body := w.Body.String(); w.Header().Get("Refresh") != "" || !strings.Contains(body, `action="/update/bundle`) || strings.Contains(body, `action="/update/install`) == moves {
			t.Errorf("%s with trouble: refresh %q", phase, w.Header().Get("Refresh"))
		}
		s.releases.Stands.Trouble = page.Said{}
	}
}

func TestABoxThatItsSystemUpdatesSaysSo(t *testing.T) {
	s := office(t)
	s.config.Updates = settings.Updates{}
	var err error
	if s.Handler, err = New(s.config); err != nil {
		t.Fatal(err)
	}
	if w := s.overTLS(http.MethodGet, "/update?lang=en", nil); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "that system keeps it up to date") || strings.Contains(w.Body.String(), `action="/update/`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, path := range []string{"check", "install", "postpone", "settings", "seen", "stick"} {
		if w := s.overTLS(http.MethodPost, "/update/"+path+"?lang=en", nil); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "<code>update.off</code>") {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := s.sendFile("/update/bundle?lang=en", access.Owner, field{"file", settingstest.GoodBundle}); w.Code != http.StatusConflict {
		t.Errorf("a bundle: %d", w.Code)
	}
}

// Every word that may come from who installs releases has a sentence in both languages.
func TestEveryStateOfAnUpdateHasItsWords(t *testing.T) {
	s := office(t)
	show := func(what string, change func(*page.UpdateState)) {
		t.Helper()
		for _, lang := range []string{"it", "en"} {
			x := settingstest.Releases("x", at)
			change(&x)
			s.releases.Stands = x
			w := s.overTLS(http.MethodGet, "/update?lang="+lang, nil)
			if body := w.Body.String(); w.Code != http.StatusOK || strings.Contains(body, "⟦") {
				t.Errorf("%s, %s: %d", what, lang, w.Code)
			}
		}
	}
	for _, off := range []string{"vendor", "container", "slots", "system"} {
		show(off, func(x *page.UpdateState) { x.Off = off })
	}
	for _, phase := range []string{"idle", "fetching", "writing", "checking", "waiting", "trying", "kept", "back", "refused"} {
		show(phase, func(x *page.UpdateState) { x.Phase, x.Version, x.Done, x.Total = phase, "1.4.2", 1, 2 })
	}
	for _, waits := range []string{"owner", "turn", "date", "window", "postponed", "calls", "callers", "emergency", "quiet", "exchange", "vendor", "retry"} {
		show(waits, func(x *page.UpdateState) { x.Phase, x.Version, x.WaitsFor, x.Until = "waiting", "1.4.2", waits, at })
	}
	for _, state := range []string{"runs", "trial", "ready", "before", "writing", "empty", ""} {
		show(state, func(x *page.UpdateState) { x.Idle = page.UpdateSlot{State: state}; x.Running.State = "trial" })
	}
	for _, code := range []string{"version", "model", "eeprom", "from", "epoch", "data", "part", "unnamed", "failed"} {
		show(code, func(x *page.UpdateState) { x.Offer.Refused = []page.UpdateRefusal{{Code: code, Detail: "x"}} })
	}
	for _, result := range []string{"kept", "back", "refused"} {
		show(result, func(x *page.UpdateState) {
			x.Last = &page.UpdateOutcome{Version: "1.4.2", Result: result, At: at, Why: page.Said{Sentence: "update.unfit_call", Detail: "x"}}
		})
	}
	for _, severity := range []string{"feature", "bugfix", "security", ""} { // of what was only refused, nothing is known
		show(severity, func(x *page.UpdateState) { x.Offer.Severity, x.Offer.Local = severity, severity == "feature" })
	}
}

func TestWhatTheNotesOfAReleaseSay(t *testing.T) {
	for name, c := range map[string]struct {
		notes map[string]string
		lang  string
		want  string
	}{
		"a list":                           {map[string]string{"it": "- uno\n* due\n\n• tre\n", "en": "x"}, "it", "uno|due|tre"},
		"the other language where one has": {map[string]string{"en": "one"}, "it", "one"},
		"Italian where English is empty":   {map[string]string{"it": "uno", "en": " \n"}, "en", "uno"},
		"nothing":                          {nil, "it", ""},
	} {
		if got := strings.Join(page.UpdateOffer{Notes: c.notes}.Lines(c.lang), "|"); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	for link, want := range map[string]string{"https://pronto.example/x": "https://pronto.example/x", "javascript:alert(1)": "", "http://x": "", "": ""} {
		if got := (page.UpdateOffer{Homepage: link}).Link(); got != want {
			t.Errorf("%q leads to %q", link, got)
		}
	}
}

func TestThePagesOfUpdatesLookAsReviewed(t *testing.T) {
	for _, lang := range []string{"it", "en"} {
		s := office(t)
		see := func(name string) {
			t.Helper()
			look(t, lang, "update-"+name, s.overTLS(http.MethodGet, "/update?lang="+lang, nil).Body.String())
		}
		see("full")
		s.releases.Stands.Offer.Refused = []page.UpdateRefusal{{Code: "model", Detail: hostile}}
		s.releases.Stands.Last = &page.UpdateOutcome{Version: hostile, Result: "back", At: at, Why: page.Said{Sentence: "update.unfit_call", Detail: hostile}}
		s.releases.Stands.Stale, s.releases.Stands.Settings.Auto, s.releases.Stands.Settings.Postponed = true, false, at
		see("back")
		look(t, lang, "update-clear", s.do(ask{method: http.MethodGet, path: "/update?lang=" + lang, as: access.Owner}).Body.String())
		s.releases.Stands = settingstest.Releases(hostile, at)
		s.releases.Stands.Phase, s.releases.Stands.Version, s.releases.Stands.Done, s.releases.Stands.Total = "fetching", "1.4.2", 500_000, 1_340_000
		s.releases.Stands.Idle = page.UpdateSlot{State: "writing"}
		see("moves")
		s.releases.Stands.Trouble = page.Said{Sentence: "update.network", Detail: hostile}
		s.releases.Refuse = settings.Refusal{Sentence: "update.untrusted", Detail: hostile}
		look(t, lang, "update-error", s.sendFile("/update/bundle?lang="+lang, access.Owner, field{"file", settingstest.GoodBundle}).Body.String())
		s.releases.Stands = page.UpdateState{Running: page.UpdateSlot{State: "runs"}, Phase: "idle", Settings: page.UpdateSettings{Auto: true, Channel: "stable"}}
		see("empty")
		s.releases.Stands = page.UpdateState{Away: true}
		see("away")
		s.releases.Stands = page.UpdateState{Off: "vendor"}
		see("off")
	}
}
