// Package kept is what a box is known to have run: the system that it last ran for good. The recovery system goes by it
// when both slots are spoilt, also when the data is, since it lies on the card's plate as well.
package kept

import (
	"errors"
	"io/fs"

	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/images/imprint"
)

// File is where it lies below the directory of the data.
const File = "kept.json"

const version = 1

// System is what a box ran. The zero value: nothing is known.
type System struct {
	Version string `json:"version"`
	Epoch   uint32 `json:"epoch"` // of security: the highest of all that it ran
	Data    uint32 `json:"data"`  // engine version of what lies on its disk
}

// Next is what is known when a system has been kept, or was kept before and is ready once more.
func (s System) Next(made imprint.Imprint) System {
	return System{Version: made.Version, Epoch: max(s.Epoch, made.Epoch), Data: max(s.Data, made.Data.Writes)}
}

// Load reads the file; of one that is not there or damaged it is zero.
func Load(path string) (s System, err error) {
	err = statefile.Load(path, version, &s)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return System{}, nil
	case err != nil:
		return System{}, err
	}
	return s, nil
}

// Save writes the file, safe from a power cut.
func Save(path string, s System) error { return statefile.Save(path, version, s) }

// Decode reads a file out of memory.
func Decode(text []byte) (s System, err error) { return s, statefile.Decode(text, version, &s) }
