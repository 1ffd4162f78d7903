// Package statefile keeps one small value in one file that a power cut leaves whole: either the old
// value or the new one. Large or often changing state belongs into a journal.
package statefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"

	"github.com/pronto-pbx/pronto/firmware/durable"
)

// ErrDamaged is returned for a file that does not hold what was written, or of another version. Load
// has put it aside, as the path with ".damaged" behind it, or ".newer" where a later release wrote it in a format that
// this one does not know.
var ErrDamaged = errors.New("damaged state file")

// errNewer is why a file is put aside as ".newer".
var errNewer = errors.New("written by a later release")

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
	return save(durable.Disk{}, path, version, value)
}

func save(on durable.FileSystem, path string, version int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	text, err := json.Marshal(envelope{version, crc32.ChecksumIEEE(body), body})
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	// By the group too: on a box the exchange and recordd, who makes the backups, share one in a single directory.
	if err := durable.Replace(on, path, text, 0o640); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return nil
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
	if e.Version > version {
		return fmt.Errorf("%w: format %d, this one knows %d", errNewer, e.Version, version)
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
	ending := ".damaged"
	if errors.Is(why, errNewer) {
		ending = ".newer"
	}
	return errors.Join(fmt.Errorf("load %s: %w: %w", path, ErrDamaged, why), os.Rename(path, path+ending))
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
