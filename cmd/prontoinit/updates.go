package main

import (
	"context"
	"errors"
	"time"

	"github.com/pronto-pbx/pronto/board/disk"
	"github.com/pronto-pbx/pronto/board/gate"
	"github.com/pronto-pbx/pronto/board/led"
	"github.com/pronto-pbx/pronto/board/power"
	"github.com/pronto-pbx/pronto/board/starts"
	"github.com/pronto-pbx/pronto/board/trial"
	"github.com/pronto-pbx/pronto/board/watchdog"
	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/ota/fit/promise"
)

// turn is something that attend does, which owns the slots.
type turn func()

// inTurn has attend do something, and waits until it is done. ctx ends with the box, if not before.
func (b *box) inTurn(ctx context.Context, do func() error) (err error) {
	done := make(chan struct{})
	select {
	case b.turns <- func() { err = do(); close(done) }:
	case <-ctx.Done():
		return ctx.Err()
	}
	<-done // it was begun, and waits for nothing but the card
	return err
}

// end begins to end the box.
func (b *box) end(how power.End) {
	select {
	case b.ending <- how:
	default: // it ends already
	}
}

// updates is what is done for the updater.
func (b *box) updates(bundles func() []string) gate.Updates {
	return gate.Updates{
		Slots: func(ctx context.Context) (s gate.Slots, err error) {
			return s, b.inTurn(ctx, func() error { s = b.slots.told(bundles()); return nil })
		},
		Try: func(ctx context.Context, v, promise string) error {
			return b.inTurn(ctx, func() error { return b.try(v, promise) })
		},
		Keep: func(ctx context.Context) error { return b.inTurn(ctx, b.keep) },
		Back: func(ctx context.Context, why, words string) error {
			return b.inTurn(ctx, func() error { return b.leave(why, words) })
		},
		Refuse: func(ctx context.Context) error { return b.inTurn(ctx, func() error { b.showRefused(); return nil }) },
	}
}

// told is how it stands.
func (s *slots) told(bundles []string) gate.Slots {
	r := s.record
	t := gate.Slots{
		Running: s.running, Chosen: s.chosen, Trying: s.trying, Model: s.model, EEPROM: s.loader.Built, Modified: s.modified.Load(), Bundles: bundles,
		Last: gate.Trial{Version: r.Version, Slot: r.Slot, Asked: r.Asked, Outcome: string(r.Outcome), Why: r.Why, Words: r.Words},
	}
	if s.running != 0 {
		t.Active = slotsDir + "/" + disk.ActiveNode
	}
	if s.idle() != 0 {
		t.Idle = slotsDir + "/" + disk.IdleNode
	}
	if s.trying {
		t.Left = max(0, s.limit-s.age())
	}
	return t
}

// try begins a trial of what lies in the other slot, if the exchange lets the box end. It is asked last of all, when what
// takes a card a while is done: a call for help that came until then was taken, and goes on.
func (b *box) try(version, promise string) error {
	s := &b.slots
	switch {
	case s.trying || s.running != s.chosen:
		return &gate.Refused{Code: gate.CodeOnTrial, Text: "a slot is on trial already"}
	case !s.onCard:
		return &gate.Refused{Code: gate.CodeDisk, Text: "the card cannot be written: no trial could be remembered"}
	}
	i, err := s.other()
	switch {
	case errors.Is(err, errData):
		return &gate.Refused{Code: gate.CodeData, Text: err.Error()}
	case err != nil:
		return &gate.Refused{Code: gate.CodeSlot, Text: err.Error()}
	case i.Version != version:
		return &gate.Refused{Code: gate.CodeSlot, Text: "in the other slot lies " + i.Version + ", not " + version}
	}
	next := trial.Begin(i.Version, disk.OtherSlot(s.running), time.Now().UTC())
	if err := trial.Save(s.at, next); err != nil {
		return &gate.Refused{Code: gate.CodeDisk, Text: err.Error()}
	}
	if err := s.leave(promise); err != nil {
		b.log.Warn("no release is tried: the box must not end now", "version", i.Version, "err", err)
		return errors.Join(&gate.Refused{Code: gate.CodeCalls, Text: err.Error()}, trial.Save(s.at, s.record))
	}
	s.record = next
	b.log.Warn("a release is tried", "version", i.Version, "slot", next.Slot)
	b.end(power.Try)
	return nil
}

// mayEnd asks the exchange whether the box may end, in the name of a promise.
func mayEnd(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), askExchange)
	defer cancel()
	return promise.New(fitSocket).Leave(ctx, name)
}

// askExchange is how long the goroutine of attend waits for that.
const askExchange = 3 * time.Second

// keep ends a trial that went well. Who asks again is told that it is so.
func (b *box) keep() error {
	s := &b.slots
	switch {
	case !s.trying && s.record.Outcome == trial.Kept && s.record.Slot == s.running:
		return nil
	case !s.trying:
		return &gate.Refused{Code: gate.CodeNotOn, Text: "no slot is on trial"}
	}
	if err := s.kept(); err != nil {
		return &gate.Refused{Code: gate.CodeDisk, Text: err.Error()}
	}
	b.attempt.count = starts.Count{} // those that failed were the other slot's
	b.save()
	b.remember()
	return nil
}

func (b *box) leave(why, words string) error {
	if !b.slots.trying {
		return &gate.Refused{Code: gate.CodeNotOn, Text: "no slot is on trial"}
	}
	b.slots.left(why, words)
	b.end(power.Restart)
	return nil
}

// judge ends a trial that leads nowhere; over tells that the box ends for it.
func (b *box) judge(seen watchdog.Seen, lives bool) (over bool) {
	if !b.slots.trying {
		return false
	}
	why, words, over := trial.Judge(trial.Seen{
		For: b.slots.age(), Limit: b.slots.limit, Restarts: seen.Restarts, Refused: seen.Finished, GivenUp: !lives,
	})
	if over {
		b.slots.left(why, words)
	}
	return over
}

// refusedFor is how long the light says that an update was not taken.
const refusedFor = time.Minute

func (b *box) showRefused() {
	b.log.Warn("an update that was brought is not taken: the light says so", "for", refusedFor)
	b.light(led.Refused)
	b.attempt.refused = control.Uptime() + refusedFor
}
