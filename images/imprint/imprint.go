// Package imprint is what a system says of itself: the file release.json, which lies beside its kernel in the slot and
// in the system itself.
package imprint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/pronto-pbx/pronto/images/vfat"
)

// File is its name, in the top directory of a slot and among the documents of a system.
const File = "release.json"

// longest is how long the file may be, in bytes.
const longest = 64 << 10

// Imprint is the content.
type Imprint struct {
	Version string `json:"version"`
	Time    int64  `json:"time"`   // when it was made, in seconds since 1970
	Kernel  string `json:"kernel"` // version
	Epoch   uint32 `json:"epoch"`  // of security: who has kept one takes no lower one
	Data    Data   `json:"data_schema"`
}

// Data is the version of what lies on the disk: Writes is what the system leaves behind, Reads the oldest that it can
// open.
type Data struct {
	Writes uint32 `json:"writes"`
	Reads  uint32 `json:"reads_from"`
}

// Opens tells whether a system with this can work with what another one leaves behind.
func (d Data) Opens(other Data) bool { return d.Reads <= other.Writes && other.Writes <= d.Writes }

// ErrNone is returned for a slot in which there is no system.
var ErrNone = errors.New("no system")

// Decode reads the file. A system of before updates says nothing of epoch and data: it has the first ones.
func Decode(text []byte) (i Imprint, err error) {
	if len(text) > longest {
		return i, fmt.Errorf("%w: %s is too long", ErrNone, File)
	}
	if err := json.Unmarshal(text, &i); err != nil || i.Version == "" {
		return Imprint{}, errors.Join(fmt.Errorf("%w: %s says no version", ErrNone, File), err)
	}
	if i.Data == (Data{}) {
		i.Data = Data{Writes: 1, Reads: 1}
	}
	if i.Data.Reads > i.Data.Writes {
		return Imprint{}, fmt.Errorf("%w: %s: it could not read what it writes", ErrNone, File)
	}
	return i, nil
}

// OfSlot reads it out of the file system of a slot. ErrNone: nothing could be started from there.
func OfSlot(r io.ReaderAt) (Imprint, error) {
	v, err := vfat.Open(r)
	if errors.Is(err, vfat.ErrDamaged) {
		return Imprint{}, fmt.Errorf("%w: %w", ErrNone, err)
	} else if err != nil {
		return Imprint{}, err
	}
	text, err := v.Read(File, longest)
	if errors.Is(err, vfat.ErrDamaged) || errors.Is(err, vfat.ErrNone) {
		return Imprint{}, fmt.Errorf("%w: %w", ErrNone, err)
	} else if err != nil {
		return Imprint{}, err
	}
	return Decode(text)
}
