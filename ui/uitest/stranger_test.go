package uitest

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
	"github.com/pronto-pbx/pronto/ui/web"
)

// A box at an address of a network, its owner's browser, and strangers. The browser's own fence around local
// networks is down: the box's locks are on trial, and other browsers have no fence.
func TestStrangersGetNothing(t *testing.T) {
	programs := os.Getenv(insideEnv)
	if testing.Short() || programs == "" {
		t.Skip("left out: only root can make the network of this test (with CI=true that is a failure)")
	}
	b := Start(t, "--ignore-certificate-errors", "--disable-features=LocalNetworkAccessChecks,PrivateNetworkAccessSendPreflights")
	o := pbxtest.BenchAt(programs).Start(t, pbxtest.Setup{Agents: 1, Page: netip.MustParseAddr(theBox)})
	home := &town{t, b, o}
	for _, c := range []struct {
		name string
		test func(*testing.T, *town)
	}{
		{"a box is claimed from its own network alone, with the code of its label", aBoxIsClaimedFromItsNetwork},
		{"a name that was made to point at the box opens nothing", aReboundNameOpensNothing},
		{"a page on another port of the box changes nothing and reads nothing", aSiblingPortChangesNothing},
		{"what does not say that it comes from the page changes nothing", whatSaysNothingChangesNothing},
		{"a session read in the network opens nothing over HTTPS, far away, or that is secret", aStolenSessionOpensLittle},
	} {
		if !t.Run(c.name, func(t *testing.T) { home.T = t; c.test(t, home) }) {
			return // each begins where the one before has left the box
		}
	}
}

// town is the box, its owner's browser and who else is there.
type town struct {
	*testing.T
	browser *Browser
	office  *pbxtest.Office
}

// said is what somebody without a browser was told.
type said struct {
	status int
	body   string
	header http.Header
}

// ask makes one request of the box from an address, with headers as a stranger may choose them.
func (w *town) ask(from, method, address string, form url.Values, header http.Header) said {
	w.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	transport := &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(w.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Host = header.Get("Host")
	res, err := client.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		w.Fatal(err)
	}
	return said{res.StatusCode, string(body), res.Header}
}

func (w *town) plain(path string) string  { return "http://" + w.office.Web + path }
func (w *town) sealed(path string) string { return "https://" + w.office.WebTLS + path }

// ours is what the box's own page says of itself with a form.
func (w *town) ours() http.Header { return http.Header{"Origin": {"http://" + w.office.Web}} }

// serveAt serves a stranger's pages until the test ends, or stop is called.
func serveAt(t *testing.T, addr string, h http.HandlerFunc) (at string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	stop = sync.OnceFunc(func() {
		_ = srv.Close()
		<-done
	})
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

// relay hands on, until the test ends, what comes to one address to another, and back.
func relay(t *testing.T, from, to string) {
	t.Helper()
	l, err := net.Listen("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				t.Error(err)
				_ = in.Close()
				return
			}
			hand := func(to, from net.Conn) {
				_, _ = io.Copy(to, from)
				_, _ = to.Close(), from.Close()
			}
			all.Go(func() { hand(out, in) })
			all.Go(func() { hand(in, out) })
			t.Cleanup(func() { _, _ = in.Close(), out.Close() })
		}
	})
	t.Cleanup(all.Wait) // run last of all
	t.Cleanup(func() { _ = l.Close() })
}

func aBoxIsClaimedFromItsNetwork(t *testing.T, w *town) {
	code := w.office.Code()
	form := url.Values{"code": {code}, "name": {"eve"}, "password": {pbxtest.OwnerPassword}}
	for _, address := range []string{w.plain("/claim"), w.sealed("/claim")} {
		origin := http.Header{"Origin": {strings.TrimSuffix(address, "/claim")}}
		if got := w.ask(farAway, http.MethodPost, address, form, origin); got.status != http.StatusForbidden || len(got.header["Set-Cookie"]) > 0 {
			t.Errorf("%s from far away, with the right code: %d", address, got.status)
		}
		if got := w.ask(farAway, http.MethodGet, address, nil, nil); got.status != http.StatusForbidden || strings.Contains(got.body, "<input") {
			t.Errorf("%s shows its form far away: %d", address, got.status)
		}
	}
	p := w.browser.Open(t, w.plain("/claim?lang=en#"+code), Look{})
	p.Wait(t, `document.getElementById("code").value === "`+code+`"`)
	p.Eval(t, `document.getElementById("name").value = "anna"; document.getElementById("password").value = "`+pbxtest.OwnerPassword+`"; document.querySelector("main form").requestSubmit()`, nil)
	p.Wait(t, isLive+` && document.querySelector(".account").innerText.includes("anna")`)
	noFaults(t, p)
}

// signIn opens a tab in which the owner is signed in.
func (w *town) signIn(address string) *Page {
	w.Helper()
	p := w.browser.Open(w, address+"/signin?lang=en&to=/users", Look{})
	p.Wait(w, `document.getElementById("password")`)
	p.Eval(w, `document.getElementById("name").value = "anna"; document.getElementById("password").value = "`+pbxtest.OwnerPassword+`"; document.querySelector("main form").requestSubmit()`, nil)
	p.Wait(w, `location.pathname === "/users"`)
	return p
}

// aReboundNameOpensNothing loads a stranger's page under his own name, which from then on leads to the box: to the
// browser both are one site. A browser keeps a name's address for a minute, and a stranger waits so long; here his
// machine hands on the bytes instead, so that the box is sent the same.
func aReboundNameOpensNothing(t *testing.T, w *town) {
	_, port, err := net.SplitHostPort(w.office.Web)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{}, 1)
	_, stop := serveAt(t, theStranger+":"+port, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Connection", "close")
		if r.URL.Path != "/" { // the favicon
			rw.WriteHeader(http.StatusNotFound)
			return
		}
		rw.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(rw, "<title>evil</title>free ringtones")
		served <- struct{}{}
	})
	p := w.browser.Open(t, "http://"+net.JoinHostPort(evil, port)+"/", Look{})
	p.Wait(t, `document.title === "evil"`)
	<-served
	stop()
	relay(t, theStranger+":"+port, w.office.Web)
	for _, c := range []string{`"/api/now"`, `"/"`, `"/claim", {method: "POST", body: new URLSearchParams({code: "x"})}`, `"/signin", {method: "POST", body: new URLSearchParams({name: "anna", password: "` + pbxtest.OwnerPassword + `"})}`} {
		var got struct {
			Status int
			Text   string
		}
		p.Eval(t, `fetch(`+c+`).then(async (r) => ({status: r.status, text: await r.text()}))`, &got)
		if got.Status != http.StatusMisdirectedRequest || strings.Contains(got.Text, "<") {
			t.Errorf("fetch(%s) from %s: %d %s", c, evil, got.Status, got.Text)
		}
	}
	// Every route, by whoever writes the name himself.
	cookie := w.theft()
	for _, host := range []string{evil, evil + ":" + port, "pronto.local." + evil, "192.168.77.1." + evil, ""} {
		for _, r := range web.Routes() {
			method, path := settingstest.Path(r.Pattern)
			if host == "" {
				continue
			}
			header := http.Header{"Host": {host}, "Cookie": {cookie}, "Origin": {"http://" + host}}
			if got := w.ask(theStranger, method, w.plain(path), nil, header); got.status != http.StatusMisdirectedRequest {
				t.Errorf("%s as %q: %d", r.Pattern, host, got.status)
			}
		}
	}
}

// theft signs the owner in over plain HTTP and returns the cookie, as one reads it who listens in the network: a
// server on another port of the box is sent it, for cookies know no ports.
func (w *town) theft() (cookie string) {
	w.Helper()
	t := w.T
	got := make(chan string, 10)
	at, stop := serveAt(t, theBox+":0", func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			got <- r.Header.Get("Cookie")
		}
	})
	defer stop()
	p := w.signIn("http://" + w.office.Web)
	p.Eval(t, `location.href = "http://`+at+`/"`, nil)
	cookie = <-got
	if !strings.HasPrefix(cookie, "pronto_session=") {
		t.Fatalf("the thief got %q: the tests that use it would prove nothing", cookie)
	}
	return cookie
}

// state is what a stranger would like to change.
func (w *town) state(p *Page) (users, versions string) {
	w.Helper()
	p.Eval(w, `fetch("/users?lang=en").then((r) => r.text()).then((x) => [...new DOMParser().parseFromString(x, "text/html").querySelectorAll("main li h2")].map((e) => e.innerText.trim()).join())`, &users)
	p.Eval(w, `fetch("/history?lang=en").then((r) => r.text()).then((x) => [...new DOMParser().parseFromString(x, "text/html").querySelectorAll("main tbody tr, main li")].length + " versions")`, &versions)
	if !strings.Contains(users, "anna") {
		w.Fatalf("the owner is not signed in any more: users %q", users)
	}
	return users, versions
}

func aSiblingPortChangesNothing(t *testing.T, w *town) {
	p := w.signIn("http://" + w.office.Web)
	users, versions := w.state(p)
	at, _ := serveAt(t, theBox+":0", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(rw, "<title>sibling</title><form method=post></form>")
	})
	var tried []string
	for _, r := range web.Routes() {
		if method, path := settingstest.Path(r.Pattern); method == http.MethodPost {
			tried = append(tried, path)
		}
	}
	p.Eval(t, `location.href = "http://`+at+`/"`, nil)
	p.Wait(t, `document.title === "sibling"`)
	for _, path := range tried {
		p.Eval(t, `fetch("`+w.plain(path)+`", {method: "POST", mode: "no-cors", credentials: "include", body: new URLSearchParams({name: "eve", role: "owner", password: "`+pbxtest.OwnerPassword+`", plain: "off", ring: "33", do: "logout"})}).then(() => 0)`, nil)
	}
	var read string
	p.Eval(t, `fetch("`+w.plain("/api/now")+`", {credentials: "include"}).then((r) => r.text(), () => "nothing")`, &read)
	if read != "nothing" {
		t.Errorf("a page of another port reads %q", read)
	}
	// A form needs no script's permission. It takes the visitor along, to a page that says what happened.
	p.Eval(t, `(() => { const f = document.querySelector("form"); f.action = "`+w.plain("/users?lang=en")+`"; f.innerHTML = "<input name=name value=eve><input name=role value=owner><input name=password value='`+pbxtest.OwnerPassword+`'>"; f.submit(); })()`, nil)
	p.Wait(t, `document.querySelector("[role=alert]") && document.querySelector("code").innerText === "stranger"`)
	p.Eval(t, `location.href = "`+w.plain("/users?lang=en")+`"`, nil)
	p.Wait(t, `document.readyState === "complete" && location.pathname === "/users" && document.querySelector("h1")`)
	if u, v := w.state(p); u != users || v != versions {
		t.Errorf("after %d posts the box has users %q and %s, before %q and %s", len(tried), u, v, users, versions)
	}
	// The same form from the box's own page is taken, where nobody listens in: what was refused above was no broken form.
	p = w.signIn("https://" + w.office.WebTLS)
	p.Eval(t, `fetch("/users?lang=en", {method: "POST", body: new URLSearchParams({name: "bea", role: "reader", password: "`+pbxtest.OwnerPassword+`"})}).then(() => 0)`, nil)
	if u, _ := w.state(p); !strings.Contains(u, "bea") {
		t.Errorf("the box's own page cannot add anybody: %q", u)
	}
}

func whatSaysNothingChangesNothing(t *testing.T, w *town) {
	cookie := w.theft()
	tried := 0
	for _, r := range web.Routes() {
		method, path := settingstest.Path(r.Pattern)
		if method == http.MethodGet {
			continue
		}
		tried++
		for what, header := range map[string]http.Header{
			"nothing": {}, "another origin": {"Origin": {"http://192.168.77.66"}}, "no origin": {"Origin": {"null"}},
			"another site": {"Sec-Fetch-Site": {"cross-site"}}, "the same site": {"Sec-Fetch-Site": {"same-site"}},
		} {
			header.Set("Cookie", cookie)
			if got := w.ask(theStranger, method, w.plain(path), nil, header); got.status != http.StatusForbidden || !strings.Contains(got.body, "<code>stranger</code>") {
				t.Errorf("%s that says %s: %d", r.Pattern, what, got.status)
			}
		}
	}
	if tried < 30 {
		t.Errorf("only %d routes change something", tried)
	}
}

func aStolenSessionOpensLittle(t *testing.T, w *town) {
	cookie := w.theft()
	_, token, _ := strings.Cut(cookie, "=")
	with := func(c string) http.Header { return http.Header{"Cookie": {c}} }
	in := func(g said) bool { return g.status == http.StatusOK && strings.Contains(g.body, ">anna<") }
	if got := w.ask(theStranger, http.MethodGet, w.plain("/me?lang=en"), nil, with(cookie)); !in(got) {
		t.Fatalf("what was stolen is no session: %d", got.status)
	}
	if got := w.ask(theStranger, http.MethodGet, w.sealed("/me"), nil, with("__Host-pronto_session="+token)); in(got) {
		t.Error("a session read in the clear opens the box over HTTPS")
	}
	if got := w.ask(farAway, http.MethodGet, w.plain("/me"), nil, with(cookie)); in(got) {
		t.Error("a session read in the clear goes on far away")
	}
	if got := w.ask(theStranger, http.MethodGet, w.plain("/me/code"), nil, with(cookie)); got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), "https://") {
		t.Errorf("the secret of one-time codes is shown in the clear: %d", got.status)
	}
	own := w.ours()
	own.Set("Cookie", cookie)
	if got := w.ask(theStranger, http.MethodPost, w.plain("/me/password"), url.Values{"old": {"guess"}, "password": {pbxtest.OwnerPassword + "2"}}, own); got.status != http.StatusForbidden {
		t.Errorf("a new password without the old one: %d", got.status)
	}
	eve := url.Values{"name": {"eve"}, "role": {"owner"}, "password": {pbxtest.OwnerPassword}}
	if got := w.ask(theStranger, http.MethodPost, w.plain("/users"), eve, own); got.status != http.StatusForbidden || !strings.Contains(got.body, "<code>insecure</code>") {
		t.Errorf("another owner, made in the clear: %d", got.status)
	}
	w.ask(theStranger, http.MethodPost, w.plain("/phones/201/password"), nil, own)
	got := w.ask(theStranger, http.MethodPost, w.plain("/changes/apply?lang=en"), url.Values{"why": {"theft"}}, own)
	if got.status != http.StatusOK || strings.Contains(got.body, `class="secret"`) || !strings.Contains(got.body, w.sealed("/people")) {
		t.Errorf("a phone's new password, asked for in the clear: %d\n%s", got.status, got.body)
	}

	// A session over HTTPS never leaves it: neither the network nor a script sees its cookie.
	got2 := make(chan string, 10)
	at, _ := serveAt(t, theBox+":0", func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			got2 <- r.Header.Get("Cookie")
		}
	})
	p := w.signIn("https://" + w.office.WebTLS)
	var script string
	if p.Eval(t, `document.cookie`, &script); script != "" {
		t.Errorf("a script reads the cookie %q", script)
	}
	p.Eval(t, `location.href = "http://`+at+`/"`, nil)
	if c := <-got2; c != "" {
		t.Errorf("over plain HTTP a neighbour is sent %q", c)
	}
	p.Eval(t, `location.href = "`+w.plain("/users")+`"`, nil)
	p.Wait(t, `location.pathname === "/signin"`)
	if got := w.ask(theBox, http.MethodPost, w.plain("/signout"), nil, own); got.status != http.StatusSeeOther {
		t.Errorf("signing out: %d", got.status)
	}
	if got := w.ask(theStranger, http.MethodGet, w.plain("/me"), nil, with(cookie)); in(got) {
		t.Error("what was stolen outlives the sign-out")
	}
}
