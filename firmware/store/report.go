package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Interval is one interval of an agent's day. Its identity is all of it: a second record of the same, as
// a crash can make, is dropped.
type Interval struct {
	Pos Position `json:"pos"`
	tel.AgentInterval
}

// SortKey orders intervals by beginning, position and identity as byte strings.
func (i Interval) SortKey() string { return sortKey(i.From, i.Pos, string(i.Agent)) }

// Identity tells an interval from all others.
func (i Interval) Identity() string {
	return fmt.Sprintf("%s/%s/%d/%d", i.Agent, i.State, i.From.UnixNano(), i.To.UnixNano())
}

// Reports keeps intervals and answers with sums over them and over waits.
type Reports interface {
	// PutIntervals keeps the records; putting one again changes nothing. It returns when they are safe.
	PutIntervals(ctx context.Context, intervals ...Interval) error
	// ListIntervals returns a page, newest beginning first. ErrQuery for a bad cursor or limit.
	ListIntervals(ctx context.Context, q IntervalQuery) (Page[Interval], error)
	// Traffic sums the waits of queues, by time and queue. ErrQuery for a step or zone that does not
	// exist, ErrTooLarge for more than MaxRows rows.
	Traffic(ctx context.Context, q ReportQuery) ([]report.TrafficRow, error)
	// Work sums the intervals of agents, by time and agent. Errors as of Traffic.
	Work(ctx context.Context, q ReportQuery) ([]report.WorkRow, error)
	// LineCalls sums the uses of lines by calls, by time and line. Errors as of Traffic.
	LineCalls(ctx context.Context, q ReportQuery) ([]report.LineRow, error)
}

// IntervalQuery selects intervals by the time they began. Zero fields select everything.
type IntervalQuery struct {
	Span
	Agent tel.AgentID `json:"agent,omitempty"`
}

// Match reports whether i passes the filters; time is not looked at.
func (q IntervalQuery) Match(i Interval) bool { return q.Agent == "" || q.Agent == i.Agent }

// MaxRows bounds the answer to a ReportQuery: two years of days of six queues.
const MaxRows = 5000

// ReportQuery selects slots by time: those that begin in [From, To).
type ReportQuery struct {
	From   time.Time     `json:"from,omitzero"` // zero: from the beginning
	To     time.Time     `json:"to,omitzero"`   // zero: to the end
	Step   report.Step   `json:"step"`
	Zone   string        `json:"zone"`             // by whose clock days begin, such as Europe/Rome
	Queues []tel.QueueID `json:"queues,omitempty"` // empty: all
	Agents []tel.AgentID `json:"agents,omitempty"` // empty: all
	Lines  []string      `json:"lines,omitempty"`  // such as "trunk:tim"; empty: all
}

// Location checks the query and returns its zone.
func (q ReportQuery) Location() (*time.Location, error) {
	if !slices.Contains(report.Steps(), q.Step) {
		return nil, fmt.Errorf("%w: no step %q", ErrQuery, q.Step)
	}
	zone, err := time.LoadLocation(q.Zone)
	if err != nil || q.Zone == "" || q.Zone == "Local" {
		return nil, fmt.Errorf("%w: no zone %q", ErrQuery, q.Zone)
	}
	return zone, nil
}

// Tally sums slots of queues or agents as a query asks.
type Tally[ID cmp.Ordered, Sum any] struct {
	q     ReportQuery
	only  []ID // empty: all
	table *report.Table[ID, Sum]
}

// TallyTraffic makes an empty one of queues; ErrQuery as Location.
func TallyTraffic(q ReportQuery) (*Tally[tel.QueueID, report.Traffic], error) {
	return tally(q, q.Queues, (*report.Traffic).Add)
}

// TallyWork makes an empty one of agents; ErrQuery as Location.
func TallyWork(q ReportQuery) (*Tally[tel.AgentID, report.Work], error) {
	return tally(q, q.Agents, (*report.Work).Add)
}

// TallyLines makes an empty one of lines; ErrQuery as Location.
func TallyLines(q ReportQuery) (*Tally[string, report.LineCalls], error) {
	return tally(q, q.Lines, (*report.LineCalls).Add)
}

func tally[ID cmp.Ordered, Sum any](q ReportQuery, only []ID, add func(*Sum, Sum)) (*Tally[ID, Sum], error) {
	zone, err := q.Location()
	if err != nil {
		return nil, err
	}
	return &Tally[ID, Sum]{q, only, report.Tabulate[ID](q.Step, zone, add)}, nil
}

// Take adds one slot. ErrTooLarge when there are more rows than an answer may have.
func (t *Tally[ID, Sum]) Take(id ID, slot time.Time, sum Sum) error {
	within := !slot.Before(t.q.From) && (t.q.To.IsZero() || slot.Before(t.q.To))
	if within && (len(t.only) == 0 || slices.Contains(t.only, id)) {
		t.table.Take(id, slot, sum)
	}
	return fits(t.table.Len())
}

// Rows are the sums by time and identifier, each made by row.
func Rows[ID cmp.Ordered, Sum, Row any](t *Tally[ID, Sum], row func(ID, time.Time, Sum) Row) []Row {
	rows := make([]Row, 0, t.table.Len())
	t.table.Each(func(id ID, from time.Time, sum Sum) { rows = append(rows, row(id, from, sum)) })
	return rows
}

// TrafficRow makes a row of Traffic.
func TrafficRow(id tel.QueueID, from time.Time, sum report.Traffic) report.TrafficRow {
	return report.TrafficRow{Queue: id, From: from, Traffic: sum}
}

// WorkRow makes a row of Work.
func WorkRow(id tel.AgentID, from time.Time, sum report.Work) report.WorkRow {
	return report.WorkRow{Agent: id, From: from, Work: sum}
}

// LineRow makes a row of LineCalls.
func LineRow(line string, from time.Time, sum report.LineCalls) report.LineRow {
	return report.LineRow{Line: line, From: from, LineCalls: sum}
}

// DispositionRow makes a row of DispositionSums.
func DispositionRow(id tel.QueueID, from time.Time, sum report.Dispositions) report.DispositionRow {
	return report.DispositionRow{Queue: id, From: from, Dispositions: sum}
}

func fits(rows int) error {
	if rows > MaxRows {
		return fmt.Errorf("%w: more than %d rows; a longer step has fewer", ErrTooLarge, MaxRows)
	}
	return nil
}
