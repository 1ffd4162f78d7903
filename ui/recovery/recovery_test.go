package recovery

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// twin is a box in memory.
type twin struct {
	facts  page.Recovery
	secret string
	failed error
	breaks error // while a copy is sent
	did    []string
}

func (b *twin) Facts() page.Recovery { return b.facts }
func (b *twin) Copy(context.Context) (string, string, error) {
	b.did = append(b.did, "copy")
	return "pronto-bar-20261127T120000Z.age", b.secret, b.failed
}

func (b *twin) Take() (Copy, error) {
	b.did = append(b.did, "take")
	return Copy{Name: "pronto-bar-20261127T120000Z.age", Secret: b.secret, Write: func(_ context.Context, to io.Writer) error {
		_, err := io.WriteString(to, "everything, encrypted")
		return errors.Join(err, b.breaks)
	}}, b.failed
}

func (b *twin) Reset() error {
	b.did = append(b.did, "reset")
	return b.failed
}
func (b *twin) Restart() { b.did = append(b.did, "restart") }

// visitor is a browser in front of the page.
type visitor struct {
	t      *testing.T
	box    *twin
	code   access.Code
	site   http.Handler
	cookie *http.Cookie
	from   string
	scheme string
}

func visit(t *testing.T) *visitor {
	t.Helper()
	v := &visitor{
		t: t, code: access.NewCode(), from: "192.168.1.20:4000", scheme: "http",
		box: &twin{facts: page.Recovery{Box: "7H3K9QXA", Reason: "failed", Failed: 3, Version: "v1", Log: []string{"level=ERROR a line of the log"}}},
	}
	var err error
	v.site, err = New(Config{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Box: v.box, Gate: access.NewGate(v.code), Language: "it", TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (v *visitor) do(method, path string, form url.Values, header ...string) *httptest.ResponseRecorder {
	v.t.Helper()
	r := httptest.NewRequest(method, v.scheme+"://pronto-9qxa.local"+path, strings.NewReader(form.Encode()))
	r.RemoteAddr = v.from
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if v.cookie != nil {
		r.AddCookie(v.cookie)
	}
	w := httptest.NewRecorder()
	v.site.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		v.cookie = c
	}
	if body := w.Body.String(); strings.Contains(body, "⟦") {
		v.t.Errorf("%s %s lacks a sentence: %s", method, path, body)
	}
	return w
}

func (v *visitor) enter(code string) int {
	return v.do(http.MethodPost, "/enter", url.Values{"code": {code}}).Code
}

func TestTheRecoveryShowsAndDoesNothingBeforeTheCodeOfTheLabelWasGiven(t *testing.T) {
	v := visit(t)
	w := v.do(http.MethodGet, "/", nil)
	if body := w.Body.String(); w.Code != http.StatusOK || strings.Contains(body, "a line of the log") || strings.Contains(body, `action="/reset`) || !strings.Contains(body, `action="/enter`) {
		t.Errorf("a stranger sees %d %s", w.Code, body)
	}
	for _, path := range []string{"/copy", "/reset", "/restart"} {
		if w := v.do(http.MethodPost, path, url.Values{"typed": {"7H3K9QXA"}}); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if got := v.enter(access.NewCode().String()); got != http.StatusForbidden || v.cookie != nil {
		t.Errorf("another code: %d, cookie %v", got, v.cookie)
	}
	if len(v.box.did) > 0 {
		t.Errorf("a stranger did %q", v.box.did)
	}
	if got := v.enter(v.code.String()); got != http.StatusSeeOther || v.cookie == nil || !v.cookie.HttpOnly || v.cookie.SameSite != http.SameSiteStrictMode {
		t.Fatalf("the code: %d, cookie %v", got, v.cookie)
	}
	if body := v.do(http.MethodGet, "/?lang=en", nil).Body.String(); !strings.Contains(body, "a line of the log") || !strings.Contains(body, "started 3 times in a row") {
		t.Errorf("inside: %s", body)
	}
}

func TestWrongCodesCostTime(t *testing.T) {
	v := visit(t)
	for range 3 {
		v.enter("0000-0000-0")
	}
	w := v.do(http.MethodPost, "/enter?lang=en", url.Values{"code": {v.code.String()}})
	if w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), "Too many wrong codes") || v.cookie != nil {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestASessionEndsWhenNobodyUsesIt(t *testing.T) {
	v := visit(t)
	v.enter(v.code.String())
	s := &server{sessions: map[string]session{v.cookie.Value: {used: time.Now().Add(-idle - time.Second)}}}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(v.cookie)
	if s.inside(r) || len(s.sessions) > 0 {
		t.Error("it goes on")
	}
}

func TestEverythingIsErasedOnlyWhenTheNumberOfTheBoxWasTyped(t *testing.T) {
	v := visit(t)
	v.enter(v.code.String())
	if w := v.do(http.MethodPost, "/reset", url.Values{"typed": {"yes"}}); w.Code != http.StatusUnprocessableEntity || len(v.box.did) > 0 {
		t.Fatalf("%d, did %q", w.Code, v.box.did)
	}
	v.box.failed = errors.New("the card is dead")
	if w := v.do(http.MethodPost, "/reset", url.Values{"typed": {"7h3k9qxa"}}); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "the card is dead") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	v.box.failed = nil
	if w := v.do(http.MethodPost, "/reset?lang=en", url.Values{"typed": {" 7h3k9qxa "}}); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "erases itself now") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !slices.Equal(v.box.did, []string{"reset", "reset", "restart"}) {
		t.Errorf("did %q", v.box.did)
	}
}

func TestACopyGoesOntoTheStickAndItsKeyIsShownOnce(t *testing.T) {
	v := visit(t)
	v.enter(v.code.String())
	if body := v.do(http.MethodGet, "/?lang=en", nil).Body.String(); !strings.Contains(body, "Plug a stick") {
		t.Errorf("without a stick: %s", body)
	}
	v.box.facts.Stick, v.box.secret = true, "AGE-SECRET-KEY-1X"
	if body := v.do(http.MethodPost, "/copy", nil).Body.String(); !strings.Contains(body, "AGE-SECRET-KEY-1X") || !strings.Contains(body, "pronto-bar-") {
		t.Errorf("%s", body)
	}
	if body := v.do(http.MethodGet, "/", nil).Body.String(); strings.Contains(body, "AGE-SECRET-KEY") {
		t.Error("the key is shown again")
	}
	v.box.failed = errors.New("the stick is full")
	if w := v.do(http.MethodPost, "/copy", nil); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "the stick is full") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestThePhoneSystemIsTriedAgain(t *testing.T) {
	v := visit(t)
	v.enter(v.code.String())
	if w := v.do(http.MethodPost, "/restart", nil); w.Code != http.StatusOK || !slices.Equal(v.box.did, []string{"restart"}) {
		t.Errorf("%d, did %q", w.Code, v.box.did)
	}
}

func TestNoOtherPageUsesTheSession(t *testing.T) {
	v := visit(t)
	v.enter(v.code.String())
	if w := v.do(http.MethodPost, "/reset", url.Values{"typed": {"7H3K9QXA"}}, "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusForbidden || len(v.box.did) > 0 {
		t.Errorf("%d, did %q", w.Code, v.box.did)
	}
	r := httptest.NewRequest(http.MethodGet, "http://evil.example/", nil)
	w := httptest.NewRecorder()
	if v.site.ServeHTTP(w, r); w.Code != http.StatusMisdirectedRequest {
		t.Errorf("by a foreign name: %d", w.Code)
	}
}

func broken(t *testing.T, tr Trouble, from, path string) *httptest.ResponseRecorder {
	t.Helper()
	h, err := Broken(func() Trouble { return tr }, "it")
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "http://pronto.local"+path, nil)
	r.RemoteAddr = from
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if strings.Contains(w.Body.String(), "⟦") {
		t.Errorf("a sentence is missing: %s", w.Body)
	}
	return w
}

func TestABrokenOfficeSaysWhatIsWrongOnEveryPath(t *testing.T) {
	tr := Trouble{Box: "7H3K9QXA", Refused: true, Lines: []string{"level=INFO msg=call from=3331234567", "level=ERROR msg=disk", "prontod: pronto.yaml has 1 mistakes:"}}
	w := broken(t, tr, "192.168.1.20:4000", "/queues?lang=en")
	body := w.Body.String()
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(body, "refuses to start") || !strings.Contains(body, "pronto.txt") {
		t.Errorf("%d %s", w.Code, body)
	}
	if !strings.Contains(body, "has 1 mistakes") || !strings.Contains(body, "msg=disk") || strings.Contains(body, "3331234567") {
		t.Errorf("its lines: %s", body)
	}
	if body := broken(t, tr, "203.0.113.9:4000", "/").Body.String(); strings.Contains(body, "mistakes") {
		t.Error("somebody from far away reads the log")
	}
	if body := broken(t, Trouble{Tries: 7}, "192.168.1.20:4000", "/?lang=en").Body.String(); !strings.Contains(body, "7 tries so far") {
		t.Errorf("%s", body)
	}
	if w := broken(t, tr, "192.168.1.20:4000", "/asset/pronto.css"); w.Code != http.StatusOK {
		t.Errorf("style sheet: %d", w.Code)
	}
}

func TestThePagesSayTheSameInBothLanguages(t *testing.T) {
	v := visit(t)
	v.enter(v.code.String())
	v.box.facts.Stick, v.box.facts.Data, v.box.facts.Reason = true, "no card", ""
	for _, by := range []string{"page", "stick", "button", "card"} {
		v.box.facts.Resets = append(v.box.facts.Resets, page.Erasure{At: time.Unix(1e9, 0), By: by})
	}
	for _, lang := range []string{"it", "en"} {
		for _, reason := range []string{"", "failed", "button", "stick"} {
			v.box.facts.Reason = reason
			if w := v.do(http.MethodGet, "/?lang="+lang, nil); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `lang="`+lang+`"`) {
				t.Errorf("%s, %q: %d", lang, reason, w.Code)
			}
		}
	}
}
