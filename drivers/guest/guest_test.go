//go:build guest

package guest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds one life of the guest. Without KVM it takes some three minutes on an idle machine.
const patience = 8 * time.Minute

// only chooses tests of the inside, for who works on one of them.
var only = flag.String("inside", "", "run only the tests of the inside that match")

// The modules and what they need in turn.
var modules = []string{"configfs", "libcomposite", "usb_f_serial", "dummy_hcd", "option", "gpio-sim", "hid-generic", "uhid"}

// The programs of the independent judge, and the files that they read.
var (
	programs = []string{"/usr/sbin/ModemManager", "/usr/bin/mmcli", "/usr/bin/dbus-daemon", "/usr/bin/udevadm", "/usr/lib/polkit-1/polkitd"}
	data     = []string{
		"/usr/lib/udev/rules.d", "/usr/lib/x86_64-linux-gnu/ModemManager", "/usr/share/dbus-1/system.d",
		"/usr/share/polkit-1", "/usr/lib/systemd/systemd-udevd", "/usr/share/ModemManager", "/usr/lib/locale/C.utf8",
	}
)

func TestOurDriversAndModemManagerOnModemsOfTheKernel(t *testing.T) {
	root := fetched(t)
	kernel, initramfs := assemble(t, root)
	results := boot(t, kernel, initramfs)
	report(t, results)
}

// fetched is the directory with the kernel and ModemManager of Debian.
func fetched(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("../../.ci/fetch-guest")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("fetch the guest: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// boot runs the guest to its end and returns what its tests wrote.
func boot(t *testing.T, kernel, initramfs string) io.Reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir := t.TempDir()
	console, results := filepath.Join(dir, "console"), filepath.Join(dir, "results")
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64",
		"-M", "q35", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", "512", "-nographic", "-no-reboot", "-nic", "none", "-monitor", "none",
		"-serial", "file:"+console, "-serial", "file:"+results,
		"-kernel", kernel, "-initrd", initramfs,
		"-append", "console=ttyS0 panic=-1 rdinit=/init -- -test.v=test2json -test.timeout=7m -test.run="+*only)
	cmd.Stdin, cmd.Stderr = nil, os.Stderr
	err := cmd.Run()
	said, _ := os.ReadFile(console)
	out, readErr := os.ReadFile(results)
	if err != nil || readErr != nil {
		t.Logf("the guest's console:\n%s", said)
		t.Fatalf("the guest: %v; its results: %v\n%s", err, readErr, out)
	}
	if !strings.Contains(string(out), ended) {
		t.Logf("the guest's console:\n%s", said)
		t.Fatalf("the tests of the guest did not come to their end:\n%s", out)
	}
	if strings.Contains(string(said), "BUG:") || strings.Contains(string(said), "Oops") {
		t.Errorf("the guest's kernel has failed:\n%s", said)
	}
	return strings.NewReader(string(out))
}

// ended is the last line of the guest.
const ended = "the guest has ended"

// event is one line of test2json.
type event struct{ Action, Test, Output string }

// report gives each test of the guest as a test of ours.
func report(t *testing.T, results io.Reader) {
	t.Helper()
	cmd := exec.Command("go", "tool", "test2json")
	cmd.Stdin = results
	lines, err := cmd.Output()
	if err != nil {
		t.Fatalf("test2json: %v", err)
	}
	said, outcome := map[string]*strings.Builder{}, map[string]string{}
	var order []string
	for dec := json.NewDecoder(bufio.NewReader(strings.NewReader(string(lines)))); ; {
		var e event
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(e.Test, "/")
		if said[name] == nil {
			said[name] = &strings.Builder{}
			order = append(order, name)
		}
		said[name].WriteString(e.Output)
		if e.Test == name && e.Action != "output" && e.Action != "run" {
			outcome[name] = e.Action
		}
	}
	ran := 0
	for _, name := range order {
		if name == "" {
			if outcome[name] != "pass" {
				t.Errorf("the guest as a whole: %q\n%s", outcome[name], said[name])
			}
			continue
		}
		ran++
		t.Run(strings.TrimPrefix(name, "Test"), func(t *testing.T) {
			if outcome[name] != "pass" {
				t.Errorf("in the guest: %q\n%s", outcome[name], said[name])
				return
			}
			t.Logf("in the guest:\n%s", said[name])
		})
	}
	if ran == 0 {
		t.Error("no test ran in the guest")
	}
}
