package ledger

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Erase takes the callers for whom erased is true off the list, and their open requests to be called back, and returns
// the rows, closed, once the file has none of them. Nobody is told of it here: a
// record would name the caller.
func (l *Ledger) Erase(ctx context.Context, erased func(tel.Number, time.Time) bool) (rows []tel.MissedChanged, err error) {
	done := make(chan struct{})
	do := func() error {
		defer close(done)
		now := time.Now()
		for _, row := range l.s.Missed.Open() {
			if erased(row.Number, row.Last) {
				rows = append(rows, l.s.Missed.Dismiss(row.Number, now)...)
			}
		}
		maps.DeleteFunc(l.s.Callbacks, func(_ tel.CallbackID, c tel.CallbackChanged) bool {
			return erased(c.Number, c.Asked) || erased(c.Caller, c.Asked)
		})
		l.show()
		err := statefile.Save(l.cfg.Path, fileVersion, l.s) // also when none was found: a write may have been owed
		l.dirty = err != nil
		l.cfg.Saved(err)
		return err
	}
	err = l.ask(ctx, letter{do: do, reply: make(chan error, 1)})
	select {
	case <-done:
		return rows, err
	default: // not done, or being done: nothing of it is ours to read
		return nil, err
	}
}

// Owed lists the open requests to be called back.
func (l *Ledger) Owed(ctx context.Context) (all []tel.CallbackChanged, err error) {
	got := make(chan []tel.CallbackChanged, 1)
	err = l.ask(ctx, letter{reply: make(chan error, 1), do: func() error {
		got <- slices.Collect(maps.Values(l.s.Callbacks))
		return nil
	}})
	if err != nil {
		return nil, err
	}
	return <-got, nil
}

// Erase forgets the callers for whom erased is true, and returns once the file has none of them. Who holds the
// memories forgets them first.
func (m *Memories) Erase(ctx context.Context, erased func(tel.Number) bool) error {
	_, err := m.ask(ctx, func() error {
		maps.DeleteFunc(m.kept, func(n tel.Number, _ plan.Memory) bool { return erased(n) })
		m.fade()
		err := statefile.Save(m.cfg.Path, memoriesVersion, m.All())
		m.dirty = err != nil
		m.cfg.Saved(err)
		return err
	})
	return err
}

// Callers are the numbers of who is remembered now.
func (m *Memories) Callers(ctx context.Context) ([]tel.Number, error) {
	return m.ask(ctx, func() error { return nil })
}

// question is something that the owner of the memories does for who waits.
type question struct {
	do    func() error
	reply chan error
	all   []tel.Number
}

func (m *Memories) ask(ctx context.Context, do func() error) ([]tel.Number, error) {
	q := &question{do: do, reply: make(chan error, 1)}
	select {
	case m.in <- note{ask: q}:
	case <-m.quit:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case err := <-q.reply:
		return q.all, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *Memories) answer(q *question) {
	q.all = slices.Collect(maps.Keys(m.kept))
	q.reply <- q.do()
}
