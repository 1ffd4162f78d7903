// Package meter owns the toll guard of a running box: it keeps the counters on the disk, ends calls that
// reach a limit, and raises the alarm.
package meter

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/firmware/toll"
)

// fileVersion is written into the file.
const fileVersion = 1

const (
	// look is how often running calls are compared with the limits.
	look = 10 * time.Second
	// lazy is how long a change may wait for the disk. An answer is written at once: the time that a
	// call costs is counted from there, also through a restart.
	lazy = time.Minute
	// quiet is how long the same alarm is not repeated.
	quiet = 10 * time.Minute
)

// Config wires the meter to its neighbours. All fields but Records are needed.
type Config struct {
	Log     *slog.Logger
	Path    string
	Rules   toll.Rules
	Publish func(tel.Event) // alarms; must not block
	Calm    func()          // no alarm for ten minutes; must not block
	End     func(tel.LegID) // ends the call in which a leg is that reached a limit; must not block
	Saved   func(error)     // after each write: nil, or why the disk does not have the latest; must not block
	// Journal keeps what counts now through a crash of this program, which the file may be late for; nil = none.
	Journal Journal
	// Records gives the finished calls since a moment, when the counters are lost; nil = none.
	Records func(since time.Time) []toll.Record
}

// Journal is the one that outlives the process, and no power cut.
type Journal interface {
	Put(kind, key string, value []byte) error
	Delete(kind, key string) error
	Load(kind string) map[string][]byte
}

// journalKind names our entries: one for each attempt that counts, by its id.
const journalKind = "toll"

// Meter owns a guard. Its methods never wait for the disk and may be called from any goroutine.
type Meter struct {
	cfg  Config
	wake chan struct{} // holds one
	stop chan struct{}
	wg   sync.WaitGroup

	mu     sync.Mutex // guards what follows
	guard  *toll.Guard
	alarms map[string]time.Time // when each was raised last
	latest time.Time            // refusal or end; zero = it is calm
	dirty  time.Time            // since when the disk lacks a change; zero = it has all
	noted  map[string]toll.Talk // what the journal has
}

// Open reads the counters, or rebuilds them, and starts the goroutine that writes them.
func Open(cfg Config) (*Meter, error) {
	m := &Meter{cfg: cfg, wake: make(chan struct{}, 1), stop: make(chan struct{}), alarms: map[string]time.Time{}, noted: map[string]toll.Talk{}}
	now := time.Now()
	var kept toll.State
	err := statefile.Load(cfg.Path, fileVersion, &kept)
	lost := errors.Is(err, statefile.ErrDamaged) || errors.Is(err, fs.ErrNotExist)
	switch {
	case err == nil:
	case lost:
		kept = toll.State{}
	default:
		return nil, err
	}
	m.restore(&kept)
	m.guard = toll.New(cfg.Rules, kept, now)
	if lost && cfg.Records != nil {
		records := cfg.Records(now.Add(-24 * time.Hour))
		m.guard.Rebuild(records, now)
		if !errors.Is(err, fs.ErrNotExist) || len(records) > 0 {
			cfg.Log.Warn("toll counters are rebuilt from the call records", "records", len(records), "err", err)
		}
	}
	m.wg.Go(m.run)
	return m, nil
}

// Allow decides about an attempt to call outside; the error is a toll.Refusal, and an alarm where a
// limit was reached.
func (m *Meter) Allow(r toll.Request) (toll.Permit, error) {
	now := time.Now()
	m.mu.Lock()
	p, err := m.guard.Allow(r, now)
	m.soil(now)
	m.note()
	refusal, refused := errors.AsType[toll.Refusal](err)
	loud := refused && m.raise(refusal, now)
	m.mu.Unlock()
	if loud {
		m.alarm(refusal, r.Call, r.Number, false, now)
	}
	return p, err
}

// raise reports whether an alarm is not merely a repetition. It is called with mu held.
func (m *Meter) raise(r toll.Refusal, now time.Time) bool {
	key := string(r.Why) + " " + r.Of
	m.latest = now
	if at, ok := m.alarms[key]; ok && now.Sub(at) < quiet {
		return false
	}
	if len(m.alarms) > 1000 {
		clear(m.alarms)
	}
	m.alarms[key] = now
	return true
}

func (m *Meter) alarm(r toll.Refusal, c tel.CallID, n tel.Number, ended bool, at time.Time) {
	m.cfg.Publish(tel.TollAlarm{Why: string(r.Why), Of: r.Of, Call: c, Number: n.Masked(), Ended: ended, At: at})
}

// Started says that an attempt was answered.
func (m *Meter) Started(id string) {
	m.change(func(g *toll.Guard, now time.Time) { g.Started(id, now) })
	select {
	case m.wake <- struct{}{}:
	default: // it is about to write
	}
}

// Ended says that an attempt is over.
func (m *Meter) Ended(id string) { m.change(func(g *toll.Guard, now time.Time) { g.Ended(id, now) }) }

// Named says which leg an attempt became.
func (m *Meter) Named(id string, leg tel.LegID) {
	m.change(func(g *toll.Guard, _ time.Time) { g.Named(id, leg) })
}

// EndedLeg says that a leg is over.
func (m *Meter) EndedLeg(leg tel.LegID) {
	m.change(func(g *toll.Guard, now time.Time) { g.EndedLeg(leg, now) })
}

// Keep drops the legs that did not survive a restart.
func (m *Meter) Keep(live func(tel.LegID) bool) {
	m.change(func(g *toll.Guard, now time.Time) { g.Keep(live, now) })
}

// SetRules changes the rules, also for calls that are up.
func (m *Meter) SetRules(r toll.Rules) { m.change(func(g *toll.Guard, _ time.Time) { g.SetRules(r) }) }

func (m *Meter) change(f func(*toll.Guard, time.Time)) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	f(m.guard, now)
	m.soil(now)
	m.note()
}

// restore adds what counted when the last process died, and what the file does not know yet. What is gone
// since then, Keep drops.
func (m *Meter) restore(s *toll.State) {
	if m.cfg.Journal == nil {
		return
	}
	for id, b := range m.cfg.Journal.Load(journalKind) {
		var t toll.Talk
		if err := json.Unmarshal(b, &t); err != nil {
			m.cfg.Log.Warn("a call is not counted any more", "attempt", id, "err", err)
			continue
		}
		if s.Active == nil {
			s.Active = map[string]toll.Talk{}
		}
		s.Active[id], m.noted[id] = t, t
	}
}

// note brings the journal up to date. It is called with mu held.
func (m *Meter) note() {
	if m.cfg.Journal == nil {
		return
	}
	live := 0
	for id, t := range m.guard.Active() {
		live++
		if was, ok := m.noted[id]; ok && was == t {
			continue
		}
		b, err := json.Marshal(t)
		if err == nil {
			err = m.cfg.Journal.Put(journalKind, id, b)
		}
		if err != nil {
			m.cfg.Log.Warn("a call would not be counted after a crash", "call", t.Call, "err", err)
			continue
		}
		m.noted[id] = t
	}
	if live == len(m.noted) {
		return
	}
	active := maps.Collect(m.guard.Active())
	for id := range m.noted {
		if _, ok := active[id]; ok {
			continue
		}
		if err := m.cfg.Journal.Delete(journalKind, id); err != nil {
			m.cfg.Log.Warn("an ended call stays in the journal", "attempt", id, "err", err)
		}
		delete(m.noted, id)
	}
}

// soil notes that the disk lacks something. It is called with mu held.
func (m *Meter) soil(now time.Time) {
	if m.dirty.IsZero() {
		m.dirty = now
	}
}

// Close writes the counters and ends the goroutine. It must be called once.
func (m *Meter) Close() {
	close(m.stop)
	m.wg.Wait()
}

func (m *Meter) run() {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-m.wake:
			m.save(0)
		case <-tick.C:
			m.look()
			m.save(lazy)
		case <-m.stop:
			m.save(0)
			return
		}
	}
}

// look ends the calls that reached a limit.
func (m *Meter) look() {
	now := time.Now()
	m.mu.Lock()
	over := m.guard.Over(now)
	loud := make([]bool, len(over))
	for i, o := range over {
		loud[i] = m.raise(o.Refusal, now)
	}
	calm := !m.latest.IsZero() && now.Sub(m.latest) >= quiet
	if calm {
		m.latest = time.Time{}
	}
	m.mu.Unlock()
	if calm {
		m.cfg.Calm()
	}
	for i, o := range over {
		if loud[i] {
			m.alarm(o.Refusal, o.Call, "", true, now)
		}
		m.cfg.Log.Warn("a call reached a limit and ends", "call", o.Call, "why", o.Why, "of", o.Of)
		if o.Leg != "" { // else it is being dialled at this moment, and the next look finds it
			m.cfg.End(o.Leg)
		}
	}
}

// save writes the counters when the disk lacks something for a while.
func (m *Meter) save(since time.Duration) {
	m.mu.Lock()
	if m.dirty.IsZero() || time.Since(m.dirty) < since {
		m.mu.Unlock()
		return
	}
	s := m.guard.State()
	m.dirty = time.Time{}
	m.mu.Unlock()
	err := statefile.Save(m.cfg.Path, fileVersion, s)
	if err != nil {
		m.cfg.Log.Error("toll counters are not on the disk", "err", err)
		m.mu.Lock()
		m.soil(time.Now())
		m.mu.Unlock()
	}
	m.cfg.Saved(err)
}
