package serialport_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/pronto-pbx/pronto/drivers/serialport"
)

// sysTree builds the part of sysfs that Discover reads.
type sysTree struct {
	t    *testing.T
	root string
}

func (s sysTree) file(path, text string) {
	s.t.Helper()
	full := filepath.Join(s.root, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text+"\n"), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s sysTree) link(path, target string) {
	s.t.Helper()
	full := filepath.Join(s.root, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Symlink(target, full); err != nil {
		s.t.Fatal(err)
	}
}

func (s sysTree) device(dir, bus, socket, vendor, product string) {
	s.file(dir+"/idVendor", vendor)
	s.file(dir+"/idProduct", product)
	s.file(dir+"/busnum", bus)
	s.file(dir+"/devpath", socket)
	s.file(dir+"/serial", "0123456789ABCDEF")
}

// usbSerial adds a port of the option driver: interface / ttyUSBn / tty / ttyUSBn.
func (s sysTree) usbSerial(dir, iface, name string) {
	s.file(dir+"/"+iface+"/bInterfaceNumber", iface[len(iface)-2:])
	s.file(dir+"/"+iface+"/"+name+"/tty/"+name+"/dev", "188:0")
	s.link("class/tty/"+name, "../../"+dir+"/"+iface+"/"+name+"/tty/"+name)
	s.link(dir+"/"+iface+"/"+name+"/tty/"+name+"/device", "../../../"+name)
}

func TestDiscoverTellsPortsByInterfaceNumberAfterARenumbering(t *testing.T) {
	s := sysTree{t, t.TempDir()}
	const sim = "devices/usb1/1-1/1-1.2"
	s.device(sim, "1", "1.2", "1e0e", "9001")
	// As a replug with one descriptor still open left it: the command port moved from 2 to 3.
	for iface, name := range map[string]string{"if00": "ttyUSB0", "if01": "ttyUSB1", "if02": "ttyUSB3", "if03": "ttyUSB4", "if04": "ttyUSB5"} {
		s.usbSerial(sim, iface, name)
	}
	const acm = "devices/usb1/1-1/1-1.1"
	s.device(acm, "1", "1.1", "0572", "1329")
	s.file(acm+"/if00/bInterfaceNumber", "00")
	s.file(acm+"/if00/tty/ttyACM0/dev", "166:0")
	s.link("class/tty/ttyACM0", "../../"+acm+"/if00/tty/ttyACM0")
	s.link(acm+"/if00/tty/ttyACM0/device", "../../../if00")
	s.file("class/tty/ttyS0/dev", "4:64")             // not USB
	s.link("class/tty/ttyUSB9", "../../gone/ttyUSB9") // lingers after an unplug

	got, err := serialport.Discover(s.root)
	if err != nil {
		t.Fatal(err)
	}
	want := []serialport.USBDevice{
		{Path: "1-1.1", Vendor: 0x0572, Product: 0x1329, Bus: 1, Socket: "1.1", Serial: "0123456789ABCDEF", Ports: []serialport.USBPort{{Name: "ttyACM0", Interface: 0}}},
		{Path: "1-1.2", Vendor: 0x1e0e, Product: 0x9001, Bus: 1, Socket: "1.2", Serial: "0123456789ABCDEF", Ports: []serialport.USBPort{
			{Name: "ttyUSB0", Interface: 0}, {Name: "ttyUSB1", Interface: 1}, {Name: "ttyUSB3", Interface: 2}, {Name: "ttyUSB4", Interface: 3}, {Name: "ttyUSB5", Interface: 4},
		}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if path, ok := got[1].Port("/dev", 2); !ok || path != "/dev/ttyUSB3" {
		t.Errorf("interface 2 is %q, %v", path, ok)
	}
	if path, ok := got[1].Port("/dev", 9); ok {
		t.Errorf("interface 9 found as %q", path)
	}
}

func TestDiscoverWithoutTTYsFindsNothing(t *testing.T) {
	got, err := serialport.Discover(t.TempDir())
	if err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}
