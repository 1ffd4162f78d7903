package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/board/disk"
	"github.com/pronto-pbx/pronto/images/recipe"
	"golang.org/x/sys/unix"
)

// resetIfAsked erases the mounted data if somebody asked for it, and mounts what is new in its place.
func resetIfAsked(log *slog.Logger, c disk.Card, feed func()) error {
	by, asked, err := disk.ResetAsked(dataDir)
	if err != nil || !asked {
		return err
	}
	if err := disk.Condemn(c, dataDir, by, time.Now()); err != nil {
		// Half of an erasure would be worse than none: the owner's data is whole still.
		log.Error("the factory reset is not begun, and is tried again at the next start", "err", err)
		return nil
	}
	if err := unix.Unmount(dataDir, 0); err != nil {
		return fmt.Errorf("factory reset: %w", err)
	}
	if err := renewCondemned(log, c, feed); err != nil {
		return err
	}
	_, err = disk.Mount(c, dataDir)
	return err
}

// renewCondemned erases the data of a card whose plate says so, and makes it as new. The watchdog is fed
// while that goes on; a power cut only means that the next start does it.
func renewCondemned(log *slog.Logger, c disk.Card, feed func()) error {
	plate, condemned := disk.Condemned(c)
	if !condemned {
		return nil
	}
	log.Warn("factory reset: the data is erased", "card", c.Disk)
	seed, err := os.Open(filepath.Join(shareDir, recipe.Seed))
	if err != nil {
		return fmt.Errorf("factory reset: %w", err)
	}
	defer seed.Close()
	tenth := int64(0)
	err = disk.Renew(c, seed, func(done, of int64) {
		feed()
		if now := done * 10 / of; now > tenth {
			tenth = now
			log.Info("factory reset", "done", fmt.Sprintf("%d %%", now*10))
		}
	})
	if err != nil {
		return fmt.Errorf("factory reset: %w", err)
	}
	where, err := disk.Mount(c, dataDir)
	if err != nil || where != disk.OnCard {
		return errors.Join(fmt.Errorf("factory reset: the new data cannot be used"), err)
	}
	if err := errors.Join(disk.Reprieve(c, dataDir, plate), unix.Unmount(dataDir, 0)); err != nil {
		return fmt.Errorf("factory reset: %w", err)
	}
	log.Warn("factory reset: nothing of the owner is left", "asked_by", plate.Resets[len(plate.Resets)-1].By)
	return nil
}
