package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ResetMark is the file in the directory of the data that asks for a factory reset at the next start. It goes
// last, so that a reset that a power cut ended goes on.
const ResetMark = "factory-reset"

// kept outlives a factory reset: who the box is, and the code on its label.
var kept = []string{"box.json", "pronto/label.json", "lost+found"}

// Reset removes everything of the owner if the mark is there, before anything uses the data, and tells whether
// it was.
func Reset(dir string) (bool, error) {
	if _, err := os.Lstat(filepath.Join(dir, ResetMark)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("factory reset: %w", err)
	}
	if err := empty(dir, ""); err != nil {
		return true, fmt.Errorf("factory reset: %w", err)
	}
	// What is gone must be gone for good before the mark is.
	unix.Sync()
	if err := errors.Join(os.Remove(filepath.Join(dir, ResetMark)), syncDir(dir)); err != nil {
		return true, fmt.Errorf("factory reset: %w", err)
	}
	return true, nil
}

// empty removes what is in a directory below dir but for what is kept.
func empty(dir, below string) error {
	entries, err := os.ReadDir(filepath.Join(dir, below))
	if err != nil {
		return err
	}
	var failed []error
	for _, e := range entries {
		name := filepath.Join(below, e.Name())
		switch stays(name) {
		case all:
		case some:
			failed = append(failed, empty(dir, name))
		case none:
			if name != ResetMark {
				failed = append(failed, os.RemoveAll(filepath.Join(dir, name)))
			}
		}
	}
	return errors.Join(failed...)
}

type share int

const (
	none share = iota
	some
	all
)

func stays(name string) share {
	for _, k := range kept {
		if k == name {
			return all
		}
		if rel, err := filepath.Rel(name, k); err == nil && filepath.IsLocal(rel) {
			return some
		}
	}
	return none
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
