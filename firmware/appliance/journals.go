package appliance

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/replay"
	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/durable"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/retention"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// openJournals opens what outlives the process, and takes up what the one before left in it.
func (b *Box) openJournals() error {
	for _, dir := range []string{b.opts.Dir, b.opts.RunDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	var err error
	if b.opts.Hot == nil {
		b.opts.Hot = durable.Disk{}
	}
	if b.hot, err = journal.OpenHotOn(b.opts.Hot, filepath.Join(b.opts.RunDir, "hot"), 0); err != nil {
		return err
	}
	b.history, err = journal.OpenHistory(journal.HistoryConfig{
		Dir: filepath.Join(b.opts.Dir, "history"), Class: classOf, Log: b.log.With("room", "journal"),
	})
	if err != nil {
		return err
	}
	b.reportDamage(store.Status{}, time.Now())
	b.ages = retention.Open(filepath.Join(b.opts.Dir, "ages.json"), b.history.Status().Written, b.log.With("room", "retention"))
	b.reportAges()
	if err := errors.Join(b.openLedger(), b.openMemories()); err != nil {
		return err
	}
	b.openBooks()
	b.openOwed()
	b.countToday()
	b.owed.retry()
	b.ledger.Start()
	b.remembered = b.memories.All()
	b.memories.Start()
	return nil
}

// countToday reads the finished records of the day, so that the figures outlive a restart.
func (b *Box) countToday() {
	oldest := true
	var tail tail
	err := b.history.Read(0, func(r journal.Record) error {
		if oldest {
			b.books.Begin(r.Wall)
			oldest = false
		}
		tail.take(r)
		b.owed.found(r.Kind, r.Body)
		if e, err := cdr.Decode(r.Kind, r.Body); err == nil && e != nil {
			b.present.apply(e)
			b.ledger.Replay(e)
			if left, ok := e.(tel.QueueLeft); ok {
				b.books.Recorded(uint64(r.Pos), left)
			}
		}
		return nil
	})
	if err != nil {
		b.log.Warn("figures of the day are incomplete", "err", err)
	}
	b.countOwed(&tail)
	b.complete(tail)
}

// classOf tells what the history may give up when it outgrows its quota.
func classOf(kind string) journal.Class {
	switch {
	case cdr.Finished(kind):
		return journal.Finished
	case kind == replay.KindState:
		return journal.State
	default:
		return journal.Statistic
	}
}
