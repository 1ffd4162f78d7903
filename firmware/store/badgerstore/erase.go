package badgerstore

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/pronto-pbx/pronto/firmware/durable"
	"github.com/pronto-pbx/pronto/firmware/erasure"
	"github.com/pronto-pbx/pronto/firmware/store"
)

// erasedKeys are the erasures that the records have been gone over for. They lie in the database itself: one that is
// rebuilt from an older backup does not have them.
const erasedKeys = "m/erased/"

// The database beside the one in use, while persons are erased.
const (
	cleaned = ".erased" // the new one, whole once it has this name
	half    = ".erasing"
	soiled  = ".old"
)

// Owing are the erasures of a list for which the records have not been gone over: those that have ended.
func (d *DB) Owing(l erasure.List) (owing erasure.List, err error) {
	err = unfaulted(func() error {
		return d.bdb.View(func(txn *badger.Txn) error {
			for _, e := range l {
				done, err := lookup(txn, erasedKeys+e.ID)
				if err != nil {
					return err
				}
				if done == "" && !e.Until.IsZero() {
					owing = append(owing, e)
				}
			}
			return nil
		})
	})
	return owing, err
}

// Erase makes the records forget the persons of a list that Owing returned. A database keeps what was overwritten, so
// all that stays is copied into a new one; then a new backup takes the place of all that hold what is erased. Nobody
// else uses d meanwhile. After an error d is closed, and opened again it is as before or as after; Erase is then tried
// again.
func (d *DB) Erase(ctx context.Context, owing erasure.List, now time.Time) error {
	if len(owing) == 0 {
		return nil
	}
	lsm, _ := d.bdb.Size()
	if err := d.disk.roomFor(4*lsm+4*d.cfg.MemTable, "erasing a person"); err != nil {
		return err
	}
	if err := d.copyWithout(ctx, owing.Match()); err != nil {
		return fmt.Errorf("erase from the records: %w", err)
	}
	if err := d.exchange(); err != nil {
		return fmt.Errorf("erase from the records: %w", err)
	}
	if _, err := d.Backup(ctx, now); err != nil {
		return fmt.Errorf("erase from the records: %w", err)
	}
	if err := d.dropOlder(); err != nil {
		return fmt.Errorf("erase from the backups of the records: %w", err)
	}
	return d.write(func(txn *badger.Txn) error {
		for _, e := range owing {
			if err := txn.Set([]byte(erasedKeys+e.ID), []byte(now.UTC().Format(time.RFC3339))); err != nil {
				return err
			}
		}
		return nil
	})
}

// copyWithout makes the new database.
func (d *DB) copyWithout(ctx context.Context, m *erasure.Match) error {
	dir := d.dataDir() + half
	if err := errors.Join(os.RemoveAll(dir), os.RemoveAll(d.dataDir()+cleaned)); err != nil {
		return diskError("make room for the new records", err)
	}
	err := unfaulted(func() error {
		to, err := badger.Open(d.options(dir).WithSyncWrites(false))
		if err != nil {
			return err
		}
		out := to.NewWriteBatch()
		err = d.bdb.View(func(txn *badger.Txn) error {
			it := txn.NewIterator(badger.DefaultIteratorOptions)
			defer it.Close()
			for it.Rewind(); it.Valid(); it.Next() {
				if err := ctx.Err(); err != nil {
					return err
				}
				key := it.Item().KeyCopy(nil)
				value, err := it.Item().ValueCopy(nil)
				if err != nil {
					return err
				}
				if err := copyRow(out, m, key, value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			out.Cancel()
		} else {
			err = out.Flush()
		}
		return errors.Join(err, to.Sync(), to.Close())
	})
	if err != nil {
		return diskError("copy the records", err)
	}
	return diskErrorOrNil("name the new records", errors.Join(os.Rename(dir, d.dataDir()+cleaned), durable.Disk{}.SyncDir(d.cfg.Dir)))
}

// copyRow copies one key, without the persons if it is a record.
func copyRow(out *badger.WriteBatch, m *erasure.Match, key, value []byte) error {
	name := string(key)
	switch {
	case strings.HasPrefix(name, missedIDs): // made of its row
		return nil
	case strings.HasPrefix(name, contactRows):
		return out.Set([]byte(forgotten(name, m)), value)
	case strings.HasPrefix(name, missedRows):
		value, _ = m.JSON(value, rowTime(name[len(missedRows):]))
		var row store.Missed
		if err := json.Unmarshal(value, &row); err != nil {
			return fmt.Errorf("read record: %w", err)
		}
		// Its number is in its keys.
		return errors.Join(out.Set([]byte(missedRows+row.SortKey()), value), out.Set([]byte(missedIDs+row.Identity()), []byte(row.SortKey())))
	}
	for _, rows := range []string{callRows, waitRows, textRows, callbackRows, intervalRows} {
		if sort, ok := strings.CutPrefix(name, rows); ok {
			value, _ = m.JSON(value, rowTime(sort))
		}
	}
	return out.Set(key, value)
}

// rowTime reads the moment off a sort key; zero where there is none.
func rowTime(key string) time.Time {
	if len(key) < 8 {
		return time.Time{}
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64([]byte(key[:8]))^1<<63))
}

// exchange puts the new database into the place of the old one, and opens it.
func (d *DB) exchange() error {
	if err := unfaulted(d.bdb.Close); err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(d.dataDir()+soiled), os.Rename(d.dataDir(), d.dataDir()+soiled)); err != nil {
		return diskError("put the old records aside", err)
	}
	if err := d.settleExchange(); err != nil {
		return err
	}
	return d.openData()
}

// settleExchange ends an exchange that a death may have cut in two: when there is no database but a new one beside its
// place, that is it.
func (d *DB) settleExchange() error {
	data := d.dataDir()
	_, gone := os.Stat(data)
	if _, err := os.Stat(data + cleaned); err == nil && errors.Is(gone, os.ErrNotExist) {
		if err := errors.Join(os.Rename(data+cleaned, data), durable.Disk{}.SyncDir(d.cfg.Dir)); err != nil {
			return diskError("put the new records in place", err)
		}
	}
	for _, left := range []string{half, cleaned, soiled} {
		if err := os.RemoveAll(data + left); err != nil {
			return diskError("remove the old records", err)
		}
	}
	return nil
}

// dropOlder removes all that was kept of the records but the newest backup.
func (d *DB) dropOlder() error {
	newest := d.last.File
	for _, of := range []string{filepath.Join(d.cfg.Backups, "*"), filepath.Join(d.cfg.Dir, "damaged-*")} {
		all, err := filepath.Glob(of)
		if err != nil {
			return err
		}
		for _, path := range all {
			if strings.HasPrefix(filepath.Base(path), newest) {
				continue
			}
			if err := os.RemoveAll(path); err != nil {
				return diskError("remove an old backup", err)
			}
		}
	}
	return diskErrorOrNil("sync backups", durable.Disk{}.SyncDir(d.cfg.Backups))
}
