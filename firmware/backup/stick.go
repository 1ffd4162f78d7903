package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// StickDir is where a box of the card image mounts the stick that is plugged in.
const StickDir = "/media/stick"

// Errors of a stick.
var (
	ErrNoStick = errors.New("no stick is plugged in")
	ErrPulled  = errors.New("the stick was pulled out, or is broken, while it was in use")
)

// Stick is a folder of a stick that the system mounts at a directory of its own. Without a stick that directory
// is there too, and nothing is written into it.
type Stick struct {
	At     string // the directory: StickDir
	Folder string // below it; empty: the stick's top directory
}

func (s Stick) folder() Folder { return Folder(filepath.Join(s.At, s.Folder)) }

// there tells whether something is mounted: then the directory lies on another device than the one above it.
func (s Stick) there() error {
	var at, above unix.Stat_t
	if unix.Stat(s.At, &at) != nil || unix.Stat(filepath.Dir(s.At), &above) != nil || at.Dev == above.Dev {
		return ErrNoStick
	}
	return nil
}

// Absent tells why nothing can be put there now; nil: it can. A stick is waited for without counting a try.
func (s Stick) Absent() error { return s.there() }

// cause says in the shop's words what an error of a stick means.
func (s Stick) cause(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("the stick can only be read: %w", err)
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("the stick is full: %w", err)
	case errors.Is(err, fs.ErrNotExist) && s.there() == nil:
		return fmt.Errorf("the stick has no such folder or file: %w", err)
	case errors.Is(err, unix.EIO), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), s.there() != nil:
		return fmt.Errorf("%w: %w", ErrPulled, err)
	}
	return err
}

// Put implements Place.
func (s Stick) Put(ctx context.Context, name string, body io.Reader) error {
	if err := s.there(); err != nil {
		return err
	}
	return s.cause(s.folder().Put(ctx, name, body))
}

// Get implements Place.
func (s Stick) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	r, err := s.folder().Get(ctx, name)
	return r, s.cause(err)
}

// List implements Place.
func (s Stick) List(ctx context.Context) ([]string, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	names, err := s.folder().List(ctx)
	return names, s.cause(err)
}

// Delete implements Place.
func (s Stick) Delete(ctx context.Context, name string) error {
	if err := s.there(); err != nil {
		return err
	}
	return s.cause(s.folder().Delete(ctx, name))
}
