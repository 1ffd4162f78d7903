package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
)

func TestOnlyTheOwnerHasAPersonForgottenWithAReasonAndAfterASecondLook(t *testing.T) {
	s := office(t)
	s.persons.Found = page.Found{Calls: 12, Recordings: 3, Held: 1, Chosen: true}
	form := func(number, why, sure string) url.Values {
		return url.Values{"number": {number}, "why": {why}, "sure": {sure}}
	}
	whole := form("06 1234.5678", " lettera ", "yes")
	post := func(as access.Role, f url.Values, tls bool) (int, string) {
		w := s.do(ask{method: http.MethodPost, path: "/erasures?lang=en", as: as, form: f, tls: tls})
		return w.Code, w.Body.String()
	}
	for _, tc := range []struct {
		name string
		as   access.Role
		form url.Values
		tls  bool
		want int
		says string
	}{
		{"an installer", access.Installer, whole, true, http.StatusForbidden, ""},
		{"a supervisor", access.Supervisor, whole, true, http.StatusForbidden, ""},
		{"a stranger", "", whole, true, http.StatusUnauthorized, ""},
		{"the owner where others listen in", access.Owner, whole, false, http.StatusForbidden, ""},
		{"no number", access.Owner, form("Rossi", "lettera", "yes"), true, http.StatusUnprocessableEntity, "Nobody was forgotten"},
		{"nothing", access.Owner, nil, true, http.StatusUnprocessableEntity, "Nobody was forgotten"},
		{"no reason", access.Owner, form("0612345678", " ", "yes"), true, http.StatusUnprocessableEntity, "Write in a few words"},
		{"a book as the reason", access.Owner, form("0612345678", strings.Repeat("x", mostWhy+1), "yes"), true, http.StatusUnprocessableEntity, "Write in a few words"},
		{"the first look", access.Owner, form("0612345678", hostile, ""), true, http.StatusOK, "12 calls in the records"},
		{"the first look says what stays", access.Owner, form("0612345678", "x", ""), true, http.StatusOK, "one is held as evidence and stays"},
		{"the first look says what people have chosen", access.Owner, form("0612345678", "x", ""), true, http.StatusOK, "Settings stay"},
	} {
		code, body := post(tc.as, tc.form, tc.tls)
		if code != tc.want || !strings.Contains(body, tc.says) || strings.Contains(body, "<script>alert") || len(s.persons.Forgot) > 0 {
			t.Errorf("%s: %d, want %d %q; forgot %+v", tc.name, code, tc.want, tc.says, s.persons.Forgot)
		}
	}
	code, _ := post(access.Owner, whole, true)
	if want := (settingstest.Forgot{Number: "0612345678", Why: "lettera", By: settings.By{User: "anna", From: "192.168.1.20"}}); code != http.StatusSeeOther || len(s.persons.Forgot) != 1 || s.persons.Forgot[0] != want {
		t.Errorf("the owner: %d, forgot %+v", code, s.persons.Forgot)
	}
}

func TestWhyAPersonIsNotForgottenIsSaid(t *testing.T) {
	s := office(t)
	f := url.Values{"number": {"0612345678"}, "why": {"lettera"}}
	for _, sentence := range []string{"erasures.number", "erasures.away", "erasures.open", "erasures.lost"} {
		s.persons.Refuse = settings.Refusal{Sentence: sentence, Detail: "detail"}
		for _, sure := range []string{"", "yes"} {
			f.Set("sure", sure)
			w := s.do(ask{method: http.MethodPost, path: "/erasures", as: access.Owner, form: f, tls: true})
			if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), `value="0612345678"`) || strings.Contains(w.Body.String(), "⟦") {
				t.Errorf("%s, sure %q: %d %s", sentence, sure, w.Code, w.Body)
			}
		}
	}
	s.persons.Refuse, s.persons.Err = settings.Refusal{}, errors.New("the disk refuses")
	f.Set("sure", "yes")
	if w := s.do(ask{method: http.MethodPost, path: "/erasures", as: access.Owner, form: f, tls: true}); w.Code != http.StatusInternalServerError {
		t.Errorf("a disk that refuses: %d", w.Code)
	}
}

func TestTheListOfPersonsForgottenLooksAsReviewed(t *testing.T) {
	for _, lang := range []string{"it", "en"} {
		s := office(t)
		show := func(name string, a ask) {
			a.as, a.path = access.Owner, "/erasures?lang="+lang
			look(t, lang, name, s.do(a).Body.String())
		}
		show("erasures-none", ask{method: http.MethodGet, tls: true})
		show("erasures-clear", ask{method: http.MethodGet})
		s.persons.Persons = settingstest.Forgotten(hostile, at)
		s.persons.Found = page.Found{Calls: 12, Recordings: 3, Held: 1, Chosen: true}
		show("erasures", ask{method: http.MethodGet, tls: true})
		show("erasures-sure", ask{method: http.MethodPost, tls: true, form: url.Values{"number": {"0612345678"}, "why": {hostile}}})
	}
}
