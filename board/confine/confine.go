package confine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// Cell is what one program may reach. Paths name whole trees; one that does not exist is passed over.
type Cell struct {
	Read    []string // may be read
	Write   []string // may be read, written, made and removed; devices in it may be told
	Program string   // the one file that may be executed
	Listens bool     // it may listen for TCP

	Files   uint64 // descriptors, at most
	Threads uint64 // of its user, at most
	// Victim is how much sooner than others it ends when memory is short (oom_score_adj, 0 to 1000).
	Victim int
}

// ErrNoLandlock is the answer of a kernel without Landlock, or with its first version, in which nothing can be
// moved from one directory to another.
var ErrNoLandlock = errors.New("this kernel has no Landlock that serves: programs are kept from each other's files by their users alone")

// Enter puts this process into the cell; nothing leads out. What the kernel cannot do is left out and named by
// the error, while the rest holds. The caller then executes c.Program.
func Enter(c Cell) error {
	return errors.Join(limits(c), c.paths(), filter(true))
}

// limits bounds what is counted.
func limits(c Cell) error {
	var errs []error
	for _, l := range []struct {
		what int
		most uint64
	}{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_NOFILE, c.Files},
		{unix.RLIMIT_NPROC, c.Threads},
	} {
		var had unix.Rlimit
		err := unix.Getrlimit(l.what, &had)
		if err == nil {
			most := min(l.most, had.Max) // only root has more than he had
			err = unix.Setrlimit(l.what, &unix.Rlimit{Cur: most, Max: most})
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("limit %d: %w", l.what, err))
		}
	}
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(c.Victim)), 0); err != nil {
		errs = append(errs, fmt.Errorf("choice of whom to end when memory is short: %w", err))
	}
	return errors.Join(errs...)
}

// The rights of Landlock, by what we call them. Nobody makes device nodes.
const (
	execute = landlock.AccessFSSet(ll.AccessFSExecute)
	ofFiles = landlock.AccessFSSet(ll.AccessFSReadFile | ll.AccessFSWriteFile | ll.AccessFSTruncate | ll.AccessFSIoctlDev)
	moving  = landlock.AccessFSSet(ll.AccessFSRefer) // from one directory to another, which nobody may unless it is named
	reading = landlock.AccessFSSet(ll.AccessFSReadFile | ll.AccessFSReadDir)
	writing = reading | ofFiles | ll.AccessFSRemoveDir | ll.AccessFSRemoveFile | ll.AccessFSMakeDir | ll.AccessFSMakeReg |
		ll.AccessFSMakeSock | ll.AccessFSMakeFifo | ll.AccessFSMakeSym | moving
)

// paths applies Landlock, as far as this kernel knows it.
func (c Cell) paths() error {
	if !hasLandlock() {
		return ErrNoLandlock
	}
	rules := []landlock.Rule{landlock.PathAccess(execute|ll.AccessFSReadFile, c.Program)}
	for _, list := range []struct {
		paths  []string
		rights landlock.AccessFSSet
	}{{c.Read, reading}, {c.Write, writing}} {
		for _, path := range list.paths {
			rule, err := tree(path, list.rights)
			if err != nil {
				return err
			}
			rules = append(rules, rule...)
		}
	}
	all := landlock.V6 // files, devices, listening, signals and abstract sockets; connections are left to the firewall
	all.HandledAccessNet = ll.AccessNetBindTCP
	if c.Listens {
		all.HandledAccessNet = 0
	}
	if err := all.BestEffort().Restrict(rules...); err != nil {
		return fmt.Errorf("paths: %w", err)
	}
	return nil
}

// tree is the rule of one path, none if there is no such file. A single file takes fewer rights than a directory.
func tree(path string, rights landlock.AccessFSSet) ([]landlock.Rule, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("paths: %w", err)
	}
	if !info.IsDir() {
		rights &= ofFiles
	}
	return []landlock.Rule{landlock.PathAccess(rights, path)}, nil
}

// firstABI is the first version of Landlock that lets a program move a file between directories (Linux 5.19).
const firstABI = 2

func hasLandlock() bool {
	v, err := ll.LandlockGetABIVersion()
	return err == nil && v >= firstABI
}

// Myself takes from the calling program, in all its threads, what none of ours needs wherever it runs: starting
// programs, and every system call that calls does not name. It is for the first lines of main, after the
// descriptors of a supervisor were taken. The error names what this kernel cannot do, while the rest holds.
func Myself() error {
	var errs []error
	if !hasLandlock() {
		errs = append(errs, ErrNoLandlock)
	} else if err := (landlock.Config{HandledAccessFS: execute | moving}).RestrictPaths(landlock.PathAccess(moving, "/")); err != nil {
		errs = append(errs, fmt.Errorf("paths: %w", err))
	}
	return errors.Join(append(errs, filter(false))...)
}
