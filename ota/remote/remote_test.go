package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/ota/slot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// room remembers what it was asked.
type room struct {
	state State
	said  []string
	err   error
	got   Settings
}

func (r *room) say(words ...string) error {
	r.said = append(r.said, strings.Join(words, " "))
	return r.err
}
func (r *room) State() State                               { return r.state }
func (r *room) Check(context.Context) error                { return r.say("check") }
func (r *room) Install(_ context.Context, v string) error  { return r.say("install", v) }
func (r *room) Seen(context.Context) error                 { return r.say("seen") }
func (r *room) Stick(_ context.Context, path string) error { return r.say("stick", path) }
func (r *room) Set(_ context.Context, s Settings) error    { r.got = s; return r.say("set") }
func (r *room) Postpone(_ context.Context, until time.Time) error {
	return r.say("postpone", until.Format(time.DateOnly))
}

func (r *room) Bundle(_ context.Context, content io.Reader) error {
	text, err := io.ReadAll(content)
	return errors.Join(err, r.say("bundle", string(text)))
}

// serve answers for a room until the test ends.
func serve(t *testing.T, r Room) (*Client, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "otad.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, r) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return NewClient(path), path
}

func whole() State {
	at := time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC)
	return State{
		Enabled: true, Why: OffVendor, Backend: "card", Running: Slot{"1.0.0", SlotRuns}, Idle: Slot{"2.0.0", SlotReady},
		Offer: &Offer{
			Version: "2.0.0", Severity: "security", Notes: map[string]string{"it": "Più sicuro.", "en": "Safer."}, Homepage: "https://example.com", Deadline: at,
			Size: 7, Delta: true, Local: true, Refused: []Refusal{{"model", "x"}},
		},
		Phase: slot.Waiting, Version: "2.0.0", Done: 3, Total: 7, WaitsFor: ForCalls, Until: at, Trouble: slot.CodeFull, Words: "x",
		Last:    &Outcome{"1.9.0", "back", "fit_call", "no tone", at, true},
		Checked: at, NextCheck: at, Stale: true, Settings: Settings{true, "beta", Window{120, 300}, at, 30, true},
	}
}

func TestThePageAsksAndTheUpdaterAnswers(t *testing.T) {
	r := &room{state: whole()}
	c, path := serve(t, r)
	if got, err := c.State(t.Context()); err != nil || !reflect.DeepEqual(got, r.state) {
		t.Errorf("%+v, %v", got, err)
	}
	err := errors.Join(c.Check(t.Context()), c.Install(t.Context(), "2.0.0"), c.Postpone(t.Context(), r.state.Checked), c.Set(t.Context(), r.state.Settings),
		c.Seen(t.Context()), c.Upload(t.Context(), strings.NewReader("content")), c.Stick(t.Context(), "/media/stick/a.update"))
	if err != nil {
		t.Error(err)
	}
	if got := strings.Join(r.said, ", "); got != "check, install 2.0.0, postpone 2026-11-28, set, seen, bundle content, stick /media/stick/a.update" {
		t.Error(got)
	}
	if r.got != r.state.Settings {
		t.Errorf("%+v", r.got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("whoever likes may ask: %v, %v", info.Mode(), err)
	}
}

// A test that fills every field finds one that does not cross the socket.
func TestEveryFieldOfTheStateIsTried(t *testing.T) {
	v := reflect.ValueOf(whole())
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s is empty", v.Type().Field(i).Name)
		}
	}
}

func TestARefusalHasItsCodeAndItsReasons(t *testing.T) {
	r := &room{err: &Refused{Code: slot.CodeNone, Words: "not for this box", Reasons: []Refusal{{"model", "made for other kinds of box"}}}}
	c, _ := serve(t, r)
	for name, ask := range map[string]func() error{
		"check": func() error { return c.Check(t.Context()) }, "install": func() error { return c.Install(t.Context(), "") },
		"upload": func() error { return c.Upload(t.Context(), strings.NewReader("x")) }, "seen": func() error { return c.Seen(t.Context()) },
	} {
		var got *Refused
		if err := ask(); !errors.As(err, &got) || !reflect.DeepEqual(got, r.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.err = errors.New("the disk")
	var got *Refused
	if err := c.Seen(t.Context()); !errors.As(err, &got) || got.Code != slot.CodeSlots || got.Words != "the disk" {
		t.Errorf("%v", err)
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	r := &room{}
	_, path := serve(t, r)
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/install", "{"},
		{"POST", "/settings", `{"window":{"from":"x"}}`},
		{"POST", "/settings", `{"channel":"` + strings.Repeat("x", bodyLimit) + `"}`},
		{"POST", "/postpone", `{"until":"tomorrow"}`},
		{"POST", "/bundle", `7`},
	} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		q, err := http.NewRequestWithContext(t.Context(), c.method, "http://x"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		q.Close = true
		if err := q.Write(conn); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.Contains(string(answer), string(CodeMistaken)) {
			t.Errorf("%s %s: %s, %v", c.path, c.body[:min(len(c.body), 40)], answer, err)
		}
		_ = conn.Close()
	}
	if len(r.said) != 0 {
		t.Errorf("%v", r.said)
	}
}

func TestABundleThatIsTooLongIsCutOff(t *testing.T) {
	r := &counted{}
	c, _ := serve(t, r)
	err := c.Upload(t.Context(), io.LimitReader(zeros{}, MaxBundle+1))
	if err == nil || r.n > MaxBundle || r.n < MaxBundle-1<<20 || r.failed == nil {
		t.Errorf("%d bytes came, %v, %v", r.n, r.failed, err)
	}
}

// counted counts what comes.
type counted struct {
	room
	n      int64
	failed error
}

func (c *counted) Bundle(_ context.Context, content io.Reader) error {
	c.n, c.failed = io.Copy(io.Discard, content)
	return c.failed
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

func TestAnUpdaterThatIsNotThereIsSaid(t *testing.T) {
	if _, err := NewClient(filepath.Join(t.TempDir(), "none")).State(t.Context()); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Error(err)
	}
}

func FuzzAnAnswerIsAValueOrAnError(f *testing.F) {
	f.Add(200, []byte(`{"enabled":true,"phase":"idle"}`))
	f.Add(409, []byte(`{"code":"busy","words":"x"}`))
	f.Fuzz(func(t *testing.T, status int, text []byte) {
		var s State
		if err := decode(status, text, &s); err == nil && status != http.StatusOK {
			t.Error("a refusal was taken for an answer")
		}
	})
}
