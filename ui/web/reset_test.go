package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/ui/access"
)

func TestOnlyTheOwnerWithPasswordAndNameOfTheOfficeHasTheBoxForgetEverything(t *testing.T) {
	s := office(t)
	form := func(typed, old string) url.Values { return url.Values{"typed": {typed}, "old": {old}} }
	for _, tc := range []struct {
		name string
		as   access.Role
		form url.Values
		want int
	}{
		{"an installer", access.Installer, form("Bottega", goodPassword), http.StatusForbidden},
		{"a stranger", "", form("Bottega", goodPassword), http.StatusUnauthorized},
		{"the owner with another name", access.Owner, form("Negozio", goodPassword), http.StatusUnprocessableEntity},
		{"the owner with another password", access.Owner, form("Bottega", "un'altra parola ancora"), http.StatusForbidden},
		{"the owner with nothing", access.Owner, nil, http.StatusUnprocessableEntity},
	} {
		if w := s.do(ask{method: http.MethodPost, path: "/reset", as: tc.as, form: tc.form, tls: true}); w.Code != tc.want || s.erased > 0 {
			t.Errorf("%s: %d, erased %d times", tc.name, w.Code, s.erased)
		}
	}
	if w := s.do(ask{method: http.MethodGet, path: "/reset?lang=en", as: access.Owner, tls: true}); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "type the name of the office: Bottega") {
		t.Errorf("the form: %d %s", w.Code, w.Body)
	}
	w := s.do(ask{method: http.MethodPost, path: "/reset?lang=en", as: access.Owner, form: form(" bottega ", goodPassword), tls: true})
	if w.Code != http.StatusOK || s.erased != 1 || !strings.Contains(w.Body.String(), "erases itself now") {
		t.Errorf("the owner: %d, erased %d times: %s", w.Code, s.erased, w.Body)
	}
}

func TestAProgramThatIsNoBoxOfItsOwnOffersNoReset(t *testing.T) {
	s := office(t)
	s.withoutErase(t)
	if w := s.do(ask{method: http.MethodGet, path: "/reset", as: access.Owner, tls: true}); w.Code != http.StatusNotFound {
		t.Errorf("the form: %d", w.Code)
	}
	if w := s.do(ask{method: http.MethodPost, path: "/reset", as: access.Owner, form: url.Values{"typed": {"Bottega"}, "old": {goodPassword}}, tls: true}); w.Code != http.StatusNotFound {
		t.Errorf("the order: %d", w.Code)
	}
	if w := s.do(ask{method: http.MethodGet, path: "/security", as: access.Owner, tls: true}); strings.Contains(w.Body.String(), `href="/reset`) {
		t.Error("the page leads there")
	}
}
