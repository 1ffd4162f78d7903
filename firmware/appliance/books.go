package appliance

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/acd/books"
	"github.com/pronto-pbx/pronto/firmware/acd/books/watch"
	"github.com/pronto-pbx/pronto/firmware/acd/replay"
	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// openBooks makes the watch over the accounts of the queues and their records.
func (b *Box) openBooks() {
	b.books = watch.New(watch.Config{
		Log: b.log.With("room", "records"), Records: b.records, Journal: uint64(b.history.ID()), Waits: b.waits, Report: b.balanced,
		Accounts: func(ctx context.Context) ([]books.Breach, error) {
			_, broken, err := b.queues.Accounts(ctx)
			return broken, err
		},
	})
}

// account counts a finished record, whether it was written or not.
func (b *Box) account(e tel.Event, pos journal.Pos, err error) {
	left, ok := e.(tel.QueueLeft)
	switch {
	case !ok || b.books == nil:
	case err != nil:
		b.books.Lost(left)
	default:
		b.books.Recorded(uint64(pos), left)
	}
}

// waits reads the ends of waits that the journal holds.
func (b *Box) waits(visit func(pos uint64, e tel.QueueLeft)) (oldest uint64, err error) {
	kind := tel.QueueLeft{}.Kind()
	err = b.history.Read(0, func(r journal.Record) error {
		oldest = cmp.Or(oldest, uint64(r.Pos))
		if r.Kind != kind {
			return nil
		}
		if e, err := cdr.Decode(r.Kind, r.Body); err == nil { // recordd counts what it cannot read
			if left, ok := e.(tel.QueueLeft); ok {
				visit(uint64(r.Pos), left)
			}
		}
		return nil
	})
	return oldest, err
}

// balanced reports whether the figures of the queues add up: which do not, and by how much.
func (b *Box) balanced(broken []books.Breach) {
	var text []string
	for _, breach := range broken {
		if q, ok := b.config().QueueOf(breach.Queue); ok {
			breach.Queue = tel.QueueID(cmp.Or(q.Name, string(breach.Queue)))
		}
		text = append(text, breach.String())
	}
	b.report("books", len(broken) == 0, strings.Join(text, "; "))
}

// tail is the end of the journal: the last decision of the queues and the records after it. The queues write
// a decision before the records that follow from it, so only those of the last one can be missing.
type tail struct {
	decision []byte
	after    []tel.Event
}

func (t *tail) take(r journal.Record) {
	if r.Kind == replay.KindDecision {
		t.decision, t.after = append(t.decision[:0], r.Body...), nil
		return
	}
	if t.decision == nil {
		return
	}
	if e, err := cdr.Decode(r.Kind, r.Body); err == nil && e != nil {
		t.after = append(t.after, e)
	}
}

// missing are the records that the last decision called for and nobody wrote.
func (t *tail) missing() (all []tel.Event, err error) {
	if t.decision == nil {
		return nil, nil
	}
	_, events, err := replay.Published(t.decision)
	for _, e := range events {
		_, interval := e.(tel.AgentInterval)
		there := slices.ContainsFunc(t.after, func(other tel.Event) bool { return reflect.DeepEqual(e, other) })
		if !there && (interval || recorded(e)) {
			all = append(all, e)
		}
	}
	return all, err
}

// complete writes the records that a killed program still owed to the journal.
func (b *Box) complete(t tail) {
	missing, err := t.missing()
	if err != nil {
		b.log.Warn("the last decision of the queues cannot be read", "err", err)
	}
	for _, e := range missing {
		if interval, ok := e.(tel.AgentInterval); ok {
			b.spent(interval)
			continue
		}
		b.log.Info("a record is written that the program before owed", "record", e.Kind())
		b.record(e)
		b.present.apply(e)
		b.ledger.Replay(e)
	}
}
