// Package durable is the part of a file system on which everything is built that must outlive a power cut: the few
// operations that journals and state files use, and what each of them promises. Disk is the machine's; powercut has
// another, which loses power at any of them.
package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// FileSystem is where state lies. Nothing that it was told is safe before Sync and SyncDir say so: not a content, not a
// length, not a name.
type FileSystem interface {
	// OpenFile opens or makes a file, as os.OpenFile does.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	ReadFile(name string) ([]byte, error)
	// List returns the names in a directory, in order.
	List(dir string) ([]string, error)
	// Rename gives a file another name, in place of the file that had it: after a power cut the name leads to the one
	// or to the other, or is still missing where there was none.
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes the names in a directory safe.
	SyncDir(dir string) error
	// Lock makes a directory and takes it for this process until it is closed; the kernel lets go of it when the
	// process dies.
	Lock(dir string) (io.Closer, error)
}

// File is an open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Name() string
	Size() (int64, error)
	Truncate(size int64) error
	// Reserve makes the file n bytes of zeros longer from off on, with room for them on the disk; ENOSPC, or
	// EOPNOTSUPP where the file system cannot promise room.
	Reserve(off, n int64) error
	// Sync makes content and length safe. After an error nothing is known of what was written since the last success.
	Sync() error
}

// Disk is the file system of the machine.
type Disk struct{}

type file struct{ *os.File }

// Opened is a file that was opened otherwise than through Disk, such as beneath an os.Root.
func Opened(f *os.File) File { return file{f} }

// OpenFile implements FileSystem.
func (Disk) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return file{f}, nil
}

// ReadFile implements FileSystem.
func (Disk) ReadFile(name string) ([]byte, error) { return os.ReadFile(name) }

// List implements FileSystem.
func (Disk) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

// Rename implements FileSystem.
func (Disk) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements FileSystem.
func (Disk) Remove(name string) error { return os.Remove(name) }

// SyncDir implements FileSystem.
func (Disk) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, unix.EINVAL) {
		err = nil // this file system has nothing to sync for directories
	}
	return errors.Join(err, d.Close())
}

// Lock implements FileSystem.
func (Disk) Lock(dir string) (io.Closer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s is in use by another process: %w", dir, err)
	}
	return f, nil
}

// Size implements File.
func (f file) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Sync implements File: the content and the length, not the times of the file.
func (f file) Sync() error { return unix.Fdatasync(int(f.Fd())) }

// Reserve implements File.
func (f file) Reserve(off, n int64) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		for {
			failed = unix.Fallocate(int(fd), 0, off, n)
			if !errors.Is(failed, unix.EINTR) {
				return
			}
		}
	})
	return errors.Join(err, failed)
}

// Replace puts text in the place of a file's content: after a power cut at any moment the file has the old content or
// the new one, and the new one when Replace has returned nil.
func Replace(on FileSystem, path string, text []byte, perm fs.FileMode) error {
	part := path + ".part"
	f, err := on.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(text, 0)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, on.Remove(part))
	}
	return errors.Join(on.Rename(part, path), on.SyncDir(filepath.Dir(path)))
}

// Copy copies a file of the machine's disks; when it returns nil the copy's content is safe from a power cut, its name
// once SyncDir has seen the directory.
func Copy(to, from string) error {
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
