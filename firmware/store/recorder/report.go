package recorder

import (
	"context"

	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
)

// PutIntervals implements store.Reports.
func (f *front) PutIntervals(ctx context.Context, intervals ...store.Interval) error {
	_, err := use(f, func(db store.Records) (struct{}, error) { return struct{}{}, db.PutIntervals(ctx, intervals...) })
	return err
}

// ListIntervals implements store.Reports.
func (f *front) ListIntervals(ctx context.Context, q store.IntervalQuery) (store.Page[store.Interval], error) {
	return use(f, func(db store.Records) (store.Page[store.Interval], error) { return db.ListIntervals(ctx, q) })
}

// Traffic implements store.Reports.
func (f *front) Traffic(ctx context.Context, q store.ReportQuery) ([]report.TrafficRow, error) {
	return use(f, func(db store.Records) ([]report.TrafficRow, error) { return db.Traffic(ctx, q) })
}

// Work implements store.Reports.
func (f *front) Work(ctx context.Context, q store.ReportQuery) ([]report.WorkRow, error) {
	return use(f, func(db store.Records) ([]report.WorkRow, error) { return db.Work(ctx, q) })
}

// LineCalls implements store.Reports.
func (f *front) LineCalls(ctx context.Context, q store.ReportQuery) ([]report.LineRow, error) {
	return use(f, func(db store.Records) ([]report.LineRow, error) { return db.LineCalls(ctx, q) })
}

// PutDispositions implements store.Dispositions.
func (f *front) PutDispositions(ctx context.Context, all ...store.Disposition) error {
	_, err := use(f, func(db store.Records) (struct{}, error) { return struct{}{}, db.PutDispositions(ctx, all...) })
	return err
}

// ListDispositions implements store.Dispositions.
func (f *front) ListDispositions(ctx context.Context, q store.DispositionQuery) (store.Page[store.Disposition], error) {
	return use(f, func(db store.Records) (store.Page[store.Disposition], error) { return db.ListDispositions(ctx, q) })
}

// DispositionSums implements store.Dispositions.
func (f *front) DispositionSums(ctx context.Context, q store.ReportQuery) ([]report.DispositionRow, error) {
	return use(f, func(db store.Records) ([]report.DispositionRow, error) { return db.DispositionSums(ctx, q) })
}
