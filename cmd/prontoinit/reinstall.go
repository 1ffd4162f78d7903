package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pronto-pbx/pronto/board/account"
	"github.com/pronto-pbx/pronto/board/bootloader"
	"github.com/pronto-pbx/pronto/board/disk"
	"github.com/pronto-pbx/pronto/board/kept"
	"github.com/pronto-pbx/pronto/board/model"
	"github.com/pronto-pbx/pronto/board/power"
	"github.com/pronto-pbx/pronto/images/choice"
	"github.com/pronto-pbx/pronto/images/imprint"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/images/recipe"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/rescue"
	"github.com/pronto-pbx/pronto/ota/slot"
	"golang.org/x/sys/unix"
)

// rescueDir is where the updater has in the recovery system what it has in updateDir otherwise: a copy in memory of what
// it knew of its vendor.
const rescueDir = "/run/update"

// farewell is for how long the page says that the system is installed before the box starts it.
const farewell = 10 * time.Second

// Errors of who wants what cannot be begun.
var (
	errNoVendor = errors.New("the image was made without a vendor: it believes nobody's signature")
	errBusy     = errors.New("the system is being installed already")
	errNoBundle = errors.New("there is no such file on the stick")
)

// reinstall is the system's being installed again.
type reinstall struct {
	vendor string // where the vendor's releases are; empty: the image was made without one

	mu      sync.Mutex // guards all below
	from    string     // the last try's; empty: there was none
	last    rescue.Step
	running bool
	trial   bool // of Done: it is started once, and the other slot is the way back
}

// vendorAt is where the vendor of this image is; empty: it has none, or no program that could judge its signatures.
func vendorAt(share string, able bool) string {
	if _, err := os.Stat(filepath.Join(share, recipe.VendorRoot)); err != nil || !able {
		return ""
	}
	text, err := os.ReadFile(filepath.Join(share, recipe.UpdateURL))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// begin marks a try as begun.
func (i *reinstall) begin(from string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.vendor == "":
		return errNoVendor
	case i.running || i.last.Phase == rescue.Done:
		return errBusy
	}
	i.running, i.from, i.last = true, from, rescue.Step{Phase: rescue.Looking}
	return nil
}

// step takes what the updater says. That it has ended is said by end alone.
func (i *reinstall) step(s rescue.Step) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if s.Phase != rescue.Done && s.Phase != rescue.Failed {
		i.last = s
	}
}

func (i *reinstall) end(s rescue.Step, trial bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.last, i.running, i.trial = s, false, trial
}

func (i *reinstall) now() (from string, last rescue.Step, running, trial bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.from, i.last, i.running, i.trial
}

// into says which slot a system is installed into: the one that holds none, or else the one that is not chosen. trial
// tells that it is started once, as updates are, because what is chosen may be as good as ever: somebody came, and no
// start had failed. Otherwise it is what every start starts from now on, and its own failed starts lead back to the other
// slot, where there is something.
func into(chosen int, holds func(int) bool, why choice.Reason) (n int, trial bool) {
	if chosen == 0 {
		chosen = layout.SlotB // A is where a new card has its system
	}
	other := disk.OtherSlot(chosen)
	if !holds(chosen) && holds(other) {
		return chosen, false
	}
	return other, holds(chosen) && why.Presence()
}

// boxOf is what releases are judged against: what the box is known to have run, also where nothing of it is left. Nothing
// of what lies in a slot that was not chosen counts: it may never have been kept.
func boxOf(own, chosen imprint.Imprint, last kept.System) release.Box {
	return release.Box{
		Version: cmp.Or(last.Version, chosen.Version, own.Version),
		Epoch:   max(last.Epoch, chosen.Epoch, own.Epoch),
		Data:    max(last.Data, chosen.Data.Writes, own.Data.Writes),
	}
}

// thisBox is boxOf for the box that this is.
func (r *rescuer) thisBox() release.Box {
	var last kept.System
	if text, ok := r.kept(kept.File); ok {
		var err error
		if last, err = kept.Decode(text); err != nil {
			r.log.Warn("what the box ran last is not known", "err", err)
		}
	}
	chosen, err := disk.ReadSlot(r.card, r.chosen)
	if err != nil {
		chosen = imprint.Imprint{} // it is what is to be mended
	}
	b := boxOf(r.made, chosen, last)
	compatible, _ := os.ReadFile("/proc/device-tree/compatible") // of a machine without one nothing is known
	b.Model = model.Identify(model.Facts{Compatible: compatible}).ID
	b.EEPROM = release.Date(bootloader.Read(os.DirFS("/proc")).Built)
	return b
}

// Install implements recovery.Box: from is the name of a bundle on the stick; empty: the vendor's server.
func (r *rescuer) Install(from string) error {
	at := rescue.Server
	if from != "" {
		i := slices.IndexFunc(r.socket.Bundles(), func(b string) bool { return filepath.Base(b) == from })
		if i < 0 {
			return errNoBundle
		}
		at = r.socket.Bundles()[i]
	}
	if err := r.again.begin(from); err != nil {
		return err
	}
	r.rooms.Go(func() {
		n, trial := into(r.chosen, func(n int) bool { _, err := disk.ReadSlot(r.card, n); return err == nil }, r.why)
		r.log.Warn("the system is installed again", "from", at, "slot", n, "trial", trial)
		last := r.install(r.ctx, at, n)
		if last.Phase == rescue.Done {
			if err := r.adopt(last, n, trial); err != nil {
				last = rescue.Step{Phase: rescue.Failed, Version: last.Version, Code: slot.CodeWrite, Words: err.Error()}
			}
		}
		r.again.end(last, trial)
		if last.Phase != rescue.Done {
			r.log.Error("the system is not installed", "code", last.Code, "version", last.Version, "words", last.Words)
			return
		}
		r.log.Warn("the system is installed and is started now", "version", last.Version, "slot", n, "trial", trial)
		select {
		case <-time.After(farewell):
			r.finish(map[bool]power.End{true: power.Try, false: power.Restart}[trial])
		case <-r.ctx.Done():
		}
	})
	return nil
}

// install has the updater write a slot, and returns the last step.
func (r *rescuer) install(ctx context.Context, from string, n int) rescue.Step {
	failed := func(err error) rescue.Step {
		return rescue.Step{Phase: rescue.Failed, Code: slot.CodeSlots, Words: err.Error()}
	}
	if err := r.lend(n); err != nil {
		return failed(err)
	}
	box, err := json.Marshal(r.thisBox())
	if err != nil {
		return failed(err)
	}
	r.log.Info("releases are judged against", "box", string(box))
	s := confined(reinstaller(from, string(box)))
	cmd := exec.CommandContext(ctx, s.Path, s.Args...)
	cmd.Env, cmd.Stderr, cmd.WaitDelay = s.Env, r.out, 5*time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: s.User.UID, Gid: s.User.GID, Groups: s.User.Groups}, Setpgid: true}
	steps, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return failed(err)
	}
	last := hear(steps, r.again.step)
	if err := cmd.Wait(); err != nil && last.Phase != rescue.Failed {
		return failed(fmt.Errorf("the updater ended: %w", err))
	}
	return last
}

// hear reads the steps of the updater up to the end, and returns the last one. One that ends without is Failed.
func hear(from io.Reader, tell func(rescue.Step)) rescue.Step {
	defer func() { _, _ = io.Copy(io.Discard, from) }() // whatever else it says, it must not stand still for it
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, rescue.MostLine)
	last := rescue.Step{}
	for lines.Scan() {
		s, err := rescue.Decode(lines.Bytes())
		if err != nil {
			return rescue.Step{Phase: rescue.Failed, Code: slot.CodeSlots, Words: err.Error()}
		}
		last = s
		tell(s)
	}
	if last.Phase != rescue.Done && last.Phase != rescue.Failed {
		return rescue.Step{Phase: rescue.Failed, Code: slot.CodeSlots, Words: "the updater ended before it was done"}
	}
	return last
}

// lend gives the updater the slot that it is to write, and what it knew of its vendor. The one that may be what the box
// falls back to is not lent, not even to be read.
func (r *rescuer) lend(n int) error {
	if !r.met {
		if err := errors.Join(directory(slotsDir), disk.Meeting(slotsDir)); err != nil {
			return err
		}
		r.met = true
	}
	if err := os.Chmod(slotsDir, 0o711); err != nil { // it opens what is lent to it, and makes nothing there
		return err
	}
	if err := disk.LendSlots(r.card, 0, n, slotsDir, account.Updates); err != nil {
		return err
	}
	if err := os.RemoveAll(rescueDir); err != nil {
		return err
	}
	for _, dir := range []string{rescueDir, filepath.Join(rescueDir, "trust")} {
		if err := errors.Join(os.Mkdir(dir, 0o700), os.Lchown(dir, account.Updates, account.Updates)); err != nil {
			return err
		}
	}
	if r.broken != "" {
		return nil // what the plate knows has to do
	}
	for _, name := range []string{"state.json", "trust/known.json"} {
		if err := copyOut(dataDir, filepath.Join("update", name), filepath.Join(rescueDir, name), account.Updates); err != nil {
			r.log.Warn("the updater does not know what it knew", "err", err)
		}
	}
	return nil
}

// mostMemory bounds what is copied of the updater's memory, in bytes.
const mostMemory = 1 << 20

// copyOut copies a file that a service has made, below dir, for that service; it is followed nowhere else. One that is
// not there is not missed.
func copyOut(dir, name, to string, uid int) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(fmt.Errorf("%s is no file", name), err)
	}
	text, err := io.ReadAll(io.LimitReader(f, mostMemory+1))
	if err != nil {
		return err
	}
	if len(text) > mostMemory {
		return fmt.Errorf("%s is longer than %d bytes", name, mostMemory)
	}
	if err := os.WriteFile(to, text, 0o600); err != nil {
		return err
	}
	return os.Lchown(to, uid, uid)
}

// adopt makes what was installed what the box starts. The updater is not taken at its word: a program that reads what
// strangers send might be theirs.
func (r *rescuer) adopt(s rescue.Step, n int, trial bool) error {
	i, err := disk.ReadSlot(r.card, n)
	if err != nil {
		return err
	}
	sum, err := disk.SumSlot(r.ctx, r.card, n)
	if err != nil {
		return err
	}
	if sum != s.SHA256 || i.Version != s.Version {
		return fmt.Errorf("in slot %d lies %s with the SHA-256 %s, not %s with %s", n, i.Version, sum, s.Version, s.SHA256)
	}
	r.engraving.Lock()
	defer r.engraving.Unlock()
	if err := disk.NoteInstalled(r.card, disk.Installed{At: time.Now().UTC().Truncate(time.Second), Slot: n, Version: i.Version, SHA256: sum, Fresh: true}); err != nil {
		return err
	}
	if trial {
		return nil
	}
	return disk.WriteChoice(r.card, choice.Choice{Slot: n})
}
