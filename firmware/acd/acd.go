package acd

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/books"
	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// HotJournal keeps the last value of each entity across a killed process.
type HotJournal interface {
	Put(kind, key string, value []byte) error
	Delete(kind, key string) error
}

// History keeps what happened, in order.
type History interface {
	Append(kind string, body []byte) error
}

// HotKind is the kind under which the hot journal keeps the queues' entities.
const HotKind = "acd"

// ErrClosed is returned by commands after Close.
var ErrClosed = errors.New("the queues are closed")

// Config is what an ACD is made of. Nil journals mean that nothing is kept.
type Config struct {
	Log    *slog.Logger
	Queues []plan.QueueSpec // zero fields take their defaults
	Agents []plan.AgentSpec

	Send    func(tel.ToCall)  // to the call that the message names; must not block
	Publish func(tel.Event)   // to observers; must not block
	History History           // every event with its decision
	Journal HotJournal        // the state, entity by entity
	Kept    map[string][]byte // what the hot journal holds under HotKind after a restart
	// Restored gives, once, what the calls say of themselves that survived, when they can be told something; until then
	// nothing is decided. Everything of others is dropped. Only with Kept; nil: no call survived.
	Restored <-chan []tel.Standing
	Mailbox  int           // messages that may wait; default 8192
	Seed     func() uint64 // for tests; default random
	Zone     string        // IANA name of the clock by which days begin; default UTC
	// ShiftEnd is when the shift of an agent ends who logged in at a time; the zero time = by the agent's
	// own logout. It must not block; nil = nobody has shifts.
	ShiftEnd func(agent tel.AgentID, login time.Time) time.Time

	// Remember is told what is known of a caller now, of all when a state was restored; nil: nothing any more. It
	// must not block and not keep the memory; nil: nobody writes it down.
	Remember func(caller tel.Number, memory *plan.Memory)

	Estimate Estimator // of waits, for announcements; nil: none is said
}

// ACD owns the queues. Its methods may be called from any goroutine.
type ACD struct {
	cfg     Config
	mail    chan letter
	quit    chan struct{}
	once    sync.Once
	done    sync.WaitGroup
	dropped atomic.Uint64
	faults  atomic.Uint64

	// The following belong to the goroutine alone, after New.
	state    plan.State
	began    time.Time     // with its monotonic reading
	shift    time.Duration // how far the wall clock was set since began
	journals bool          // the last write to a journal worked
	logged   int           // history records since the last whole state
	decided  uint64        // decisions of this process that were to be recorded
	accounts books.Accounts
}

// letter is one thing in the mailbox: an event, or a question to the state.
type letter struct {
	event plan.Event
	ask   func(*plan.State, time.Time)
	reply chan error // buffered by one; nil when nobody waits
}

// New restores what Kept holds, applies the configuration and starts the owner. A configuration
// that plan.Validate refuses is an error; a damaged record costs only itself and is logged.
func New(cfg Config) (*ACD, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Send == nil || cfg.Publish == nil {
		panic("acd: Send and Publish are required")
	}
	if cfg.Mailbox <= 0 {
		cfg.Mailbox = 8192
	}
	if cfg.Seed == nil {
		cfg.Seed = randomSeed
	}
	queues := withDefaults(cfg.Queues)
	if err := plan.Validate(queues, cfg.Agents); err != nil {
		return nil, fmt.Errorf("%w: %w", plan.ErrConfig, err)
	}
	a := &ACD{
		cfg: cfg, mail: make(chan letter, cfg.Mailbox), quit: make(chan struct{}),
		state: plan.NewState(), began: time.Now(), journals: true,
	}
	if cfg.Kept != nil {
		var errs []error
		a.state, errs = plan.RestoreEntities(cfg.Kept)
		for _, err := range errs {
			cfg.Log.Warn("a record of the queues was lost", "err", err)
		}
	}
	a.openAccounts()
	a.done.Go(func() {
		if err := a.whole(); err != nil {
			cfg.Log.Error("the queues' journal does not take records", "err", err)
		}
		if cfg.Kept != nil {
			for _, e := range a.state.Present(a.now()) { // observers knew only the process that is gone
				cfg.Publish(e)
			}
			a.sweep()
			a.remember(a.state.Keys())
			calls, ok := a.awaitCalls()
			if !ok {
				return
			}
			_ = a.step(plan.Reconcile{Calls: calls})
		}
		if a.state.Zone != cfg.Zone {
			_ = a.step(plan.SetZone{Zone: cfg.Zone})
		}
		// Validated above, so it cannot be refused.
		_ = a.step(plan.Configure{Queues: queues, Agents: cfg.Agents})
		if cfg.Kept != nil {
			a.shifts()
		}
		a.run()
	})
	return a, nil
}

// awaitCalls waits until the calls of the earlier process are back; false: the queues close before that.
func (a *ACD) awaitCalls() (calls []tel.Standing, ok bool) {
	if a.cfg.Restored == nil {
		return nil, true
	}
	select {
	case calls = <-a.cfg.Restored:
		return calls, true
	case <-a.quit:
		return nil, false
	}
}

func withDefaults(queues []plan.QueueSpec) []plan.QueueSpec {
	full := make([]plan.QueueSpec, len(queues))
	for i, q := range queues {
		full[i] = q.Defaults()
	}
	return full
}

func randomSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return binary.LittleEndian.Uint64(b[:])
}

// Close stops the owner and waits for it. The state stays in the journals.
func (a *ACD) Close() {
	a.once.Do(func() { close(a.quit) })
	a.done.Wait()
}

// Tell passes a message of a call without blocking. It returns false when the mailbox is full or
// the ACD is closed: the call must then tell again or treat the message as refused.
func (a *ACD) Tell(m tel.ToQueue) bool {
	select {
	case <-a.quit:
		return false
	default:
	}
	select {
	case a.mail <- letter{event: plan.Told{Message: m}}:
		return true
	default:
		a.dropped.Add(1)
		return false
	}
}

// Dropped counts the messages that found the mailbox full.
func (a *ACD) Dropped() uint64 { return a.dropped.Load() }

// Faults counts the steps that ended in a panic of our own and the journal writes that failed.
func (a *ACD) Faults() uint64 { return a.faults.Load() }

func (a *ACD) command(ctx context.Context, e plan.Event) error {
	return a.post(ctx, letter{event: e, reply: make(chan error, 1)})
}

func (a *ACD) post(ctx context.Context, l letter) error {
	select {
	case a.mail <- l:
	case <-a.quit:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-l.reply:
		return err
	case <-a.quit:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run is the owner's goroutine.
func (a *ACD) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if at, ok := a.state.Deadline(); ok {
			timer.Reset(max(0, at.Sub(a.now())))
		} else {
			timer.Stop()
		}
		select {
		case <-a.quit:
			return
		case <-timer.C:
			_ = a.step(plan.Tick{}) // a tick cannot be refused
		case l := <-a.mail:
			a.open(l)
		}
	}
}

func (a *ACD) open(l letter) {
	var err error
	if l.ask != nil {
		l.ask(&a.state, a.now())
	} else {
		err = a.step(l.event)
	}
	if l.reply != nil {
		l.reply <- err
	}
}

// now is the wall clock as the planner knows it: it runs with the monotonic clock, and a jump is
// announced by ClockMoved before the planner sees the new time.
func (a *ACD) now() time.Time {
	return a.began.Add(time.Since(a.began)).Round(0).Add(a.shift).UTC()
}

// clockStep is the smallest difference between the clocks that counts as a jump.
const clockStep = 2 * time.Second

// step runs one event. It returns the planner's refusal, if any.
func (a *ACD) step(e plan.Event) error {
	if by := time.Now().Round(0).Sub(a.now()); by.Abs() >= clockStep {
		a.shift += by
		a.cfg.Log.Info("the clock was set", "by", by)
		_ = a.next(plan.ClockMoved{By: by})
	}
	return a.next(e)
}

// next decides, journals and acts, in this order, so that nothing leaves which a restart would not
// know. A fault of our own costs the event, not the callers.
func (a *ACD) next(e plan.Event) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: internal fault: %v", e.Kind(), r)
			a.faults.Add(1)
			a.cfg.Log.Error("queue event failed", "event", e.Kind(), "fault", r, "stack", string(debug.Stack()))
			a.repair()
		}
	}()
	now, seed := a.now(), a.cfg.Seed()
	var effects []plan.Effect
	a.state, effects = plan.Next(a.state, e, now, seed)
	a.keep(e, now, seed, effects)
	for _, x := range effects {
		switch x := x.(type) {
		case plan.Send:
			a.sent(x.Message)
		case plan.Publish:
			a.accounts.Take(x.Event)
			a.tell(x.Event)
			a.cfg.Publish(x.Event)
		case plan.Refuse:
			err = x.Err
		}
	}
	return err
}

// repair makes the references of the state agree again after a fault in the middle of a step.
func (a *ACD) repair() {
	b, err := a.state.Snapshot()
	if err != nil {
		return
	}
	if s, err := plan.Restore(b); err == nil {
		a.state = s
		_ = a.whole() // a replay goes on from the repaired state; the next record reports a broken journal
	}
}
