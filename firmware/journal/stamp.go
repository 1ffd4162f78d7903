package journal

import (
	"encoding/hex"
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
