package disk

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/images/mbr"
	"golang.org/x/sys/unix"
)

// Extend gives the data's partition the rest of the card: in the table, by the write of one sector, and in
// the kernel. It does nothing where that is done, so a power cut at any moment does no harm. It tells
// whether there was something to do.
func Extend(c *Card) (bool, error) {
	grown, ok := mbr.Grown(c.Table, layout.Data, c.Sectors)
	if !ok {
		return false, nil
	}
	f, err := os.OpenFile(c.Disk, os.O_RDWR|unix.O_SYNC, 0)
	if err != nil {
		return false, fmt.Errorf("extend the data: %w", err)
	}
	defer f.Close()
	sector := mbr.Encode(grown)
	if _, err := f.WriteAt(sector[:], 0); err != nil {
		return false, fmt.Errorf("extend the data: write the table: %w", err)
	}
	if err := tellKernel(f, grown.Partitions[layout.Data-1]); err != nil {
		return false, fmt.Errorf("extend the data: %w", err)
	}
	c.Table = grown
	return true, nil
}

// Of <linux/blkpg.h>.
const (
	blkpg                = 0x1269
	blkpgResizePartition = 3
)

type blkpgPartition struct {
	start, length int64 // in bytes
	number        int32
	_, _          [64]byte // names of the device and the volume
}

type blkpgArg struct {
	op, flags, length int32
	data              *blkpgPartition
}

func tellKernel(f *os.File, p mbr.Partition) error {
	part := blkpgPartition{start: int64(p.Start) * mbr.Sector, length: int64(p.Length) * mbr.Sector, number: layout.Data}
	arg := blkpgArg{op: blkpgResizePartition, length: int32(unsafe.Sizeof(part)), data: &part}
	return control(f, blkpg, unsafe.Pointer(&arg), "tell the kernel of the larger partition")
}

// ext4Resize is EXT4_IOC_RESIZE_FS, _IOW('f', 16, __u64).
const ext4Resize = 0x40086610

// block is that of the data's file system, in bytes.
const block = 4096

// Fill lets the mounted file system at dir grow into its partition. It may take seconds on a large card;
// the file system can be used meanwhile, and a power cut leaves it at a size between.
func Fill(c Card, dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("fill the partition: %w", err)
	}
	defer f.Close()
	blocks := uint64(c.Table.Partitions[layout.Data-1].Length) * mbr.Sector / block
	return control(f, ext4Resize, unsafe.Pointer(&blocks), "fill the partition")
}

func control(f *os.File, request uintptr, arg unsafe.Pointer, what string) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(arg)); errno != 0 {
			failed = errno
		}
	})
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
