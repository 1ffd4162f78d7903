package pbxtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
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

// Visitor is a browser without JavaScript.
type Visitor struct {
	t       testing.TB
	web     string // host:port of the page
	browser *http.Client
}

// OwnerPassword is that of the user owner, whom Claim makes; that of SignIn's sara is the same and " due".
const OwnerPassword = "cavallo corretto pinzatrice"

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

// Visit opens the office's page in a browser in which nobody has signed in.
func (o *Office) Visit() *Visitor { o.t.Helper(); return Visit(o.t, o.Web) }

// Code is that of the box's label.
func (o *Office) Code() string {
	o.t.Helper()
	body, _, err := control.Ask(context.Background(), o.Dir, http.MethodGet, "/claim")
	if err != nil {
		o.t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(body), "#")
	code, _, _ = strings.Cut(code, `"`)
	return code
}

// Claim makes somebody the owner of a new box, by the code of its label.
func (o *Office) Claim() *Visitor {
	o.t.Helper()
	v := o.Visit()
	v.Claim(o.Code())
	return v
}

// Claim makes the visitor the owner of a new box.
func (v *Visitor) Claim(code string) {
	v.t.Helper()
	v.Does("/claim", url.Values{"code": {code}, "name": {"owner"}, "password": {OwnerPassword}})
}

// SignIn claims a new box, makes the person of an agent its supervisor sara, and signs her in.
func (o *Office) SignIn(agent tel.AgentID) *Visitor {
	o.t.Helper()
	v := o.Claim()
	v.Does("/users", url.Values{"name": {"sara"}, "role": {"supervisor"}, "agent": {string(agent)}, "password": {OwnerPassword + " due"}})
	v.Does("/signin", url.Values{"name": {"sara"}, "password": {OwnerPassword + " due"}})
	return v
}

// Owner signs the owner in, where the box has been claimed.
func (v *Visitor) Owner() {
	v.t.Helper()
	v.Does("/signin", url.Values{"name": {"owner"}, "password": {OwnerPassword}})
}

// Does sends a form that the page takes.
func (v *Visitor) Does(path string, form url.Values) {
	v.t.Helper()
	if status, page := v.Post(path, form); status != http.StatusSeeOther {
		v.t.Fatalf("%s: %d %s", path, status, page)
	}
}

// Post sends a form as a browser does.
func (v *Visitor) Post(path string, form url.Values) (status int, page string) {
	v.t.Helper()
	return v.ask(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

// Upload sends a form with a file, by the field "file", behind its other fields, in their order.
func (v *Visitor) Upload(path, name string, file []byte, fields ...[2]string) (status int, page string) {
	v.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, f := range fields {
		if err := form.WriteField(f[0], f[1]); err != nil {
			v.t.Fatal(err)
		}
	}
	part, err := form.CreateFormFile("file", name)
	if err == nil {
		_, err = part.Write(file)
	}
	if err := errors.Join(err, form.Close()); err != nil {
		v.t.Fatal(err)
	}
	return v.ask(http.MethodPost, path, form.FormDataContentType(), &body)
}

// Get asks once for a page. While the program is started again the question waits in the socket.
func (v *Visitor) Get(path string) (status int, page string) {
	v.t.Helper()
	return v.ask(http.MethodGet, path, "", http.NoBody)
}

// Cookie is the visitor's session, for a request of another kind.
func (v *Visitor) Cookie() *http.Cookie {
	v.t.Helper()
	all := v.browser.Jar.Cookies(&url.URL{Scheme: "http", Host: v.web, Path: "/"})
	if len(all) != 1 {
		v.t.Fatalf("the visitor has %d cookies", len(all))
	}
	return all[0]
}

func (v *Visitor) ask(method, path, kind string, content io.Reader) (status int, page string) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+v.web+path, content)
	if err != nil {
		v.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", kind)
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
