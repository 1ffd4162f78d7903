// Package cgroup bounds what memory and how many processes each program of a box may have, with the kernel's control
// groups (cgroup v2, Documentation/admin-guide/cgroup-v2.rst): a program that takes too much ends itself, and no other.
package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// At is where the tree is mounted.
const At = "/sys/fs/cgroup"

// Controllers are what is counted and bounded.
const (
	memory = "memory"
	pids   = "pids"
)

// Errors of a kernel that cannot bound programs. They go on without.
var (
	ErrNone = errors.New("this kernel has no control groups (CONFIG_CGROUPS): a program that takes all the memory takes it from the others")
	// ErrMemory is also that of a board whose device tree says cgroup_disable=memory, as those of a Raspberry Pi do,
	// where nobody says cgroup_enable=memory after it.
	ErrMemory = errors.New("this kernel does not count memory (CONFIG_MEMCG, or cgroup_disable=memory): a program that takes all of it takes it from the others")
	ErrPids   = errors.New("this kernel does not count processes (CONFIG_CGROUP_PIDS)")
)

// Limit is how much a program may have, with all that it starts.
type Limit struct {
	Memory    uint64 // bytes, with the files of it that lie in memory
	Processes uint64 // threads too
}

// Tree is the kernel's tree of control groups.
type Tree struct {
	at  string
	has []string // controllers
}

// Mount makes the tree visible and has it count. The error names what this kernel cannot do, and the tree, unless
// that is nil, does the rest.
func Mount(at string) (*Tree, error) {
	err := unix.Mount("cgroup2", at, "cgroup2", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	if errors.Is(err, unix.ENODEV) || errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	} else if err != nil && !errors.Is(err, unix.EBUSY) {
		return nil, fmt.Errorf("control groups: %w", err)
	}
	return open(at)
}

// open has a tree count what its kernel can.
func open(at string) (*Tree, error) {
	text, err := os.ReadFile(filepath.Join(at, "cgroup.controllers"))
	if err != nil {
		return nil, fmt.Errorf("control groups: %w", err)
	}
	t := &Tree{at: at}
	known := strings.Fields(string(text))
	var errs []error
	for _, c := range []struct {
		name    string
		missing error
	}{{memory, ErrMemory}, {pids, ErrPids}} {
		if !slices.Contains(known, c.name) {
			errs = append(errs, c.missing)
		} else if err := t.write("cgroup.subtree_control", "+"+c.name); err != nil {
			errs = append(errs, err)
		} else {
			t.has = append(t.has, c.name)
		}
	}
	return t, errors.Join(errs...)
}

func (t *Tree) write(name, value string) error {
	f, err := os.OpenFile(filepath.Join(t.at, name), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(value)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("control groups: %s to %s: %w", value, name, err)
	}
	return nil
}

// Group is where a program begins.
type Group struct {
	Name  string
	Limit Limit // that holds: 0 for what this kernel does not count
	// Dir is its directory, for who starts the program (clone3(2), CLONE_INTO_CGROUP).
	Dir *os.File

	ended uint64 // as far as was told
}

// Make makes a group, or takes one that is there, and bounds it. The caller closes it.
func (t *Tree) Make(name string, l Limit) (*Group, error) {
	at := filepath.Join(t.at, name)
	if err := os.Mkdir(at, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("control groups: %w", err)
	}
	g := &Group{Name: name}
	if slices.Contains(t.has, memory) {
		g.Limit.Memory = l.Memory
		if err := t.write(filepath.Join(name, "memory.max"), strconv.FormatUint(l.Memory, 10)); err != nil {
			return nil, err
		}
	}
	if slices.Contains(t.has, pids) {
		g.Limit.Processes = l.Processes
		if err := t.write(filepath.Join(name, "pids.max"), strconv.FormatUint(l.Processes, 10)); err != nil {
			return nil, err
		}
	}
	var err error
	if g.Dir, err = os.Open(at); err != nil {
		return nil, fmt.Errorf("control groups: %w", err)
	}
	return g, nil
}

// Ended tells how many processes of the group the kernel has ended since the last question, because the group had all
// the memory that it may have. One goroutine asks.
func (g *Group) Ended() (n uint64, err error) {
	if g.Limit.Memory == 0 {
		return 0, nil
	}
	text, err := os.ReadFile(filepath.Join(g.Dir.Name(), "memory.events"))
	if err != nil {
		return 0, fmt.Errorf("control groups: %w", err)
	}
	now, err := counter(text, "oom_kill")
	if err != nil || now < g.ended {
		return 0, err
	}
	n, g.ended = now-g.ended, now
	return n, nil
}

// counter finds a number in a file of names and numbers, a line each.
func counter(text []byte, name string) (n uint64, err error) {
	for line := range bytes.Lines(text) {
		if f := bytes.Fields(line); len(f) == 2 && string(f[0]) == name {
			return strconv.ParseUint(string(f[1]), 10, 64)
		}
	}
	return 0, fmt.Errorf("control groups: no %s is counted", name)
}

// Close gives the directory back. The group and its bounds stay for as long as the kernel runs.
func (g *Group) Close() error { return g.Dir.Close() }
