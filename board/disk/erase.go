package disk

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"github.com/pronto-pbx/pronto/images/layout"
)

// Of <linux/fs.h>: BLKDISCARD is _IO(0x12, 119), BLKFLSBUF _IO(0x12, 97).
const (
	blkDiscard  = 0x1277
	blkFlushBuf = 0x1261
)

// piece is how much is read and written at once, in bytes.
const piece = 4 << 20

// Erase makes every byte of a partition blank: the card is told to discard all of it, then all is read, and
// what is not blank is overwritten with zeros. So afterwards no command reads anything of before. What a card
// keeps in flash that it has taken out of use nobody can reach by its commands, nor erase.
//
// progress is called after each piece with what is done, in bytes. It may take minutes on a large card.
func Erase(device string, progress func(done, of int64)) error {
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	discard(f, size)
	b, blank := make([]byte, piece), make([]byte, piece)
	for at := int64(0); at < size; {
		n := min(piece, size-at)
		if _, err := f.ReadAt(b[:n], at); err != nil {
			return fmt.Errorf("erase: read at %d: %w", at, err)
		}
		if !bytes.Equal(b[:n], blank[:n]) {
			if _, err := f.WriteAt(blank[:n], at); err != nil {
				return fmt.Errorf("erase: write at %d: %w", at, err)
			}
		}
		at += n
		progress(at, size)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	return nil
}

// discard tells the card that nothing of the partition is needed any more. One that cannot be told is
// overwritten by Erase all the same.
func discard(f *os.File, size int64) {
	window := [2]uint64{0, uint64(size)}
	_ = control(f, blkDiscard, unsafe.Pointer(&window), "discard")
	// What was read before must not stand in for what the card says now.
	_ = control(f, blkFlushBuf, nil, "forget what was read")
}

// errSeed is returned for a seed that fits no partition.
var errSeed = errors.New("the seed of the data has not the size of an image's")

// Sow writes the file system of a new image, gzipped, into an erased partition; it grows at the next start.
func Sow(device string, seed io.Reader) error {
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("new file system: %w", err)
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(seed)
	if err != nil {
		return fmt.Errorf("new file system: %w", err)
	}
	b, blank := make([]byte, piece), make([]byte, piece)
	at := int64(0)
	for at < layout.DataSize {
		n, err := io.ReadFull(unpacked, b)
		if n > 0 && !bytes.Equal(b[:n], blank[:n]) { // the rest is blank already
			if _, err := f.WriteAt(b[:n], at); err != nil {
				return fmt.Errorf("new file system: %w", err)
			}
		}
		at += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		} else if err != nil {
			return fmt.Errorf("new file system: %w", err)
		}
	}
	if at != layout.DataSize {
		return fmt.Errorf("%w: %d", errSeed, at)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("new file system: %w", err)
	}
	return nil
}

// Renew erases the condemned data of a card and makes a new file system there. After a power cut it is to be
// called again.
func Renew(c Card, seed io.Reader, progress func(done, of int64)) error {
	if err := Erase(c.Data, progress); err != nil {
		return err
	}
	return Sow(c.Data, seed)
}
