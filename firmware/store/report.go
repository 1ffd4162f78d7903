package store

import (
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

// Takes reports whether a slot of a queue is asked for.
func (q ReportQuery) Takes(slot time.Time, queue tel.QueueID) bool {
	return q.within(slot) && (len(q.Queues) == 0 || slices.Contains(q.Queues, queue))
}

// TakesAgent reports whether a slot of an agent is asked for.
func (q ReportQuery) TakesAgent(slot time.Time, agent tel.AgentID) bool {
	return q.within(slot) && (len(q.Agents) == 0 || slices.Contains(q.Agents, agent))
}

func (q ReportQuery) within(slot time.Time) bool {
	return !slot.Before(q.From) && (q.To.IsZero() || slot.Before(q.To))
}

// TrafficTable sums slots of queues as the query asks.
type TrafficTable struct {
	q     ReportQuery
	table *report.Table[tel.QueueID, report.Traffic]
}

// NewTrafficTable makes an empty one; ErrQuery as Location.
func NewTrafficTable(q ReportQuery) (*TrafficTable, error) {
	zone, err := q.Location()
	if err != nil {
		return nil, err
	}
	return &TrafficTable{q, report.Tabulate[tel.QueueID](q.Step, zone, (*report.Traffic).Add)}, nil
}

// Take adds one slot. ErrTooLarge when there are more rows than an answer may have.
func (t *TrafficTable) Take(queue tel.QueueID, slot time.Time, sum report.Traffic) error {
	if t.q.Takes(slot, queue) {
		t.table.Take(queue, slot, sum)
	}
	return fits(t.table.Len())
}

// Rows are the sums by time and queue.
func (t *TrafficTable) Rows() []report.TrafficRow {
	rows := make([]report.TrafficRow, 0, t.table.Len())
	t.table.Each(func(id tel.QueueID, from time.Time, sum report.Traffic) {
		rows = append(rows, report.TrafficRow{Queue: id, From: from, Traffic: sum})
	})
	return rows
}

// WorkTable sums slots of agents as the query asks.
type WorkTable struct {
	q     ReportQuery
	table *report.Table[tel.AgentID, report.Work]
}

// NewWorkTable makes an empty one; ErrQuery as Location.
func NewWorkTable(q ReportQuery) (*WorkTable, error) {
	zone, err := q.Location()
	if err != nil {
		return nil, err
	}
	return &WorkTable{q, report.Tabulate[tel.AgentID](q.Step, zone, (*report.Work).Add)}, nil
}

// Take adds one slot. ErrTooLarge when there are more rows than an answer may have.
func (t *WorkTable) Take(agent tel.AgentID, slot time.Time, sum report.Work) error {
	if t.q.TakesAgent(slot, agent) {
		t.table.Take(agent, slot, sum)
	}
	return fits(t.table.Len())
}

// Rows are the sums by time and agent.
func (t *WorkTable) Rows() []report.WorkRow {
	rows := make([]report.WorkRow, 0, t.table.Len())
	t.table.Each(func(id tel.AgentID, from time.Time, sum report.Work) {
		rows = append(rows, report.WorkRow{Agent: id, From: from, Work: sum})
	})
	return rows
}

func fits(rows int) error {
	if rows > MaxRows {
		return fmt.Errorf("%w: more than %d rows; a longer step has fewer", ErrTooLarge, MaxRows)
	}
	return nil
}
