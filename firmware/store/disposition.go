package store

import (
	"context"

	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Disposition is what an agent says came of a call. Its identity is the call and the agent: who corrects it has the
// last word.
type Disposition struct {
	Pos Position `json:"pos"`
	tel.CallDisposed
}

// Dispositions keeps what came of calls.
type Dispositions interface {
	// PutDispositions keeps the records; of one call and agent the record of the highest position stays. It returns
	// when they are safe.
	PutDispositions(ctx context.Context, dispositions ...Disposition) error
	// ListDispositions returns a page, newest first. ErrQuery for a bad cursor or limit.
	ListDispositions(ctx context.Context, q DispositionQuery) (Page[Disposition], error)
	// DispositionSums counts them by time and queue. Errors as of Traffic.
	DispositionSums(ctx context.Context, q ReportQuery) ([]report.DispositionRow, error)
}

// DispositionQuery selects dispositions by the time they were given. Zero fields select everything.
type DispositionQuery struct {
	Span
	Call tel.CallID `json:"call,omitempty"`
}

// Match reports whether d passes the filters; time is not looked at.
func (q DispositionQuery) Match(d Disposition) bool { return q.Call == "" || q.Call == d.Call }

// SortKey orders dispositions by the moment, position and identity as byte strings.
func (d Disposition) SortKey() string { return sortKey(d.At, d.Pos, d.Identity()) }

// Identity tells a disposition from all others.
func (d Disposition) Identity() string { return string(d.Call) + "/" + string(d.Agent) }

// TallyDispositions makes an empty one of queues; ErrQuery as Location.
func TallyDispositions(q ReportQuery) (*Tally[tel.QueueID, report.Dispositions], error) {
	return tally(q, q.Queues, (*report.Dispositions).Add)
}

// PutDispositions implements Dispositions.
func (c *Client) PutDispositions(ctx context.Context, dispositions ...Disposition) error {
	return c.ask(ctx, opPutDispositions, dispositions, nil)
}

// ListDispositions implements Dispositions.
func (c *Client) ListDispositions(ctx context.Context, q DispositionQuery) (page Page[Disposition], err error) {
	return page, c.ask(ctx, opListDispositions, q, &page)
}

// DispositionSums implements Dispositions.
func (c *Client) DispositionSums(ctx context.Context, q ReportQuery) (rows []report.DispositionRow, err error) {
	return rows, c.ask(ctx, opDispositionSums, q, &rows)
}
