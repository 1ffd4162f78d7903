package recovery

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

const taken = "/take/pronto-bar-20261127T120000Z.age"

// inHTTPS is a visitor whom nobody listens to, and who has given the code.
func inHTTPS(t *testing.T) *visitor {
	t.Helper()
	v := visit(t)
	v.scheme = "https"
	if got := v.enter(v.code.String()); got != http.StatusSeeOther || !v.cookie.Secure {
		t.Fatalf("the code: %d, %v", got, v.cookie)
	}
	return v
}

func TestACopyIsTakenAwayOverTheNetworkAndItsKeyIsShownBefore(t *testing.T) {
	v := inHTTPS(t)
	v.box.secret = "AGE-SECRET-KEY-1X"
	if w := v.do(http.MethodGet, taken, nil); w.Code != http.StatusNotFound {
		t.Errorf("before it was prepared: %d", w.Code)
	}
	if body := v.do(http.MethodPost, "/take?lang=en", nil).Body.String(); !strings.Contains(body, "AGE-SECRET-KEY-1X") || !strings.Contains(body, `href="`+taken+`" download`) {
		t.Fatalf("%s", body)
	}
	if body := v.do(http.MethodGet, "/", nil).Body.String(); strings.Contains(body, "AGE-SECRET-KEY") {
		t.Error("the key is shown again")
	}
	for range 2 { // one that broke off is fetched again
		w := v.do(http.MethodGet, taken, nil)
		if w.Code != http.StatusOK || w.Body.String() != "everything, encrypted" || w.Header().Get("Content-Disposition") != `attachment; filename="pronto-bar-20261127T120000Z.age"` || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
		}
	}
	if w := v.do(http.MethodGet, "/take/another.age", nil); w.Code != http.StatusNotFound {
		t.Errorf("another name: %d", w.Code)
	}
	v.box.failed = errors.New("the card cannot be read")
	if w := v.do(http.MethodPost, "/take", nil); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "the card cannot be read") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestNoCopyIsTakenAwayBeforeTheCodeNorInTheClear(t *testing.T) {
	v := visit(t)
	v.scheme = "https"
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		path := map[string]string{http.MethodPost: "/take", http.MethodGet: taken}[method]
		if w := v.do(method, path, nil); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), `action="/enter`) {
			t.Errorf("%s by a stranger: %d", method, w.Code)
		}
	}
	v.scheme = "http"
	v.enter(v.code.String())
	if w := v.do(http.MethodPost, "/take?lang=en", nil); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "No copy is handed out here") {
		t.Errorf("in the clear: %d %s", w.Code, w.Body)
	}
	if body := v.do(http.MethodGet, "/?lang=en", nil).Body.String(); !strings.Contains(body, `href="https://pronto-9qxa.local/?lang=en"`) || strings.Contains(body, `<button>Prepare`) {
		t.Errorf("the page in the clear: %s", body)
	}
	// Whoever has listened in has the session, too.
	v.scheme = "https"
	if w := v.do(http.MethodPost, "/take", nil); w.Code != http.StatusForbidden {
		t.Errorf("with a session that began in the clear: %d", w.Code)
	}
	if len(v.box.did) > 0 {
		t.Errorf("the box did %q", v.box.did)
	}
}

func TestHalfOfACopyIsNotTakenForAWholeOne(t *testing.T) {
	v := inHTTPS(t)
	v.do(http.MethodPost, "/take", nil)
	v.box.breaks = errors.New("bad sectors")
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
			t.Errorf("the answer ends as if it were whole: %v", p)
		}
	}()
	v.do(http.MethodGet, taken, nil)
}
