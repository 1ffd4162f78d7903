package install

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Device is a Target on the device of a slot, and a Download in a file.
type Device struct{ *os.File }

// OpenDevice opens a slot. It makes none: a wrong path must not become a file that fills the disk.
func OpenDevice(path string) (Device, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	return Device{f}, err
}

// OpenFile opens or makes a file, as a download or as the place of a package, with its name safe.
func OpenFile(path string) (Device, error) {
	_, err := os.Stat(path)
	f, errOpen := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if errOpen != nil || !errors.Is(err, fs.ErrNotExist) {
		return Device{f}, errOpen
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return Device{}, errors.Join(err, f.Close())
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return Device{}, errors.Join(err, f.Close())
	}
	return Device{f}, nil
}

// Size implements Target and Download. The size of a device is where its end is found.
func (d Device) Size() (int64, error) { return d.Seek(0, io.SeekEnd) }

// Sync implements Target and Download: the content and the length, not the times.
func (d Device) Sync() error {
	for {
		if err := unix.Fdatasync(int(d.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// DropCache implements Target. The kernel forgets the pages that are on the card; those that are not were synced
// before. It is told the whole length, since zero would be taken for the end of a device that it does not know.
func (d Device) DropCache() error {
	size, err := d.Size()
	if err != nil {
		return err
	}
	return unix.Fadvise(int(d.Fd()), 0, size, unix.FADV_DONTNEED)
}
