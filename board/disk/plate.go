package disk

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/durable"
	"github.com/pronto-pbx/pronto/images/layout"
)

// Plate is what a box knows of itself outside of its data, in the gap before the first partition: who it is,
// so that a card whose data is gone still belongs to the box of its label, and whether its data is being
// erased, so that an erasure that a power cut ended goes on.
type Plate struct {
	// Files are those that outlive a factory reset, by their path below the data.
	Files map[string][]byte `json:"files"`
	// Erasing is set from before the first byte of the data goes until the new file system stands.
	Erasing bool `json:"erasing,omitempty"`
	// Resets are the last factory resets, the newest last: the only trace that one leaves.
	Resets []ResetNote `json:"resets,omitempty"`
	// Installed is what the recovery system has put into a slot last; nil: nothing.
	Installed *Installed `json:"installed,omitempty"`
}

// Installed is a system that the recovery system has put into a slot. The data, which it does not touch, knows nothing of
// it.
type Installed struct {
	At      time.Time `json:"at"` // by the clock of the box
	Slot    int       `json:"slot"`
	Version string    `json:"version"`
	SHA256  string    `json:"sha256"` // of the slot, as SumSlot has it
	// Fresh tells that it has not been started yet: starts that came to nothing before were another system's.
	Fresh bool `json:"fresh,omitempty"`
}

// ResetNote is one factory reset.
type ResetNote struct {
	At time.Time `json:"at"` // by the clock of the box
	By string    `json:"by"` // who asked for it
}

// keptNotes bounds Resets.
const keptNotes = 8

// The plate on the card: this text, the length and the CRC-32 (IEEE) of a JSON text, and that text.
const (
	plateMagic  = "PRONTO-PLATE-01\n"
	plateHeader = len(plateMagic) + 8
)

// ErrNoPlate is returned for a card that has none yet.
var ErrNoPlate = errors.New("the card has no plate")

// Encode writes a plate; it is an error if it is too long.
func (p Plate) Encode() ([]byte, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("plate: %w", err)
	}
	if plateHeader+len(text) > layout.PlateSize {
		return nil, fmt.Errorf("plate: %d bytes are too many", len(text))
	}
	b := make([]byte, layout.PlateSize)
	copy(b, plateMagic)
	binary.LittleEndian.PutUint32(b[len(plateMagic):], uint32(len(text)))
	binary.LittleEndian.PutUint32(b[len(plateMagic)+4:], crc32.ChecksumIEEE(text))
	copy(b[plateHeader:], text)
	return b, nil
}

// DecodePlate reads a plate. A torn one is ErrNoPlate as well: what it said is in the data still.
func DecodePlate(b []byte) (p Plate, err error) {
	if len(b) < plateHeader || string(b[:len(plateMagic)]) != plateMagic {
		return p, ErrNoPlate
	}
	n := binary.LittleEndian.Uint32(b[len(plateMagic):])
	if uint64(n) > uint64(len(b)-plateHeader) {
		return p, ErrNoPlate
	}
	text := b[plateHeader : plateHeader+int(n)]
	if crc32.ChecksumIEEE(text) != binary.LittleEndian.Uint32(b[len(plateMagic)+4:]) {
		return p, ErrNoPlate
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return Plate{}, fmt.Errorf("%w: %w", ErrNoPlate, err)
	}
	for name := range p.Files {
		if !slices.Contains(kept, name) {
			delete(p.Files, name)
		}
	}
	return p, nil
}

// ReadPlate reads a card's plate: of two copies the first that is whole.
func ReadPlate(c Card) (Plate, error) {
	f, err := os.Open(c.Disk)
	if err != nil {
		return Plate{}, fmt.Errorf("plate: %w", err)
	}
	defer f.Close()
	b := make([]byte, layout.PlateSize)
	for _, at := range layout.Plates {
		if _, err := f.ReadAt(b, at); err != nil {
			return Plate{}, fmt.Errorf("plate: %w", err)
		}
		if p, err := DecodePlate(b); err == nil {
			return p, nil
		}
	}
	return Plate{}, ErrNoPlate
}

// WritePlate writes both copies of a card's plate, one after the other: a power cut leaves the other one.
func WritePlate(c Card, p Plate) error {
	if n := len(p.Resets); n > keptNotes {
		p.Resets = p.Resets[n-keptNotes:]
	}
	b, err := p.Encode()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(c.Disk, os.O_WRONLY|unix.O_SYNC, 0)
	if err != nil {
		return fmt.Errorf("plate: %w", err)
	}
	for _, at := range layout.Plates {
		if _, werr := f.WriteAt(b, at); werr != nil {
			err = errors.Join(err, werr)
		}
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("plate: %w", err)
	}
	return nil
}

// NoteInstalled writes onto a card's plate what was installed.
func NoteInstalled(c Card, is Installed) error {
	p, err := ReadPlate(c)
	if err != nil && !errors.Is(err, ErrNoPlate) {
		return err
	}
	p.Installed = &is
	return WritePlate(c, p)
}

// Engrave brings the plate up to date with the data at dir, and the data with the plate where a file of it is
// gone. It writes only what differs.
func Engrave(c Card, dir string) error {
	p, err := ReadPlate(c)
	if err != nil && !errors.Is(err, ErrNoPlate) {
		return err
	}
	var failed []error
	for _, name := range p.missing(dir) {
		failed = append(failed, restore(dir, name, p.Files[name]))
	}
	if p.take(dir) {
		failed = append(failed, WritePlate(c, p))
	}
	return errors.Join(failed...)
}

// take copies what the data at dir says of the box, and tells whether that was something new.
func (p *Plate) take(dir string) (changed bool) {
	files := map[string][]byte{}
	maps.Copy(files, p.Files)
	for _, name := range kept {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil && len(b) > 0 && !bytes.Equal(b, files[name]) {
			files[name], changed = b, true
		}
	}
	p.Files = files
	return changed
}

// missing lists what the plate knows and the data at dir does not.
func (p *Plate) missing(dir string) (names []string) {
	for _, name := range kept {
		if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, os.ErrNotExist) && p.Files[name] != nil {
			names = append(names, name)
		}
	}
	return names
}

// restore writes one file of the plate into the data.
func restore(dir, name string, b []byte) error {
	at := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		return fmt.Errorf("plate: %w", err)
	}
	f, err := os.OpenFile(at, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("plate: %w", err)
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close(), durable.Disk{}.SyncDir(filepath.Dir(at))); err != nil {
		return fmt.Errorf("plate: %w", err)
	}
	return nil
}
