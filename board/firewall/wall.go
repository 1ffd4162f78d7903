package firewall

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/pronto-pbx/pronto/board/firewall/opening"
	"golang.org/x/sys/unix"
)

// Config says whom a Wall listens to.
type Config struct {
	Log    *slog.Logger
	Asked  string            // the file of openings; its directory must exist
	Owner  uint32            // the user whose file counts
	Answer string            // where what is in force is told
	Own    []opening.Opening // what the first program itself serves
	// Fetcher is the user of Rules.
	Fetcher uint32
	Apply   func(Rules) error // nil: Apply
}

// Wall keeps the firewall as the exchange asks, on the interface that has the box's address.
type Wall struct {
	cfg   Config
	moved chan string // the latest interface; holds one
}

// New closes everything but what answers us, and returns the wall that Run opens.
func New(cfg Config) (*Wall, error) {
	if cfg.Apply == nil {
		cfg.Apply = Apply
	}
	w := &Wall{cfg: cfg, moved: make(chan string, 1)}
	return w, cfg.Apply(Rules{Fetcher: cfg.Fetcher})
}

// On tells which interface has the box's address. Only one goroutine calls it.
func (w *Wall) On(name string) {
	select {
	case <-w.moved:
	default:
	}
	w.moved <- name
}

// Run follows the interface and the file until ctx ends. It returns early only if the file cannot be watched.
func (w *Wall) Run(ctx context.Context) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("firewall: watch: %w", err)
	}
	changes := os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(w.cfg.Asked), unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO); err != nil {
		_ = changes.Close()
		return fmt.Errorf("firewall: watch %s: %w", filepath.Dir(w.cfg.Asked), err)
	}
	changed := make(chan struct{}, 1)
	var reading sync.WaitGroup
	reading.Go(func() {
		for b := make([]byte, 4096); ; {
			if _, err := changes.Read(b); err != nil {
				return // it was closed
			}
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	})
	defer reading.Wait()
	defer changes.Close()
	var now Rules
	known := false // whether now is in force
	for {
		next := now
		next.Open = w.asked(now.Open)
		if !known || !slices.Equal(next.Open, now.Open) {
			known = w.apply(next)
			now = next
		}
		select {
		case <-ctx.Done():
			return nil
		case now.Interface = <-w.moved:
			known = false
		case <-changed:
		}
	}
}

// asked reads what the exchange wants; what is no such file changes nothing.
func (w *Wall) asked(before []opening.Opening) []opening.Opening {
	text, err := readOf(w.cfg.Owner, w.cfg.Asked)
	if errors.Is(err, fs.ErrNotExist) {
		return before
	}
	var all []opening.Opening
	if err == nil {
		all, err = opening.Parse(text)
	}
	if err != nil {
		w.cfg.Log.Error("what the exchange wants open is not understood", "err", err)
		return before
	}
	return all
}

func (w *Wall) apply(r Rules) bool {
	all := r
	all.Fetcher = w.cfg.Fetcher
	all.Open = slices.Concat(w.cfg.Own, r.Open)
	err := w.cfg.Apply(all)
	if err != nil {
		w.cfg.Log.Error("the firewall is not as it should be", "err", err)
	} else {
		w.cfg.Log.Info("firewall", "interface", r.Interface, "openings", len(r.Open))
	}
	if told := w.tell(opening.Answer(r.Open, err)); told != nil {
		w.cfg.Log.Warn("the exchange does not hear of the firewall", "err", told)
	}
	return err == nil
}

func (w *Wall) tell(answer []byte) error {
	part := w.cfg.Answer + ".part"
	if err := os.WriteFile(part, answer, 0o644); err != nil {
		return err
	}
	return os.Rename(part, w.cfg.Answer)
}

// readOf reads a small plain file if it belongs to owner. It follows no link and waits for nobody: the
// directory is another's.
func readOf(owner uint32, path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Uid != owner || st.Nlink != 1 {
		return nil, fmt.Errorf("%s is not a plain file of user %d", path, owner)
	}
	return io.ReadAll(io.LimitReader(f, opening.Longest+1))
}
