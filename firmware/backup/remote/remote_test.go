package remote

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/firmware/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// box is a box with a kit and a place for backups, and the process that makes them.
type box struct {
	*Client
	source backup.Source
	stick  string
	kit    string
}

func newBox(t *testing.T, wrap func(backup.Place) backup.Place) box {
	t.Helper()
	dir, stick := t.TempDir(), t.TempDir()
	s := backup.Source{Dir: dir, Config: filepath.Join(dir, "pronto.yaml")}
	text := "box: {name: Bottega}\nbackup: {to: " + stick + "}\n"
	if err := os.WriteFile(s.Config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	kit, err := backup.NewKit(s, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	n := backup.NewNightly(s, "test", slog.New(slog.DiscardHandler), func(c config.Backup) (backup.Place, error) {
		if !filepath.IsAbs(c.To) {
			return nil, errors.New("no such place")
		}
		return wrap(backup.Folder(c.To)), nil
	})
	l, err := Listen(Path(filepath.Join(dir, "records.sock")))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 2)
	go func() { served <- Serve(ctx, l, n) }()
	go func() { n.Run(ctx); served <- nil }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-served; err != nil {
				t.Error(err)
			}
		}
	})
	return box{NewClient(Path(filepath.Join(dir, "records.sock"))), s, stick, kit}
}

func asIs(p backup.Place) backup.Place { return p }

// rests waits until no backup is being made.
func (b box) rests(t *testing.T) State {
	t.Helper()
	for {
		st, err := b.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !st.Running {
			return st
		}
	}
}

func TestABackupIsMadeAtOnceListedAndReadOutAgain(t *testing.T) {
	b := newBox(t, asIs)
	if err := b.Now(t.Context()); err != nil {
		t.Fatal(err)
	}
	st := b.rests(t)
	if st.Failed != "" || st.Made.IsZero() || st.To != b.stick || st.Files == 0 {
		t.Fatalf("%+v", st)
	}
	all, err := b.List(t.Context())
	if err != nil || len(all) == 0 || all[0].Name != st.Name {
		t.Fatalf("%v, %v", all, err)
	}
	body, err := b.Copy(t.Context(), all[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	kit, err := backup.ParseKey(b.kit)
	if err != nil {
		t.Fatal(err)
	}
	if m, _, err := backup.Check(body, kit); err != nil || m.Name != "Bottega" {
		t.Errorf("%+v, %v", m, err)
	}
	for _, name := range []string{"../pronto.yaml", "", "pronto.yaml", "pronto-x-20260101T000000Z.age"} {
		if body, err := b.Copy(t.Context(), name); !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v", name, err)
			_ = body.Close()
		}
	}
}

func TestAPlaceIsTriedByWritingAndReadingBackAndNothingIsLeft(t *testing.T) {
	b := newBox(t, asIs)
	there := t.TempDir()
	if err := b.Try(t.Context(), config.Backup{To: there}); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(there); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	for name, to := range map[string]string{"a folder that is not there": filepath.Join(there, "stick"), "no place": "gopher://x"} {
		if err := b.Try(t.Context(), config.Backup{To: to}); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// forgetful gives back something else than it was given.
type forgetful struct{ backup.Place }

func (forgetful) Get(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("something else")), nil
}

func TestAPlaceThatGivesBackSomethingElseIsRefused(t *testing.T) {
	b := newBox(t, func(p backup.Place) backup.Place { return forgetful{p} })
	if err := b.Try(t.Context(), config.Backup{To: b.stick}); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "not what was written") {
		t.Error(err)
	}
	if err := b.Now(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := b.rests(t); st.Failed == "" || !st.Made.IsZero() {
		t.Errorf("%+v", st)
	}
}

func TestWhoIsAwayIsSaidToBeAway(t *testing.T) {
	c := NewClient(filepath.Join(t.TempDir(), "none.sock"))
	if _, err := c.State(t.Context()); !errors.Is(err, ErrAway) {
		t.Error(err)
	}
	if err := c.Now(t.Context()); !errors.Is(err, ErrAway) {
		t.Error(err)
	}
	if _, err := c.Copy(t.Context(), "pronto-x-20260101T000000Z.age"); !errors.Is(err, ErrAway) {
		t.Error(err)
	}
}

func TestWhatWasAskedForIsMadeAlthoughNoneIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, stick := t.TempDir(), t.TempDir()
		s := backup.Source{Dir: dir, Config: filepath.Join(dir, "pronto.yaml")}
		if err := os.WriteFile(s.Config, []byte("backup: {to: "+stick+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := backup.NewKit(s, time.Now()); err != nil {
			t.Fatal(err)
		}
		n := backup.NewNightly(s, "test", slog.New(slog.DiscardHandler), func(config.Backup) (backup.Place, error) { return backup.Folder(stick), nil })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); n.Run(ctx) }()
		made := func() time.Time {
			synctest.Wait()
			st, err := backup.ReadStatus(s)
			if err != nil || st.Failed != "" {
				t.Fatalf("%+v, %v", st, err)
			}
			return st.Made
		}
		first := made() // the first is due at once
		time.Sleep(10 * time.Minute)
		if again := made(); !again.Equal(first) {
			t.Fatal("another one was made, which was not due")
		}
		n.Now()
		if again := made(); !again.After(first) {
			t.Error("none was made")
		}
		cancel()
		<-done
	})
}
