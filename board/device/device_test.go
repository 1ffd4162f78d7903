package device

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestWhatTheKernelTellsIsRead(t *testing.T) {
	for _, tc := range []struct {
		name, message string
		want          Event
		ok            bool
	}{
		{"a modem", "add@/devices/pci0000:00/usb1/1-1/1-1:1.0/ttyUSB0/tty/ttyUSB0\x00ACTION=add\x00DEVPATH=/devices/x\x00SUBSYSTEM=tty\x00MAJOR=188\x00DEVNAME=ttyUSB0\x00SEQNUM=7\x00", Event{"add", "tty", "ttyUSB0"}, true},
		{"a device without a node", "bind@/devices/x\x00ACTION=bind\x00SUBSYSTEM=usb\x00", Event{"bind", "usb", ""}, true},
		{"one that udev repeats", "libudev\x00\xfe\xed\xca\xfe", Event{}, false},
		{"no action", "add@/devices/x\x00SUBSYSTEM=tty\x00", Event{"", "tty", ""}, false},
		{"nothing", "", Event{}, false},
	} {
		if got, ok := Parse([]byte(tc.message)); ok != tc.ok || ok && got != tc.want {
			t.Errorf("%s: %+v, %v", tc.name, got, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("add@/devices/x\x00ACTION=add\x00SUBSYSTEM=tty\x00DEVNAME=ttyUSB0\x00"))
	f.Add([]byte("@/\x00=\x00DEVNAME=../../etc/passwd\x00ACTION=add\x00SUBSYSTEM=gpio"))
	f.Fuzz(func(t *testing.T, message []byte) {
		e, ok := Parse(message)
		if !ok {
			return
		}
		// Whatever it says, no file but a device of ours directly below the directory is touched.
		dir := t.TempDir()
		outside := filepath.Join(dir, "ttyUSB0")
		if err := os.WriteFile(outside, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		c := Config{Dev: filepath.Join(dir, "dev"), Sys: filepath.Join(dir, "sys"), UID: os.Getuid(), GID: os.Getgid()}
		if err := os.Mkdir(c.Dev, 0o700); err != nil {
			t.Fatal(err)
		}
		_ = c.hear(e)
		if info, err := os.Stat(outside); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%+v reaches a file elsewhere", e)
		}
	})
}

// machine is a /sys and a /dev made of plain files.
func machine(t *testing.T) (c Config, put func(elem ...string) string) {
	t.Helper()
	dir := t.TempDir()
	c = Config{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Sys: filepath.Join(dir, "sys"), Dev: filepath.Join(dir, "dev"), UID: 901, GID: 911}
	if os.Getuid() != 0 { // without root there is no other user to give to: the modes are judged
		c.UID, c.GID = os.Getuid(), os.Getgid()
	}
	return c, func(elem ...string) string {
		at := filepath.Join(append([]string{dir}, elem...)...)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return at
	}
}

func owners(t *testing.T, path string) (uid, gid int, mode os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return int(st.Uid), int(st.Gid), info.Mode().Perm()
}

func TestModemsAndLampsBecomeTheGroupsAndTheRestStaysRoots(t *testing.T) {
	c, put := machine(t)
	var ours, others []string
	for _, name := range []string{"ttyUSB0", "ttyUSB11", "ttyACM0", "gpiochip0", "spidev0.1", "hidraw3"} {
		ours = append(ours, put("dev", name))
	}
	for _, name := range []string{"mmcblk0p2", "watchdog", "ttyAMA0", "console", "kmsg", "vcio"} {
		others = append(others, put("dev", name))
	}
	control, disable := put("sys/bus/usb/devices/1-1/power/control"), put("sys/bus/usb/devices/1-0:1.0/usb1-port1/disable")
	bind, other := put("sys/bus/usb/drivers/usb/bind"), put("sys/bus/usb/drivers/option/bind")
	if err := Grant(c); err != nil {
		t.Fatal(err)
	}
	for _, path := range ours {
		if _, gid, mode := owners(t, path); gid != c.GID || mode != 0o660 {
			t.Errorf("%s: group %d, mode %v", path, gid, mode)
		}
	}
	for _, path := range others {
		if _, gid, mode := owners(t, path); gid != os.Getgid() || mode != 0o600 {
			t.Errorf("%s: group %d, mode %v", path, gid, mode)
		}
	}
	for _, path := range []string{control, disable, bind} {
		if uid, _, _ := owners(t, path); uid != c.UID {
			t.Errorf("%s belongs to %d", path, uid)
		}
	}
	if uid, _, _ := owners(t, other); uid != os.Getuid() {
		t.Errorf("%s belongs to %d", other, uid)
	}
}

func TestWhatIsPluggedInLaterFollows(t *testing.T) {
	c, put := machine(t)
	modem, card := put("dev", "ttyUSB0"), put("dev", "sda")
	for _, e := range []Event{{"add", "tty", "ttyUSB0"}, {"add", "block", "sda"}, {"add", "tty", "ttyUSB9"}, {"remove", "tty", "sda"}} {
		if err := c.hear(e); err != nil {
			t.Errorf("%+v: %v", e, err)
		}
	}
	if _, gid, mode := owners(t, modem); gid != c.GID || mode != 0o660 {
		t.Errorf("the modem: group %d, mode %v", gid, mode)
	}
	if _, _, mode := owners(t, card); mode != 0o600 {
		t.Errorf("the card: mode %v", mode)
	}
	control := put("sys/bus/usb/devices/1-2/power/control")
	if err := c.hear(Event{"bind", "usb", "bus/usb/001/002"}); err != nil {
		t.Error(err)
	}
	if uid, _, _ := owners(t, control); uid != c.UID {
		t.Errorf("its switch belongs to %d", uid)
	}
}

// The kernel's own ear: what is there is given at the start, and the end is heard.
func TestItListensUntilItIsToldToEnd(t *testing.T) {
	c, put := machine(t)
	modem := put("dev", "ttyUSB0")
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := Run(ctx, c); err != nil {
			t.Error(err)
		}
	})
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, _, mode := owners(t, modem); mode == 0o660 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the modem is not given")
		}
	}
	cancel()
	done.Wait()
}
