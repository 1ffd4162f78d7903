package backend

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/ota/install"
	"github.com/pronto-pbx/pronto/ota/keep"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// Deb is a machine with Debian's package manager. The two slots are package files: the one that is installed, which is
// kept for the way back, and the next one.
//
// The package manager restarts this program in the middle of an installation, so it runs in a unit of systemd of its
// own; and it installs the package of before when a timer of systemd is over that Keep takes away, whatever has become
// of this program.
type Deb struct {
	Dir     string // of the packages
	Package string // its name
	Arch    string // as Debian names it
	Caches  string // where apt leaves what it has installed
	Root    string // of the file system in which packages are installed
	// Run runs a program and returns what it says.
	Run func(ctx context.Context, argv ...string) ([]byte, error)
	Now func() time.Time
}

// recordFile is what is remembered of the last trial.
const (
	recordFile    = "trial.json"
	recordVersion = 1
)

// backAfter is when the package of before is installed again by itself.
const backAfter = 10 * time.Minute

// The units of systemd in which packages are installed.
const (
	tryUnit  = "pronto-install"
	backUnit = "pronto-install-back"
)

// mostPackage is how long a package may be, in bytes.
const mostPackage = 256 << 20

// record is the last trial, by the versions of packages.
type record struct {
	Slot    int        `json:"slot"`   // that runs, or ran before the trial
	From    string     `json:"from"`   // its version, as the package manager names it
	Debian  string     `json:"debian"` // version on trial, as the package manager names it
	Pending bool       `json:"pending"`
	Last    slot.Trial `json:"last"`
	// Sums are the SHA-256 of the kept packages, in hex, as they were when they were proved, by slot.
	Sums map[int]string `json:"sums,omitempty"`
}

func (d *Deb) path(n int) string { return filepath.Join(d.Dir, fmt.Sprintf("slot%d.deb", n)) }

func (d *Deb) load() (r record, err error) {
	err = keep.Load(keep.Machine{}, filepath.Join(d.Dir, recordFile), recordVersion, &r)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, keep.ErrDamaged) {
		return record{Slot: slot.SlotA}, nil
	}
	return r, err
}

func (d *Deb) save(r record) error {
	return keep.Save(keep.Machine{}, filepath.Join(d.Dir, recordFile), recordVersion, r)
}

// State implements updater.Slots: what is installed says how a trial went.
func (d *Deb) State(ctx context.Context) (slot.Facts, error) {
	r, err := d.load()
	if err != nil {
		return slot.Facts{}, err
	}
	f := slot.Facts{Running: r.Slot, Chosen: r.Slot, Model: "deb-" + d.Arch, Last: r.Last}
	if !r.Pending {
		return f, nil
	}
	is, err := d.installed(ctx)
	late := d.Now().Sub(r.Last.Asked) >= backAfter
	switch {
	case errors.Is(err, errUnder) && !late: // who judges what is half there judges the package manager
		return slot.Facts{}, err
	case err != nil && !errors.Is(err, errUnder):
		return slot.Facts{}, err
	case is == r.Debian:
		f.Running, f.Trying = f.Other(), true
		f.Left = max(0, r.Last.Asked.Add(backAfter).Sub(d.Now()))
	case r.Last.Outcome == slot.TrialAsked && late: // the timer was faster than we
		f.Last.Outcome, f.Last.Why = slot.TrialBack, slot.CodeExpired
	}
	return f, nil
}

// errUnder is returned, beside the version, while the package manager is at it.
var errUnder = errors.New("the package is being installed")

// installed is the version of the package that is installed.
func (d *Deb) installed(ctx context.Context) (string, error) {
	text, err := d.said(ctx, "dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", d.Package)
	if err != nil {
		return "", err
	}
	status, version, _ := strings.Cut(text, " ")
	if status != "installed" {
		return version, fmt.Errorf("%w: %s is %s", errUnder, d.Package, status)
	}
	return version, nil
}

func (d *Deb) said(ctx context.Context, argv ...string) (string, error) {
	out, err := d.Run(ctx, argv...)
	if err != nil {
		return "", fmt.Errorf("%s: %w", argv[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

// packageFile is a file that becomes a package.
type packageFile struct{ install.Device }

// Size implements install.Target: there is room for any package.
func (packageFile) Size() (int64, error) { return mostPackage, nil }

// Fit implements install.Fitter.
func (p packageFile) Fit(size int64) error { return p.Truncate(size) }

// DropCache implements install.Target.
func (p packageFile) DropCache() error { return p.Device.DropCache() }

// Idle implements updater.Slots.
func (d *Deb) Idle(ctx context.Context) (install.Target, error) {
	f, err := d.State(ctx)
	switch {
	case err != nil:
		return nil, err
	case f.Trying:
		return nil, errors.New("the other package is the way back of the trial")
	}
	file, err := install.OpenFile(d.path(f.Other()))
	return packageFile{file}, err
}

// Try implements updater.Slots. Without the package of what runs there is no way back, and nothing is tried.
func (d *Deb) Try(ctx context.Context, version, _ string) error {
	r, err := d.load()
	if err != nil {
		return err
	}
	other := slot.SlotA + slot.SlotB - r.Slot
	next, err := d.said(ctx, "dpkg-deb", "--field", d.path(other), "Version")
	if err != nil {
		return &install.Failure{Code: slot.CodePackage, Err: err}
	}
	is, err := d.installed(ctx)
	if err != nil {
		return &install.Failure{Code: slot.CodePackage, Err: err}
	}
	way, err := d.wayBack(ctx, &r, is)
	if err != nil {
		return err
	}
	if r.Sums[other], err = sumOf(d.path(other)); err != nil {
		return &install.Failure{Code: slot.CodeDisk, Err: err}
	}
	r.From, r.Debian, r.Pending = is, next, true
	r.Last = slot.Trial{Version: version, Slot: other, Asked: d.Now().UTC(), Outcome: slot.TrialAsked}
	if err := d.save(r); err != nil {
		return err
	}
	if _, err := d.said(ctx, "systemd-run", "--collect", "--unit="+backUnit, fmt.Sprintf("--on-active=%d", int(backAfter.Seconds())), "dpkg", "--install", way); err != nil {
		return errors.Join(err, d.give(r))
	}
	if _, err := d.said(ctx, "systemd-run", "--collect", "--unit="+tryUnit, "dpkg", "--install", d.path(other)); err != nil {
		return errors.Join(err, d.disarm(ctx), d.give(r))
	}
	return nil
}

// give takes a trial back that did not begin.
func (d *Deb) give(r record) error {
	r.Pending, r.Last = false, slot.Trial{}
	return d.save(r)
}

// wayBack is the package of what runs, kept beside the one that is tried: the one of the last trial, if it is still what
// was proved then; or what apt has left; or one made anew of the files that are installed.
func (d *Deb) wayBack(ctx context.Context, r *record, version string) (string, error) {
	if r.Sums = maps.Clone(r.Sums); r.Sums == nil {
		r.Sums = map[int]string{}
	}
	kept := d.path(r.Slot)
	if sum, err := sumOf(kept); err == nil && sum == r.Sums[r.Slot] && d.isOf(ctx, kept, version) {
		return kept, nil
	}
	found, err := filepath.Glob(filepath.Join(d.Caches, d.Package+"_*.deb"))
	if err != nil {
		return "", err
	}
	made := filepath.Join(d.Dir, "made.deb")
	defer func() { _ = os.Remove(made) }()
	i := slices.IndexFunc(found, func(path string) bool { return d.isOf(ctx, path, version) })
	if i >= 0 {
		err = copyFile(made, found[i], 0o600)
	} else if err = d.repack(ctx, made); err == nil && !d.isOf(ctx, made, version) {
		err = errors.New("what was made of what is installed is another version")
	}
	if err == nil {
		r.Sums[r.Slot], err = sumOf(made)
	}
	if err == nil {
		err = errors.Join(syncFile(made), keep.Machine{}.Rename(made, kept), keep.Machine{}.SyncDir(d.Dir))
	}
	if err != nil {
		return "", &install.Failure{Code: slot.CodeWayBack, Err: fmt.Errorf("there is no package of %s %s, which runs: %w", d.Package, version, err)}
	}
	return kept, nil
}

// isOf reports that a file is the package in a version.
func (d *Deb) isOf(ctx context.Context, path, version string) bool {
	v, err := d.said(ctx, "dpkg-deb", "--field", path, "Version")
	return err == nil && v == version
}

// Keep implements updater.Slots: the timer is taken away before anything else.
func (d *Deb) Keep(ctx context.Context) error {
	r, err := d.load()
	if err != nil || !r.Pending {
		return err
	}
	if err := d.disarm(ctx); err != nil {
		return err
	}
	r.Slot, r.Pending, r.Last.Outcome = r.Last.Slot, false, slot.TrialKept
	return d.save(r)
}

func (d *Deb) disarm(ctx context.Context) error {
	_, err := d.said(ctx, "systemctl", "stop", backUnit+".timer")
	return err
}

// Back implements updater.Slots.
func (d *Deb) Back(ctx context.Context, why, words string) error {
	r, err := d.load()
	if err != nil || !r.Pending {
		return err
	}
	way := d.path(r.Slot)
	if sum, err := sumOf(way); err != nil || sum != r.Sums[r.Slot] || !d.isOf(ctx, way, r.From) {
		return &install.Failure{Code: slot.CodeWayBack, Err: errors.Join(fmt.Errorf("the package of %s %s is not what was kept", d.Package, r.From), err)}
	}
	r.Last.Outcome, r.Last.Why, r.Last.Words = slot.TrialBack, slot.Code(why), words
	if err := d.save(r); err != nil {
		return err
	}
	_, err = d.said(ctx, "systemd-run", "--collect", "--unit="+tryUnit, "dpkg", "--install", way)
	return err
}
