// Package device gives the exchange the devices that it works with: modems, lamps and the switches of their
// USB sockets. The kernel makes them for root alone, at the start and whenever something is plugged in.
package device

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Config says whose the devices become.
type Config struct {
	Log      *slog.Logger
	Sys, Dev string // "/sys" and "/dev" outside tests
	UID, GID int    // nodes belong to the group, files of sysfs to the user
}

// nodes are the device nodes, by the subsystem of the kernel that makes them.
func nodes() map[string][]string {
	return map[string][]string{
		"tty":     {"ttyUSB*", "ttyACM*"}, // modems
		"gpio":    {"gpiochip*"},          // lamps and buttons at pins
		"spidev":  {"spidev*"},            // lamps at shift registers and strips
		"i2c-dev": {"i2c-*"},              // lamps at chips on an I2C bus
		"hidraw":  {"hidraw*"},            // lamps at USB
	}
}

// switches are the files of sysfs by which a modem is kept awake, switched off and enumerated anew.
func switches() []string {
	return []string{
		"bus/usb/devices/*/power/control", "bus/usb/devices/*/*-port*/disable", "bus/usb/drivers/usb/bind", "bus/usb/drivers/usb/unbind",
	}
}

// Event is what the kernel tells of a device.
type Event struct {
	Action    string // "add", "remove", "bind" ...
	Subsystem string
	Node      string // its name below /dev; empty: it has none
}

// Parse reads a message of the kernel (kobject_uevent_env): a headline, then NAME=value, each ended by a zero
// byte. ok is false for what is none.
func Parse(message []byte) (e Event, ok bool) {
	head, rest, ok := strings.Cut(string(message), "\x00")
	if !ok || !strings.Contains(head, "@/") {
		return e, false
	}
	for field := range strings.SplitSeq(rest, "\x00") {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "ACTION":
			e.Action = value
		case "SUBSYSTEM":
			e.Subsystem = value
		case "DEVNAME":
			e.Node = value
		}
	}
	return e, e.Action != ""
}

// Grant gives all that is there now.
func Grant(cfg Config) error {
	var errs []error
	for subsystem, patterns := range nodes() {
		for _, pattern := range patterns {
			found, err := filepath.Glob(filepath.Join(cfg.Dev, pattern))
			errs = append(errs, err)
			for _, path := range found {
				errs = append(errs, cfg.node(Event{Action: "add", Subsystem: subsystem, Node: filepath.Base(path)}))
			}
		}
	}
	return errors.Join(append(errs, cfg.switches())...)
}

// node gives the node of an event, if it is one of ours.
func (c Config) node(e Event) error {
	for _, pattern := range nodes()[e.Subsystem] {
		if ours, err := filepath.Match(pattern, e.Node); err != nil || !ours || e.Action != "add" {
			continue
		}
		path := filepath.Join(c.Dev, e.Node)
		if err := errors.Join(os.Lchown(path, 0, c.GID), os.Chmod(path, 0o660)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("device: %w", err) // one that is gone again is none
		}
	}
	return nil
}

func (c Config) switches() error {
	var errs []error
	for _, pattern := range switches() {
		found, err := filepath.Glob(filepath.Join(c.Sys, pattern))
		errs = append(errs, err)
		for _, path := range found {
			if err := os.Chown(path, c.UID, -1); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, fmt.Errorf("device: %w", err))
			}
		}
	}
	return errors.Join(errs...)
}

// hear follows one event.
func (c Config) hear(e Event) error {
	if e.Subsystem == "usb" && e.Action != "remove" {
		return c.switches()
	}
	return c.node(e)
}

// Run gives what is there, and what is plugged in, until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return fmt.Errorf("device: %w", err)
	}
	f := os.NewFile(uintptr(fd), "uevent")
	defer f.Close()
	const kernel = 1 // the group that the kernel tells, and nobody without privileges can
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernel}); err != nil {
		return fmt.Errorf("device: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = f.Close() })
	defer stop()
	log := func(err error) {
		if err != nil {
			cfg.Log.Error("the exchange does not get a device", "err", err)
		}
	}
	log(Grant(cfg)) // after the ear is open: nothing is missed between
	for b := make([]byte, 16<<10); ; {
		n, err := f.Read(b)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ENOBUFS): // more than we could hear
			log(Grant(cfg))
		case err != nil:
			return fmt.Errorf("device: %w", err)
		default:
			if e, ok := Parse(b[:n]); ok {
				log(cfg.hear(e))
			}
		}
	}
}
