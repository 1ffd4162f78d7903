package fxo

import (
	"github.com/pronto-pbx/pronto/drivers/serialport"
)

// AtPath locates a modem at a fixed path, which may be a symbolic link.
func AtPath(name string) func() ([]Port, error) {
	return func() ([]Port, error) { return []Port{{Name: name}}, nil }
}

// product is a USB modem with voice that is known to be one; many data modems look alike.
type product struct{ vendor, product uint16 }

// products are the voice modems that were seen with users: Conexant's own numbers, which most makers keep, and USR's.
var products = []product{
	{0x0572, 0x1340}, // CX93001 (many makers)
	{0x0572, 0x1349}, // CX93010 (StarTech USB56KEMH2)
	{0x0572, 0x1329}, // CX93001
	{0x0803, 0x3095}, // Zoom 3095
	{0x0baf, 0x0303}, // USR5637
}

// OnUSB locates voice modems of known kinds among the USB devices: the one in the given socket (sysfs devpath), or all
// when socket is empty. A modem in a named socket is taken whatever its numbers are. sys and dev are "/sys" and "/dev"
// outside tests.
func OnUSB(sys, dev, socket string) func() ([]Port, error) {
	return func() ([]Port, error) {
		devices, err := serialport.Discover(sys)
		if err != nil {
			return nil, err
		}
		var all []Port
		for _, d := range devices {
			if socket != "" && d.Socket != socket || socket == "" && !known(d) || len(d.Ports) == 0 {
				continue
			}
			if name, ok := d.Port(dev, d.Ports[0].Interface); ok {
				all = append(all, Port{Name: name, Device: d.Path})
			}
		}
		if len(all) == 0 {
			return nil, serialport.ErrMissing
		}
		return all, nil
	}
}

func known(d serialport.USBDevice) bool {
	for _, p := range products {
		if d.Vendor == p.vendor && d.Product == p.product {
			return true
		}
	}
	return false
}
