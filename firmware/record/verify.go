package record

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/record/tape"
)

// recover closes what an earlier process left: recordings that ran, files of which no line tells, and files that
// a line says are deleted.
func (a *Archive) recover() (failed error) {
	known := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(a.all)) {
		r := a.all[id]
		path := a.path(&r.About)
		known[path] = true
		if r.State == Began {
			failed = errors.Join(failed, a.closeLeft(Entry{What: Interrupted, ID: id, Why: "the program ended"}, path))
		}
	}
	deleted := a.deletedIDs()
	return errors.Join(failed, a.each(func(path string) error {
		id := strings.TrimSuffix(filepath.Base(path), suffix)
		switch {
		case known[path]:
			return nil
		case deleted[id]:
			return os.Remove(path)
		default:
			return a.closeLeft(Entry{What: Found, ID: id, Why: "the power was cut"}, path)
		}
	}))
}

// deletedIDs are the recordings that lines say are deleted.
func (a *Archive) deletedIDs() map[string]bool {
	ids := map[string]bool{}
	_, _, _, _ = readIndex(io.NewSectionReader(a.file, 0, a.size), func(e Entry, wrong error) { // read a moment ago
		if wrong == nil && e.What == Deleted {
			ids[e.ID] = true
		}
	})
	return ids
}

// each visits the files of the archive.
func (a *Archive) each(do func(path string) error) (failed error) {
	days, err := os.ReadDir(a.cfg.Dir)
	if err != nil {
		return err
	}
	for _, day := range days {
		if !day.IsDir() {
			continue
		}
		files, err := os.ReadDir(filepath.Join(a.cfg.Dir, day.Name()))
		failed = errors.Join(failed, err)
		for _, f := range files {
			if f.Type().IsRegular() && strings.HasSuffix(f.Name(), suffix) {
				failed = errors.Join(failed, do(filepath.Join(a.cfg.Dir, day.Name(), f.Name())))
			}
		}
	}
	return failed
}

// closeLeft writes the line of a file that its writer did not close. A file without one whole block of words is
// none: it goes, and what began is told as deleted.
func (a *Archive) closeLeft(e Entry, path string) error {
	e.At = time.Now()
	sum, about, err := a.sum(path)
	switch {
	case err == nil:
		e.File = &sum
		if e.What == Found {
			if e.ID != about.ID || a.path(&about) != path {
				return fmt.Errorf("%s says that it is recording %s", path, about.ID)
			}
			e.About = &about
		}
		a.note(e) // also while the disk is full: it is written down when there is room
		return nil
	case e.What == Found && errors.Is(err, tape.ErrKey):
		return fmt.Errorf("%s: %w", path, err)
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, tape.ErrFormat) || errors.Is(err, tape.ErrDamaged):
		if e.What == Interrupted {
			e.What, e.Why = Deleted, "nothing was recorded: "+err.Error()
			a.note(e)
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return fmt.Errorf("%s: %w", path, err)
}

// sum reads a file that was not closed, up to its last whole block, and cuts off what is behind.
func (a *Archive) sum(path string) (Sum, tape.About, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return Sum{}, tape.About{}, err
	}
	defer f.Close()
	p, err := a.open(f)
	if err != nil {
		return Sum{}, tape.About{}, err
	}
	if err := errors.Join(f.Truncate(p.Whole()), f.Sync()); err != nil {
		return Sum{}, tape.About{}, err
	}
	hash, err := hashFile(f)
	lost := 0
	if p.End != nil {
		lost = p.End.Lost
	}
	return Sum{Bytes: p.Whole(), SHA256: hash, Length: duration(uint32(p.Samples())), Lost: lost}, p.About, err
}

func hashFile(f io.ReadSeeker) (string, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Report is what Verify found.
type Report struct {
	Lines   uint64
	Files   int
	Running int
	Wrong   []string // each in words; none: everything is as it was written
}

// Verify reads the whole index and every file, and names what is missing or was changed. It takes as long as the disk
// needs to read everything; ctx ends it between two files.
func (a *Archive) Verify(ctx context.Context) (Report, error) {
	a.mu.Lock()
	var rep Report
	if a.file == nil {
		a.mu.Unlock()
		return rep, os.ErrClosed
	}
	size, n, head, err := readIndex(io.NewSectionReader(a.file, 0, a.size), func(_ Entry, wrong error) {
		if wrong != nil {
			rep.Wrong = append(rep.Wrong, wrong.Error())
		}
	})
	rep.Lines = n
	if err == nil && (size != a.size || head != a.head) {
		rep.Wrong = append(rep.Wrong, "the index ends before the last line that was written")
	}
	known := map[string]Recording{}
	for _, r := range a.all {
		known[a.path(&r.About)] = *r
	}
	a.mu.Unlock()
	if err != nil {
		return rep, err
	}
	for _, path := range slices.Sorted(maps.Keys(known)) {
		if err := ctx.Err(); err != nil {
			return rep, err
		}
		r := known[path]
		if r.State == Began {
			rep.Running++
			continue
		}
		rep.Files++
		if why := a.changed(path, r); why != "" {
			rep.Wrong = append(rep.Wrong, why)
		}
	}
	return rep, a.each(func(path string) error {
		id := strings.TrimSuffix(filepath.Base(path), suffix)
		if _, ok := known[path]; !ok {
			if _, begun := a.Get(id); !begun { // since the look above
				rep.Wrong = append(rep.Wrong, fmt.Sprintf("recording %s: no line tells of the file", id))
			}
		}
		return nil
	})
}

// changed says what of a file is not as the index has it.
func (a *Archive) changed(path string, r Recording) string {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, there := a.Get(r.ID); !there {
			return "" // deleted since the look at the index
		}
		return fmt.Sprintf("recording %s: the file is missing", r.ID)
	}
	if err != nil {
		return fmt.Sprintf("recording %s: %v", r.ID, err)
	}
	defer f.Close()
	switch hash, err := hashFile(f); {
	case err != nil:
		return fmt.Sprintf("recording %s: %v", r.ID, err)
	case hash != r.SHA256:
		return fmt.Sprintf("recording %s: the file was changed", r.ID)
	}
	return ""
}
