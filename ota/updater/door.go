package updater

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/ota/install"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/remote"
	"github.com/pronto-pbx/pronto/ota/slot"
)

var _ remote.Room = (*Updater)(nil)

// refuse is an answer for the page.
func refuse(c slot.Code, words string) error { return &remote.Refused{Code: c, Words: words} }

// inLoop has the goroutine of Run do something. Who gives up before it began has changed nothing.
func (u *Updater) inLoop(ctx context.Context, do func() error) error {
	answer := make(chan error, 1)
	select {
	case u.asked <- func() { answer <- do() }:
		return <-answer
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Check implements remote.Room.
func (u *Updater) Check(ctx context.Context) error {
	answer := make(chan error, 1)
	err := u.inLoop(ctx, func() error {
		if u.cfg.Vendor == nil {
			return refuse(slot.CodeOff, "there is no vendor")
		}
		u.pollNow(func(err error) { answer <- err })
		return nil
	})
	if err != nil {
		return err
	}
	select {
	case err := <-answer:
		if err == nil || errors.Is(err, release.ErrNone) {
			return nil
		}
		return refuse(install.CodeOf(err), err.Error())
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Install implements remote.Room.
func (u *Updater) Install(ctx context.Context, version string) error {
	return u.inLoop(ctx, func() error {
		s := u.m.Slot
		switch {
		case u.cfg.Vendor == nil || u.cfg.Off != "":
			return refuse(slot.CodeOff, "nothing is installed here")
		case s.Phase == slot.Trying || u.facts.Trying || !u.known:
			return refuse(remote.CodeBusy, "a release is on trial")
		case s.Busy() && s.Want.Version == version && u.m.Manifest != nil:
			u.take(*u.m.Manifest, true, s.Want.Local)
		case u.offer != nil && u.offer.Version == version:
			u.take(*u.offer, true, false)
		default:
			return refuse(remote.CodeOther, "that release is not on offer")
		}
		return nil
	})
}

// change changes the owner's settings.
func (u *Updater) change(ctx context.Context, do func(*remote.Settings)) error {
	return u.inLoop(ctx, func() error {
		next := u.m
		do(&next.Settings)
		if !u.keep(next) {
			return refuse(u.trouble, u.words)
		}
		if u.m.Slot.Phase == slot.Waiting {
			u.in(0, jobWatch)
		}
		return nil
	})
}

// Postpone implements remote.Room.
func (u *Updater) Postpone(ctx context.Context, until time.Time) error {
	if until.After(u.cfg.Now().Add(remote.MaxPostponed)) {
		return refuse(remote.CodeMistaken, "that is too far away")
	}
	return u.change(ctx, func(s *remote.Settings) { s.Postponed = until.UTC() })
}

// Set implements remote.Room.
func (u *Updater) Set(ctx context.Context, s remote.Settings) error {
	const day = 24 * 60
	if s.Window.From < 0 || s.Window.From >= day || s.Window.To < 0 || s.Window.To >= day {
		return refuse(remote.CodeMistaken, "a window of minutes that a day does not have")
	}
	if s.Drain < 0 || s.Drain > remote.MostDrain {
		return refuse(remote.CodeMistaken, "queues cannot take nobody for so long")
	}
	if s.Channel != "stable" && s.Channel != "beta" {
		return refuse(remote.CodeMistaken, "there are the channels stable and beta")
	}
	err := u.change(ctx, func(now *remote.Settings) {
		s.Postponed = now.Postponed
		*now = s
	})
	if err != nil || u.cfg.Vendor == nil {
		return err
	}
	return u.inLoop(ctx, func() error { u.pollIn(0); return nil }) // another channel has other releases
}

// Seen implements remote.Room.
func (u *Updater) Seen(ctx context.Context) error {
	return u.inLoop(ctx, func() error {
		u.tell(slot.Seen{})
		if len(u.held) > 0 {
			return refuse(u.trouble, u.words)
		}
		return nil
	})
}

// Bundle implements remote.Room. Nothing of the box is touched before the bundle is found to be the vendor's, and to
// hold a release for this box.
func (u *Updater) Bundle(ctx context.Context, content io.Reader) error {
	var box release.Box
	var channel string
	err := u.inLoop(ctx, func() error {
		switch {
		case u.cfg.Vendor == nil || u.cfg.Off != "":
			return refuse(slot.CodeOff, "nothing is installed here")
		case u.bundle || u.m.Slot.Phase == slot.Trying || u.facts.Trying || !u.known:
			return refuse(remote.CodeBusy, "a release is on trial, or another bundle comes in")
		}
		u.bundle, box, channel = true, u.box(), u.m.Settings.Channel
		return nil
	})
	if err != nil {
		return err
	}
	m, err := u.judge(ctx, content, box, channel)
	// The bundle is over, whoever is still listening.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), askFor)
	defer cancel()
	if err := u.inLoop(end, func() error { return u.brought(m, err) }); err != nil {
		if u.cfg.Refuser != nil {
			if err := u.cfg.Refuser.Refuse(end); err != nil {
				u.cfg.Log.Warn("update: nobody at the box sees that the bundle was refused", "err", err)
			}
		}
		return err
	}
	return nil
}

// judge takes a bundle and looks whose it is. Errors are of package release, or failures of package install.
func (u *Updater) judge(ctx context.Context, content io.Reader, box release.Box, channel string) (m release.Manifest, err error) {
	f, err := u.cfg.Downloads.Open(bundleNew)
	if err != nil {
		return m, &install.Failure{Code: codeOfDisk(err), Err: err}
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := u.receive(ctx, f, content)
	if err != nil {
		return m, err
	}
	source, err := u.cfg.Vendor.Local(f, size, channel)
	if err != nil {
		return m, err
	}
	return source.Latest(ctx, u.cfg.Now(), box)
}

// receive copies a bundle, as long as the disk keeps room for others.
func (u *Updater) receive(ctx context.Context, f File, content io.Reader) (size int64, err error) {
	if err := f.Truncate(0); err != nil {
		return 0, &install.Failure{Code: codeOfDisk(err), Err: err}
	}
	b := make([]byte, 256<<10)
	for {
		free, err := u.cfg.Downloads.Free()
		if err == nil && free < spare {
			err = &install.Failure{Code: slot.CodeFull, Err: errors.New("there is no room for the bundle")}
		}
		if err != nil {
			return size, err
		}
		n, err := io.ReadFull(content, b)
		if _, err := f.WriteAt(b[:n], size); err != nil {
			return size, &install.Failure{Code: codeOfDisk(err), Err: err}
		}
		size += int64(n)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			if err := f.Sync(); err != nil {
				return size, &install.Failure{Code: codeOfDisk(err), Err: err}
			}
			return size, ctx.Err()
		case err != nil:
			return size, &install.Failure{Code: slot.CodeBundle, Err: err}
		}
	}
}

// brought has the release of a bundle installed, or says why not.
func (u *Updater) brought(m release.Manifest, err error) error {
	u.bundle = false
	if err == nil && (u.m.Slot.Phase == slot.Trying || u.facts.Trying) {
		return refuse(remote.CodeBusy, "a release is on trial")
	}
	if err == nil { // work that reads the bundle of before goes on with it: its file stays open
		err = u.cfg.Downloads.Rename(bundleNew, bundleFile)
	}
	if err != nil {
		if err := u.cfg.Downloads.Clear(u.kept()...); err != nil {
			u.cfg.Log.Warn("update: what was uploaded stays", "err", err)
		}
		answer := &remote.Refused{Code: install.CodeOf(err), Words: err.Error()}
		if answer.Code == slot.CodeNetwork { // there is none: the bundle is not whole
			answer.Code = slot.CodeBundle
		}
		if r, ok := errors.AsType[*release.Refusal](err); ok {
			answer.Reasons = reasons(r)
		}
		return answer
	}
	u.take(m, true, true)
	return nil
}

// kept is what of the downloads is needed.
func (u *Updater) kept() []string {
	if !u.m.Slot.Busy() {
		return nil
	}
	return []string{bundleFile, u.plan().blob.SHA256}
}

// Stick implements remote.Room.
func (u *Updater) Stick(ctx context.Context, path string) error {
	if u.cfg.Sticks == "" {
		return refuse(slot.CodeOff, "there is no place for sticks")
	}
	below, err := filepath.Rel(u.cfg.Sticks, path)
	if err != nil || !filepath.IsLocal(below) {
		return refuse(remote.CodeMistaken, "that is not on a stick")
	}
	root, err := os.OpenRoot(u.cfg.Sticks)
	if err != nil {
		return refuse(slot.CodeBundle, err.Error())
	}
	defer root.Close()
	f, err := root.Open(below)
	if err != nil {
		return refuse(slot.CodeBundle, err.Error())
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > remote.MaxBundle {
		return refuse(slot.CodeBundle, "that is no file, or too large")
	}
	return u.Bundle(ctx, f)
}
