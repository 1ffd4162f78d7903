package web

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/setup"
)

// inTheClear is what may be done over plain HTTP by what changes something, or demands what is the owner's, or nobody's
// name: all the other routes show and change what a person of the office does every day, while the owner allows it.
func inTheClear() map[string]Clear {
	return map[string]Clear{
		// One's own door. A new password, key or code is a right for good.
		"POST /me/password": Never, "GET /me/code": Never, "GET /me/code.png": Never, "POST /me/code": Never, "POST /me/code/stop": Never,
		"POST /me/passkey/begin": Never, "POST /me/passkey": Never, "POST /me/passkey/remove": Never,
		// Other people's.
		"GET /users": WhileAllowed, "POST /users": Never, "POST /users/invite": Never, "POST /invites/{name}/end": Never, "POST /people/{id}/invite": Never,
		"POST /users/{name}/role": Never, "POST /users/{name}/password": Never, "POST /users/{name}/code/stop": Never, "POST /users/{name}/remove": Never,
		"GET /invite": Never, "POST /invite": Never,
		// Whom the box trusts, and with what.
		"GET /security": WhileAllowed, "POST /security": Never, "GET /certificate": WhileAllowed, "POST /certificate": Never, "POST /certificate/undo": Never,
		"POST /certificate/withdraw": Never, "GET /reset": WhileAllowed, "POST /reset": Never, "GET /erasures": WhileAllowed, "POST /erasures": Never,
		// What the box runs.
		"POST /update/check": Never, "POST /update/install": Never, "POST /update/postpone": Never, "POST /update/settings": Never, "POST /update/seen": Never,
		"POST /update/stick": Never, "POST /update/bundle": Never,
		// Keys and all that they open.
		"GET /backup": WhileAllowed, "POST /backup/place": Never, "POST /backup/now": Never, "GET /backup/copy/{name}": Never, "POST /backup/kit": Never,
		"POST /backup/kit/confirm": Never, "GET /backup/restore": WhileAllowed, "POST /backup/restore": Never, "POST /backup/restore/lines": Never,
		"POST /backup/restore/forget": Never, "POST /backup/restore/start": Never, "GET /restore": WhileAllowed, "POST /restore": Never,
		"POST /restore/lines": Never, "POST /restore/forget": Never, "POST /restore/start": Never,
		// What people say now, and at whose cost.
		"GET /phone/ready/live": Never, "POST /phone/dial": Never, "POST /phone/calls/{call}": Never, "POST /phone/calls/{call}/offer": Never,
		// What people have said.
		"GET /traces": WhileAllowed, "POST /traces": Never, "POST /traces/stop": WhileAllowed, "POST /traces/delete": WhileAllowed, "GET /calls/{call}/rtp.pcapng": Never,
		"GET /recordings/{id}/sound": Never, "POST /recordings/{id}/hold": Never, "POST /recordings/{id}/release": Never, "POST /recordings/{id}/delete": Never,
		// The doors of those who are not known yet.
		"GET /claim": Always, "POST /claim": Always, "GET /healthz": Always, "GET /asset/": Always, "GET /": WhileAllowed,
		"GET /signin": WhileAllowed, "POST /signin": WhileAllowed, "POST /signin/code": WhileAllowed, "POST /signin/passkey/begin": WhileAllowed,
		"POST /signin/passkey": WhileAllowed, "POST /signout": WhileAllowed, "GET /network/confirm": WhileAllowed, "POST /network/confirm": WhileAllowed,
	}
}

func TestEveryRouteSaysWhatItAllowsInTheClear(t *testing.T) {
	judged := inTheClear()
	for _, r := range Routes() {
		want, ok := judged[r.Pattern]
		delete(judged, r.Pattern)
		sensitive := r.Right == access.Own || r.Right == access.Anybody || strings.HasPrefix(r.Pattern, "POST /me/") && r.Right == access.See
		switch {
		case !ok && sensitive:
			t.Errorf("nobody has judged whether %s may be used over plain HTTP", r.Pattern)
		case !ok && r.Clear != WhileAllowed, ok && r.Clear != want:
			t.Errorf("%s over plain HTTP: %s, want %s", r.Pattern, r.Clear, want)
		}
	}
	if len(judged) > 0 {
		t.Errorf("no routes any more: %v", slices.Sorted(maps.Keys(judged)))
	}
}

// held is what a thief would be after.
func held(s *site) (all []string) {
	for _, u := range s.accounts.Users() {
		all = append(all, u.Name+" "+string(u.Role)+" "+u.Password+" "+u.Secret)
	}
	for _, i := range s.accounts.Invites() {
		all = append(all, "invited "+i.Name)
	}
	return all
}

func TestASessionReadInTheClearGivesNoRightsAndRevealsNothing(t *testing.T) {
	hub := newHub(t, emptyOffice)
	form := url.Values{
		"name": {"eve"}, "role": {"owner"}, "password": {goodPassword + " 2"}, "old": {goodPassword}, "plain": {"off"}, "typed": {"Bottega"}, "code": {"123456"},
		"to": {"/media/eve"}, "label": {"eve"},
	}
	stopped := func(w *httptest.ResponseRecorder) bool {
		return w.Code == http.StatusForbidden && strings.Contains(w.Body.String(), "<code>insecure</code>")
	}
	for _, r := range paths(&server{}) {
		if r.clear != Never {
			continue
		}
		s := owned(t, hub)
		before := held(s)
		w := s.do(ask{method: r.method, path: r.path, form: form, as: access.Owner})
		if r.method == http.MethodGet {
			if to := w.Header().Get("Location"); w.Code != http.StatusSeeOther || !strings.HasPrefix(to, "https://pronto.local:8443"+r.path) {
				t.Errorf("%s: %d %s", r.pattern, w.Code, to)
			}
		} else if !stopped(w) {
			t.Errorf("%s: %d", r.pattern, w.Code)
		}
		if now := held(s); !slices.Equal(now, before) || s.erased > 0 || len(s.settings.By) > 0 || s.backups.Starts > 0 || s.backups.Carried {
			t.Errorf("%s has changed something: %v", r.pattern, now)
		}
		for how, a := range map[string]ask{
			"over HTTPS":        {method: r.method, path: r.path, form: form, as: access.Owner, tls: true},
			"at the box itself": {method: r.method, path: r.path, form: form, as: access.Owner, from: "127.0.0.1:51000"},
		} {
			if w := owned(t, hub).do(a); stopped(w) || strings.HasPrefix(w.Header().Get("Location"), "https:") {
				t.Errorf("%s %s: %d", r.pattern, how, w.Code)
			}
		}
	}
}

func TestWhereThereIsNoHTTPSAtAllRightsAreGivenAtTheBoxItself(t *testing.T) {
	s := owned(t, newHub(t, emptyOffice))
	s.config.TLSPort = 0
	var err error
	if s.Handler, err = New(s.config); err != nil {
		t.Fatal(err)
	}
	eve := ask{method: http.MethodPost, path: "/users", form: url.Values{"name": {"eve"}, "role": {"owner"}, "password": {goodPassword}}, as: access.Owner}
	if w := s.do(eve); w.Code != http.StatusForbidden || len(s.accounts.Users()) != len(access.Roles()) {
		t.Errorf("through the network: %d", w.Code)
	}
	if w := s.do(ask{method: http.MethodGet, path: "/me/code", as: access.Owner}); w.Code != http.StatusForbidden {
		t.Errorf("a secret through the network: %d", w.Code)
	}
	eve.from = "127.0.0.1:51000"
	if w := s.do(eve); w.Code != http.StatusSeeOther || len(s.accounts.Users()) != len(access.Roles())+1 {
		t.Errorf("at the box itself: %d", w.Code)
	}
}

// doings are where the forms of a page post to.
var doings = regexp.MustCompile(`<form[^>]* method="post"[^>]* action="([^"?]*)|<form[^>]* action="([^"?]*)[^>]* method="post"|formaction="([^"?]*)`)

// TestNoPageInTheClearOffersWhatWouldBeRefusedThere opens every page with a path, each step of the set-up, and what a
// person, a recording and an invitation bring about, and looks where each form and button would post to.
func TestNoPageInTheClearOffersWhatWouldBeRefusedThere(t *testing.T) {
	s := office(t)
	s.proof.Stands.Kind, s.backups.Stands.Kit = "own", at
	if _, err := s.accounts.Invite("owner", "dario", access.Agent, "anna", nil, access.Visitor{LAN: true}); err != nil {
		t.Fatal(err)
	}
	routes, clear := http.NewServeMux(), map[string]Clear{}
	for _, r := range Routes() {
		routes.Handle(r.Pattern, http.NotFoundHandler())
		clear[r.Pattern] = r.Clear
	}
	open := []string{"/queues/new", "/people/new", "/people/bruno"}
	for _, r := range paths(&server{}) {
		if r.method == http.MethodGet && !strings.HasSuffix(r.path, "/live") {
			open = append(open, r.path)
		}
	}
	for n := range setup.Steps() {
		open = append(open, fmt.Sprintf("/setup/%d", n+1))
	}
	offered := func(path string, sealed bool) (all []string) {
		w := s.do(ask{method: http.MethodGet, path: path, as: access.Owner, tls: sealed})
		for _, m := range doings.FindAllStringSubmatch(w.Body.String(), -1) {
			to := html.UnescapeString(m[1] + m[2] + m[3])
			_, pattern := routes.Handler(httptest.NewRequest(http.MethodPost, to, nil))
			if pattern == "" {
				t.Errorf("%s posts to %s, which is no route", path, to)
			}
			if clear[pattern] == Never {
				all = append(all, pattern)
			}
		}
		return all
	}
	never := map[string]bool{}
	for _, path := range open {
		for _, pattern := range offered(path, true) {
			never[pattern] = true
		}
		if all := offered(path, false); len(all) > 0 {
			t.Errorf("%s over plain HTTP offers what is refused there: %v", path, all)
		}
	}
	if len(never) < 12 || !never["POST /people/{id}/invite"] || !never["POST /invites/{name}/end"] {
		t.Errorf("over HTTPS only %v are offered: the test proves little", slices.Sorted(maps.Keys(never)))
	}
}

// Forms that would be refused are not offered; what leads to where they are is.
func TestPagesReadInTheClearOfferOnlyWhatCanBeDoneThere(t *testing.T) {
	s := owned(t, newHub(t, emptyOffice))
	s.proof.Stands.Kind = "own"
	for path, form := range map[string]string{
		"/users": `action="/users`, "/me": `action="/me/password`, "/security": `name="plain"`, "/certificate": `action="/certificate`, "/backup": `action="/backup`, "/reset": `action="/reset`, "/backup/restore": `action="/backup/restore`,
	} {
		plain := s.do(ask{method: http.MethodGet, path: path, as: access.Owner}).Body.String()
		if strings.Contains(plain, form) || !strings.Contains(plain, `href="https://pronto.local:8443`+path+`"`) {
			t.Errorf("%s over plain HTTP offers %s, or does not lead to HTTPS", path, form)
		}
		if sealed := s.do(ask{method: http.MethodGet, path: path, as: access.Owner, tls: true}).Body.String(); !strings.Contains(sealed, form) {
			t.Errorf("%s over HTTPS is without %s", path, form)
		}
	}
}
