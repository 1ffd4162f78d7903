// Package statefile keeps one small value in one file that a power cut leaves whole: either the old
// value or the new one. Large or often changing state belongs into a journal.
package statefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrDamaged is returned for a file that does not hold what was written, or of another version. Load
// has put it aside, as the path with ".damaged" behind it.
var ErrDamaged = errors.New("damaged state file")

// maxFile bounds what Load reads.
const maxFile = 16 << 20

// envelope is the file: a value that says what it is and proves that it is whole.
type envelope struct {
	Version int             `json:"v"`
	Sum     uint32          `json:"sum"` // CRC-32 (IEEE) of Value
	Value   json.RawMessage `json:"value"`
}

// Save writes a value as JSON. When it returns nil the value is safe from a power cut.
func Save(path string, version int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	text, err := json.Marshal(envelope{version, crc32.ChecksumIEEE(body), body})
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	if err := replace(path, text); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return nil
}

func replace(path string, text []byte) error {
	part := path + ".part"
	// By the group too: on a box the exchange and recordd, who makes the backups, share one in a single directory.
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes the names in a directory, or the content of a file, safe from a power cut.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, unix.EINVAL) {
		err = nil // this file system has nothing to sync for directories
	}
	return errors.Join(err, d.Close())
}

// CopyFile copies a file; when it returns nil the copy's content is safe from a power cut, its name once SyncDir has
// seen the directory.
func CopyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// Load reads what Save wrote into value. A missing file is fs.ErrNotExist; after ErrDamaged value may
// hold anything.
func Load(path string, version int, value any) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("load %s: %w", path, err)
	}
	if info.Size() > maxFile {
		return aside(path, fmt.Errorf("larger than %d bytes", maxFile))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("load %s: %w", path, err)
	}
	if err := Decode(text, version, value); err != nil {
		return aside(path, err)
	}
	return nil
}

// Decode reads what Save wrote, out of memory.
func Decode(text []byte, version int, value any) error {
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
		return errors.New("checksum differs")
	}
	return json.Unmarshal(e.Value, value)
}

func aside(path string, why error) error {
	return errors.Join(fmt.Errorf("load %s: %w: %w", path, ErrDamaged, why), os.Rename(path, path+".damaged"))
}

// Rewrite changes the value of a file without knowing what it is; the version stays. Errors are those of Load.
func Rewrite(path string, change func(json.RawMessage) (json.RawMessage, error)) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("rewrite %s: %w", path, err)
	}
	var e envelope
	var value json.RawMessage
	if err := json.Unmarshal(text, &e); err != nil {
		return aside(path, err)
	}
	if err := Decode(text, e.Version, &value); err != nil {
		return aside(path, err)
	}
	if value, err = change(value); err != nil {
		return fmt.Errorf("rewrite %s: %w", path, err)
	}
	return Save(path, e.Version, value)
}
