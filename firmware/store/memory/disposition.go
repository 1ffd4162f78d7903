package memory

import (
	"context"

	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
)

// PutDispositions implements store.Dispositions.
func (s *Store) PutDispositions(_ context.Context, all ...store.Disposition) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range all {
		s.dispositions.put(d, func(old store.Disposition) bool { return d.Pos > old.Pos })
		s.Reported.Committed = max(s.Reported.Committed, d.Pos)
	}
	return nil
}

// ListDispositions implements store.Dispositions.
func (s *Store) ListDispositions(_ context.Context, q store.DispositionQuery) (store.Page[store.Disposition], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return list(&s.dispositions, q.Span, q.Match)
}

// DispositionSums implements store.Dispositions by reading every record.
func (s *Store) DispositionSums(_ context.Context, q store.ReportQuery) ([]report.DispositionRow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	table, err := store.TallyDispositions(q)
	if err != nil {
		return nil, err
	}
	s.dispositions.walk("", "", func(_ string, d store.Disposition) bool {
		var one report.Dispositions
		one.Take(d.Disposition, 1)
		err = table.Take(d.Queue, report.SlotOf(d.At), one)
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	return store.Rows(table, store.DispositionRow), nil
}
