package serialport

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// USBPort is one tty of a USB device.
type USBPort struct {
	Name      string // "ttyUSB2"
	Interface int    // bInterfaceNumber: the only thing that tells a command port from an audio port
}

// USBDevice is one USB device that has ttys, as sysfs describes it.
type USBDevice struct {
	Vendor, Product uint16
	Serial          string // many modems share one: never an identity
	Path            string // its name in sysfs, e.g. "1-1.2": what its driver is told
	Socket          string // devpath, the physical socket, e.g. "1.2"; with Bus it survives a replug
	Bus             int
	Ports           []USBPort // by interface number
}

// Port returns the tty on the given interface number, as a device node path under dev (usually "/dev").
func (d USBDevice) Port(dev string, iface int) (path string, ok bool) {
	for _, p := range d.Ports {
		if p.Interface == iface {
			return filepath.Join(dev, p.Name), true
		}
	}
	return "", false
}

// Discover lists the USB devices that have ttys, by bus and socket. sys is the mount point of sysfs,
// "/sys" outside tests. A device that is just being plugged in or pulled out is waited for, so that it is
// listed with all of its ports or not at all: the kernel makes and removes them one by one, and a modem
// seen in between would have no sound.
func Discover(sys string) ([]USBDevice, error) {
	class := filepath.Join(sys, "class", "tty")
	settled := make(map[string]bool)
	for {
		found, err := listTTYs(class)
		if err != nil {
			return nil, err
		}
		waited := false
		for dir, d := range found {
			if key := dir + " " + d.enumeration; !settled[key] {
				// The kernel answers this under the lock that it holds while it configures a device or takes
				// it down (usb_lock_device in drivers/usb/core/sysfs.c).
				_ = readText(filepath.Join(dir, "bNumInterfaces"))
				settled[key], waited = true, true
			}
		}
		if !waited {
			return ordered(found), nil
		}
	}
}

// listed is a device under the directory that describes it.
type listed struct {
	USBDevice
	enumeration string // devnum: another after each replug
}

// listTTYs lists what is there at this moment.
func listTTYs(class string) (map[string]*listed, error) {
	entries, err := os.ReadDir(class)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list ttys: %w", err)
	}
	found := make(map[string]*listed)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "ttyUSB") || strings.HasPrefix(e.Name(), "ttyACM") {
			addTTY(found, filepath.Join(class, e.Name()), e.Name())
		}
	}
	return found, nil
}

func ordered(found map[string]*listed) []USBDevice {
	all := make([]USBDevice, 0, len(found))
	for _, d := range found {
		sort.Slice(d.Ports, func(i, j int) bool { return d.Ports[i].Interface < d.Ports[j].Interface })
		all = append(all, d.USBDevice)
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].Bus != all[j].Bus {
			return all[i].Bus < all[j].Bus
		}
		return all[i].Socket < all[j].Socket
	})
	return all
}

// addTTY follows one tty to its USB interface: the "device" link of a ttyACM is the interface itself,
// that of a ttyUSB is a port below it.
func addTTY(found map[string]*listed, tty, name string) {
	dev, err := filepath.EvalSymlinks(filepath.Join(tty, "device"))
	if err != nil {
		return
	}
	iface, ok := readHex(filepath.Join(dev, "bInterfaceNumber"))
	if !ok {
		dev = filepath.Dir(dev)
		if iface, ok = readHex(filepath.Join(dev, "bInterfaceNumber")); !ok {
			return
		}
	}
	usb := filepath.Dir(dev)
	vendor, okV := readHex(filepath.Join(usb, "idVendor"))
	product, okP := readHex(filepath.Join(usb, "idProduct"))
	if !okV || !okP {
		return
	}
	d := found[usb]
	if d == nil {
		bus, _ := strconv.Atoi(readText(filepath.Join(usb, "busnum")))
		d = &listed{enumeration: readText(filepath.Join(usb, "devnum")), USBDevice: USBDevice{
			Path:   filepath.Base(usb),
			Vendor: uint16(vendor), Product: uint16(product), Bus: bus,
			Serial: readText(filepath.Join(usb, "serial")), Socket: readText(filepath.Join(usb, "devpath")),
		}}
		found[usb] = d
	}
	d.Ports = append(d.Ports, USBPort{Name: name, Interface: int(iface)})
}

func readText(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func readHex(path string) (uint64, bool) {
	n, err := strconv.ParseUint(readText(path), 16, 16)
	return n, err == nil
}
