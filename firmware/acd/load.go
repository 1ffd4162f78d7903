package acd

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/alarm"
	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Loads tells how queues stand, for the alarms; queues that do not exist are left out. Who asked to be
// called back waits at home, and is not counted.
func (a *ACD) Loads(ctx context.Context, queues []tel.QueueID) ([]alarm.Load, error) {
	answer := make(chan []alarm.Load, 1)
	err := a.post(ctx, letter{reply: make(chan error, 1), ask: func(s *plan.State, now time.Time) {
		var all []alarm.Load
		for _, id := range queues {
			if s.Queues[id] != nil {
				all = append(all, load(s, id, now))
			}
		}
		answer <- all
	}})
	if err != nil {
		return nil, err
	}
	return <-answer, nil
}

func load(s *plan.State, id tel.QueueID, now time.Time) alarm.Load {
	l, last := alarm.Load{Queue: id}, time.Time{}
	for _, e := range s.Waiting(id) {
		if e.Callback != "" {
			continue
		}
		l.Stays = append(l.Stays, max(0, now.Sub(e.Arrived)))
		l.Longest = max(l.Longest, now.Sub(e.EnqueuedAt))
	}
	slices.SortFunc(l.Stays, func(a, b time.Duration) int { return cmp.Compare(b, a) })
	for _, m := range s.Queues[id].Spec.Members {
		a := s.Agents[m]
		if a == nil {
			continue
		}
		if a.State() == tel.AgentReady {
			l.Ready++
		}
		if a.Shown.Since.After(last) {
			last = a.Shown.Since
		}
	}
	if !last.IsZero() {
		l.Still = max(0, now.Sub(last))
	}
	return l
}
