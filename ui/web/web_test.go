package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/front"
	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/live"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/view"
)

var update = flag.Bool("update", false, "write the golden pages anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var at = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// hostile is what a caller could put into a display name.
const hostile = `<script>alert(1)</script>"'&`

func fullOffice() *view.Model {
	m := emptyOffice()
	for i, s := range tel.AgentStates() {
		id := tel.AgentID(s.String())
		e := tel.AgentChanged{Agent: id, Name: "Agente " + string(rune('A'+i)), State: s, Since: at}
		switch s {
		case tel.AgentPaused:
			e.Reason, e.By = "forced", hostile
		case tel.AgentLoggedOut:
			e.Reason = "shift_end"
		case tel.AgentHold:
			e.Help = true
		}
		m.Apply(e)
		m.Apply(tel.LampChanged{Lamp: tel.LampID("desk_" + s.String()), Agent: id, State: s, Help: e.Help, Fault: i == 3})
	}
	m.OfferSupervision(true)
	m.Apply(tel.AgentChanged{Agent: "boss", Name: "Sara " + hostile, State: tel.AgentLoggedOut, Since: at})
	m.Apply(tel.SupervisionStarted{Supervision: tel.Supervision{Leg: "l", By: "boss", Agent: "talking", Mode: tel.SuperviseWhisper}})
	m.Apply(tel.QueueJoined{Queue: "sales", Call: "c1", Caller: "+39061234567", Name: hostile, At: at, Needs: []tel.Need{{Skill: hostile, Level: 7}, {Skill: "tedesco", Level: 2}}})
	m.Apply(tel.QueueJoined{Queue: "sales", Call: "c2", At: at.Add(time.Second)})
	m.Apply(tel.WaitExpected{Queue: "sales", Call: "c1", From: 3, To: 6})
	m.Apply(tel.WaitExpected{Queue: "sales", Call: "c2", To: 2})
	m.Apply(tel.QueueOffered{Queue: "sales", Call: "c1", Offer: "o", Agent: "ringing"})
	m.Apply(tel.CallChanged{Call: "c3", Stage: tel.StageTalking, From: "+393331234567", To: "400", Agent: "talking", Since: at})
	m.Apply(tel.LineChanged{Line: "trunk:tim", Name: "TIM", Type: "sip", Up: true, Cause: tel.LineInUse, Calls: 2})
	m.Apply(tel.LineChanged{Line: "line:gsm0", Name: "SIM", Type: "gsm", Cause: tel.LineNoSIM, Operator: "I " + hostile, Signal: -71})
	for i, state := range []tel.SMSState{tel.SMSBroken, tel.SMSQueued, tel.SMSOut, tel.SMSArrived, tel.SMSLost, tel.SMSUncertain} {
		m.Apply(tel.SMSSent{SMS: tel.SMS{ID: tel.SMSID(fmt.Sprint("s", i)), Line: "line:gsm0", To: "+393331234567", State: state, At: at.Add(-time.Duration(i+1) * time.Minute)}})
	}
	m.Apply(tel.SMSReceived{SMS: tel.SMS{ID: "r1", Line: "line:gsm0", From: hostile, Text: hostile, State: tel.SMSIn, At: at}})
	m.Apply(tel.HealthChanged{Condition: "recordd", Severity: "warn"})
	m.Apply(tel.CallbackChanged{Callback: "cb1", Queue: "sales", State: tel.CallbackResting, Number: "+393331112222", EnqueuedAt: at})
	m.Apply(tel.MissedChanged{Number: "+390212345678", Name: "Rossi & figli", Queue: "sales", Calls: 2, Last: at, Why: tel.MissedAbandoned})
	m.Apply(tel.QueueLeft{Queue: "sales", Call: "c9", Joined: at, Left: at.Add(95 * time.Second), Outcome: tel.OutcomeAnswered})
	m.Apply(tel.FiguresChanged{Calls: 12, Answered: 9, Lost: 1, SentOn: 3, AverageWait: 95 * time.Second})
	return m
}

func emptyOffice() *view.Model {
	return view.NewModel("Bottega", []view.Queue{{ID: "sales", Name: "Vendite", Number: "400"}}, nil)
}

func TestPagesLookAsReviewed(t *testing.T) {
	for _, lang := range i18n.Languages() {
		cat, err := i18n.Load(lang)
		if err != nil {
			t.Fatal(err)
		}
		r, err := page.New(cat)
		if err != nil {
			t.Fatal(err)
		}
		for name, m := range map[string]*view.Model{"full": fullOffice(), "empty": emptyOffice()} {
			t.Run(lang+" "+name, func(t *testing.T) {
				reviewed(t, lang+"-"+name, func() ([]byte, error) {
					return r.Office(m.Office(), page.Reader{Name: "anna", Role: access.Owner, Path: "/"}, at.Add(75*time.Second))
				})
			})
		}
	}
}

// reviewed holds a page against the one that a person has looked at. A sentence that is missing or not of the
// catalogue, and a name that became markup, fail whatever was looked at.
func reviewed(t *testing.T, name string, render func() ([]byte, error)) {
	t.Helper()
	got, err := render()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(got, []byte("⟦")) || bytes.Contains(got, []byte("<script>alert")) {
		t.Error("a sentence is missing, or a name became markup")
	}
	if _, page, _ := strings.Cut(name, "-"); !slices.Contains(framed(), page) {
		got = within(got)
	}
	golden(t, filepath.Join("testdata", name+".html"), bytes.ReplaceAll(got, []byte(page.Version()), []byte("VERSION")))
}

// framed are the pages that are reviewed with the frame around them, which all others have like them.
func framed() []string { return []string{"full", "empty", "signin", "claim", "full-system"} }

// within is what a page has inside its frame.
func within(page []byte) []byte {
	if at := bytes.Index(page, []byte("<main")); at >= 0 {
		return page[at:]
	}
	return page
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s changed; look at it and run with -update\n%s", path, got)
	}
}

func TestThePageIsLight(t *testing.T) {
	hub := newHub(t, fullOffice)
	h := signedIn(owned(t, hub))
	var all bytes.Buffer
	z := gzip.NewWriter(&all)
	for _, path := range []string{"/", "/asset/pronto.css", "/asset/live.js", "/asset/icon.svg"} {
		w := get(h, path, "127.0.0.1:8080")
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d", path, w.Code)
		}
		before := all.Len()
		_, _ = z.Write(w.Body.Bytes())
		_ = z.Flush()
		if path == "/asset/live.js" && all.Len()-before > 4096 {
			t.Errorf("live.js is %d bytes gzipped, more than 4096", all.Len()-before)
		}
	}
	if all.Len() > 30<<10 {
		t.Errorf("the page is %d bytes gzipped, more than 30 kB", all.Len())
	}
}

// parsed are the pages of every language, once for all tests.
var parsed = sync.OnceValues(page.All)

func spoken(t *testing.T) map[string]*page.Renderer {
	t.Helper()
	all, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func newHub(t *testing.T, m func() *view.Model) *live.Hub {
	t.Helper()
	return live.New(slog.New(slog.DiscardHandler), spoken(t), m)
}

func get(h http.Handler, path, host string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = host
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestStrangersNamesMethodsAndPathsAreRefused(t *testing.T) {
	s := owned(t, newHub(t, emptyOffice))
	s.ready = io.ErrUnexpectedEOF
	h := signedIn(s)
	for _, c := range []struct {
		path, host string
		want       int
	}{
		{"/", "evil.example", http.StatusMisdirectedRequest},
		{"/", "192.168.1.10", http.StatusOK},
		{"/", "[::1]:8080", http.StatusOK},
		{"/", "pronto.local", http.StatusOK},
		{"/nothing", "localhost", http.StatusNotFound},
		{"/asset/../web.go", "localhost", http.StatusTemporaryRedirect},
		{"/asset/none.css", "localhost", http.StatusNotFound},
		{"/healthz", "localhost", http.StatusServiceUnavailable},
	} {
		if w := get(h, c.path, c.host); w.Code != c.want && (c.want != http.StatusTemporaryRedirect || w.Code != http.StatusMovedPermanently) {
			t.Errorf("%s on %s: %d, want %d", c.path, c.host, w.Code, c.want)
		}
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "http://localhost/", strings.NewReader("x"))
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	h.ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
	csp := get(h, "/", "localhost").Header().Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy: %q", csp)
	}
}

func TestTheBrowserLanguageIsHeard(t *testing.T) {
	h := signedIn(owned(t, newHub(t, emptyOffice)))
	for header, want := range map[string]string{"": `lang="it"`, "en-GB,en;q=0.9": `lang="en"`, "fr,it;q=0.5": `lang="it"`} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost/", nil)
		r.Header.Set("Accept-Language", header)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), "<html "+want) {
			t.Errorf("%q: no %s", header, want)
		}
	}
}

// pipes is a listener without a network, so that its deadlines run on the bubble's clock.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, open := <-p
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func TestAStreamOutlivesTheTimeARequestMayTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, emptyOffice)
		ctx, cancel := context.WithCancel(t.Context())
		done, served, l := make(chan struct{}), make(chan error, 1), make(pipes, 1)
		go func() {
			defer close(done)
			hub.Run(ctx, func(ctx context.Context, _ func([]tel.Event), _ func(tel.Event)) { <-ctx.Done() })
		}()
		go func() {
			served <- front.Serve(ctx, l, signedIn(owned(t, hub)), nil)
		}()
		ours, theirs := net.Pipe()
		l <- theirs
		if _, err := io.WriteString(ours, "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		began, clocks := time.Now(), 0
		for lines := bufio.NewScanner(ours); clocks < 300 && lines.Scan(); {
			if lines.Text() == "event: clock" {
				clocks++
			}
		}
		if d := time.Since(began); clocks < 300 || d < 290*time.Second {
			t.Errorf("%d signs of life in %v, then the stream ended", clocks, d)
		}
		_ = ours.Close()
		cancel()
		<-done
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func TestAStreamEndsSoonAfterItsViewerHasSignedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, emptyOffice)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			hub.Run(ctx, func(ctx context.Context, _ func([]tel.Event), _ func(tel.Event)) { <-ctx.Done() })
		}()
		s := owned(t, hub)
		time.AfterFunc(time.Hour, func() { s.do(ask{method: http.MethodPost, path: "/signout", as: access.Agent}) })
		began := time.Now()
		s.do(ask{method: http.MethodGet, path: "/live", as: access.Agent})
		if d := time.Since(began); d < time.Hour || d > time.Hour+askAgain+time.Second {
			t.Errorf("the stream ended after %v", d)
		}
		cancel()
		<-done
	})
}

func TestAnEventReachesAnOpenPage(t *testing.T) {
	hub := newHub(t, emptyOffice)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	events := make(chan tel.Event)
	done := make(chan struct{})
	go func() {
		defer close(done)
		hub.Run(ctx, func(ctx context.Context, _ func([]tel.Event), apply func(tel.Event)) {
			for {
				select {
				case e := <-events:
					apply(e)
				case <-ctx.Done():
					return
				}
			}
		})
	}()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- front.Serve(ctx, l, signedIn(owned(t, hub)), nil)
	}()
	res, err := http.Get("http://" + l.Addr().String() + "/live?lang=en")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(res.Body)
	expect := func(what string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), what) {
				return
			}
		}
		t.Fatalf("the stream ended before %q: %v", what, lines.Err())
	}
	expect("Nobody is waiting")
	events <- tel.QueueJoined{Queue: "sales", Call: "c1", Caller: "+39061234567", At: time.Now()}
	expect("1 person is waiting")
	expect("39061234567") // the template writes + as a character reference
	cancel()
	for lines.Scan() { // the stream ends with the box
	}
	_ = res.Body.Close()
	<-done
	if err := <-served; err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}
