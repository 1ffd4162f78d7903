package backup

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
)

// manifestName is the first file of a backup; format is the newest that this program writes and reads.
const (
	manifestName = "manifest.json"
	format       = 2
	formatBefore = 1 // without recordings
)

// Manifest says what a backup is.
type Manifest struct {
	V       int       `json:"v"`
	Program string    `json:"program"` // version of the program that wrote it
	Name    string    `json:"name"`    // of the office
	Box     string    `json:"box"`     // the recipient of the box that wrote it
	Made    time.Time `json:"made"`
}

// Total is how much a backup holds.
type Total struct {
	Files int
	Bytes int64
}

// Write copies the state. A file that vanishes meanwhile is left out: it was removed.
func Write(ctx context.Context, out io.Writer, src Source, m Manifest, to ...age.Recipient) (Total, error) {
	m.V = src.format()
	sealed, err := age.Encrypt(out, to...)
	if err != nil {
		return Total{}, fmt.Errorf("encrypt the backup: %w", err)
	}
	packed := gzip.NewWriter(sealed)
	w := writer{ctx: ctx, tar: tar.NewWriter(packed), made: m.Made}
	text, err := json.Marshal(m)
	if err != nil {
		return Total{}, err
	}
	if err := w.add(manifestName, int64(len(text)), strings.NewReader(string(text))); err != nil {
		return Total{}, err
	}
	for _, r := range roots {
		copied := w.root
		if r.chapter == Recordings {
			copied = func(src Source, r root) error {
				if m.V == formatBefore {
					return nil
				}
				return w.recordings(src.at(r.path))
			}
		}
		if err := copied(src, r); err != nil {
			return w.total, fmt.Errorf("copy %s into the backup: %w", r.path, err)
		}
	}
	return w.total, errors.Join(w.tar.Close(), packed.Close(), sealed.Close())
}

type writer struct {
	ctx   context.Context
	tar   *tar.Writer
	made  time.Time
	total Total
}

func (w *writer) root(src Source, r root) error {
	base := src.at(r.path)
	return filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		}
		rel, err := filepath.Rel(base, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(filepath.Join(r.path, rel))
		if d.IsDir() || strings.HasSuffix(name, ".part") || !r.holds(name) {
			return w.ctx.Err()
		}
		return w.file(name, path)
	})
}

// file copies one file as long as it is now: what grows meanwhile is cut, as after a power cut.
func (w *writer) file(name, path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	return w.add(name, info.Size(), f)
}

// add writes what there is of size bytes, and zeros for what was cut off meanwhile.
func (w *writer) add(name string, size int64, from io.Reader) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if err := w.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: w.made, Format: tar.FormatPAX}); err != nil {
		return err
	}
	if _, err := io.CopyN(w.tar, io.MultiReader(from, zeros{}), size); err != nil {
		return err
	}
	w.total.Files++
	w.total.Bytes += size
	return nil
}

// zeros is an endless file of them.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
