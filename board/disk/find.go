// Package disk finds the card that a box started from, gives the data the rest of it on the first start, and
// mounts the data, in memory if nothing else is left.
package disk

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/images/mbr"
)

// Card is the disk of a box.
type Card struct {
	Disk    string    // device file
	Data    string    // device file of the partition with the data
	Slots   [2]string // device files of the slots; empty: the kernel shows none
	Sectors uint64    // of the whole disk
	Table   mbr.Table
}

// ErrNone is returned when no disk has the partition table of an image.
var ErrNone = errors.New("no disk of Pronto")

// kinds are the names of the kernel's drivers, the most trusted first: a stick with an image on it does not
// take the place of the card in the box.
var kinds = []string{"mmcblk", "nvme", "vd", "sd"}

// Find looks for the card among the kernel's block devices: sys is /sys/class/block, dev is /dev.
func Find(sys, dev string) (Card, error) {
	names, err := os.ReadDir(sys)
	if err != nil {
		return Card{}, fmt.Errorf("disks: %w", err)
	}
	var found []Card
	var unfit []error
	for _, n := range names {
		if kind(n.Name()) == len(kinds) {
			continue
		}
		if _, err := os.Stat(filepath.Join(sys, n.Name(), "partition")); err == nil {
			continue
		}
		c, err := inspect(sys, dev, n.Name())
		if err == nil {
			found = append(found, c)
		} else if !errors.Is(err, ErrNone) {
			unfit = append(unfit, err)
		}
	}
	if len(found) == 0 {
		return Card{}, errors.Join(append([]error{ErrNone}, unfit...)...)
	}
	slices.SortFunc(found, func(a, b Card) int {
		return cmp.Or(cmp.Compare(kind(filepath.Base(a.Disk)), kind(filepath.Base(b.Disk))), cmp.Compare(a.Disk, b.Disk))
	})
	return found[0], nil
}

func kind(name string) int {
	i := slices.IndexFunc(kinds, func(k string) bool { return strings.HasPrefix(name, k) })
	if i < 0 {
		return len(kinds)
	}
	return i
}

func inspect(sys, dev, name string) (Card, error) {
	c := Card{Disk: filepath.Join(dev, name)}
	f, err := os.Open(c.Disk)
	if err != nil {
		return c, fmt.Errorf("disk %s: %w", name, err)
	}
	defer f.Close()
	first := make([]byte, mbr.Sector)
	if _, err := io.ReadFull(f, first); err != nil {
		return c, fmt.Errorf("disk %s: %w", name, err)
	}
	if c.Table, err = mbr.Decode(first); errors.Is(err, mbr.ErrNone) || err == nil && c.Table.Disk != layout.DiskID {
		return c, ErrNone
	} else if err != nil {
		return c, fmt.Errorf("disk %s: %w", name, err)
	}
	if c.Sectors, err = number(filepath.Join(sys, name, "size")); err != nil {
		return c, fmt.Errorf("disk %s: %w", name, err)
	}
	parts, err := filepath.Glob(filepath.Join(sys, name, "*", "partition"))
	if err != nil {
		return c, fmt.Errorf("disk %s: %w", name, err)
	}
	for _, p := range parts {
		n, err := number(p)
		if err != nil {
			continue
		}
		switch at := filepath.Join(dev, filepath.Base(filepath.Dir(p))); n {
		case layout.SlotA, layout.SlotB:
			c.Slots[n-layout.SlotA] = at
		case layout.Data:
			c.Data = at
		}
	}
	if c.Data == "" {
		return c, fmt.Errorf("disk %s: %w: the kernel shows no partition %d", name, ErrNone, layout.Data)
	}
	return c, nil
}

func number(at string) (uint64, error) {
	b, err := os.ReadFile(at)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
}
