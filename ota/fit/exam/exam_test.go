package exam

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/fit/selfcall"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var office = fit.Counts{People: 4, Queues: 1, Trunks: fit.Trunks{Up: 1, Of: 1}}

// fake is an exchange that began when the test did.
type fake struct {
	born    time.Time
	silent  error
	refused error
	checked error
	bad     string // check that fails
	counts  fit.Counts
}

func (f *fake) state(context.Context) (fit.Exchange, error) {
	if f.silent != nil {
		return fit.Exchange{}, f.silent
	}
	return fit.Exchange{Version: "1.4.2", Up: time.Since(f.born), Pages: []string{"http", "https"}, Counts: f.counts, Busy: fit.Busy{Calls: 3, Waiting: 1}}, nil
}

func (f *fake) checks(context.Context) (all []fit.Check, err error) {
	for _, name := range []string{fit.CheckConfig, fit.CheckJournal, fit.CheckStore, fit.CheckSockets} {
		c := fit.Check{Name: name, OK: name != f.bad}
		if !c.OK {
			c.Words = "it is broken"
		}
		all = append(all, c)
	}
	return all, f.checked
}

func (f *fake) account(context.Context) (selfcall.Account, error) {
	return selfcall.Account{Number: "9"}, f.refused
}

func TestAReleaseIsExamined(t *testing.T) {
	for name, c := range map[string]struct {
		f          fake
		page, call error
		failed     string
	}{
		"well":                             {},
		"silent":                           {f: fake{silent: errors.New("no such file")}, failed: fit.CheckExchange},
		"a disk that takes nothing":        {f: fake{bad: fit.CheckStore}, failed: fit.CheckStore},
		"doors that do not check":          {f: fake{checked: errors.New("404")}, failed: fit.CheckSockets},
		"no account for a call":            {f: fake{refused: errors.New("503")}, failed: fit.CheckCall},
		"a call without sound":             {call: errors.New("deaf or mute"), failed: fit.CheckCall},
		"a page that does not answer":      {page: errors.New("connection refused"), failed: fit.CheckPage},
		"fewer people than there ought be": {f: fake{counts: fit.Counts{People: 3, Queues: 1, Trunks: office.Trunks}}, failed: fit.CheckCounts},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.f.born = time.Now()
				if c.f.counts.People == 0 {
					c.f.counts = office
				}
				calls, pages := 0, 0
				e := &Exam{
					log: slog.New(slog.DiscardHandler), rules: fit.Usual("1.4.2"), door: &c.f,
					page: func(context.Context, string) error { pages++; return c.page },
					call: func(_ context.Context, a selfcall.Account) error { calls++; return c.call },
				}
				got, err := e.Check(t.Context(), office)
				f, _ := got.Failed()
				if err != nil || got.Fit != (c.failed == "") || f.Name != c.failed {
					t.Errorf("%+v, %v", got, err)
				}
				if c.failed == "" && (calls != 2 || pages != 4 || time.Since(c.f.born) < 2*time.Minute) {
					t.Errorf("%d calls and %d looks at the page in %v", calls, pages, time.Since(c.f.born))
				}
				if busy, err := e.Now(t.Context()); c.f.silent == nil && (err != nil || busy.Quiet() || busy.Calls != 3) {
					t.Errorf("%+v, %v", busy, err)
				}
				if n, err := e.Count(t.Context()); c.f.silent == nil && (err != nil || n != c.f.counts) || c.f.silent != nil && err == nil {
					t.Errorf("%+v, %v", n, err)
				}
			})
		})
	}
}

func TestAnExaminationThatIsBrokenOffHasNoVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		e := &Exam{
			log: slog.New(slog.DiscardHandler), rules: fit.Usual(""), door: &fake{born: time.Now(), counts: office},
			page: func(context.Context, string) error { return nil }, call: func(context.Context, selfcall.Account) error { return nil },
		}
		if r, err := e.Check(ctx, office); !errors.Is(err, context.DeadlineExceeded) || r.Fit {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestTheDoorsAreAskedOverTheirSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "fit.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	want := selfcall.Account{Address: netip.MustParseAddrPort("127.0.0.1:5060"), Media: netip.MustParseAddr("127.0.0.1"), User: "u", Password: "p", Number: "9"}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /fit", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"version":"1.4.2","up":90000000000,"calls":2,"emergency":1,"waiting":1,"people":4,"queues":1,"trunks":{"up":1,"of":1},"memory":5,"limit":6,"news":"of a later release"}`))
	})
	mux.HandleFunc("POST /fit/check", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the house is on fire", http.StatusInternalServerError)
	})
	mux.HandleFunc("POST /fit/call", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(want) })
	s := &http.Server{Handler: mux}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-served })
	d := newDoor(socket)
	if x, err := d.state(t.Context()); err != nil || x.Up != 90*time.Second || x.Busy != (fit.Busy{Calls: 2, Emergency: 1, Waiting: 1}) || x.Counts != office || x.Memory != 5 || x.Limit != 6 {
		t.Errorf("%+v, %v", x, err)
	}
	if _, err := d.checks(t.Context()); err == nil || !strings.Contains(err.Error(), "500: the house is on fire") {
		t.Error(err)
	}
	if a, err := d.account(t.Context()); err != nil || a != want {
		t.Errorf("%+v, %v", a, err)
	}
	want = selfcall.Account{}
	if _, err := d.account(t.Context()); err == nil {
		t.Error("an account without an address is taken")
	}
	if _, err := newDoor(socket + "x").state(t.Context()); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Error(err)
	}
}

func TestThePageIsLookedAtOnThisMachineAlone(t *testing.T) {
	status := http.StatusOK
	for _, make := range []func(http.Handler) *httptest.Server{httptest.NewServer, httptest.NewTLSServer} {
		s := make(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		s.Config.ErrorLog = nil
		for _, status = range []int{http.StatusOK, http.StatusServiceUnavailable, http.StatusSeeOther} {
			if err := look(t.Context(), s.URL+"/healthz"); (err == nil) != (status == http.StatusOK) {
				t.Errorf("%d: %v", status, err)
			}
		}
		s.Close()
		if err := look(t.Context(), s.URL); err == nil {
			t.Error("a page that is gone answers")
		}
	}
	for _, at := range []string{"http://203.0.113.9/healthz", "http://office.example/", "://"} {
		if err := look(t.Context(), at); err == nil || strings.Contains(err.Error(), "does not answer") {
			t.Errorf("%s is asked: %v", at, err)
		}
	}
}

func FuzzAnAnswerOfTheExchangeIsAValueOrAnError(f *testing.F) {
	f.Add(200, []byte(`{"version":"1","up":1,"pages":["x"],"trunks":{"up":1}}`))
	f.Add(503, []byte("no"))
	f.Fuzz(func(t *testing.T, status int, text []byte) {
		var x fit.Exchange
		if err := decode(status, text, &x); err == nil && status != http.StatusOK {
			t.Error("a refusal was taken for an answer")
		}
		var all []fit.Check
		_ = decode(status, text, &all)
	})
}
