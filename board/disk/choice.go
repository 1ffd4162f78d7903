package disk

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pronto-pbx/pronto/images/choice"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/images/mbr"
	"golang.org/x/sys/unix"
)

// ReadChoice reads what the card's boot loader starts.
func ReadChoice(c Card) (choice.Choice, error) {
	f, err := os.Open(c.Disk)
	if err != nil {
		return choice.Choice{}, fmt.Errorf("choice: %w", err)
	}
	defer f.Close()
	at, err := choiceAt(f, c)
	if err != nil {
		return choice.Choice{}, err
	}
	b := make([]byte, choice.Size)
	if _, err := f.ReadAt(b, at); err != nil {
		return choice.Choice{}, fmt.Errorf("choice: %w", err)
	}
	return choice.Decode(b)
}

// WriteChoice has the card's boot loader start something else from now on, by the write of one sector, and
// reads it back. The partition with it is mounted by nobody.
func WriteChoice(c Card, to choice.Choice) error {
	f, err := os.OpenFile(c.Disk, os.O_RDWR|unix.O_SYNC, 0)
	if err != nil {
		return fmt.Errorf("choice: %w", err)
	}
	at, err := choiceAt(f, c)
	if err == nil {
		_, err = f.WriteAt(choice.Encode(to), at)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("choice: %w", err)
	}
	if got, err := ReadChoice(c); err != nil || got != to {
		return errors.Join(fmt.Errorf("choice: wrote %+v and read %+v", to, got), err)
	}
	return nil
}

func choiceAt(f *os.File, c Card) (int64, error) {
	p := c.Table.Partitions[layout.Select-1]
	begin := int64(p.Start) * mbr.Sector
	at, err := choice.Find(io.NewSectionReader(f, begin, int64(p.Length)*mbr.Sector))
	return begin + at, err
}
