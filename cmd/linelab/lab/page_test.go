package lab

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// pluggedIn is a lab with nothing but its modems.
func pluggedIn(t *testing.T) *lab {
	t.Helper()
	l := &lab{cfg: Config{Out: io.Discard, Dir: t.TempDir()}, ctx: t.Context()}
	var err error
	if l.mobile, err = newMobile(l); err != nil {
		t.Fatal(err)
	}
	if l.analog, err = newAnalog(l); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(l.mobile.Close(), l.analog.sim.Close()); err != nil {
			t.Error(err)
		}
	})
	return l
}

// press asks the page as a browser does whose page is at origin.
func press(l *lab, method, path, origin string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:8090"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	w := httptest.NewRecorder()
	l.page().ServeHTTP(w, r)
	return w
}

const ownOrigin = "http://127.0.0.1:8090"

func TestEachFaultIsAButtonThatEndsItWhileItLasts(t *testing.T) {
	l := pluggedIn(t)
	text := press(l, http.MethodGet, "/", "", nil).Body.String()
	for _, line := range Lines() {
		_, part, _ := strings.Cut(text, "Line "+line)
		part, _, _ = strings.Cut(part, "</ul>")
		for _, f := range Faults(line) {
			if !strings.Contains(part, `name="name" value="`+f.Name+`"`) {
				t.Errorf("there is no button for %s of %s", f.Name, line)
			}
		}
	}
	if !strings.Contains(text, "nothing is wrong with it") || strings.Contains(text, "Lasts now.") {
		t.Errorf("a sound line is shown as\n%s", text)
	}
	for _, name := range []string{"no_network", "mute"} {
		if w := press(l, http.MethodPost, "/lines/gsm0/fault", ownOrigin, url.Values{"name": {name}}); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" {
			t.Fatalf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if text = press(l, http.MethodGet, "/", "", nil).Body.String(); strings.Count(text, "Lasts now.") != 2 || !strings.Contains(text, "2 faults last now") {
		t.Errorf("two faults are shown as\n%s", text)
	}
	press(l, http.MethodPost, "/lines/gsm0/heal", ownOrigin, url.Values{"name": {"mute"}})
	if now := l.mobile.Struck(); !slices.Equal(now, []string{"no_network"}) {
		t.Errorf("after one was ended %v last", now)
	}
	press(l, http.MethodPost, "/lines/fxo0/fault", ownOrigin, url.Values{"name": {"no_voltage"}})
	if now := l.analog.Struck(); !slices.Equal(now, []string{"no_voltage"}) {
		t.Errorf("of the analog line %v last", now)
	}
	press(l, http.MethodPost, "/lines/gsm0/heal", ownOrigin, url.Values{"name": {"all"}})
	if now := l.mobile.Struck(); len(now) > 0 {
		t.Errorf("after all were ended %v last", now)
	}
}

func TestWhatThePageOfFaultsRefuses(t *testing.T) {
	l := pluggedIn(t)
	for name, c := range map[string]struct {
		method, path, origin string
		form                 url.Values
		status               int
		words                string
	}{
		"a form of another site":      {http.MethodPost, "/lines/gsm0/fault", "http://evil.example", url.Values{"name": {"mute"}}, http.StatusForbidden, "only the buttons of this page"},
		"a request of no browser":     {http.MethodPost, "/lines/gsm0/fault", "", url.Values{"name": {"mute"}}, http.StatusForbidden, "only the buttons of this page"},
		"a line that there is not":    {http.MethodPost, "/lines/gsm7/fault", ownOrigin, url.Values{"name": {"mute"}}, http.StatusConflict, "the lab has no line"},
		"a fault that there is not":   {http.MethodPost, "/lines/gsm0/fault", ownOrigin, url.Values{"name": {"<b>rain"}}, http.StatusConflict, "&lt;b&gt;rain"},
		"a verb that there is not":    {http.MethodPost, "/lines/gsm0/dance", ownOrigin, url.Values{"name": {"mute"}}, http.StatusConflict, "nobody understands"},
		"an argument that is no time": {http.MethodPost, "/lines/gsm0/fault", ownOrigin, url.Values{"name": {"brown_out"}, "argument": {"soon"}}, http.StatusConflict, "Nothing was done"},
		"the end of what never began": {http.MethodPost, "/lines/gsm0/heal", ownOrigin, url.Values{"name": {"never"}}, http.StatusConflict, "Nothing was done"},
		"a form without end":          {http.MethodPost, "/lines/gsm0/fault", ownOrigin, url.Values{"name": {strings.Repeat("x", maxForm)}}, http.StatusConflict, "the form cannot be read"},
		"a fault by a link":           {http.MethodGet, "/lines/gsm0/fault?name=mute", ownOrigin, nil, http.StatusMethodNotAllowed, ""},
		"a page that there is not":    {http.MethodGet, "/nothing", "", nil, http.StatusNotFound, ""},
	} {
		w := press(l, c.method, c.path, c.origin, c.form)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.words) {
			t.Errorf("%s: %d, want %d and %q:\n%s", name, w.Code, c.status, c.words, w.Body)
		}
	}
	if now := l.mobile.Struck(); len(now) > 0 {
		t.Errorf("carried out: %v", now)
	}
	r := httptest.NewRequest(http.MethodGet, "http://rebound.example/", nil)
	w := httptest.NewRecorder()
	if l.page().ServeHTTP(w, r); w.Code != http.StatusMisdirectedRequest {
		t.Errorf("by a foreign name: %d", w.Code)
	}
	l.cfg.Page = netip.MustParseAddrPort("0.0.0.0:0")
	if err := l.openPage(); err == nil || !strings.Contains(err.Error(), "this machine alone") {
		t.Errorf("for everybody: %v", err)
	}
}

func TestThePageOfFaultsIsServedUntilThePlayEnds(t *testing.T) {
	l := pluggedIn(t)
	var said diary
	ctx, end := context.WithCancel(t.Context())
	defer end()
	l.ctx, l.cfg.Out, l.cfg.Page = ctx, &said, netip.MustParseAddrPort("127.0.0.1:0")
	if err := l.openPage(); err != nil {
		t.Fatal(err)
	}
	_, address, _ := strings.Cut(strings.TrimSpace(said.String()), "http://")
	browser := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := browser.Get("http://" + address)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if _ = res.Body.Close(); err != nil || !strings.Contains(string(text), "Faults of the demo office") || res.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("%v, %d %s", err, res.StatusCode, text)
	}
	l.cfg.Page = netip.MustParseAddrPort(address)
	if err := l.openPage(); err == nil {
		t.Error("two pages have one address")
	}
	end()
	l.wg.Wait()
	if res, err := browser.Get("http://" + address); err == nil {
		_ = res.Body.Close()
		t.Error("the page outlives the play")
	}
}
