package live

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	file   = "/etc/pronto/pronto.yaml"
	dir    = "/var/pronto/config"
	before = "# Anna is back in May\nbox: {name: Before}\n"
	after  = "# new shop\nbox: {name: After}\n"
)

var errPower = errors.New("the power is gone")

// memDisk is a file system that loses power: after a number of operations nothing works any more,
// the operation in progress is half done, and what was not synced may be gone.
type memDisk struct {
	mu     sync.Mutex
	now    map[string]string // names as programs see them
	safe   map[string]string // names that survive a power cut
	steps  int               // operations done
	diesAt int               // 0 = never
	full   string            // writes to names that contain this find the disk full; "" = none
}

func newDisk(text string) *memDisk {
	return &memDisk{now: map[string]string{file: text}, safe: map[string]string{file: text}}
}

// dies counts a step that changes something; it is called with mu held.
func (d *memDisk) dies() bool {
	d.steps++
	return d.diesAt > 0 && d.steps >= d.diesAt
}

func (d *memDisk) read(path string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	text, ok := d.now[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(text), nil
}

func (d *memDisk) mode(string) (fs.FileMode, error) { return 0o640, nil }

func (d *memDisk) list(dir string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for name := range d.now {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (d *memDisk) write(path string, text []byte, _ fs.FileMode) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full != "" && strings.Contains(path, d.full) {
		d.now[path] = string(text[:len(text)/2])
		return &fs.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
	}
	if d.dies() {
		if d.steps == d.diesAt {
			d.now[path] = string(text[:len(text)/2])
		}
		return errPower
	}
	d.now[path] = string(text)
	return nil
}

func (d *memDisk) rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dies() {
		return errPower
	}
	text, ok := d.now[from]
	if !ok {
		return fs.ErrNotExist
	}
	d.now[to] = text
	delete(d.now, from)
	return nil
}

func (d *memDisk) remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.now[path]; !ok {
		return fs.ErrNotExist
	}
	if d.dies() {
		return errPower
	}
	delete(d.now, path)
	return nil
}

func (d *memDisk) syncDir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dies() {
		return errPower
	}
	maps.DeleteFunc(d.safe, func(name, _ string) bool { return filepath.Dir(name) == dir })
	for name, text := range d.now {
		if filepath.Dir(name) == dir {
			d.safe[name] = text
		}
	}
	return nil
}

// reboot is the disk after a killed process, or after a power cut, which loses unsynced names.
func (d *memDisk) reboot(powerCut bool) *memDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	left := d.now
	if powerCut {
		left = d.safe
	}
	return &memDisk{now: maps.Clone(left), safe: maps.Clone(left)}
}

func (d *memDisk) text(path string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now[path]
}

func (d *memDisk) put(path, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now[path], d.safe[path] = text, text
}

func (d *memDisk) names() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.now))
}

// room is a Room that writes what it does into a diary shared by all.
type room struct {
	name    string
	diary   *diary
	veto    error
	fail    error // of steps forward
	stuck   error // of steps back
	panics  bool
	outcome Outcome
	during  func() // runs inside Commit
	has     string // box.name in force here
}

type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) write(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (r *room) Name() string { return r.name }

func (r *room) Verify(_ context.Context, from, to *config.Config) error {
	r.diary.write(r.name + " verifies " + to.Box.Name)
	return r.veto
}

func (r *room) Commit(_ context.Context, from, to *config.Config) (Outcome, error) {
	r.diary.write(r.name + " takes " + to.Box.Name)
	if r.during != nil {
		r.during()
	}
	back := to.Box.Name == "Before"
	switch {
	case r.panics && !back:
		r.has = "half"
		panic("index out of range")
	case r.fail != nil && !back:
		r.has = "half"
		return 0, r.fail
	case r.stuck != nil && back:
		return 0, r.stuck
	}
	r.has = to.Box.Name
	return r.outcome, nil
}

// start opens a configuration on a disk with rooms of the given names.
func start(t *testing.T, d disk, names ...string) (*Live, map[string]*room, *diary) {
	t.Helper()
	l, err := open(Options{Dir: dir}, file, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	diary, rooms := &diary{}, map[string]*room{}
	var all []Room
	for _, n := range names {
		rooms[n] = &room{name: n, diary: diary, outcome: Applied, has: l.Current().Box.Name}
		all = append(all, rooms[n])
	}
	l.Start(all...)
	return l, rooms, diary
}
