// Package memory keeps records in memory: the twin of the real store for tests and demos.
package memory

import (
	"context"
	"slices"
	"sync"

	"github.com/pronto-pbx/pronto/firmware/store"
)

// Store implements store.Records. The zero Store is empty and ready.
type Store struct {
	mu    sync.Mutex
	calls table[store.Call]
	waits table[store.Wait]
	texts table[store.SMS]

	callbacks table[store.Callback]
	missed    table[store.Missed]
	intervals table[store.Interval]

	dispositions table[store.Disposition]

	// Reported is what Status returns, beside Committed, which is counted here.
	Reported store.Status
}

var _ store.Records = (*Store)(nil)

type record interface {
	SortKey() string
	Identity() string
}

// table keeps records by sort key and remembers under which key an identity lies.
type table[R record] struct {
	keys []string // sorted
	rows map[string]R
	ids  map[string]string
}

func (t *table[R]) put(r R, replaces func(old R) bool) {
	if t.rows == nil {
		t.rows, t.ids = map[string]R{}, map[string]string{}
	}
	if key, ok := t.ids[r.Identity()]; ok {
		if !replaces(t.rows[key]) {
			return
		}
		if i, ok := slices.BinarySearch(t.keys, key); ok {
			t.keys = slices.Delete(t.keys, i, i+1)
		}
		delete(t.rows, key)
	}
	key := r.SortKey()
	i, _ := slices.BinarySearch(t.keys, key)
	t.keys = slices.Insert(t.keys, i, key)
	t.rows[key], t.ids[r.Identity()] = r, key
}

// walk visits the records of the range from the newest down until visit returns false.
func (t *table[R]) walk(low, high string, visit func(key string, r R) bool) {
	i := len(t.keys)
	if high != "" {
		i, _ = slices.BinarySearch(t.keys, high)
	}
	for i--; i >= 0 && t.keys[i] >= low; i-- {
		if !visit(t.keys[i], t.rows[t.keys[i]]) {
			return
		}
	}
}

func list[R record](t *table[R], span store.Span, match func(R) bool) (store.Page[R], error) {
	low, high, limit, err := span.Bounds()
	if err != nil {
		return store.Page[R]{}, err
	}
	page := store.Page[R]{Items: []R{}}
	last := ""
	t.walk(low, high, func(key string, r R) bool {
		if !match(r) {
			return true
		}
		if len(page.Items) == limit {
			page.Next = store.CursorAt(last)
			return false
		}
		page.Items, last = append(page.Items, r), key
		return true
	})
	return page, nil
}

func count[R record](t *table[R], span store.Span, match func(R) bool) (n int, err error) {
	span.Cursor, span.Limit = "", 0
	low, high, _, err := span.Bounds()
	if err != nil {
		return 0, err
	}
	t.walk(low, high, func(_ string, r R) bool {
		if match(r) {
			n++
		}
		return true
	})
	return n, nil
}

// PutCalls implements store.Calls.
func (s *Store) PutCalls(_ context.Context, calls ...store.Call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range calls {
		s.calls.put(c, func(old store.Call) bool { return c.Pos < old.Pos })
		s.Reported.Committed = max(s.Reported.Committed, c.Pos)
	}
	return nil
}

// ListCalls implements store.Calls.
func (s *Store) ListCalls(_ context.Context, q store.CallQuery) (store.Page[store.Call], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return list(&s.calls, q.Span, q.Match)
}

// CountCalls implements store.Calls.
func (s *Store) CountCalls(_ context.Context, q store.CallQuery) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return count(&s.calls, q.Span, q.Match)
}

// PutWaits implements store.Waits.
func (s *Store) PutWaits(_ context.Context, waits ...store.Wait) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range waits {
		s.waits.put(w, func(store.Wait) bool { return false })
		s.Reported.Committed = max(s.Reported.Committed, w.Pos)
	}
	return nil
}

// ListWaits implements store.Waits.
func (s *Store) ListWaits(_ context.Context, q store.WaitQuery) (store.Page[store.Wait], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return list(&s.waits, q.Span, q.Match)
}

// CountWaits implements store.Waits.
func (s *Store) CountWaits(_ context.Context, q store.WaitQuery) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return count(&s.waits, q.Span, q.Match)
}

// PutTexts implements store.Texts.
func (s *Store) PutTexts(_ context.Context, texts ...store.SMS) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range texts {
		s.texts.put(x, func(store.SMS) bool { return false })
		s.Reported.Committed = max(s.Reported.Committed, x.Pos)
	}
	return nil
}

// ListTexts implements store.Texts.
func (s *Store) ListTexts(_ context.Context, q store.TextQuery) (store.Page[store.SMS], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return list(&s.texts, q.Span, q.Match)
}

// CountTexts implements store.Texts.
func (s *Store) CountTexts(_ context.Context, q store.TextQuery) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return count(&s.texts, q.Span, q.Match)
}

// Status implements store.Records.
func (s *Store) Status(context.Context) (store.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Reported, nil
}
