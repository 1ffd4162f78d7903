package journal

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// BootID is the kernel's random identifier of one boot (/proc/sys/kernel/random/boot_id); zero
// where the kernel has none.
type BootID [16]byte

// String writes the identifier as 32 hexadecimal digits.
func (id BootID) String() string { return hex.EncodeToString(id[:]) }

// CurrentBoot returns the identifier of the running boot.
func CurrentBoot() BootID {
	var id BootID
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return id
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(text)), "-", ""))
	if err == nil && len(raw) == len(id) {
		copy(id[:], raw)
	}
	return id
}

// sinceBoot reads CLOCK_BOOTTIME, which counts on through suspend and never jumps with the wall
// clock. Zero means that the kernel gave no answer.
func sinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// lockDir takes the directory for this process until the file is closed; the kernel lets go when
// the process dies, so that a kill leaves nothing to clean.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make journal directory: %w", err)
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open journal directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("journal %s is in use by another process: %w", dir, err)
	}
	return f, nil
}
