//go:build guest

package inside

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// pronto is the number of its group in this guest.
const pronto = 77

// owned tells whose a device node is: its group and its rights.
func owned(t *testing.T, node string) (group uint32, mode uint32) {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Stat(node, &st))
	return st.Gid, st.Mode & 0o777
}

// hidNode is the node of a device with a serial number; empty: there is none yet.
func hidNode(t *testing.T, serial string) string {
	t.Helper()
	all, err := filepath.Glob("/sys/class/hidraw/*")
	must(t, err)
	for _, at := range all {
		if text, err := os.ReadFile(filepath.Join(at, "device/uevent")); err == nil && strings.Contains(string(text), "HID_UNIQ="+serial+"\n") {
			return "/dev/" + filepath.Base(at)
		}
	}
	return ""
}

// udev runs Debian's until the test ends. The socket that one before it has left answers nobody: devices that came
// before this one listens would be missed.
func udev(t *testing.T) {
	t.Helper()
	daemon(t, "/usr/lib/systemd/systemd-udevd")
	until(t, "udev answers", func() bool {
		return exec.Command("/usr/bin/udevadm", "control", "--ping", "--timeout=5").Run() == nil
	})
}

// Debian's udev reads the rules of the package. What any program could read from a keyboard stays root's.
func TestTheRulesOfThePackageGiveItsGroupLightsAndPinsAndNoOtherDevice(t *testing.T) {
	must(t, os.WriteFile("/etc/group", []byte("root:x:0:\npronto:x:77:\n"), 0o644))
	udev(t)
	newChip(t, "pi", "pinctrl-rp1")
	newHID(t, 0x04d8, 0xf372, "SNlight", false)
	newHID(t, 0x046d, 0xc31c, "SNkeys", false)
	until(t, "both devices", func() bool { return hidNode(t, "SNlight") != "" && hidNode(t, "SNkeys") != "" })
	if out, err := exec.Command("/usr/bin/udevadm", "settle", "--timeout=100").CombinedOutput(); err != nil {
		t.Fatalf("settle: %v\n%s", err, out)
	}
	chips, err := filepath.Glob("/dev/gpiochip*")
	must(t, err)
	for _, node := range append(chips, hidNode(t, "SNlight")) {
		if group, mode := owned(t, node); group != pronto || mode != 0o660 {
			t.Errorf("%s: group %d, rights %o", node, group, mode)
		}
	}
	if len(chips) == 0 {
		t.Error("there is no chip")
	}
	if group, mode := owned(t, hidNode(t, "SNkeys")); group == pronto || mode&0o077 != 0 {
		t.Errorf("the keyboard: group %d, rights %o", group, mode)
	}
}
