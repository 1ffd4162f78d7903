package badgerstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The keys of dispositions and of their sums.
const (
	dispositionRows  = "d/"
	dispositionIDs   = "di/"
	dispositionSlots = "ds/"
)

// putDisposition puts one that is the last word about its call. The sum is changed in the same transaction, so that
// nothing can disagree.
func putDisposition(txn *badger.Txn, d store.Disposition) error {
	old, err := lookup(txn, dispositionIDs+d.Identity())
	if err != nil {
		return err
	}
	if old != "" {
		if positionIn(old) >= d.Pos {
			return nil // corrected since, or the same record comes again
		}
		value, err := lookup(txn, dispositionRows+old)
		if err != nil {
			return err
		}
		var was store.Disposition
		if err := json.Unmarshal([]byte(value), &was); err != nil {
			return fmt.Errorf("read disposition: %w", err)
		}
		if err := sumDisposition(txn, was, -1); err != nil {
			return err
		}
		if err := txn.Delete([]byte(dispositionRows + old)); err != nil {
			return err
		}
	}
	if err := putRow(txn, dispositionRows, dispositionIDs, d.SortKey(), d.Identity(), d); err != nil {
		return err
	}
	return sumDisposition(txn, d, 1)
}

func sumDisposition(txn *badger.Txn, d store.Disposition, n int) error {
	return change(txn, slotKey(dispositionSlots, report.SlotOf(d.At), string(d.Queue)), func(sum *report.Dispositions) { sum.Take(d.Disposition, n) })
}

// PutDispositions implements store.Dispositions.
func (d *DB) PutDispositions(ctx context.Context, all ...store.Disposition) error {
	return putAll(ctx, d, all, every(putDisposition))
}

// ListDispositions implements store.Dispositions.
func (d *DB) ListDispositions(ctx context.Context, q store.DispositionQuery) (store.Page[store.Disposition], error) {
	return list(ctx, d.bdb, dispositionRows, q.Span, q.Match)
}

// DispositionSums implements store.Dispositions.
func (d *DB) DispositionSums(ctx context.Context, q store.ReportQuery) ([]report.DispositionRow, error) {
	table, err := store.TallyDispositions(q)
	if err != nil {
		return nil, err
	}
	err = slots(ctx, d.bdb, dispositionSlots, q, func(slot time.Time, id string, sum report.Dispositions) error {
		return table.Take(tel.QueueID(id), slot, sum)
	})
	if err != nil {
		return nil, err
	}
	return store.Rows(table, store.DispositionRow), nil
}
