package web

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
)

// paths gives a request for every route.
func paths(s *server) (all []struct {
	route
	method, path string
},
) {
	for _, r := range s.routes() {
		method, path := settingstest.Path(r.pattern)
		all = append(all, struct {
			route
			method, path string
		}{r, method, path})
	}
	return all
}

// Over every route that there is: who has no right gets none of it, and who has it is not stopped.
func TestEveryRouteIsForThoseWhoMay(t *testing.T) {
	hub := newHub(t, emptyOffice)
	matrix := map[access.Right]string{
		access.Anybody: "owner installer supervisor agent reader nobody", access.See: "owner installer supervisor agent reader", access.Own: "owner",
		access.Work: "owner supervisor agent", access.Configure: "owner installer",
		access.Supervise: "owner installer supervisor", access.Know: "owner installer supervisor agent",
	}
	for _, r := range paths(&server{}) {
		if r.path == "/signout" || strings.HasSuffix(r.path, "/live") { // ends the session; does not end. Both have tests of their own
			continue
		}
		may, known := matrix[r.right]
		if !known {
			t.Fatalf("%s demands %q, of which this test knows nothing", r.pattern, r.right)
		}
		s := owned(t, hub)
		for _, role := range append(access.Roles(), "nobody") {
			a := ask{method: r.method, path: r.path, as: role}
			if role == "nobody" {
				a.as = ""
			}
			w := s.do(a)
			stopped := w.Code == http.StatusUnauthorized ||
				w.Code == http.StatusForbidden && strings.Contains(w.Body.String(), "non spetta al vostro ruolo") ||
				w.Code == http.StatusSeeOther && strings.HasPrefix(w.Header().Get("Location"), "/signin?to=")
			if want := !slices.Contains(strings.Fields(may), string(role)); stopped != want {
				t.Errorf("%s as %s: %d %s, stopped %v, want %v", r.pattern, role, w.Code, w.Header().Get("Location"), stopped, want)
			}
		}
	}
}

func TestABoxWithoutAnOwnerShowsOnlyItsDoor(t *testing.T) {
	s := newSite(t, newHub(t, emptyOffice))
	for _, r := range paths(&server{}) {
		w := s.do(ask{method: r.method, path: r.path})
		open := r.right == access.Anybody
		if got := w.Code == http.StatusSeeOther && w.Header().Get("Location") == "/claim"; r.method == http.MethodGet && !open && !got {
			t.Errorf("%s: %d to %q", r.pattern, w.Code, w.Header().Get("Location"))
		}
		if r.method == http.MethodPost && !open && w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", r.pattern, w.Code)
		}
	}
	form := url.Values{"code": {s.accounts.Code().String()}, "name": {"Anna"}, "password": {goodPassword}}
	if w := s.do(ask{method: http.MethodPost, path: "/claim", form: form, from: farAway}); w.Code != http.StatusForbidden || s.accounts.Claimed() {
		t.Fatalf("claimed from the Internet: %d", w.Code)
	}
	w := s.do(ask{method: http.MethodPost, path: "/claim", form: form})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" {
		t.Fatalf("the claim: %d %s", w.Code, w.Body)
	}
	c := w.Result().Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Secure {
		t.Errorf("the cookie is %+v", c)
	}
	s.tokens[access.Owner] = c.Value
	if w := s.do(ask{method: http.MethodGet, path: "/", as: access.Owner}); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "anna") {
		t.Fatalf("the page after it: %d", w.Code)
	}
	if w := s.do(ask{method: http.MethodGet, path: "/claim"}); w.Header().Get("Location") != "/signin" {
		t.Errorf("the door of an owned box: %d %s", w.Code, w.Header().Get("Location"))
	}
	if w := s.do(ask{method: http.MethodPost, path: "/claim", form: form}); w.Code != http.StatusConflict {
		t.Errorf("claiming again: %d", w.Code)
	}
}

func TestSigningInGoesOnWhereOneWantedToBe(t *testing.T) {
	s := owned(t, newHub(t, emptyOffice))
	w := s.do(ask{method: http.MethodGet, path: "/codes?lang=en"})
	if to := w.Header().Get("Location"); to != "/signin?to=%2Fcodes%3Flang%3Den&lang=en" {
		t.Fatalf("sent to %s", to)
	}
	for to, want := range map[string]string{
		"/codes?lang=en": "/codes?lang=en", "": "/", "https://evil.example/": "/", "//evil.example/x": "/", `/\evil.example`: "/", "/signin": "/", "javascript:alert(1)": "/",
	} {
		form := url.Values{"name": {"anna"}, "password": {goodPassword}, "to": {to}}
		w := s.do(ask{method: http.MethodPost, path: "/signin", form: form})
		if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != want {
			t.Errorf("to %q: %d %q, want %q", to, w.Code, got, want)
		}
	}
	w = s.do(ask{method: http.MethodPost, path: "/signin", form: url.Values{"name": {"anna"}, "password": {goodPassword}}, from: farAway})
	if w.Code != http.StatusForbidden || len(w.Result().Cookies()) > 0 {
		t.Errorf("in the clear through the Internet: %d", w.Code)
	}
}

func TestWrongPasswordsAreToldHowLongToWait(t *testing.T) {
	s := owned(t, newHub(t, emptyOffice))
	var w *httptest.ResponseRecorder
	for range 4 {
		w = s.do(ask{method: http.MethodPost, path: "/signin?lang=en", form: url.Values{"name": {"anna"}, "password": {"wrong"}}, from: "192.168.1.99:4"})
	}
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "Try again in 1 seconds") {
		t.Errorf("%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
}

func TestRequestsThatTheBoxesOwnPageDidNotMakeChangeNothing(t *testing.T) {
	s := owned(t, newHub(t, emptyOffice))
	form := url.Values{"name": {"eve"}, "role": {"owner"}, "password": {goodPassword}}
	for what, h := range map[string]http.Header{
		"a page abroad":                      {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}},
		"another port of the same host":      {"Sec-Fetch-Site": {"same-site"}, "Origin": {"http://pronto.local:9999"}},
		"an old browser, from abroad":        {"Sec-Fetch-Site": nil, "Origin": {"https://evil.example"}},
		"an old browser, from a sister port": {"Sec-Fetch-Site": nil, "Origin": {"http://pronto.local:9999"}},
		"something that is no browser":       {"Sec-Fetch-Site": nil, "Origin": nil},
		"a page without an origin":           {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"null"}},
	} {
		if w := s.do(ask{method: http.MethodPost, path: "/users", form: form, as: access.Owner, header: h}); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", what, w.Code)
		}
	}
	if len(s.accounts.Users()) != len(access.Roles()) {
		t.Fatal("somebody was added")
	}
	if w := s.do(ask{method: http.MethodGet, path: "/users/agent/remove", as: access.Owner}); w.Code != http.StatusNotFound || len(s.accounts.Users()) != len(access.Roles()) {
		t.Errorf("a change by GET: %d", w.Code)
	}
}

func TestPeopleAreAddedGivenPasswordsAndRemoved(t *testing.T) {
	s := owned(t, newHub(t, emptyOffice))
	post := func(path string, form url.Values) *httptest.ResponseRecorder {
		return s.do(ask{method: http.MethodPost, path: path, form: form, as: access.Owner, tls: true})
	}
	if w := post("/users", url.Values{"name": {"bruno"}, "role": {"agent"}, "agent": {"anna"}, "password": {goodPassword}}); w.Code != http.StatusSeeOther {
		t.Fatalf("adding: %d %s", w.Code, w.Body)
	}
	for name, form := range map[string]url.Values{
		"a queue that does not exist":    {"name": {"carla"}, "role": {"supervisor"}, "queue": {"sales", "none"}, "password": {goodPassword}},
		"a queue of who supervises none": {"name": {"carla"}, "role": {"agent"}, "queue": {"sales"}, "password": {goodPassword}},
	} {
		if w := post("/users", form); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `value="carla"`) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := post("/users", url.Values{"name": {"carla"}, "role": {"supervisor"}, "queue": {"help"}, "password": {goodPassword}}); w.Code != http.StatusSeeOther {
		t.Fatalf("adding a supervisor of one queue: %d %s", w.Code, w.Body)
	}
	for _, u := range s.accounts.Users() {
		if u.Name == "carla" && (!u.Supervises("help") || u.Supervises("sales")) {
			t.Errorf("she supervises %v", u.Queues)
		}
	}
	if w := s.do(ask{method: http.MethodGet, path: "/users?lang=en", as: access.Owner, tls: true}); !strings.Contains(w.Body.String(), "<small>Aiuto</small>") {
		t.Errorf("the list does not say whom she supervises:\n%s", w.Body)
	}
	supervisor := func(queues ...string) url.Values { return url.Values{"role": {"supervisor"}, "queue": queues} }
	for _, c := range []struct {
		name, of string
		form     url.Values
		want     int
		then     []tel.QueueID // that carla supervises
	}{
		{"another queue", "carla", supervisor("sales"), http.StatusSeeOther, []tel.QueueID{"sales"}},
		{"a queue that does not exist", "carla", supervisor("none"), http.StatusUnprocessableEntity, []tel.QueueID{"sales"}},
		{"a role that does not exist", "carla", url.Values{"role": {"king"}}, http.StatusUnprocessableEntity, []tel.QueueID{"sales"}},
		{"a person who does not exist", "zoe", supervisor(), http.StatusNotFound, []tel.QueueID{"sales"}},
		{"every queue", "carla", supervisor(), http.StatusSeeOther, nil},
		{"the only owner steps down", "anna", supervisor(), http.StatusConflict, nil},
		{"two queues", "carla", supervisor("sales", "help"), http.StatusSeeOther, []tel.QueueID{"sales", "help"}},
		{"no supervisor any more, the queues still chosen", "carla", url.Values{"role": {"agent"}, "agent": {"anna"}, "queue": {"help"}}, http.StatusSeeOther, nil},
	} {
		if w := post("/users/"+c.of+"/role", c.form); w.Code != c.want {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
		for _, u := range s.accounts.Users() {
			if u.Name == "carla" && !slices.Equal(u.Queues, c.then) {
				t.Errorf("%s: she supervises %v", c.name, u.Queues)
			}
		}
	}
	if w := s.do(ask{method: http.MethodPost, path: "/users/bruno/role", form: supervisor(), as: access.Supervisor}); w.Code != http.StatusForbidden {
		t.Errorf("a supervisor makes supervisors: %d", w.Code)
	}
	if w := post("/users/carla/remove", nil); w.Code != http.StatusSeeOther {
		t.Errorf("removing her: %d", w.Code)
	}
	if w := post("/users", url.Values{"name": {`<script>alert(1)</script>`}, "role": {"agent"}, "password": {goodPassword}}); w.Code != http.StatusUnprocessableEntity || strings.Contains(w.Body.String(), "<script>alert") {
		t.Errorf("a script for a name: %d", w.Code)
	}
	if w := post("/users/bruno/password", url.Values{"password": {"short"}}); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("a short password: %d", w.Code)
	}
	if w := post("/users/bruno/password", url.Values{"password": {"tre civette sul comò"}}); w.Code != http.StatusSeeOther {
		t.Errorf("a password: %d", w.Code)
	}
	if w := s.do(ask{method: http.MethodPost, path: "/signin", form: url.Values{"name": {"bruno"}, "password": {"tre civette sul comò"}}}); w.Code != http.StatusSeeOther {
		t.Errorf("signing in with it: %d", w.Code)
	}
	if w := post("/users/anna/remove", nil); w.Code != http.StatusConflict {
		t.Errorf("the only owner: %d", w.Code)
	}
	if w := post("/users/bruno/remove", nil); w.Code != http.StatusSeeOther || len(s.accounts.Users()) != len(access.Roles()) {
		t.Errorf("removing: %d", w.Code)
	}
	if w := post("/users", url.Values{"name": {strings.Repeat("x", formLimit)}}); w.Code != http.StatusBadRequest {
		t.Errorf("a form without end: %d", w.Code)
	}
}

func TestOnesOwnPasswordNeedsTheOldOne(t *testing.T) {
	s := owned(t, newHub(t, emptyOffice))
	change := func(old string) int {
		form := url.Values{"old": {old}, "password": {"tre civette sul comò"}}
		return s.do(ask{method: http.MethodPost, path: "/me/password", form: form, as: access.Agent, tls: true}).Code
	}
	if got := change("wrong"); got != http.StatusForbidden {
		t.Errorf("with a wrong one: %d", got)
	}
	if got := change(goodPassword); got != http.StatusSeeOther {
		t.Errorf("with the right one: %d", got)
	}
	if w := s.do(ask{method: http.MethodGet, path: "/me", as: access.Agent, tls: true}); w.Code != http.StatusOK {
		t.Errorf("the session that changed it: %d", w.Code)
	}
}

func TestAgentsWorkByTheButtonsOfTheirOwnPage(t *testing.T) {
	s := owned(t, newHub(t, emptyOffice))
	press := func(as access.Role, do, with string) int {
		return s.do(ask{method: http.MethodPost, path: "/me/work", form: url.Values{"do": {do}, "with": {with}}, as: as}).Code
	}
	if got := press(access.Agent, "pause", "Pranzo"); got != http.StatusSeeOther {
		t.Errorf("a pause: %d", got)
	}
	if len(s.commands) != 1 || s.commands[0] != "anna pause Pranzo" {
		t.Errorf("commands %q", s.commands)
	}
	s.refusal = errors.New("the agent is not paused")
	if got := press(access.Agent, "resume", ""); got != http.StatusConflict {
		t.Errorf("what is refused: %d", got)
	}
	if got := press(access.Owner, "pause", ""); got != http.StatusNotFound {
		t.Errorf("who answers no calls: %d", got)
	}
	if got := press(access.Reader, "pause", ""); got != http.StatusForbidden {
		t.Errorf("who may only look: %d", got)
	}
	if w := s.do(ask{method: http.MethodGet, path: "/me?lang=en", as: access.Agent}); !strings.Contains(w.Body.String(), "My work") {
		t.Errorf("the own page has no buttons:\n%s", w.Body)
	}
}

func TestWhoSignsOutIsOut(t *testing.T) {
	s := owned(t, newHub(t, emptyOffice))
	w := s.do(ask{method: http.MethodPost, path: "/signout", as: access.Agent})
	if w.Code != http.StatusSeeOther || w.Result().Cookies()[0].MaxAge >= 0 {
		t.Fatalf("%d %v", w.Code, w.Result().Cookies())
	}
	if w := s.do(ask{method: http.MethodGet, path: "/", as: access.Agent}); w.Code != http.StatusSeeOther {
		t.Fatalf("the page: %d", w.Code)
	}
}

func TestTheDoorsLookAsReviewed(t *testing.T) {
	who := page.Reader{Name: "anna", Role: access.Owner, Path: "/users"}
	users := []access.User{{Name: "anna", Role: access.Owner}, {Name: "bruno", Role: access.Agent, Agent: "b", Secret: "***"}}
	sessions := []access.Session{{From: "192.168.1.20", Browser: hostile, Created: at, Seen: at}}
	wrong := page.Said{Sentence: "door.too_soon", Args: []any{7}}
	all := spoken(t)
	for _, lang := range i18n.Languages() {
		r := all[lang]
		for name, render := range map[string]func() ([]byte, error){
			"claim": func() ([]byte, error) {
				return r.Claim(page.Door{Box: "Bottega", MinPassword: 10, Private: "https://192.168.1.40:8443/claim?lang=en"}, at)
			},
			"signin": func() ([]byte, error) {
				return r.SignIn(page.Door{Box: "Bottega", Said: wrong, Name: hostile, To: hostile}, at)
			},
			"users": func() ([]byte, error) {
				return r.Users(page.Users{Box: "Bottega", Reader: who, Users: users, Roles: access.Roles(), People: []page.Person{{ID: "b", Name: hostile}}, Queues: []page.Choice{{ID: "sales", Name: hostile}}, MinPassword: 10}, at)
			},
			"me": func() ([]byte, error) {
				return r.Me(page.Me{Box: "Bottega", Reader: who, MinPassword: 10, OneTime: lang == "en", Sessions: sessions}, at)
			},
			"onetime": func() ([]byte, error) { return r.OneTime(page.Door{Box: "Bottega", Half: hostile, To: "/"}, at) },
			"begun": func() ([]byte, error) {
				return r.Begun(page.Begun{Box: "Bottega", Reader: who, Secret: "JBSWY3DPEHPK3PXP"}, at)
			},
			"spare": func() ([]byte, error) {
				return r.Spare(page.Spare{Box: "Bottega", Reader: who, Codes: []string{"ABCD-EFGH"}}, at)
			},
			"me-paused": func() ([]byte, error) {
				return ownWork(r.Me(page.Me{Box: "Bottega", Reader: who, Desk: &page.Desk{
					Name: hostile, State: tel.AgentPaused, Since: at, Reason: "forced", By: hostile, Help: true, Reasons: []string{"Pranzo", hostile},
					Queues: []page.DeskQueue{{ID: "sales", Name: hostile, Serving: true}, {ID: "help", Name: "Aiuto"}},
					Tape:   page.Tape{Action: "/me/work", On: true, Paused: true},
				}}, at))
			},
			"me-wrapup": func() ([]byte, error) {
				return ownWork(r.Me(page.Me{Box: "Bottega", Reader: who, Desk: &page.Desk{State: tel.AgentWrapUp, Since: at, Dispositions: []string{"Venduto", hostile}, Disposed: "Venduto"}}, at))
			},
			"me-out": func() ([]byte, error) {
				return ownWork(r.Me(page.Me{Box: "Bottega", Reader: who, Desk: &page.Desk{State: tel.AgentLoggedOut, Reason: "shift_end"}}, at))
			},
			"refusal": func() ([]byte, error) {
				return r.Refusal(page.Refusal{Box: "Bottega", Reader: who, Said: page.Said{Sentence: "denied"}}, at)
			},
		} {
			t.Run(lang+" "+name, func(t *testing.T) {
				reviewed(t, lang+"-"+name, render)
			})
		}
	}
}

// ownWork is what the own page has more than that of somebody who answers no calls.
func ownWork(html []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	begin, end := bytes.Index(html, []byte("<section")), bytes.Index(html, []byte("</section>"))
	if begin < 0 || end < begin {
		return nil, fmt.Errorf("no work on the own page:\n%s", html)
	}
	return append(html[begin:end], "</section>\n"...), nil
}

func TestEveryRefusalHasASentence(t *testing.T) {
	for _, err := range []error{
		access.ErrClaimed, access.ErrUnclaimed, access.ErrClosed, access.ErrOutside, access.ErrCode, access.ErrWrong, access.ErrBusy, access.ErrName, access.ErrTaken,
		access.ErrNobody, access.ErrLastOwner, access.ErrRole, access.ErrFull, access.ErrShort, access.ErrLong, access.ErrSimple,
		access.TooSoonError{Wait: time.Second},
	} {
		sentence, _, status := problem(err)
		for _, lang := range i18n.Languages() {
			cat, _ := i18n.Load(lang)
			if !cat.Has(sentence) || status < 400 || status == http.StatusInternalServerError {
				t.Errorf("%v: %q, %d", err, sentence, status)
			}
		}
	}
}

func TestAnOwnerWhoWantsHTTPSIsObeyed(t *testing.T) {
	s := owned(t, newHub(t, emptyOffice))
	s.strict = true
	for _, r := range paths(&server{}) {
		if r.path == "/live" {
			continue // does not end where it is let through; see below
		}
		w := s.do(ask{method: r.method, path: r.path, as: access.Owner})
		sent := w.Code == http.StatusSeeOther && strings.HasPrefix(w.Header().Get("Location"), "https://pronto.local:8443/")
		clear := slices.Contains([]string{"/claim", "/healthz", "/asset/pronto.css"}, r.path)
		if sent == clear {
			t.Errorf("%s in the clear: %d to %q", r.pattern, w.Code, w.Header().Get("Location"))
		}
	}
	if w := s.do(ask{method: http.MethodGet, path: "/live", as: access.Owner}); w.Code != http.StatusSeeOther {
		t.Errorf("the stream in the clear: %d", w.Code)
	}
	form := url.Values{"name": {"anna"}, "password": {goodPassword}}
	w := s.do(ask{method: http.MethodPost, path: "/signin", form: form, tls: true, from: farAway})
	if w.Code != http.StatusSeeOther {
		t.Fatalf("over HTTPS from home: %d", w.Code)
	}
	c := w.Result().Cookies()[0]
	if c.Name != tlsCookie || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("the cookie is %+v", c)
	}
	for name, x := range map[string]struct {
		cookie http.Cookie
		want   int
	}{
		"its own": {http.Cookie{Name: tlsCookie, Value: c.Value}, http.StatusOK},
		"planted from the same host in the clear": {http.Cookie{Name: plainCookie, Value: c.Value}, http.StatusSeeOther},
		"read in the clear, brought to HTTPS":     {http.Cookie{Name: tlsCookie, Value: s.tokens[access.Owner]}, http.StatusSeeOther},
	} {
		r := httptest.NewRequest(http.MethodGet, "https://pronto.local/", nil)
		r.Header.Set("Accept", "text/html")
		r.AddCookie(&x.cookie)
		got := httptest.NewRecorder()
		if s.ServeHTTP(got, r); got.Code != x.want {
			t.Errorf("a session that is %s: %d", name, got.Code)
		}
	}
}

func TestOneTimeCodesFromTheirBeginToTheirEnd(t *testing.T) {
	s := owned(t, newHub(t, emptyOffice))
	get := func(path string) *httptest.ResponseRecorder {
		return s.do(ask{method: http.MethodGet, path: path, as: access.Agent, tls: true})
	}
	post := func(path string, as access.Role, form url.Values) *httptest.ResponseRecorder {
		return s.do(ask{method: http.MethodPost, path: path, form: form, as: as, tls: true})
	}
	for _, path := range []string{"/me/code", "/me/code.png"} { // a secret is not told in the clear
		if w := s.do(ask{method: http.MethodGet, path: path, as: access.Agent}); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "https://pronto.local:8443"+path {
			t.Errorf("%s in the clear: %d to %q", path, w.Code, w.Header().Get("Location"))
		}
	}
	shown := regexp.MustCompile(`<code>(\w+)</code>`).FindStringSubmatch(get("/me/code").Body.String())
	if shown == nil || get("/me/code.png").Header().Get("Content-Type") != "image/png" {
		t.Fatal("no secret is shown")
	}
	now, err := totp.GenerateCode(shown[1], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w := post("/me/code", access.Agent, url.Values{"code": {now}})
	spare := regexp.MustCompile(`<code>([A-Z2-7]{4}-[A-Z2-7]{4})</code>`).FindStringSubmatch(w.Body.String())
	if w.Code != http.StatusOK || spare == nil {
		t.Fatalf("confirming: %d", w.Code)
	}
	w = post("/signin", "", url.Values{"name": {"agent"}, "password": {goodPassword}, "to": {"/codes"}})
	half := regexp.MustCompile(`name="half" value="(\w+)"`).FindStringSubmatch(w.Body.String())
	if w.Code != http.StatusOK || half == nil || len(w.Result().Cookies()) > 0 {
		t.Fatalf("the password: %d, %d cookies", w.Code, len(w.Result().Cookies()))
	}
	if w := post("/signin/code", "", url.Values{"half": half[1:], "code": {now}, "to": {"/codes"}}); w.Code != http.StatusForbidden {
		t.Errorf("a used code: %d", w.Code)
	}
	if w := post("/signin/code", "", url.Values{"half": half[1:], "code": spare[1:], "to": {"/codes"}}); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/codes" {
		t.Errorf("a spare code: %d %s", w.Code, w.Header().Get("Location"))
	}
	if w := post("/me/code/stop", access.Agent, url.Values{"old": {"wrong"}}); w.Code != http.StatusForbidden {
		t.Errorf("stopping without the password: %d", w.Code)
	}
	if w := post("/users/agent/code/stop", access.Owner, nil); w.Code != http.StatusSeeOther {
		t.Errorf("the owner helps: %d", w.Code)
	}
	if w := post("/signin", "", url.Values{"name": {"agent"}, "password": {goodPassword}}); w.Code != http.StatusSeeOther {
		t.Errorf("without a code: %d", w.Code)
	}
}
