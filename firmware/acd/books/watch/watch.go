package watch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/books"
	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Times of the comparisons.
const (
	every   = 10 * time.Second // of the accounts, which cost a question to the owner of the queues
	patient = 10 * time.Second // for the keeper of the records to answer
	idle    = 10 * time.Minute // of the records, when nothing was written meanwhile
)

// Limits of one comparison that has found something.
const (
	mostPlaces = 4  // that are looked at one by one
	mostPages  = 40 // of the records of a place
	mostLost   = 100
)

// Config says what is compared.
type Config struct {
	Log *slog.Logger
	// Accounts returns the breaches among the accounts of the queues at one instant.
	Accounts func(context.Context) ([]books.Breach, error)
	Records  Records
	Journal  uint64 // the identity of the journal that the records are made of
	// Waits reads every end of a wait that the journal holds, oldest first, and the first position that it has.
	Waits  func(visit func(pos uint64, e tel.QueueLeft)) (oldest uint64, err error)
	Report func([]books.Breach) // told after each comparison; none: all balances
}

// Records are what is compared of the keeper of the records.
type Records interface {
	Status(context.Context) (store.Status, error)
	Traffic(context.Context, store.ReportQuery) ([]report.TrafficRow, error)
	ListWaits(context.Context, store.WaitQuery) (store.Page[store.Wait], error)
}

// Watch counts what happened. Its methods may be called from any goroutine, Run from one.
type Watch struct {
	cfg Config

	mu   sync.Mutex // guards all below
	past books.Counts
	last uint64          // the newest position of a record
	lost []tel.QueueLeft // that no disk took
	from time.Time       // slots from here on lie in the journal whole

	compared uint64    // the last position of the last comparison that was made; Run's alone
	at       time.Time // of that comparison
	records  []books.Breach
}

// New makes a watch that has counted nothing. Whoever made it tells it what the journal holds already, by Begin
// and Recorded.
func New(cfg Config) *Watch {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Watch{cfg: cfg, past: books.Counts{}}
}

// Begin says from when on the journal holds all that was written: the time of its oldest record. It must be
// called before Run.
func (w *Watch) Begin(oldest time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.from = report.SlotOf(oldest.Add(report.SlotLength - 1))
}

// Recorded counts the end of a wait that was written at a position.
func (w *Watch) Recorded(pos uint64, e tel.QueueLeft) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.past.Take(e)
	w.last = max(w.last, pos)
}

// Lost counts the end of a wait whose record could not be written.
func (w *Watch) Lost(e tel.QueueLeft) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.past.Take(e)
	if len(w.lost) < mostLost {
		w.lost = append(w.lost, e)
	}
}

// Run compares until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		w.Compare(ctx, time.Now())
	}
}

// Compare looks at the accounts, and at the records where some were written since the last time, and reports.
// Where somebody does not answer, what was found last holds.
func (w *Watch) Compare(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	broken, err := w.cfg.Accounts(ctx)
	if err != nil {
		return
	}
	if found, done, err := w.compareRecords(ctx, now); err != nil {
		w.cfg.Log.Debug("the records cannot be compared now", "err", err)
	} else if done {
		w.records = found
	}
	w.cfg.Report(append(broken, w.records...))
}

// window is from when on records are compared.
func (w *Watch) window(now time.Time) time.Time {
	from := report.SlotOf(now.Add(-books.Window))
	if from.Before(w.from) {
		from = w.from
	}
	return from
}

// look copies what happened, and the position of the newest record.
func (w *Watch) look(now time.Time) (c books.Counts, from time.Time, last uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	from = w.window(now)
	w.past.Forget(from)
	return w.past.Clone(from), from, w.last
}

// compareRecords is one comparison with the records; done is false when there is nothing new to compare, or
// the keeper has not read as far.
func (w *Watch) compareRecords(ctx context.Context, now time.Time) (found []books.Breach, done bool, err error) {
	before, from, written := w.look(now)
	if written == w.compared && len(w.records) == 0 && now.Sub(w.at).Abs() < idle {
		return nil, false, nil
	}
	st, err := w.cfg.Records.Status(ctx)
	if err != nil || st.Journal != w.cfg.Journal || uint64(st.Committed) < written {
		return nil, false, err
	}
	rows, err := w.cfg.Records.Traffic(ctx, store.ReportQuery{From: from, Step: report.HalfHour, Zone: "UTC"})
	if err != nil {
		return nil, false, err
	}
	recorded := books.CountRows(rows)
	after, _, _ := w.look(now)
	suspects := books.Suspects(before, recorded, after)
	for _, at := range suspects[:min(len(suspects), mostPlaces)] {
		breaches, err := w.judge(ctx, at, written)
		if err != nil {
			return nil, false, err
		}
		found = append(found, breaches...)
	}
	w.compared, w.at = written, now
	return found, true, nil
}

// errRestless is returned for a place whose records change while they are looked at.
var errRestless = errors.New("records are being written there just now")

// judge looks at the records of a place one by one.
func (w *Watch) judge(ctx context.Context, at books.Place, written uint64) ([]books.Breach, error) {
	records, err := w.recorded(ctx, at)
	if err != nil {
		return nil, err
	}
	var journal []books.Wait
	oldest, err := w.cfg.Waits(func(pos uint64, e tel.QueueLeft) {
		if books.PlaceOf(e) == at {
			journal = append(journal, books.Wait{Pos: pos, Call: e.Call, Outcome: e.Outcome})
		}
	})
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	for _, e := range w.lost {
		if books.PlaceOf(e) == at {
			journal = append(journal, books.Wait{Call: e.Call, Outcome: e.Outcome})
		}
	}
	w.mu.Unlock()
	if found := books.Judge(at, journal, records, oldest, written); len(found) > 0 {
		return found, nil
	}
	rows, err := w.cfg.Records.Traffic(ctx, store.ReportQuery{
		From: at.Slot, To: at.Slot.Add(report.SlotLength), Step: report.HalfHour, Zone: "UTC", Queues: []tel.QueueID{at.Queue},
	})
	if err != nil {
		return nil, err
	}
	again, err := w.recorded(ctx, at)
	if err != nil {
		return nil, err
	}
	if len(again) != len(records) {
		return nil, errRestless
	}
	return books.JudgeSums(at, books.CountRows(rows)[at], records), nil
}

// recorded lists the records of a place.
func (w *Watch) recorded(ctx context.Context, at books.Place) (all []books.Wait, err error) {
	q := store.WaitQuery{Queue: at.Queue, Span: store.Span{From: at.Slot, To: at.Slot.Add(report.SlotLength), Limit: store.MaxLimit}}
	for range mostPages {
		page, err := w.cfg.Records.ListWaits(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Items {
			all = append(all, books.Wait{Pos: uint64(r.Pos), Call: r.Call, Outcome: r.Outcome})
		}
		if q.Cursor = page.Next; page.Next == "" {
			return all, nil
		}
	}
	return nil, errors.New("too many records in one half hour")
}
