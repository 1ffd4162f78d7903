package store

import (
	"context"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Callback is one request to be called back that has ended. Its identity is the request: a second record of
// the same end, as a crash can make, is dropped.
type Callback struct {
	Pos Position `json:"pos"`
	tel.CallbackChanged
}

// Missed is one row of the list of callers whom nobody has served. Its identity is the number and the first
// call of the row: a later record tells how the same row went on, and takes the place of an earlier one.
type Missed struct {
	Pos Position `json:"pos"`
	tel.MissedChanged
}

// Callbacks keeps the records of requests to be called back.
type Callbacks interface {
	// PutCallbacks keeps the records; putting one again changes nothing. It returns when they are safe.
	PutCallbacks(ctx context.Context, callbacks ...Callback) error
	// ListCallbacks returns a page, newest request first. ErrQuery for a bad cursor or limit.
	ListCallbacks(ctx context.Context, q CallbackQuery) (Page[Callback], error)
	// CountCallbacks counts what ListCallbacks would list on all pages; cursor and limit do not matter.
	CountCallbacks(ctx context.Context, q CallbackQuery) (int, error)
}

// MissedCallers keeps the rows of callers whom nobody has served, open ones and closed ones.
type MissedCallers interface {
	// PutMissed keeps the records; of one row the record of the highest position stays. It returns when they
	// are safe.
	PutMissed(ctx context.Context, rows ...Missed) error
	// ListMissed returns a page, newest row first. ErrQuery for a bad cursor or limit.
	ListMissed(ctx context.Context, q MissedQuery) (Page[Missed], error)
	// CountMissed counts what ListMissed would list on all pages; cursor and limit do not matter.
	CountMissed(ctx context.Context, q MissedQuery) (int, error)
}

// CallbackQuery selects requests by the time they were made. Zero fields select everything.
type CallbackQuery struct {
	Span
	Queue   tel.QueueID         `json:"queue,omitempty"`
	Agent   tel.AgentID         `json:"agent,omitempty"`  // who reached the customer
	Number  tel.Number          `json:"number,omitempty"` // to be called, or who asked
	Outcome tel.CallbackOutcome `json:"outcome,omitempty"`
}

// MissedQuery selects rows by the time of their first call. Zero fields select everything.
type MissedQuery struct {
	Span
	Queue  tel.QueueID      `json:"queue,omitempty"` // of the last call
	Number tel.Number       `json:"number,omitempty"`
	Why    tel.MissedReason `json:"why,omitempty"`    // of the last call
	Closed tel.MissedClose  `json:"closed,omitempty"` // how the row was closed
	Open   *bool            `json:"open,omitempty"`   // nil: both
}

// Match reports whether c passes the filters; time is not looked at.
func (q CallbackQuery) Match(c Callback) bool {
	return (q.Queue == "" || q.Queue == c.Queue) &&
		(q.Agent == "" || q.Agent == c.Agent) &&
		(q.Number == "" || q.Number == c.Number || q.Number == c.Caller) &&
		(q.Outcome == "" || q.Outcome == c.Outcome)
}

// Match reports whether m passes the filters; time is not looked at.
func (q MissedQuery) Match(m Missed) bool {
	return (q.Queue == "" || q.Queue == m.Queue) &&
		(q.Number == "" || q.Number == m.Number) &&
		(q.Why == "" || q.Why == m.Why) &&
		(q.Closed == "" || q.Closed == m.Closed) &&
		(q.Open == nil || *q.Open == (m.Closed == ""))
}

// SortKey orders requests by the moment they were made, position and identity as byte strings.
func (c Callback) SortKey() string { return sortKey(c.Asked, c.Pos, c.Identity()) }

// SortKey orders rows by their first call, position and identity as byte strings.
func (m Missed) SortKey() string { return sortKey(m.First, m.Pos, m.Identity()) }

// Identity tells a request from all others.
func (c Callback) Identity() string { return string(c.Callback) }

// Identity tells a row from all others.
func (m Missed) Identity() string {
	return string(m.Number) + "/" + m.First.UTC().Format(time.RFC3339Nano)
}

// PutCallbacks implements Callbacks.
func (c *Client) PutCallbacks(ctx context.Context, callbacks ...Callback) error {
	return c.ask(ctx, opPutCallbacks, callbacks, nil)
}

// ListCallbacks implements Callbacks.
func (c *Client) ListCallbacks(ctx context.Context, q CallbackQuery) (page Page[Callback], err error) {
	return page, c.ask(ctx, opListCallbacks, q, &page)
}

// CountCallbacks implements Callbacks.
func (c *Client) CountCallbacks(ctx context.Context, q CallbackQuery) (n int, err error) {
	return n, c.ask(ctx, opCountCallbacks, q, &n)
}

// PutMissed implements MissedCallers.
func (c *Client) PutMissed(ctx context.Context, rows ...Missed) error {
	return c.ask(ctx, opPutMissed, rows, nil)
}

// ListMissed implements MissedCallers.
func (c *Client) ListMissed(ctx context.Context, q MissedQuery) (page Page[Missed], err error) {
	return page, c.ask(ctx, opListMissed, q, &page)
}

// CountMissed implements MissedCallers.
func (c *Client) CountMissed(ctx context.Context, q MissedQuery) (n int, err error) {
	return n, c.ask(ctx, opCountMissed, q, &n)
}
