package choice

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Of Microsoft's specification of FAT, sections 3.1 and 6.
const (
	sector    = 512
	entrySize = 32
	volumeBit = 0x08 // set in volume labels and in the parts of long names
)

// shortName is File in a directory: padded, without the point.
const shortName = "AUTOBOOTTXT"

// Find tells where the sector lies, in bytes from the beginning of the FAT32 file system that r reads. It
// looks into the first cluster of the root directory only: the builder of the image writes the file first.
func Find(r io.ReaderAt) (int64, error) {
	boot := make([]byte, sector)
	if _, err := r.ReadAt(boot, 0); err != nil {
		return 0, fmt.Errorf("first partition: %w", err)
	}
	u16, u32 := binary.LittleEndian.Uint16, binary.LittleEndian.Uint32
	if boot[510] != 0x55 || boot[511] != 0xAA || u16(boot[11:]) != sector || boot[13] == 0 || u16(boot[22:]) != 0 {
		return 0, fmt.Errorf("%w: the first partition is no FAT32", ErrDamaged)
	}
	perCluster := int64(boot[13])
	data := int64(u16(boot[14:])) + int64(boot[16])*int64(u32(boot[36:]))
	at := func(cluster uint32) int64 { return (data + (int64(cluster)-2)*perCluster) * sector }
	root := u32(boot[44:])
	if root < 2 {
		return 0, fmt.Errorf("%w: the first partition has no root directory", ErrDamaged)
	}
	dir := make([]byte, perCluster*sector)
	if _, err := r.ReadAt(dir, at(root)); err != nil {
		return 0, fmt.Errorf("first partition: %w", err)
	}
	for e := dir; len(e) >= entrySize && e[0] != 0; e = e[entrySize:] {
		if string(e[:11]) != shortName || e[11]&volumeBit != 0 {
			continue
		}
		cluster := uint32(u16(e[20:]))<<16 | uint32(u16(e[26:]))
		if u32(e[28:]) != Size || cluster < 2 {
			return 0, fmt.Errorf("%w: %s is not one sector", ErrDamaged, File)
		}
		return at(cluster), nil
	}
	return 0, fmt.Errorf("%w: the first partition has no %s", ErrDamaged, File)
}
