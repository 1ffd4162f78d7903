package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/cmd/otad/again"
	"github.com/pronto-pbx/pronto/images/imprint"
	"github.com/pronto-pbx/pronto/ota/backend"
	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/fit/exam"
	"github.com/pronto-pbx/pronto/ota/install"
	"github.com/pronto-pbx/pronto/ota/keep"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/remote"
	"github.com/pronto-pbx/pronto/ota/trust"
	"github.com/pronto-pbx/pronto/ota/updater"
)

// debRules leave the timer of a package's way back, which is over after ten minutes, to those who do not answer.
func debRules(version string) fit.Rules {
	r := fit.Usual(version)
	r.Limit, r.Trunks = 8*time.Minute, 5*time.Minute
	return r
}

// configure puts the updater together. What is wrong with the image is an error: starting again changes nothing in it,
// and yet a release on trial has to be judged, so only what that needs is one.
func configure(log *slog.Logger, p places) (updater.Config, error) {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return updater.Config{}, err
	}
	made, err := madeOf(filepath.Join(p.share, imprint.File))
	if err != nil {
		log.Error("this release does not say which it is", "err", err)
	}
	rules := fit.Usual(made.Version)
	cfg := updater.Config{
		Log: log.With("room", "updates"), Backend: p.backend, Auto: true, Dir: p.dir, Sticks: p.sticks,
		Box:  release.Box{Version: made.Version, Epoch: made.Epoch, Data: made.Data.Writes},
		Disk: keep.Machine{}, Downloads: downloads{install.Folder{Dir: filepath.Join(p.dir, "parts")}}, Now: time.Now, Draw: rand.Float64,
	}
	switch p.backend {
	case "card":
		card := backend.NewCard(p.gate)
		cfg.Slots, cfg.Refuser, cfg.Earlier = card, card, earlier{card}
	case "deb":
		rules = debRules(made.Version)
		cfg.Auto, cfg.Outlive = false, true // whose machine it is says so first; a restart leaves calls to the next process
		cfg.Slots = &backend.Deb{Dir: filepath.Join(p.dir, "packages"), Package: "pronto", Arch: runtime.GOARCH, Caches: "/var/cache/apt/archives", Root: "/", Run: command, Now: time.Now}
		if err := os.MkdirAll(filepath.Join(p.dir, "packages"), 0o700); err != nil {
			return updater.Config{}, err
		}
	case "none":
		cfg.Slots, cfg.Off = backend.None{Model: "deb-" + runtime.GOARCH}, remote.OffContainer
	default:
		return updater.Config{}, fmt.Errorf("-backend %q: card, deb or none", p.backend)
	}
	cfg.Fit = exam.New(cfg.Log, p.fit, rules)
	v, err := vendorOf(p)
	switch {
	case err != nil:
		log.Error("updates are off: what the image says of its vendor cannot be used", "err", err)
	case v == nil:
		log.Info("updates are off: the image was made without a vendor")
	default:
		cfg.Vendor = v
	}
	return cfg, nil
}

func madeOf(path string) (imprint.Imprint, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return imprint.Imprint{}, err
	}
	return imprint.Decode(text)
}

// command runs a program of the machine's.
func command(ctx context.Context, argv ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w: %.500s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return out, err
}

// vendor is whom the image believes.
type vendor struct {
	known  *trust.Known
	server *trust.Server
}

// vendorOf reads what the image says of its vendor; nil: nothing.
func vendorOf(p places) (updater.Vendor, error) {
	known, server, err := again.Vendor(p.share, p.dir, p.run)
	if err != nil || known == nil {
		return nil, err
	}
	return vendor{known, server}, nil
}

// Online implements updater.Vendor.
func (v vendor) Online(channel string) updater.Source { return v.known.Online(v.server, channel) }

// Local implements updater.Vendor.
func (v vendor) Local(r io.ReaderAt, size int64, channel string) (updater.Source, error) {
	files, err := trust.Bundle(r, size)
	if err != nil {
		return nil, err
	}
	return v.known.Local(files, channel), nil
}

// Stale implements updater.Vendor.
func (v vendor) Stale(now time.Time) bool { return v.known.Seen().Stale(now) }

// downloads lie in a folder.
type downloads struct{ install.Folder }

// Open implements updater.Downloads.
func (d downloads) Open(name string) (updater.File, error) {
	f, err := d.Folder.Open(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}
