package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/durable"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Files are the files of a log below its directory, for whoever copies it.
func Files() []string { return []string{alien, older, name} }

// Restore adds the lines of a backup to those that the log of a directory has, which all stay. It may be called
// again with the same lines. Nobody has the log open meanwhile.
func Restore(dir string, lines []byte) error {
	known := map[tel.PageAccessed]bool{}
	for _, file := range []string{older, name} {
		text, err := read(dir, file)
		if err != nil {
			return err
		}
		for _, e := range decode(text) {
			known[identity(e)] = true
		}
	}
	before, err := read(dir, alien)
	if err != nil {
		return err
	}
	var all []tel.PageAccessed
	for _, e := range append(decode(before), decode(lines)...) {
		if id := identity(e); !known[id] {
			known[id] = true
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b tel.PageAccessed) int { return b.At.Compare(a.At) })
	var kept [][]byte // the newest first
	size := 0
	for _, e := range all {
		line, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("audit log: %w", err)
		}
		if size += len(line) + 1; size > most {
			break
		}
		kept = append(kept, append(line, '\n'))
	}
	slices.Reverse(kept)
	return replace(filepath.Join(dir, alien), bytes.Join(kept, nil))
}

// identity is a line without what two readings of it may show differently.
func identity(e tel.PageAccessed) tel.PageAccessed {
	e.At = e.At.UTC().Round(0)
	return e
}

// Once appends a line to the log of a directory that nobody has open, unless it is there.
func Once(dir string, e tel.PageAccessed) (err error) {
	l, err := Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	all, err := l.Last(2 * most)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(x tel.PageAccessed) bool { return identity(x) == identity(e) }) {
		return nil
	}
	if err := l.Append(e); err != nil {
		return err
	}
	return l.file.Sync()
}

// replace writes a file whole or not at all.
func replace(path string, text []byte) error {
	if err := durable.Replace(durable.Disk{}, path, text, 0o600); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}
