package record

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/durable"
)

// The files of an archive beside the recordings themselves, for who copies one.
const (
	KeyFile   = keyName
	IndexFile = indexName
)

// Listed reads the index of an archive, which another process may be writing: the finished recordings that it tells
// of, as paths below the directory, and how many bytes of whole lines it has.
func Listed(index io.Reader) (files []string, size int64, err error) {
	a, size, err := read("", index)
	if err != nil {
		return nil, 0, err
	}
	for _, r := range a.all {
		if r.State != Began {
			files = append(files, filepath.ToSlash(a.path(&r.About)))
		}
	}
	slices.Sort(files)
	return files, size, nil
}

// read is an archive of which only the index is read.
func read(dir string, index io.Reader) (*Archive, int64, error) {
	a := &Archive{cfg: Config{Dir: dir}, all: map[string]*Recording{}}
	size, _, _, err := readIndex(index, func(e Entry, _ error) { a.apply(e) })
	return a, size, err
}

// Supersedes reports whether a copy of an archive tells all that the directory does: there is nothing in the directory,
// it is another box's archive, or an earlier state of the copy.
func Supersedes(copied, dir string) (bool, error) {
	ours, err := os.ReadFile(filepath.Join(dir, keyName))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	theirs, err := os.ReadFile(filepath.Join(copied, keyName))
	if err != nil {
		return false, err
	}
	if !bytes.Equal(ours, theirs) {
		return true, nil
	}
	now, err := os.ReadFile(filepath.Join(dir, indexName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	then, err := os.ReadFile(filepath.Join(copied, indexName))
	if err != nil {
		return false, err
	}
	return len(now) < len(then) && bytes.HasPrefix(then, now), nil
}

// Spare takes out of a copy what the archive of the directory has whole itself, so that Mend has only to do what is
// needed. It reads every file that is in both.
func Spare(copied, dir string) error {
	return both(copied, dir, func(from, path string, r Recording) error {
		if whole(path, r) {
			return os.Remove(from)
		}
		return nil
	})
}

// Mend puts files of a copy in the place of those that the archive of the directory misses, or has otherwise than it
// wrote them. The index stays: what was deleted since the copy was made stays deleted, what was recorded since stays.
func Mend(copied, dir string) error {
	return both(copied, dir, func(from, path string, r Recording) error {
		if !whole(from, r) {
			return nil
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		return errors.Join(os.Rename(from, path), durable.Disk{}.SyncDir(filepath.Dir(path)), durable.Disk{}.SyncDir(dir))
	})
}

// both visits the finished recordings of a directory that a copy has, too.
func both(copied, dir string, do func(from, path string, r Recording) error) error {
	index, err := os.Open(filepath.Join(dir, indexName))
	if err != nil {
		return err
	}
	defer index.Close()
	a, _, err := read(dir, index)
	if err != nil {
		return err
	}
	for _, r := range a.all {
		rel, err := filepath.Rel(dir, a.path(&r.About))
		if err != nil || r.State == Began {
			continue
		}
		from := filepath.Join(copied, rel)
		if info, err := os.Lstat(from); err != nil || !info.Mode().IsRegular() {
			continue
		}
		if err := do(from, a.path(&r.About), *r); err != nil {
			return err
		}
	}
	return nil
}

// whole tells whether a file is as the index has it; one that cannot be read is not.
func whole(path string, r Recording) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	hash, err := hashFile(f)
	return err == nil && hash == r.SHA256
}
