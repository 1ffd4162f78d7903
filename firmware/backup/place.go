package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
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

// Put implements Place.
func (f Folder) Put(_ context.Context, name string, body io.Reader) error {
	part := filepath.Join(string(f), name+".part")
	out, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, body)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return errors.Join(os.Rename(part, filepath.Join(string(f), name)), syncDir(string(f)))
}

// Get implements Place.
func (f Folder) Get(_ context.Context, name string) (io.ReadCloser, error) {
	return os.OpenInRoot(string(f), name)
}

// List implements Place.
func (f Folder) List(context.Context) ([]string, error) {
	entries, err := os.ReadDir(string(f))
	var names []string
	for _, e := range entries {
		if _, ok := MadeAt(e.Name()); ok && e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// Delete implements Place.
func (f Folder) Delete(_ context.Context, name string) error {
	return os.Remove(filepath.Join(string(f), name))
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
