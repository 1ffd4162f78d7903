// Package layout is the map of the card: which partition lies where and what it is for. The builder writes
// by it and the first program of the box finds its data by it.
package layout

import "github.com/pronto-pbx/pronto/images/mbr"

// DiskID is the signature in the partition table by which the box knows its own card among other disks.
// Every box has the same, so that images are alike; two cards in one box are told apart by their kind.
const DiskID = 0x50524F4E

// The partitions, numbered as the kernel numbers them.
const (
	Select = 1 // FAT32: autoboot.txt, which chooses the slot
	SlotA  = 2 // FAT32: a whole system
	SlotB  = 3 // FAT32: another one, empty until the first update
	Data   = 4 // ext4: all that a box knows, to the end of the card
)

// MiB is 2^20 bytes.
const MiB = 1 << 20

// Sizes in bytes. Slots never grow, so they have room to spare; DataSize is what an image has, the box
// itself takes the rest of the card.
const (
	Align      = 4 * MiB // an erase block of a card
	SelectSize = 128 * MiB
	SlotSize   = 256 * MiB
	DataSize   = 64 * MiB
	ImageSize  = Align + SelectSize + 2*SlotSize + DataSize
)

// SelectCluster and SlotCluster are the sectors in one cluster: few enough that a file system has more
// than the 65,524 clusters above which it is FAT32. The boot loader takes one with fewer for FAT16.
const (
	SelectCluster = 1
	SlotCluster   = 4
)

// Table is the partition table of an image.
func Table() mbr.Table {
	const at = Align / mbr.Sector
	return mbr.Table{Disk: DiskID, Partitions: [4]mbr.Partition{
		{Type: mbr.FAT32, Start: at, Length: SelectSize / mbr.Sector},
		{Type: mbr.FAT32, Start: at + SelectSize/mbr.Sector, Length: SlotSize / mbr.Sector},
		{Type: mbr.FAT32, Start: at + (SelectSize+SlotSize)/mbr.Sector, Length: SlotSize / mbr.Sector},
		{Type: mbr.Linux, Start: at + (SelectSize+2*SlotSize)/mbr.Sector, Length: DataSize / mbr.Sector},
	}}
}

// Offset is where partition n (1 to 4) begins in an image, in bytes.
func Offset(n int) int64 { return int64(Table().Partitions[n-1].Start) * mbr.Sector }

// PlateSize is the length of a box's plate, in bytes: what it knows of itself outside of its data. It has two
// copies, in the gap before the first partition, in different erase blocks of most cards.
const PlateSize = 64 << 10

// Plates is where the copies lie on the card, in bytes.
var Plates = [2]int64{1 * MiB, 2 * MiB}
