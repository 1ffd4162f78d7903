package live

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kept is how many versions stay on the disk.
const kept = 20

// Version is one text that was in force.
type Version struct {
	Number int
	At     time.Time
	Who    string
	Why    string
	Text   []byte // of the file, comments included
}

// history is the directory of versions: one file each, which begins with three comment lines and is
// otherwise the text as it was. Only the owner uses it.
type history struct {
	disk disk
	dir  string
}

const (
	versionEnd = ".yaml"
	pendingEnd = ".yaml.pending" // written before the configuration is replaced, named after
)

func (h history) path(n int) string { return filepath.Join(h.dir, fmt.Sprintf("%06d", n)+versionEnd) }

func (h history) pending(n int) string {
	return filepath.Join(h.dir, fmt.Sprintf("%06d", n)+pendingEnd)
}

// numbers lists the files that end in a suffix, oldest first.
func (h history) numbers(end string) ([]int, error) {
	names, err := h.disk.list(h.dir)
	if err != nil {
		return nil, err
	}
	var all []int
	for _, name := range names {
		if digits, ok := strings.CutSuffix(name, end); ok {
			if n, err := strconv.Atoi(digits); err == nil && n > 0 {
				all = append(all, n)
			}
		}
	}
	slices.SortFunc(all, cmp.Compare[int])
	return all, nil
}

func (h history) read(path string, n int) (Version, error) {
	text, err := h.disk.read(path)
	if err != nil {
		return Version{}, err
	}
	return decodeVersion(n, text)
}

// prepare writes a version that does not count yet.
func (h history) prepare(v Version) error {
	if err := h.disk.write(h.pending(v.Number), encodeVersion(v), 0o600); err != nil {
		return errors.Join(err, h.drop(v.Number))
	}
	return h.disk.syncDir(h.dir)
}

// drop removes a version that never counted.
func (h history) drop(n int) error {
	if err := h.disk.remove(h.pending(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// settle makes a prepared version count, and removes those that are too old.
func (h history) settle(n int) error {
	if err := errors.Join(h.disk.rename(h.pending(n), h.path(n)), h.disk.syncDir(h.dir)); err != nil {
		return err
	}
	all, err := h.numbers(versionEnd)
	if err != nil {
		return err
	}
	for len(all) > kept {
		if err := h.disk.remove(h.path(all[0])); err != nil {
			return err
		}
		all = all[1:]
	}
	return nil
}

// recover ends what a process that died left open: a prepared version counts when its text is the
// one in force. It returns the newest version, zero when there is none.
func (h history) recover(inForce []byte) (Version, error) {
	left, err := h.numbers(pendingEnd)
	if err != nil {
		return Version{}, err
	}
	for _, n := range left {
		v, err := h.read(h.pending(n), n)
		if err == nil && bytes.Equal(v.Text, inForce) {
			err = h.settle(n)
		} else {
			err = h.drop(n) // a torn one was never acted upon
		}
		if err != nil {
			return Version{}, err
		}
	}
	all, err := h.numbers(versionEnd)
	if err != nil || len(all) == 0 {
		return Version{}, err
	}
	last := all[len(all)-1]
	if v, err := h.read(h.path(last), last); err == nil {
		return v, nil
	}
	return Version{Number: last}, nil // damaged by hand; its number is not used again
}

// all returns the versions that can be read, newest first.
func (h history) all() ([]Version, error) {
	numbers, err := h.numbers(versionEnd)
	if err != nil {
		return nil, err
	}
	var found []Version
	for _, n := range slices.Backward(numbers) {
		if v, err := h.read(h.path(n), n); err == nil {
			found = append(found, v)
		}
	}
	return found, nil
}

// had tells whether a text was in force: it is among the versions, or was about to be when the power went.
func (h history) had(text []byte) bool {
	for _, end := range []string{versionEnd, pendingEnd} {
		numbers, err := h.numbers(end)
		if err != nil {
			return false
		}
		for _, n := range slices.Backward(numbers) {
			if v, err := h.read(filepath.Join(h.dir, fmt.Sprintf("%06d", n)+end), n); err == nil && bytes.Equal(v.Text, text) {
				return true
			}
		}
	}
	return false
}

func encodeVersion(v Version) []byte {
	head := fmt.Sprintf("# at: %s\n# who: %s\n# why: %s\n", v.At.UTC().Format(time.RFC3339Nano), strconv.Quote(v.Who), strconv.Quote(v.Why))
	return append([]byte(head), v.Text...)
}

func decodeVersion(n int, text []byte) (Version, error) {
	v := Version{Number: n}
	var errs []error
	next := func(name string) string {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		text = rest
		value, ok := strings.CutPrefix(string(line), "# "+name+": ")
		if !ok {
			errs = append(errs, fmt.Errorf("version %d: its line %q is missing", n, name))
		}
		return value
	}
	unquote := func(s string) string {
		u, err := strconv.Unquote(s)
		if err != nil {
			errs = append(errs, fmt.Errorf("version %d: %q: %w", n, s, err))
		}
		return u
	}
	var err error
	if v.At, err = time.Parse(time.RFC3339Nano, next("at")); err != nil {
		errs = append(errs, fmt.Errorf("version %d: %w", n, err))
	}
	v.Who, v.Why = unquote(next("who")), unquote(next("why"))
	v.Text = text
	return v, errors.Join(errs...)
}
