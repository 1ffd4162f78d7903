// Command cell has the name of a service and starts the real one, which lies in the directory "real" beside
// it, as the first program of a box does: as its own user, in its cell, without a privilege. It must be root.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
		Records: filepath.Join(dir, "records"), Socket: filepath.Join(dir, "run"), Temp: os.TempDir(),
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
	args := slices.Clone(os.Args)
	if name == "recordd" {
		args = args[:slices.Index(args, "-var")] // it makes no backups here, for which it would have to read the office
	}
	if err := errors.Join(unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0), confine.Enter(a.Cell)); err != nil {
		return err
	}
	return unix.Exec(a.Cell.Program, args, os.Environ())
}

// leave gives up being root, but for the socket of the supervisor, which becomes the program's.
func leave(a account.Account) error {
	return errors.Join(
		os.Chown(os.Getenv("NOTIFY_SOCKET"), int(a.UID), int(a.GID)),
		syscall.Setgroups(groups(a)), syscall.Setgid(int(a.GID)), syscall.Setuid(int(a.UID)),
	)
}

func groups(a account.Account) (all []int) {
	for _, g := range a.Groups {
		all = append(all, int(g))
	}
	return all
}

// own gives the state of an office to its programs, as it lies on a box; only the two sockets share a directory.
func own(dir string) error {
	for _, d := range []string{"history", "records", "run"} {
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
		case name == "records" || name == "office.log" || name == "office.pid" || name == "run/records.sock":
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		group := account.Exchange
		if name == "history" || name == "run" {
			group = account.HistoryGroup
		}
		if filepath.Dir(name) == "history" {
			return nil // what is in it has its group from it
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
		os.Chmod(filepath.Join(dir, "history"), fs.ModeSetgid|0o750), os.Chmod(filepath.Join(dir, "run"), fs.ModeSetgid|0o770),
		os.Chown(filepath.Join(dir, "records"), account.Records, account.Records),
	)
}
