package confine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// dirEnv is where the programs of this test may work.
const dirEnv = "CONFINE_TEST_DIR"

// play is what the test binary does in another process. What must be refused and is not is an error.
func play(role string) error {
	dir := os.Getenv(dirEnv)
	switch role {
	case "enter":
		self, err := os.Executable()
		if err != nil {
			return err
		}
		cell := Cell{
			Program: self, Read: []string{"/proc", filepath.Join(dir, "read"), filepath.Join(dir, "file"), "/no/such/place"}, Write: []string{filepath.Join(dir, "write")},
			Files: 64, Threads: 1000, Victim: 300,
		}
		// That a program can be executed there is shown by a whole office: this one may be linked to libraries.
		return errors.Join(Enter(cell), entered(dir))
	case "myself":
		if err := Myself(); err != nil {
			return err
		}
		return errors.Join(alone(), works(dir))
	default:
		return fmt.Errorf("no role %q", role)
	}
}

// refused is an error if an attempt was not refused.
func refused(what string, err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return nil
	}
	return fmt.Errorf("%s: %v, which is no refusal", what, err)
}

func open(flags int, elem ...string) error {
	f, err := os.OpenFile(filepath.Join(elem...), flags, 0o600)
	if err == nil {
		_ = f.Close()
	}
	return err
}

// refusedSocket is refused but on 386, where one system call does all that concerns sockets and no filter sees its
// arguments. No box is one.
func refusedSocket(what string, err error) error {
	if runtime.GOARCH == "386" {
		return nil
	}
	return refused(what, err)
}

// entered is what holds in a cell, whoever is in it: the test is root where it can be.
func entered(dir string) error {
	_, listening := net.Listen("tcp", "127.0.0.1:0")
	var files, core unix.Rlimit
	limits := errors.Join(unix.Getrlimit(unix.RLIMIT_NOFILE, &files), unix.Getrlimit(unix.RLIMIT_CORE, &core))
	if files.Max != 64 || core.Max != 0 {
		limits = fmt.Errorf("limits are %+v and %+v", files, core)
	}
	victim, err := os.ReadFile("/proc/self/oom_score_adj")
	if err == nil && strings.TrimSpace(string(victim)) != "300" {
		err = fmt.Errorf("victim %s", victim)
	}
	return errors.Join(
		limits, err,
		open(os.O_RDONLY, dir, "read", "there"), open(os.O_RDONLY, dir, "file"), works(filepath.Join(dir, "write")),
		refused("write what may be read", open(os.O_WRONLY, dir, "read", "there")),
		refused("make a file where one may read", open(os.O_WRONLY|os.O_CREATE, dir, "read", "new")),
		refused("read what is not named", open(os.O_RDONLY, dir, "other")),
		refused("read the system", open(os.O_RDONLY, "/etc/hosts")),
		refusedSocket("listen", listening),
		refused("become another program", unix.Exec("/bin/true", []string{"true"}, nil)),
		refused("become a program that one made", unix.Exec(filepath.Join(dir, "write", "true"), []string{"true"}, nil)),
		refused("mount", unix.Mount("tmpfs", dir, "tmpfs", 0, "")),
		// As the program itself would go on.
		Myself(), alone(),
	)
}

// alone is what nobody may who was told that he is himself and nothing else.
func alone() error {
	_, _, bpf := unix.Syscall(unix.SYS_BPF, 0, 0, 0)
	_, multipath := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, mptcp)
	_, packet := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	return errors.Join(
		refused("start a program", exec.Command("/proc/self/exe").Start()),
		refused("become itself", unix.Exec("/proc/self/exe", []string{"x"}, nil)),
		refused("trace", unix.PtraceAttach(os.Getppid())),
		refused("signal others", unix.Kill(os.Getppid(), 0)),
		refused("mount", unix.Mount("tmpfs", "/", "tmpfs", 0, "")),
		refused("have a namespace", unix.Unshare(unix.CLONE_NEWUSER)),
		refused("bpf", bpf),
		refusedSocket("a multipath socket", multipath),
		refusedSocket("a packet socket", packet),
		refused("type on a terminal", unix.IoctlSetInt(0, unix.TIOCSTI, 0)),
	)
}

// works is what all our programs do: threads, files, sockets, time.
func works(dir string) error {
	at := filepath.Join(dir, "own")
	err := errors.Join(os.WriteFile(at, []byte("x"), 0o600), os.Rename(at, at+".new"), os.Mkdir(at, 0o700), os.Rename(at+".new", filepath.Join(at, "moved")), os.RemoveAll(at))
	u, listening := net.ListenPacket("udp", "127.0.0.1:0")
	if listening == nil {
		_, sent := u.WriteTo([]byte("x"), u.LocalAddr())
		_, _, heard := u.ReadFrom(make([]byte, 1))
		err = errors.Join(err, sent, heard, u.Close())
	}
	done := make(chan error)
	for range 20 { // more threads than there were
		go func() { time.Sleep(time.Millisecond); done <- open(os.O_RDONLY, "/proc/self/status") }()
	}
	for range 20 {
		err = errors.Join(err, <-done)
	}
	return errors.Join(err, listening)
}

func another(t *testing.T, role string) {
	t.Helper()
	dir := t.TempDir()
	true1, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"read/there": []byte("x"), "file": []byte("x"), "other": []byte("x"), "write/true": true1} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700), os.WriteFile(filepath.Join(dir, name), text, 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+role, dirEnv+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestInItsCellAProgramReachesWhatIsNamedAndNothingElse(t *testing.T) { another(t, "enter") }

func TestAProgramThatIsItselfStartsNothingAndDoesItsWork(t *testing.T) { another(t, "myself") }

func arches() []*arch.Info { return []*arch.Info{arch.X86_64, arch.AARCH64, arch.ARM, arch.I386} }

func TestEverySystemCallExistsOnAMachineThatWeBuildForAndIsNamedOnce(t *testing.T) {
	all := slices.Concat(calls...)
	for i, name := range all {
		if !slices.ContainsFunc(arches(), func(a *arch.Info) bool { _, ok := a.SyscallNames[name]; return ok }) {
			t.Errorf("no machine has %s", name)
		}
		if slices.Contains(all[:i], name) {
			t.Errorf("%s is named twice", name)
		}
	}
}

// What leads out of a cell, or to more rights, is on no list, whatever else is added to it.
func TestNothingThatLeadsOutIsAllowed(t *testing.T) {
	for _, name := range []string{
		"execve", "execveat", "fork", "vfork", "clone", "clone3", "ptrace", "process_vm_readv", "process_vm_writev", "kill", "pidfd_send_signal", "pidfd_getfd",
		"mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "setns", "unshare", "bpf", "perf_event_open", "io_uring_setup", "userfaultfd",
		"init_module", "finit_module", "delete_module", "kexec_load", "reboot", "swapon", "settimeofday", "clock_settime", "adjtimex", "sethostname",
		"setuid", "setgid", "setgroups", "setresuid", "capset", "personality", "keyctl", "add_key", "mknod", "mknodat", "chown", "fchown", "fchownat", "open_by_handle_at", "socket",
		"memfd_create", "shmget", "quotactl", "acct", "iopl", "ioperm", "modify_ldt", "syslog", "process_madvise", "setxattr",
	} {
		if slices.Contains(slices.Concat(calls...), name) {
			t.Errorf("%s is allowed without a condition", name)
		}
	}
}

func TestTheUsualWayOfEachMachineIsOpen(t *testing.T) {
	for _, a := range arches() {
		missing := []string{}
		for _, either := range [][]string{
			{"newfstatat", "fstatat", "fstatat64"},
			{"mmap", "mmap2"},
			{"fcntl", "fcntl64"},
			{"epoll_pwait"},
			{"futex"},
			{"rt_sigreturn"},
			{"fstat", "fstat64"},
			{"ftruncate", "ftruncate64"},
			{"fadvise64", "fadvise64_64", "arm_fadvise64_64"},
			{"recvfrom"},
			{"sendto"},
			{"timerfd_settime"},
			{"getrandom"},
			{"landlock_restrict_self"},
		} {
			if !slices.ContainsFunc(either, func(name string) bool {
				_, ok := a.SyscallNames[name]
				return ok && slices.Contains(slices.Concat(calls...), name)
			}) {
				missing = append(missing, strings.Join(either, " or "))
			}
		}
		if len(missing) > 0 {
			t.Errorf("%s: no way to %v", a.Name, missing)
		}
	}
}
