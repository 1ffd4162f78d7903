package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/board/disk"
	"github.com/pronto-pbx/pronto/board/identity"
	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/images/imprint"
	"golang.org/x/sys/unix"
)

// cardTime is how long the kernel may take to find the card.
const cardTime = 15 * time.Second

// openData finds and mounts the data, erases it first if that was asked for, and makes what a first start
// needs. A box without a card that can be written works too, until it is switched off.
func openData(log *slog.Logger, feed func()) (disk.Card, disk.Where, error) {
	c, err := findCard(feed)
	if err != nil {
		log.Error("no card: the data lies in memory and is lost when the box is switched off", "err", err)
		return c, disk.InMemory, errors.Join(disk.MountNothing(dataDir), prepare(log))
	}
	switch grown, err := disk.Extend(&c); {
	case err != nil:
		log.Error("the data does not get the rest of the card", "err", err)
	case grown:
		log.Info("the data gets the rest of the card", "card", c.Disk)
	}
	if err := renewCondemned(log, c, feed); err != nil {
		return c, "", err
	}
	where, err := disk.Mount(c, dataDir)
	if err != nil {
		log.Error("the data lies in memory: what is changed is lost when the box is switched off", "err", err)
	}
	if where == disk.OnCard {
		if err := resetIfAsked(log, c, feed); err != nil {
			return c, where, err
		}
		if err := disk.Engrave(c, dataDir); err != nil {
			log.Error("the card does not know whose it is when its data is lost", "err", err)
		}
	}
	return c, where, prepare(log)
}

// state is where the programs of a box keep what a backup holds.
func state() backup.Source {
	return backup.Source{Dir: officeDir, Config: filepath.Join(officeDir, "pronto.yaml"), Records: recordsDir}
}

// findCard looks until the card is there. The watchdog, which waits no longer than this, is fed meanwhile.
func findCard(feed func()) (c disk.Card, err error) {
	for begun := time.Now(); time.Since(begun) < cardTime; time.Sleep(50 * time.Millisecond) {
		feed()
		if c, err = disk.Find("/sys/class/block", "/dev"); err == nil {
			return c, nil
		}
	}
	return c, err
}

// prepare makes the directories of the programs, puts in place what was restored and, on the first start, an
// empty office.
func prepare(log *slog.Logger) error {
	for _, dir := range []string{officeDir, hotDir, recordsDir} {
		if err := directory(dir); err != nil {
			return fmt.Errorf("data: %w", err)
		}
	}
	if err := unix.Mount("tmpfs", hotDir, "tmpfs", bare, "mode=0700,size=128m"); err != nil {
		return fmt.Errorf("mount %s: %w", hotDir, err)
	}
	office := filepath.Join(officeDir, "pronto.yaml")
	if chapters, err := backup.Apply(state()); err != nil {
		log.Error("what was to be restored is not, and is tried again at the next start", "err", err)
	} else if len(chapters) > 0 {
		log.Info("restored from a backup", "parts", chapters)
	}
	if _, err := os.Stat(office); err == nil {
		return nil
	}
	empty, err := os.ReadFile(filepath.Join(shareDir, "pronto.yaml"))
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	return replace(office, empty)
}

// replace writes a file that a power cut leaves whole or not there.
func replace(path string, b []byte) error {
	part := path + ".part"
	// In a directory of a service: what lies there is not followed.
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("data: %w", err)
	}
	f, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	return nil
}

// name gives the box its name in the network: the one that its owner has chosen, or that of its label.
func name(log *slog.Logger, chosen string) (id, host string) {
	who, made, err := identity.Load(filepath.Join(dataDir, identity.File))
	if err != nil {
		log.Error("the box has an id for this run only", "err", err)
	}
	host = cmp.Or(chosen, identity.Name(who.ID))
	if err := unix.Sethostname([]byte(host)); err != nil {
		log.Warn("the box has no name", "err", err)
	}
	log.Info("box", "id", who.ID, "name", host, "new", made)
	return who.ID, host
}

// readRelease reads what this system says of itself.
func readRelease() (i imprint.Imprint, err error) {
	b, err := os.ReadFile(filepath.Join(shareDir, imprint.File))
	if err == nil {
		i, err = imprint.Decode(b)
	}
	if err != nil {
		return i, fmt.Errorf("release: %w", err)
	}
	return i, nil
}
