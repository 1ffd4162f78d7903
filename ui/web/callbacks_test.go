package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

// Who may see the callbacks, who is asked whether one is to be dropped, and who drops it: every role, for a
// callback of the supervisor's own queue (cb1) and one of another's (cb2).
func TestOnlyWhoSupervisesAQueueDropsItsCallbacks(t *testing.T) {
	s := ofSales(t)
	for role, c := range map[access.Role]struct {
		offered      string // whose links the list has
		mine, others int
	}{
		access.Owner:      {"cb1 cb2", http.StatusSeeOther, http.StatusSeeOther},
		access.Installer:  {"cb1 cb2", http.StatusSeeOther, http.StatusSeeOther},
		access.Supervisor: {"cb1", http.StatusSeeOther, http.StatusForbidden},
		access.Agent:      {"", http.StatusForbidden, http.StatusForbidden},
		access.Reader:     {"", http.StatusForbidden, http.StatusForbidden},
	} {
		w := s.do(ask{method: http.MethodGet, path: "/callbacks?lang=en", as: role})
		var offered []string
		for _, id := range []string{"cb1", "cb2"} {
			if strings.Contains(w.Body.String(), `href="/callbacks/`+id+`?lang=en"`) {
				offered = append(offered, id)
			}
		}
		sees := role != access.Reader // who is not told who calls
		if got := strings.Join(offered, " "); (w.Code == http.StatusOK) != sees || got != c.offered || strings.Contains(w.Body.String(), "393331113333") != sees {
			t.Errorf("the list of %s: %d, may drop %q, want %q", role, w.Code, got, c.offered)
		}
		for id, want := range map[tel.CallbackID]int{"cb1": c.mine, "cb2": c.others} {
			asked := http.StatusOK
			if want != http.StatusSeeOther {
				asked = want
			}
			if w := s.do(ask{method: http.MethodGet, path: "/callbacks/" + string(id) + "?lang=en", as: role}); w.Code != asked {
				t.Errorf("%s is asked about %s: %d, want %d", role, id, w.Code, asked)
			}
			s.orders = nil
			w := s.do(ask{method: http.MethodPost, path: "/callbacks/" + string(id) + "/drop?lang=en", as: role})
			if w.Code != want {
				t.Errorf("%s drops %s: %d, want %d\n%s", role, id, w.Code, want, w.Body)
			}
			if want != http.StatusSeeOther {
				if len(s.orders) > 0 {
					t.Errorf("%s was obeyed: %+v", role, s.orders)
				}
				continue
			}
			if got := s.orders; len(got) != 1 || got[0].By == "" || got[0].From != "192.168.1.20" || got[0].Do != "drop" || got[0].Callback != id {
				t.Errorf("%s gave the orders %+v", role, got)
			}
			if to := w.Header().Get("Location"); to != "/callbacks?lang=en" {
				t.Errorf("goes on at %s", to)
			}
		}
	}
}

func TestADropThatCannotBeIsAnsweredInWords(t *testing.T) {
	s := ofSales(t)
	s.unwilled = "callbacks.gone"
	if w := s.do(ask{method: http.MethodPost, path: "/callbacks/cb1/drop?lang=it", as: access.Supervisor}); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "Questa richiesta non c&#39;è più") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for path, want := range map[string]int{"/callbacks/cb9": http.StatusNotFound, "/callbacks/%3Cscript%3E": http.StatusNotFound} {
		if w := s.do(ask{method: http.MethodGet, path: path, as: access.Owner}); w.Code != want || strings.Contains(w.Body.String(), "<script>") {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	s.orders = nil
	if w := s.do(ask{method: http.MethodGet, path: "/callbacks/cb1/drop", as: access.Owner}); w.Code < 400 || len(s.orders) > 0 {
		t.Errorf("a link drops: %d %+v", w.Code, s.orders)
	}
	if w := s.do(ask{method: http.MethodPost, path: "/callbacks/cb1/drop", as: access.Owner, header: http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"http://evil.example"}}}); w.Code != http.StatusForbidden || len(s.orders) > 0 {
		t.Errorf("a form of another site: %d %+v", w.Code, s.orders)
	}
}

func TestPagesOfCallbacksLookAsReviewed(t *testing.T) {
	all := spoken(t)
	who := page.Reader{Name: "sara", Role: access.Supervisor, Path: "/callbacks"}
	owed := []page.Callback{
		{ID: "cb1", Queue: "sales", QueueName: hostile, State: tel.CallbackWaiting, Number: "+393331112222", Name: hostile, Since: at.Add(-20 * time.Minute), Place: 2, Of: 5, Promise: at.Add(time.Hour), May: true},
		{ID: "cb2", Queue: "sales", QueueName: hostile, State: tel.CallbackDialing, Number: "+393331113333", Since: at.Add(-2 * time.Hour), Place: 1, Of: 5, Promise: at.Add(-time.Minute), Agent: hostile},
		{ID: "cb3", Queue: "help", QueueName: "Aiuto", State: tel.CallbackResting, Number: "+390612345678", Since: at.Add(-time.Hour), Attempts: 2, Next: at.Add(10 * time.Minute)},
		{ID: "cb4", Queue: "help", QueueName: "Aiuto", State: tel.CallbackWaiting, Number: "+390612345679", Since: at.Add(-time.Hour), Closed: true},
	}
	for lang, r := range all {
		for name, render := range map[string]func() ([]byte, error){
			"callbacks": func() ([]byte, error) {
				return r.Callbacks(page.Callbacks{Box: "Bottega", Reader: who, Callbacks: owed}, at)
			},
			"callbacks-none": func() ([]byte, error) { return r.Callbacks(page.Callbacks{Box: "Bottega", Reader: who}, at) },
			"dropping": func() ([]byte, error) {
				return r.Dropping(page.Dropping{Box: "Bottega", Reader: who, Said: page.Said{Sentence: "callbacks.gone"}, Callback: owed[0]}, at)
			},
		} {
			t.Run(lang+" "+name, func(t *testing.T) { reviewed(t, lang+"-"+name, render) })
		}
	}
}
