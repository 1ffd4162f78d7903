// Command freezer takes the place of the first program: it leaves behind a process that will stop that, as a
// fault of the kernel would, and becomes it. No service of the box can do so.
package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if os.Getpid() == 1 {
		if _, err := os.StartProcess("/init", []string{"freezer"}, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}}); err != nil {
			fmt.Println("freezer:", err)
		}
		fmt.Println("freezer:", unix.Exec("/bin/prontoinit", []string{"prontoinit"}, os.Environ()))
		os.Exit(1)
	}
	for { // until the box has a firewall, and so what it needs to be fed
		if _, err := os.Stat("/run/firewall"); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(6 * time.Second) // it has been fed for a while
	for _, do := range []func() error{
		func() error {
			if err := unix.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, ""); !errors.Is(err, unix.EBUSY) { // the shares of services
				return err
			}
			return nil
		},
		func() error { return os.Mkdir("/sys/fs/cgroup/cold", 0o700) },
		func() error { return os.WriteFile("/sys/fs/cgroup/cold/cgroup.procs", []byte("1"), 0) },
		func() error { return os.WriteFile("/sys/fs/cgroup/cold/cgroup.freeze", []byte("1"), 0) },
	} {
		if err := do(); err != nil {
			fmt.Println("freezer:", err)
			os.Exit(1)
		}
	}
	f, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if err == nil {
		_, _ = f.WriteString("<2>freezer: the first program stands still\n")
	}
	for {
		time.Sleep(time.Hour) // select {} would be a deadlock that the runtime ends
	}
}
