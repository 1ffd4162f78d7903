package updater

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/pronto-pbx/pronto/ota/keep"
)

// Memory is what the recovery system wants to know of an updater that does not run.
type Memory struct {
	ID      string // that it has drawn; places the box in rollouts
	Channel string // that it follows
	Epoch   uint32 // the highest that was kept
}

// Remembered reads what an updater has left in dir; of one that has left nothing it is what a new one begins with. With
// an error, too, the memory is one of a new box.
func Remembered(on keep.Disk, dir string) (Memory, error) {
	m := usual(false)
	err := keep.Load(on, filepath.Join(dir, StateFile), version, &m)
	if err != nil {
		m = usual(false)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return Memory{ID: m.ID, Channel: m.Settings.Channel, Epoch: m.Slot.Epoch}, err
}
