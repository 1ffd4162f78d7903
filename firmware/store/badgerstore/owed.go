package badgerstore

import (
	"context"

	"github.com/dgraph-io/badger/v4"
	"github.com/pronto-pbx/pronto/firmware/store"
)

// The keys of callbacks and missed callers.
const (
	callbackRows = "b/"
	callbackIDs  = "bi/"
	missedRows   = "x/"
	missedIDs    = "xi/"
)

func putCallback(txn *badger.Txn, c store.Callback) error {
	old, err := lookup(txn, callbackIDs+c.Identity())
	if err != nil || old != "" {
		return err
	}
	return putRow(txn, callbackRows, callbackIDs, c.SortKey(), c.Identity(), c)
}

func putMissed(txn *badger.Txn, m store.Missed) error {
	old, err := lookup(txn, missedIDs+m.Identity())
	if err != nil {
		return err
	}
	if old != "" {
		if positionIn(old) >= m.Pos {
			return nil // the row has gone on since, or the same record comes again
		}
		if err := txn.Delete([]byte(missedRows + old)); err != nil {
			return err
		}
	}
	return putRow(txn, missedRows, missedIDs, m.SortKey(), m.Identity(), m)
}

// PutCallbacks implements store.Callbacks.
func (d *DB) PutCallbacks(ctx context.Context, callbacks ...store.Callback) error {
	return putAll(ctx, d, callbacks, every(putCallback))
}

// ListCallbacks implements store.Callbacks.
func (d *DB) ListCallbacks(ctx context.Context, q store.CallbackQuery) (store.Page[store.Callback], error) {
	return list(ctx, d.bdb, callbackRows, q.Span, q.Match)
}

// CountCallbacks implements store.Callbacks.
func (d *DB) CountCallbacks(ctx context.Context, q store.CallbackQuery) (int, error) {
	return count(ctx, d.bdb, callbackRows, q.Span, q.Match)
}

// PutMissed implements store.MissedCallers.
func (d *DB) PutMissed(ctx context.Context, rows ...store.Missed) error {
	return putAll(ctx, d, rows, every(putMissed))
}

// ListMissed implements store.MissedCallers.
func (d *DB) ListMissed(ctx context.Context, q store.MissedQuery) (store.Page[store.Missed], error) {
	return list(ctx, d.bdb, missedRows, q.Span, q.Match)
}

// CountMissed implements store.MissedCallers.
func (d *DB) CountMissed(ctx context.Context, q store.MissedQuery) (int, error) {
	return count(ctx, d.bdb, missedRows, q.Span, q.Match)
}
