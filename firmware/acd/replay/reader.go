package replay

import (
	"errors"
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
)

// ErrNoState is returned for a day before whose first decision no whole state of the queues is in the journal.
var ErrNoState = errors.New("the journal does not reach back to that day")

// Reader collects the story of a day from a journal. It is made by NewReader.
type Reader struct {
	from, to time.Time
	parts    stateReader
	state    plan.State
	begun    bool
	before   []Decision // between the last whole state and the day
	day      *telling
	over     bool
	number   uint64
	gaps     int
}

// NewReader reads the story of what happened in [from, to).
func NewReader(from, to time.Time) *Reader { return &Reader{from: from, to: to} }

// mostBefore bounds the decisions that are made again to come to the beginning of the day.
const mostBefore = 50000

// Take reads one record of a journal, in order; records of other kinds are passed over. Errors as of
// ReadDecision; the record is passed over then.
func (r *Reader) Take(kind string, body []byte) error {
	switch {
	case r.over:
		return nil
	case kind == KindState:
		s, whole, err := r.parts.take(body)
		if err != nil || !whole {
			return err
		}
		r.number = 0
		if r.day != nil {
			return r.day.anew(s)
		}
		r.state, r.begun, r.before = s, true, r.before[:0]
	case kind == KindDecision:
		d, e, err := ReadDecision(body)
		if err != nil {
			return err
		}
		return r.take(d, e)
	}
	return nil
}

func (r *Reader) take(d Decision, e plan.Event) error {
	if gap := r.number != 0 && d.N != 0 && d.N != r.number+1; gap {
		r.gaps++
	}
	r.number = d.N
	switch {
	case !d.At.Before(r.to):
		r.over = r.day != nil
		return nil
	case r.day == nil && d.At.Before(r.from):
		if r.begun = r.begun && len(r.before) < mostBefore && r.gaps == 0; r.begun {
			r.before = append(r.before, d)
		}
		r.gaps = 0
		return nil
	case r.day == nil:
		if err := r.begin(d.At); err != nil {
			return err
		}
	}
	r.day.take(d, e)
	return nil
}

// begin decides what led to the beginning of the day.
func (r *Reader) begin(at time.Time) error {
	if !r.begun || r.gaps > 0 {
		r.gaps = 0
		return ErrNoState
	}
	for _, d := range r.before {
		e, err := plan.DecodeEvent(d.Kind, d.Event)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrRecord, err)
		}
		r.state, _ = plan.Next(r.state, e, d.At, d.Seed)
	}
	r.before = nil
	r.day = newTelling(r.state, r.from, r.to, at)
	return nil
}

// Over says that the day is: nothing that is taken changes anything more.
func (r *Reader) Over() bool { return r.over }

// Story is what was read. Errors: ErrNoState.
func (r *Reader) Story() (*Story, error) {
	if r.day == nil {
		return nil, ErrNoState
	}
	r.day.Breaks += r.gaps
	return r.day.finish(r.over), nil
}
