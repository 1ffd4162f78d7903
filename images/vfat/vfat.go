// Package vfat reads a FAT32 file system as the boot loader of a Raspberry Pi sees it: the files of its top directory,
// and how far it is used. It writes nothing and needs no other program (Microsoft's specification of FAT, version 1.03).
package vfat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
)

// Errors of what is read.
var (
	ErrNone    = errors.New("no such file")
	ErrDamaged = errors.New("not a file system of FAT32 that can be read")
)

// Of sections 3 to 7 of the specification.
const (
	sector    = 512
	entrySize = 32
	last      = 0x0FFFFFF8 // from here on a chain of clusters ends
	clusters  = 0x0FFFFFFF // four bits of an entry are no part of it

	longName  = 0x0F // the attributes of a part of a long name
	volume    = 0x08
	directory = 0x10
	removed   = 0xE5
)

// Bounds of what is believed: a damaged file system costs no more than these.
const (
	mostEntries  = 4096    // of the top directory
	mostClusters = 4 << 20 // of a file system of 8 GB with clusters of 2 KiB
)

// Volume is a file system that was opened.
type Volume struct {
	r       io.ReaderAt
	table   int64 // where the first allocation table begins, in bytes
	data    int64 // where cluster 2 begins, in bytes
	cluster int64 // bytes in one
	count   uint32
	root    uint32
}

// Open reads the first sector. A file system whose first sector was wiped is ErrDamaged.
func Open(r io.ReaderAt) (*Volume, error) {
	boot := make([]byte, sector)
	if _, err := r.ReadAt(boot, 0); err != nil {
		return nil, fmt.Errorf("fat: %w", err)
	}
	u16, u32 := binary.LittleEndian.Uint16, binary.LittleEndian.Uint32
	per, tables := int64(boot[13]), int64(boot[16])
	if boot[510] != 0x55 || boot[511] != 0xAA || u16(boot[11:]) != sector || per == 0 || per&(per-1) != 0 || tables == 0 || u16(boot[22:]) != 0 {
		return nil, ErrDamaged
	}
	reserved, length, total := int64(u16(boot[14:])), int64(u32(boot[36:])), int64(u32(boot[32:]))
	first := reserved + tables*length
	if reserved == 0 || length == 0 || first >= total {
		return nil, ErrDamaged
	}
	v := &Volume{r: r, table: reserved * sector, data: first * sector, cluster: per * sector, root: u32(boot[44:])}
	n := (total - first) / per
	if n > mostClusters || (n+2)*4 > length*sector {
		return nil, ErrDamaged
	}
	v.count = uint32(n)
	if !v.valid(v.root) {
		return nil, ErrDamaged
	}
	return v, nil
}

func (v *Volume) valid(cluster uint32) bool { return cluster >= 2 && cluster < v.count+2 }

// next is the cluster that follows in a chain; ok is false at its end.
func (v *Volume) next(cluster uint32) (next uint32, ok bool, err error) {
	var b [4]byte
	if _, err := v.r.ReadAt(b[:], v.table+int64(cluster)*4); err != nil {
		return 0, false, fmt.Errorf("fat: %w", err)
	}
	next = binary.LittleEndian.Uint32(b[:]) & clusters
	if next >= last {
		return 0, false, nil
	}
	if !v.valid(next) {
		return 0, false, ErrDamaged
	}
	return next, true, nil
}

// chain calls take with each piece of at most most bytes, until that is all or take says so.
func (v *Volume) chain(cluster uint32, most int64, take func([]byte) (more bool)) error {
	b := make([]byte, v.cluster)
	for seen := uint32(0); most > 0; seen++ {
		if seen > v.count { // it bites its tail
			return ErrDamaged
		}
		piece := b[:min(v.cluster, most)]
		if _, err := v.r.ReadAt(piece, v.data+int64(cluster-2)*v.cluster); err != nil {
			return fmt.Errorf("fat: %w", err)
		}
		if most -= int64(len(piece)); !take(piece) || most == 0 {
			return nil
		}
		next, ok, err := v.next(cluster)
		if err != nil {
			return err
		}
		if !ok {
			return io.ErrUnexpectedEOF
		}
		cluster = next
	}
	return nil
}

// Read returns a file of the top directory, by its name without regard to case. One that is longer than most bytes is
// ErrDamaged.
func (v *Volume) Read(name string, most int64) ([]byte, error) {
	at, size, err := v.find(name)
	if err != nil {
		return nil, err
	}
	if int64(size) > most {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrDamaged, name, size)
	}
	if size == 0 {
		return nil, nil
	}
	if !v.valid(at) {
		return nil, ErrDamaged
	}
	var all []byte
	err = v.chain(at, int64(size), func(piece []byte) bool { all = append(all, piece...); return true })
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: %s ends too early", ErrDamaged, name)
	}
	return all, err
}

// find looks for a file in the top directory.
func (v *Volume) find(name string) (cluster, size uint32, err error) {
	found, seen := false, 0
	var long longParts
	err = v.chain(v.root, mostEntries*entrySize, func(b []byte) bool {
		for e := b; len(e) >= entrySize; e = e[entrySize:] {
			if seen++; e[0] == 0 {
				return false
			}
			if e[0] == removed {
				long = longParts{}
				continue
			}
			if e[11]&0x3F == longName {
				long.add(e[:entrySize])
				continue
			}
			full := long.name(e[:11])
			long = longParts{}
			if e[11]&(volume|directory) != 0 || name == "" || !strings.EqualFold(full, name) && !strings.EqualFold(shortName(e[:11]), name) {
				continue
			}
			cluster = uint32(binary.LittleEndian.Uint16(e[20:]))<<16 | uint32(binary.LittleEndian.Uint16(e[26:]))
			size, found = binary.LittleEndian.Uint32(e[28:]), true
			return false
		}
		return true
	})
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // a directory may fill its last cluster
	}
	if err == nil && !found {
		err = fmt.Errorf("%w: %s", ErrNone, name)
	}
	return cluster, size, err
}

// longParts are the entries of a long name, which stand before that of the file, its end first (section 7).
type longParts struct {
	text []uint16
	sum  byte
}

func (l *longParts) add(e []byte) {
	const firstOne = 0x40
	if e[0]&firstOne != 0 {
		*l = longParts{sum: e[13]}
	}
	if e[13] != l.sum || len(l.text) > 255 {
		*l = longParts{}
		return
	}
	var part []uint16
	for _, field := range [][2]int{{1, 11}, {14, 26}, {28, 32}} {
		for i := field[0]; i < field[1]; i += 2 {
			part = append(part, binary.LittleEndian.Uint16(e[i:]))
		}
	}
	l.text = append(part, l.text...)
}

// name is the long name, if its parts belong to the short one.
func (l *longParts) name(short []byte) string {
	var sum byte
	for _, c := range short {
		sum = sum>>1 | sum<<7
		sum += c
	}
	if len(l.text) == 0 || sum != l.sum {
		return ""
	}
	text := l.text
	for i, c := range text {
		if c == 0 {
			text = text[:i]
			break
		}
	}
	return string(utf16.Decode(text))
}

// shortName is a name of eight and three characters as people write it.
func shortName(b []byte) string {
	base, ext := strings.TrimRight(string(b[:8]), " "), strings.TrimRight(string(b[8:]), " ")
	if ext == "" {
		return base
	}
	return base + "." + ext
}

// Used is the length of the file system up to the end of its last used cluster, in bytes: what follows is of no
// meaning.
func (v *Volume) Used() (int64, error) {
	const block = 64 << 10
	b := make([]byte, block)
	end := v.data
	for first := uint32(0); first < v.count+2; first += block / 4 {
		n := min(block, int(v.count+2-first)*4)
		if _, err := v.r.ReadAt(b[:n], v.table+int64(first)*4); err != nil {
			return 0, fmt.Errorf("fat: %w", err)
		}
		for i := 0; i < n; i += 4 {
			cluster := first + uint32(i/4)
			if cluster >= 2 && binary.LittleEndian.Uint32(b[i:])&clusters != 0 {
				end = v.data + int64(cluster-1)*v.cluster
			}
		}
	}
	return end, nil
}
