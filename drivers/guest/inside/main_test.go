//go:build guest

package inside

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// TestMain is process 1 of the guest: it makes the system, runs the tests and switches the machine off.
func TestMain(m *testing.M) {
	if os.Getpid() != 1 {
		fmt.Println("these tests run in a guest: make test-guest")
		os.Exit(1)
	}
	if err := bringUp(); err != nil {
		fmt.Printf("the guest does not come up: %v\n", err)
	} else {
		m.Run()
		if err := goleak.Find(); err != nil {
			fmt.Printf("goroutines are left: %v\n", err)
		} else {
			fmt.Println("the guest has ended")
		}
	}
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART) // with -no-reboot this ends QEMU, where power-off needs ACPI
}

// bringUp mounts, opens the way out for results (the second serial port) and loads the modules.
func bringUp() error {
	for _, m := range []struct{ kind, at string }{
		{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/run"}, {"tmpfs", "/tmp"}, {"devpts", "/dev/pts"},
	} {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	out, err := unix.Open("/dev/ttyS1", unix.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return fmt.Errorf("open the way out: %w", err)
	}
	for _, fd := range []int{1, 2} {
		if err := unix.Dup3(out, fd, 0); err != nil {
			return err
		}
	}
	if err := loadModules(); err != nil {
		return err
	}
	return unix.Mount("configfs", "/sys/kernel/config", "configfs", 0, "")
}

func loadModules() error {
	order, err := os.ReadFile("/modules/order")
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(order)) {
		image, err := os.ReadFile(filepath.Join("/modules", name))
		if err != nil {
			return err
		}
		options := ""
		if name == "dummy_hcd" {
			options = "num=2" // two sockets
		}
		if err := unix.InitModule(image, options); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("load module %s: %w", name, err)
		}
	}
	return nil
}
