package stick

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/board/account"
	"golang.org/x/sys/unix"
)

// Socket is where sticks are plugged in. One stick is mounted at a time: the first that is found.
type Socket struct {
	Log  *slog.Logger
	Sys  string // /sys/class/block
	Dev  string // /dev
	At   string // the directory where the stick appears
	Own  string // name of the box's own disk, "mmcblk0"; empty: it has none
	ID   string // of the box
	Tell func(Order)
	// Folder, in the top directory of a stick whose file system knows owners, is made and given to who makes the
	// backups.
	Folder string

	// Mount, Unmount and Give are the kernel's; nil: those of the machine that this runs on.
	Mount   func(device, at, kind string) error
	Unmount func(at string) error
	Give    func(at, folder string, uid, gid int) error

	mu      sync.Mutex
	now     string   // the device that is mounted; empty: none
	bundles []string // updates on it
}

// ownersKind is the file system that knows owners itself.
const ownersKind = "ext4"

// every is how often the socket is looked at.
const every = time.Second

// Mounted tells whether a stick can be used.
func (s *Socket) Mounted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now != ""
}

// Bundles lists the updates on the stick, by their paths.
func (s *Socket) Bundles() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.bundles)
}

// Run mounts what is plugged in until ctx ends; then it lets go of it.
func (s *Socket) Run(ctx context.Context) {
	if s.Mount == nil {
		s.Mount, s.Unmount, s.Give = mount, unmount, give
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var refused []string // devices that were tried in vain and are still there
	for {
		s.look(&refused)
		select {
		case <-ctx.Done():
			s.release("the box ends")
			return
		case <-tick.C:
		}
	}
}

// look finds out what changed since the last time.
func (s *Socket) look(refused *[]string) {
	if s.now != "" && gone(s.Sys, s.now) {
		s.release("pulled out")
	}
	there := candidates(s.Sys, s.Dev, s.Own)
	*refused = slices.DeleteFunc(*refused, func(d string) bool { return !slices.Contains(there, d) })
	for _, device := range there {
		if s.now != "" || slices.Contains(*refused, device) {
			continue
		}
		if err := s.take(device); err != nil {
			s.Log.Warn("stick not used", "device", device, "err", err)
			*refused = append(*refused, device)
			continue
		}
		s.obey()
		s.offer()
	}
}

func (s *Socket) take(device string) error {
	kind, err := probe(device)
	if err == nil {
		err = s.Mount(device, s.At, kind)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.now = device
	s.mu.Unlock()
	s.Log.Info("stick", "device", device, "kind", kind, "at", s.At)
	if kind == ownersKind {
		if err := s.Give(s.At, s.Folder, account.Records, account.HistoryGroup); err != nil { // it serves for orders, and to be read, all the same
			s.Log.Warn("no backup on this stick", "err", err)
		}
	}
	return nil
}

func (s *Socket) release(why string) {
	if s.now == "" {
		return
	}
	err := s.Unmount(s.At)
	s.Log.Info("stick gone", "device", s.now, "why", why, "err", err)
	s.mu.Lock()
	s.now, s.bundles = "", nil
	s.mu.Unlock()
}

// offer looks for updates.
func (s *Socket) offer() {
	found, err := bundles(s.At)
	if err != nil {
		s.Log.Warn("updates on the stick", "err", err)
	}
	if len(found) > 0 {
		s.Log.Info("updates on the stick", "found", len(found))
	}
	s.mu.Lock()
	s.bundles = found
	s.mu.Unlock()
}

// obey reads the order of the stick. The file gets another name first: an order that could not be crossed out
// would be obeyed at each start, so it is not obeyed at all.
func (s *Socket) obey() {
	order, found, err := s.order()
	if err == nil && found {
		if err = os.Rename(filepath.Join(s.At, File), filepath.Join(s.At, Done)); err == nil {
			s.Log.Warn("order of a stick", "order", order)
			s.Tell(order)
		}
	}
	if err != nil {
		s.Log.Warn("order of the stick not followed", "err", err)
	}
}

func (s *Socket) order() (o Order, found bool, err error) {
	top, err := os.OpenRoot(s.At)
	if err != nil {
		return "", false, err
	}
	defer top.Close()
	f, err := top.OpenFile(File, os.O_RDONLY|unix.O_NONBLOCK, 0) // it may be a pipe, and nobody writes into that
	if errors.Is(err, os.ErrNotExist) {
		return "", false, nil
	} else if err != nil {
		return "", false, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", false, errors.Join(fmt.Errorf("%s is no file", File), err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxOrder+1))
	if err != nil {
		return "", false, err
	}
	if o, found = ParseOrder(text, s.ID); !found {
		return "", false, fmt.Errorf("%s names another box, or no order", File)
	}
	return o, true, nil
}

// mount makes a stick usable. Nothing on it is a program, a device or a way to more rights, and what is
// written is on it when the write returns: people pull sticks out. Whoever is none of those who write backups may read
// it: the updater does.
func mount(device, at, kind string) error {
	options := fmt.Sprintf("uid=%d,gid=%d,umask=0002", account.Records, account.HistoryGroup)
	if kind == ownersKind {
		options = "errors=remount-ro" // whatever the stick asks for: it may ask for a panic
	}
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_SYNCHRONOUS
	err := unix.Mount(device, at, kind, flags, options)
	if errors.Is(err, unix.EROFS) || errors.Is(err, unix.EACCES) { // its switch stands at "read only"
		err = unix.Mount(device, at, kind, flags|unix.MS_RDONLY, options)
	}
	if err != nil {
		return fmt.Errorf("mount as %s: %w", kind, err)
	}
	return nil
}

// unmount does not wait for who still holds a file of a stick that is gone.
func unmount(at string) error { return unix.Unmount(at, unix.MNT_DETACH) }
