package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/board/gate"
	"github.com/pronto-pbx/pronto/images/recipe"
	"github.com/pronto-pbx/pronto/ota/otatest"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/remote"
	"github.com/pronto-pbx/pronto/ota/repository/repositorytest"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// asOtad marks a process of the test that is otad.
const asOtad = "OTAD_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asOtad) != "" {
		os.Exit(run(os.Args[1:], os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

// box is a machine with a vendor, a first program and an idle slot, on which otad runs.
type box struct {
	t      *testing.T
	dir    string
	vendor *repositorytest.Vendor
	log    bytes.Buffer
	cmd    *exec.Cmd
	page   *remote.Client
}

// slow has a server hand out a little at a time, so that an update takes a while.
func slow(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { h.ServeHTTP(trickle{w}, q) })
}

type trickle struct{ http.ResponseWriter }

func (t trickle) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		some := b[:min(len(b), 64<<10)]
		time.Sleep(2 * time.Millisecond) // the network, and no wait for something
		k := 0
		k, err = t.ResponseWriter.Write(some)
		n, b = n+k, b[k:]
	}
	return n, err
}

func newBox(t *testing.T, size int64) *box {
	b := &box{t: t, dir: t.TempDir(), vendor: repositorytest.New(t, time.Now)}
	server := httptest.NewServer(slow(http.FileServer(http.Dir(b.vendor.Dir))))
	t.Cleanup(server.Close)
	write := func(name string, content []byte) {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(b.dir, name)), 0o700), os.WriteFile(filepath.Join(b.dir, name), content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	write("share/"+recipe.VendorRoot, b.vendor.Root)
	write("share/"+recipe.UpdateURL, []byte(server.URL+"\n"))
	write("share/release.json", []byte(`{"version":"1.0.0","epoch":1,"data_schema":{"writes":1,"reads_from":1}}`))
	write("run/idle", make([]byte, size))
	l, err := gate.Listen(filepath.Join(b.dir, "gate.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- gate.Serve(ctx, slog.New(slog.DiscardHandler), l, gate.Doors{uint32(os.Getuid()): gate.Updates{
			Slots: func(context.Context) (gate.Slots, error) {
				return gate.Slots{Running: 2, Chosen: 2, Model: "pi4", EEPROM: "2024-01-15", Idle: filepath.Join(b.dir, "run/idle")}, nil
			},
			Refuse: func(context.Context) error { return nil },
		}})
	}()
	t.Cleanup(func() {
		b.kill()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(b.log.String())
		}
	})
	b.page = remote.NewClient(filepath.Join(b.dir, "run/otad.sock"))
	return b
}

// start begins otad, and returns when it answers.
func (b *box) start() {
	b.t.Helper()
	b.cmd = exec.Command(os.Args[0], "-gate", filepath.Join(b.dir, "gate.sock"), "-var", filepath.Join(b.dir, "update"), "-run", filepath.Join(b.dir, "run"),
		"-share", filepath.Join(b.dir, "share"), "-fit", filepath.Join(b.dir, "fit.sock"))
	b.cmd.Env = append(os.Environ(), asOtad+"=1")
	b.cmd.Stderr = &b.log
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.until(func(s remote.State) bool { return s.Enabled })
}

func (b *box) kill() {
	if b.cmd != nil {
		_ = b.cmd.Process.Kill()
		_ = b.cmd.Wait()
		b.cmd = nil
	}
}

// until waits for what otad says.
func (b *box) until(is func(remote.State) bool) (s remote.State) {
	b.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var err error
		if s, err = b.page.State(b.t.Context()); err == nil && is(s) {
			return s
		}
	}
	b.t.Fatalf("it says %+v\n%s", s, b.log.String())
	return s
}

// The real program, with the vendor's signatures and over the network: killed again and again while it fetches, writes
// and checks, it brings the release whole into the slot.
func TestAnUpdaterThatIsKilledAgainAndAgainBringsTheReleaseIntoTheSlot(t *testing.T) {
	content := otatest.Content("2.0.0", 12<<20)
	b := newBox(t, 16<<20)
	b.vendor.Release("stable", "2.0.0", content, func(m *release.Manifest) { m.Epoch = 1 })
	b.start()
	if err := b.page.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	draw := rand.New(rand.NewPCG(1, 2))
	kills, phases := 0, map[slot.Phase]int{}
	for s := b.until(func(s remote.State) bool { return s.Phase != slot.Idle }); s.Phase != slot.Waiting && kills < 40; {
		time.Sleep(time.Duration(draw.IntN(150)) * time.Millisecond) // any moment will do
		if s = b.until(func(remote.State) bool { return true }); s.Phase == slot.Waiting {
			break
		}
		phases[s.Phase]++
		b.kill()
		kills++
		b.start()
		s = b.until(func(s remote.State) bool { return s.Phase != slot.Idle })
	}
	s := b.until(func(s remote.State) bool { return s.Phase == slot.Waiting })
	is, err := os.ReadFile(filepath.Join(b.dir, "run/idle"))
	if err != nil || !bytes.Equal(is[:len(content)], content) || s.Version != "2.0.0" || s.Last != nil || s.Idle != (remote.Slot{Version: "2.0.0", State: remote.SlotReady}) {
		t.Errorf("%+v, %v, the slot is whole: %v", s, err, bytes.Equal(is[:len(content)], content))
	}
	if kills == 0 {
		t.Error("it was never killed")
	}
	t.Logf("killed %d times: %v", kills, phases)
}

func TestAnImageWithoutAVendorHasNoUpdatesAndSaysSo(t *testing.T) {
	b := newBox(t, 1<<20)
	for _, name := range []string{recipe.VendorRoot, recipe.UpdateURL} {
		if err := os.Remove(filepath.Join(b.dir, "share", name)); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := configure(slog.New(slog.DiscardHandler), places{backend: "card", dir: filepath.Join(b.dir, "update"), share: filepath.Join(b.dir, "share")})
	if err != nil || cfg.Vendor != nil || cfg.Box.Version != "1.0.0" {
		t.Errorf("%+v, %v", cfg, err)
	}
}

func TestHalfAVendorIsNone(t *testing.T) {
	for _, missing := range []string{recipe.VendorRoot, recipe.UpdateURL} {
		b := newBox(t, 1<<20)
		if err := os.Remove(filepath.Join(b.dir, "share", missing)); err != nil {
			t.Fatal(err)
		}
		if v, err := vendorOf(places{dir: filepath.Join(b.dir, "update"), share: filepath.Join(b.dir, "share")}); v != nil || err == nil {
			t.Errorf("without %s: %v, %v", missing, v, err)
		}
	}
}

func TestFlagsThatCannotWorkEndItForGood(t *testing.T) {
	for _, args := range [][]string{{}, {"-var", "x"}, {"-var", "x", "-run", "y", "-zone", "Middle/Earth"}, {"-nonsense"}, {"-var", "x", "-run", "y", "more"}} {
		if code := run(args, io.Discard); code != exitUseless {
			t.Errorf("%v: %d", args, code)
		}
	}
	if _, err := configure(slog.New(slog.DiscardHandler), places{backend: "floppy", dir: t.TempDir()}); err == nil {
		t.Error("a backend that does not exist")
	}
}
