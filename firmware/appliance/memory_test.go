package appliance

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/board/gate"
	"github.com/pronto-pbx/pronto/firmware/oomkill"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/i18n"
)

func TestAProgramThatTheKernelEndedForItsMemoryIsToldForADay(t *testing.T) {
	at := time.Date(2026, 11, 28, 9, 15, 0, 0, time.UTC)
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	records := oomkill.Kill{Program: oomkill.Records, Times: 3, Last: at}
	for _, tc := range []struct {
		name  string
		kills []oomkill.Kill
		after time.Duration
		want  map[string]string
	}{
		{"none", nil, 0, nil},
		{"one, in the time of the office", []oomkill.Kill{records}, 0, map[string]string{"memory_records": "3 × · 2026-11-28 10:15"}},
		{"of each its own", []oomkill.Kill{
			records, {Program: oomkill.Exchange, Times: 1, Last: at}, {Program: oomkill.Updates, Times: 5, Last: at}, {Program: oomkill.Exchange, Times: 2, Last: at, Helper: true}, {Program: "unknown", Times: 9, Last: at},
		}, 0, map[string]string{
			"memory_records": "3 × · 2026-11-28 10:15", "memory_exchange": "1 × · 2026-11-28 10:15", "memory_updates": "5 × · 2026-11-28 10:15", "memory_helper": "2 × · 2026-11-28 10:15",
		}},
		{"nearly a day later", []oomkill.Kill{records}, memoryTold - time.Minute, map[string]string{"memory_records": "3 × · 2026-11-28 10:15"}},
		{"a day later", []oomkill.Kill{records}, memoryTold, nil},
	} {
		if got := shortOfMemory(tc.kills, at.Add(tc.after), rome); !maps.Equal(got, tc.want) {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
	for _, lang := range i18n.Languages() {
		cat, err := i18n.Load(lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range memoryConditions() {
			if !cat.Has("condition." + s.Name) {
				t.Errorf("%s has no sentence for %s", lang, s.Name)
			}
		}
	}
}

func TestHomeSaysWhichProgramWasEndedForItsMemory(t *testing.T) {
	b := startWith(t, shop, func(o *Options) {
		if err := errors.Join(os.MkdirAll(o.RunDir, 0o700), oomkill.Note(o.RunDir, oomkill.Records, oomkill.Result, time.Now())); err != nil {
			t.Fatal(err)
		}
	}, func(*Box) {})
	b.eventually("it is said", func() bool {
		h, ok := now(b, func(h tel.HealthChanged) bool { return h.Condition == "memory_records" })
		return ok && !h.OK && h.Severity == "warn" && strings.HasPrefix(h.Text, "1 × · ")
	})
	if h, ok := now(b, func(h tel.HealthChanged) bool { return h.Condition == "memory_exchange" }); !ok || !h.OK {
		t.Errorf("%+v", h)
	}
}

// It is known by the first program of the box, or else by the notes of systemd's units.
func TestWhoSupervisesTheProgramsIsAskedWhichWereEnded(t *testing.T) {
	dir := t.TempDir()
	l, err := gate.Listen(filepath.Join(dir, "gate.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	at := time.Now().UTC().Truncate(time.Second)
	var serving sync.WaitGroup
	serving.Go(func() {
		_ = gate.Serve(ctx, slog.New(slog.DiscardHandler), l, gate.Doors{uint32(os.Getuid()): gate.Room{Killed: func() []gate.Kill { return []gate.Kill{{Program: "otad", Times: 4, Last: at, Helper: true}} }}})
	})
	defer serving.Wait()
	defer cancel()
	box := &Box{opts: Options{Gate: filepath.Join(dir, "gate.sock"), RunDir: dir}}
	if all, err := box.killed(t.Context()); err != nil || len(all) != 1 || all[0] != (oomkill.Kill{Program: "otad", Times: 4, Last: at, Helper: true}) {
		t.Errorf("%+v, %v", all, err)
	}
	if err := oomkill.Note(dir, oomkill.Exchange, oomkill.Result, at); err != nil {
		t.Fatal(err)
	}
	box.opts.Gate = ""
	if all, err := box.killed(t.Context()); err != nil || len(all) != 1 || all[0] != (oomkill.Kill{Program: oomkill.Exchange, Times: 1, Last: at}) {
		t.Errorf("%+v, %v", all, err)
	}
}
