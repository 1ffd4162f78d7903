package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
)

func TestOnlyWhoConfiguresTheBoxReadsTheMessagesOfACall(t *testing.T) {
	s := ofSales(t)
	for role, may := range map[access.Role]bool{access.Owner: true, access.Installer: true, access.Supervisor: false, access.Agent: false, access.Reader: false} {
		w := s.do(ask{method: http.MethodGet, path: "/calls/c1/sip?lang=en", as: role})
		if (w.Code == http.StatusOK) != may || strings.Contains(w.Body.String(), "INVITE sip:202@box") != may {
			t.Errorf("%s: %d", role, w.Code)
		}
		w = s.do(ask{method: http.MethodGet, path: "/calls/c1/sip.pcapng", as: role})
		if (w.Code == http.StatusOK) != may || (w.Body.String() == "capture of c1") != may {
			t.Errorf("%s takes it: %d %q", role, w.Code, w.Body)
		}
	}
	if w := s.do(ask{method: http.MethodGet, path: "/calls/c9/sip?lang=en", as: access.Owner}); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "not remembered") {
		t.Errorf("a call of which nothing is known: %d", w.Code)
	}
	if w := s.do(ask{method: http.MethodGet, path: "/calls/c9/sip.pcapng?lang=en", as: access.Owner}); w.Code != http.StatusNotFound {
		t.Errorf("its capture: %d", w.Code)
	}
}

func TestThePageOfTheMessagesLooksAsReviewed(t *testing.T) {
	all, err := page.All()
	if err != nil {
		t.Fatal(err)
	}
	who := page.Reader{Name: "anna", Role: access.Owner, Path: "/calls/c1/sip"}
	for lang, r := range all {
		t.Run(lang, func(t *testing.T) {
			reviewed(t, lang+"-trace", func() ([]byte, error) {
				return r.Trace(page.Trace{Box: "Bottega", Reader: who, Call: "c1", Rungs: settingstest.Rungs(hostile, at)}, at)
			})
		})
	}
}
