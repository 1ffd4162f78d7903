package record

import (
	"crypto/hpke"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/durable"
	"github.com/pronto-pbx/pronto/firmware/record/tape"
)

// Errors of an archive.
var (
	ErrUnknown = errors.New("there is no such recording")
	ErrHeld    = errors.New("the recording is held and cannot be deleted")
	ErrFull    = errors.New("the disk has too little room left for recordings")
	ErrRunning = errors.New("the recording has not ended yet")
	errName    = errors.New("that cannot name a recording")
)

const (
	keyName   = "key"
	indexName = "index.jsonl"
	suffix    = ".tape"
	// sweepEvery is how often it is looked whose time is over.
	sweepEvery = time.Hour
)

// Config is what an archive needs.
type Config struct {
	Log *slog.Logger
	Dir string // is made
	// Reserve is how many bytes of the disk recordings leave to everything else.
	Reserve int64
	// Free is how many bytes the disk has left; nil: the system is asked.
	Free func(dir string) (int64, error)
	// Now is by which moment ages are counted; nil: time.Now.
	Now func() time.Time
	// Told learns of what people did and of deletions, after it is on the disk. It must not block; nil: nobody.
	Told func(Entry, Recording)
}

// Recording is one file, as the index tells of it.
type Recording struct {
	tape.About
	Sum
	State What // Began while it runs; Ended, Interrupted or Found
	Why   string
	Held  bool
}

// Archive is the recordings of a box. Its methods are safe from any goroutine; they may wait for the disk.
type Archive struct {
	cfg Config
	key hpke.PrivateKey

	mu     sync.Mutex // guards all below
	file   *os.File   // the index
	size   int64
	n      uint64
	head   string
	all    map[string]*Recording
	doomed map[string]Entry // that run and are deleted when they end
	owed   []Entry          // lines for which the disk had no room
	broken error            // the first line that is not what was written
}

// Open opens the archive of a directory, or begins one, and closes what an earlier process left.
func Open(cfg Config) (*Archive, error) {
	if cfg.Free == nil {
		cfg.Free = freeBytes
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Told == nil {
		cfg.Told = func(Entry, Recording) {}
	}
	a := &Archive{cfg: cfg, all: map[string]*Recording{}, doomed: map[string]Entry{}}
	if err := a.openKey(); err != nil {
		return nil, fmt.Errorf("the key of recordings: %w", err)
	}
	if err := a.openIndex(); err != nil {
		return nil, fmt.Errorf("the index of recordings: %w", err)
	}
	if a.broken != nil {
		cfg.Log.Error("the index of recordings was changed", "err", a.broken)
	}
	if err := a.recover(); err != nil {
		cfg.Log.Error("a recording of an earlier process is not closed", "err", err)
	}
	return a, nil
}

func freeBytes(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("how full the disk of %s is: %w", dir, err)
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}

// openKey reads the box's key, or makes one. A key that is there and cannot be read is an error: a new one would
// not open what there is.
func (a *Archive) openKey() error {
	path := filepath.Join(a.cfg.Dir, keyName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if a.key, err = tape.NewKey(); err != nil {
			return err
		}
		return a.writeKey()
	}
	if err != nil {
		return err
	}
	a.key, err = tape.ParseKey(b)
	return err
}

func (a *Archive) writeKey() error {
	b, err := a.key.Bytes()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.cfg.Dir, 0o700); err != nil {
		return err
	}
	return durable.Replace(durable.Disk{}, filepath.Join(a.cfg.Dir, keyName), b, 0o600)
}

// openIndex reads the index. A last line without its end was never acknowledged: it goes.
func (a *Archive) openIndex() error {
	f, err := os.OpenFile(filepath.Join(a.cfg.Dir, indexName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	a.file = f
	a.size, a.n, a.head, err = readIndex(f, func(e Entry, wrong error) {
		if wrong != nil {
			a.broken = errors.Join(a.broken, wrong)
		}
		a.apply(e) // what can be read of it: a line that was changed hides no recording
	})
	if err == nil {
		err = f.Truncate(a.size)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	return nil
}

// apply follows one line.
func (a *Archive) apply(e Entry) {
	r := a.all[e.ID]
	if e.About != nil && r == nil && e.About.ID == e.ID && names.MatchString(e.ID) {
		r = &Recording{About: *e.About}
		a.all[e.ID] = r
	}
	if r == nil {
		return
	}
	switch e.What {
	case Began, Ended, Interrupted, Found:
		r.State, r.Why = e.What, e.Why
		if e.File != nil {
			r.Sum = *e.File
		}
	case Held, Released:
		r.Held = e.What == Held
	case Deleted:
		delete(a.all, e.ID)
	case Heard, Downloaded, Anew: // change nothing
	}
}

// append writes a line and makes it safe. It is called with mu held.
func (a *Archive) append(e Entry) error {
	if err := a.ensure(); err != nil {
		return err
	}
	for len(a.owed) > 0 {
		if err := a.line(a.owed[0]); err != nil {
			return err
		}
		a.owed = a.owed[1:]
	}
	if err := a.line(e); err != nil {
		return err
	}
	return a.file.Sync()
}

// line writes one line, whole or not at all.
func (a *Archive) line(e Entry) error {
	e.N, e.Prev = a.n+1, a.head
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if len(b) >= maxLine {
		return fmt.Errorf("a line of the index of recordings has %d bytes", len(b))
	}
	if _, err := a.file.WriteAt(append(b, '\n'), a.size); err != nil {
		return errors.Join(err, a.file.Truncate(a.size))
	}
	a.size += int64(len(b)) + 1
	a.n, a.head = e.N, hashOf(b)
	a.apply(e)
	return nil
}

// ensure makes anew what has vanished from the disk under us, so that what follows is kept.
func (a *Archive) ensure() error {
	if a.file == nil {
		return fs.ErrClosed
	}
	path := filepath.Join(a.cfg.Dir, indexName)
	there, err := os.Stat(path)
	ours, err2 := a.file.Stat()
	if err == nil && err2 == nil && os.SameFile(there, ours) {
		return nil
	}
	a.cfg.Log.Error("the directory of recordings has vanished; it is begun anew", "dir", a.cfg.Dir)
	if err := a.writeKey(); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_ = a.file.Close()
	a.file, a.size = f, 0
	if err := a.line(Entry{At: time.Now(), What: Anew}); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(a.all)) { // what there was goes on being known
		r := *a.all[id]
		lines := []Entry{{At: r.Began, What: Began, ID: id, About: &r.About}}
		if r.State != Began {
			lines = append(lines, Entry{At: time.Now(), What: r.State, ID: id, Why: r.Why, File: &r.Sum})
		}
		if r.Held {
			lines = append(lines, Entry{At: time.Now(), What: Held, ID: id})
		}
		for _, e := range lines {
			if err := a.line(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// note appends a line, or remembers it until there is room: what happened has happened.
func (a *Archive) note(e Entry) {
	if err := a.append(e); err != nil {
		a.owed = append(a.owed, e)
		a.apply(e)
		a.cfg.Log.Error("the index of recordings cannot be written; it is tried again", "err", err)
	}
}

var names = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$`)

// path is the file of a recording.
func (a *Archive) path(about *tape.About) string {
	return filepath.Join(a.cfg.Dir, about.Began.UTC().Format(time.DateOnly), about.ID+suffix)
}

// Get finds a recording.
func (a *Archive) Get(id string) (Recording, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.all[id]
	if r == nil {
		return Recording{}, false
	}
	return *r, true
}

// List returns the recordings for which keep is true, the newest first.
func (a *Archive) List(keep func(Recording) bool) (list []Recording) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.all {
		if keep(*r) {
			list = append(list, *r)
		}
	}
	slices.SortFunc(list, func(x, y Recording) int {
		if c := y.Began.Compare(x.Began); c != 0 {
			return c
		}
		if x.ID < y.ID {
			return -1
		}
		return 1
	})
	return list
}

// Total counts the recordings and their bytes; what runs has none yet.
func (a *Archive) Total() (n int, bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.all {
		bytes += r.Bytes
	}
	return len(a.all), bytes
}

// Hold keeps a recording from being deleted, or lets it go again.
func (a *Archive) Hold(id, by string, on bool) error {
	what := Released
	if on {
		what = Held
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.all[id]
	if r == nil {
		return ErrUnknown
	}
	e := Entry{At: time.Now(), What: what, ID: id, By: by}
	was := *r
	if err := a.append(e); err != nil {
		return err
	}
	a.cfg.Told(e, was)
	return nil
}

// Delete deletes a recording for good; one that runs is deleted when it ends. One that is held stays, but for a
// caller who opted out. The line comes first: a file without a line that says so was not deleted by us.
func (a *Archive) Delete(id, by, why string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.remove(Entry{At: time.Now(), What: Deleted, ID: id, By: by, Why: why})
}

func (a *Archive) remove(e Entry) error {
	r := a.all[e.ID]
	switch {
	case r == nil:
		return ErrUnknown
	case r.State == Began:
		a.doomed[e.ID] = e
		return nil
	case r.Held && e.Why != WhyOptOut:
		return ErrHeld
	}
	was := *r
	if err := a.append(e); err != nil {
		return err
	}
	if err := os.Remove(a.path(&was.About)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete recording %s: %w", e.ID, err)
	}
	a.cfg.Told(e, was)
	return nil
}

// Sweep deletes what has been kept for long enough, and tells how many.
func (a *Archive) Sweep(now time.Time) (gone int) {
	due := a.List(func(r Recording) bool {
		return r.State != Began && !r.Held && !r.Until.IsZero() && !now.Before(r.Until)
	})
	for _, r := range due {
		if err := a.Delete(r.ID, "", WhyExpired); err != nil {
			a.cfg.Log.Error("a recording whose time is over is not deleted", "id", r.ID, "err", err)
			continue
		}
		gone++
	}
	return gone
}

// Run deletes what has been kept for long enough, until done is closed.
func (a *Archive) Run(done <-chan struct{}) {
	every := time.NewTicker(sweepEvery)
	defer every.Stop()
	for {
		a.Sweep(a.cfg.Now())
		select {
		case <-done:
			return
		case <-every.C:
		}
	}
}

// Close closes the index. Files that run are ended before.
func (a *Archive) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return nil
	}
	err := a.file.Close()
	a.file = nil
	return err
}
