package panel

import (
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// bulb is one light and what the panel knows about it.
type bulb struct {
	panel   *Panel
	light   lamp.Light
	subject lamp.Subject
	agent   tel.AgentID // whose state it shows, if it does
	facts   lamp.Facts
	state   lamp.State // what it says
	shine   lamp.Shine
	shown   lamp.Level // last level that was written
	written time.Time  // when the next refresh counts from
	faulty  bool
	retryAt time.Time
	retryIn time.Duration
	told    tel.LampChanged // the last report, without its time
	said    bool            // there was one
}

// show begins the pattern of a state.
func (b *bulb) show(s lamp.State, now time.Time) {
	b.state, b.written = s, time.Time{} // it is written whatever it shows now
	epoch, seen := b.panel.epoch, b.shown
	if s == lamp.Test || s == lamp.Alarm {
		epoch, seen = now, lamp.Level{} // all at once from its first step on
	}
	b.shine = lamp.Begin(b.panel.cfg.Policy.Of(s), epoch, now, seen)
}

// write sets the light to a level. A light that does not take it is left alone for a while that doubles, so that a
// broken cable costs the others nothing.
func (b *bulb) write(level lamp.Level, now time.Time) {
	if b.faulty && now.Before(b.retryAt) {
		return
	}
	log, start := b.panel.cfg.Log, time.Now()
	err := set(b.light, level)
	if took := time.Since(start); took > slowSet {
		log.Warn("a lamp is slow", "lamp", b.light.ID(), "took", took)
	}
	b.shown, b.written = level, now
	if err == nil {
		if b.faulty {
			b.faulty, b.retryIn = false, 0
			log.Info("a lamp works again", "lamp", b.light.ID())
		}
		return
	}
	b.retryIn = min(max(2*b.retryIn, retryFirst), retryMost)
	b.retryAt = now.Add(b.retryIn)
	if !b.faulty {
		b.faulty = true
		log.Warn("a lamp does not work", "lamp", b.light.ID(), "err", err)
	}
}

// set turns a driver's panic into an error: a lamp never stops calls.
func set(l lamp.Light, level lamp.Level) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("lamp driver: %v", r)
		}
	}()
	return l.Set(level)
}

// report tells what has changed since the last report.
func (b *bulb) report(now time.Time) {
	e := tel.LampChanged{Lamp: b.light.ID(), Fault: b.faulty, Shows: b.subject.String(), Says: string(b.state), Lens: string(b.subject.Lens)}
	if b.agent != "" {
		e.Agent, e.State, e.Help, e.Watched = b.agent, b.facts.Agent, b.facts.Help, b.facts.Supervised
	}
	if b.said && e == b.told {
		return
	}
	b.told, b.said = e, true
	e.At = now
	b.panel.cfg.Publish(e)
}
