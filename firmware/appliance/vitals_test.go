package appliance

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/board/sim"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/health"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestWhatBefallsABoardIsToldAndItsEndToo(t *testing.T) {
	dir := t.TempDir()
	told := make(chan tel.HealthChanged, 64)
	b := &Box{opts: Options{Board: simBoard{dir: dir}}, log: slog.New(slog.DiscardHandler)}
	b.health = health.New(func(h tel.HealthChanged) { told <- h }, conditions()...)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { b.watchBoard(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	is := func(ok bool, text string) {
		t.Helper()
		for h := range told {
			if h.Condition == "board_hot" && h.OK == ok {
				if h.Text != text || h.Severity != "warn" {
					t.Errorf("%+v", h)
				}
				return
			}
		}
	}
	is(true, "")
	if err := sim.Strike(dir, "hot"); err != nil {
		t.Fatal(err)
	}
	is(false, "86 °C")
	if err := sim.Heal(dir, "hot"); err != nil {
		t.Fatal(err)
	}
	is(true, "")
	if w := b.vitals.Load(); w == nil {
		t.Error("the page cannot ask how the board is")
	}
}

func TestABoardThatTellsNothingIsNotWatched(t *testing.T) {
	for name, board := range map[string]Board{"without files": simBoard{}, "of a test": &testBoard{}} {
		b := &Box{opts: Options{Board: board}, log: slog.New(slog.DiscardHandler)}
		b.watchBoard(t.Context()) // returns at once
		if b.vitals.Load() != nil {
			t.Errorf("%s: watched", name)
		}
	}
}

func TestLampsThatHangNowhereAreRefusedAtSaveAndOldOnesHinderNobody(t *testing.T) {
	dir := t.TempDir()
	if err := sim.Make(dir, sim.Demo); err != nil {
		t.Fatal(err)
	}
	room := lampRoom{&lamps{b: &Box{opts: Options{Board: simBoard{dir: dir}}}}}
	wrong := &config.Config{Lamps: []config.Lamp{{ID: "a", Driver: "gpio", Line: "pin 6"}}}
	good := &config.Config{Lamps: []config.Lamp{{ID: "a", Driver: "gpio", Line: "pin 7"}}}
	if err := room.Verify(t.Context(), good, wrong); err == nil || !strings.Contains(err.Error(), `lamp "a": pin 6 is ground`) {
		t.Errorf("a lamp at a ground: %v", err)
	}
	if err := room.Verify(t.Context(), wrong, good); err != nil {
		t.Errorf("mended: %v", err)
	}
	renamed := wrong.Clone()
	renamed.Box.Name = "Bottega"
	if err := room.Verify(t.Context(), wrong, &renamed); err != nil {
		t.Errorf("who changes a name is told of lamps: %v", err)
	}
	room.l.b.opts.Board = &testBoard{}
	if err := room.Verify(t.Context(), good, wrong); err != nil {
		t.Errorf("a board that knows no pins: %v", err)
	}
}
