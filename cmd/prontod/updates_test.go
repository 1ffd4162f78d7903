package main

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/remote"
	"github.com/pronto-pbx/pronto/ota/slot"
	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/page"
)

// room is an updater that says what a test has it say.
type room struct {
	state  remote.State
	no     error
	asked  []string
	bundle int
}

func (r *room) State() remote.State { return r.state }
func (r *room) ask(what string) error {
	if r.no == nil {
		r.asked = append(r.asked, what)
	}
	return r.no
}
func (r *room) Check(context.Context) error                     { return r.ask("check") }
func (r *room) Install(_ context.Context, version string) error { return r.ask("install " + version) }

func (r *room) Postpone(_ context.Context, until time.Time) error {
	return r.ask("postpone " + until.UTC().Format(time.DateOnly))
}

func (r *room) Set(_ context.Context, s remote.Settings) error {
	r.state.Settings = s
	return r.ask("set")
}
func (r *room) Seen(context.Context) error                 { return r.ask("seen") }
func (r *room) Stick(_ context.Context, path string) error { return r.ask("stick " + path) }
func (r *room) Bundle(_ context.Context, content io.Reader) error {
	text, err := io.ReadAll(content)
	r.bundle = len(text)
	return errors.Join(err, r.ask("bundle"))
}

// answering has a room answer until the test ends.
func answering(t *testing.T, r *room) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "otad.sock")
	l, err := remote.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- remote.Serve(ctx, l, r) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return socket
}

func TestThePageAsksTheUpdaterAndShowsWhatItSays(t *testing.T) {
	at := time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC)
	r := &room{state: remote.State{
		Enabled: true, Backend: "card", Running: remote.Slot{Version: "1.4.1", State: remote.SlotRuns}, Idle: remote.Slot{Version: "1.4.0", State: remote.SlotBefore},
		Offer: &remote.Offer{Version: "1.4.2", Severity: "security", Size: 7, Delta: true, Notes: map[string]string{"it": "uno"}, Refused: []remote.Refusal{{Code: "model", Words: "pi4"}}},
		Phase: slot.Waiting, Version: "1.4.2", Done: 1, Total: 2, WaitsFor: remote.ForCalls, Until: at, Trouble: slot.CodeNetwork, Words: "no route",
		Last:    &remote.Outcome{Version: "1.4.0", Result: "back", Code: "fit_" + slot.Code(fit.CheckStore), Words: "it is full", At: at},
		Checked: at, NextCheck: at, Stale: true, Settings: remote.Settings{Auto: true, Channel: "beta", Window: remote.Window{From: 60, To: 120}, Drain: 30, EndCalls: true, Postponed: at},
	}}
	sticks := t.TempDir()
	for _, name := range []string{"b.update", "a.UPDATE", "notes.txt", ".hidden.update"} {
		if err := os.WriteFile(filepath.Join(sticks, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(sticks, "folder.update"), 0o700), os.Symlink("/etc/passwd", filepath.Join(sticks, "link.update"))); err != nil {
		t.Fatal(err)
	}
	u := updatesOf(answering(t, r), sticks)
	s := u.State(t.Context())
	if s.Off != "" || s.Away || !s.Slots || s.Running.Version != "1.4.1" || s.Idle.State != "before" || s.Offer.Version != "1.4.2" || s.Offer.Refused[0].Code != "model" ||
		s.WaitsFor != "calls" || s.Trouble.Sentence != "update.network" || s.Trouble.Detail != "no route" || s.Last.Why.Sentence != "update.unfit" ||
		s.Last.Why.Detail != "store: it is full" || !s.Stale || s.Settings != (page.UpdateSettings{Auto: true, Channel: "beta", From: 60, To: 120, Drain: 30, EndCalls: true, Postponed: at}) ||
		!slices.Equal(s.Sticks, []string{"a.UPDATE", "b.update"}) {
		t.Errorf("%+v", s)
	}
	ctx := t.Context()
	for what, no := range map[string]error{
		"check": errOf(u.Check(ctx)), "install": errOf(u.Install(ctx, "1.4.2")), "postpone": errOf(u.Postpone(ctx, at)), "set": errOf(u.Set(ctx, page.UpdateSettings{Channel: "stable", From: 1, To: 2, Drain: 15, EndCalls: true})),
		"seen": errOf(u.Seen(ctx)), "stick": errOf(u.Stick(ctx, "../../a.UPDATE")), "give": errOf(u.Give(ctx, strings.NewReader("bundle"))),
	} {
		if no != nil {
			t.Errorf("%s: %v", what, no)
		}
	}
	slices.Sort(r.asked)
	if want := []string{"bundle", "check", "install 1.4.2", "postpone 2026-11-28", "seen", "set", "stick " + filepath.Join(sticks, "a.UPDATE")}; !slices.Equal(r.asked, want) || r.bundle != 6 || r.state.Settings.Channel != "stable" || r.state.Settings.Drain != 15 || !r.state.Settings.EndCalls {
		t.Errorf("asked %v, %d bytes, %+v", r.asked, r.bundle, r.state.Settings)
	}
	r.no = &remote.Refused{Code: slot.CodeTrust, Words: "no signature"}
	if no := u.Give(ctx, strings.NewReader("bundle")); no.Sentence != "update.untrusted" || no.Detail != "no signature" {
		t.Errorf("%+v", no)
	}
	r.no = &remote.Refused{Code: slot.CodeNone, Reasons: []remote.Refusal{{Words: "for another board"}, {Words: "too old"}}}
	if no := u.Install(ctx, "1.4.2"); no.Sentence != "update.model" || no.Detail != "for another board; too old" {
		t.Errorf("%+v", no)
	}
}

func errOf(no struct{ Sentence, Detail string }) error {
	if no.Sentence != "" {
		return errors.New(no.Sentence + ": " + no.Detail)
	}
	return nil
}

func TestAnUpdaterThatIsAwayOrOffIsShownAsSuch(t *testing.T) {
	if u := updatesOf("", ""); !u.Without() {
		t.Error("nobody is asked")
	}
	u := updatesOf(filepath.Join(t.TempDir(), "none.sock"), "")
	if s := u.State(t.Context()); !s.Away {
		t.Errorf("%+v", s)
	}
	if no := u.Check(t.Context()); no.Sentence != "update.away" {
		t.Errorf("%+v", no)
	}
	for why, want := range map[remote.Off]string{remote.OffVendor: "vendor", remote.OffContainer: "container", remote.OffSlots: "slots", "of a later release": "vendor"} {
		if s := shown(remote.State{Why: why}); s.Off != want {
			t.Errorf("%s: %+v", why, s)
		}
	}
}

// constants are the values of a type's constants in a package, found in its source so that none can be left out.
func constants(t *testing.T, dir, of string) (all []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				typ := ""
				switch x := v.Type.(type) {
				case *ast.Ident:
					typ = x.Name
				case *ast.SelectorExpr:
					typ = x.Sel.Name
				}
				if typ != of {
					continue
				}
				if lit, ok := v.Values[0].(*ast.BasicLit); ok {
					if value, err := strconv.Unquote(lit.Value); err == nil && value != "" {
						all = append(all, value)
					}
				}
			}
		}
	}
	if len(all) < 3 {
		t.Fatalf("%s has only %v", dir, all)
	}
	return all
}

// Whatever code crosses from the updater, somebody has a sentence for it in both languages.
func TestEveryCodeOfTheUpdaterHasASentence(t *testing.T) {
	keys := map[string]bool{"update.away": true, "update.model": true}
	for _, code := range slices.Concat(constants(t, "ota/slot", "Code"), constants(t, "ota/remote", "Code")) {
		said := because(slot.Code(code), "")
		if _, known := sentences()[slot.Code(code)]; !known {
			t.Errorf("%q has no sentence of its own", code)
		}
		keys[said.Sentence] = true
	}
	for _, check := range []string{fit.CheckExchange, fit.CheckConfig, fit.CheckCounts, fit.CheckJournal, fit.CheckStore, fit.CheckSockets, fit.CheckPage, fit.CheckCall, fit.CheckMemory} {
		keys[because(slot.Code("fit_"+check), "").Sentence] = true
	}
	keys[because("of_a_later_release", "").Sentence] = true
	var words []string
	for _, phase := range constants(t, "ota/slot", "Phase") {
		if !slices.Contains([]string{"idle", "kept", "back", "refused"}, phase) {
			words = append(words, "update.phase."+phase)
		}
	}
	for _, code := range append(constants(t, "ota/release", "Code"), "failed") {
		words = append(words, "update.refused."+code)
	}
	for _, severity := range []release.Severity{release.Feature, release.Bugfix, release.Security} {
		words = append(words, "update.severity."+string(severity))
	}
	for wait, word := range waits() {
		if wait == "" || word == "" {
			t.Errorf("%q waits for %q", wait, word)
		}
		words = append(words, "update.waits."+word)
	}
	for _, lang := range i18n.Languages() {
		cat, err := i18n.Load(lang)
		if err != nil {
			t.Fatal(err)
		}
		for key := range keys {
			words = append(words, key, key+".why", key+".do")
		}
		for _, key := range words {
			if !cat.Has(key) {
				t.Errorf("%s has no %s", lang, key)
			}
		}
	}
}
