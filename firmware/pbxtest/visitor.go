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
	"time"

	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Visitor is a browser without JavaScript in which somebody has signed in.
type Visitor struct {
	o       *Office
	browser *http.Client
}

// OwnerPassword is that of the owner, who signs in as owner.
const OwnerPassword = "cavallo corretto pinzatrice"

// Visit opens a browser in which nobody has signed in.
func (o *Office) Visit() *Visitor {
	o.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		o.t.Fatal(err)
	}
	v := &Visitor{o: o, browser: &http.Client{Timeout: 10 * time.Second, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	o.t.Cleanup(v.browser.CloseIdleConnections)
	return v
}

// Code is the code of the box's label.
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

// Claim makes the visitor of a new box its owner.
func (o *Office) Claim() *Visitor {
	o.t.Helper()
	v := o.Visit()
	v.does("/claim", url.Values{"code": {o.Code()}, "name": {"owner"}, "password": {OwnerPassword}})
	return v
}

// SignIn claims a new box, makes the person of an agent its supervisor sara, and signs her in.
func (o *Office) SignIn(agent tel.AgentID) *Visitor {
	o.t.Helper()
	v := o.Claim()
	v.does("/users", url.Values{"name": {"sara"}, "role": {"supervisor"}, "agent": {string(agent)}, "password": {OwnerPassword + " due"}})
	v.does("/signin", url.Values{"name": {"sara"}, "password": {OwnerPassword + " due"}})
	return v
}

// does posts a form that leads on to another page.
func (v *Visitor) does(path string, form url.Values) {
	v.o.t.Helper()
	if status, page := v.Post(path, form); status != http.StatusSeeOther {
		v.o.t.Fatalf("%s: %d %s", path, status, page)
	}
}

// Upload sends a form with a file named "file" behind its other fields, in their order.
func (v *Visitor) Upload(path string, file []byte, fields ...[2]string) (status int, page string) {
	v.o.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, f := range fields {
		if err := form.WriteField(f[0], f[1]); err != nil {
			v.o.t.Fatal(err)
		}
	}
	part, err := form.CreateFormFile("file", "file")
	if err == nil {
		_, err = part.Write(file)
	}
	if err := errors.Join(err, form.Close()); err != nil {
		v.o.t.Fatal(err)
	}
	return v.send(http.MethodPost, path, form.FormDataContentType(), &body)
}

// Post sends a form as a browser does.
func (v *Visitor) Post(path string, form url.Values) (status int, page string) {
	v.o.t.Helper()
	return v.send(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

// Get asks once for a page. While the program is started again the question waits in the socket.
func (v *Visitor) Get(path string) (status int, page string) {
	v.o.t.Helper()
	return v.send(http.MethodGet, path, "", http.NoBody)
}

func (v *Visitor) send(method, path, kind string, content io.Reader) (status int, page string) {
	v.o.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+v.o.Web+path, content)
	if err != nil {
		v.o.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Origin", "http://"+v.o.Web)
	}
	res, err := v.browser.Do(req)
	if err != nil {
		v.o.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		v.o.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// Shows waits until a page says all of it: the page follows what happens, a moment later.
func (v *Visitor) Shows(path string, want ...string) {
	v.o.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		status, page := v.Get(path)
		missing := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return strings.Contains(page, w) })
		if status == http.StatusOK && len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			v.o.t.Fatalf("%s: %d, lacks %q\n%s", path, status, missing, page)
		}
	}
}
