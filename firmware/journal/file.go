package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/durable"
)

// ReadAll calls fn for every record of a history that nobody writes to now, oldest first, until fn returns an
// error, which it passes on. Path is its directory or one of its files. Damaged places are passed over, and
// returned. Errors: ErrVersion, and those of the medium.
func ReadAll(path string, fn func(Record) error) ([]Damage, error) {
	at, err := os.Stat(path)
	if err != nil {
		return nil, medium("look at journal", err)
	}
	if at.IsDir() {
		return readAll(path, func(Pos) bool { return true }, fn)
	}
	dir := filepath.Dir(path)
	known, err := listSegments(durable.Disk{}, dir)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(known, func(first Pos) bool { return filepath.Base(segmentPath(dir, first)) == filepath.Base(path) })
	if i < 0 {
		return nil, fmt.Errorf("%s is no file of a journal: they are named by a position, such as %s", filepath.Base(path), filepath.Base(segmentPath("", 1)))
	}
	return readAll(dir, func(first Pos) bool { return first == known[i] }, fn)
}

func readAll(dir string, want func(first Pos) bool, fn func(Record) error) (damage []Damage, err error) {
	firsts, err := listSegments(durable.Disk{}, dir)
	if err != nil {
		return nil, err
	}
	if len(firsts) == 0 {
		return nil, fmt.Errorf("%s holds no journal", dir)
	}
	for _, first := range firsts {
		if !want(first) {
			continue
		}
		var stopped error
		got, err := recoverSegment(durable.Disk{}, dir, first, first-1, func(_ int64, _ int, r Record) {
			if stopped == nil {
				stopped = fn(r)
			}
		})
		if err == nil {
			err = stopped
		}
		damage = append(damage, got.damage...)
		if err != nil {
			return damage, err
		}
	}
	return damage, nil
}
