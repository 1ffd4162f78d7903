// Package again is the updater in the recovery system: it installs the system of a box again, in one try, and tells the
// first program how far it is. It is part of the first program's file there, since a second program would not fit the
// image, and runs as a process of its own, in the updater's cell.
package again

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pronto-pbx/pronto/board/confine"
	"github.com/pronto-pbx/pronto/firmware/certificate/authorities"
	"github.com/pronto-pbx/pronto/images/recipe"
	"github.com/pronto-pbx/pronto/ota/install"
	"github.com/pronto-pbx/pronto/ota/keep"
	"github.com/pronto-pbx/pronto/ota/reinstall"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/rescue"
	"github.com/pronto-pbx/pronto/ota/slot"
	"github.com/pronto-pbx/pronto/ota/trust"
	"github.com/pronto-pbx/pronto/ota/updater"
)

// try is what the flags say.
type try struct {
	from    string // rescue.Server, or the path of a bundle
	slot    string // device
	box     string // release.Box as JSON: what the first program knows of the box
	dir     string // of what the updater knew
	scratch string
	share   string
}

// Main makes one try and returns the exit code: 0 where the slot holds a system. Its steps go to steps, a line each, the
// last one being how it ended.
func Main(args []string, steps, out io.Writer) int {
	var t try
	flags := flag.NewFlagSet("reinstall", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&t.from, "from", rescue.Server, "path of a bundle, or server for the vendor's")
	flags.StringVar(&t.slot, "slot", "", "device of the slot")
	flags.StringVar(&t.box, "box", "{}", "what is known of the box, as JSON")
	flags.StringVar(&t.dir, "var", "", "directory of what the updater knew")
	flags.StringVar(&t.scratch, "scratch", "", "directory for files of the moment")
	flags.StringVar(&t.share, "share", "/usr/share/pronto", "directory of the vendor's keys and address")
	if err := flags.Parse(args); err != nil {
		return 1
	}
	return t.install(slog.New(slog.NewTextHandler(out, nil)).With("service", "reinstall"), steps)
}

// Vendor reads what an image says of its vendor in share, and what is known of that in dir. It is nil where the image
// names none.
func Vendor(share, dir, scratch string) (*trust.Known, *trust.Server, error) {
	root, err := os.ReadFile(filepath.Join(share, recipe.VendorRoot))
	url, errURL := os.ReadFile(filepath.Join(share, recipe.UpdateURL))
	if errors.Is(err, fs.ErrNotExist) && errors.Is(errURL, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err := errors.Join(err, errURL); err != nil {
		return nil, nil, err
	}
	server, err := trust.NewServer(strings.TrimSpace(string(url)), nil)
	if err != nil {
		return nil, nil, err
	}
	known, err := trust.Open(root, filepath.Join(dir, "trust"), scratch)
	if err != nil {
		return nil, nil, err
	}
	return known, server, nil
}

// telling is how often progress is told: whoever reads it draws it on a page.
const telling = 500 * time.Millisecond

// install makes one try, and writes its steps to out, a line each.
func (t try) install(log *slog.Logger, out io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	last := t.run(ctx, log, teller(out))
	if _, err := out.Write(last.Encode()); err != nil {
		log.Error("nobody hears how it ended", "err", err)
	}
	if last.Phase != rescue.Done {
		log.Error("the system is not installed", "code", last.Code, "version", last.Version, "words", last.Words, "reasons", last.Reasons)
		return 1
	}
	log.Info("the system is installed", "version", last.Version, "sha256", last.SHA256)
	return 0
}

// teller writes steps: each new phase at once, and how far it is now and then.
func teller(out io.Writer) func(rescue.Step) {
	var mu sync.Mutex
	var phase rescue.Phase
	var told time.Time
	return func(s rescue.Step) {
		mu.Lock()
		defer mu.Unlock()
		if s.Phase == phase && time.Since(told) < telling {
			return
		}
		phase, told = s.Phase, time.Now()
		_, _ = out.Write(s.Encode()) // who does not listen learns the end
	}
}

// broken is the last step of a try that could not be begun.
func broken(err error) rescue.Step {
	return rescue.Step{Phase: rescue.Failed, Code: slot.CodeSlots, Words: err.Error()}
}

func (t try) run(ctx context.Context, log *slog.Logger, tell func(rescue.Step)) rescue.Step {
	if err := confine.Myself(); err != nil {
		log.Warn("this machine does not keep us from everything that is not our business", "err", err)
	}
	believed, err := authorities.Install()
	if err != nil {
		return broken(err)
	}
	believed.Tell(log, time.Now())
	var box release.Box
	if err := json.Unmarshal([]byte(t.box), &box); err != nil {
		return broken(fmt.Errorf("-box: %w", err))
	}
	had, err := updater.Remembered(keep.Machine{}, t.dir)
	if err != nil {
		log.Warn("what the updater knew is lost, and the vendor's first root is where we begin", "err", err)
	}
	box.Epoch = max(box.Epoch, had.Epoch)
	if box.ID = had.ID; box.ID == "" { // any place in a rollout is as good as another
		box.ID = rand.Text()
	}
	known, server, err := Vendor(t.share, t.dir, t.scratch)
	if err == nil && known == nil {
		err = errors.New("the image was made without a vendor")
	}
	if err != nil {
		return broken(err)
	}
	source, local, closed, err := t.source(known, server, had.Channel)
	if err != nil {
		return reinstall.Refused(err)
	}
	defer closed()
	to, err := install.OpenDevice(t.slot)
	if err != nil {
		return broken(err)
	}
	defer to.Close()
	return reinstall.Try{Source: source, Local: local, Box: box, Slot: to, Now: time.Now(), Tell: tell}.Run(ctx)
}

// source opens where the release comes from.
func (t try) source(known *trust.Known, server *trust.Server, channel string) (s reinstall.Source, local bool, closed func(), err error) {
	if t.from == rescue.Server {
		return known.Online(server, channel).Again(), false, server.Close, nil
	}
	f, err := os.Open(t.from)
	if err != nil {
		return nil, true, nil, fmt.Errorf("%w: %w", release.ErrMedium, err)
	}
	closed = func() { _ = f.Close() } // it was read only
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		var files trust.Files
		if files, err = trust.Bundle(f, size); err == nil {
			return known.Local(files, channel).Again(), true, closed, nil
		}
	}
	closed()
	return nil, true, nil, err
}
