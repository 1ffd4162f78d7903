package appliance

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/firmware/config"
)

// A replug numbers the ports anew; the interface numbers and the socket stay.
func TestALineFindsItsModemBySocketAndNotByNumber(t *testing.T) {
	sys := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(sys, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text+"\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"idVendor": "1e0e", "idProduct": "9001", "busnum": "1", "devpath": "1.2"} {
		write("devices/1-1/"+name, text)
	}
	for iface, tty := range map[string]string{"02": "ttyUSB7", "04": "ttyUSB3"} {
		at := "devices/1-1/if" + iface
		write(at+"/bInterfaceNumber", iface)
		write(at+"/"+tty+"/tty/"+tty+"/dev", "188:0")
		err := errors.Join(
			os.MkdirAll(filepath.Join(sys, "class/tty"), 0o755),
			os.Symlink("../../"+at+"/"+tty+"/tty/"+tty, filepath.Join(sys, "class/tty", tty)),
			os.Symlink("../../../"+tty, filepath.Join(sys, at, tty, "tty", tty, "device")))
		if err != nil {
			t.Fatal(err)
		}
	}
	for at, want := range map[string]gsm.Ports{
		"usb":          {Command: "/dev/ttyUSB7", Audio: "/dev/ttyUSB3", Device: "1-1"},
		"usb:1.2":      {Command: "/dev/ttyUSB7", Audio: "/dev/ttyUSB3", Device: "1-1"},
		"/dev/ttyUSB2": {Command: "/dev/ttyUSB2", Audio: "/dev/ttyUSB4"},
	} {
		got, err := locate(config.Line{AT: at, Audio: "/dev/ttyUSB4"}, sys, "/dev")()
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: %+v, %v; want %+v", at, got, err, want)
		}
	}
	if _, err := locate(config.Line{AT: "usb:1.4"}, sys, "/dev")(); !errors.Is(err, serialport.ErrMissing) {
		t.Errorf("an empty socket: %v", err)
	}
}
