// Package recorder is the record keeper's process: it follows the history journal, stores finished
// records, answers questions on a unix socket and makes the nightly backup. Telephony only appends
// to the journal and never waits for it.
package recorder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/store/badgerstore"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Config says what to follow and where to keep it.
type Config struct {
	Records badgerstore.Config
	Socket  string        // unix socket to answer on
	Journal string        // directory of the history journal
	State   string        // directory of the box's state, which names the persons who were erased; empty: nobody ever is
	Poll    time.Duration // how often to look for new records; default 250 ms
	Ready   func()        // nil, or told when questions are answered
	Log     *slog.Logger  // nil: slog.Default
}

// Bounds of one transaction, well below what Badger takes in one.
const (
	batchRecords = 200
	batchBytes   = 256 << 10
)

// idleCommit is how late a position is stored when it brings no records: statistics must not wear
// the card, and must not keep the journal from being trimmed either.
const idleCommit = time.Minute

// retryDelay is the pause after the store refused.
const retryDelay = time.Second

// keeper is the owner of the open database.
type keeper struct {
	cfg    Config
	log    *slog.Logger
	reader *journal.Reader
	front  front
	erased erased

	pending  badgerstore.Batch
	size     int
	proof    bool      // somebody waits for the position to be stored
	stored   time.Time // last successful ingest
	backedUp time.Time // last try of a backup
}

// Run follows the journal and serves until ctx ends. Trouble with the disk is waited out, said in
// Status; only what no waiting mends is returned.
func Run(ctx context.Context, cfg Config) error {
	cfg.Poll = cmp.Or(cfg.Poll, 250*time.Millisecond)
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	cfg.Records.Log = cmp.Or(cfg.Records.Log, cfg.Log)
	l, err := listen(cfg.Socket)
	if err != nil {
		return err
	}
	k := &keeper{cfg: cfg, log: cfg.Log, reader: journal.NewReader(cfg.Journal), erased: erased{dir: cfg.State}}
	defer k.reader.Close()
	k.front.trouble = "the records are being opened"

	ctx, cancel := context.WithCancel(ctx)
	var serving sync.WaitGroup
	defer serving.Wait()
	defer cancel()
	var served error
	serving.Go(func() {
		defer cancel()
		served = store.Serve(ctx, l, &k.front, cfg.Log)
	})
	if cfg.Ready != nil {
		cfg.Ready()
	}
	for ctx.Err() == nil {
		if err = k.keep(ctx); err != nil {
			break
		}
	}
	cancel()
	serving.Wait()
	return errors.Join(err, served)
}

// listen opens the socket, taking the place of one that a killed process left.
func listen(path string) (net.Listener, error) {
	if conn, err := net.Dial("unix", path); err == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("record socket %s: another process answers there", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("record socket: %w", err)
	}
	_ = os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("record socket: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("record socket: %w", err)
	}
	return l, nil
}

// keep opens the records once and follows the journal until ctx ends or they must be opened again.
func (k *keeper) keep(ctx context.Context) error {
	db, err := badgerstore.Open(k.cfg.Records)
	if errors.Is(err, store.ErrFull) {
		k.front.set(nil, err.Error())
		k.log.Warn("records cannot be opened yet", "error", err)
		pause(ctx, retryDelay)
		return nil
	}
	if err != nil {
		return err
	}
	defer func() {
		k.front.set(nil, "the records are being closed")
		if err := db.Close(); err != nil {
			k.log.Warn("records not closed in order", "error", err)
		}
	}()
	// Before anybody is shown a record: they may be of a backup that is older than the list.
	if _, err = k.erased.look(); err == nil {
		err = k.erase(ctx, db)
	}
	if err != nil {
		k.front.set(nil, "a person is being erased: "+err.Error())
		k.log.Error("persons are not erased from the records yet; they are not shown meanwhile", "error", err)
		pause(ctx, retryDelay)
		return nil
	}
	k.front.set(db, "")
	k.rewind(db)
	for ctx.Err() == nil {
		if again, err := k.owes(db); err != nil || again {
			return nil
		}
		wait := k.cfg.Poll
		if err := k.follow(ctx, db); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			k.front.say(err.Error())
			k.log.Warn("records not stored, will try again", "error", err)
			k.rewind(db)
			wait = retryDelay
		} else {
			k.front.say("")
		}
		if err := k.backup(ctx, db, time.Now()); errors.Is(err, badgerstore.ErrDamaged) {
			return nil
		}
		pause(ctx, wait)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// rewind goes back to what is safely stored.
func (k *keeper) rewind(db *badgerstore.DB) {
	id, pos := db.Committed()
	k.reader.Seek(journal.ID(id), journal.Pos(pos)+1)
	k.pending, k.size = badgerstore.Batch{}, 0
}

// follow stores everything that the journal holds now.
func (k *keeper) follow(ctx context.Context, db *badgerstore.DB) error {
	err := k.reader.Read(func(r journal.Record) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		k.collect(r)
		if k.pending.Len() >= batchRecords || k.size >= batchBytes {
			return k.flush(db)
		}
		return nil
	})
	for _, d := range k.reader.Skipped() {
		k.front.damaged()
		k.log.Error("a part of the journal is damaged, its records are missing", "where", d.String())
	}
	if err != nil {
		return err
	}
	if k.pending.Len() > 0 || (k.pending.Pos > 0 && (k.proof || time.Since(k.stored) > idleCommit)) {
		return k.flush(db)
	}
	return nil
}

// collect adds one journal record to the batch. What cannot be understood is counted and passed
// over: it must not stop those after it.
func (k *keeper) collect(r journal.Record) {
	pos := store.Position(r.Pos)
	k.pending.Journal, k.pending.Pos = uint64(k.reader.Journal()), pos
	k.proof = k.proof || r.Kind == cdr.KindProof
	e, err := cdr.Decode(r.Kind, k.erased.without(r))
	if err != nil {
		k.front.unusable()
		k.log.Error("a journal record cannot be understood", "kind", r.Kind, "position", uint64(r.Pos), "error", err)
		return
	}
	switch e := e.(type) {
	case tel.CallEnded:
		k.pending.Calls = append(k.pending.Calls, store.Call{Pos: pos, CallEnded: e})
	case tel.QueueLeft:
		k.pending.Waits = append(k.pending.Waits, store.Wait{Pos: pos, QueueLeft: e})
	case tel.CallbackChanged:
		k.pending.Callbacks = append(k.pending.Callbacks, store.Callback{Pos: pos, CallbackChanged: e})
	case tel.MissedChanged:
		k.pending.Missed = append(k.pending.Missed, store.Missed{Pos: pos, MissedChanged: e})
	case tel.CallDisposed:
		k.pending.Dispositions = append(k.pending.Dispositions, store.Disposition{Pos: pos, CallDisposed: e})
	case tel.AgentInterval:
		k.pending.Intervals = append(k.pending.Intervals, store.Interval{Pos: pos, AgentInterval: e})
	case tel.SMSReceived:
		k.pending.Texts = append(k.pending.Texts, store.SMS{Pos: pos, SMS: e.SMS})
	case tel.SMSSent:
		k.pending.Texts = append(k.pending.Texts, store.SMS{Pos: pos, SMS: e.SMS})
	case tel.SMSDelivered:
		k.pending.Texts = append(k.pending.Texts, store.SMS{Pos: pos, SMS: e.SMS})
	case tel.SMSFailed:
		k.pending.Texts = append(k.pending.Texts, store.SMS{Pos: pos, SMS: e.SMS})
	default:
		return
	}
	k.size += len(r.Body)
}

func (k *keeper) flush(db *badgerstore.DB) error {
	if err := db.Ingest(k.pending); err != nil {
		return err
	}
	k.pending, k.size, k.proof, k.stored = badgerstore.Batch{}, 0, false, time.Now()
	return nil
}

// backup makes one when it is due; after a failure it waits an hour.
func (k *keeper) backup(ctx context.Context, db *badgerstore.DB, now time.Time) error {
	_, pos := db.Committed()
	if pos == 0 || !Due(now, db.LastBackup()) || (!k.backedUp.IsZero() && time.Since(k.backedUp) < time.Hour) {
		return nil
	}
	k.backedUp = time.Now()
	m, err := db.Backup(ctx, now)
	if err != nil {
		k.log.Error("backup of the records failed", "error", err)
		return err
	}
	k.backedUp = time.Time{}
	k.log.Info("records backed up and read back", "calls", m.Calls, "waits", m.Waits, "texts", m.Texts, "callbacks", m.Callbacks, "missed", m.Missed, "intervals", m.Intervals, "position", uint64(m.Pos))
	return nil
}

// Due reports whether a backup should be made: in the hour after three at night, at any time when
// the last one is older than 26 hours, and when there is none or one from the future, as a wall
// clock that was set back makes it.
func Due(now, last time.Time) bool {
	age := now.Sub(last)
	return last.IsZero() || age < 0 || age > 26*time.Hour || (age > 12*time.Hour && now.Hour() == 3)
}
