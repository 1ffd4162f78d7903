// Package card puts an image together: the partition table and the four partitions, as one file that is
// written to a card as it is.
package card

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pronto-pbx/pronto/images/ext4"
	"github.com/pronto-pbx/pronto/images/fat"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/images/mbr"
	"github.com/pronto-pbx/pronto/images/vfat"
)

// home are the directories that the data partition has from the start.
var home = []string{"pronto"}

// dataUUID names the file system of the data. Like the disk's id it is the same on every card.
const dataUUID = "50524f4e-0004-4000-8000-000000000004"

// Write makes an image at to from the files of the first partition and of slot A. Slot B is empty: the first
// update fills it.
func Write(ctx context.Context, to string, first, slot []fat.File) error {
	work, err := os.MkdirTemp("", "card-")
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	defer os.RemoveAll(work)
	part := func(n int) string { return filepath.Join(work, fmt.Sprint(n)) }
	if err := fat.Make(ctx, part(layout.Select), fat.Spec{
		Label: "PRONTO", ID: layout.DiskID + layout.Select, Size: layout.SelectSize, Cluster: layout.SelectCluster, Files: first,
	}); err != nil {
		return err
	}
	if err := makeSlot(ctx, part(layout.SlotA), slot); err != nil {
		return err
	}
	if err := makeData(ctx, part(layout.Data)); err != nil {
		return err
	}
	return join(to, map[int]string{layout.Select: part(layout.Select), layout.SlotA: part(layout.SlotA), layout.Data: part(layout.Data)})
}

// makeSlot makes the file system of a slot. It has no letter in its name: the same bytes fit both slots.
func makeSlot(ctx context.Context, to string, files []fat.File) error {
	return fat.Make(ctx, to, fat.Spec{Label: "PRONTO-SLOT", ID: layout.DiskID + layout.SlotA, Size: layout.SlotSize, Cluster: layout.SlotCluster, Files: files})
}

// WriteSlot writes what a release has for the slots of boxes: their file system from its first byte to the end of its
// last used cluster, and returns how long that is.
func WriteSlot(ctx context.Context, to string, files []fat.File) (size int64, err error) {
	if err := makeSlot(ctx, to, files); err != nil {
		return 0, err
	}
	f, err := os.OpenFile(to, os.O_RDWR, 0)
	if err != nil {
		return 0, fmt.Errorf("slot: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	v, err := vfat.Open(f)
	if err != nil {
		return 0, fmt.Errorf("slot: %w", err)
	}
	if size, err = v.Used(); err != nil {
		return 0, fmt.Errorf("slot: %w", err)
	}
	if err := f.Truncate(size); err != nil {
		return 0, fmt.Errorf("slot: %w", err)
	}
	return size, nil
}

func makeData(ctx context.Context, to string) error {
	return ext4.Make(ctx, to, ext4.Spec{Label: "PRONTO-DATA", UUID: dataUUID, Size: layout.DataSize, Dirs: home})
}

// Seed is the file system of a new card's data, gzipped: a factory reset makes the data anew from it.
func Seed(ctx context.Context) ([]byte, error) {
	work, err := os.MkdirTemp("", "seed-")
	if err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	defer os.RemoveAll(work)
	at := filepath.Join(work, "data")
	if err := makeData(ctx, at); err != nil {
		return nil, err
	}
	if _, err := Compress(at, at+".gz"); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(at + ".gz")
	if err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	return b, nil
}

func join(to string, parts map[int]string) (err error) {
	out, err := os.Create(to)
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	table := mbr.Encode(layout.Table())
	if _, err := out.WriteAt(table[:], 0); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	for n, from := range parts {
		if err := copySparse(out, layout.Offset(n), from); err != nil {
			return fmt.Errorf("image: partition %d: %w", n, err)
		}
	}
	if err := out.Truncate(layout.ImageSize); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	return nil
}

// copySparse leaves out what is zero, so that an image takes no more room than what is in it.
func copySparse(to io.WriterAt, at int64, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	block, zero := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(in, block)
		if n > 0 && !bytes.Equal(block[:n], zero[:n]) {
			if _, err := to.WriteAt(block[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// Compress packs an image with gzip, which every program that writes cards unpacks, and returns its length.
func Compress(from, to string) (size int64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, fmt.Errorf("compress: %w", err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return 0, fmt.Errorf("compress: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w, err := gzip.NewWriterLevel(out, gzip.DefaultCompression)
	if err != nil {
		return 0, fmt.Errorf("compress: %w", err)
	}
	if _, err := io.Copy(w, in); err != nil {
		return 0, fmt.Errorf("compress: %w", err)
	}
	if err := w.Close(); err != nil {
		return 0, fmt.Errorf("compress: %w", err)
	}
	info, err := out.Stat()
	if err != nil {
		return 0, fmt.Errorf("compress: %w", err)
	}
	return info.Size(), nil
}

// Put writes a file into the data partition of an image, or of a card: name is its path below /data.
func Put(ctx context.Context, image, name, from string) error {
	f, err := os.Open(image)
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	first := make([]byte, mbr.Sector)
	_, err = io.ReadFull(f, first)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	table, err := mbr.Decode(first)
	if err == nil && table.Disk != layout.DiskID {
		err = fmt.Errorf("its disk id is %08x, not %08x", table.Disk, uint32(layout.DiskID))
	}
	if err != nil {
		return fmt.Errorf("%s is no image of Pronto: %w", image, err)
	}
	return ext4.Put(ctx, image, int64(table.Partitions[layout.Data-1].Start)*mbr.Sector, name, from)
}
