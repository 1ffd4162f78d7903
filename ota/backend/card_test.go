package backend

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/board/gate"
	"github.com/pronto-pbx/pronto/ota/fit/promise"
	"github.com/pronto-pbx/pronto/ota/install"
	"github.com/pronto-pbx/pronto/ota/slot"
	"github.com/pronto-pbx/pronto/ota/updater"
)

var (
	_ updater.Slots   = (*Card)(nil)
	_ updater.Refuser = (*Card)(nil)
	_ updater.Slots   = (*Deb)(nil)
	_ updater.Slots   = None{}
)

// firstProgram answers for a box.
type firstProgram struct {
	slots   gate.Slots
	refuses error
	said    []string
}

func (p *firstProgram) say(words ...string) error {
	p.said = append(p.said, strings.Join(words, " "))
	return p.refuses
}

// meets starts the first program, whose box has an idle slot and a running one in files.
func meets(t *testing.T) (*firstProgram, *Card) {
	t.Helper()
	dir := t.TempDir()
	idle, active := filepath.Join(dir, "idle"), filepath.Join(dir, "active")
	if err := errors.Join(os.WriteFile(idle, make([]byte, 1<<20), 0o600), os.WriteFile(active, []byte("what runs"), 0o400)); err != nil {
		t.Fatal(err)
	}
	p := &firstProgram{slots: gate.Slots{
		Running: 3, Chosen: 3, Model: "pi5", EEPROM: "2025-08-13", Idle: idle, Active: active, Left: time.Minute,
		Last: gate.Trial{Version: "1.4.2", Slot: 3, Asked: time.Unix(1793534400, 0).UTC(), Outcome: "back", Why: "reset", Words: "x"},
	}}
	path := filepath.Join(dir, "gate.sock")
	l, err := gate.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- gate.Serve(ctx, slog.New(slog.DiscardHandler), l, gate.Doors{uint32(os.Getuid()): gate.Updates{
			Slots:  func(context.Context) (gate.Slots, error) { return p.slots, p.refuses },
			Try:    func(_ context.Context, v, promise string) error { return p.say("try", v, promise) },
			Keep:   func(context.Context) error { return p.say("keep") },
			Back:   func(_ context.Context, why, words string) error { return p.say("back", why, words) },
			Refuse: func(context.Context) error { return p.say("refuse") },
		}})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return p, NewCard(path)
}

func TestTheFirstProgramDoesWhatTheUpdaterAsks(t *testing.T) {
	p, c := meets(t)
	want := slot.Facts{
		Running: 3, Chosen: 3, Model: "pi5", EEPROM: "2025-08-13", Idle: p.slots.Idle, Active: p.slots.Active, Left: time.Minute,
		Last: slot.Trial{Version: "1.4.2", Slot: 3, Asked: time.Unix(1793534400, 0).UTC(), Outcome: slot.TrialBack, Why: slot.CodeReset, Words: "x"},
	}
	if f, err := c.State(t.Context()); err != nil || f != want {
		t.Errorf("%+v, %v", f, err)
	}
	idle, err := c.Idle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if size, err := idle.Size(); err != nil || size != 1<<20 {
		t.Errorf("%d, %v", size, err)
	}
	runs, err := c.Running(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(idle.Close(), runs.Close()); err != nil {
		t.Error(err)
	}
	if err := errors.Join(c.Try(t.Context(), "1.5.0", "token"), c.Keep(t.Context()), c.Back(t.Context(), "fit_call", "no tone"), c.Refuse(t.Context())); err != nil {
		t.Error(err)
	}
	if got := strings.Join(p.said, ", "); got != "try 1.5.0 token, keep, back fit_call no tone, refuse" {
		t.Error(got)
	}
}

func TestWhatTheFirstProgramRefusesHasACode(t *testing.T) {
	p, c := meets(t)
	for code, want := range map[string]slot.Code{gate.CodeSlot: slot.CodeDiffers, gate.CodeData: slot.CodeDiffers, gate.CodeDisk: slot.CodeDisk} {
		p.refuses = &gate.Refused{Code: code, Text: "x"}
		if err := c.Try(t.Context(), "1.5.0", "token"); install.CodeOf(err) != want {
			t.Errorf("%s is %v", code, err)
		}
	}
	p.refuses = &gate.Refused{Code: gate.CodeCalls, Text: "x"}
	if err := c.Try(t.Context(), "1.5.0", "token"); !errors.Is(err, promise.ErrNone) {
		t.Errorf("somebody calls for help: %v", err)
	}
	p.refuses = &gate.Refused{Code: gate.CodeOnTrial, Text: "x"}
	var failure *install.Failure
	if err := c.Try(t.Context(), "1.5.0", "token"); err == nil || errors.As(err, &failure) {
		t.Errorf("what may pass is %v", err)
	}
	p.refuses = &gate.Refused{Code: gate.CodeNotOn, Text: "none is on trial"}
	if err := c.Back(t.Context(), "x", ""); err != nil {
		t.Errorf("the way back of a trial that is over: %v", err)
	}
	if err := c.Keep(t.Context()); err == nil {
		t.Error("what is not on trial was kept")
	}
}

func TestTheWayBackOfATrialIsNotLent(t *testing.T) {
	p, c := meets(t)
	p.slots.Trying = true
	if idle, err := c.Idle(t.Context()); err == nil {
		t.Errorf("%v", idle)
	}
	p.slots.Trying, p.slots.Idle, p.slots.Active = false, "", ""
	if idle, err := c.Idle(t.Context()); err == nil {
		t.Errorf("%v", idle)
	}
	if runs, err := c.Running(t.Context()); err == nil {
		t.Errorf("%v", runs)
	}
	p.slots.Idle = "/run/otad/none"
	if idle, err := c.Idle(t.Context()); err == nil {
		t.Errorf("a device was made: %v", idle)
	}
}

func TestWhereSomebodyElseInstallsNothingIsInstalled(t *testing.T) {
	n := None{Model: "deb-amd64"}
	if f, err := n.State(t.Context()); err != nil || f.Trying || f.Running != slot.SlotA || f.Model != "deb-amd64" {
		t.Errorf("%+v, %v", f, err)
	}
	_, err := n.Idle(t.Context())
	for _, err := range []error{err, n.Try(t.Context(), "2", "token"), n.Keep(t.Context()), n.Back(t.Context(), "x", "")} {
		if !errors.Is(err, ErrNone) {
			t.Error(err)
		}
	}
}
