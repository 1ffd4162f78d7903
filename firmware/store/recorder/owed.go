package recorder

import (
	"context"

	"github.com/pronto-pbx/pronto/firmware/store"
)

// PutCallbacks implements store.Callbacks.
func (f *front) PutCallbacks(ctx context.Context, callbacks ...store.Callback) error {
	_, err := use(f, func(db store.Records) (struct{}, error) { return struct{}{}, db.PutCallbacks(ctx, callbacks...) })
	return err
}

// ListCallbacks implements store.Callbacks.
func (f *front) ListCallbacks(ctx context.Context, q store.CallbackQuery) (store.Page[store.Callback], error) {
	return use(f, func(db store.Records) (store.Page[store.Callback], error) { return db.ListCallbacks(ctx, q) })
}

// CountCallbacks implements store.Callbacks.
func (f *front) CountCallbacks(ctx context.Context, q store.CallbackQuery) (int, error) {
	return use(f, func(db store.Records) (int, error) { return db.CountCallbacks(ctx, q) })
}

// PutMissed implements store.MissedCallers.
func (f *front) PutMissed(ctx context.Context, rows ...store.Missed) error {
	_, err := use(f, func(db store.Records) (struct{}, error) { return struct{}{}, db.PutMissed(ctx, rows...) })
	return err
}

// ListMissed implements store.MissedCallers.
func (f *front) ListMissed(ctx context.Context, q store.MissedQuery) (store.Page[store.Missed], error) {
	return use(f, func(db store.Records) (store.Page[store.Missed], error) { return db.ListMissed(ctx, q) })
}

// CountMissed implements store.MissedCallers.
func (f *front) CountMissed(ctx context.Context, q store.MissedQuery) (int, error) {
	return use(f, func(db store.Records) (int, error) { return db.CountMissed(ctx, q) })
}
