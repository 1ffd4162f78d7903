// Command intruder takes the place of prontod: it tries what a program that somebody planted there would, says
// how each attempt ended, listens where nobody should hear it, and then says nothing any more.
//
// Each attempt is one line: "intruder: refused: WHAT: why", "intruder: DONE: WHAT" if it was not refused, and
// "intruder: may: WHAT" for what the exchange itself must be able to do.
package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"github.com/pronto-pbx/pronto/firmware/keeper"
	"golang.org/x/sys/unix"
)

func main() {
	k, err := keeper.New(keeper.FromEnv(os.Getenv))
	if err != nil {
		fmt.Println("intruder: no supervisor:", err)
		os.Exit(1)
	}
	const office = "/data/pronto"
	files("/data/ota/root.json", "/data/box.json", "/data/records")
	devices()
	processes()
	kernel()
	networks()
	programs(office)
	allowed(office)
	fmt.Println("intruder: that was all")
	if k.Ready() != nil {
		os.Exit(1)
	}
	for {
		time.Sleep(time.Hour) // select {} would be a deadlock that the runtime ends
	}
}

// tries says how an attempt ended that must be refused.
func tries(what string, err error) {
	if err == nil {
		fmt.Println("intruder: DONE:", what)
		return
	}
	fmt.Printf("intruder: refused: %s: %v\n", what, err)
}

func may(what string, err error) {
	if err != nil {
		fmt.Printf("intruder: MAY NOT: %s: %v\n", what, err)
		return
	}
	fmt.Println("intruder: may:", what)
}

// files of others.
func files(secrets ...string) {
	for _, path := range secrets {
		f, err := os.Open(path)
		if err == nil {
			_, err = f.Readdirnames(1)
			if err != nil {
				_, err = f.Read(make([]byte, 1))
			}
			_ = f.Close()
		}
		tries("read "+path, err)
	}
	for _, path := range []string{"/data/planted", "/etc/planted", "/run/planted", "/run/firewall", "/run/supervise/recordd.notify", "/usr/share/pronto/planted", "/media/stick/planted"} {
		_, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
		tries("write "+path, err)
	}
	_, err := os.OpenFile("/sys/fs/cgroup/prontod/memory.max", os.O_WRONLY, 0)
	tries("take a larger share", err)
	_, err = os.OpenFile("/sys/fs/cgroup/cgroup.procs", os.O_WRONLY, 0)
	tries("leave its control group", err)
	_, err = os.OpenFile("/proc/sys/kernel/core_pattern", os.O_WRONLY, 0)
	tries("set the kernel", err)
	_, err = os.ReadFile("/proc/1/environ")
	tries("look into the first program", err)
	all, err := filepath.Glob("/proc/[0-9]*")
	if err == nil && len(all) == 1 {
		err = unix.EPERM // it sees itself
	}
	tries("see the other programs", err)
}

// devices that are not the exchange's: the card, with its slots, first of all.
func devices() {
	for _, pattern := range []string{"/dev/vd*", "/dev/mmcblk*", "/dev/sd*", "/dev/ram0", "/dev/loop0", "/dev/mem", "/dev/kmsg", "/dev/watchdog*", "/dev/input/event*", "/dev/console", "/dev/ttyAMA0", "/dev/vcio"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			tries("find "+pattern, err)
		}
		for _, path := range found {
			_, err := os.OpenFile(path, os.O_WRONLY, 0)
			tries("write "+path, err)
			_, err = os.Open(path)
			tries("read "+path, err)
		}
	}
	tries("make a device", unix.Mknod("/dev/planted", unix.S_IFBLK|0o600, int(unix.Mkdev(254, 2))))
}

func processes() {
	tries("trace the first program", unix.PtraceAttach(1))
	tries("end the first program", unix.Kill(1, unix.SIGTERM))
	tries("end everything", unix.Kill(-1, unix.SIGKILL))
	_, err := unix.ProcessVMReadv(1, []unix.Iovec{}, []unix.RemoteIovec{}, 0)
	tries("read the memory of the first program", err)
	tries("become root", unix.Setresuid(0, 0, 0))
	tries("join a group", unix.Setgroups([]int{0}))
	tries("have a user namespace", unix.Unshare(unix.CLONE_NEWUSER))
	tries("give a file away", unix.Chown("/", 901, 901))
}

func kernel() {
	tries("mount", unix.Mount("tmpfs", "/run", "tmpfs", 0, ""))
	tries("remount the system", unix.Mount("", "/", "", unix.MS_REMOUNT, ""))
	tries("unmount", unix.Unmount("/proc", unix.MNT_DETACH))
	tries("change the root", unix.Chroot("/run"))
	tries("restart the box", unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF))
	tries("set the clock", unix.Settimeofday(&unix.Timeval{Sec: 1}))
	tries("rename the box", unix.Sethostname([]byte("planted")))
	tries("load a module", unix.InitModule([]byte{0}, ""))
	for name, number := range map[string]uintptr{
		"bpf": unix.SYS_BPF, "perf_event_open": unix.SYS_PERF_EVENT_OPEN, "io_uring_setup": unix.SYS_IO_URING_SETUP, "userfaultfd": unix.SYS_USERFAULTFD,
		"open_by_handle_at": unix.SYS_OPEN_BY_HANDLE_AT, "keyctl": unix.SYS_KEYCTL, "swapon": unix.SYS_SWAPON, "kexec_load": unix.SYS_KEXEC_LOAD,
		"pidfd_open": unix.SYS_PIDFD_OPEN, "setns": unix.SYS_SETNS, "process_madvise": unix.SYS_PROCESS_MADVISE, "quotactl": unix.SYS_QUOTACTL,
	} {
		_, _, errno := unix.Syscall6(number, 0, 0, 0, 0, 0, 0)
		var err error
		if errno != 0 {
			err = errno
		}
		if errno != unix.EPERM { // the filter knows no other answer
			err = nil
		}
		tries(name, err)
	}
}

func networks() {
	for name, socket := range map[string][3]int{
		"a raw socket":            {unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP},
		"a packet socket":         {unix.AF_PACKET, unix.SOCK_RAW, 0},
		"a socket of Bluetooth":   {unix.AF_BLUETOOTH, unix.SOCK_STREAM, 3},
		"a socket of the cryptos": {unix.AF_ALG, unix.SOCK_SEQPACKET, 0},
		"a multipath socket":      {unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP},
	} {
		_, err := unix.Socket(socket[0], socket[1], socket[2])
		tries(name, err)
	}
	_, err := net.Listen("tcp", ":22")
	tries("listen at port 22", err)
	_, err = net.ListenPacket("udp", ":67")
	tries("listen at port 67", err)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err == nil {
		ifr, _ := unix.NewIfreq("lo")
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(ifr)))
		if err = nil; errno != 0 {
			err = errno
		}
	}
	tries("take an interface down", err)
}

// programs that it might become or start. The ones of the box are there, a shell is not.
func programs(office string) {
	planted := filepath.Join(office, "planted")
	self, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(planted, self, 0o700)
	}
	may("write into the office", err)
	for _, path := range []string{"/bin/sh", "/bin/recordd", "/bin/prontoinit", planted} {
		tries("become "+path, unix.Exec(path, []string{path}, nil))
	}
	_ = os.Remove(planted)
	tries("start a program", exec.Command("/proc/self/exe").Start())
}

// allowed is what the exchange lives by.
func allowed(office string) {
	l, err := net.Listen("tcp", ":9999")
	may("listen", err)
	if err == nil {
		go func() {
			for {
				if c, err := l.Accept(); err == nil {
					_ = c.Close()
				}
			}
		}()
	}
	u, err := net.ListenPacket("udp", ":9998")
	may("listen for datagrams", err)
	if err == nil {
		go func() {
			for b := make([]byte, 100); ; {
				if n, from, err := u.ReadFrom(b); err == nil {
					_, _ = u.WriteTo(b[:n], from)
				}
			}
		}()
	}
	_, err = os.ReadFile("/proc/sys/kernel/random/boot_id")
	may("know the start of the kernel", err)
	_, err = net.Interfaces()
	may("know the interfaces", err)
	at := filepath.Join(office, "file")
	may("keep a file", os.WriteFile(at, []byte("x"), 0o600))
	may("rename it", os.Rename(at, at+".new"))
	may("remove it", os.Remove(at+".new"))
	for _, pattern := range []string{"/dev/ttyUSB*", "/dev/gpiochip*"} {
		found, _ := filepath.Glob(pattern)
		for _, path := range found {
			f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
			if err == nil && strings.HasPrefix(path, "/dev/tty") {
				_, err = unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
			}
			may("use "+path, err)
		}
	}
	for _, pattern := range []string{"/sys/bus/usb/devices/*/power/control", "/sys/bus/usb/drivers/usb/bind"} {
		found, _ := filepath.Glob(pattern)
		for _, path := range found {
			_, err := os.OpenFile(path, os.O_WRONLY, 0)
			may("switch "+path, err)
		}
	}
}
