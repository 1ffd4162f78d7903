// Package stick mounts a USB stick that is plugged into a box, and reads what it asks of the box.
package stick

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// superLength is how much of a device tells what file system it holds, in bytes.
const superLength = 2048

// ErrUnknown is returned for a stick whose file system the kernel of a box does not know.
var ErrUnknown = errors.New("the stick has none of the file systems FAT, exFAT and ext4")

// kindOf names the file system of a device by its first bytes, as the kernel calls it; empty for another.
func kindOf(b []byte) string {
	has := func(at int, text string) bool { return len(b) >= at+len(text) && string(b[at:at+len(text)]) == text }
	switch {
	case has(3, "EXFAT   "):
		return "exfat"
	case has(510, "\x55\xAA") && (has(82, "FAT32   ") || has(54, "FAT16   ") || has(54, "FAT12   ")):
		return "vfat"
	case len(b) >= 1082 && binary.LittleEndian.Uint16(b[1080:]) == 0xEF53:
		return ownersKind
	}
	return ""
}

// candidates lists the device files that a stick may lie in: partitions of disks on USB, or the disks
// themselves where they have none; but not of the box's own disk. sys is /sys/class/block, dev is /dev.
func candidates(sys, dev, own string) []string {
	disks, err := filepath.Glob(filepath.Join(sys, "sd*"))
	if err != nil {
		return nil
	}
	var all []string
	for _, at := range disks {
		name := filepath.Base(at)
		if _, err := os.Stat(filepath.Join(at, "partition")); err == nil || name == own {
			continue
		}
		parts, err := filepath.Glob(filepath.Join(at, name+"*", "partition"))
		if err != nil || len(parts) == 0 {
			all = append(all, filepath.Join(dev, name))
			continue
		}
		for _, p := range parts {
			all = append(all, filepath.Join(dev, filepath.Base(filepath.Dir(p))))
		}
	}
	slices.Sort(all)
	return all
}

// probe tells what file system a device holds.
func probe(device string) (kind string, err error) {
	f, err := os.Open(device)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b := make([]byte, superLength)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	if kind = kindOf(b[:n]); kind == "" {
		return "", ErrUnknown
	}
	return kind, nil
}

// gone tells whether a device is not there any more.
func gone(sys, device string) bool {
	_, err := os.Stat(filepath.Join(sys, filepath.Base(device)))
	return errors.Is(err, os.ErrNotExist)
}
