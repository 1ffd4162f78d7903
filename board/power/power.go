// Package power is the button of a box and what becomes of the box at the end: off, or started anew.
package power

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Of <linux/input-event-codes.h>.
const (
	evKey    = 1
	keyPower = 116
)

// eventSize is that of struct input_event where a time has two words of 64 bits.
const eventSize = 24

// pressed tells whether one event says that the power button went down.
func pressed(event []byte) bool {
	return len(event) == eventSize && binary.NativeEndian.Uint16(event[16:]) == evKey &&
		binary.NativeEndian.Uint16(event[18:]) == keyPower && binary.NativeEndian.Uint32(event[20:]) == 1
}

// Button sends once for each press of a power button, of any of the input devices that match pattern, usually
// /dev/input/event*, until ctx ends; then it closes the channel. A press while nobody receives counts once.
func Button(ctx context.Context, pattern string, log *slog.Logger) <-chan struct{} {
	presses := make(chan struct{}, 1)
	devices, err := filepath.Glob(pattern)
	if err != nil {
		log.Error("power buttons not found", "err", err)
	}
	var readers sync.WaitGroup
	for _, at := range devices {
		// Opened without blocking, so that Close ends a Read.
		f, err := os.OpenFile(at, os.O_RDONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			log.Warn("input device not heard", "device", at, "err", err)
			continue
		}
		stop := context.AfterFunc(ctx, func() { _ = f.Close() })
		readers.Go(func() {
			defer stop()
			defer f.Close()
			listen(f, presses)
		})
	}
	go func() {
		<-ctx.Done()
		readers.Wait()
		close(presses)
	}()
	return presses
}

func listen(f *os.File, presses chan<- struct{}) {
	events := make([]byte, 64*eventSize)
	for {
		n, err := f.Read(events)
		if err != nil {
			return // the device went away, or we do
		}
		for e := events[:n]; len(e) >= eventSize; e = e[eventSize:] {
			if pressed(e[:eventSize]) {
				select {
				case presses <- struct{}{}:
				default:
				}
			}
		}
	}
}

// End is how a box ends.
type End uint32

// The ends.
const (
	Off     End = unix.LINUX_REBOOT_CMD_POWER_OFF
	Restart End = unix.LINUX_REBOOT_CMD_RESTART
	// Try starts the other slot, once: the boot loader of a Raspberry Pi is told by an argument of the call (Raspberry Pi
	// documentation, "tryboot"), which the kernel writes on its console, too.
	Try End = unix.LINUX_REBOOT_CMD_RESTART2
)

// tryOnce is that argument: the partition, 0 for what autoboot.txt says, and the mark.
const tryOnce = "0 tryboot"

// syncLimit bounds how long a card that does not answer may hold up the end.
const syncLimit = 10 * time.Second

// Now writes back what is in memory, leaves the file system at dir clean, and ends the box. It returns only
// when that fails.
func Now(end End, dir string, log *slog.Logger) error {
	done := make(chan error, 1)
	go func() {
		unix.Sync()
		err := unix.Unmount(dir, 0)
		if err != nil { // somebody holds a file: then at least nothing is written any more
			err = errors.Join(err, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
		}
		done <- err
	}()
	timer := time.NewTimer(syncLimit)
	defer timer.Stop()
	select {
	case err := <-done:
		if err != nil {
			log.Warn("the data was not unmounted", "err", err)
		}
	case <-timer.C:
		log.Error("the card does not answer; the box ends without it", "after", syncLimit)
	}
	var err error
	if end == Try {
		err = restartWith(tryOnce)
	} else {
		err = unix.Reboot(int(end))
	}
	if err != nil {
		return fmt.Errorf("end of the box: %w", err)
	}
	return nil
}

// restartWith restarts with an argument for the boot loader (reboot(2), LINUX_REBOOT_CMD_RESTART2).
func restartWith(argument string) error {
	text, err := unix.BytePtrFromString(argument)
	if err != nil {
		return err
	}
	magic1, magic2 := uint32(unix.LINUX_REBOOT_MAGIC1), uint32(unix.LINUX_REBOOT_MAGIC2)
	if _, _, errno := unix.Syscall6(unix.SYS_REBOOT, uintptr(magic1), uintptr(magic2), uintptr(Try), uintptr(unsafe.Pointer(text)), 0, 0); errno != 0 {
		return errno
	}
	return nil
}
