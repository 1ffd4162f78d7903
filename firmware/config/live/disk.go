package live

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/pronto-pbx/pronto/firmware/durable"
)

// disk is what the transaction needs of a file system; the tests put one in its place that loses
// power between any two steps.
type disk interface {
	read(path string) ([]byte, error)
	mode(path string) (fs.FileMode, error)
	list(dir string) ([]string, error)
	// write makes a file whose content, not yet its name, is safe from a power cut.
	write(path string, text []byte, mode fs.FileMode) error
	rename(from, to string) error
	remove(path string) error
	syncDir(dir string) error // makes names safe
}

type osDisk struct{}

func (osDisk) read(path string) ([]byte, error) { return os.ReadFile(path) }

func (osDisk) mode(path string) (fs.FileMode, error) {
	s, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return s.Mode().Perm(), nil
}

func (osDisk) list(dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	all, err := os.ReadDir(dir)
	names := make([]string, len(all))
	for i, e := range all {
		names[i] = e.Name()
	}
	return names, err
}

func (osDisk) write(path string, text []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
}

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) remove(path string) error { return os.Remove(path) }

func (osDisk) syncDir(dir string) error {
	return durable.Disk{}.SyncDir(dir)
}

// inWords says what a person can do about a disk that does not take a file.
func inWords(what string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%s: the disk is full; nothing was changed: %w", what, err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s: the disk is read-only; nothing was changed: %w", what, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: prontod may not write there; nothing was changed: %w", what, err)
	default:
		return fmt.Errorf("%s; nothing was changed: %w", what, err)
	}
}
