package backup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/pronto-pbx/pronto/firmware/config"
	"golang.org/x/sys/unix"
)

// exported is a copy as it lies in a place, and how much it holds.
func exported(t *testing.T, s Source) (Copy, Total, []byte) {
	t.Helper()
	to := t.TempDir()
	c, err := NewCopy(s, "v1", night)
	if err != nil {
		t.Fatal(err)
	}
	total, err := c.Put(t.Context(), Folder(to))
	if err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(filepath.Join(to, c.Name))
	if err != nil {
		t.Fatal(err)
	}
	return c, total, body
}

func TestACopyOfABoxWithoutARecoveryKitGetsAKeyOfItsOwn(t *testing.T) {
	s := newBox(t, carriers, "anna")
	before := tree(t, s.Dir)
	e, total, body := exported(t, s)
	if e.Secret == "" || total.Files == 0 || bytes.Contains(body, []byte("anna")) {
		t.Fatalf("%+v; in the clear: %v", e, bytes.Contains(body, []byte("anna")))
	}
	if after := tree(t, s.Dir); len(after) != len(before) {
		t.Errorf("the copy left something on the box: %v", after)
	}
	kit, err := ParseKey(e.Secret)
	if err != nil {
		t.Fatal(err)
	}
	other := newBox(t, carriers, "bruno")
	r := restored(t, other, Choice{}, body, kit)
	if !r.Foreign || r.Total != total {
		t.Errorf("%+v of %+v", r, total)
	}
	if got := tree(t, other.Dir)["voicemail/box/201/a.wav"]; got != "anna" {
		t.Errorf("it brings back %q", got)
	}
}

func TestACopyIsOpenedByTheKitOfTheBox(t *testing.T) {
	s := newBox(t, carriers, "anna")
	kit, _ := backedUp(t, s)
	e, all, body := exported(t, s)
	if e.Secret != "" {
		t.Error("a second key was made")
	}
	if _, total, err := Check(bytes.NewReader(body), kit); err != nil || total != all {
		t.Errorf("%+v of %+v, %v", total, all, err)
	}
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Check(bytes.NewReader(body), stranger); !errors.Is(err, ErrKey) {
		t.Errorf("another key: %v", err)
	}
}

func TestACopyIsMadeOfABoxWhoseKeysAreDamaged(t *testing.T) {
	s := newBox(t, carriers, "anna")
	write(t, s.keysFile(), "{")
	if e, _, _ := exported(t, s); e.Secret == "" {
		t.Error("nobody can open it")
	}
}

func TestACopyIsSentOffWithoutAnyPlaceOnTheBox(t *testing.T) {
	s := newBox(t, carriers, "anna")
	before := tree(t, s.Dir)
	c, err := NewCopy(s, "v1", night)
	if err != nil {
		t.Fatal(err)
	}
	var sent bytes.Buffer
	written, err := c.Write(t.Context(), &sent)
	if err != nil {
		t.Fatal(err)
	}
	kit, err := ParseKey(c.Secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, total, err := Check(bytes.NewReader(sent.Bytes()), kit); err != nil || total.Files != written.Files-1 || total.Files == 0 {
		t.Errorf("%+v of %+v, %v", total, written, err)
	}
	if _, _, err := Check(bytes.NewReader(sent.Bytes()[:sent.Len()-1]), kit); err == nil {
		t.Error("one that was cut off is taken for a whole one")
	}
	if after := tree(t, s.Dir); len(after) != len(before) {
		t.Errorf("the copy left something on the box: %v", after)
	}
	given, stop := context.WithCancel(t.Context())
	stop()
	if _, err := c.Write(given, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("whom nobody listens to any more: %v", err)
	}
}

// plugged mounts a stick of so many bytes.
func plugged(t *testing.T, options string) Stick {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("only root can mount a stick")
		}
		t.Skip("left out: root is needed to mount a stick")
	}
	s := Stick{At: t.TempDir(), Folder: "pronto"}
	if err := unix.Mount("tmpfs", s.At, "tmpfs", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(s.At, unix.MNT_DETACH) })
	if err := os.Mkdir(filepath.Join(s.At, s.Folder), 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}

const nightly = "pronto-bar-20260302T023000Z.age"

func TestAStickThatIsNotPluggedInIsWrittenByNobody(t *testing.T) {
	s := Stick{At: t.TempDir()}
	if err := s.Put(t.Context(), nightly, strings.NewReader("x")); !errors.Is(err, ErrNoStick) {
		t.Errorf("put: %v", err)
	}
	if _, err := s.Get(t.Context(), nightly); !errors.Is(err, ErrNoStick) {
		t.Errorf("get: %v", err)
	}
	if _, err := s.List(t.Context()); !errors.Is(err, ErrNoStick) {
		t.Errorf("list: %v", err)
	}
	if err := s.Delete(t.Context(), nightly); !errors.Is(err, ErrNoStick) {
		t.Errorf("delete: %v", err)
	}
	if left := tree(t, s.At); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestAStickKeepsBackupsLikeAnyFolder(t *testing.T) {
	s, ctx := plugged(t, ""), t.Context()
	if err := s.Put(ctx, nightly, strings.NewReader("backup")); err != nil {
		t.Fatal(err)
	}
	r, err := s.Get(ctx, nightly)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || string(b) != "backup" {
		t.Errorf("%q, %v", b, err)
	}
	if names, err := s.List(ctx); err != nil || len(names) != 1 || names[0] != nightly {
		t.Errorf("%q, %v", names, err)
	}
	if err := s.Delete(ctx, nightly); err != nil {
		t.Error(err)
	}
	s.Folder = "nowhere"
	if err := s.Put(ctx, nightly, strings.NewReader("x")); err == nil || !strings.Contains(err.Error(), "no such folder") {
		t.Errorf("into a folder that is not there: %v", err)
	}
}

// during does something when the body is first read.
type during struct{ do func() }

func (d *during) Read(b []byte) (int, error) {
	if d.do != nil {
		d.do()
		d.do = nil
		return copy(b, "half of a backup"), nil
	}
	return 0, io.EOF
}

func TestWhatIsWrongWithAStickIsSaidInWords(t *testing.T) {
	full := plugged(t, "size=64k")
	if err := full.Put(t.Context(), nightly, io.LimitReader(zeros{}, 1<<20)); err == nil || !strings.Contains(err.Error(), "the stick is full") {
		t.Errorf("a full one: %v", err)
	}
	pulled := plugged(t, "")
	err := pulled.Put(context.Background(), nightly, &during{func() {
		if err := unix.Unmount(pulled.At, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}})
	if !errors.Is(err, ErrPulled) {
		t.Errorf("one that is pulled out while it is written: %v", err)
	}
	switched := plugged(t, "")
	if err := unix.Mount("", switched.At, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if err := switched.Put(t.Context(), nightly, strings.NewReader("x")); err == nil || !strings.Contains(err.Error(), "can only be read") {
		t.Errorf("a write-protected one: %v", err)
	}
}

func TestABackupWaitsForItsStickAndIsMadeAsSoonAsItIsPluggedIn(t *testing.T) {
	s := newBox(t, "box: {name: Bar}\nbackup: {to: /media/stick, hour: 2}\n", "anna")
	if _, err := NewKit(s, night); err != nil {
		t.Fatal(err)
	}
	to := Stick{At: t.TempDir()}
	n := NewNightly(s, "v1", slog.New(slog.DiscardHandler), func(config.Backup) (Place, error) { return to, nil })
	status := func() Status {
		st, err := ReadStatus(s)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	n.look(t.Context(), night, false)
	if st := status(); st.Failed != ErrNoStick.Error() || !st.Made.IsZero() {
		t.Fatalf("without a stick: %+v", st)
	}
	written := modified(t, s.statusFile())
	n.look(t.Context(), night.Add(time.Minute), false)
	if modified(t, s.statusFile()) != written {
		t.Error("the card is written each minute")
	}
	to = plugged(t, "")
	n.look(t.Context(), night.Add(2*time.Minute), false)
	if st := status(); st.Failed != "" || !st.Made.Equal(night.Add(2*time.Minute)) {
		t.Errorf("with one: %+v", st)
	}
}

func modified(t *testing.T, path string) time.Time {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime()
}
