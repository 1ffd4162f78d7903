package main

import (
	"path/filepath"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/board/account"
	"github.com/pronto-pbx/pronto/board/disk"
	"github.com/pronto-pbx/pronto/board/gate"
	"github.com/pronto-pbx/pronto/firmware/appliance/supervise"
)

// exchange is the service without which a box is none; recorder keeps the records, updater brings new systems.
const (
	exchange = "prontod"
	recorder = "recordd"
	updater  = "otad"
)

// resetWish is the file by which the page asks for a factory reset. It lies in memory: a wish that nobody has
// obeyed does not outlive the box's being switched off.
const resetWish = hotDir + "/factory-reset"

// services are the programs of a release that this one keeps running. prontod comes after recordd, which it asks; the updater last. It
// is the one without which a box is as good as ever: however often it ends, only it is started again.
func services(version string) []supervise.Service {
	config := filepath.Join(officeDir, "pronto.yaml")
	records := filepath.Join(recordsHot, "records.sock")
	return []supervise.Service{
		confined(supervise.Service{
			Name: recorder, Notify: true,
			Args: []string{"-dir", recordsDir, "-socket", records, "-journal", historyDir, "-var", officeDir},
		}),
		confined(supervise.Service{
			Name: exchange, Notify: true, KeepFDs: 4096, Watchdog: 10 * time.Second,
			// The box is switched on when its kernel starts.
			Args: []string{
				"-config", config, "-var", officeDir, "-board", "linux", "-records", records, "-powered", "0s",
				"-openings", askedFile, "-opened", openedFile, "-gate", gate.Path, "-release", version, "-fit", fitSocket, "-updates", filepath.Join(slotsDir, "otad.sock"), "-reset", resetWish, "-licences", filepath.Join(shareDir, "licences.txt"),
			},
			After: []string{"-dark", "-config", config, "-var", officeDir},
		}),
		confined(supervise.Service{
			Name: updater, Notify: true,
			Args: []string{"-gate", gate.Path, "-var", updateDir, "-run", slotsDir, "-share", shareDir, "-fit", fitSocket, "-sticks", filepath.Dir(stickDir)},
		}),
	}
}

// reinstallArgument has this program be the updater in the recovery system, where it is in no file of its own.
const reinstallArgument = "reinstall"

// reinstaller is the updater in the recovery system, for one try.
func reinstaller(from, box string) supervise.Service {
	return supervise.Service{Name: updater, Args: []string{
		reinstallArgument, "-var", rescueDir, "-scratch", filepath.Join(rescueDir, "scratch"), "-share", shareDir,
		"-from", from, "-slot", filepath.Join(slotsDir, disk.IdleNode), "-box", box,
	}}
}

// confined has a service begin as this program, which puts it into its cell.
func confined(s supervise.Service) supervise.Service {
	if a, ok := account.Of(s.Name, paths()); ok { // one that is in no table does not start: see become
		s.User = &supervise.User{UID: a.UID, GID: a.GID, Groups: a.Groups, Capabilities: a.Capabilities}
	}
	cell := []string{"service", s.Name}
	s.Path, s.Args = "/bin/prontoinit", slices.Concat(cell, s.Args)
	if len(s.After) > 0 {
		s.After = slices.Concat(cell, s.After)
	}
	s.Env = []string{"PATH=/bin", "HOME=" + tmpDir, "TMPDIR=" + tmpDir}
	return s
}
