// Package driver loads the drivers that come with a system whose kernel has them as modules.
package driver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Dir is where they lie in the system, under names whose order is that of loading.
const Dir = "/usr/lib/modules"

// Load loads all of a directory and returns how many the kernel has taken. One for hardware that this board has not
// is passed over, one that is there already, too; the error tells of the others.
func Load(dir string) (n int, err error) { return load(dir, insert) }

func load(dir string, insert func(path string) error) (n int, err error) {
	all, err := filepath.Glob(filepath.Join(dir, "*.ko"))
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, path := range all {
		switch err := insert(path); {
		case err == nil:
			n++
		case errors.Is(err, unix.EEXIST), errors.Is(err, unix.ENODEV):
		default:
			errs = append(errs, fmt.Errorf("driver %s: %w", filepath.Base(path), err))
		}
	}
	return n, errors.Join(errs...)
}

// insert has the kernel take one (finit_module(2)).
func insert(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), "", 0)
}
