package store

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Position is the place of a record in the history journal it came from.
type Position uint64

// Call is one finished call. Its identity is the call: a second record of the same call, as a crash
// between writing and forgetting can make, is dropped, and the lowest position stays.
type Call struct {
	Pos Position `json:"pos"`
	tel.CallEnded
}

// Wait is one finished wait in a queue. Its identity is call and position: a caller may wait in
// several queues, or twice in one.
type Wait struct {
	Pos Position `json:"pos"`
	tel.QueueLeft
}

// Errors that callers decide on. They cross the socket.
var (
	ErrQuery       = errors.New("store: the query makes no sense")
	ErrUnavailable = errors.New("store: the records cannot be reached now")
	ErrFull        = errors.New("store: the disk of the records is full")
	ErrTooLarge    = errors.New("store: too large for one message")
)

// Calls keeps call records.
type Calls interface {
	// PutCalls keeps the records; putting one again changes nothing. It returns when they are safe.
	PutCalls(ctx context.Context, calls ...Call) error
	// ListCalls returns a page, newest start first. ErrQuery for a bad cursor or limit.
	ListCalls(ctx context.Context, q CallQuery) (Page[Call], error)
	// CountCalls counts what ListCalls would list on all pages; cursor and limit do not matter.
	CountCalls(ctx context.Context, q CallQuery) (int, error)
}

// Waits keeps queue records.
type Waits interface {
	// PutWaits keeps the records; putting one again changes nothing. It returns when they are safe.
	PutWaits(ctx context.Context, waits ...Wait) error
	// ListWaits returns a page, newest joining first. ErrQuery for a bad cursor or limit.
	ListWaits(ctx context.Context, q WaitQuery) (Page[Wait], error)
	// CountWaits counts what ListWaits would list on all pages; cursor and limit do not matter.
	CountWaits(ctx context.Context, q WaitQuery) (int, error)
}

// Records is all that the record keeper offers.
type Records interface {
	Calls
	Waits
	Texts
	Callbacks
	MissedCallers
	Dispositions
	Reports
	// Status says how far the records are, and what is wrong in words.
	Status(ctx context.Context) (Status, error)
}

// Status is how far the record keeper is.
type Status struct {
	Journal   uint64    `json:"journal"`             // the journal that the positions belong to; 0: none seen yet
	Committed Position  `json:"committed"`           // newest position that is stored
	BackedUp  Position  `json:"backed_up"`           // newest position that is also in a verified backup
	Trouble   string    `json:"trouble,omitempty"`   // why nothing is stored now, in words; empty: all is well
	Rebuilt   string    `json:"rebuilt,omitempty"`   // after damage: what was restored and what is missing
	RebuiltAt time.Time `json:"rebuilt_at,omitzero"` // when Rebuilt was noted
	Unusable  int       `json:"unusable,omitempty"`  // journal records since the start that could not be understood
	Damaged   int       `json:"damaged,omitempty"`   // damaged places of the journal passed over since the start
}

// Span is the part of a query that all queries share.
type Span struct {
	From   time.Time `json:"from,omitzero"`    // first moment; zero: from the beginning
	To     time.Time `json:"to,omitzero"`      // first moment after; zero: to the end
	Cursor string    `json:"cursor,omitempty"` // Page.Next of the page before
	Limit  int       `json:"limit,omitempty"`  // 1 to MaxLimit; 0: DefaultLimit
}

// Limits of one page.
const (
	DefaultLimit = 50
	MaxLimit     = 500
)

// CallQuery selects calls by the time they started. Zero fields select everything.
type CallQuery struct {
	Span
	Direction tel.Direction `json:"direction,omitempty"`
	Queue     tel.QueueID   `json:"queue,omitempty"`
	Agent     tel.AgentID   `json:"agent,omitempty"`
	Party     tel.Number    `json:"party,omitempty"`    // either side
	Answered  *bool         `json:"answered,omitempty"` // nil: both
}

// WaitQuery selects waits by the time the caller joined. Zero fields select everything.
type WaitQuery struct {
	Span
	Queue   tel.QueueID      `json:"queue,omitempty"`
	Agent   tel.AgentID      `json:"agent,omitempty"`
	Caller  tel.Number       `json:"caller,omitempty"`
	Outcome tel.QueueOutcome `json:"outcome,omitempty"`
}

// Page is one piece of a list.
type Page[R any] struct {
	Items []R    `json:"items"`
	Next  string `json:"next,omitempty"` // cursor of the next page; empty: this was the last
}

// Match reports whether c passes the filters; time is not looked at.
func (q CallQuery) Match(c Call) bool {
	return (q.Direction == "" || q.Direction == c.Direction) &&
		(q.Queue == "" || q.Queue == c.Queue) &&
		(q.Agent == "" || q.Agent == c.Agent) &&
		(q.Party == "" || q.Party == c.From || q.Party == c.To) &&
		(q.Answered == nil || *q.Answered == !c.Answered.IsZero())
}

// Match reports whether w passes the filters; time is not looked at.
func (q WaitQuery) Match(w Wait) bool {
	return (q.Queue == "" || q.Queue == w.Queue) &&
		(q.Agent == "" || q.Agent == w.Agent) &&
		(q.Caller == "" || q.Caller == w.Caller) &&
		(q.Outcome == "" || q.Outcome == w.Outcome)
}

// SortKey orders calls by start, position and identity as byte strings.
func (c Call) SortKey() string { return sortKey(c.Started, c.Pos, string(c.Call)) }

// SortKey orders waits by joining, position and identity as byte strings.
func (w Wait) SortKey() string { return sortKey(w.Joined, w.Pos, string(w.Call)) }

// Identity tells a call from all others.
func (c Call) Identity() string { return string(c.Call) }

// Identity tells a wait from all others.
func (w Wait) Identity() string {
	return string(binary.BigEndian.AppendUint64([]byte(w.Call), uint64(w.Pos)))
}

func sortKey(at time.Time, pos Position, id string) string {
	b := binary.BigEndian.AppendUint64([]byte(TimeKey(at)), uint64(pos))
	return string(append(b, id...))
}

// TimeKey is the beginning of the SortKey of everything at that moment. Times before 1970 sort
// before it, as a box without a clock may write them; what int64 nanoseconds cannot hold goes to
// the nearest end.
func TimeKey(at time.Time) string {
	nano := at.UnixNano()
	switch year := at.UTC().Year(); {
	case year < 1678:
		nano = -1 << 63
	case year > 2261:
		nano = 1<<63 - 1
	}
	return string(binary.BigEndian.AppendUint64(nil, uint64(nano)^1<<63))
}

// Bounds turns a span into the half-open range of sort keys it selects and the size of a page.
// An empty high means no bound.
func (s Span) Bounds() (low, high string, limit int, err error) {
	if s.Limit < 0 || s.Limit > MaxLimit {
		return "", "", 0, ErrQuery
	}
	limit = s.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	if !s.From.IsZero() {
		low = TimeKey(s.From)
	}
	if !s.To.IsZero() {
		high = TimeKey(s.To)
	}
	if s.Cursor != "" {
		key, err := base64.RawURLEncoding.DecodeString(s.Cursor)
		if err != nil || len(key) < 16 || len(key) > 1024 {
			return "", "", 0, ErrQuery
		}
		if high == "" || string(key) < high {
			high = string(key)
		}
	}
	return low, high, limit, nil
}

// CursorAt is the cursor of the page that goes on below the record with that sort key.
func CursorAt(sortKey string) string { return base64.RawURLEncoding.EncodeToString([]byte(sortKey)) }
