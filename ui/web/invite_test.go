package web

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/settings"
)

var inviteLink = regexp.MustCompile(`https://pronto\.local/invite#([A-Z0-9]+)`)

// invites has the owner invite Bruno over HTTPS, and returns the code of the link.
func (s *site) invites(path string, form url.Values) string {
	s.t.Helper()
	w := s.do(ask{method: http.MethodPost, path: path, form: form, as: access.Owner, tls: true})
	m := inviteLink.FindStringSubmatch(w.Body.String())
	if w.Code != http.StatusOK || m == nil {
		s.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return m[1]
}

func TestAnInvitedAgentSetsTheOwnPasswordAndPINOnce(t *testing.T) {
	s := office(t)
	code := s.invites("/people/bruno/invite", nil)
	if _, body := s.get("/users?lang=en"); !strings.Contains(body, "Take back") || strings.Contains(body, code) {
		t.Error("the list of users does not say who is invited, or says with which code")
	}
	if w := s.do(ask{method: http.MethodGet, path: "/invite?lang=en", tls: true}); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "claim.js") {
		t.Errorf("the form: %d", w.Code)
	}
	form := url.Values{"code": {code}, "password": {"un mare di girasoli gialli"}, "pin": {"7412"}}
	w := s.do(ask{method: http.MethodPost, path: "/invite", form: form, tls: true})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/me" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	own := http.Header{"Cookie": {w.Result().Cookies()[0].String()}}
	if w := s.do(ask{method: http.MethodGet, path: "/me?lang=en", header: own, tls: true}); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<h2>bruno</h2>") && !strings.Contains(w.Body.String(), "My work") && !strings.Contains(w.Body.String(), `class="card desk"`) {
		t.Errorf("the own page: %d", w.Code)
	}
	if w := s.do(ask{method: http.MethodGet, path: "/people", header: own, tls: true}); w.Code != http.StatusForbidden {
		t.Errorf("an agent among the people: %d", w.Code)
	}
	if a := s.settings.Port().Current().Agents[1]; a.Calls.PIN != "7412" || s.settings.By[0] != (settings.By{User: "bruno", From: "192.168.1.20"}) {
		t.Errorf("the PIN is %q, by %v", a.Calls.PIN, s.settings.By)
	}
	var deeds []access.Deed
	for _, n := range s.notes {
		deeds = append(deeds, n.What)
	}
	if !slices.Contains(deeds, access.DeedInvited) || !slices.Contains(deeds, access.DeedAccepted) {
		t.Errorf("the audit log: %v", deeds)
	}
	if w := s.do(ask{method: http.MethodPost, path: "/invite?lang=en", form: form, tls: true}); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "invite.gone") {
		t.Errorf("for the second time: %d", w.Code)
	}
	if w := s.do(ask{method: http.MethodPost, path: "/people/bruno/invite?lang=en", as: access.Owner, tls: true}); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "invite.there") {
		t.Errorf("inviting who is there: %d", w.Code)
	}
}

func TestAnInvitationThatIsRefusedChangesNothing(t *testing.T) {
	s := office(t)
	code := s.invites("/users/invite", url.Values{"name": {"Carla"}, "role": {"supervisor"}, "queue": {"sales"}})
	good := "un mare di girasoli gialli"
	for name, c := range map[string]struct {
		ask   ask
		want  int
		words string
	}{
		"from the Internet":   {ask{form: url.Values{"code": {code}, "password": {good}}, from: farAway}, http.StatusForbidden, "door.outside"},
		"a wrong code":        {ask{form: url.Values{"code": {"AAAA"}, "password": {good}}}, http.StatusForbidden, "invite.gone"},
		"markup for a code":   {ask{form: url.Values{"code": {hostile}, "password": {good}}}, http.StatusForbidden, "invite.gone"},
		"a simple password":   {ask{form: url.Values{"code": {code}, "password": {"1234"}}}, http.StatusUnprocessableEntity, "password.short"},
		"another site's form": {ask{form: url.Values{"code": {code}, "password": {good}}, header: http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}}, http.StatusForbidden, "stranger"},
	} {
		t.Run(name, func(t *testing.T) {
			c.ask.method, c.ask.path, c.ask.tls = http.MethodPost, "/invite?lang=en", true
			if w := s.do(c.ask); w.Code != c.want || !strings.Contains(w.Body.String(), c.words) || strings.Contains(w.Body.String(), "<script>alert") {
				t.Errorf("%d, want %d, or without %s", w.Code, c.want, c.words)
			}
		})
	}
	if len(s.accounts.Users()) != len(access.Roles()) || len(s.accounts.Invites()) != 1 {
		t.Error("something was changed")
	}
	for name, c := range map[string]struct {
		form  url.Values
		words string
	}{
		"an owner":                 {url.Values{"name": {"dario"}, "role": {"owner"}}, "user.role_bad"},
		"a name that is none":      {url.Values{"name": {hostile}, "role": {"agent"}}, "user.name_bad"},
		"somebody who is there":    {url.Values{"name": {"anna"}, "role": {"agent"}}, "user.taken"},
		"an agent with a queue":    {url.Values{"name": {"dario"}, "role": {"agent"}, "queue": {"sales"}}, "user.queues_bad"},
		"a queue that is not here": {url.Values{"name": {"dario"}, "role": {"supervisor"}, "queue": {"none"}}, "user.queues_bad"},
	} {
		w := s.do(ask{method: http.MethodPost, path: "/users/invite?lang=en", form: c.form, as: access.Owner, tls: true})
		if w.Code < 400 || !strings.Contains(w.Body.String(), c.words) || strings.Contains(w.Body.String(), "<script>alert") {
			t.Errorf("%s: %d, or without %s", name, w.Code, c.words)
		}
	}
	if w := s.do(ask{method: http.MethodPost, path: "/people/bruno/invite?lang=en", as: access.Owner}); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "<code>insecure</code>") || len(s.accounts.Invites()) != 1 {
		t.Errorf("in the clear: %d", w.Code)
	}
	if w := s.do(ask{method: http.MethodPost, path: "/people/none/invite", as: access.Owner, tls: true}); w.Code != http.StatusNotFound {
		t.Errorf("who is none: %d", w.Code)
	}
	if w := s.do(ask{method: http.MethodGet, path: "/people/bruno?lang=en", as: access.Installer}); strings.Contains(w.Body.String(), "/invite") {
		t.Error("an installer is offered what only owners may")
	}
	if status, _ := s.post("/invites/carla/end", nil); status != http.StatusSeeOther || len(s.accounts.Invites()) != 0 {
		t.Errorf("taking it back: %d", status)
	}
}

func TestABadPINIsRefusedBeforeTheInvitationIsUsed(t *testing.T) {
	s := office(t)
	code := s.invites("/people/bruno/invite", nil)
	for _, pin := range []string{"1", "abcd", hostile, "12345678901234567890"} {
		form := url.Values{"code": {code}, "password": {"un mare di girasoli gialli"}, "pin": {pin}}
		if w := s.do(ask{method: http.MethodPost, path: "/invite?lang=en", form: form, tls: true}); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "invite.pin_bad") {
			t.Errorf("%q: %d", pin, w.Code)
		}
	}
	s.settings.Refuse = settings.Refusal{Sentence: "settings.disk"}
	form := url.Values{"code": {code}, "password": {"un mare di girasoli gialli"}, "pin": {"7412"}}
	w := s.do(ask{method: http.MethodPost, path: "/invite?lang=en", form: form, tls: true})
	if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "invite.pin_later") || len(w.Result().Cookies()) != 1 {
		t.Errorf("a configuration that cannot be changed: %d", w.Code)
	}
}

func TestPagesOfInvitationsLookAsReviewed(t *testing.T) {
	for _, lang := range []string{"it", "en"} {
		s := office(t)
		w := s.do(ask{method: http.MethodPost, path: "/people/bruno/invite?lang=" + lang, as: access.Owner, tls: true})
		body := regexp.MustCompile(`invite#[A-Z0-9]+`).ReplaceAllString(w.Body.String(), "invite#CODE")
		look(t, lang, "invitation", regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d`).ReplaceAllString(body, "UNTIL"))
		look(t, lang, "invite", s.do(ask{method: http.MethodGet, path: "/invite?lang=" + lang, tls: true}).Body.String())
		look(t, lang, "invite-gone", s.do(ask{method: http.MethodPost, path: "/invite?lang=" + lang, form: url.Values{"code": {hostile}}, tls: true}).Body.String())
	}
}
