package appliance

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

var byAnna = settings.By{User: "anna", From: "192.168.1.20"}

// finding is what the box says of a thing.
func finding(all []page.Finding, thing string) string {
	for _, f := range all {
		if f.Thing == thing {
			return f.Level + " " + f.Says.Sentence
		}
	}
	return ""
}

func TestAChangeFromThePageIsInForceProbedAndWrittenDown(t *testing.T) {
	b := start(t, shop+"hours:\n  - {id: always, name: Sempre, open: [\"mon-sun 00:00-24:00\"], then: \"queue:sales\"}\n")
	port := b.box.settings()
	b.phone("201")
	done, no, err := port.Apply(t.Context(), func(c *config.Config) {
		c.Queues[0].Ring *= 2
		c.Agents[0].Name, c.Agents[1].Name = "Annamaria", "Bruno R."
		c.Hours[0].Name = "Sempre aperto"
	}, byAnna, "a longer ring")
	if err != nil || no.Sentence != "" || done.Version != 2 || !done.Drain || done.Restart {
		t.Fatalf("%+v %+v %v", done, no, err)
	}
	if b.box.config().Queues[0].Ring.String() != "30s" {
		t.Errorf("the box rings for %v", b.box.config().Queues[0].Ring)
	}
	probed := port.Probe(t.Context(), done.Changes)
	for thing, want := range map[string]string{
		"Vendite": "warn probe.queue.nobody", "Annamaria": "ok probe.phone.there", "Bruno R.": "warn probe.phone.absent", "Sempre aperto": "ok probe.hours.open",
	} {
		if got := finding(probed, thing); got != want {
			t.Errorf("%s: %q, want %q", thing, got, want)
		}
	}
	if err := b.box.queues.Login(t.Context(), "anna"); err != nil {
		t.Fatal(err)
	}
	if got := finding(port.Probe(t.Context(), done.Changes), "Vendite"); got != "ok probe.queue.ready" {
		t.Errorf("with somebody there: %q", got)
	}
	all, err := port.Versions(t.Context())
	if err != nil || len(all) != 2 || all[0].Who != "anna" || all[0].Why != "a longer ring" {
		t.Errorf("the history is %+v, %v", all, err)
	}
	notes, err := port.Audit(10)
	if err != nil || len(notes) == 0 || notes[0].What != "configured" || notes[0].User != "anna" || notes[0].From != "192.168.1.20" || notes[0].Whom != "2 a longer ring" {
		t.Errorf("the audit log says %+v, %v", notes, err)
	}
	if done, no, err := port.Restore(t.Context(), 1, byAnna); err != nil || no.Sentence != "" || done.Version != 3 || b.box.config().Queues[0].Ring.String() != "15s" {
		t.Errorf("going back: %+v %+v %v", done, no, err)
	}
	// The page has words for the box's own reasons, and knows them by these.
	if after, err := port.Versions(t.Context()); err != nil || after[0].Why != "back to version 1" || all[1].Why != "found when prontod started" || all[1].Who != "file" {
		t.Errorf("%+v, %v", after, err)
	}
	if old, err := all[1].Parse(); err != nil || old.Queues[0].Ring.String() != "15s" {
		t.Errorf("the first version: %v", err)
	}
}

func TestALineIsProbedAfterItsChange(t *testing.T) {
	b := start(t, shop+"trunks:\n  - {id: old, name: Vecchia, disabled: true, server: \"127.0.0.1:5999\", match: [\"127.0.0.1/32\"], number: \"+390612345678\"}\n")
	port := b.box.settings()
	done, no, err := port.Apply(t.Context(), func(c *config.Config) { c.Trunks[0].Name = "Vecchia linea" }, byAnna, "")
	if err != nil || no.Sentence != "" {
		t.Fatal(no, err)
	}
	b.eventually("the line says how it stands", func() bool {
		return finding(port.Probe(t.Context(), done.Changes), "Vecchia linea") == "ok cause.disabled" && port.Lines()["trunk:old"].Cause == tel.LineDisabled
	})
}

func TestWhatIsWrittenByHandIsNotOverwrittenFromThePage(t *testing.T) {
	b := start(t, shop)
	port := b.box.settings()
	rename := func(c *config.Config) { c.Box.Name = "Officina" }
	f, err := port.File(t.Context())
	if err != nil || f.Edited {
		t.Fatalf("%+v %v", f, err)
	}
	good, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.Path, append(good, "qeues: []\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, no, err := port.Apply(t.Context(), rename, byAnna, ""); err != nil || no.Sentence != "settings.edited" {
		t.Errorf("%+v %v", no, err)
	}
	if _, no, err := port.Reload(t.Context(), byAnna); err != nil || no.Sentence != "settings.problems" || !strings.Contains(no.Detail, "qeues") {
		t.Errorf("%+v %v", no, err)
	}
	condition := func() (h tel.HealthChanged, ok bool) {
		return now(b, func(h tel.HealthChanged) bool { return h.Condition == "config_file" })
	}
	if h, ok := condition(); !ok || h.OK || !strings.Contains(h.Text, "line ") {
		t.Errorf("the page does not say it: %+v %v", h, ok)
	}
	if err := port.Discard(t.Context(), byAnna); err != nil {
		t.Fatal(err)
	}
	if h, _ := condition(); !h.OK {
		t.Errorf("the page still says %+v", h)
	}
	if aside, err := os.ReadFile(f.Path + ".hand"); err != nil || !strings.Contains(string(aside), "qeues") {
		t.Errorf("what was written is lost: %v", err)
	}
	if _, no, err := port.Apply(t.Context(), rename, byAnna, ""); err != nil || no.Sentence != "" || b.box.config().Box.Name != "Officina" {
		t.Errorf("%+v %v", no, err)
	}
}

func TestEveryRefusalOfTheConfigurationHasASentence(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{config.Problems{{Path: "x", Text: "y"}}, "settings.problems"},
		{&live.Veto{Rooms: []live.Answer{{Room: "lines", Err: errors.New("no such modem")}}}, "settings.veto"},
		{&live.Failure{Room: "lines", Err: errors.New("x")}, "settings.failed"},
		{&live.Failure{Room: "lines", Err: errors.New("x"), Undo: errors.New("y")}, "settings.stuck"},
		{live.ErrEdited, "settings.edited"},
		{fmt.Errorf("%w: 9", live.ErrVersion), "past.gone"},
		{live.ErrIdle, "settings.away"},
		{live.ErrClosed, "settings.away"},
		{fmt.Errorf("write: %w", syscall.ENOSPC), "settings.disk"},
		{fmt.Errorf("write: %w", syscall.EROFS), "settings.disk"},
		{fmt.Errorf("write: %w", fs.ErrPermission), "settings.disk"},
	} {
		if no, err := refusedChange(c.err); err != nil || no.Sentence != c.want || no.Detail != c.err.Error() {
			t.Errorf("%v: %+v, %v", c.err, no, err)
		}
	}
	if no, err := refusedChange(http.ErrServerClosed); err == nil || no.Sentence != "" {
		t.Errorf("a fault of ours is no refusal: %+v", no)
	}
}
