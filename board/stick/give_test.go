package stick

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	folder   = "pronto-backup"
	uid, gid = 902, 910
)

// asRoot leaves a test out where nobody can give files away.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("only root can give files away")
	}
	t.Skip("left out: only root can give files away")
}

// whose is who a file belongs to, and what its mode is.
func whose(t *testing.T, at string) (user, group int, mode fs.FileMode) {
	t.Helper()
	info, err := os.Lstat(at)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return int(st.Uid), int(st.Gid), info.Mode()
}

func TestTheBackupsGetAFolderOfTheirOwnAndNothingElseOfTheStick(t *testing.T) {
	asRoot(t)
	at := t.TempDir()
	private, old := filepath.Join(at, "photo.jpg"), filepath.Join(at, folder, "pronto-bar-20260302T023000Z.age")
	for _, err := range []error{os.WriteFile(private, nil, 0o600), os.Mkdir(filepath.Join(at, folder), 0o755), os.WriteFile(old, nil, 0o600), os.Link(private, filepath.Join(at, folder, "link"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // plugged in again
		if err := give(at, folder, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	if u, g, mode := whose(t, filepath.Join(at, folder)); u != uid || g != gid || mode.Perm() != 0o770 || mode&fs.ModeSetgid == 0 {
		t.Errorf("the folder is of %d and %d with %v", u, g, mode)
	}
	for _, path := range []string{at, private, old} { // and so not what a hard link in the folder leads to
		if u, g, _ := whose(t, path); u != 0 || g != 0 {
			t.Errorf("%s was given to %d and %d", path, u, g)
		}
	}

	fresh := t.TempDir()
	if err := give(fresh, folder, uid, gid); err != nil {
		t.Fatal(err)
	}
	if u, g, mode := whose(t, filepath.Join(fresh, folder)); u != uid || g != gid || mode.Perm() != 0o770 {
		t.Errorf("a new folder is of %d and %d with %v", u, g, mode)
	}
}

func TestWhatLiesInThePlaceOfTheFolderIsNeitherFollowedNorGivenAway(t *testing.T) {
	asRoot(t)
	outside := filepath.Join(t.TempDir(), "trust")
	if err := os.Mkdir(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, plant := range map[string]func(at string) error{
		"a link to a folder of the box": func(at string) error { return os.Symlink(outside, at) },
		"a link to the stick itself":    func(at string) error { return os.Symlink(".", at) },
		"a link to nowhere":             func(at string) error { return os.Symlink("nowhere", at) },
		"a file":                        func(at string) error { return os.WriteFile(at, nil, 0o600) },
		"a pipe":                        func(at string) error { return unix.Mkfifo(at, 0o600) },
		"another file system": func(at string) error {
			if err := os.Mkdir(at, 0o700); err != nil {
				return err
			}
			t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
			return unix.Mount("tmpfs", at, "tmpfs", 0, "")
		},
	} {
		at := t.TempDir()
		if err := plant(filepath.Join(at, folder)); err != nil {
			t.Fatal(err)
		}
		if err := give(at, folder, uid, gid); !errors.Is(err, ErrNoFolder) {
			t.Errorf("%s: %v", name, err)
		}
		for _, path := range []string{at, outside, filepath.Join(at, folder)} {
			if u, g, _ := whose(t, path); u != 0 || g != 0 {
				t.Errorf("%s: %s was given to %d and %d", name, path, u, g)
			}
		}
	}
}

func TestAStickThatCanOnlyBeReadOrIsFullIsSaidSo(t *testing.T) {
	asRoot(t)
	at := t.TempDir()
	if err := unix.Mount("tmpfs", at, "tmpfs", unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
	if err := give(at, folder, uid, gid); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a write-protected one: %v", err)
	}
	if err := unix.Mount("", at, "", unix.MS_REMOUNT, "nr_inodes=1"); err != nil {
		t.Fatal(err)
	}
	if err := give(at, folder, uid, gid); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("a full one: %v", err)
	}
	if err := give(filepath.Join(at, "gone"), folder, uid, gid); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that is gone: %v", err)
	}
}
