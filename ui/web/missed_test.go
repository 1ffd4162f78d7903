package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/ui/access"
)

// Who may take which missed caller off the list: every role, for a caller of the own queue and one of another's.
func TestOnlyWhoSupervisesAQueueDismissesItsCallers(t *testing.T) {
	s := ofSales(t)
	for role, c := range map[access.Role]struct{ list, mine, others int }{
		access.Owner:      {http.StatusOK, http.StatusSeeOther, http.StatusSeeOther},
		access.Installer:  {http.StatusOK, http.StatusSeeOther, http.StatusSeeOther},
		access.Supervisor: {http.StatusOK, http.StatusSeeOther, http.StatusForbidden},
		access.Agent:      {http.StatusOK, http.StatusForbidden, http.StatusForbidden},
		access.Reader:     {http.StatusForbidden, http.StatusForbidden, http.StatusForbidden},
	} {
		w := s.do(ask{method: http.MethodGet, path: "/missed?lang=en", as: role})
		if w.Code != c.list || strings.Contains(w.Body.String(), "393331234567") != (c.list == http.StatusOK) || strings.Contains(w.Body.String(), "<script>alert") {
			t.Errorf("%s lists: %d", role, w.Code)
		}
		for number, want := range map[string]int{"+393331234567": c.mine, "+393337654321": c.others} {
			s.orders = nil
			if offered := strings.Contains(w.Body.String(), `href="/missed/`+number) || strings.Contains(w.Body.String(), `href="/missed/`+url.PathEscape(number)) || strings.Contains(w.Body.String(), `href="/missed/&#43;`+number[1:]); offered != (want == http.StatusSeeOther) {
				t.Errorf("%s is offered %s: %v", role, number, offered)
			}
			asked := want
			if want == http.StatusSeeOther {
				asked = http.StatusOK
			}
			if w := s.do(ask{method: http.MethodGet, path: "/missed/" + number, as: role}); w.Code != asked {
				t.Errorf("%s is asked about %s: %d, want %d", role, number, w.Code, asked)
			}
			w := s.do(ask{method: http.MethodPost, path: "/missed/" + number + "/dismiss", as: role})
			if w.Code != want || (len(s.orders) == 1) != (want == http.StatusSeeOther) {
				t.Errorf("%s dismisses %s: %d, want %d; %+v", role, number, w.Code, want, s.orders)
			}
			if len(s.orders) == 1 && (s.orders[0].Do != "dismiss" || s.orders[0].With != number || s.orders[0].By == "" || s.orders[0].From != "192.168.1.20") {
				t.Errorf("%+v", s.orders[0])
			}
		}
	}
	s.unwilled = "missed.gone"
	if w := s.do(ask{method: http.MethodPost, path: "/missed/+393331234567/dismiss?lang=it", as: access.Owner}); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "non è più nell&#39;elenco") {
		t.Errorf("who is gone: %d", w.Code)
	}
	if w := s.do(ask{method: http.MethodGet, path: "/missed/1234", as: access.Owner}); w.Code != http.StatusNotFound {
		t.Errorf("who never was: %d", w.Code)
	}
}
