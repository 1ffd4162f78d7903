// Command cell has the name of a service and starts the real one, which lies in the directory "real" beside
// it, as the first program of a box does: as its own user, in its cell, without a privilege. It must be root.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	"github.com/pronto-pbx/pronto/board/account"
	"github.com/pronto-pbx/pronto/board/confine"
	"golang.org/x/sys/unix"
)

func main() {
	fmt.Fprintln(os.Stderr, "cell:", run())
	os.Exit(1)
}

func run() error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	name, dir := filepath.Base(os.Args[0]), os.Args[slices.Index(os.Args, "-var")+1]
	a, ok := account.Of(name, account.Paths{
		Programs: filepath.Join(filepath.Dir(path), "real"), Office: dir, History: filepath.Join(dir, "history"),
		Records: filepath.Join(dir, "records"), Backup: filepath.Join(dir, "backup"), Sticks: filepath.Join(dir, "stick"), Socket: filepath.Join(dir, "run"), Temp: os.TempDir(),
	})
	if !ok {
		return fmt.Errorf("no service is called %q", name)
	}
	if os.Getuid() == 0 {
		if err := errors.Join(own(dir), leave(a)); err != nil {
			return err
		}
		return unix.Exec(path, os.Args, os.Environ()) // as who it is now: what lies in /proc of it is its own again
	}
	if err := errors.Join(unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0), confine.Enter(a.Cell)); err != nil {
		return err
	}
	return unix.Exec(a.Cell.Program, os.Args, os.Environ())
}

// leave gives up being root, but for the socket of the supervisor, which becomes the program's.
func leave(a account.Account) error {
	runtime.LockOSThread() // which keeps the capabilities, and becomes the program
	err := errors.Join(
		os.Chown(os.Getenv("NOTIFY_SOCKET"), int(a.UID), int(a.GID)),
		unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0),
		syscall.Setgroups(groups(a)), syscall.Setgid(int(a.GID)), syscall.Setuid(int(a.UID)),
	)
	var caps uint32
	for _, c := range a.Capabilities {
		caps |= 1 << c
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Effective: caps, Permitted: caps, Inheritable: caps}}
	err = errors.Join(err, unix.Capset(&header, &data[0]))
	for _, c := range a.Capabilities {
		err = errors.Join(err, unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, c, 0, 0))
	}
	return err
}

func groups(a account.Account) (all []int) {
	for _, g := range a.Groups {
		all = append(all, int(g))
	}
	return all
}

// shared gives what root left in a directory of two programs to both. The rest has its group from the directory.
func shared(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if st, ok := info.Sys().(*syscall.Stat_t); err != nil || !ok || st.Uid != 0 {
		return err
	}
	return errors.Join(os.Lchown(path, account.Exchange, account.HistoryGroup), os.Chmod(path, 0o640))
}

// own gives the state of an office to its programs, as it lies on a box; only the two sockets share a directory.
func own(dir string) error {
	for _, d := range []string{"history", "backup", "records", "run", "stick"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return err
		}
	}
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(dir, path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil || relErr != nil:
			return errors.Join(err, relErr)
		case name == "records" || name == "office.log" || name == "run/office.pid" || name == "run/office.pid.new" || name == "run/records.sock":
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		group := account.Exchange
		if name == "history" || name == "backup" || name == "run" || name == "stick" {
			group = account.HistoryGroup
		}
		if slices.Contains([]string{"history", "backup", "stick"}, filepath.Dir(name)) {
			return shared(path)
		}
		if err := os.Lchown(path, account.Exchange, group); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}); err != nil {
		return err
	}
	return errors.Join(
		os.Chmod(dir, 0o711),
		os.Chmod(filepath.Join(dir, "history"), fs.ModeSetgid|0o750), os.Chmod(filepath.Join(dir, "backup"), fs.ModeSetgid|0o770), os.Chmod(filepath.Join(dir, "stick"), fs.ModeSetgid|0o770), os.Chmod(filepath.Join(dir, "run"), fs.ModeSetgid|0o770),
		os.Chown(filepath.Join(dir, "records"), account.Records, account.Records),
	)
}
