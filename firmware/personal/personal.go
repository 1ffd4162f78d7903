// Package personal owns what people set from their phones: do not disturb, forwards, speed dials,
// seats, forced opening hours. The dial plan gets it as a plain value that never changes; a change
// makes a new one, which is on the disk before Change returns.
package personal

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// fileVersion is written into the file.
const fileVersion = 1

// ErrClosed is returned when the owner takes no more changes.
var ErrClosed = errors.New("personal settings are closed")

// mailbox is how many changes may wait: far more than phones can dial while one is written.
const mailbox = 256

// Config wires the owner to its neighbours. All fields are needed.
type Config struct {
	Log     *slog.Logger
	Path    string          // the file
	Publish func(tel.Event) // what changed, for lamps and pages; must not block
	Saved   func(error)     // after each write: nil, or why the disk does not have the latest; must not block
}

// Owner keeps the settings. Its goroutine makes every change, one after the other.
type Owner struct {
	cfg     Config
	current atomic.Pointer[dialplan.Personal]
	changes chan change
	wg      sync.WaitGroup

	mu     sync.Mutex // guards closed, and that nothing is sent after close
	closed bool
}

// change is one message to the owner.
type change struct {
	make func(dialplan.Personal) dialplan.Personal
	done chan<- error // nil: nobody waits; has room for one
}

// Open reads the file and starts the owner. A damaged file is put aside: an office without its forwards
// is better than one without telephones.
func Open(cfg Config) (*Owner, error) {
	o := &Owner{cfg: cfg, changes: make(chan change, mailbox)}
	var kept dialplan.Personal
	switch err := statefile.Load(cfg.Path, fileVersion, &kept); {
	case err == nil || errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, statefile.ErrDamaged):
		cfg.Log.Error("personal settings are lost", "err", err)
		kept = dialplan.Personal{}
	default:
		return nil, err
	}
	o.current.Store(&kept)
	o.wg.Go(o.run)
	return o, nil
}

// Current is what is set at this instant; the value is shared and must not be changed.
func (o *Owner) Current() dialplan.Personal { return *o.current.Load() }

// Tell asks for a change without waiting; false means that the owner is overloaded or closed.
func (o *Owner) Tell(c dialplan.Change) bool {
	return o.send(change{make: func(p dialplan.Personal) dialplan.Personal { return p.With(c) }}) == nil
}

// Change makes a change and waits until it is on the disk. When the disk refuses, the change holds until
// a restart and the error says so.
func (o *Owner) Change(ctx context.Context, c dialplan.Change) error {
	return o.wait(ctx, func(p dialplan.Personal) dialplan.Personal { return p.With(c) })
}

// Adopt drops what belongs to people, phones and opening hours that a new configuration has not.
func (o *Owner) Adopt(ctx context.Context, plan dialplan.Plan, phones []tel.DeviceID) error {
	return o.wait(ctx, func(p dialplan.Personal) dialplan.Personal {
		kept, _ := p.Without(plan, phones)
		return kept
	})
}

// errBusy is the outcome of a full mailbox.
var errBusy = errors.New("too many changes of personal settings at once")

func (o *Owner) send(c change) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return ErrClosed
	}
	select {
	case o.changes <- c:
		return nil
	default:
		return errBusy
	}
}

func (o *Owner) wait(ctx context.Context, f func(dialplan.Personal) dialplan.Personal) error {
	done := make(chan error, 1)
	if err := o.send(change{f, done}); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close makes the changes that wait and ends the owner.
func (o *Owner) Close() {
	o.mu.Lock()
	if !o.closed {
		o.closed = true
		close(o.changes)
	}
	o.mu.Unlock()
	o.wg.Wait()
}

// run makes changes; those that wait together share one write.
func (o *Owner) run() {
	for first := range o.changes {
		batch := []change{first}
		for len(o.changes) > 0 && len(batch) < mailbox {
			if next, ok := <-o.changes; ok {
				batch = append(batch, next)
			}
		}
		before := o.Current()
		for _, c := range batch {
			now := c.make(o.Current())
			o.current.Store(&now)
		}
		now := o.Current()
		events := differences(before, now, time.Now())
		err := o.save(before, now)
		for _, e := range events {
			o.cfg.Publish(e)
		}
		for _, c := range batch {
			if c.done != nil {
				c.done <- err
			}
		}
	}
}

// save writes what differs from the file.
func (o *Owner) save(before, now dialplan.Personal) error {
	if same(before, now) {
		return nil
	}
	err := statefile.Save(o.cfg.Path, fileVersion, now)
	if err != nil {
		o.cfg.Log.Error("personal settings are not on the disk", "err", err)
	}
	o.cfg.Saved(err)
	return err
}
