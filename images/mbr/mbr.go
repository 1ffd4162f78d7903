// Package mbr reads and writes the partition table of the card: a master boot record with four primary
// partitions. The Raspberry Pi's boot loader has had faults with GPT and autoboot.txt together, none with
// this.
package mbr

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Sector is the unit of all addresses, in bytes.
const Sector = 512

// Types of partitions.
const (
	FAT32 = 0x0C // with logical block addresses
	Linux = 0x83
)

// Partition is one of the four. A zero one is not there.
type Partition struct {
	Type          byte
	Start, Length uint32 // in sectors
}

// Table is the first sector of a disk.
type Table struct {
	Disk       uint32 // signature, by which the disk is known
	Partitions [4]Partition
}

const (
	signatureAt = 440
	tableAt     = 446
	entrySize   = 16
)

// Encode writes the table as a sector without boot code. Addresses by cylinder, head and sector say "too
// large", as they do on every disk of today.
func Encode(t Table) [Sector]byte {
	var s [Sector]byte
	binary.LittleEndian.PutUint32(s[signatureAt:], t.Disk)
	for i, p := range t.Partitions {
		if p.Length == 0 {
			continue
		}
		e := s[tableAt+i*entrySize:][:entrySize]
		copy(e[1:], []byte{0xFE, 0xFF, 0xFF})
		e[4] = p.Type
		copy(e[5:], []byte{0xFE, 0xFF, 0xFF})
		binary.LittleEndian.PutUint32(e[8:], p.Start)
		binary.LittleEndian.PutUint32(e[12:], p.Length)
	}
	s[510], s[511] = 0x55, 0xAA
	return s
}

// ErrNone is returned for a sector that is no master boot record.
var ErrNone = errors.New("no partition table")

// Decode reads a first sector. Partitions that lie in the table itself, run over the end of what the
// table can address or over each other are an error.
func Decode(s []byte) (Table, error) {
	if len(s) < Sector || s[510] != 0x55 || s[511] != 0xAA {
		return Table{}, ErrNone
	}
	t := Table{Disk: binary.LittleEndian.Uint32(s[signatureAt:])}
	for i := range t.Partitions {
		e := s[tableAt+i*entrySize:][:entrySize]
		p := Partition{Type: e[4], Start: binary.LittleEndian.Uint32(e[8:]), Length: binary.LittleEndian.Uint32(e[12:])}
		if p.Type == 0 || p.Length == 0 {
			continue
		}
		if p.Start == 0 || uint64(p.Start)+uint64(p.Length) > 1<<32 {
			return Table{}, fmt.Errorf("partition %d of %d sectors at %d lies outside of the disk", i+1, p.Length, p.Start)
		}
		for j, other := range t.Partitions[:i] {
			if other.Length != 0 && uint64(p.Start) < uint64(other.Start)+uint64(other.Length) && uint64(other.Start) < uint64(p.Start)+uint64(p.Length) {
				return Table{}, fmt.Errorf("partitions %d and %d lie over each other", j+1, i+1)
			}
		}
		t.Partitions[i] = p
	}
	return t, nil
}

// Grown is the table with partition number n (1 to 4) reaching to the end of a disk of so many sectors.
// It must be the last one on the disk. It is false where there is nothing to gain, and never shrinks.
func Grown(t Table, n int, sectors uint64) (Table, bool) {
	p := t.Partitions[n-1]
	for i, other := range t.Partitions {
		if i != n-1 && other.Start > p.Start {
			return t, false
		}
	}
	end := min(sectors, 1<<32) // 2 TiB: what a table of this kind can address
	if p.Length == 0 || uint64(p.Start)+uint64(p.Length) >= end {
		return t, false
	}
	t.Partitions[n-1].Length = uint32(end - uint64(p.Start))
	return t, true
}
