package badgerstore

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/store"
)

// Manifest describes one verified backup.
type Manifest struct {
	V       int            `json:"v"`
	File    string         `json:"file"`
	Size    int64          `json:"size"`
	SHA256  string         `json:"sha256"`
	Journal uint64         `json:"journal"`
	Pos     store.Position `json:"pos"` // everything of the journal up to here is in it
	Calls   int            `json:"calls"`
	Waits   int            `json:"waits"`
	Texts   int            `json:"texts"`

	Callbacks int `json:"callbacks"`
	Missed    int `json:"missed"`
	Intervals int `json:"intervals"`

	At time.Time `json:"at"`
}

const (
	manifestVersion = 1
	keptBackups     = 2
)

func (m Manifest) manifestPath(dir string) string { return filepath.Join(dir, m.File+".json") }

// allBackups lists the verified backups in dir whose file is there, oldest first.
func allBackups(dir string) (all []Manifest) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		var m Manifest
		if err != nil || json.Unmarshal(text, &m) != nil || m.V != manifestVersion || filepath.Base(m.File) != m.File {
			continue
		}
		if st, err := os.Stat(filepath.Join(dir, m.File)); err == nil && st.Size() == m.Size {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b Manifest) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Pos, b.Pos))
	})
	return all
}

func newestBackup(dir string) *Manifest {
	all := allBackups(dir)
	if len(all) == 0 {
		return nil
	}
	return &all[len(all)-1]
}

// LastBackup returns when the newest verified backup was made; zero when there is none.
func (d *DB) LastBackup() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil {
		return time.Time{}
	}
	return d.last.At
}

// Backup writes all records to a file, restores that file into a second database, reads every
// record there, and only then counts it as a backup. The two newest are kept. now names it.
func (d *DB) Backup(ctx context.Context, now time.Time) (Manifest, error) {
	lsm, _ := d.bdb.Size()
	if err := d.disk.roomFor(3*lsm+2*d.cfg.MemTable, "a backup"); err != nil {
		return Manifest{}, err
	}
	d.mu.Lock()
	atLeast := d.mark
	d.mu.Unlock()
	calls, err := count(ctx, d.bdb, callRows, store.Span{}, func(store.Call) bool { return true })
	if err != nil {
		return Manifest{}, fmt.Errorf("back up records: %w", err)
	}
	m := Manifest{V: manifestVersion, File: "records-" + now.UTC().Format("20060102T150405.000000000") + ".badger", At: now.UTC()}
	path := filepath.Join(d.cfg.Backups, m.File)
	defer os.Remove(path + ".tmp") // gone by its new name when all went well
	if err := d.writeBackup(ctx, path+".tmp", &m); err != nil {
		return Manifest{}, fmt.Errorf("back up records: %w", err)
	}
	got, err := d.verify(ctx, path+".tmp", &m)
	if err != nil {
		return Manifest{}, fmt.Errorf("read the backup back: %w", err)
	}
	if got.Journal != atLeast.Journal || got.Pos < atLeast.Pos || m.Calls < calls {
		return Manifest{}, fmt.Errorf("read the backup back: it holds %d calls up to position %d, the records have %d up to %d", m.Calls, got.Pos, calls, atLeast.Pos)
	}
	m.Journal, m.Pos = got.Journal, got.Pos
	if err := d.publish(path, m); err != nil {
		return Manifest{}, err
	}
	d.mu.Lock()
	d.last = &m
	d.mu.Unlock()
	d.prune()
	return m, nil
}

// hashed counts and sums what goes through, and stops when ctx ends.
type hashed struct {
	ctx context.Context
	w   io.Writer
	sum hash.Hash
	n   int64
}

func (h *hashed) Write(b []byte) (int, error) {
	if err := h.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := h.w.Write(b)
	h.sum.Write(b[:n])
	h.n += int64(n)
	return n, err
}

func (d *DB) writeBackup(ctx context.Context, path string, m *Manifest) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return diskError("make backup file", err)
	}
	h := &hashed{ctx: ctx, w: f, sum: sha256.New()}
	buffered := bufio.NewWriterSize(h, 64<<10)
	err = unfaulted(func() error {
		if err := d.bdb.VerifyChecksum(); err != nil {
			return errors.Join(ErrDamaged, err, d.setOpenings(maxOpenings)) // the next Open rebuilds
		}
		_, err := d.bdb.Backup(buffered, 0)
		return err
	})
	if err = errors.Join(err, buffered.Flush(), f.Sync(), f.Close()); err != nil {
		return diskError("write backup", err)
	}
	m.Size, m.SHA256 = h.n, hex.EncodeToString(h.sum.Sum(nil))
	return nil
}

// verify restores a backup into a database of its own, reads every record, and throws it away.
func (d *DB) verify(ctx context.Context, path string, m *Manifest) (mark, error) {
	dir, err := os.MkdirTemp(d.cfg.Backups, "verify-")
	if err != nil {
		return mark{}, diskError("make directory", err)
	}
	defer os.RemoveAll(dir)
	second := &DB{cfg: d.cfg, disk: d.disk}
	second.cfg.Dir = dir
	if err := second.load(path, *m); err != nil {
		return mark{}, err
	}
	err = errors.Join(
		tally(ctx, second, callRows, &m.Calls, func(store.Call) bool { return true }),
		tally(ctx, second, waitRows, &m.Waits, func(store.Wait) bool { return true }),
		tally(ctx, second, textRows, &m.Texts, func(store.SMS) bool { return true }),
		tally(ctx, second, callbackRows, &m.Callbacks, func(store.Callback) bool { return true }),
		tally(ctx, second, missedRows, &m.Missed, func(store.Missed) bool { return true }),
		tally(ctx, second, intervalRows, &m.Intervals, func(store.Interval) bool { return true }),
	)
	return second.mark, errors.Join(err, unfaulted(second.bdb.Close))
}

// tally reads every record of one kind and counts them.
func tally[R any](ctx context.Context, d *DB, rows string, n *int, match func(R) bool) (err error) {
	*n, err = count(ctx, d.bdb, rows, store.Span{}, match)
	return err
}

// publish gives a verified backup its name and its manifest.
func (d *DB) publish(path string, m Manifest) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("back up records: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return diskError("name backup", err)
	}
	manifest := m.manifestPath(d.cfg.Backups)
	if err := writeSynced(manifest+".tmp", text); err != nil {
		_ = os.Remove(manifest + ".tmp")
		return diskError("write manifest", err)
	}
	if err := os.Rename(manifest+".tmp", manifest); err != nil {
		return diskError("name manifest", err)
	}
	return diskErrorOrNil("sync backups", statefile.SyncDir(d.cfg.Backups))
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// prune removes all backups but the newest, the manifest first: a manifest promises its file.
func (d *DB) prune() {
	all := allBackups(d.cfg.Backups)
	for _, m := range all[:max(0, len(all)-keptBackups)] {
		if os.Remove(m.manifestPath(d.cfg.Backups)) == nil {
			_ = os.Remove(filepath.Join(d.cfg.Backups, m.File))
		}
	}
}

// restore makes the database from a backup; there must be none.
func (d *DB) restore(m Manifest) error {
	if err := d.disk.roomFor(2*m.Size+2*d.cfg.MemTable, "restoring a backup"); err != nil {
		return err
	}
	d.last = nil // the check against the backup would see the empty database
	if err := os.MkdirAll(d.dataDir(), 0o700); err != nil {
		return diskError("make directory of the records", err)
	}
	return d.load(filepath.Join(d.cfg.Backups, m.File), m)
}

// load fills an empty database at d.dataDir from a backup file whose sum is right, and leaves it open.
func (d *DB) load(path string, m Manifest) error {
	f, err := os.Open(path)
	if err != nil {
		return diskError("open backup", err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return diskError("read backup", err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != m.SHA256 {
		return fmt.Errorf("the file has changed since it was verified (sha256 %s, was %s)", got, m.SHA256)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return diskError("read backup", err)
	}
	var bdb *badger.DB
	err = unfaulted(func() (err error) {
		if bdb, err = badger.Open(d.options(d.dataDir()).WithSyncWrites(false)); err != nil {
			return err
		}
		return errors.Join(bdb.Load(f, 16), bdb.Sync(), bdb.Close())
	})
	if err != nil {
		return fmt.Errorf("load backup: %w", err)
	}
	return d.openData() // with synced writes, and checked like any other
}
