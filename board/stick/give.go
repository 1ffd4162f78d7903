package stick

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Errors of the folder for backups.
var (
	ErrReadOnly = errors.New("the stick can only be read: no backup can be put on it")
	ErrNoFolder = errors.New("what has the name of the folder for backups on the stick is no folder: remove it, and the box makes one")
)

// give makes the folder for the backups in the top directory of a stick whose file system knows owners, and gives
// it to who makes them. Nothing else on the stick gets another owner: the folder itself is taken by its descriptor, so
// that no link in its place leads elsewhere, and what lies in it stays whose it is.
func give(at, name string, uid, gid int) error {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	top, err := unix.Open(at, flags, 0)
	if err != nil {
		return fmt.Errorf("the stick cannot be looked at: %w", err)
	}
	defer unix.Close(top)
	if err := unix.Mkdirat(top, name, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return inWords(err)
	}
	folder, err := unix.Openat(top, name, flags, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
		return ErrNoFolder
	} else if err != nil {
		return inWords(err)
	}
	defer unix.Close(folder)
	var above, own unix.Stat_t
	if err := errors.Join(unix.Fstat(top, &above), unix.Fstat(folder, &own)); err != nil {
		return inWords(err)
	}
	// The name may lead to the top directory itself, in a file system that somebody has made by hand.
	if own.Dev != above.Dev || own.Ino == above.Ino {
		return ErrNoFolder
	}
	const mode = unix.S_ISGID | 0o770 // as the folders of the box that both its programs write
	if int(own.Uid) != uid || int(own.Gid) != gid {
		if err := unix.Fchown(folder, uid, gid); err != nil {
			return inWords(err)
		}
	}
	if own.Mode&0o7777 != mode {
		return inWords(unix.Fchmod(folder, mode))
	}
	return nil
}

// inWords says what an error of a stick means.
func inWords(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EROFS):
		return ErrReadOnly
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("the stick is full: it has no room for the folder of the backups: %w", err)
	}
	return fmt.Errorf("the stick has no folder for backups: %w", err)
}
