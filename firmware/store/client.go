package store

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/pronto-pbx/pronto/firmware/report"
)

// Client reaches the records in the keeper's process. It connects when it is first asked, again
// after the keeper was away, and is safe for use from many goroutines, which take turns.
type Client struct {
	path string
	turn chan *wire // holds the one connection, or nil, while nobody has it
}

// wire is one connection.
type wire struct {
	conn net.Conn
	r    *bufio.Reader
	id   uint64
}

var _ Records = (*Client)(nil)

// NewClient prepares to ask the keeper on the unix socket at path.
func NewClient(path string) *Client {
	c := &Client{path: path, turn: make(chan *wire, 1)}
	c.turn <- nil
	return c
}

// Close ends the connection after the request that is under way; the client may be used again.
func (c *Client) Close() error {
	w := <-c.turn
	c.turn <- nil
	if w == nil {
		return nil
	}
	return w.conn.Close()
}

// PutCalls implements Calls.
func (c *Client) PutCalls(ctx context.Context, calls ...Call) error {
	return c.ask(ctx, opPutCalls, calls, nil)
}

// ListCalls implements Calls.
func (c *Client) ListCalls(ctx context.Context, q CallQuery) (page Page[Call], err error) {
	return page, c.ask(ctx, opListCalls, q, &page)
}

// CountCalls implements Calls.
func (c *Client) CountCalls(ctx context.Context, q CallQuery) (n int, err error) {
	return n, c.ask(ctx, opCountCalls, q, &n)
}

// PutWaits implements Waits.
func (c *Client) PutWaits(ctx context.Context, waits ...Wait) error {
	return c.ask(ctx, opPutWaits, waits, nil)
}

// ListWaits implements Waits.
func (c *Client) ListWaits(ctx context.Context, q WaitQuery) (page Page[Wait], err error) {
	return page, c.ask(ctx, opListWaits, q, &page)
}

// CountWaits implements Waits.
func (c *Client) CountWaits(ctx context.Context, q WaitQuery) (n int, err error) {
	return n, c.ask(ctx, opCountWaits, q, &n)
}

// PutTexts implements Texts.
func (c *Client) PutTexts(ctx context.Context, texts ...SMS) error {
	return c.ask(ctx, opPutTexts, texts, nil)
}

// ListTexts implements Texts.
func (c *Client) ListTexts(ctx context.Context, q TextQuery) (page Page[SMS], err error) {
	return page, c.ask(ctx, opListTexts, q, &page)
}

// CountTexts implements Texts.
func (c *Client) CountTexts(ctx context.Context, q TextQuery) (n int, err error) {
	return n, c.ask(ctx, opCountTexts, q, &n)
}

// PutIntervals implements Reports.
func (c *Client) PutIntervals(ctx context.Context, intervals ...Interval) error {
	return c.ask(ctx, opPutIntervals, intervals, nil)
}

// ListIntervals implements Reports.
func (c *Client) ListIntervals(ctx context.Context, q IntervalQuery) (page Page[Interval], err error) {
	return page, c.ask(ctx, opListIntervals, q, &page)
}

// Traffic implements Reports.
func (c *Client) Traffic(ctx context.Context, q ReportQuery) (rows []report.TrafficRow, err error) {
	return rows, c.ask(ctx, opTraffic, q, &rows)
}

// Work implements Reports.
func (c *Client) Work(ctx context.Context, q ReportQuery) (rows []report.WorkRow, err error) {
	return rows, c.ask(ctx, opWork, q, &rows)
}

// LineCalls implements Reports.
func (c *Client) LineCalls(ctx context.Context, q ReportQuery) (rows []report.LineRow, err error) {
	return rows, c.ask(ctx, opLineCalls, q, &rows)
}

// Status implements Records.
func (c *Client) Status(ctx context.Context) (st Status, err error) {
	return st, c.ask(ctx, opStatus, nil, &st)
}

// ask sends one request and reads its reply into result. Every request may be sent twice without
// harm, so one that meets a connection which died unnoticed is sent again.
func (c *Client) ask(ctx context.Context, o op, body, result any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("ask record keeper: %w", err)
	}
	var w *wire
	select {
	case w = <-c.turn:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	used := w != nil
	for {
		if w == nil {
			if w, err = dial(ctx, c.path); err != nil {
				c.turn <- nil
				return err
			}
		}
		var rep reply
		rep, err = w.exchange(ctx, o, raw)
		if err == nil || errors.Is(err, ErrTooLarge) {
			c.turn <- w
			if err == nil {
				err = rep.err()
			}
			if err == nil && result != nil {
				err = json.Unmarshal(rep.Body, result)
			}
			return err
		}
		_ = w.conn.Close()
		w = nil
		if !used || ctx.Err() != nil {
			c.turn <- nil
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		used = false
	}
}

func dial(ctx context.Context, path string) (*wire, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return &wire{conn: conn, r: bufio.NewReader(conn)}, nil
}

// exchange sends and receives within ctx and at most in the time that the keeper gives itself.
// After ErrTooLarge nothing was sent and the connection is as before; after any other error it is
// useless.
func (w *wire) exchange(ctx context.Context, o op, body []byte) (reply, error) {
	deadline := time.Now().Add(answerTime + writeTime)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	_ = w.conn.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { _ = w.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	w.id++
	if err := writeFrame(w.conn, request{V: protocolVersion, ID: w.id, Op: o, Body: body}, maxRequest); err != nil {
		return reply{}, err
	}
	var rep reply
	if err := readFrame(w.r, &rep, maxReply); err != nil {
		if errors.Is(err, ErrTooLarge) {
			err = errors.New("reply exceeds the limit") // the rest of it is still in the connection
		}
		return reply{}, err
	}
	if rep.ID != w.id {
		return reply{}, fmt.Errorf("reply %d to request %d", rep.ID, w.id)
	}
	return rep, nil
}
