package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"github.com/pronto-pbx/pronto/board/driver"
	"github.com/pronto-pbx/pronto/board/firewall/opening"
	"github.com/pronto-pbx/pronto/firmware/backup"
	"golang.org/x/sys/unix"
)

// Where things lie on a box.
const (
	dataDir    = "/data"
	officeDir  = dataDir + "/pronto"
	hotDir     = officeDir + "/run" // in memory: what survives a crash, and not a power cut
	historyDir = officeDir + "/history"
	backupDir  = officeDir + "/backup"
	recordsDir = dataDir + "/records" // not in a directory of the exchange's: it has no say there
	updateDir  = dataDir + "/update"
	tmpDir     = "/run/tmp"
	shareDir   = "/usr/share/pronto"
	stickDir   = backup.StickDir
)

const bare = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

var mounts = []struct {
	kind, at string
	flags    uintptr
	options  string
}{
	{"proc", "/proc", bare, "hidepid=invisible"}, // services see themselves
	{"sysfs", "/sys", bare, ""},
	{"devtmpfs", "/dev", unix.MS_NOSUID | unix.MS_NOEXEC, "mode=0755"},
	{"tmpfs", "/run", bare, "mode=0755,size=64m"},
}

// mountAll mounts what the kernel shows and what lies in memory, and makes the rest of the system unchangeable.
func mountAll() error {
	for _, m := range mounts {
		if err := unix.Mount(m.kind, m.at, m.kind, m.flags, m.options); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	if err := errors.Join(os.Mkdir(tmpDir, 0o700), os.Chmod(tmpDir, 0o777|fs.ModeSticky)); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("make the system unchangeable: %w", err)
	}
	return nil
}

// loadDrivers has the kernel take what it has not built in, before the card is looked for.
func loadDrivers(log *slog.Logger) {
	n, err := driver.Load(driver.Dir)
	if err != nil {
		log.Error("drivers that the kernel does not take", "err", err)
	}
	if n > 0 {
		log.Info("drivers", "loaded", n)
	}
}

// settings of the kernel, in /proc/sys.
var settings = []struct{ name, value string }{
	{"kernel/modules_disabled", "1"}, // what a box needs is loaded
	{"kernel/kptr_restrict", "2"},
	{"kernel/dmesg_restrict", "1"},
	{"kernel/unprivileged_bpf_disabled", "1"},
	{"kernel/sysrq", "0"},
	{"kernel/core_pattern", "|/bin/false"}, // no picture of a program's memory, with its secrets, on the card
	{"kernel/perf_event_paranoid", "3"},
	{"kernel/io_uring_disabled", "2"},
	{"kernel/yama/ptrace_scope", "2"},
	{"user/max_user_namespaces", "0"},
	{"vm/unprivileged_userfaultfd", "0"},
	{"dev/tty/ldisc_autoload", "0"},
	{"fs/protected_symlinks", "1"},
	{"fs/protected_hardlinks", "1"},
	{"fs/protected_fifos", "2"},
	{"fs/protected_regular", "2"},
	{"net/ipv4/ip_unprivileged_port_start", strconv.Itoa(opening.Lowest)}, // no service has a capability
	{"net/ipv4/conf/all/accept_redirects", "0"},
	{"net/ipv6/conf/all/accept_redirects", "0"},
	{"net/ipv4/conf/all/send_redirects", "0"},
	{"net/ipv4/icmp_echo_ignore_broadcasts", "1"},
}

// settle writes the settings; one that this kernel has not is passed over.
func settle(log *slog.Logger) {
	for _, s := range settings {
		err := os.WriteFile(filepath.Join("/proc/sys", s.name), []byte(s.value), 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			log.Warn("kernel not set", "setting", s.name, "err", err)
		}
	}
}
