package appliance

import (
	"context"
	"errors"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/acd/replay"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/web"
)

// reruns is the page's way to past days with something changed.
func (b *Box) reruns() web.Reruns {
	var names []string
	for _, s := range plan.Strategies() {
		names = append(names, string(s))
	}
	turn := make(chan struct{}, 1) // one day at a time: telephony has the other processors
	return web.Reruns{
		Reach: b.decisionsSince, Strategies: names, Log: b.queueLog,
		Run: func(ctx context.Context, ask web.WhatIf) (page.Rerun, string, error) {
			select {
			case turn <- struct{}{}:
				defer func() { <-turn }()
			default:
				return page.Rerun{}, "whatif.busy", nil
			}
			return b.rerun(ctx, ask)
		},
	}
}

// errFound ends a reading that has found what it looked for.
var errFound = errors.New("found")

// decisionsSince is the first day that can be run again: the next one after the first whole state of the queues.
// On the day of a first start it is that day.
func (b *Box) decisionsSince() (first time.Time) {
	err := b.history.Read(0, func(r journal.Record) error {
		if !replay.Whole(r.Kind, r.Body) {
			return nil
		}
		first = r.Wall
		return errFound
	})
	if err != nil && !errors.Is(err, errFound) {
		b.log.Warn("the journal cannot be read", "err", err)
	}
	return first
}

// before is the position of the last whole state before a moment, or the first one at all: there a reading of what
// followed can begin.
func (b *Box) before(ctx context.Context, at time.Time) (pos journal.Pos, err error) {
	err = b.history.Read(0, func(r journal.Record) error {
		if replay.Whole(r.Kind, r.Body) && (pos == 0 || r.Wall.Before(at)) {
			pos = r.Pos
		}
		return ctx.Err()
	})
	return pos, err
}

// story reads a day from the journal.
func (b *Box) story(ctx context.Context, from, to time.Time) (*replay.Story, error) {
	pos, err := b.before(ctx, from)
	if err != nil {
		return nil, err
	}
	reader := replay.NewReader(from, to)
	err = b.history.Read(pos, func(r journal.Record) error {
		if reader.Over() {
			return errFound
		}
		if err := reader.Take(r.Kind, r.Body); err != nil && !errors.Is(err, replay.ErrNoState) {
			return err
		}
		return ctx.Err()
	})
	if err != nil && !errors.Is(err, errFound) {
		return nil, err
	}
	return reader.Story()
}

// rerun runs a day again twice: unchanged, as a proof, and with the change.
func (b *Box) rerun(ctx context.Context, ask web.WhatIf) (ran page.Rerun, sentence string, err error) {
	to := ask.Day.AddDate(0, 0, 1)
	story, err := b.story(ctx, ask.Day, to)
	if errors.Is(err, replay.ErrNoState) {
		return ran, "whatif.unknown_day", nil
	}
	if err != nil {
		return ran, "", err
	}
	same, err := story.Rerun(ctx, replay.Change{})
	if err != nil {
		return ran, "", err
	}
	is, err := story.Rerun(ctx, replay.Change{Queue: ask.Queue, Agents: ask.Agents, Strategy: plan.Strategy(ask.Strategy), WrapUp: ask.WrapUp})
	if errors.Is(err, replay.ErrChange) || errors.Is(err, replay.ErrNoQueue) {
		return ran, "whatif.impossible", nil
	}
	if err != nil {
		return ran, "", err
	}
	ran = page.Rerun{Exact: story.Recorded.Equal(same), Breaks: story.Breaks, Partial: to.After(time.Now())}
	ran.Was, ran.Is = trafficOf(story.Recorded, ask.Queue), trafficOf(is, ask.Queue)
	ran.WasBusy, _ = story.Recorded.Occupancy()
	ran.IsBusy, _ = is.Occupancy()
	ran.Patience = ran.Was.Of(tel.OutcomeAbandoned)
	return ran, "", nil
}

func trafficOf(f replay.Figures, queue tel.QueueID) report.Traffic {
	if t := f.Queues[queue]; t != nil {
		return *t
	}
	return report.Traffic{}
}
