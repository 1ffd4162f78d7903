package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/pronto-pbx/pronto/board/account"
)

// Where the programs of a box meet, in memory. Each directory belongs to the one that writes there.
const (
	meetDir    = "/run/exchange" // prontod's
	recordsHot = "/run/records"  // recordd's
	askedFile  = meetDir + "/openings"
	openedFile = "/run/firewall" // ours: the answer
	fitDir     = "/run/fit"      // prontod's, for otad
	fitSocket  = fitDir + "/fit.sock"
	slotsDir   = "/run/otad" // otad's, with the devices that it is lent
	// installedFile is what otad has put into the slots.
	installedFile = updateDir + "/slots.json"
)

// paths tells the table of accounts where things lie on a box.
func paths() account.Paths {
	return account.Paths{
		Programs: "/bin", Share: shareDir, Office: officeDir, History: historyDir, Backup: backupDir, Sticks: filepath.Dir(stickDir), Records: recordsDir,
		Socket: recordsHot, Meet: meetDir, Update: updateDir, Fit: fitDir, Slots: slotsDir, Temp: tmpDir,
	}
}

// place is a directory that must be somebody's.
type place struct {
	path       string
	uid, gid   int
	mode       fs.FileMode
	everything bool // what is in it too
}

// places lie on the card or in memory; those in memory are made at each start.
func places() []place {
	return []place{
		{historyDir, account.Exchange, account.HistoryGroup, fs.ModeSetgid | 0o750, true}, // before what they lie in, which lets fewer read
		{backupDir, account.Exchange, account.HistoryGroup, fs.ModeSetgid | 0o770, true},
		// The group passes through to these two and sees nothing else.
		{officeDir, account.Exchange, account.HistoryGroup, 0o710, true},
		{hotDir, account.Exchange, account.Exchange, 0o700, false},
		{recordsDir, account.Records, account.Records, 0o700, true},
		{meetDir, account.Exchange, account.Exchange, 0o700, false},
		{recordsHot, account.Records, account.HistoryGroup, fs.ModeSetgid | 0o750, false},
		{updateDir, account.Updates, account.Updates, 0o700, true},
		{fitDir, account.Exchange, account.Updates, fs.ModeSetgid | 0o750, false},
		{slotsDir, account.Updates, account.Exchange, fs.ModeSetgid | 0o750, false}, // the page asks there
	}
}

// settleOwners gives the directories to their programs. A fault is told and leaves the rest to be done: a box
// that cannot open one file is better than none.
func settleOwners(log *slog.Logger, all []place) {
	for _, p := range all {
		if err := p.settle(); err != nil {
			log.Error("a directory is not its program's", "at", p.path, "err", err)
		}
	}
}

// settle makes the directory and gives it away. What lies in it is looked at when it comes from somebody else:
// from an image that was prepared, a program that ran as root, a restored backup.
func (p place) settle() error {
	if err := directory(p.path); err != nil {
		return err
	}
	var errs []error
	if p.everything {
		entries, err := os.ReadDir(p.path)
		errs = append(errs, err)
		for _, e := range entries {
			at := filepath.Join(p.path, e.Name())
			if uid, err := owner(at); err == nil && uid != p.uid {
				errs = append(errs, p.give(at))
			}
		}
	}
	// The directory last: it tells that the rest is done.
	return errors.Join(append(errs, os.Lchown(p.path, p.uid, p.gid), os.Chmod(p.path, p.mode))...)
}

// directory makes one where something else lies too, such as a link that leads elsewhere: who had a service in
// his hands must not have the first program follow it at the next start.
func directory(path string) error {
	if info, err := os.Lstat(path); err == nil && !info.IsDir() {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func owner(path string) (uid int, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, fmt.Errorf("%s: no owner is known", path)
	}
	return int(st.Uid), nil
}

// give hands over a file, or a directory with all that it holds, and follows no link. What the group of a
// setgid directory may read it may read of what is already there, too.
func (p place) give(at string) error {
	return filepath.WalkDir(at, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := os.Lchown(path, p.uid, p.gid); err != nil {
			return err
		}
		if p.mode&fs.ModeSetgid != 0 && d.Type().IsRegular() {
			return os.Chmod(path, 0o640)
		}
		return nil
	})
}
