package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/durable"
)

// Name is the file of a backup: it tells the office and the moment without a key.
func Name(office string, made time.Time) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return '-'
		}
	}, office)
	if clean = strings.Trim(clean, "-"); clean == "" {
		clean = "office"
	}
	return prefix + clean + "-" + made.UTC().Format(stamp) + suffix
}

const (
	prefix = "pronto-"
	suffix = ".age"
	stamp  = "20060102T150405Z"
)

// MadeAt reads the moment off a name; ok is false for a file that is no backup.
func MadeAt(name string) (at time.Time, ok bool) {
	body, is := strings.CutSuffix(name, suffix)
	if !is || !strings.HasPrefix(name, prefix) || len(body) < len(prefix)+len(stamp) {
		return at, false
	}
	at, err := time.Parse(stamp, body[len(body)-len(stamp):])
	return at, err == nil
}

// How many backups a place keeps: of the last days, weeks and months that have one, the newest each.
const (
	keepDays   = 7
	keepWeeks  = 4
	keepMonths = 6
)

// surplus says which backups of one office may go. The newest never does.
func surplus(made []time.Time) []time.Time {
	newest := slices.Clone(made)
	slices.SortFunc(newest, func(a, b time.Time) int { return b.Compare(a) })
	kept := map[time.Time]bool{}
	for _, rule := range []struct {
		count  int
		period func(time.Time) string
	}{
		{keepDays, func(t time.Time) string { return t.Format(time.DateOnly) }},
		{keepWeeks, func(t time.Time) string { y, w := t.ISOWeek(); return fmt.Sprint(y, "w", w) }},
		{keepMonths, func(t time.Time) string { return t.Format("2006-01") }},
	} {
		seen := map[string]bool{}
		for _, t := range newest {
			if p := rule.period(t); !seen[p] && len(seen) < rule.count {
				seen[p] = true
				kept[t] = true
			}
		}
	}
	return slices.DeleteFunc(newest, func(t time.Time) bool { return kept[t] })
}

// Place is where backups lie.
type Place interface {
	// Put stores a backup whole or not at all.
	Put(ctx context.Context, name string, body io.Reader) error
	Get(ctx context.Context, name string) (io.ReadCloser, error)
	List(ctx context.Context) ([]string, error)
	Delete(ctx context.Context, name string) error
}

// Folder is a place on a disk: a USB stick or a share that the system has mounted. A folder that does not
// exist is a stick that is not plugged in, and is not made.
type Folder string

// open returns the folder; the caller closes it.
func (f Folder) open() (folder, error) {
	at, err := os.OpenRoot(string(f))
	return folder{at}, err
}

// Put implements Place.
func (f Folder) Put(_ context.Context, name string, body io.Reader) error {
	at, err := f.open()
	if err != nil {
		return err
	}
	return errors.Join(at.put(name, body), at.Close())
}

// Get implements Place.
func (f Folder) Get(_ context.Context, name string) (io.ReadCloser, error) {
	at, err := f.open()
	if err != nil {
		return nil, err
	}
	defer at.Close()
	return at.get(name)
}

// List implements Place.
func (f Folder) List(context.Context) ([]string, error) {
	at, err := f.open()
	if err != nil {
		return nil, err
	}
	defer at.Close()
	return at.list()
}

// Delete implements Place.
func (f Folder) Delete(_ context.Context, name string) error {
	at, err := f.open()
	if err != nil {
		return err
	}
	return errors.Join(at.Remove(name), at.Close())
}

// folder is an open directory, out of which no link in it leads. What others have put there is not trusted: a name
// may be a link to another file, or a pipe that nobody writes into.
type folder struct{ *os.Root }

func (f folder) put(name string, body io.Reader) error { return lay(f, name, body) }

// shelf is what a place needs of a file system, part of durable.FileSystem; names are relative to the place.
type shelf interface {
	OpenFile(name string, flag int, perm fs.FileMode) (durable.File, error)
	Rename(from, to string) error
	Remove(name string) error
	SyncDir(dir string) error
}

// lay puts a backup on a shelf: after a power cut at any moment it is there whole, or is not there under its name; when
// lay has returned nil it is there.
func lay(on shelf, name string, body io.Reader) error {
	part := name + ".part"
	if err := on.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := on.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // a new file, and no link to an old one
	if err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(out, 0), body)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return errors.Join(err, on.Remove(part))
	}
	return errors.Join(on.Rename(part, name), on.SyncDir("."))
}

// OpenFile implements shelf.
func (f folder) OpenFile(name string, flag int, perm fs.FileMode) (durable.File, error) {
	out, err := f.Root.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return durable.Opened(out), nil
}

// SyncDir implements shelf: it has the names in the folder outlive a power cut.
func (f folder) SyncDir(dir string) error {
	d, err := f.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (f folder) get(name string) (io.ReadCloser, error) {
	r, err := f.Root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := r.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s is no file", name), err, r.Close())
	}
	return r, nil
}

func (f folder) list() (names []string, err error) {
	entries, err := fs.ReadDir(f.FS(), ".")
	for _, e := range entries {
		if _, ok := MadeAt(e.Name()); ok && e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// prune removes what a place need not keep of one office.
func prune(ctx context.Context, p Place, office string) error {
	names, err := p.List(ctx)
	if err != nil {
		return err
	}
	mine := map[time.Time]string{}
	for _, n := range names {
		if at, ok := MadeAt(n); ok && n == Name(office, at) {
			mine[at] = n
		}
	}
	var all []time.Time
	for at := range mine {
		all = append(all, at)
	}
	for _, at := range surplus(all) {
		if err := p.Delete(ctx, mine[at]); err != nil {
			return err
		}
	}
	return nil
}
