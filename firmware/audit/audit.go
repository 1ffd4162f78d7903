// Package audit keeps the lines of the audit log that the page shows: who did what at its door. They are
// appended to a file, line by line, and nothing in the program changes or removes one but the growth of the
// file: of two files of a bounded size the older goes. What a restored backup brings lies beside them.
package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

const (
	name  = "audit.jsonl"
	older = name + ".1"
	alien = name + ".0" // what a restored backup told of the time before
	most  = 1 << 20     // bytes of a file: some 8,000 lines
)

// ErrClosed is the error of a log that is closed.
var ErrClosed = errors.New("the audit log is closed")

// Log is the audit log of a box. Safe for use by many goroutines.
type Log struct {
	dir string

	mu     sync.Mutex // guards all below
	file   *os.File   // nil: closed, or the disk did not give it: the next line asks again
	size   int64
	closed bool
}

// Open opens the log of a directory, or begins one. A line that a dying process left half is closed, so that
// the next one stands alone. An error comes with a log all the same, which tries to open its file at each line: a
// disk that takes nothing is no reason to let nobody see the page.
func Open(dir string) (*Log, error) {
	l := &Log{dir: dir}
	return l, l.open()
}

func (l *Log) open() error {
	f, err := os.OpenFile(filepath.Join(l.dir, name), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the audit log: %w", err)
	}
	s, err := f.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("open the audit log: %w", err), f.Close())
	}
	l.file, l.size = f, s.Size()
	if l.size > 0 {
		end := make([]byte, 1)
		if _, err := l.file.ReadAt(end, l.size-1); err == nil && end[0] != '\n' {
			if n, err := l.file.Write([]byte{'\n'}); err == nil {
				l.size += int64(n)
			}
		}
	}
	return nil
}

// Append writes a line. It survives the death of the process at once, and a power cut when the kernel has
// written it; the history journal, which syncs, has it as well.
func (l *Log) Append(e tel.PageAccessed) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return ErrClosed
	case l.file == nil:
		if err := l.open(); err != nil {
			return err
		}
	}
	if l.size+int64(len(line)) >= most {
		if err := l.turn(); err != nil {
			return err
		}
	}
	n, err := l.file.Write(append(line, '\n'))
	l.size += int64(n)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

// turn begins a new file. It is called with mu held.
func (l *Log) turn() error {
	if err := os.Rename(filepath.Join(l.dir, name), filepath.Join(l.dir, older)); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	_ = l.file.Close() // every line was written
	l.file = nil
	return l.open()
}

// Last returns the newest lines, the newest first, at most so many. A line that cannot be read is left out.
func (l *Log) Last(count int) ([]tel.PageAccessed, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []tel.PageAccessed
	for _, file := range []string{alien, older, name} {
		text, err := read(l.dir, file)
		if err != nil {
			return nil, err
		}
		all = append(all, decode(text)...)
	}
	slices.SortStableFunc(all, func(a, b tel.PageAccessed) int { return a.At.Compare(b.At) })
	out := make([]tel.PageAccessed, 0, min(count, len(all)))
	for i := len(all) - 1; i >= 0 && len(out) < count; i-- {
		out = append(out, all[i])
	}
	return out, nil
}

// read is what a file of the log holds; nothing where there is none.
func read(dir, file string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	return text, nil
}

// decode reads lines, and leaves out what is none.
func decode(text []byte) (all []tel.PageAccessed) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, most)
	for lines.Scan() {
		var e tel.PageAccessed
		if json.Unmarshal(lines.Bytes(), &e) == nil && e.What != "" {
			all = append(all, e)
		}
	}
	return all
}

// Close ends the log. It may be called more than once.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
