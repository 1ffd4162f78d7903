package memory

import (
	"context"

	"github.com/pronto-pbx/pronto/firmware/store"
)

// PutCallbacks implements store.Callbacks.
func (s *Store) PutCallbacks(_ context.Context, callbacks ...store.Callback) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range callbacks {
		s.callbacks.put(c, func(store.Callback) bool { return false })
		s.Reported.Committed = max(s.Reported.Committed, c.Pos)
	}
	return nil
}

// ListCallbacks implements store.Callbacks.
func (s *Store) ListCallbacks(_ context.Context, q store.CallbackQuery) (store.Page[store.Callback], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return list(&s.callbacks, q.Span, q.Match)
}

// CountCallbacks implements store.Callbacks.
func (s *Store) CountCallbacks(_ context.Context, q store.CallbackQuery) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return count(&s.callbacks, q.Span, q.Match)
}

// PutMissed implements store.MissedCallers.
func (s *Store) PutMissed(_ context.Context, rows ...store.Missed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range rows {
		s.missed.put(m, func(old store.Missed) bool { return m.Pos > old.Pos })
		s.Reported.Committed = max(s.Reported.Committed, m.Pos)
	}
	return nil
}

// ListMissed implements store.MissedCallers.
func (s *Store) ListMissed(_ context.Context, q store.MissedQuery) (store.Page[store.Missed], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return list(&s.missed, q.Span, q.Match)
}

// CountMissed implements store.MissedCallers.
func (s *Store) CountMissed(_ context.Context, q store.MissedQuery) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return count(&s.missed, q.Span, q.Match)
}
