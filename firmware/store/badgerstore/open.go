package badgerstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/pronto-pbx/pronto/firmware/durable"
	"github.com/pronto-pbx/pronto/firmware/store"
	"golang.org/x/sys/unix"
)

// Config says where the records lie and how much they may use. The zero sizes suit a Pi.
type Config struct {
	Dir        string
	Backups    string // directory of the backups; better on another disk; default Dir/backups
	MemTable   int64  // bytes; default 8 MiB
	ValueLog   int64  // bytes; default 16 MiB
	BlockCache int64  // bytes; default 8 MiB
	Reserve    int64  // bytes of the reserve file; default 32 MiB
	Log        *slog.Logger

	files durable.FileSystem // where the backups lie; nil: durable.Disk
}

func (c *Config) setDefaults() {
	c.Backups = cmp.Or(c.Backups, filepath.Join(c.Dir, "backups"))
	c.MemTable = cmp.Or(c.MemTable, 8<<20)
	c.ValueLog = cmp.Or(c.ValueLog, 16<<20)
	c.BlockCache = cmp.Or(c.BlockCache, 8<<20)
	c.Reserve = cmp.Or(c.Reserve, 32<<20)
	c.Log = cmp.Or(c.Log, slog.Default())
	if c.files == nil {
		c.files = durable.Disk{}
	}
}

// ErrDamaged says that the open database is damaged: close it and open it again, which rebuilds it.
var ErrDamaged = errors.New("the records are damaged")

// maxInline is the largest value kept beside its key; larger ones go to the value log.
const maxInline = 64 << 10

// maxOpenings is how often opening may end in the death of the process before the database, and
// not the disk, is taken to be the reason.
const maxOpenings = 3

// Open opens the records, making them when there are none. store.ErrFull means: try again when
// there is room. A damaged database is moved aside and rebuilt from the last good backup; what
// came after that must be ingested again, from Committed on. Status tells of it.
func Open(cfg Config) (*DB, error) {
	cfg.setDefaults()
	disk, err := openDisk(cfg.Dir, cfg.Reserve)
	if err != nil {
		return nil, err
	}
	d := &DB{cfg: cfg, disk: disk}
	if err := d.open(); err != nil {
		_ = disk.unlock()
		return nil, err
	}
	return d, nil
}

func (d *DB) open() error {
	// Opening flushes what the last process had only in its write-ahead log.
	if err := d.disk.roomFor(3*d.cfg.MemTable, "opening the records"); err != nil {
		_ = d.setOpenings(0) // whoever died here before, died of the full disk
		return err
	}
	if err := d.settleExchange(); err != nil {
		return err
	}
	for _, sub := range []string{d.dataDir(), d.cfg.Backups} {
		if err := os.MkdirAll(sub, 0o700); err != nil {
			return diskError("make directory of the records", err)
		}
	}
	d.last = newestBackup(d.cfg.files, d.cfg.Backups)
	tries := d.openings()
	if err := d.setOpenings(tries + 1); err != nil {
		return err
	}
	var damage error
	if tries >= maxOpenings {
		damage = fmt.Errorf("%d processes died while opening it", tries)
	} else {
		damage = d.openData()
	}
	switch {
	case damage == nil:
	case notDamage(damage):
		_ = d.setOpenings(tries)
		return fmt.Errorf("open records: %w", damage)
	default:
		if err := d.rebuild(damage); err != nil {
			return fmt.Errorf("rebuild records: %w", err)
		}
	}
	_ = d.disk.guard() // for the reserve; whether writing is safe is asked again at each write
	if err := d.setOpenings(0); err != nil {
		return err
	}
	if err := errors.Join(d.sumAgain(context.Background()), d.sumLinesAgain(context.Background())); err != nil { // the records stand; the next opening tries again
		d.cfg.Log.Error("reports lack what was recorded before", "error", err)
	}
	return nil
}

// errMissing is what a restored box meets: backups of the records, and no records.
var errMissing = errors.New("it is empty, but there is a backup of it")

func (d *DB) dataDir() string { return filepath.Join(d.cfg.Dir, "badger") }

// openData opens Badger and reads the mark. Any error that is not of the disk means damage.
func (d *DB) openData() error {
	var bdb *badger.DB
	err := unfaulted(func() (err error) {
		bdb, err = badger.Open(d.options(d.dataDir()).WithSyncWrites(true))
		return err
	})
	if err != nil {
		return err
	}
	err = unfaulted(func() error {
		return bdb.View(func(txn *badger.Txn) error {
			text, err := lookup(txn, markKey)
			if err != nil {
				return err
			}
			d.mark = mark{}
			if text != "" {
				if err := json.Unmarshal([]byte(text), &d.mark); err != nil {
					return err
				}
			}
			if d.rebuilt, err = lookup(txn, noteKey); err != nil {
				return err
			}
			at, err := lookup(txn, noteAtKey)
			if n, bad := strconv.ParseInt(at, 10, 64); bad == nil {
				d.rebuiltAt = time.Unix(n, 0)
			}
			return err
		})
	})
	if err == nil && d.last != nil && d.last.Journal == d.mark.Journal && d.mark.Pos < d.last.Pos {
		err = fmt.Errorf("it ends at position %d, before its own backup at %d", d.mark.Pos, d.last.Pos)
	}
	if err == nil && d.last != nil && d.last.Journal != 0 && d.mark.Journal == 0 {
		err = errMissing
	}
	if err != nil {
		return errors.Join(err, unfaulted(bdb.Close))
	}
	d.bdb = bdb
	return nil
}

// options are Badger's, sized for a Pi: every table is verified when it is opened, because a
// damaged block would otherwise only shorten a list.
func (d *DB) options(dir string) badger.Options {
	return badger.DefaultOptions(dir).
		WithMemTableSize(d.cfg.MemTable).WithNumMemtables(2).
		WithValueLogFileSize(d.cfg.ValueLog).WithValueThreshold(maxInline).
		WithBlockCacheSize(d.cfg.BlockCache).
		WithNumCompactors(2).WithNumGoroutines(2).
		WithChecksumVerificationMode(options.OnTableAndBlockRead).
		WithDetectConflicts(false).WithMetricsEnabled(false).
		WithLogger(logger{d.cfg.Log})
}

// notDamage reports whether an error has its reason outside the database.
func notDamage(err error) bool {
	for _, other := range []error{
		unix.ENOSPC, unix.EDQUOT, unix.EACCES, unix.EPERM, unix.EROFS, unix.EMFILE, unix.ENFILE, unix.ENOMEM, store.ErrFull,
	} {
		if errors.Is(err, other) {
			return true
		}
	}
	return false
}

// rebuild moves the damaged database aside and makes a new one from the newest backup that is whole.
func (d *DB) rebuild(damage error) error {
	aside := filepath.Join(d.cfg.Dir, "damaged-"+time.Now().UTC().Format("20060102T150405.000000000"))
	found := fmt.Sprintf("damaged (%v)", damage)
	if errors.Is(damage, errMissing) {
		found = "missing"
		d.cfg.Log.Warn("records are missing, making them from their backup")
	} else {
		d.cfg.Log.Error("records are damaged, rebuilding them", "damage", damage, "aside", aside)
	}
	old, err := filepath.Glob(filepath.Join(d.cfg.Dir, "damaged-*"))
	if err != nil {
		return err
	}
	for _, path := range old { // one is kept for those who want to know; more would fill the disk
		_ = os.RemoveAll(path)
	}
	if err := os.Rename(d.dataDir(), aside); err != nil && !errors.Is(err, os.ErrNotExist) {
		return diskError("move damaged records aside", err)
	}
	note := ""
	backups := allBackups(d.cfg.files, d.cfg.Backups)
	d.last = nil
	for _, m := range slices.Backward(backups) {
		err := d.restore(m)
		if err == nil {
			d.last = &m
			note = fmt.Sprintf("restored the backup of %s; what came after it is taken from the journal", m.At.Format(time.RFC3339))
			break
		}
		if notDamage(err) {
			return err
		}
		d.cfg.Log.Error("backup cannot be used", "backup", m.File, "error", err)
		_ = os.RemoveAll(d.dataDir())
	}
	if note == "" {
		note = "no usable backup; only what the journal still holds is there"
		if err := os.MkdirAll(d.dataDir(), 0o700); err != nil {
			return diskError("make directory of the records", err)
		}
		for _, m := range backups { // else the empty database would count as damaged at the next start
			_ = os.Rename(m.manifestPath(d.cfg.Backups), m.manifestPath(d.cfg.Backups)+".unusable")
		}
		if err := d.openData(); err != nil {
			return err
		}
	}
	d.rebuiltAt = time.Now()
	d.rebuilt = fmt.Sprintf("on %s the records were found %s: %s", d.rebuiltAt.UTC().Format(time.RFC3339), found, note)
	return unfaulted(func() error {
		return d.bdb.Update(func(txn *badger.Txn) error {
			at := strconv.FormatInt(d.rebuiltAt.Unix(), 10)
			return errors.Join(txn.Set([]byte(noteKey), []byte(d.rebuilt)), txn.Set([]byte(noteAtKey), []byte(at)))
		})
	})
}

// openings counts the processes that began to open the database and did not get through.
func (d *DB) openings() int {
	text, err := os.ReadFile(filepath.Join(d.cfg.Dir, "opening"))
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return n
}

func (d *DB) setOpenings(n int) error {
	path := filepath.Join(d.cfg.Dir, "opening")
	if n == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return diskError("note the opening", err)
		}
		return nil
	}
	return diskErrorOrNil("note the opening", os.WriteFile(path, []byte(strconv.Itoa(n)), 0o600))
}

func diskErrorOrNil(doing string, err error) error {
	if err == nil {
		return nil
	}
	return diskError(doing, err)
}
