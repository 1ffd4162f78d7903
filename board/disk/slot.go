package disk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pronto-pbx/pronto/images/imprint"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/images/vfat"
	"golang.org/x/sys/unix"
)

// OtherSlot is the slot beside another one.
func OtherSlot(n int) int { return layout.SlotA + layout.SlotB - n }

// Slot is the device file of a slot; empty: there is none.
//
// Slots are read and written by the device of their partition alone: what the kernel keeps of the whole disk's in
// memory is another copy.
func (c Card) Slot(n int) string {
	if n != layout.SlotA && n != layout.SlotB {
		return ""
	}
	return c.Slots[n-layout.SlotA]
}

func (c Card) openSlot(n int) (*os.File, error) {
	at := c.Slot(n)
	if at == "" {
		return nil, fmt.Errorf("slot %d: %w", n, fs.ErrNotExist)
	}
	f, err := os.Open(at)
	if err != nil {
		return nil, fmt.Errorf("slot %d: %w", n, err)
	}
	return f, nil
}

// ReadSlot tells what system lies in a slot. imprint.ErrNone: nothing could be started from there.
func ReadSlot(c Card, n int) (imprint.Imprint, error) {
	f, err := c.openSlot(n)
	if err != nil {
		return imprint.Imprint{}, err
	}
	defer f.Close()
	i, err := imprint.OfSlot(f)
	if err != nil {
		return i, fmt.Errorf("slot %d: %w", n, err)
	}
	return i, nil
}

// SumSlot is the SHA-256 of what lies in a slot, in hex: of its first byte up to the end of its last used cluster,
// which is what a release calls its part. Some tens of megabytes are read; ctx ends that early.
func SumSlot(ctx context.Context, c Card, n int) (string, error) {
	f, err := c.openSlot(n)
	if err != nil {
		return "", err
	}
	defer f.Close()
	v, err := vfat.Open(f)
	if err != nil {
		return "", fmt.Errorf("slot %d: %w", n, err)
	}
	used, err := v.Used()
	if err != nil {
		return "", fmt.Errorf("slot %d: %w", n, err)
	}
	h := sha256.New()
	for at := int64(0); at < used; at += layout.MiB {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if _, err := io.Copy(h, io.NewSectionReader(f, at, min(layout.MiB, used-at))); err != nil {
			return "", fmt.Errorf("slot %d: %w", n, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// The names of the devices that LendSlots makes.
const (
	IdleNode   = "idle"
	ActiveNode = "active"
)

// Meeting mounts a small file system in memory at dir, in which a device can be opened: where the others of a box are
// mounted none can.
func Meeting(dir string) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=0700,size=1m"); err != nil {
		return fmt.Errorf("mount %s: %w", dir, err)
	}
	return nil
}

// LendSlots makes devices in dir by which a program of the user and group uid reads the slot that runs and, where
// idle is a slot, writes that one. It opens nothing else of the card by them. running 0: none runs; idle 0: none may be
// written.
func LendSlots(c Card, running, idle int, dir string, uid int) (err error) {
	if running != 0 {
		err = lend(c, running, filepath.Join(dir, ActiveNode), 0, uid, 0o440)
	}
	if idle == 0 {
		return err
	}
	return errors.Join(err, lend(c, idle, filepath.Join(dir, IdleNode), uid, uid, 0o600))
}

func lend(c Card, n int, at string, uid, gid int, mode uint32) error {
	var st unix.Stat_t
	if err := unix.Stat(c.Slot(n), &st); err != nil {
		return fmt.Errorf("slot %d: %w", n, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return fmt.Errorf("slot %d: %s is no block device", n, c.Slot(n))
	}
	if err := os.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("slot %d: %w", n, err)
	}
	// Nobody else may open it between the two: it is root's with no right for the group.
	if err := unix.Mknod(at, unix.S_IFBLK|mode&0o600, int(st.Rdev)); err != nil {
		return fmt.Errorf("slot %d: %w", n, err)
	}
	if err := os.Lchown(at, uid, gid); err != nil {
		return fmt.Errorf("slot %d: %w", n, err)
	}
	if mode&0o077 == 0 {
		return nil
	}
	if err := os.Chmod(at, fs.FileMode(mode)); err != nil {
		return fmt.Errorf("slot %d: %w", n, err)
	}
	return nil
}
