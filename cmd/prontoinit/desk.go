package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/board/disk"
	"github.com/pronto-pbx/pronto/board/power"
	"github.com/pronto-pbx/pronto/board/starts"
	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/rescue"
	"github.com/pronto-pbx/pronto/ota/slot"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/recovery"
)

// What the page of the recovery system asks a rescuer; see recovery.Box.

// Facts implements recovery.Box.
func (r *rescuer) Facts() page.Recovery {
	x := page.Recovery{
		Box: r.id, Reason: string(r.why), Failed: starts.Most, Version: r.made.Version, Data: r.broken, Stick: r.socket.Mounted(), Log: lastLines(),
	}
	for _, n := range r.plate.Resets {
		x.Resets = append(x.Resets, page.Erasure{At: n.At, By: n.By})
	}
	x.System = shown(r.again.now())
	x.System.Vendor = r.again.vendor
	for _, b := range r.socket.Bundles() {
		x.System.Bundles = append(x.System.Bundles, filepath.Base(b))
	}
	if i := r.plate.Installed; i != nil {
		x.System.Before, x.System.BeforeAt = i.Version, i.At
	}
	return x
}

// Copy implements recovery.Box.
func (r *rescuer) Copy(ctx context.Context) (name, secret string, err error) {
	c, err := r.copyNow()
	if err == nil {
		_, err = c.Put(ctx, backup.Stick{At: stickDir})
	}
	return c.Name, c.Secret, err
}

// Take implements recovery.Box.
func (r *rescuer) Take() (recovery.Copy, error) {
	c, err := r.copyNow()
	return recovery.Copy{Name: c.Name, Secret: c.Secret, Write: func(ctx context.Context, to io.Writer) error {
		_, err := c.Write(ctx, to)
		return err
	}}, err
}

func (r *rescuer) copyNow() (backup.Copy, error) {
	if r.broken != "" {
		return backup.Copy{}, errors.New(r.broken)
	}
	return backup.NewCopy(state(), r.made.Version, time.Now())
}

// Reset implements recovery.Box.
func (r *rescuer) Reset() error { return r.condemn(disk.ByPage) }

// Restart implements recovery.Box. What was installed to be tried is tried.
func (r *rescuer) Restart() {
	if _, last, _, trial := r.again.now(); trial && last.Phase == rescue.Done {
		r.finish(power.Try)
		return
	}
	r.finish(power.Restart)
}

func (r *rescuer) finish(how power.End) {
	select {
	case r.ending <- how:
	default: // it ends already
	}
}

// shown is how far the system is, as the page shows it.
func shown(from string, last rescue.Step, running, trial bool) page.Reinstall {
	p := page.Reinstall{From: from, Version: last.Version, At: last.At, Of: last.Of, Phase: string(last.Phase), Trial: trial}
	if running || last.Phase != rescue.Failed {
		return p
	}
	p.Phase = ""
	sentence, known := map[slot.Code]string{
		slot.CodeTrust: "untrusted", slot.CodeMetadata: "expired", rescue.CodeOlder: "older", rescue.CodeRefused: "refused", slot.CodeNone: "none",
		slot.CodeBundle: "bundle", slot.CodeHash: "damaged", slot.CodeNetwork: "network", slot.CodeFull: "card",
		slot.CodeRead: "card", slot.CodeWrite: "card", slot.CodeDiffers: "card", slot.CodeLarge: "large",
	}[last.Code]
	if !known {
		sentence = "system"
	}
	p.Wrong = page.Said{Sentence: "recovery.install." + sentence, Args: []any{last.Version}, Detail: last.Words, At: time.Now()}
	for _, reason := range last.Reasons {
		p.Refused = append(p.Refused, page.UpdateRefusal{Code: reasonShown(reason.Code), Detail: reason.String()})
	}
	return p
}

// reasonShown is a reason for which there is a sentence; one of a later release says that it is not for this box.
func reasonShown(c release.Code) string {
	switch c {
	case release.OtherModel, release.OldEEPROM, release.StepStone, release.LowerEpoch, release.UnknownData, release.NoPart, release.Nameless, release.NotNewer:
		return string(c)
	}
	return string(release.OtherModel)
}

// mostLines is how many lines of the log the page shows.
const mostLines = 200

// lastLines reads the log of the last run that left one.
func lastLines() []string {
	text, err := os.ReadFile(lastLog)
	if err != nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(text), "?")), "\n")
	return lines[max(0, len(lines)-mostLines):]
}
