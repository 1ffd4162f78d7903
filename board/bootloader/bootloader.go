// Package bootloader is what the boot loader of a board says of this start: from which partition it came, whether only
// this once, and how old the boot loader itself is (Raspberry Pi documentation, "Device Tree, part 4: boot loader
// properties"). The stand-in of a boot loader in an emulated machine says the same by arguments of the kernel.
package bootloader

import (
	"encoding/binary"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/images/layout"
)

// Start is what it says.
type Start struct {
	Slot   int    // layout.SlotA or SlotB; 0: it does not say
	Trying bool   // the next start is of what is chosen, whatever becomes of this one
	Built  string // day of the boot loader, as YYYY-MM-DD; empty: it does not say
	// Trial is for how long a slot may be on trial: a test shortens it. 0: as long as usual.
	Trial time.Duration
}

// at is where a Raspberry Pi's boot loader writes, below /proc: numbers of 32 bits, the high byte first.
const at = "device-tree/chosen/bootloader/"

// Read reads what the boot loader says; proc is /proc.
func Read(proc fs.FS) (s Start) {
	if n, ok := number(proc, "partition"); ok {
		s.Slot = slot(uint64(n))
	}
	if n, ok := number(proc, "tryboot"); ok {
		s.Trying = n != 0
	}
	if n, ok := number(proc, "build-timestamp"); ok && n > 0 {
		s.Built = time.Unix(int64(n), 0).UTC().Format(time.DateOnly)
	}
	text, _ := fs.ReadFile(proc, "cmdline") // without one there are no arguments
	for _, word := range strings.Fields(string(text)) {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "pronto.slot":
			if n, err := strconv.ParseUint(value, 10, 8); err == nil && s.Slot == 0 {
				s.Slot = slot(n)
			}
		case "pronto.try":
			s.Trying = s.Trying || value == "1"
		case "pronto.trial":
			if d, err := time.ParseDuration(value); err == nil && d > 0 {
				s.Trial = d
			}
		}
	}
	if s.Slot == 0 {
		s.Trying = false // what would be kept is not known
	}
	return s
}

func slot(n uint64) int {
	if n == layout.SlotA || n == layout.SlotB {
		return int(n)
	}
	return 0
}

func number(proc fs.FS, name string) (uint32, bool) {
	b, err := fs.ReadFile(proc, at+name)
	if err != nil || len(b) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(b), true
}
