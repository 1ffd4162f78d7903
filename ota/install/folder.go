package install

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// Folder is a directory of downloads.
type Folder struct{ Dir string }

// Open opens or makes a download, and the directory.
func (f Folder) Open(name string) (Device, error) {
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return Device{}, err
	}
	return OpenFile(filepath.Join(f.Dir, name))
}

// Rename gives a download another name, in the place of what had that, safe from a power cut.
func (f Folder) Rename(from, to string) error {
	if err := os.Rename(filepath.Join(f.Dir, from), filepath.Join(f.Dir, to)); err != nil {
		return err
	}
	dir, err := os.Open(f.Dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Clear removes all downloads but some.
func (f Folder) Clear(but ...string) error {
	entries, err := os.ReadDir(f.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err = nil
	for _, e := range entries {
		if !slices.Contains(but, e.Name()) {
			err = errors.Join(err, os.Remove(filepath.Join(f.Dir, e.Name())))
		}
	}
	return err
}

// Free is for how many bytes the disk has room.
func (f Folder) Free() (int64, error) {
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return 0, err
	}
	var s unix.Statfs_t
	if err := unix.Statfs(f.Dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}
