// Package logring keeps the last lines that the programs of a box wrote, in a file of bounded size in
// memory, and copies them to the card when the box is switched off.
package logring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Ring is a file, and the one before it. It may be written to by many goroutines.
type Ring struct {
	path string
	max  int64

	mu   sync.Mutex
	f    *os.File
	size int64
}

// old is what the file before is called.
func old(path string) string { return path + ".1" }

// Open goes on with the file at path, or begins it. Both files together hold at most max bytes.
func Open(path string, max int64) (*Ring, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	r := &Ring{path: path, max: max / 2}
	return r, r.open(os.O_APPEND)
}

func (r *Ring) open(how int) error {
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_WRONLY|how, 0o600)
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("log: %w", err), f.Close())
	}
	r.f, r.size = f, info.Size()
	return nil
}

// Write implements io.Writer. A line is whole in one of the two files; one that is longer than a file is cut.
func (r *Ring) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := line[:min(int64(len(line)), r.max)]
	if r.size+int64(len(text)) > r.max {
		if err := r.turn(); err != nil {
			return 0, err
		}
	}
	n, err := r.f.Write(text)
	r.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("log: %w", err)
	}
	return len(line), nil
}

func (r *Ring) turn() error {
	if err := errors.Join(r.f.Close(), os.Rename(r.path, old(r.path))); err != nil {
		return errors.Join(fmt.Errorf("log: %w", err), r.open(os.O_APPEND))
	}
	return r.open(os.O_TRUNC)
}

// Save writes all lines, the oldest first, to a file, safe from a power cut.
func (r *Ring) Save(path string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var text []byte
	for _, at := range []string{old(r.path), r.path} {
		b, err := os.ReadFile(at)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("log: %w", err)
		}
		text = append(text, b...)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	return nil
}

// Close ends the ring; its files stay.
func (r *Ring) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.f.Close()
}
