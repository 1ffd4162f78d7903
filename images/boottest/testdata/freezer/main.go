// Command freezer takes the place of prontod: it stops the first program of the box, as a fault of the
// kernel would.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/pronto-pbx/pronto/firmware/keeper"
	"golang.org/x/sys/unix"
)

func main() {
	k, err := keeper.New(keeper.FromEnv(os.Getenv))
	if err != nil || k.Ready() != nil {
		os.Exit(1)
	}
	time.Sleep(6 * time.Second) // the box has been fed for a while; after 10 s without a sign of life this would be killed
	for _, do := range []func() error{
		func() error { return unix.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, "") },
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
