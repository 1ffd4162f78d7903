package web

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/page"
)

// ofSales is a page where the supervisor has one queue, and the owner all.
func ofSales(t *testing.T) *site {
	kept := access.State{Code: access.NewCode()}
	tokens := map[access.Role]string{}
	for _, r := range access.Roles() {
		u := access.User{Name: string(r), Role: r, Password: goodHash}
		if r == access.Supervisor {
			u.Queues = []tel.QueueID{"sales"}
		}
		tokens[r] = "token of " + u.Name
		kept.Users = append(kept.Users, u)
		for token, sealed := range map[string]bool{tokens[r]: false, sealedToken(tokens[r]): true} {
			sum := sha256.Sum256([]byte(token))
			kept.Sessions = append(kept.Sessions, access.Session{ID: base64.RawURLEncoding.EncodeToString(sum[:]), User: u.Name, Created: time.Now(), Seen: time.Now(), Sealed: sealed})
		}
	}
	s := siteOf(t, newHub(t, emptyOffice), kept)
	s.tokens = tokens
	return s
}

func TestASupervisorDecidesAboutOwnQueuesAndIsNamed(t *testing.T) {
	s := ofSales(t)
	for name, c := range map[string]struct {
		as     access.Role
		path   string
		form   url.Values
		status int
		to     string
		order  Order // the zero one: none is given
	}{
		"a caller of the queue to another one": {
			access.Supervisor, "/waiting/c1/move",
			url.Values{"queue": {"help"}},
			http.StatusSeeOther, "/?lang=en",
			Order{Do: "move", Call: "c1", With: "help"},
		},
		"a caller of another's queue":         {access.Supervisor, "/waiting/c2/move", url.Values{"queue": {"sales"}}, http.StatusForbidden, "", Order{}},
		"a caller of any queue, by the owner": {access.Owner, "/waiting/c2/move", url.Values{"queue": {"sales"}}, http.StatusSeeOther, "/?lang=en", Order{Do: "move", Call: "c2", With: "sales"}},
		"a caller who has hung up":            {access.Supervisor, "/waiting/c9/move", url.Values{"queue": {"help"}}, http.StatusNotFound, "", Order{}},
		"a caller for one agent": {
			access.Supervisor, "/waiting/c1/assign",
			url.Values{"agent": {"anna"}},
			http.StatusSeeOther, "/?lang=en",
			Order{Do: "assign", Call: "c1", Agent: "anna"},
		},
		"another's caller for one agent": {access.Supervisor, "/waiting/c2/assign", url.Values{"agent": {"anna"}}, http.StatusForbidden, "", Order{}},
		"an agent picks a caller": {
			access.Supervisor, "/agents/anna/order",
			url.Values{"do": {"assign"}, "with": {"c1"}},
			http.StatusSeeOther, "/agents/anna?lang=en",
			Order{Do: "assign", Call: "c1", Agent: "anna"},
		},
		"an agent picks another's caller": {access.Supervisor, "/agents/anna/order", url.Values{"do": {"assign"}, "with": {"c2"}}, http.StatusForbidden, "", Order{}},
		"a pause": {
			access.Supervisor, "/agents/anna/order",
			url.Values{"do": {"pause"}, "with": {"Pranzo"}},
			http.StatusSeeOther, "/agents/anna?lang=en",
			Order{Do: "pause", Agent: "anna", With: "Pranzo"},
		},
		"the end of work": {
			access.Supervisor, "/agents/anna/order", url.Values{"do": {"logout"}}, http.StatusSeeOther, "/agents/anna?lang=en", Order{Do: "logout", Agent: "anna"},
		},
		"out of the queue": {
			access.Supervisor, "/agents/anna/order",
			url.Values{"do": {"remove"}, "with": {"sales"}},
			http.StatusSeeOther, "/agents/anna?lang=en",
			Order{Do: "remove", Agent: "anna", With: "sales"},
		},
		"a recording begins": {
			access.Supervisor, "/agents/anna/order", url.Values{"do": {"record"}}, http.StatusSeeOther, "/agents/anna?lang=en", Order{Do: "record", Agent: "anna"},
		},
		"into another's queue": {access.Supervisor, "/agents/anna/order", url.Values{"do": {"add"}, "with": {"help"}}, http.StatusForbidden, "", Order{}},
		"into any queue, by the installer": {
			access.Installer, "/agents/anna/order",
			url.Values{"do": {"add"}, "with": {"help"}},
			http.StatusSeeOther, "/agents/anna?lang=en",
			Order{Do: "add", Agent: "anna", With: "help"},
		},
		"a skill": {
			access.Supervisor, "/agents/anna/order",
			url.Values{"do": {"skill"}, "with": {"english"}, "level": {"7"}},
			http.StatusSeeOther, "/agents/anna?lang=en",
			Order{Do: "skill", Agent: "anna", With: "english", Level: 7},
		},
		"a skill that nobody knows":    {access.Supervisor, "/agents/anna/order", url.Values{"do": {"skill"}, "with": {"greek"}, "level": {"7"}}, http.StatusBadRequest, "", Order{}},
		"a skill without a level":      {access.Supervisor, "/agents/anna/order", url.Values{"do": {"skill"}, "with": {"english"}}, http.StatusBadRequest, "", Order{}},
		"an order that does not exist": {access.Owner, "/agents/anna/order", url.Values{"do": {"dismiss"}}, http.StatusBadRequest, "", Order{}},
		"an order to nobody":           {access.Owner, "/agents/bruno/order", url.Values{"do": {"logout"}}, http.StatusNotFound, "", Order{}},
		"an order by an agent":         {access.Agent, "/agents/anna/order", url.Values{"do": {"logout"}}, http.StatusForbidden, "", Order{}},
		"an order by a screen":         {access.Reader, "/waiting/c1/move", url.Values{"queue": {"help"}}, http.StatusForbidden, "", Order{}},
	} {
		s.orders = nil
		w := s.do(ask{method: http.MethodPost, path: c.path + "?lang=en", as: c.as, form: c.form})
		if to := w.Header().Get("Location"); w.Code != c.status || to != c.to {
			t.Errorf("%s: %d to %q, want %d to %q\n%s", name, w.Code, to, c.status, c.to, w.Body)
		}
		switch {
		case c.order == Order{}:
			if len(s.orders) > 0 {
				t.Errorf("%s was carried out: %+v", name, s.orders)
			}
		default:
			c.order.By, c.order.From = string(c.as), "192.168.1.20"
			if len(s.orders) != 1 || s.orders[0] != c.order {
				t.Errorf("%s: %+v, want %+v", name, s.orders, c.order)
			}
		}
	}
	w := s.do(ask{method: http.MethodPost, path: "/waiting/c1/move", as: access.Supervisor, form: url.Values{"queue": {"help"}}, header: http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"http://evil.example"}}})
	if w.Code != http.StatusForbidden || len(s.orders) > 1 {
		t.Errorf("a form of another site: %d, %+v", w.Code, s.orders)
	}
}

func TestASupervisorIsToldWhyNothingHappened(t *testing.T) {
	s := ofSales(t)
	s.unwilled = "floor.busy"
	for path, form := range map[string]url.Values{
		"/waiting/c1/assign": {"agent": {"anna"}}, "/agents/anna/order": {"do": {"assign"}, "with": {"c1"}},
	} {
		w := s.do(ask{method: http.MethodPost, path: path + "?lang=en", as: access.Supervisor, form: form})
		if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "the agent has a call") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		again := strings.TrimSuffix(strings.TrimSuffix(path, "/assign"), "/order")
		if !strings.Contains(w.Body.String(), `href="`+again+`?lang=it"`) {
			t.Errorf("%s: the other language is not at %s\n%s", path, again, w.Body)
		}
	}
}

func TestASupervisorSeesWhatIsNotHisToChangeWithoutItsButtons(t *testing.T) {
	s := ofSales(t)
	page := func(as access.Role, path string) (int, string) {
		w := s.do(ask{method: http.MethodGet, path: path + "?lang=en", as: as})
		return w.Code, w.Body.String()
	}
	if code, html := page(access.Supervisor, "/agents/anna"); code != http.StatusOK || strings.Contains(html, `value="help"`) || strings.Contains(html, `value="c2"`) || !strings.Contains(html, `value="c1"`) || !strings.Contains(html, `value="remove"`) {
		t.Errorf("an agent of the own queue: %d %s", code, html)
	}
	if code, html := page(access.Owner, "/agents/anna"); code != http.StatusOK || !strings.Contains(html, `value="help"`) || !strings.Contains(html, `value="c2"`) {
		t.Errorf("to the owner: %d %s", code, html)
	}
	for path, want := range map[string]int{"/waiting/c1": http.StatusOK, "/waiting/c2": http.StatusForbidden, "/waiting/c3": http.StatusNotFound, "/waiting/%3Cscript%3E": http.StatusNotFound, "/agents/%2e%2e%2fusers": http.StatusNotFound} {
		if code, html := page(access.Supervisor, path); code != want || strings.Contains(html, "<script>") {
			t.Errorf("%s: %d, want %d\n%s", path, code, want, html)
		}
	}
}

func TestPagesOfTheFloorLookAsReviewed(t *testing.T) {
	who := page.Reader{Name: "sara", Role: access.Supervisor, Path: "/waiting/c1"}
	caller := page.Caller{
		Box: "Bottega", Reader: who, Call: "c1", Queue: "sales", QueueName: hostile, Number: "+39061234567", Name: hostile, Since: at.Add(-75 * time.Second),
		Place: 2, Of: 5, Due: at.Add(-55 * time.Second), Needs: []tel.Need{{Skill: hostile, Level: 5}}, Last: hostile,
		From: 3, To: 6,
		Offer: &page.Offer{
			Agent: hostile, At: at.Add(-20 * time.Second), More: true,
			Why:    page.Because(tel.OfferReason{Merit: tel.MeritFewestCalls, Value: 4, BestSkilled: true, Free: 2, Levels: true, Level: 1}),
			Passed: []page.Verdict{{Person: page.Person{ID: "bruno", Name: hostile}, Says: page.Said{Sentence: "why.skill_too_low", Args: []any{hostile, 2, 5}}}},
		},
		Queues: []page.Choice{{ID: "help", Name: hostile}}, People: []page.Person{{ID: "anna", Name: hostile}},
	}
	for _, v := range []struct {
		says page.Said
		note string
		in   time.Duration
	}{
		{page.Said{Sentence: "why.eligible"}, "", 0},
		{page.Said{Sentence: "why.rings_for_this_caller"}, "", 0},
		{page.Said{Sentence: "why.refused_this_caller"}, "", 8 * time.Second},
		{page.Said{Sentence: "why.phone_failed"}, "", time.Second},
		{page.Said{Sentence: "why.skill_too_low", Args: []any{hostile, 2, 5}}, "", time.Hour},
		{page.Said{Sentence: "why.level_not_open", Args: []any{2}}, "", time.Minute},
		{page.Said{Sentence: "why.level_passed", Args: []any{0}}, "", 0},
		{page.Said{Sentence: "why.waits_for_last_agent", Args: []any{hostile}}, "", 5 * time.Second},
		{page.Said{Sentence: "why.shift_over"}, "", 0},
		{page.Said{Sentence: "why.out_of_queue"}, "", 0},
		{page.Said{Sentence: "state.paused"}, hostile, 0},
		{page.Said{Sentence: "state.wrap_up"}, "", 9 * time.Second},
	} {
		x := page.Verdict{Person: page.Person{ID: "anna", Name: hostile}, Says: v.says, Note: v.note}
		if v.in > 0 {
			x.Until = at.Add(v.in)
		}
		caller.Verdicts = append(caller.Verdicts, x)
	}
	agent := page.Agent{
		Box: "Bottega", Reader: who, ID: "anna", May: true, Talks: true,
		Desk: page.Desk{
			Name: hostile, State: tel.AgentPaused, Since: at, Reason: "forced", By: hostile, Help: true, Reasons: []string{"Pranzo", hostile},
			Tape:   page.Tape{Action: "/agents/anna/order", Offer: true},
			Queues: []page.DeskQueue{{ID: "sales", Name: hostile, Serving: true}, {ID: "help", Name: "Aiuto"}, {ID: "desk", Name: "Banco", Locked: true}},
		},
		Others: []page.DeskQueue{{ID: "vip", Name: hostile}}, Skills: []page.Skill{{Name: hostile, Level: 7}}, Known: []string{"english", hostile},
		Waiting: []page.Caller{caller},
	}
	for _, lang := range i18n.Languages() {
		cat, err := i18n.Load(lang)
		if err != nil {
			t.Fatal(err)
		}
		r, err := page.New(cat)
		if err != nil {
			t.Fatal(err)
		}
		for name, render := range map[string]func() ([]byte, error){
			"caller": func() ([]byte, error) { return r.Caller(caller, at) },
			"caller-alone": func() ([]byte, error) {
				return r.Caller(page.Caller{Box: "Bottega", Reader: who, Said: page.Said{Sentence: "floor.busy"}, Call: "c1", QueueName: "Vendite", Place: 1, Of: 1, Since: at, Due: at.Add(20 * time.Second)}, at)
			},
			"agent": func() ([]byte, error) { return r.Agent(agent, at) },
			"agent-foreign": func() ([]byte, error) {
				return r.Agent(page.Agent{Box: "Bottega", Reader: who, ID: "anna", Desk: page.Desk{Name: "Anna", State: tel.AgentReady, Queues: []page.DeskQueue{{ID: "help", Name: "Aiuto", Locked: true, Serving: true}}}, Known: []string{"english"}}, at)
			},
		} {
			t.Run(lang+" "+name, func(t *testing.T) {
				reviewed(t, lang+"-"+name, render)
			})
		}
	}
}
