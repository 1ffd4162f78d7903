package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// StickDir is where a box of the card image mounts the stick that is plugged in.
const StickDir = "/media/stick"

// OwnFolder is the folder, in the top directory of a stick, that the first program of a box makes and gives away on
// a stick whose file system knows owners (ext4): the rest of such a stick is not ours to write.
const OwnFolder = "pronto-backup"

// Errors of a stick.
var (
	ErrNoStick = errors.New("no stick is plugged in")
	ErrPulled  = errors.New("the stick was pulled out, or is broken, while it was in use")
)

// Stick is a folder of a stick that the system mounts at a directory of its own. Without a stick that directory
// is there too, and nothing is written into it. Nothing that lies on a stick leads out of it: a link on it to the
// state of the box is not followed.
type Stick struct {
	At     string // the directory: StickDir
	Folder string // below it; empty: OwnFolder where the stick has it, else the stick's top directory
}

// open returns the folder; the caller closes it.
func (s Stick) open() (folder, error) {
	if err := s.there(); err != nil {
		return folder{}, err
	}
	top, err := os.OpenRoot(s.At)
	if err != nil {
		return folder{}, err
	}
	defer top.Close()
	name := path.Clean(s.Folder)
	if s.Folder == "" {
		if info, err := top.Lstat(OwnFolder); err == nil && info.IsDir() {
			name = OwnFolder
		}
	}
	at, err := top.OpenRoot(name)
	return folder{at}, err
}

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
	case err == nil, errors.Is(err, ErrNoStick), errors.Is(err, ErrPulled):
		return err
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("the stick can only be read: %w", err)
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("the stick is full: %w", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the folder on the stick is somebody else's: leave the place at %s, which has one of its own: %w", StickDir, err)
	case errors.Is(err, fs.ErrNotExist) && s.there() == nil:
		return fmt.Errorf("the stick has no such folder or file: %w", err)
	case errors.Is(err, unix.EIO), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), s.there() != nil:
		return fmt.Errorf("%w: %w", ErrPulled, err)
	}
	return err
}

// in does something in the folder, and says in words what went wrong.
func (s Stick) in(do func(folder) error) error {
	f, err := s.open()
	if err == nil {
		err = errors.Join(do(f), f.Close())
	}
	return s.cause(err)
}

// Put implements Place. What is written into a stick that is pulled out meanwhile may look as if it had been.
func (s Stick) Put(_ context.Context, name string, body io.Reader) error {
	return s.in(func(f folder) error {
		if err := f.put(name, body); err != nil {
			return err
		}
		if s.there() != nil {
			return ErrPulled
		}
		return nil
	})
}

// Get implements Place.
func (s Stick) Get(_ context.Context, name string) (r io.ReadCloser, err error) {
	err = s.in(func(f folder) (err error) { r, err = f.get(name); return err })
	return r, err
}

// List implements Place.
func (s Stick) List(context.Context) (names []string, err error) {
	err = s.in(func(f folder) (err error) { names, err = f.list(); return err })
	return names, err
}

// Delete implements Place.
func (s Stick) Delete(_ context.Context, name string) error {
	return s.in(func(f folder) error { return f.Remove(name) })
}
