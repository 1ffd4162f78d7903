package watchdog

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Device is the hardware that resets the box when it hears nothing.
type Device struct {
	f       *os.File
	timeout time.Duration
}

// wanted is for how long the hardware waits; a Raspberry Pi's counts to sixteen seconds at most.
const wanted = 15 * time.Second

// Open starts the hardware at path, usually /dev/watchdog. From here on it must be fed.
func Open(path string) (*Device, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("watchdog: %w", err)
	}
	d := &Device{f: f, timeout: wanted}
	fd := int(f.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.WDIOC_SETTIMEOUT, int(wanted/time.Second)); err != nil {
		// Hardware with a fixed time has its own.
		seconds, err := unix.IoctlGetInt(fd, unix.WDIOC_GETTIMEOUT)
		if err != nil || seconds <= 0 {
			return d, errors.Join(fmt.Errorf("watchdog: its time is not known: %w", err), d.Feed())
		}
		d.timeout = time.Duration(seconds) * time.Second
	}
	return d, d.Feed()
}

// Every is how often it wants to be fed.
func (d *Device) Every() time.Duration { return d.timeout / 4 }

// Feed tells it that the box lives.
func (d *Device) Feed() error {
	if _, err := d.f.Write([]byte{0}); err != nil {
		return fmt.Errorf("watchdog: %w", err)
	}
	return nil
}
