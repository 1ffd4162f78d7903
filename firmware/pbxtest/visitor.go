package pbxtest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Visitor is a browser without JavaScript in which somebody has signed in.
type Visitor struct {
	t       testing.TB
	web     string // host:port of the page
	browser *http.Client
}

// Visit opens the page at host:port in a browser in which nobody has signed in.
func Visit(t testing.TB, web string) *Visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &Visitor{t: t, web: web, browser: &http.Client{Timeout: 30 * time.Second, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	t.Cleanup(v.browser.CloseIdleConnections)
	return v
}

// ownerPassword is that of the owner whom Claim makes.
const ownerPassword = "cavallo corretto pinzatrice"

// Claim makes somebody the owner of a new box, by the code of its label.
func (o *Office) Claim() *Visitor {
	o.t.Helper()
	body, _, err := control.Ask(context.Background(), o.Dir, http.MethodGet, "/claim")
	if err != nil {
		o.t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(body), "#")
	code, _, _ = strings.Cut(code, `"`)
	v := Visit(o.t, o.Web)
	v.Claim(code)
	return v
}

// Claim makes the visitor the owner of a new box.
func (v *Visitor) Claim(code string) {
	v.t.Helper()
	v.sends("/claim", url.Values{"code": {code}, "name": {"owner"}, "password": {ownerPassword}})
}

// sends posts a form that leads on to another page.
func (v *Visitor) sends(path string, form url.Values) {
	v.t.Helper()
	if status, page := v.Post(path, form); status != http.StatusSeeOther {
		v.t.Fatalf("%s: %d %s", path, status, page)
	}
}

// SignIn claims a new box, makes the person of an agent its supervisor sara, and signs her in.
func (o *Office) SignIn(agent tel.AgentID) *Visitor {
	o.t.Helper()
	v, password := o.Claim(), ownerPassword
	for _, step := range []struct {
		path string
		form url.Values
	}{
		{"/users", url.Values{"name": {"sara"}, "role": {"supervisor"}, "agent": {string(agent)}, "password": {password + " due"}}},
		{"/signin", url.Values{"name": {"sara"}, "password": {password + " due"}}},
	} {
		v.sends(step.path, step.form)
	}
	return v
}

// Post sends a form as a browser does.
func (v *Visitor) Post(path string, form url.Values) (status int, page string) {
	v.t.Helper()
	return v.ask(http.MethodPost, path, strings.NewReader(form.Encode()))
}

// Get asks once for a page. While the program is started again the question waits in the socket.
func (v *Visitor) Get(path string) (status int, page string) {
	v.t.Helper()
	return v.ask(http.MethodGet, path, http.NoBody)
}

func (v *Visitor) ask(method, path string, content io.Reader) (status int, page string) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+v.web+path, content)
	if err != nil {
		v.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", "http://"+v.web)
	}
	res, err := v.browser.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		v.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// Shows waits until a page says all of it: the page follows what happens, a moment later.
func (v *Visitor) Shows(path string, want ...string) {
	v.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		status, page := v.Get(path)
		missing := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return strings.Contains(page, w) })
		if status == http.StatusOK && len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			v.t.Fatalf("%s: %d, lacks %q\n%s", path, status, missing, page)
		}
	}
}
