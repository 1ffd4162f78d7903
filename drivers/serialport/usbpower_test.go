package serialport_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/pronto-pbx/pronto/drivers/serialport"
)

func (s sysTree) says(path, want string) {
	s.t.Helper()
	got, err := os.ReadFile(filepath.Join(s.root, path))
	if err != nil || string(got) != want {
		s.t.Errorf("%s: %q, %v; want %q", path, got, err, want)
	}
}

// blank makes a file of the kernel, which keeps nothing of what it had.
func (s sysTree) blank(path string) {
	s.file(path, "")
	if err := os.Truncate(filepath.Join(s.root, path), 0); err != nil {
		s.t.Fatal(err)
	}
}

func TestAUSBDeviceIsReboundPowerCycledAndKeptAwakeByItsName(t *testing.T) {
	for device, disable := range map[string]string{
		"1-1.2":   "1-1:1.0/1-1-port2",
		"1-1.4.3": "1-1.4:1.0/1-1.4-port3",
		"2-3":     "2-0:1.0/usb2-port3",
	} {
		t.Run(device, func(t *testing.T) {
			s := sysTree{t, t.TempDir()}
			disable := "bus/usb/devices/" + disable + "/disable"
			for _, f := range []string{"bus/usb/drivers/usb/unbind", "bus/usb/drivers/usb/bind", disable, "bus/usb/devices/" + device + "/power/control"} {
				s.blank(f)
			}
			ctx, now := context.WithCancel(t.Context())
			now() // nobody waits: the device is given back all the same
			if err := serialport.Rebind(ctx, s.root, device); err != nil {
				t.Error(err)
			}
			s.says("bus/usb/drivers/usb/unbind", device)
			s.says("bus/usb/drivers/usb/bind", device)
			if err := serialport.PowerCycle(ctx, s.root, device); err != nil {
				t.Error(err)
			}
			s.says(disable, "0") // written over the 1: a kernel's file has no length
			if err := serialport.KeepAwake(s.root, device); err != nil {
				t.Error(err)
			}
			s.says("bus/usb/devices/"+device+"/power/control", "on")
		})
	}
}

func TestWhatIsNoUSBDeviceIsTouchedByNobody(t *testing.T) {
	root := t.TempDir()
	for _, device := range []string{"", "1", "-1", "1-", "../1-1", "1-1/../..", "usb1", "1-1:1.0"} {
		for name, err := range map[string]error{
			"rebind": serialport.Rebind(t.Context(), root, device),
			"power":  serialport.PowerCycle(t.Context(), root, device),
			"awake":  serialport.KeepAwake(root, device),
		} {
			if !errors.Is(err, serialport.ErrNotUSB) {
				t.Errorf("%s %q: %v", name, device, err)
			}
		}
	}
	if err := serialport.Rebind(t.Context(), root, "1-1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a kernel without the file: %v", err)
	}
}
