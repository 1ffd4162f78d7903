// Package keep holds one small value in one file that a power cut leaves whole: the old value or the new one. The
// program of updates shares no code with the exchange, which it must outlive, so this is its own.
package keep

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

// ErrDamaged is returned for a file that does not hold what was written, or of another version. Load has put it aside,
// as the path with ".damaged" behind it.
var ErrDamaged = errors.New("damaged state")

// limit bounds what Load reads, in bytes.
const limit = 1 << 20

// Disk is what of a file system decides what a power cut leaves.
type Disk interface {
	// Create makes a file, empty if it was there.
	Create(name string) (File, error)
	// Open opens a file to be read. A missing one is fs.ErrNotExist.
	Open(name string) (io.ReadCloser, error)
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes the names in a directory safe.
	SyncDir(dir string) error
}

// File is a file that is being written.
type File interface {
	io.WriteCloser
	Sync() error
}

// envelope is the file: a value that says what it is and proves that it is whole.
type envelope struct {
	Version int             `json:"v"`
	Sum     uint32          `json:"sum"` // CRC-32 (IEEE) of Value
	Value   json.RawMessage `json:"value"`
}

// Save writes a value as JSON. When it returns nil the value is safe from a power cut; after an error the value of
// before is there, or the new one.
func Save(on Disk, path string, version int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("keep %s: %w", path, err)
	}
	text, err := json.Marshal(envelope{version, crc32.ChecksumIEEE(body), body})
	if err != nil {
		return fmt.Errorf("keep %s: %w", path, err)
	}
	return Replace(on, path, text)
}

// Replace puts a text in the place of a file's content, as Save does with a value: for what other programs read.
func Replace(on Disk, path string, text []byte) error {
	if err := replace(on, path, text); err != nil {
		return fmt.Errorf("keep %s: %w", path, err)
	}
	return nil
}

func replace(on Disk, path string, text []byte) error {
	part := path + ".part"
	f, err := on.Create(part)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, on.Remove(part))
	}
	if err := on.Rename(part, path); err != nil {
		return err
	}
	return on.SyncDir(filepath.Dir(path))
}

// Load reads what Save wrote into value. A missing file is fs.ErrNotExist; after ErrDamaged value may hold anything.
func Load(on Disk, path string, version int, value any) error {
	f, err := on.Open(path)
	if err != nil {
		return fmt.Errorf("load %s: %w", path, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("load %s: %w", path, err)
	}
	if err := decode(text, version, value); err != nil {
		return errors.Join(fmt.Errorf("load %s: %w: %w", path, ErrDamaged, err), on.Rename(path, path+".damaged"))
	}
	return nil
}

func decode(text []byte, version int, value any) error {
	if len(text) > limit {
		return fmt.Errorf("longer than %d bytes", limit)
	}
	var e envelope
	if err := json.Unmarshal(text, &e); err != nil {
		return err
	}
	if e.Version != version {
		return fmt.Errorf("version %d, this program knows %d", e.Version, version)
	}
	var body bytes.Buffer
	if err := json.Compact(&body, e.Value); err != nil {
		return err
	}
	if crc32.ChecksumIEEE(body.Bytes()) != e.Sum {
		return errors.New("the checksum differs")
	}
	return json.Unmarshal(e.Value, value)
}

// Machine is the file system of the machine.
type Machine struct{}

// Create implements Disk.
func (Machine) Create(name string) (File, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
}

// Open implements Disk.
func (Machine) Open(name string) (io.ReadCloser, error) { return os.Open(name) }

// Rename implements Disk.
func (Machine) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements Disk.
func (Machine) Remove(name string) error { return os.Remove(name) }

// SyncDir implements Disk.
func (Machine) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
