package backup

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestABackupGoesIntoTheFolderThatTheBoxHasMadeOnAStickThatKnowsOwners(t *testing.T) {
	s := plugged(t, "")
	s.Folder = ""
	if err := s.Put(t.Context(), nightly, strings.NewReader("at the top")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(s.At, OwnFolder), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), nightly, strings.NewReader("in the folder")); err != nil {
		t.Fatal(err)
	}
	got := tree(t, s.At)
	if got[nightly] != "at the top" || got[OwnFolder+"/"+nightly] != "in the folder" {
		t.Errorf("%v", got)
	}
	r, err := s.Get(t.Context(), nightly)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || string(b) != "in the folder" {
		t.Errorf("%q, %v", b, err)
	}
}

// Somebody has prepared a stick so that what the box writes into it goes into the box.
func TestNothingOnAStickLeadsIntoTheBox(t *testing.T) {
	box := t.TempDir()
	trust := filepath.Join(box, "trust")
	write(t, trust, "trust")
	for name, plant := range map[string]func(s Stick) error{
		"the half that is written is a link": func(s Stick) error { return os.Symlink(trust, filepath.Join(s.At, s.Folder, nightly+".part")) },
		"the backup is a link":               func(s Stick) error { return os.Symlink(trust, filepath.Join(s.At, s.Folder, nightly)) },
		"the folder is a link": func(s Stick) error {
			return errors.Join(os.Remove(filepath.Join(s.At, s.Folder)), os.Symlink(box, filepath.Join(s.At, s.Folder)))
		},
	} {
		s := plugged(t, "")
		if err := plant(s); err != nil {
			t.Fatal(err)
		}
		err := s.Put(t.Context(), nightly, strings.NewReader("backup"))
		if r, got := s.Get(t.Context(), nightly); got == nil {
			b, _ := io.ReadAll(r)
			_ = r.Close()
			if string(b) != "backup" || err != nil {
				t.Errorf("%s: %q comes back, %v", name, b, err)
			}
		} else if err == nil {
			t.Errorf("%s: it was written, and cannot be read: %v", name, got)
		}
		if got := tree(t, box); len(got) != 1 || got["trust"] != "trust" {
			t.Errorf("%s: in the box lies %v", name, got)
		}
	}
}

func TestABackupThatIsAPipeIsNotWaitedFor(t *testing.T) {
	s := plugged(t, "")
	if err := unix.Mkfifo(filepath.Join(s.At, s.Folder, nightly), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Get(t.Context(), nightly); err == nil || !strings.Contains(err.Error(), "is no file") {
		t.Errorf("%v, %v", r, err)
	}
	if names, err := s.List(t.Context()); err != nil || len(names) > 0 {
		t.Errorf("%q, %v", names, err)
	}
}

func TestAFolderOfSomebodyElseOnAStickIsSaidSo(t *testing.T) {
	err := Stick{At: t.TempDir()}.cause(&os.PathError{Op: "openat", Path: "x", Err: unix.EACCES})
	if err == nil || !strings.Contains(err.Error(), "somebody else's") || !errors.Is(err, unix.EACCES) {
		t.Error(err)
	}
}
