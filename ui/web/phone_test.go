package web

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/phone"
	"github.com/pronto-pbx/pronto/ui/phone/phonetest"
)

func TestThePhoneLooksAsReviewed(t *testing.T) {
	all, err := page.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range i18n.Languages() {
		calls := phonetest.Busy(hostile).Show("")
		calls.Reader, calls.Box = page.Reader{Name: "anna", Role: access.Agent, Path: "/phone"}, "Bottega"
		calls.Live = "/phone/live?lang=" + lang
		quiet := page.Phone{Reader: calls.Reader, Box: "Bottega", Live: calls.Live}
		heard := page.Phone{Reader: calls.Reader, Box: "Bottega"}
		heard.Reader.Heard, heard.Reader.Sealed = true, "https://192.168.1.5/phone"
		for name, p := range map[string]page.Phone{"phone": calls, "phone-quiet": quiet, "phone-heard": heard} {
			reviewed(t, lang+"-"+name, func() ([]byte, error) { return all[lang].Phone(p, at) })
		}
	}
}

// What is done with the buttons reaches the phone, or is refused in words: to a script, and to a form.
func TestThePhoneObeysItsButtons(t *testing.T) {
	s := office(t)
	post := func(path string, form url.Values, accept string) *httptest.ResponseRecorder {
		return s.do(ask{method: http.MethodPost, path: path + "?lang=en", form: form, as: access.Agent, tls: true, header: http.Header{"Accept": {accept}}})
	}
	for _, c := range []struct {
		path string
		form url.Values
		want phone.Order
	}{
		{"/phone/dial", url.Values{"number": {" 06 123-456 "}}, phone.Order{Do: "dial", Number: "06123456"}},
		{"/phone/calls/l1", url.Values{"do": {"answer"}}, phone.Order{Do: "answer", Call: "l1"}},
		{"/phone/calls/l2", url.Values{"do": {"press"}, "digits": {"1#"}}, phone.Order{Do: "press", Call: "l2", Digits: "1#"}},
		{"/phone/calls/l2", url.Values{"do": {"transfer"}, "number": {"+39 333"}}, phone.Order{Do: "transfer", Call: "l2", Number: "+39333"}},
	} {
		if w := post(c.path, c.form, "text/html"); w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/phone") {
			t.Errorf("%s %v: %d to %q", c.path, c.form, w.Code, w.Header().Get("Location"))
		}
		if w := post(c.path, c.form, "application/json"); w.Code != http.StatusOK || w.Body.String() != "{}" {
			t.Errorf("%s %v: %d %s", c.path, c.form, w.Code, w.Body)
		}
		orders := s.phone.Orders()
		if got := orders[len(orders)-1]; got != c.want || len(orders)%2 != 0 {
			t.Errorf("%s %v: %+v", c.path, c.form, got)
		}
	}
	given := len(s.phone.Orders())
	for _, c := range []struct {
		path string
		form url.Values
		says string
	}{
		{"/phone/dial", url.Values{"number": {"anna@example.org"}}, "no telephone number"},
		{"/phone/dial", url.Values{"number": {strings.Repeat("1", 41)}}, "no telephone number"},
		{"/phone/calls/l2", url.Values{"do": {"press"}, "digits": {"x"}}, "no keys"},
		{"/phone/calls/l2", url.Values{"do": {"transfer"}}, "no telephone number"},
	} {
		if w := post(c.path, c.form, "application/json"); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s %v: %d %s", c.path, c.form, w.Code, w.Body)
		}
	}
	if now := len(s.phone.Orders()); now != given {
		t.Errorf("%d orders of what was refused", now-given)
	}
	s.phone.Refuse("softphone.busy")
	if w := post("/phone/dial", url.Values{"number": {"201"}}, "application/json"); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "two calls already") {
		t.Errorf("refused: %d %s", w.Code, w.Body)
	}
	if w := post("/phone/dial", url.Values{"number": {"201"}}, "text/html"); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "two calls already") {
		t.Errorf("refused: %d", w.Code)
	}
}

func TestAnOfferIsAnsweredOrRefusedInWords(t *testing.T) {
	s := office(t)
	offer := func(body string) *httptest.ResponseRecorder {
		return s.do(ask{method: http.MethodPost, path: "/phone/calls/l1/offer?page=me&lang=it", body: strings.NewReader(body), as: access.Agent, tls: true, header: http.Header{"Accept": {"application/json"}}})
	}
	if w := offer("v=0"); w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/sdp" || w.Body.String() != "v=0\r\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if got := s.phone.Offers(); len(got) != 1 || got[0] != "l1 me v=0" {
		t.Errorf("%q", got)
	}
	s.phone.Refuse("softphone.full")
	if w := offer("v=0"); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "Troppe persone") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := offer(strings.Repeat("v", mostOffer+1)); w.Code != http.StatusBadRequest {
		t.Errorf("a giant: %d", w.Code)
	}
}

func TestWhoMayNotTelephoneWithThePageIsToldSo(t *testing.T) {
	s := office(t)
	for _, path := range []string{"/phone", "/phone/live", "/phone/ready/live?page=x"} {
		if w := s.do(ask{method: http.MethodGet, path: path, as: access.Owner, tls: true}); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := s.do(ask{method: http.MethodGet, path: "/phone/ready/live", as: access.Agent, tls: true}); w.Code != http.StatusBadRequest {
		t.Errorf("a page without a name: %d", w.Code)
	}
	s.phone.Refuse("softphone.pages")
	if w := s.do(ask{method: http.MethodGet, path: "/phone/ready/live?page=x", as: access.Agent, tls: true}); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a page too many: %d", w.Code)
	}
}

// follows opens a stream and returns what reads it until a line has some words, and what leaves it.
func (s *site) follows(t *testing.T, path string) (until func(string), leave func()) {
	t.Helper()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: plainCookie, Value: s.tokens[access.Agent]})
	res, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	lines := bufio.NewScanner(res.Body)
	return func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), want) {
				return
			}
		}
		t.Fatalf("the stream ends without %q: %v", want, lines.Err())
	}, cancel
}

// The phone rings while the stream of a ready page is open, and no longer.
func TestThePhoneRingsWhileItsPageIsOpen(t *testing.T) {
	s := office(t)
	until, leave := s.follows(t, "/phone/ready/live?page=x&lang=en")
	until("event: orders")
	until(`{"ring":true}`)
	if n := <-s.phone.Pages(); n != 1 {
		t.Errorf("%d pages", n)
	}
	leave()
	if n := <-s.phone.Pages(); n != 0 {
		t.Errorf("%d pages after the end", n)
	}
}

func TestTheCallsOfAPageAreStreamed(t *testing.T) {
	s := office(t)
	until, _ := s.follows(t, "/phone/live?lang=en")
	until("event: version")
	until(`id="call-l2"`)
	s.phone.Change(page.Phone{Calls: []page.PhoneCall{{ID: "l9", Number: tel.Number("207"), Stage: "ringing", Incoming: true, Since: at}}})
	until(`id="call-l9"`)
	until("event: clock")
}
