package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"testing"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

// cards are the lines whose tests a page shows, in its order.
func cards(html string) (all []string) {
	for _, m := range regexp.MustCompile(`id="test-([^"]*)"`).FindAllStringSubmatch(html, -1) {
		all = append(all, m[1])
	}
	return all
}

// A card that goes, comes or changes places when the stream begins does so under the finger of who presses its
// button.
func TestTheCardsOfLineTestsStandWhereTheyStoodWhateverHasBeenTested(t *testing.T) {
	s := office(t)
	test := func(out, in string) page.LineTest { return page.LineTest{Out: out, In: in} }
	want := []string{"trunk:tim", "line:gsm0", "line:fisso"}
	for name, tests := range map[string]map[string]page.LineTest{
		"nothing yet":                 nil,
		"the last one is being rung":  {"line:gsm0": test("calling", "")},
		"the last one is done":        {"line:gsm0": test("proved", "heard")},
		"all are done":                {"trunk:tim": test("silent", "none"), "line:gsm0": test("proved", "heard")},
		"one that was taken away":     {"trunk:gone": test("proved", "heard")},
		"a call came in by the first": {"trunk:tim": test("", "heard")},
	} {
		s.wizard.Tests = tests
		first := s.do(ask{method: http.MethodGet, path: "/setup/7", as: access.Owner})
		if got := cards(first.Body.String()); !slices.Equal(got, want) {
			t.Errorf("%s: the page shows %v", name, got)
		}
		gone, leave := context.WithCancel(t.Context())
		leave() // the first part comes all the same
		r := httptest.NewRequest(http.MethodGet, "http://pronto.local/setup/live?tests=1", nil).WithContext(gone)
		r.RemoteAddr = inTheOffice
		r.AddCookie(&http.Cookie{Name: plainCookie, Value: s.tokens[access.Owner]})
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); !slices.Equal(cards(w.Body.String()), want) {
			t.Errorf("%s: the stream shows %v:\n%s", name, cards(w.Body.String()), w.Body)
		}
	}
}
