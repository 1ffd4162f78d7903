package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
)

// What the agents said is in the report of the days, in the story of the call and in the table of calls; who supervises
// one queue sees that queue's.
func TestWhatCameOfCallsIsToldWhereCallsAre(t *testing.T) {
	s := ofSales(t)
	say := func(pos store.Position, call tel.CallID, queue tel.QueueID, what string) store.Disposition {
		return store.Disposition{Pos: pos, CallDisposed: tel.CallDisposed{Call: call, Queue: queue, Agent: "anna", Disposition: what, At: at.Add(time.Hour)}}
	}
	if err := s.records.PutDispositions(t.Context(), say(7000, "c1", "sales", "Reclamo"), say(7001, "c1", "sales", "Venduto"), say(7002, "x", "sales", "Venduto"), say(7003, "y", "help", hostile)); err != nil {
		t.Fatal(err)
	}
	_, body := s.get("/reports" + theDay + "&lang=en")
	if text := plainText(body); !strings.Contains(text, "Vendite Venduto 2") || !strings.Contains(text, "Aiuto &lt;script&gt;") || strings.Contains(text, "Reclamo") {
		t.Errorf("the report: %s", text)
	}
	w := s.do(ask{method: http.MethodGet, path: "/reports" + theDay + "&lang=en", as: access.Supervisor})
	if text := plainText(w.Body.String()); !strings.Contains(text, "Vendite Venduto 2") || strings.Contains(text, "Aiuto") {
		t.Errorf("of who supervises sales: %s", text)
	}
	if _, body := s.get(aStory + "&lang=en"); !strings.Contains(plainText(body), "Anna: Venduto") {
		t.Errorf("the story: %s", plainText(body))
	}
	if _, body := s.get("/calls.csv" + theDay + "&lang=en&sep=comma"); !strings.Contains(body, ",Disposition\n") || !strings.Contains(body, ",Venduto\n") {
		t.Errorf("the table: %s", body)
	}
	s.records.away = store.ErrUnavailable
	if status, _ := s.get("/calls.csv" + theDay); status != http.StatusServiceUnavailable {
		t.Errorf("without records: %d", status)
	}
}

// three is an office whose agents can say three things of a call.
func three(c *config.Config) {
	c.Dispositions = []config.Disposition{{Code: "1", Name: "Venduto", Queues: []tel.QueueID{"sales"}}, {Code: "20", Name: "Reclamo"}, {Code: "3", Name: "Richiamare"}}
}

func (s *site) listed() (codes []string) {
	for _, d := range s.settings.Port().Current().Dispositions {
		codes = append(codes, d.Code)
	}
	return codes
}

func TestADispositionIsMadeReviewedAppliedOrderedAndRetired(t *testing.T) {
	s := office(t)
	form := url.Values{"name": {" Venduto "}, "was-name": {""}, "code": {""}, "was-code": {""}, "queues": {"sales"}, "was-queues": {""}}
	if status, to := s.post("/dispositions", form); status != http.StatusSeeOther || to != "/changes" {
		t.Fatalf("%d %s", status, to)
	}
	if len(s.listed()) > 0 {
		t.Fatal("it is in force before it was applied")
	}
	s.post("/dispositions", url.Values{"name": {"Reclamo"}, "code": {" 2 0 "}})
	s.post("/dispositions", url.Values{"name": {"Richiamare"}}) // whose code nobody says
	s.post("/changes/apply", nil)
	now := func() []config.Disposition { return s.settings.Port().Current().Dispositions }
	if d := now(); !slices.Equal(s.listed(), []string{"1", "20", "2"}) || d[0].Name != "Venduto" || !slices.Equal(d[0].Queues, []tel.QueueID{"sales"}) || len(d[1].Queues) > 0 {
		t.Fatalf("%+v", d)
	}
	_, body := s.get("/dispositions?lang=en")
	if text := plainText(body); !strings.Contains(text, "Venduto *491") || !strings.Contains(text, "Reclamo *4920") || !strings.Contains(text, "Queues Vendite") || !strings.Contains(text, "all queues") {
		t.Errorf("the list: %s", text)
	}
	s.post("/dispositions/20", url.Values{"name": {"Lamentela"}, "was-name": {"Reclamo"}, "code": {"20"}, "was-code": {"20"}, "queues": {"help", "sales"}, "was-queues": {""}})
	s.post("/dispositions/order", url.Values{"order": {"1", "20", "2"}, "was-order": {"1,20,2"}, "order-place-1": {"1"}, "order-place-20": {"2"}, "order-place-2": {"1"}})
	s.post("/dispositions/1/remove", nil)
	_, body = s.get("/changes?lang=en")
	for _, want := range []string{"<del>Reclamo</del>", "<ins>Lamentela</ins>", "<ins>[2, 20]</ins>", "disposition"} {
		if !strings.Contains(body, want) {
			t.Errorf("the changes do not say %s: %s", want, plainText(body))
		}
	}
	s.post("/changes/apply", nil)
	if d := now(); !slices.Equal(s.listed(), []string{"2", "20"}) || d[1].Name != "Lamentela" || !slices.Equal(d[1].Queues, []tel.QueueID{"help", "sales"}) {
		t.Errorf("%+v", d)
	}
	s.apply(func(c *config.Config) { c.Dialling.Codes = map[string]tel.Number{"dispose": "off"} })
	if _, body := s.get("/dispositions?lang=en"); strings.Contains(body, "*49") {
		t.Error("it tells a code that is switched off")
	}
}

// What agents said stays what it was, whatever becomes of the list: in the report, in the story and in the table.
func TestWhatWasSaidKeepsItsNameWhenItsDispositionIsRenamedAndRetired(t *testing.T) {
	s := ofSales(t)
	s.apply(three)
	said := func(pos store.Position, what string) {
		t.Helper()
		x := store.Disposition{Pos: pos, CallDisposed: tel.CallDisposed{Call: "c1", Queue: "sales", Agent: "anna", Disposition: what, At: at.Add(time.Hour)}}
		if err := s.records.PutDispositions(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
	said(7000, s.settings.Port().Current().Dispositions[0].Name)
	for _, do := range []func(){
		func() { s.post("/dispositions/1", url.Values{"name": {"Ordine"}, "was-name": {"Venduto"}}) },
		func() { s.post("/dispositions/1/remove", nil) },
	} {
		do()
		s.post("/changes/apply", nil)
		for path, want := range map[string]string{"/reports" + theDay + "&lang=en": "Vendite Venduto 1", aStory + "&lang=en": "Anna: Venduto", "/calls.csv" + theDay + "&lang=en&sep=comma": ",Venduto"} {
			if _, body := s.get(path); !strings.Contains(plainText(body), want) || strings.Contains(body, "Ordine") {
				t.Errorf("%s with %v in the list: %s", path, s.settings.Port().Current().Dispositions, plainText(body))
			}
		}
	}
	if !slices.Equal(s.listed(), []string{"20", "3"}) {
		t.Errorf("left are %v", s.listed())
	}
}

func TestTheListOfDispositionsIsOfWhoConfigures(t *testing.T) {
	s := ofSales(t)
	s.apply(three)
	for role, may := range map[access.Role]bool{access.Owner: true, access.Installer: true, access.Supervisor: false, access.Agent: false, access.Reader: false} {
		for _, path := range []string{"/dispositions", "/dispositions/new", "/dispositions/order", "/dispositions/1"} {
			if w := s.do(ask{method: http.MethodGet, path: path, as: role, tls: true}); (w.Code == http.StatusOK) != may {
				t.Errorf("%s reads %s: %d", role, path, w.Code)
			}
		}
		for path, form := range map[string]url.Values{"/dispositions": {"name": {"x" + string(role)}}, "/dispositions/order": nil, "/dispositions/1": {"name": {"Ordine"}}, "/dispositions/20/remove": nil} {
			if w := s.do(ask{method: http.MethodPost, path: path, form: form, as: role, tls: true}); (w.Code == http.StatusSeeOther) != may || !may && w.Code != http.StatusForbidden {
				t.Errorf("%s sends to %s: %d", role, path, w.Code)
			}
		}
	}
}

// While one person brings the list into another order, another one adds to it: neither is lost.
func TestAnOrderLosesNothingThatWasAddedMeanwhile(t *testing.T) {
	s := office(t)
	s.apply(three)
	form := url.Values{"order": {"1", "20", "3"}, "was-order": {"1,20,3"}, "order-place-1": {"1"}, "order-place-20": {"2"}, "order-place-3": {"1"}}
	if w := s.do(ask{method: http.MethodPost, path: "/dispositions/order", form: form, as: access.Installer, tls: true}); w.Code != http.StatusSeeOther {
		t.Fatal(w.Code)
	}
	s.post("/dispositions", url.Values{"name": {"Errore"}})
	s.post("/dispositions/20/remove", nil)
	s.post("/changes/apply", nil)
	s.do(ask{method: http.MethodPost, path: "/changes/apply", as: access.Installer, tls: true})
	if got := s.listed(); !slices.Equal(got, []string{"3", "1", "2"}) {
		t.Errorf("the list is %v", got)
	}
}

func TestThePlacesOfDispositionsAreWrittenAsPeopleMeanThem(t *testing.T) {
	for name, c := range map[string]struct {
		places []string // of 1, 2, 3 and 4, which stand in this order
		want   string
	}{
		"the last one first":            {[]string{"1", "2", "3", "1"}, "4,1,2,3"},
		"the first one last":            {[]string{"4", "2", "3", "4"}, "2,3,4,1"},
		"the first one behind all":      {[]string{"999", "2", "3", "4"}, "2,3,4,1"},
		"one step down":                 {[]string{"2", "2", "3", "4"}, "2,1,3,4"},
		"one step up":                   {[]string{"1", "2", "2", "4"}, "1,3,2,4"},
		"all of them anew":              {[]string{"4", "3", "2", "1"}, "4,3,2,1"},
		"two change places":             {[]string{"1", "4", "3", "2"}, "1,4,3,2"},
		"none is moved":                 {[]string{"1", "2", "3", "4"}, "1,2,3,4"},
		"a place that is left empty":    {[]string{"1", "", "3", "1"}, "4,1,2,3"},
		"the same place for all":        {[]string{"1", "1", "1", "1"}, "2,3,4,1"},
		"places of old with gaps in it": {[]string{"10", "20", "30", "15"}, "1,4,2,3"},
	} {
		s := office(t)
		form := url.Values{"order": {"1", "2", "3", "4"}, "was-order": {"1,2,3,4"}}
		s.apply(func(c *config.Config) {
			for i, n := range form["order"] {
				c.Dispositions = append(c.Dispositions, config.Disposition{Code: n, Name: fmt.Sprint("Causale ", i)})
			}
		})
		for i, p := range c.places {
			form.Set(fmt.Sprint("order-place-", i+1), p)
		}
		if status, to := s.post("/dispositions/order", form); status != http.StatusSeeOther {
			t.Errorf("%s: %d %s", name, status, to)
		}
		s.post("/changes/apply", nil)
		if got := strings.Join(s.listed(), ","); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestAPlaceThatIsNoneIsSaidAndNothingIsKept(t *testing.T) {
	s := office(t)
	s.apply(three)
	for _, place := range []string{"0", "-1", "1000", "1.5", "first", "²", "1,20", "1=2", hostile} {
		status, body := s.post("/dispositions/order?lang=en", url.Values{"order": {"1", "20", "3"}, "was-order": {"1,20,3"}, "order-place-20": {place}})
		if status != http.StatusUnprocessableEntity || !strings.Contains(body, `id="f-order-w"`) || !strings.Contains(body, "This is no place in the order") || strings.Contains(body, "<script>alert") {
			t.Errorf("%q: %d", place, status)
		}
		if _, body := s.get("/changes?lang=en"); !strings.Contains(body, "No change waits") {
			t.Errorf("%q: something was kept", place)
		}
	}
	s.post("/dispositions/order", url.Values{"order": {hostile, "1", "1", "none", "3"}, "order-place-3": {"1"}}) // of another list
	s.post("/changes/apply", nil)
	if got := slices.Sorted(slices.Values(s.listed())); !slices.Equal(got, []string{"1", "20", "3"}) {
		t.Errorf("after a form of another list: %v", got)
	}
}

func TestAQueueOfADispositionStays(t *testing.T) {
	s := office(t)
	empty(t, s)
	s.apply(func(c *config.Config) {
		c.Agents = []config.Agent{{ID: "anna", Name: "Anna", Extension: "201"}}
		c.Queues = []config.Queue{{ID: "sales", Name: "Vendite", Number: "400", Agents: []tel.AgentID{"anna"}}}
		three(c)
	})
	if status, body := s.post("/queues/sales/remove?lang=en", nil); status != http.StatusConflict || !strings.Contains(body, "dispositions[0].queues[0]") {
		t.Errorf("%d %s", status, plainText(body))
	}
	for _, path := range []string{"/dispositions/none", "/dispositions/2", "/dispositions/" + url.PathEscape(hostile)} {
		if status, _ := s.get(path); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
		for _, to := range []string{path, path + "/remove"} {
			if status, _ := s.post(to, url.Values{"name": {"x"}}); status != http.StatusNotFound {
				t.Errorf("posted to %s: %d", to, status)
			}
		}
	}
}

func TestThereAreNoMoreDispositionsThanOneChoosesAmong(t *testing.T) {
	s := office(t)
	s.apply(func(c *config.Config) {
		for n := range 40 {
			c.Dispositions = append(c.Dispositions, config.Disposition{Code: fmt.Sprint(n + 1), Name: fmt.Sprint("Causale ", n)})
		}
	})
	status, body := s.post("/dispositions?lang=en", url.Values{"name": {"Una di troppo"}})
	if status != http.StatusUnprocessableEntity || !strings.Contains(body, `class="wrongs"`) || !strings.Contains(body, "problem.range") {
		t.Errorf("%d %s", status, plainText(body))
	}
}

func TestThePagesOfDispositionsLookAsReviewed(t *testing.T) {
	for _, lang := range []string{"it", "en"} {
		s := office(t)
		s.apply(func(c *config.Config) { three(c); c.Dispositions[1].Name = hostile })
		for _, path := range []string{"", "/new", "/1", "/order"} {
			_, body := s.get("/dispositions" + path + "?lang=" + lang)
			look(t, lang, "dispositions"+strings.ReplaceAll(path, "/", "-"), body)
		}
		for name, x := range map[string]struct {
			path string
			form url.Values
		}{
			"wrong":       {"/dispositions", url.Values{"name": {strings.Repeat("x", 41)}, "code": {hostile}, "queues": {"none"}}},
			"taken":       {"/dispositions/20", url.Values{"name": {"Venduto"}, "was-name": {hostile}, "code": {"1"}, "was-code": {"20"}}},
			"order-wrong": {"/dispositions/order", url.Values{"order": {"1", "20", "3"}, "was-order": {"1,20,3"}, "order-place-1": {"3"}, "order-place-20": {hostile}}},
		} {
			status, body := s.post(x.path+"?lang="+lang, x.form)
			if status != http.StatusUnprocessableEntity {
				t.Errorf("%s: %d", name, status)
			}
			look(t, lang, "dispositions-"+name, body)
		}
		empty(t, s)
		for name, path := range map[string]string{"none": "", "new-none": "/new", "order-none": "/order"} {
			_, body := s.get("/dispositions" + path + "?lang=" + lang)
			look(t, lang, "dispositions-"+name, body)
		}
	}
}
