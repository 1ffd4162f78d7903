package confine

import (
	"fmt"
	"slices"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// calls are the system calls of our programs and of Go's runtime, by what they serve. Each architecture has
// some of them under one name only; a name that it does not know is passed over. What is missing here is
// refused with EPERM: a fault of this list is an error in the log, not the end of the exchange. On 386 all that concerns
// sockets is one call, socketcall, whose arguments no filter sees: there the conditions on sockets below do not hold.
var calls = [][]string{
	{ // files
		"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "lseek", "_llseek", "close", "close_range",
		"openat", "open", "newfstatat", "fstatat", "fstatat64", "fstat", "fstat64", "stat", "stat64", "lstat", "lstat64", "statx", "statfs", "statfs64",
		"fstatfs", "fstatfs64", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64", "getcwd", "chdir", "fchdir", "umask",
		"mkdirat", "mkdir", "unlinkat", "unlink", "rmdir", "renameat", "renameat2", "rename", "linkat", "symlinkat", "fchmod", "fchmodat", "fchmodat2", "utimensat", "utimensat_time64",
		"ftruncate", "ftruncate64", "truncate", "truncate64", "fallocate", "fadvise64", "fadvise64_64", "arm_fadvise64_64", "fsync", "fdatasync", "sync_file_range", "arm_sync_file_range",
		"copy_file_range", "sendfile", "sendfile64", "splice", "flock", "fcntl", "fcntl64", "dup", "dup2", "dup3", "pipe", "pipe2",
		"inotify_init1", "inotify_add_watch", "inotify_rm_watch",
	},
	{ // memory
		"mmap", "mmap2", "munmap", "mprotect", "mremap", "madvise", "mincore", "msync", "brk", "membarrier",
	},
	{ // threads, signals to ourselves, what a program may know of itself
		"exit", "exit_group", "futex", "futex_time64", "sched_yield", "sched_getaffinity", "set_tid_address", "set_robust_list", "rseq", "restart_syscall",
		"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "sigreturn", "sigaltstack", "tgkill", "tkill", // the latter where a C library is linked, to reach all threads
		"getpid", "gettid", "getppid", "getpgrp", "getpgid", "getuid", "geteuid", "getgid", "getegid", "getuid32", "geteuid32", "getgid32", "getegid32", "getgroups", "getgroups32",
		"prctl", "arch_prctl", "set_thread_area", "set_tls", "cacheflush", "prlimit64", "getrlimit", "ugetrlimit", "setrlimit", "getrusage", "times", "sysinfo", "uname", "getrandom", "capget",
	},
	{ // time
		"clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64", "gettimeofday", "time", "nanosleep", "clock_nanosleep", "clock_nanosleep_time64",
		"timer_create", "timer_settime", "timer_settime64", "timer_delete", "setitimer",
		"timerfd_create", "timerfd_settime", "timerfd_settime64", "timerfd_gettime", "timerfd_gettime64",
	},
	{ // networks
		"socketpair", "bind", "listen", "accept", "accept4", "connect", "getsockname", "getpeername", "getsockopt", "setsockopt", "shutdown", "socketcall",
		"send", "sendto", "sendmsg", "sendmmsg", "recv", "recvfrom", "recvmsg", "recvmmsg", "recvmmsg_time64",
		"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64", "eventfd2",
	},
	{ // more of this
		"seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
	},
}

// mptcp is IPPROTO_MPTCP (RFC 8684), whose sockets pass Landlock's rules about TCP by.
const mptcp = 262

// policy is the filter. Only a program that has still to become another one may call execve.
func policy(mayExec bool) (seccomp.Policy, error) {
	info, err := arch.GetInfo("")
	if err != nil {
		return seccomp.Policy{}, fmt.Errorf("system calls: %w", err)
	}
	allowed := seccomp.SyscallGroup{Action: seccomp.ActionAllow}
	for _, name := range slices.Concat(calls...) {
		if _, ok := info.SyscallNames[name]; ok {
			allowed.Names = append(allowed.Names, name)
		}
	}
	if mayExec {
		allowed.Names = append(allowed.Names, "execve")
	}
	when := func(name string, c ...seccomp.Condition) {
		if _, ok := info.SyscallNames[name]; ok {
			allowed.NamesWithCondtions = append(allowed.NamesWithCondtions, seccomp.NameWithConditions{Name: name, Conditions: c})
		}
	}
	// Threads, no processes.
	when("clone", seccomp.Condition{Argument: 0, Operation: seccomp.BitsSet, Value: unix.CLONE_THREAD})
	for _, family := range []uint64{unix.AF_UNIX, unix.AF_NETLINK} { // the latter asks for addresses and routes
		when("socket", seccomp.Condition{Argument: 0, Operation: seccomp.Equal, Value: family})
	}
	for _, family := range []uint64{unix.AF_INET, unix.AF_INET6} {
		when("socket", seccomp.Condition{Argument: 0, Operation: seccomp.Equal, Value: family},
			seccomp.Condition{Argument: 2, Operation: seccomp.NotEqual, Value: mptcp})
	}
	// Nobody types on the terminal of somebody else.
	when("ioctl", seccomp.Condition{Argument: 1, Operation: seccomp.NotEqual, Value: unix.TIOCSTI},
		seccomp.Condition{Argument: 1, Operation: seccomp.NotEqual, Value: tioclinux})
	// clone3 has its flags in memory, which no filter can read. Who is told that there is none takes clone.
	absent := seccomp.SyscallGroup{Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)}
	if _, ok := info.SyscallNames["clone3"]; ok {
		absent.Names = append(absent.Names, "clone3")
	}
	return seccomp.Policy{DefaultAction: seccomp.ActionErrno, Syscalls: []seccomp.SyscallGroup{allowed, absent}}, nil
}

// tioclinux is the selection of a virtual console (ioctl_console(2)).
const tioclinux = 0x541C

// filter loads it for all threads.
func filter(mayExec bool) error {
	p, err := policy(mayExec)
	if err != nil {
		return err
	}
	if err := seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: p}); err != nil {
		return fmt.Errorf("system calls: %w", err)
	}
	return nil
}
