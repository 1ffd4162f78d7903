package recorder

import (
	"context"
	"fmt"
	"sync"

	"github.com/pronto-pbx/pronto/firmware/store"
)

// front answers the socket while the database behind it comes and goes.
type front struct {
	mu      sync.RWMutex // held for reading during a request: the database is not closed under it
	db      store.Records
	notes   sync.Mutex // guards the rest, which the keeper writes and Status reads
	trouble string
	bad     int // journal records that could not be understood
	holes   int // damaged places of the journal
}

var _ store.Records = (*front)(nil)

func (f *front) set(db store.Records, trouble string) {
	f.mu.Lock()
	f.db = db
	f.mu.Unlock()
	f.say(trouble)
}

func (f *front) say(trouble string) {
	f.notes.Lock()
	defer f.notes.Unlock()
	f.trouble = trouble
}

func (f *front) unusable() {
	f.notes.Lock()
	defer f.notes.Unlock()
	f.bad++
}

func (f *front) damaged() {
	f.notes.Lock()
	defer f.notes.Unlock()
	f.holes++
}

// use runs do with the database, or says why there is none.
func use[R any](f *front, do func(store.Records) (R, error)) (R, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.db == nil {
		var none R
		f.notes.Lock()
		defer f.notes.Unlock()
		return none, fmt.Errorf("%w: %s", store.ErrUnavailable, f.trouble)
	}
	return do(f.db)
}

// PutCalls implements store.Calls.
func (f *front) PutCalls(ctx context.Context, calls ...store.Call) error {
	_, err := use(f, func(db store.Records) (struct{}, error) { return struct{}{}, db.PutCalls(ctx, calls...) })
	return err
}

// ListCalls implements store.Calls.
func (f *front) ListCalls(ctx context.Context, q store.CallQuery) (store.Page[store.Call], error) {
	return use(f, func(db store.Records) (store.Page[store.Call], error) { return db.ListCalls(ctx, q) })
}

// CountCalls implements store.Calls.
func (f *front) CountCalls(ctx context.Context, q store.CallQuery) (int, error) {
	return use(f, func(db store.Records) (int, error) { return db.CountCalls(ctx, q) })
}

// PutWaits implements store.Waits.
func (f *front) PutWaits(ctx context.Context, waits ...store.Wait) error {
	_, err := use(f, func(db store.Records) (struct{}, error) { return struct{}{}, db.PutWaits(ctx, waits...) })
	return err
}

// ListWaits implements store.Waits.
func (f *front) ListWaits(ctx context.Context, q store.WaitQuery) (store.Page[store.Wait], error) {
	return use(f, func(db store.Records) (store.Page[store.Wait], error) { return db.ListWaits(ctx, q) })
}

// CountWaits implements store.Waits.
func (f *front) CountWaits(ctx context.Context, q store.WaitQuery) (int, error) {
	return use(f, func(db store.Records) (int, error) { return db.CountWaits(ctx, q) })
}

// PutTexts implements store.Texts.
func (f *front) PutTexts(ctx context.Context, texts ...store.SMS) error {
	_, err := use(f, func(db store.Records) (struct{}, error) { return struct{}{}, db.PutTexts(ctx, texts...) })
	return err
}

// ListTexts implements store.Texts.
func (f *front) ListTexts(ctx context.Context, q store.TextQuery) (store.Page[store.SMS], error) {
	return use(f, func(db store.Records) (store.Page[store.SMS], error) { return db.ListTexts(ctx, q) })
}

// CountTexts implements store.Texts.
func (f *front) CountTexts(ctx context.Context, q store.TextQuery) (int, error) {
	return use(f, func(db store.Records) (int, error) { return db.CountTexts(ctx, q) })
}

// Status implements store.Records. It answers without a database too: then with the reason.
func (f *front) Status(ctx context.Context) (store.Status, error) {
	st, err := use(f, func(db store.Records) (store.Status, error) { return db.Status(ctx) })
	f.notes.Lock()
	defer f.notes.Unlock()
	if err != nil || f.trouble != "" {
		st.Trouble = f.trouble
	}
	st.Unusable, st.Damaged = f.bad, f.holes
	return st, nil
}
