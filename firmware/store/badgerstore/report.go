package badgerstore

import (
	"context"
	"encoding"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The keys of intervals, and of the sums by slot that answer reports. A slot's key is its time and the
// queue or agent, so a report reads only the slots of its span.
const (
	intervalRows = "s/"
	intervalIDs  = "si/"
	trafficSlots = "q/"
	workSlots    = "a/"
	slotsKey     = "m/slots"
)

// sumAtOnce bounds the records that one transaction counts anew; they change few sums.
const sumAtOnce = 500

// slotsVersion is that of the sums; raising it has them made anew from the records at the next opening.
const slotsVersion = "2"

func slotKey(rows string, slot time.Time, id string) []byte {
	return []byte(rows + store.TimeKey(slot) + id)
}

// slotOf reads a slot's key back.
func slotOf(key, rows string) (slot time.Time, id string, ok bool) {
	if len(key) < len(rows)+8 {
		return time.Time{}, "", false
	}
	nano := binary.BigEndian.Uint64([]byte(key[len(rows):len(rows)+8])) ^ 1<<63
	return time.Unix(0, int64(nano)).UTC(), key[len(rows)+8:], true
}

// sum is a kind of sum: report.Traffic or report.Work.
type sum[S any] interface {
	*S
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// change adds to the sum of one slot.
func change[S any, P sum[S]](txn *badger.Txn, key []byte, with func(P)) error {
	var s S
	value, err := lookup(txn, string(key))
	if err != nil {
		return err
	}
	if value != "" {
		if err := P(&s).UnmarshalBinary([]byte(value)); err != nil {
			return fmt.Errorf("read sum: %w", err)
		}
	}
	with(&s)
	if e, ok := any(&s).(interface{ Empty() bool }); ok && e.Empty() { // what was counted was taken out again
		return txn.Delete(key)
	}
	out, err := P(&s).MarshalBinary()
	if err != nil {
		return err
	}
	return txn.Set(key, out)
}

// sumWait counts a wait that was just put.
func sumWait(txn *badger.Txn, w store.Wait) error {
	err := sumTraffic(txn, w.QueueLeft)
	if err != nil || w.Outcome != tel.OutcomeAnswered || w.Agent == "" {
		return err
	}
	return change(txn, slotKey(workSlots, report.SlotOf(w.Left), string(w.Agent)), func(s *report.Work) { s.Answered++ })
}

// sumInterval counts an interval that was just put.
func sumInterval(txn *badger.Txn, i store.Interval) error {
	for slot, d := range report.Parts(i.AgentInterval) {
		err := change(txn, slotKey(workSlots, slot, string(i.Agent)), func(w *report.Work) { w.Take(i.State, d) })
		if err != nil {
			return err
		}
		var t report.Traffic
		t.TakeWork(i.State, d)
		if i.Queue == "" || t.Talked+t.Held+t.Wrapped == 0 {
			continue
		}
		if err := change(txn, slotKey(trafficSlots, slot, string(i.Queue)), func(sum *report.Traffic) { sum.Add(t) }); err != nil {
			return err
		}
	}
	return nil
}

func putInterval(txn *badger.Txn, i store.Interval) error {
	old, err := lookup(txn, intervalIDs+i.Identity())
	if err != nil || old != "" {
		return err
	}
	if err := putRow(txn, intervalRows, intervalIDs, i.SortKey(), i.Identity(), i); err != nil {
		return err
	}
	return sumInterval(txn, i)
}

// PutIntervals implements store.Reports.
func (d *DB) PutIntervals(ctx context.Context, intervals ...store.Interval) error {
	return putAll(ctx, d, intervals, every(putInterval))
}

// ListIntervals implements store.Reports.
func (d *DB) ListIntervals(ctx context.Context, q store.IntervalQuery) (store.Page[store.Interval], error) {
	return list(ctx, d.bdb, intervalRows, q.Span, q.Match)
}

// Traffic implements store.Reports.
func (d *DB) Traffic(ctx context.Context, q store.ReportQuery) ([]report.TrafficRow, error) {
	table, err := store.TallyTraffic(q)
	if err != nil {
		return nil, err
	}
	err = slots(ctx, d.bdb, trafficSlots, q, func(slot time.Time, id string, t report.Traffic) error {
		return table.Take(tel.QueueID(id), slot, t)
	})
	if err != nil {
		return nil, err
	}
	return store.Rows(table, store.TrafficRow), nil
}

// Work implements store.Reports.
func (d *DB) Work(ctx context.Context, q store.ReportQuery) ([]report.WorkRow, error) {
	table, err := store.TallyWork(q)
	if err != nil {
		return nil, err
	}
	err = slots(ctx, d.bdb, workSlots, q, func(slot time.Time, id string, w report.Work) error {
		return table.Take(tel.AgentID(id), slot, w)
	})
	if err != nil {
		return nil, err
	}
	return store.Rows(table, store.WorkRow), nil
}

// slots visits the sums of a query's span from the oldest on.
func slots[S any, P sum[S]](ctx context.Context, bdb *badger.DB, rows string, q store.ReportQuery, visit func(slot time.Time, id string, s S) error) error {
	start := []byte(rows)
	if !q.From.IsZero() {
		start = slotKey(rows, q.From, "")
	}
	return unfaulted(func() error {
		return bdb.View(func(txn *badger.Txn) error {
			opts := badger.DefaultIteratorOptions
			opts.Prefix, opts.PrefetchSize = []byte(rows), 200
			it := txn.NewIterator(opts)
			defer it.Close()
			for it.Seek(start); it.ValidForPrefix([]byte(rows)); it.Next() {
				if err := ctx.Err(); err != nil {
					return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
				}
				slot, id, ok := slotOf(string(it.Item().Key()), rows)
				if !ok {
					continue
				}
				if !q.To.IsZero() && !slot.Before(q.To) {
					return nil
				}
				var s S
				if err := it.Item().Value(P(&s).UnmarshalBinary); err != nil {
					return fmt.Errorf("read sum: %w", err)
				}
				if err := visit(slot, id, s); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// sumAgain makes all sums from the records when those of this version are not there: the records may
// be of a release that kept none.
func (d *DB) sumAgain(ctx context.Context) error {
	return d.madeAgain(ctx, slotsKey, slotsVersion, []string{trafficSlots, workSlots, contactRows}, func() error {
		if err := resum(ctx, d, waitRows, every(sumWait)); err != nil {
			return err
		}
		return resum(ctx, d, intervalRows, every(sumInterval))
	})
}

// madeAgain drops what lies under the prefixes and has it made, unless the mark under key says that it is of a version.
func (d *DB) madeAgain(ctx context.Context, key, version string, prefixes []string, make func() error) error {
	var have string
	err := unfaulted(func() error {
		return d.bdb.View(func(txn *badger.Txn) (err error) {
			have, err = lookup(txn, key)
			return err
		})
	})
	if err != nil || have == version {
		return err
	}
	if err := d.disk.guard(); err != nil {
		return err
	}
	for _, prefix := range prefixes {
		if err := unfaulted(func() error { return d.bdb.DropPrefix([]byte(prefix)) }); err != nil {
			return err
		}
	}
	if err := make(); err != nil {
		return err
	}
	return unfaulted(func() error {
		return d.bdb.Update(func(txn *badger.Txn) error { return txn.Set([]byte(key), []byte(version)) })
	})
}

// resum counts every record of one kind, some in each transaction.
func resum[R any](ctx context.Context, d *DB, rows string, sum func(*badger.Txn, []R) error) error {
	var part []R
	flush := func() error {
		err := unfaulted(func() error { return d.bdb.Update(func(txn *badger.Txn) error { return sum(txn, part) }) })
		part = part[:0]
		return err
	}
	var failed error
	err := walk(ctx, d.bdb, rows, "", "", func(_ string, r R) bool {
		if part = append(part, r); len(part) >= sumAtOnce {
			failed = flush()
		}
		return failed == nil
	})
	if err == nil && failed == nil {
		failed = flush()
	}
	if err != nil {
		return err
	}
	return failed
}
