package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
)

func TestOnlySupervisorsSeeConferencesAndLeadThem(t *testing.T) {
	s := ofSales(t)
	for role, may := range map[access.Role]bool{access.Owner: true, access.Installer: true, access.Supervisor: true, access.Agent: false, access.Reader: false} {
		w := s.do(ask{method: http.MethodGet, path: "/conferences?lang=en", as: role})
		if (w.Code == http.StatusOK) != may || strings.Contains(w.Body.String(), "393331112222") != may {
			t.Errorf("%s sees %d", role, w.Code)
		}
		if may && (w.Header().Get("Refresh") != "5" || strings.Contains(w.Body.String(), `href="/conferences/new`) == (role == access.Supervisor)) {
			t.Errorf("%s: refresh %q, or the wrong links", role, w.Header().Get("Refresh"))
		}
		s.orders = nil
		w = s.do(ask{method: http.MethodPost, path: "/conferences/sala/order?lang=en", form: url.Values{"do": {"mute"}, "call": {"c2"}}, as: role})
		if !may {
			if w.Code != http.StatusForbidden || len(s.orders) > 0 {
				t.Errorf("%s mutes: %d %+v", role, w.Code, s.orders)
			}
			continue
		}
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/conferences?lang=en" {
			t.Errorf("%s mutes: %d %s", role, w.Code, w.Header().Get("Location"))
		}
		if o := s.orders; len(o) != 1 || o[0].Do != "conference" || o[0].With != "sala" || o[0].Wish != "mute" || o[0].Call != "c2" || o[0].By == "" || o[0].From != "192.168.1.20" {
			t.Errorf("%s gave the orders %+v", role, o)
		}
	}
	s.orders = nil
	for _, form := range []url.Values{{}, {"do": {"shout"}}, {"do": {"MUTE"}, "call": {"c1"}}} {
		if w := s.do(ask{method: http.MethodPost, path: "/conferences/sala/order", form: form, as: access.Owner}); w.Code != http.StatusBadRequest || len(s.orders) > 0 {
			t.Errorf("%v: %d %+v", form, w.Code, s.orders)
		}
	}
	s.unwilled = "conferences.left"
	if w := s.do(ask{method: http.MethodPost, path: "/conferences/sala/order?lang=it", form: url.Values{"do": {"remove"}, "call": {"c9"}}, as: access.Supervisor}); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "Questa persona non è più nella sala") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAConferenceRoomIsMadeReviewedAppliedAndItsCodesTakenAway(t *testing.T) {
	s := office(t)
	form := url.Values{"name": {"Sala riunioni"}, "number": {"88"}, "limit": {"10"}, "pin": {"2468"}, "leader_pin": {"97531"}, "await": {"on"}}
	if status, to := s.post("/conferences", form); status != http.StatusSeeOther || to != "/changes" {
		t.Fatalf("%d %s", status, to)
	}
	_, body := s.get("/changes?lang=en")
	for _, hidden := range []string{"2468", "97531"} {
		if strings.Contains(body, hidden) {
			t.Errorf("the changes show %s", hidden)
		}
	}
	s.post("/changes/apply", nil)
	if c := s.settings.Port().Current().Conferences; len(c) != 1 || c[0].ID != "sala-riunioni" || c[0].Number != "88" || c[0].Limit != 10 || c[0].PIN != "2468" || c[0].LeaderPIN != "97531" || !c[0].Await {
		t.Fatalf("%+v", c)
	}
	_, body = s.get("/conferences/sala-riunioni?lang=en")
	if strings.Contains(body, "2468") || strings.Contains(body, "97531") || !strings.Contains(body, `value="10"`) {
		t.Error("the form shows a code, or not what there is")
	}
	status, body := s.post("/conferences/sala-riunioni?lang=en", url.Values{"open": {"on"}})
	if status != http.StatusUnprocessableEntity || !strings.Contains(body, `id="f-leader_pin-w"`) {
		t.Errorf("a room that waits for nobody: %d", status)
	}
	s.post("/conferences/sala-riunioni", url.Values{"open": {"on"}, "await": {}, "was-await": {"on"}})
	s.post("/changes/apply", nil)
	if c := s.settings.Port().Current().Conferences[0]; c.PIN != "" || c.LeaderPIN != "" || c.Await {
		t.Errorf("%+v", c)
	}
	if status, _ := s.post("/conferences/sala-riunioni?lang=en", url.Values{"number": {"201"}, "was-number": {"88"}}); status != http.StatusUnprocessableEntity {
		t.Errorf("a number that Anna has: %d", status)
	}
	s.post("/conferences/sala-riunioni/remove", nil)
	s.post("/changes/apply", nil)
	if c := s.settings.Port().Current().Conferences; len(c) != 0 {
		t.Errorf("%+v", c)
	}
}

func TestAMenuMayLeadIntoARoomAndThePictureSaysSo(t *testing.T) {
	s := office(t)
	s.apply(func(c *config.Config) {
		c.Conferences = append(c.Conferences, config.Conference{ID: "sala", Name: "Sala", Number: "88", Limit: 5, PIN: "2468"})
		c.Menus[0].Keys = map[string]string{"1": "conference:sala"}
	})
	_, body := s.get("/menus?lang=en")
	if !strings.Contains(body, `href="/conferences/sala?lang=en"`) || !strings.Contains(body, "Conference room") {
		t.Error("the picture does not lead to the room")
	}
}

func TestThePageOfTheConferenceRoomsLooksAsReviewed(t *testing.T) {
	all, err := page.All()
	if err != nil {
		t.Fatal(err)
	}
	who := page.Reader{Name: "sara", Role: access.Installer, Path: "/conferences"}
	for lang, r := range all {
		for name, c := range map[string]page.Conferences{
			"conferences":      {Box: "Bottega", Reader: who, Rooms: settingstest.Conferences(hostile, at), Change: true, Said: page.Said{Sentence: "conferences.left"}},
			"conferences-none": {Box: "Bottega", Reader: who},
		} {
			t.Run(lang+" "+name, func(t *testing.T) {
				reviewed(t, lang+"-"+name, func() ([]byte, error) { return r.Conferences(c, at) })
			})
		}
	}
}

func TestTheRecordingOfARoomIsShownAndBegunFromThePage(t *testing.T) {
	s := ofSales(t)
	w := s.do(ask{method: http.MethodGet, path: "/conferences?lang=en", as: access.Supervisor})
	if body := w.Body.String(); !strings.Contains(body, "It is being recorded.") || !strings.Contains(body, `value="record_stop"`) || strings.Contains(body, `value="record"`) {
		t.Errorf("%d %s", w.Code, body)
	}
	for _, wish := range []string{"record", "record_stop"} {
		s.orders = nil
		w := s.do(ask{method: http.MethodPost, path: "/conferences/sala/order?lang=en", form: url.Values{"do": {wish}}, as: access.Supervisor})
		if o := s.orders; w.Code != http.StatusSeeOther || len(o) != 1 || o[0].Wish != wish || o[0].With != "sala" {
			t.Errorf("%s: %d %+v", wish, w.Code, o)
		}
	}
	s.unwilled = "conferences.unrecorded"
	if w := s.do(ask{method: http.MethodPost, path: "/conferences/sala/order?lang=it", form: url.Values{"do": {"record"}}, as: access.Supervisor}); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "non si può registrare a mano") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
