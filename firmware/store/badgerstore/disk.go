package badgerstore

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/store"
	"golang.org/x/sys/unix"
)

// Fill levels of the file system, in per cent of its size or of ample: the last tenth of a large disk is
// room for years.
const (
	ample = 10 << 30 // bytes

	guardLevel   = 90 // from here on nothing is written
	releaseLevel = 95 // from here on the reserve is given up
	restoreLevel = 85 // below this the reserve is made again
)

// disk watches the file system that the records lie on.
type disk struct {
	dir     string
	reserve int64 // bytes of the reserve file
	lock    *os.File
}

// errBusy is returned when another process has the records.
var errBusy = errors.New("the records are in use by another process")

func openDisk(dir string, reserve int64) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, diskError("make directory of the records", err)
	}
	lock, err := os.Open(dir)
	if err != nil {
		return nil, diskError("open directory of the records", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("%w: %s", errBusy, dir)
	}
	return &disk{dir: dir, reserve: reserve, lock: lock}, nil
}

func (d *disk) unlock() error { return d.lock.Close() }

// level returns how full the file system is and how many bytes are left.
func (d *disk) level() (percent int, free int64, err error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(d.dir, &fs); err != nil {
		return 0, 0, diskError("look at the disk of the records", err)
	}
	size := int64(fs.Bsize)
	total, free := int64(fs.Blocks)*size, int64(fs.Bavail)*size
	if total <= 0 {
		return 0, 0, errors.New("the disk of the records has no size")
	}
	return fillLevel(total, free), free, nil
}

// fillLevel is how full a file system of a size is, in per cent, as the levels above mean it.
func fillLevel(total, free int64) int {
	return int(max(0, 100-free/max(1, min(total, ample)/100)))
}

// guard returns store.ErrFull, in words, while it would be dangerous to write. It gives up the
// reserve when the disk is nearly full, so that what runs can end in order, and makes it again when
// there is room.
func (d *disk) guard() error {
	percent, free, err := d.level()
	if err != nil {
		return err
	}
	if percent >= releaseLevel {
		d.release()
	}
	if percent < restoreLevel {
		d.hold()
	}
	if percent >= guardLevel {
		return fmt.Errorf("%w: %d MB are free; new records wait in the journal until there is more", store.ErrFull, free>>20)
	}
	return nil
}

// roomFor returns store.ErrFull unless n bytes and the reserve's worth of safety are free.
func (d *disk) roomFor(n int64, what string) error {
	percent, free, err := d.level()
	if err != nil {
		return err
	}
	if free < n && percent >= restoreLevel {
		d.release()
		if _, free, err = d.level(); err != nil {
			return err
		}
	}
	if free < n {
		return fmt.Errorf("%w: %s needs %d kB and %d kB are free", store.ErrFull, what, n>>10, free>>10)
	}
	return nil
}

func (d *disk) reservePath() string { return filepath.Join(d.dir, "reserve") }

func (d *disk) release() { _ = os.Remove(d.reservePath()) }

// hold makes the reserve file where there is plenty of room for it.
func (d *disk) hold() {
	if st, err := os.Stat(d.reservePath()); err == nil && st.Size() == d.reserve {
		return
	}
	_, free, err := d.level()
	if err != nil || free < 3*d.reserve {
		return
	}
	f, err := os.OpenFile(d.reservePath(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, d.reserve)
	if errors.Join(err, f.Close()) != nil {
		d.release() // a file system that cannot promise space gets no reserve
	}
}

// diskError makes a full disk recognisable.
func diskError(doing string, err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("%s: %w: %w", doing, store.ErrFull, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// errFault is a memory fault or a panic inside the database.
var errFault = errors.New("the database broke down")

// unfaulted turns a panic of fn, and a fault on a mapped file, into an error. It reaches only this
// goroutine: a fault in one of Badger's own still ends the process.
func unfaulted(fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %v", errFault, v)
		}
	}()
	return fn()
}

// logger passes Badger's messages on, a level lower than Badger thinks: the news that matter to the
// box are told by us.
type logger struct{ log *slog.Logger }

func (l logger) line(format string, args []any) slog.Attr {
	return slog.String("message", strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (l logger) Errorf(format string, args ...any) {
	l.log.Warn("badger error", l.line(format, args))
}

func (l logger) Warningf(format string, args ...any) {
	l.log.Info("badger warning", l.line(format, args))
}

func (l logger) Infof(format string, args ...any) { l.log.Debug("badger", l.line(format, args)) }

func (l logger) Debugf(string, ...any) {}
