package light

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/lamp/lamptest"
)

// usbTree is a machine's /sys and /dev with busy lights, whose device nodes are pipes that the test reads.
type usbTree struct {
	t        testing.TB
	sys, dev string
}

func newUSBTree(t testing.TB) *usbTree {
	u := &usbTree{t, filepath.Join(t.TempDir(), "sys"), t.TempDir()}
	u.must(os.MkdirAll(filepath.Join(u.sys, "class", "hidraw"), 0o755))
	return u
}

func (u *usbTree) must(err error) {
	u.t.Helper()
	if err != nil {
		u.t.Fatal(err)
	}
}

// plug makes a device appear as the kernel shows it; reports that are written come out of the channel.
func (u *usbTree) plug(n int, socket, vendor, product, serial string) *reports {
	u.t.Helper()
	node := fmt.Sprintf("hidraw%d", n)
	device := filepath.Join(u.sys, "devices", socket, socket+":1.0", fmt.Sprintf("0003:%s:%s.%04d", vendor, product, n))
	u.must(os.MkdirAll(filepath.Join(device, "hidraw", node), 0o755))
	uevent := fmt.Sprintf("DRIVER=hid-generic\nHID_ID=0003:0000%s:0000%s\nHID_NAME=A light\nHID_PHYS=usb-0000:01:00.0-1/input0\nHID_UNIQ=%s\n", vendor, product, serial)
	u.must(os.WriteFile(filepath.Join(device, "uevent"), []byte(uevent), 0o644))
	u.must(os.Symlink(device, filepath.Join(device, "hidraw", node, "device")))
	u.must(os.Symlink(filepath.Join(device, "hidraw", node), filepath.Join(u.sys, "class", "hidraw", node)))
	pipe := filepath.Join(u.dev, node)
	u.must(unix.Mkfifo(pipe, 0o600))
	fd, err := unix.Open(pipe, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	u.must(err)
	u.t.Cleanup(func() { _ = unix.Close(fd) })
	return &reports{fd: fd}
}

func (u *usbTree) unplug(n int) {
	node := fmt.Sprintf("hidraw%d", n)
	u.must(os.Remove(filepath.Join(u.sys, "class", "hidraw", node)))
	u.must(os.Remove(filepath.Join(u.dev, node)))
}

// reports is what a device was told: when Set has returned, all of it is in the pipe.
type reports struct {
	fd  int
	all []byte
}

func (r *reports) take() []byte {
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(r.fd, buf)
		if err != nil || n == 0 {
			return r.all
		}
		r.all = append(r.all, buf[:n]...)
	}
}

// last is the last report of a size, nil when what came is no whole number of them.
func (r *reports) last(size int) []byte {
	if all := r.take(); len(all) > 0 && len(all)%size == 0 {
		return all[len(all)-size:]
	}
	return nil
}

func TestUSBLightContract(t *testing.T) {
	families := map[string]struct {
		vendor, product string
		size            int
		lit             func([]byte) bool
	}{
		"luxafor":    {"04D8", "F372", 9, func(r []byte) bool { return r[3]|r[4]|r[5] != 0 }},
		"blynclight": {"2C0D", "0001", 9, func(r []byte) bool { return r[4]&1 == 0 && r[1]|r[2]|r[3] != 0 }},
		"kuando":     {"27BB", "3BCD", 130, func(r []byte) bool { return r[3]|r[4]|r[5] != 0 }},
	}
	for name, f := range families {
		t.Run(name, func(t *testing.T) {
			lamptest.Contract(t, func(t *testing.T) lamptest.Rig {
				u := newUSBTree(t)
				r := u.plug(0, "1-1.2", f.vendor, f.product, "")
				lights, err := OpenUSB([]USBLamp{{"desk1", "1-1.2"}}, u.sys, u.dev)
				if err != nil {
					t.Fatal(err)
				}
				return lamptest.Rig{Light: settled{lights[0]}, ID: "desk1", Lit: func() bool { return f.lit(r.last(f.size)) }}
			})
		})
	}
}

// Reports of full orange (255, 128, 0) and of dark, written down from the makers' layouts.
func TestReportsByHand(t *testing.T) {
	orange := rgb{255, 128, 0}
	for name, c := range map[string]struct {
		got  [][]byte
		want []string
	}{
		"luxafor":         {luxafor(orange), []string{"00 01 ff ff 80 00 00 00 00"}},
		"blynclight":      {blynclight(orange), []string{"00 ff 00 80 00 00 00 ff 22"}},
		"blynclight dark": {blynclight(rgb{}), []string{"00 00 00 00 01 00 00 ff 22"}},
		"blink(1)":        {blink1(orange), []string{"01 63 ff 80 00 00 00 00"}},
		"kuando": {kuando(orange), []string{
			// jump to step 0, once, 100 % red, 51 % green, lit for 0.1 s, dark for none; sum 0x10+1+100+51+1
			"00 10 01 64 33 00 01 00 00" + strings.Repeat(" 00", 54) + " 00 a9",
			"00 8f" + strings.Repeat(" 00", 61) + " 00 8f",
		}},
	} {
		for i, r := range c.got {
			if text := fmt.Sprintf("% x", r); text != c.want[i] {
				t.Errorf("%s: report %d is\n%s, want\n%s", name, i, text, c.want[i])
			}
		}
		if len(c.got) != len(c.want) {
			t.Errorf("%s: %d reports", name, len(c.got))
		}
	}
}

func TestAUSBLightMayComeLater(t *testing.T) {
	u := newUSBTree(t)
	lights, err := OpenUSB([]USBLamp{{"desk1", "SN77"}}, u.sys, u.dev)
	if err != nil {
		t.Fatal(err)
	}
	defer lights[0].Close()
	lit := lamp.Level{Brightness: 255, R: 255}
	if err := shows(lights[0], lit); err == nil || !strings.Contains(err.Error(), "there is no busy light") {
		t.Fatalf("%v", err)
	}
	other := u.plug(0, "1-1", "04D8", "F372", "SN76")
	if err := shows(lights[0], lit); err == nil || !strings.Contains(err.Error(), "found Luxafor Flag at USB socket 1-1 with serial number SN76") {
		t.Fatalf("%v", err)
	}
	r := u.plug(1, "1-2", "04D8", "F372", "SN77")
	if err := shows(lights[0], lit); err != nil {
		t.Fatal(err)
	}
	if got := r.last(9); got == nil || got[3] != 255 {
		t.Errorf("% x", got)
	}
	if len(other.take()) != 0 {
		t.Error("the light of another was written")
	}
}

func TestALightThatTakesNothingMoreIsLookedForAnew(t *testing.T) {
	u := newUSBTree(t)
	u.plug(0, "1-1", "04D8", "F372", "")
	u.must(os.Remove(filepath.Join(u.dev, "hidraw0")))
	u.must(os.Symlink("/dev/full", filepath.Join(u.dev, "hidraw0"))) // every write fails, as to a device that has gone
	lights, err := OpenUSB([]USBLamp{{"desk1", "1-1"}}, u.sys, u.dev)
	if err != nil {
		t.Fatal(err)
	}
	defer lights[0].Close()
	if err := shows(lights[0], lamp.Level{Brightness: 255}); err == nil || !strings.Contains(err.Error(), "write to the Luxafor Flag") {
		t.Fatalf("%v", err)
	}
	u.unplug(0)
	r := u.plug(3, "1-1", "04D8", "F372", "") // plugged in again
	if err := shows(lights[0], lamp.Level{Brightness: 255}); err != nil {
		t.Fatal(err)
	}
	if r.last(9) == nil {
		t.Error("the light that came back was told nothing")
	}
}

func TestOneUSBLightNeedsNoPlaceAndTwoDo(t *testing.T) {
	u := newUSBTree(t)
	lights, err := OpenUSB([]USBLamp{{"desk1", ""}}, u.sys, u.dev)
	if err != nil {
		t.Fatal(err)
	}
	defer lights[0].Close()
	u.plug(0, "1-1", "04d8", "f372", "")
	if err := shows(lights[0], lamp.Level{}); err != nil {
		t.Fatal(err)
	}
	two, err := OpenUSB([]USBLamp{{"desk2", ""}}, u.sys, u.dev)
	if err != nil {
		t.Fatal(err)
	}
	defer two[0].Close()
	u.plug(1, "1-2", "27bb", "3bca", "")
	u.plug(2, "1-3", "0000", "0000", "") // a keyboard
	err = shows(two[0], lamp.Level{})
	if err == nil || !strings.Contains(err.Error(), "Luxafor Flag at USB socket 1-1, Kuando Busylight at USB socket 1-2") || strings.Contains(err.Error(), "1-3") {
		t.Errorf("%v", err)
	}
	if _, err := OpenUSB([]USBLamp{{"a", "1-1"}, {"b", "1-1"}}, u.sys, u.dev); err == nil {
		t.Error("two lamps on one light")
	}
}

// A blink(1) wants a feature report, which a pipe cannot take: that the driver asks for it is seen by the refusal.
func TestABlinkIsToldByAFeatureReport(t *testing.T) {
	u := newUSBTree(t)
	r := u.plug(0, "1-1", "27B8", "01ED", "")
	lights, err := OpenUSB([]USBLamp{{"desk1", "1-1"}}, u.sys, u.dev)
	if err != nil {
		t.Fatal(err)
	}
	defer lights[0].Close()
	if err := shows(lights[0], lamp.Level{Brightness: 1}); err == nil || !strings.Contains(err.Error(), "inappropriate ioctl") {
		t.Errorf("%v", err)
	}
	if len(r.take()) != 0 {
		t.Errorf("written: % x", r.all)
	}
}

func FuzzUevent(f *testing.F) {
	f.Add("HID_ID=0003:000004D8:0000F372\nHID_UNIQ=x\n")
	f.Add("HID_ID=0003:4D8\nHID_ID=::\n")
	f.Fuzz(func(t *testing.T, text string) {
		if id, _ := readUevent(text); id != "" && (len(id) != 9 || id[4] != ':') {
			t.Errorf("id %q", id)
		}
	})
}
