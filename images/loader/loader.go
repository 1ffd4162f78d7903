// Package loader stands in for the boot loader of a Raspberry Pi before an emulated machine, which has none: it reads a
// card as that does and says what starts. It follows the maker's documentation of autoboot.txt, config.txt and tryboot,
// and shares no code with what writes these files. Proof on a real board is another matter: cmd/pibench.
package loader

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/pronto-pbx/pronto/images/mbr"
	"github.com/pronto-pbx/pronto/images/vfat"
)

// Start is what the boot loader starts.
type Start struct {
	Partition int
	Trying    bool // the mark was set, and is gone now
	Kernel    []byte
	Initramfs []byte
	Arguments string // of the kernel
	Skipped   error  // why it is not what was chosen; nil: it is
}

// Bounds of what is read, in bytes.
const (
	mostText = 64 << 10
	mostFile = 256 << 20
)

// ErrNothing is returned for a card from which nothing starts.
var ErrNothing = errors.New("nothing on this card starts")

// Load reads a card. try is the mark that `reboot "0 tryboot"` leaves for one start.
func Load(card io.ReaderAt, try bool) (Start, error) {
	first := make([]byte, mbr.Sector)
	if _, err := card.ReadAt(first, 0); err != nil {
		return Start{}, fmt.Errorf("card: %w", err)
	}
	table, err := mbr.Decode(first)
	if err != nil {
		return Start{}, errors.Join(ErrNothing, err)
	}
	volume := func(n int) (*vfat.Volume, error) {
		p := table.Partitions[n-1]
		if p.Type != mbr.FAT32 || p.Length == 0 {
			return nil, fmt.Errorf("partition %d has no FAT32", n)
		}
		return vfat.Open(io.NewSectionReader(card, int64(p.Start)*mbr.Sector, int64(p.Length)*mbr.Sector))
	}
	const lowest = 1 // the first partition with files to start from
	chosen := lowest
	v, err := volume(lowest)
	if err == nil {
		var text []byte
		if text, err = v.Read("autoboot.txt", mostText); err == nil {
			chosen = Partition(text, try)
		}
	}
	if chosen != lowest {
		s, err := load(volume, chosen)
		if err == nil {
			s.Trying = try
			s.Arguments += fmt.Sprintf(" pronto.slot=%d", chosen)
			if try {
				s.Arguments += " pronto.try=1"
			}
			return s, nil
		}
		s, err2 := load(volume, lowest)
		s.Skipped = err
		return s, err2
	}
	s, err2 := load(volume, lowest)
	s.Skipped = err
	return s, err2
}

// Partition is what a text of autoboot.txt chooses: the partition of the last section that holds for this start. What
// it cannot use means partition 1. The file may be 512 bytes long and knows the filters all, none and tryboot.
func Partition(text []byte, try bool) int {
	const most, ownDefault = 512, 1
	if len(text) > most {
		return ownDefault
	}
	partition, holds, twoSlots := ownDefault, true, false
	for line := range bytes.Lines(text) {
		l := strings.TrimSpace(string(line))
		if name, ok := strings.CutPrefix(l, "["); ok {
			switch strings.TrimSuffix(name, "]") {
			case "all":
				holds = true
			case "tryboot":
				holds = try
			default:
				holds = false
			}
			continue
		}
		key, value, ok := strings.Cut(l, "=")
		if !ok || !holds || strings.HasPrefix(l, "#") {
			continue
		}
		n, err := strconv.Atoi(value)
		switch {
		case err != nil:
		case key == "tryboot_a_b":
			twoSlots = n == 1
		case key == "boot_partition" && n >= 1 && n <= 4:
			partition = n
		}
	}
	if try && !twoSlots {
		return ownDefault // the mark would mean other files of the same partition
	}
	return partition
}

// load reads what one partition starts.
func load(volume func(int) (*vfat.Volume, error), n int) (s Start, err error) {
	s.Partition = n
	v, err := volume(n)
	if err != nil {
		return s, fmt.Errorf("%w: partition %d: %w", ErrNothing, n, err)
	}
	config, err := v.Read("config.txt", mostText)
	if err != nil {
		return s, fmt.Errorf("%w: partition %d: %w", ErrNothing, n, err)
	}
	kernel, initramfs := "kernel8.img", ""
	for line := range bytes.Lines(config) {
		l := strings.TrimSpace(string(line))
		if name, ok := strings.CutPrefix(l, "kernel="); ok {
			kernel = name
		}
		if words := strings.Fields(l); len(words) == 3 && words[0] == "initramfs" && words[2] == "followkernel" {
			initramfs = words[1]
		}
	}
	if s.Kernel, err = v.Read(kernel, mostFile); err != nil {
		return s, fmt.Errorf("%w: partition %d: %w", ErrNothing, n, err)
	}
	if initramfs != "" {
		if s.Initramfs, err = v.Read(initramfs, mostFile); err != nil {
			return s, fmt.Errorf("%w: partition %d: %w", ErrNothing, n, err)
		}
	}
	arguments, err := v.Read("cmdline.txt", mostText)
	if err != nil && !errors.Is(err, vfat.ErrNone) {
		return s, fmt.Errorf("%w: partition %d: %w", ErrNothing, n, err)
	}
	s.Arguments = strings.TrimSpace(string(arguments))
	return s, nil
}

// mark is the kernel's last line when it restarts with the argument by which the boot loader tries the other slot.
// It may stand behind a line of a program whose end the kernel did not wait for.
var mark = regexp.MustCompile(`(^|\[ *\d+\.\d{6}\] )reboot: Restarting system with command '0 tryboot'$`)

// Marked tells by the last lines of a machine's console whether its restart sets the mark. The kernel writes that line
// after all programs have ended: no other has the last word.
func Marked(console []string) bool {
	for i := len(console) - 1; i >= 0; i-- {
		if l := strings.TrimSpace(console[i]); l != "" {
			return mark.MatchString(l)
		}
	}
	return false
}
