package erasure

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/statefile"
)

// File is the name of the list in the directory of the state.
const File = "erasures.json"

const fileVersion = 1

// ErrUnknown is the error of an erasure that is not in the register.
var ErrUnknown = errors.New("there is no such erasure")

// Read is the list of a directory, empty where there is none. An entry that is none is left out.
func Read(dir string) (List, error) {
	var l List
	if err := statefile.Load(filepath.Join(dir, File), fileVersion, &l); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("erasures: %w", err)
	}
	l = slices.DeleteFunc(l, func(e Entry) bool { return !e.whole() })
	l.sort()
	return l, nil
}

// Join adds what a file of a backup tells to the list of a directory, and has everything gone over again. Doing it
// twice changes nothing. A file of the backup that cannot be read is an error, and changes nothing; a damaged list of
// the box lies aside, and that of the backup is better than none.
func Join(dir, file string) error {
	now, err := Read(dir)
	if err != nil && !errors.Is(err, statefile.ErrDamaged) {
		return err
	}
	var old List
	if _, err := os.Stat(file); err == nil {
		if old, err = Read(filepath.Dir(file)); err != nil {
			return err
		}
	}
	if all := now.Merge(old); len(all) > 0 {
		return save(dir, all)
	}
	return nil
}

func save(dir string, l List) error {
	return statefile.Save(filepath.Join(dir, File), fileVersion, l)
}

// Register owns the list of a box. Its methods are safe from any goroutine, and return when the disk has what they
// changed.
type Register struct {
	dir string

	mu   sync.Mutex // guards list, also while the disk works
	list List
}

// Open reads the list of a directory.
func Open(dir string) (*Register, error) {
	l, err := Read(dir)
	if err != nil {
		return nil, err
	}
	return &Register{dir: dir, list: l}, nil
}

// All is the list.
func (r *Register) All() List {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list)
}

// Add keeps an erasure that begins. From here on it is completed, whatever happens.
func (r *Register) Add(e Entry) error {
	return r.change(func(l List) (List, error) { return append(l, e), nil })
}

// Recorded adds identifiers of recordings to an erasure: before they are deleted, so that no backup brings them back.
func (r *Register) Recorded(id string, recordings []string) error {
	return r.edit(id, func(e *Entry) { e.Recordings = union(e.Recordings, recordings) })
}

// Done notes that this box has gone over its state. The first time that ends what the erasure covers.
func (r *Register) Done(id string, found Count, now time.Time) error {
	return r.edit(id, func(e *Entry) {
		if e.Until.IsZero() {
			e.Until = now.UTC().Round(0)
		}
		e.Erased, e.Open = e.Erased.Add(found), false
	})
}

func (r *Register) edit(id string, do func(*Entry)) error {
	return r.change(func(l List) (List, error) {
		i := slices.IndexFunc(l, func(e Entry) bool { return e.ID == id })
		if i < 0 {
			return nil, ErrUnknown
		}
		do(&l[i])
		return l, nil
	})
}

// change makes a new list the one in force once the disk has it.
func (r *Register) change(edit func(List) (List, error)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next, err := edit(slices.Clone(r.list))
	if err != nil {
		return err
	}
	if err := save(r.dir, next); err != nil {
		return err
	}
	r.list = next
	return nil
}
