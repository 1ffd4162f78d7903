package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Where tells on what the data lies.
type Where string

// The places.
const (
	OnCard   Where = "card"
	InMemory Where = "memory" // changes are lost when the box is switched off
)

// bare is what nothing on the data may be: a program, a device or a way to more rights.
const bare = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// Mount mounts the data at dir. A card that can only be read, or not at all, does not keep a box from its
// work: then the data lies in memory, with what could be read of the card's office in it, and err says why.
func Mount(c Card, dir string) (Where, error) {
	err := unix.Mount(c.Data, dir, "ext4", bare|unix.MS_NOATIME, "errors=remount-ro")
	if err == nil {
		if err = writable(dir); err == nil {
			return OnCard, nil
		}
		err = errors.Join(err, unix.Unmount(dir, 0))
	}
	why := fmt.Errorf("the data of %s cannot be written: %w", c.Data, err)
	return InMemory, errors.Join(why, inMemory(c, dir))
}

// MountNothing gives a box without a card a place for its data.
func MountNothing(dir string) error { return memory(dir) }

func writable(dir string) error {
	at := filepath.Join(dir, ".writable")
	f, err := os.OpenFile(at, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte("x"))
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(at))
}

// memorySize bounds the data in memory, in bytes.
const memorySize = 64 << 20

func memory(dir string) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", bare, fmt.Sprintf("size=%d,mode=0755", memorySize)); err != nil {
		return fmt.Errorf("data in memory: %w", err)
	}
	return nil
}

// Look mounts the data at dir to be read only, as far as it can be read at all.
func Look(c Card, dir string) error {
	err := unix.Mount(c.Data, dir, "ext4", bare|unix.MS_RDONLY, "")
	if err != nil { // its journal cannot be played
		err = unix.Mount(c.Data, dir, "ext4", bare|unix.MS_RDONLY, "noload")
	}
	if err != nil {
		return fmt.Errorf("the data of %s cannot be read: %w", c.Data, err)
	}
	return nil
}

func inMemory(c Card, dir string) error {
	if err := memory(dir); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "pronto"), 0o700); err != nil {
		return fmt.Errorf("data in memory: %w", err)
	}
	old := filepath.Join(dir, "card")
	if err := os.Mkdir(old, 0o700); err != nil {
		return fmt.Errorf("data in memory: %w", err)
	}
	defer os.Remove(old)
	// noload: a card that cannot be written cannot have its journal played either.
	if err := unix.Mount(c.Data, old, "ext4", bare|unix.MS_RDONLY, "noload"); err != nil {
		return fmt.Errorf("the card's office cannot be read either: %w", err)
	}
	defer func() { _ = unix.Unmount(old, unix.MNT_DETACH) }()
	return CopyOffice(dir, old)
}

// largest is the longest file that is copied into memory: settings are small, recordings are not.
const largest = 4 << 20

// CopyOffice copies what makes the office of a box from one directory of data to another: its identity and
// the settings, without recordings, records and messages.
func CopyOffice(to, from string) error {
	var failed []error
	for _, pattern := range []string{"*.json", "pronto/*.json", "pronto/*.yaml", "pronto/config/*", "pronto/tls/*"} {
		found, err := filepath.Glob(filepath.Join(from, pattern))
		failed = append(failed, err)
		for _, at := range found {
			name, err := filepath.Rel(from, at)
			if err == nil {
				err = copyFile(filepath.Join(to, name), at)
			}
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func copyFile(to, from string) error {
	info, err := os.Stat(from)
	if err != nil || !info.Mode().IsRegular() || info.Size() > largest {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
