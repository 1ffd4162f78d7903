package lamp

import "time"

// Frame is the grid on which patterns change: 50 Hz.
const Frame = 20 * time.Millisecond

// Step is a part of a pattern during which the light does not change. For is a whole number of
// frames.
type Step struct {
	For   time.Duration
	Level Level
}

// Pattern repeats its steps for ever. Its on and off times alone name the state; colour and
// brightness only help.
type Pattern []Step

// Period is the time after which the pattern repeats.
func (p Pattern) Period() time.Duration {
	var sum time.Duration
	for _, s := range p {
		sum += s.For
	}
	return sum
}

// At returns the level at t after the pattern's beginning and how long it lasts from then on.
// A pattern of one step lasts for ever, which is told as a negative time.
func (p Pattern) At(t time.Duration) (Level, time.Duration) {
	if len(p) == 1 {
		return p[0].Level, -1
	}
	t %= p.Period()
	for _, s := range p {
		if t < s.For {
			return s.Level, s.For - t
		}
		t -= s.For
	}
	return p[0].Level, p[0].For // not reached: t is below the period
}

// entry is where the pattern should begin when the light shows now: at the first step that looks
// different, so that a change of state is seen at once and not a blink later.
func (p Pattern) entry(now Level) time.Duration {
	var at time.Duration
	for _, s := range p {
		if (s.Level.Brightness > 0) != (now.Brightness > 0) {
			return at
		}
		at += s.For
	}
	return 0
}

// Shine is a pattern on its way into the clock that all lamps share. It begins with a step that differs from what was
// seen before, and makes its longest step longer or shorter once, so that from then on it blinks with the others; none
// gets so short that it would be a flash.
type Shine struct {
	pattern Pattern
	epoch   time.Time // of the shared clock
	began   time.Time // when its own time was 0
	waits   time.Time // until when it runs by its own time; then it holds
	joins   time.Time // from when on it runs with the others
	held    Level     // between the two
}

// Begin starts a pattern at now on a light that shows seen. The epoch is not after now.
func Begin(p Pattern, epoch, now time.Time, seen Level) Shine {
	s := Shine{pattern: p, epoch: epoch, began: epoch, waits: now, joins: now}
	if len(p) < 2 {
		return s
	}
	entry := p.entry(seen)
	s.began = now.Add(-entry)
	var long Step
	var end, at time.Duration // of the longest step
	for _, step := range p {
		at += step.For
		if step.For > long.For {
			long, end = step, at
		}
	}
	period := p.Period()
	own := (end - long.For - entry + period) % period // until the longest step, by the pattern's own time
	s.waits, s.held = now.Add(own+min(long.For, fastest)), long.Level
	ahead := (s.waits.Sub(epoch)-end)%period + period // how far the clock is past the end of its longest step
	s.joins = s.waits.Add((period - ahead%period) % period)
	return s
}

// At returns the level at an instant that is not before the beginning, and how long it lasts; negative: for ever.
func (s Shine) At(now time.Time) (Level, time.Duration) {
	switch {
	case len(s.pattern) == 0:
		return Level{}, -1
	case len(s.pattern) == 1 || !now.Before(s.joins):
		return s.pattern.At(now.Sub(s.epoch))
	case !now.Before(s.waits):
		return s.held, s.joins.Sub(now)
	default:
		l, lasts := s.pattern.At(now.Sub(s.began))
		return l, min(lasts, s.waits.Sub(now))
	}
}
