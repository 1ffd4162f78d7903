package serialport

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// usbRest is how long a USB device stays away, so that its capacitors empty and its firmware starts anew.
const usbRest = 2 * time.Second

// Rebind takes a USB device from its driver and gives it back, which resets and enumerates it anew. device is
// its name in sysfs, such as "1-1.2"; sys is "/sys" outside tests. All its ports must be closed. It needs root.
func Rebind(ctx context.Context, sys, device string) error {
	if err := usbName(device); err != nil {
		return err
	}
	driver := filepath.Join(sys, "bus", "usb", "drivers", "usb")
	if err := tell(filepath.Join(driver, "unbind"), device); err != nil {
		return fmt.Errorf("take USB device %s from its driver: %w", device, err)
	}
	rest(ctx) // it is given back even when nobody waits any more
	if err := tell(filepath.Join(driver, "bind"), device); err != nil {
		return fmt.Errorf("give USB device %s back: %w", device, err)
	}
	return nil
}

// PowerCycle switches the port of the hub that a USB device is plugged into off and on (Linux 6.0 and later;
// whether the current stops too is the hub's affair). The other parameters are Rebind's.
func PowerCycle(ctx context.Context, sys, device string) error {
	if err := usbName(device); err != nil {
		return err
	}
	hub, port := parent(device)
	disable := filepath.Join(sys, "bus", "usb", "devices", hub+":1.0", portName(hub)+"-port"+port, "disable")
	if err := tell(disable, "1"); err != nil {
		return fmt.Errorf("switch off the port of USB device %s: %w", device, err)
	}
	rest(ctx)
	if err := tell(disable, "0"); err != nil {
		return fmt.Errorf("switch on the port of USB device %s: %w", device, err)
	}
	return nil
}

// parent splits a device's name into its hub and the port of it: "1-1.2" is port 2 of 1-1, and "1-3" is port
// 3 of the root hub, which is called 1-0.
func parent(device string) (hub, port string) {
	if i := strings.LastIndexByte(device, '.'); i >= 0 {
		return device[:i], device[i+1:]
	}
	bus, port, _ := strings.Cut(device, "-")
	return bus + "-0", port
}

// portName is what the kernel calls a hub in the names of its ports: the root hub is usb1.
func portName(hub string) string {
	if bus, ok := strings.CutSuffix(hub, "-0"); ok {
		return "usb" + bus
	}
	return hub
}

// ErrNotUSB is returned for a name that no USB device has.
var ErrNotUSB = errors.New("not the name of a USB device")

// usbName accepts BUS-PORT[.PORT]..., so that a name can never lead to another file.
func usbName(device string) error {
	bus, ports, ok := strings.Cut(device, "-")
	if !ok || bus == "" || ports == "" || strings.Trim(bus, "0123456789") != "" || strings.Trim(ports, "0123456789.") != "" {
		return fmt.Errorf("%q: %w", device, ErrNotUSB)
	}
	return nil
}

// tell writes to a file of the kernel, which must exist.
func tell(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func rest(ctx context.Context) {
	t := time.NewTimer(usbRest)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// KeepAwake switches the autosuspend of a USB device off: a sleeping modem loses callers. It needs root.
func KeepAwake(sys, device string) error {
	if err := usbName(device); err != nil {
		return err
	}
	if err := tell(filepath.Join(sys, "bus", "usb", "devices", device, "power", "control"), "on"); err != nil {
		return fmt.Errorf("keep USB device %s awake: %w", device, err)
	}
	return nil
}
