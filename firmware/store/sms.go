package store

import (
	"context"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// SMS is one change of one short message: received, sent, delivered, failed. Its identity is the message
// and its state: a second record of the same change, as a crash can make, is dropped.
type SMS struct {
	Pos Position `json:"pos"`
	tel.SMS
}

// Texts keeps the records of short messages.
type Texts interface {
	// PutTexts keeps the records; putting one again changes nothing. It returns when they are safe.
	PutTexts(ctx context.Context, texts ...SMS) error
	// ListTexts returns a page, newest change first. ErrQuery for a bad cursor or limit.
	ListTexts(ctx context.Context, q TextQuery) (Page[SMS], error)
	// CountTexts counts what ListTexts would list on all pages; cursor and limit do not matter.
	CountTexts(ctx context.Context, q TextQuery) (int, error)
}

// TextQuery selects changes of messages by their time. Zero fields select everything.
type TextQuery struct {
	Span
	Line  string       `json:"line,omitempty"`  // "line:gsm0"
	Party string       `json:"party,omitempty"` // the other side, as it is written
	State tel.SMSState `json:"state,omitempty"`
}

// Match reports whether s passes the filters; time is not looked at.
func (q TextQuery) Match(s SMS) bool {
	return (q.Line == "" || q.Line == s.Line) &&
		(q.Party == "" || q.Party == s.From || q.Party == string(s.To)) &&
		(q.State == "" || q.State == s.State)
}

// SortKey orders changes by time, position and identity as byte strings.
func (s SMS) SortKey() string { return sortKey(s.At, s.Pos, s.Identity()) }

// Identity tells a change from all others.
func (s SMS) Identity() string { return string(s.ID) + "/" + string(s.State) }
