package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/pronto-pbx/pronto/board/confine"
	"github.com/pronto-pbx/pronto/firmware/certificate/authorities"
	"github.com/pronto-pbx/pronto/ota/install"
	"github.com/pronto-pbx/pronto/ota/keep"
	"github.com/pronto-pbx/pronto/ota/reinstall"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/rescue"
	"github.com/pronto-pbx/pronto/ota/slot"
	"github.com/pronto-pbx/pronto/ota/trust"
	"github.com/pronto-pbx/pronto/ota/updater"
)

// again is what the flags say of a system that is to be installed again.
type again struct {
	from string // rescue.Server, or the path of a bundle; empty: nothing is to be installed
	slot string // device
	box  string // release.Box as JSON: what the first program knows of the box
}

// telling is how often progress is told: whoever reads it draws it on a page.
const telling = 500 * time.Millisecond

// install makes one try, and writes its steps to out, a line each.
func (a again) install(log *slog.Logger, p places, out io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	last := a.try(ctx, log, p, teller(out))
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

func (a again) try(ctx context.Context, log *slog.Logger, p places, tell func(rescue.Step)) rescue.Step {
	if err := confine.Myself(); err != nil {
		log.Warn("this machine does not keep us from everything that is not our business", "err", err)
	}
	believed, err := authorities.Install()
	if err != nil {
		return broken(err)
	}
	believed.Tell(log, time.Now())
	var box release.Box
	if err := json.Unmarshal([]byte(a.box), &box); err != nil {
		return broken(fmt.Errorf("-box: %w", err))
	}
	had, err := updater.Remembered(keep.Machine{}, p.dir)
	if err != nil {
		log.Warn("what the updater knew is lost, and the vendor's first root is where we begin", "err", err)
	}
	box.Epoch = max(box.Epoch, had.Epoch)
	if box.ID = had.ID; box.ID == "" { // any place in a rollout is as good as another
		box.ID = rand.Text()
	}
	v, err := vendorOf(p)
	if err == nil && v == nil {
		err = errors.New("the image was made without a vendor")
	}
	if err != nil {
		return broken(err)
	}
	source, local, closed, err := a.source(v, had.Channel)
	if err != nil {
		return reinstall.Refused(err)
	}
	defer closed()
	to, err := install.OpenDevice(a.slot)
	if err != nil {
		return broken(err)
	}
	defer to.Close()
	return reinstall.Try{Source: source, Local: local, Box: box, Slot: to, Now: time.Now(), Tell: tell}.Run(ctx)
}

// source opens where the release comes from.
func (a again) source(v *vendor, channel string) (s reinstall.Source, local bool, closed func(), err error) {
	if a.from == rescue.Server {
		return v.known.Online(v.server, channel).Again(), false, v.server.Close, nil
	}
	f, err := os.Open(a.from)
	if err != nil {
		return nil, true, nil, fmt.Errorf("%w: %w", release.ErrMedium, err)
	}
	closed = func() { _ = f.Close() } // it was read only
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		var files trust.Files
		if files, err = trust.Bundle(f, size); err == nil {
			return v.known.Local(files, channel).Again(), true, closed, nil
		}
	}
	closed()
	return nil, true, nil, err
}
