package web

import (
	"context"
	"maps"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// sumUpDispositions adds what came of the calls, by queue, the most frequent first.
func (s *server) sumUpDispositions(ctx context.Context, a *asked) error {
	q := a.query
	q.Step = report.Whole
	rows, err := s.Records.DispositionSums(ctx, q)
	if err != nil {
		return err
	}
	c := s.Settings.Current()
	for _, r := range rows {
		names := slices.Sorted(maps.Keys(r.Calls))
		slices.SortStableFunc(names, func(x, y string) int { return r.Calls[y] - r.Calls[x] })
		for _, name := range names {
			a.Dispositions = append(a.Dispositions, page.DispositionRow{Queue: queueName(c, r.Queue), Name: name, Calls: r.Calls[name]})
		}
	}
	return nil
}

// disposed are the dispositions of a list's span by call: the last word about each. There are no more than mostExported.
func (s *server) disposed(ctx context.Context, span store.Span) (map[tel.CallID]string, error) {
	said := map[tel.CallID]string{}
	span.Cursor, span.Limit = "", store.MaxLimit
	if !span.To.IsZero() {
		span.To = span.To.AddDate(0, 0, 1) // a call of the last minute is spoken of after midnight
	}
	for len(said) < mostExported {
		p, err := s.Records.ListDispositions(ctx, store.DispositionQuery{Span: span})
		if err != nil {
			return nil, err
		}
		for _, d := range p.Items {
			if said[d.Call] == "" { // the newest come first
				said[d.Call] = d.Disposition
			}
		}
		if span.Cursor = p.Next; p.Next == "" {
			break
		}
	}
	return said, nil
}
