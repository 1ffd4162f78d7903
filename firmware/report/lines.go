package report

import (
	"encoding/binary"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// LineCalls is what came and went by one trunk or line in some span. The zero LineCalls is empty; Add makes sums.
type LineCalls struct {
	In          int               `json:"in,omitempty"` // calls that came
	InAnswered  int               `json:"in_answered,omitempty"`
	Out         int               `json:"out,omitempty"` // calls that were tried
	OutAnswered int               `json:"out_answered,omitempty"`
	Failed      map[tel.Cause]int `json:"failed,omitempty"` // of the tried ones, those that nobody answered
	Used        time.Duration     `json:"used,omitempty"`   // by all legs together, the ringing too
	Talked      time.Duration     `json:"talked,omitempty"` // of it, from the answer on
}

// Add makes l the sum of both.
func (l *LineCalls) Add(o LineCalls) {
	l.In += o.In
	l.InAnswered += o.InAnswered
	l.Out += o.Out
	l.OutAnswered += o.OutAnswered
	merge(&l.Failed, o.Failed)
	l.Used += o.Used
	l.Talked += o.Talked
}

// Remove takes o, which was added once, out of the sum.
func (l *LineCalls) Remove(o LineCalls) {
	l.In -= o.In
	l.InAnswered -= o.InAnswered
	l.Out -= o.Out
	l.OutAnswered -= o.OutAnswered
	for cause, n := range o.Failed {
		if l.Failed[cause] -= n; l.Failed[cause] <= 0 {
			delete(l.Failed, cause)
		}
	}
	l.Used -= o.Used
	l.Talked -= o.Talked
}

// Empty reports whether nothing came or went.
func (l *LineCalls) Empty() bool {
	return l.In+l.InAnswered+l.Out+l.OutAnswered+len(l.Failed) == 0 && l.Used == 0 && l.Talked == 0
}

// Refused counts the calls that the line did not take or its network did not carry: not the called one's doing.
func (l *LineCalls) Refused() (n int) {
	for cause, calls := range l.Failed {
		switch cause {
		case tel.CauseBusy, tel.CauseNoAnswer, tel.CauseRejected, tel.CauseCancelled, tel.CauseNormal, tel.CauseAnsweredElsewhere, tel.CauseUnallocated, tel.CauseUnreachable:
		default:
			n += calls
		}
	}
	return n
}

// Load is how many legs used the line on average (erlang), in a span of that length.
func (l *LineCalls) Load(span time.Duration) float64 {
	if span <= 0 {
		return 0
	}
	return float64(l.Used) / float64(span)
}

// LineUses are the uses of lines that a call's record tells. One of before they were noted tells only the line that the
// caller came by, and that of who answered.
func LineUses(c tel.CallEnded) []tel.LineUse {
	if len(c.Lines) > 0 {
		return c.Lines
	}
	var all []tel.LineUse
	if tel.OutsideParty(c.In) {
		all = append(all, tel.LineUse{Line: c.In, From: c.Started, Answered: c.Answered, To: c.Ended, Cause: c.Cause})
	}
	if tel.OutsideParty(c.Out) && !c.Answered.IsZero() {
		all = append(all, tel.LineUse{Line: c.Out, Out: true, From: c.Answered, Answered: c.Answered, To: c.Ended, Cause: c.Cause})
	}
	return all
}

// LineParts cuts the use of a line at the borders of the slots; the first part counts the call. No time comes of a use
// that ends before it begins or lasts longer than a week.
func LineParts(u tel.LineUse) iter.Seq2[time.Time, LineCalls] {
	return func(yield func(time.Time, LineCalls) bool) {
		part := lineCall(u)
		from, to := u.From, u.To
		if to.Before(from) || to.Sub(from) > maxInterval {
			to = from
		}
		for {
			slot := SlotOf(from)
			end := slot.Add(SlotLength)
			if end.After(to) {
				end = to
			}
			part.Used = end.Sub(from)
			if !u.Answered.IsZero() {
				part.Talked = max(0, end.Sub(later(from, u.Answered)))
			}
			if !part.Empty() && !yield(slot, part) || !end.Before(to) {
				return
			}
			from, part = end, LineCalls{}
		}
	}
}

// lineCall counts the call that a use is of.
func lineCall(u tel.LineUse) (l LineCalls) {
	answered := 0
	if !u.Answered.IsZero() {
		answered = 1
	}
	switch {
	case u.Took:
	case !u.Out:
		l.In, l.InAnswered = 1, answered
	default:
		l.Out, l.OutAnswered = 1, answered
		if answered == 0 {
			count(&l.Failed, u.Cause, 1)
		}
	}
	return l
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// MarshalBinary writes l for the disk.
func (l *LineCalls) MarshalBinary() ([]byte, error) {
	b := []byte{encodingVersion}
	for _, n := range []int64{int64(l.In), int64(l.InAnswered), int64(l.Out), int64(l.OutAnswered), int64(l.Used), int64(l.Talked)} {
		b = binary.AppendUvarint(b, uint64(max(0, n)))
	}
	b = binary.AppendUvarint(b, uint64(len(l.Failed)))
	for _, cause := range slices.Sorted(maps.Keys(l.Failed)) {
		b = appendText(b, cause.String())
		b = binary.AppendUvarint(b, uint64(max(0, l.Failed[cause])))
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote; ErrEncoding for anything else.
func (l *LineCalls) UnmarshalBinary(b []byte) error {
	r := &reading{b: b}
	r.version()
	*l = LineCalls{In: r.number(), InAnswered: r.number(), Out: r.number(), OutAnswered: r.number(), Used: r.span(), Talked: r.span()}
	for range r.length() {
		var cause tel.Cause
		if err := cause.UnmarshalText(r.text()); err != nil {
			r.bad = true
			break
		}
		if n := r.number(); n > 0 && !r.bad {
			count(&l.Failed, cause, n)
		}
	}
	return r.end()
}

// LineRow is the calls of one line in one step.
type LineRow struct {
	Line string    `json:"line"`          // "trunk:tim" or "line:gsm0"
	From time.Time `json:"from,omitzero"` // UTC; zero in a report of one row each
	LineCalls
}
