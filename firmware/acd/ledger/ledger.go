// Package ledger keeps on disk what the queues owe to people who are not on the line: callers who
// asked to be called back, and callers whom nobody has served. A crash loses nothing of it, nor does a
// power cut but the last moment, which the journal of finished records has.
package ledger

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/missed"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const (
	fileVersion = 1
	mailbox     = 4096
	saveEvery   = 2 * time.Second // so that a busy hour writes the file a few times a minute, not per call
	sweepEvery  = time.Hour
)

// ErrUnknown is returned for a number that is not on the list.
var ErrUnknown = errors.New("no missed caller has this number")

// ErrClosed is returned after Close.
var ErrClosed = errors.New("the list of missed callers is closed")

// Config wires the ledger to its neighbours. All fields are needed.
type Config struct {
	Log     *slog.Logger
	Path    string               // the file
	Keep    func() time.Duration // how long a row is kept after its last call
	Now     func() time.Time     // by which moment rows grow old; nil: time.Now
	Publish func(tel.Event)      // changed rows; must not block; called by the ledger's goroutine
	Saved   func(error)          // after each write; must not block
}

// Ledger is the owner of the file.
type Ledger struct {
	cfg  Config
	in   chan letter
	quit chan struct{}
	once sync.Once
	wg   sync.WaitGroup
	rows atomic.Pointer[[]tel.MissedChanged]
	lost atomic.Uint64

	s     state // belongs to the goroutine after Start
	dirty bool
}

// state is the file.
type state struct {
	Missed    missed.List                            `json:"missed"`
	Callbacks map[tel.CallbackID]tel.CallbackChanged `json:"callbacks,omitempty"` // open ones, as told last
	At        time.Time                              `json:"at,omitzero"`         // of the last finished record that was counted
}

type letter struct {
	event   tel.Event
	dismiss tel.Number
	do      func() error // something else that the owner does for who waits
	reply   chan error
}

// Open reads the file. A damaged one is put aside: a box without its list is better than none. Replay
// may follow, then Start.
func Open(cfg Config) (*Ledger, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	l := &Ledger{cfg: cfg, in: make(chan letter, mailbox), quit: make(chan struct{})}
	var kept state
	switch err := statefile.Load(cfg.Path, fileVersion, &kept); {
	case err == nil || errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, statefile.ErrDamaged):
		cfg.Log.Error("the list of missed callers is lost", "err", err)
		kept = state{}
	default:
		return nil, err
	}
	l.s = state{Missed: kept.Missed.Clone(), Callbacks: map[tel.CallbackID]tel.CallbackChanged{}, At: kept.At}
	l.s.Missed.Mend()
	maps.Copy(l.s.Callbacks, kept.Callbacks)
	l.show()
	return l, nil
}

// Replay counts a finished record of the journal that the file has not seen. Call it before Start, in
// the order of the journal.
func (l *Ledger) Replay(e tel.Event) {
	if at := finished(e); !at.IsZero() && at.After(l.s.At) {
		l.apply(e)
	}
}

// finished is when a finished record was written; zero for other events.
func finished(e tel.Event) time.Time {
	switch e := e.(type) {
	case tel.QueueLeft:
		return e.Left
	case tel.CallEnded:
		return e.Ended
	case tel.CallbackChanged:
		if e.State == tel.CallbackEnded {
			return e.At
		}
	}
	return time.Time{}
}

// Start begins to take events.
func (l *Ledger) Start() { l.wg.Go(l.run) }

// Tell passes an event without blocking; what does not concern the ledger is left out.
func (l *Ledger) Tell(e tel.Event) {
	if !missed.Concerns(e) {
		return
	}
	select {
	case l.in <- letter{event: e}:
	default:
		if l.lost.Add(1) == 1 {
			l.cfg.Log.Error("the list of missed callers does not keep up")
		}
	}
}

// Callbacks lists the open requests that the file knew at the start, oldest first, for queues that have
// lost their state. Call it before Start.
func (l *Ledger) Callbacks() []tel.CallbackChanged {
	all := slices.Collect(maps.Values(l.s.Callbacks))
	slices.SortFunc(all, func(a, b tel.CallbackChanged) int { return a.EnqueuedAt.Compare(b.EnqueuedAt) })
	return all
}

// Missed lists the callers whom somebody should call, the latest first. The list is shared: read it only.
func (l *Ledger) Missed() []tel.MissedChanged { return *l.rows.Load() }

// Dismiss takes a number off the list. Errors: ErrUnknown, ErrClosed.
func (l *Ledger) Dismiss(ctx context.Context, n tel.Number) error {
	return l.ask(ctx, letter{dismiss: n, reply: make(chan error, 1)})
}

// ask gives a letter to the owner and waits for the reply.
func (l *Ledger) ask(ctx context.Context, m letter) error {
	select {
	case l.in <- m:
	case <-l.quit:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-m.reply:
		return err
	case <-l.quit:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close writes the file and ends the ledger.
func (l *Ledger) Close() {
	l.once.Do(func() { close(l.quit) })
	l.wg.Wait()
}

func (l *Ledger) run() {
	save, sweep := time.NewTicker(saveEvery), time.NewTicker(sweepEvery)
	defer save.Stop()
	defer sweep.Stop()
	l.sweep()
	for _, row := range l.s.Missed.Open() { // observers begin with what there is
		l.cfg.Publish(row)
	}
	for {
		select {
		case m := <-l.in:
			l.open(m)
		case <-save.C:
			l.save()
		case <-sweep.C:
			l.sweep()
		case <-l.quit:
			for len(l.in) > 0 { // what was told before the end
				l.open(<-l.in)
			}
			l.save()
			return
		}
	}
}

func (l *Ledger) open(m letter) {
	if m.reply == nil {
		l.tell(l.apply(m.event))
		return
	}
	if m.do != nil {
		m.reply <- m.do()
		return
	}
	changed := l.s.Missed.Dismiss(m.dismiss, time.Now())
	if len(changed) == 0 {
		m.reply <- ErrUnknown
		return
	}
	l.tell(changed)
	m.reply <- nil
}

// apply counts an event.
func (l *Ledger) apply(e tel.Event) []tel.MissedChanged {
	changed := l.s.Missed.Apply(e)
	if at := finished(e); at.After(l.s.At) {
		l.s.At = at
	}
	if c, ok := e.(tel.CallbackChanged); ok {
		l.dirty = true
		if c.State == tel.CallbackEnded {
			delete(l.s.Callbacks, c.Callback)
		} else {
			l.s.Callbacks[c.Callback] = c
		}
	}
	if len(changed) > 0 {
		l.dirty = true
		l.show()
	}
	return changed
}

func (l *Ledger) tell(changed []tel.MissedChanged) {
	if len(changed) == 0 {
		return
	}
	l.dirty = true
	l.show()
	for _, c := range changed {
		l.cfg.Publish(c)
	}
}

func (l *Ledger) show() {
	rows := l.s.Missed.Open()
	l.rows.Store(&rows)
}

func (l *Ledger) sweep() {
	l.tell(l.s.Missed.Expire(l.cfg.Now().Add(-l.cfg.Keep()), time.Now()))
}

func (l *Ledger) save() {
	if !l.dirty {
		return
	}
	err := statefile.Save(l.cfg.Path, fileVersion, l.s)
	l.dirty = err != nil // tried again
	l.cfg.Saved(err)
}
