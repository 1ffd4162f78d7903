// Package missed is the work list of callers who were not served: one row per number, which closes
// itself when there is contact. It is pure; who owns a List tells it what happened.
package missed

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Most is how many rows the list has at most; the one that was called last makes room.
const Most = 2000

// mostCalls bounds what is remembered of calls that are up, in case their ends are never told.
const mostCalls = 5000

// List is everything the work list knows, as one plain value.
type List struct {
	Rows map[tel.Number]tel.MissedChanged `json:"rows,omitempty"` // open ones, by number in international form
	// Calls are those that have left a queue unserved and go on elsewhere.
	Calls map[tel.CallID]Call `json:"calls,omitempty"`
	// Withheld and Short count callers who could not be listed: they showed no number, or had hardly waited.
	Withheld int `json:"withheld,omitempty"`
	Short    int `json:"short,omitempty"`
}

// Call is a call that left a queue unserved.
type Call struct {
	Queue  tel.QueueID      `json:"queue"`
	Name   string           `json:"name,omitempty"`
	Waited time.Duration    `json:"waited,omitempty"`
	Why    tel.MissedReason `json:"why,omitempty"` // empty: it still waits
	At     time.Time        `json:"at"`
}

// New returns an empty list.
func New() List {
	return List{Rows: map[tel.Number]tel.MissedChanged{}, Calls: map[tel.CallID]Call{}}
}

// Clone returns an independent copy.
func (l List) Clone() List {
	c := New()
	maps.Copy(c.Rows, l.Rows)
	maps.Copy(c.Calls, l.Calls)
	c.Withheld, c.Short = l.Withheld, l.Short
	return c
}

// Mend drops rows that contradict themselves, as a file may hold that somebody has edited.
func (l *List) Mend() {
	maps.DeleteFunc(l.Rows, func(n tel.Number, row tel.MissedChanged) bool {
		return row.Number != n || key(n) != n || row.Closed != ""
	})
}

// Open lists the open rows, the latest call first.
func (l List) Open() []tel.MissedChanged {
	rows := slices.Collect(maps.Values(l.Rows))
	slices.SortFunc(rows, func(a, b tel.MissedChanged) int {
		return cmp.Or(b.Last.Compare(a.Last), strings.Compare(string(a.Number), string(b.Number)))
	})
	return rows
}

// Apply takes one event and returns the rows that changed by it.
func (l *List) Apply(e tel.Event) []tel.MissedChanged {
	switch e := e.(type) {
	case tel.QueueJoined:
		l.note(e.Call, Call{Queue: e.Queue, Name: e.Name, At: e.At})
	case tel.QueueLeft:
		return l.left(e)
	case tel.CallEnded:
		return l.ended(e)
	case tel.CallbackChanged:
		return l.calledBack(e)
	}
	return nil
}

// Concerns says that Apply looks at events of this kind.
func Concerns(e tel.Event) bool {
	switch e.(type) {
	case tel.QueueJoined, tel.QueueLeft, tel.CallEnded, tel.CallbackChanged:
		return true
	}
	return false
}

func (l *List) note(id tel.CallID, c Call) {
	if len(l.Calls) >= mostCalls {
		first := tel.CallID("")
		for other, x := range l.Calls {
			if first == "" || x.At.Before(l.Calls[first].At) || x.At.Equal(l.Calls[first].At) && other < first {
				first = other
			}
		}
		delete(l.Calls, first)
	}
	l.Calls[id] = c
}

// left is the end of a wait. Who was sent on may still be answered: the end of the call decides.
func (l *List) left(e tel.QueueLeft) []tel.MissedChanged {
	c := l.Calls[e.Call]
	delete(l.Calls, e.Call)
	c.Queue, c.Waited, c.At = e.Queue, e.Left.Sub(e.Joined), e.Left
	switch e.Outcome {
	case tel.OutcomeAnswered:
		return l.contact(e.Caller, tel.MissedCalledAgain, e.Agent, e.Left)
	case tel.OutcomeAbandoned:
		if e.Short {
			l.Short++
			return nil
		}
		c.Why = tel.MissedAbandoned
		return l.miss(e.Caller, e.Call, c)
	case tel.OutcomeFailed:
		c.Why = tel.MissedFailed
		return l.miss(e.Caller, e.Call, c)
	case tel.OutcomeCallback: // the request is the promise; its end decides
		return nil
	case tel.OutcomeWithdrawn:
		c.Why = tel.MissedOverflow
	case tel.OutcomeRefused:
		c.Why = tel.MissedRefused
	default:
		c.Why = tel.MissedOverflow
	}
	if strings.HasPrefix(e.To, "voicemail:") {
		c.Why = tel.MissedVoicemail
	}
	l.note(e.Call, c)
	return nil
}

// ended is the end of a call: contact when a person talked, otherwise a caller whom some queue had sent
// on in vain.
func (l *List) ended(e tel.CallEnded) []tel.MissedChanged {
	c, known := l.Calls[e.Call]
	delete(l.Calls, e.Call)
	talked := !e.Answered.IsZero()
	switch {
	case e.Direction == tel.Outbound && talked:
		return l.contact(e.To, tel.MissedCalledBack, e.Agent, e.Ended)
	case e.Direction == tel.Inbound && talked:
		return l.contact(e.From, tel.MissedCalledAgain, e.Agent, e.Ended)
	case e.Direction == tel.Inbound && known && c.Why != "":
		c.At = e.Ended
		return l.miss(e.From, e.Call, c)
	}
	return nil
}

// calledBack is the end of a request to be called back.
func (l *List) calledBack(e tel.CallbackChanged) []tel.MissedChanged {
	if e.State != tel.CallbackEnded {
		return nil
	}
	switch e.Outcome {
	case tel.CallbackReached:
		rows := l.contact(e.Number, tel.MissedCalledBack, e.Agent, e.At)
		if key(e.Caller) != key(e.Number) {
			rows = append(rows, l.contact(e.Caller, tel.MissedCalledBack, e.Agent, e.At)...)
		}
		return rows
	case tel.CallbackUnreached, tel.CallbackExpired, tel.CallbackDropped:
		return l.miss(e.Number, e.Call, Call{
			Queue: e.Queue, Name: e.Name, Waited: e.At.Sub(e.EnqueuedAt), Why: tel.MissedCallback, At: e.At,
		})
	}
	return nil
}

// key is a number as rows are kept by: in international form; empty for who withholds it and for
// colleagues, whom nobody needs to be reminded of.
func key(n tel.Number) tel.Number {
	wide, ok := n.E164()
	if !ok {
		return ""
	}
	return wide
}

func (l *List) miss(n tel.Number, call tel.CallID, c Call) []tel.MissedChanged {
	id := key(n)
	if id == "" {
		if n == "" {
			l.Withheld++
		}
		return nil
	}
	var changed []tel.MissedChanged
	row, known := l.Rows[id]
	if !known {
		if len(l.Rows) >= Most {
			oldest := l.Open()[len(l.Rows)-1]
			changed = append(changed, l.shut(oldest, tel.MissedTooOld, "", c.At))
		}
		row = tel.MissedChanged{Number: id, First: c.At}
	}
	row.Queue, row.Call, row.Last, row.Why, row.At = c.Queue, call, c.At, c.Why, c.At
	row.Calls++
	row.Waited = max(row.Waited, c.Waited)
	if c.Name != "" {
		row.Name = c.Name
	}
	l.Rows[id] = row
	return append(changed, row)
}

func (l *List) contact(n tel.Number, how tel.MissedClose, by tel.AgentID, at time.Time) []tel.MissedChanged {
	row, open := l.Rows[key(n)]
	if !open {
		return nil
	}
	return []tel.MissedChanged{l.shut(row, how, by, at)}
}

func (l *List) shut(row tel.MissedChanged, how tel.MissedClose, by tel.AgentID, at time.Time) tel.MissedChanged {
	delete(l.Rows, row.Number)
	row.Closed, row.By, row.At = how, by, at
	return row
}

// Dismiss takes a number off the list; nothing is returned when it is not there.
func (l *List) Dismiss(n tel.Number, at time.Time) []tel.MissedChanged {
	return l.contact(n, tel.MissedDismissed, "", at)
}

// Expire closes the rows whose last call was before a time, and forgets calls whose end was never told.
func (l *List) Expire(before, at time.Time) []tel.MissedChanged {
	var changed []tel.MissedChanged
	for _, row := range l.Open() {
		if row.Last.Before(before) {
			changed = append(changed, l.shut(row, tel.MissedTooOld, "", at))
		}
	}
	maps.DeleteFunc(l.Calls, func(_ tel.CallID, c Call) bool { return c.At.Before(before) })
	return changed
}
