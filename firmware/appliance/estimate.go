package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd"
	"github.com/pronto-pbx/pronto/firmware/acd/forecast"
	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/feed"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// estimates tell callers and the page how long a wait will last. A goroutine of their own learns from the
// feed and forecasts, because that takes milliseconds which the queues' owner must not spend; the owner
// reads the last forecasts.
type estimates struct {
	learner *forecast.Learner
	said    atomic.Pointer[said]
	states  map[tel.AgentID]tel.AgentState // as the learner knows them
	shown   map[tel.CallID]tel.WaitExpected
}

// said is the last round of forecasts.
type said struct {
	at  time.Time
	all map[tel.CallID]forecast.Forecast
}

const (
	estimateVersion = 1
	estimateFile    = "forecast.json"
	estimateSoon    = time.Second      // after a change, with those that follow it at once
	estimateAgain   = 15 * time.Second // while nothing changes
	estimateShare   = 50               // a round may take one part in so many of the time: calls come first
	estimateStale   = time.Minute      // then a forecast is not told any more
	estimateKeep    = 10 * time.Minute // from one save of what was learned to the next
)

// openEstimates takes up what an earlier process has learned. What cannot be read is learned anew.
func (b *Box) openEstimates() {
	e := &estimates{states: map[tel.AgentID]tel.AgentState{}, shown: map[tel.CallID]tel.WaitExpected{}}
	var kept json.RawMessage
	err := statefile.Load(filepath.Join(b.opts.Dir, estimateFile), estimateVersion, &kept)
	if err == nil {
		e.learner, err = forecast.Restore(kept)
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			b.log.Warn("expected waits are learned anew", "err", err)
		}
		e.learner = forecast.NewLearner(uint64(time.Now().UnixNano()))
	}
	b.estimates = e
}

// Wait implements acd.Estimator.
func (e *estimates) Wait(call tel.CallID) (from, to int, ok bool) {
	s := e.said.Load()
	if s == nil {
		return 0, 0, false
	}
	f, known := s.all[call]
	age := time.Since(s.at)
	if !known || age > estimateStale {
		return 0, 0, false
	}
	f.Low, f.High = max(0, f.Low-age), max(0, f.High-age)
	a, ok := f.Announce()
	if !ok || a.Words == forecast.MoreThan { // "more than an hour" helps nobody who holds a receiver
		return 0, 0, false
	}
	return a.Min, a.Max, true
}

// estimate follows the queues until ctx ends.
func (b *Box) estimate(ctx context.Context) {
	sub := b.feed.Subscribe(feed.Seq(1)<<62, 1024) // a place in the future: begins with a snapshot
	defer sub.Close()
	defer b.keepEstimates()
	next, keep, soon := time.Now().Add(estimateSoon), time.Now().Add(estimateKeep), estimateSoon
	for ctx.Err() == nil {
		until, cancel := context.WithDeadline(ctx, next)
		item, err := sub.Next(until)
		cancel()
		switch {
		case err == nil:
			if b.learn(item) && time.Until(next) > soon {
				next = time.Now().Add(soon)
			}
		case !errors.Is(err, context.DeadlineExceeded):
			return
		}
		if time.Now().Before(next) {
			continue
		}
		began := time.Now()
		b.forecast(ctx)
		soon = max(estimateSoon, estimateShare*time.Since(began))
		next = time.Now().Add(max(soon, estimateAgain))
		if time.Now().After(keep) {
			b.keepEstimates()
			keep = time.Now().Add(estimateKeep)
		}
	}
}

func (b *Box) keepEstimates() {
	kept, err := b.estimates.learner.Snapshot()
	if err == nil {
		err = statefile.Save(filepath.Join(b.opts.Dir, estimateFile), estimateVersion, json.RawMessage(kept))
	}
	if err != nil {
		b.log.Warn("what was learned about waits is not on the disk", "err", err)
	}
}

// learn shows the learner what happened and tells whether waits may be different now.
func (b *Box) learn(item feed.Item) (news bool) {
	now := time.Now().In(b.location())
	if item.Resync {
		for _, e := range item.Snapshot.([]tel.Event) {
			b.estimates.observe(now, e)
		}
		return true
	}
	return b.estimates.observe(now, item.Event)
}

func (e *estimates) observe(now time.Time, x tel.Event) (news bool) {
	switch x := x.(type) {
	case tel.AgentChanged:
		x.State = e.plain(x.Agent, x.State)
		e.learner.Observe(now, x)
		return true
	case tel.QueueJoined, tel.QueueLeft:
		e.learner.Observe(now, x)
		return true
	}
	return false
}

// plain says a state in the words of the forecast: a conversation on hold goes on, an offer that is on its
// way rings, and a call that the agent has made is a conversation.
func (e *estimates) plain(agent tel.AgentID, s tel.AgentState) tel.AgentState {
	switch s {
	case tel.AgentReserved:
		s = tel.AgentRinging
	case tel.AgentOutbound:
		s = tel.AgentTalking
	case tel.AgentHold:
		s = tel.AgentTalking
		if e.states[agent] == tel.AgentInternal {
			s = tel.AgentInternal
		}
	}
	e.states[agent] = s
	return s
}

// forecast makes a round of forecasts for who waits now, and shows what has changed.
func (b *Box) forecast(ctx context.Context) {
	v, err := b.queues.Snapshot(ctx)
	if err != nil {
		return // the queues are closing
	}
	e := b.estimates
	p := b.picture(e, v)
	round := &said{at: time.Now(), all: make(map[tel.CallID]forecast.Forecast, len(p.Waiting))}
	if len(p.Waiting) > 0 {
		for _, f := range e.learner.Forecast(p) {
			round.all[f.Call] = f
		}
	}
	e.said.Store(round)
	waits := map[tel.CallID]bool{}
	for _, c := range p.Waiting {
		if c.Callback {
			continue
		}
		waits[c.Call] = true
		x := tel.WaitExpected{Queue: c.Queue, Call: c.Call}
		if a, ok := round.all[c.Call].Announce(); ok {
			x.From, x.To = a.Min, a.Max
		}
		if x != e.shown[c.Call] {
			e.shown[c.Call] = x
			b.publish(x)
		}
	}
	for call := range e.shown {
		if !waits[call] {
			delete(e.shown, call)
		}
	}
}

// picture is the office as the forecast sees it.
func (b *Box) picture(e *estimates, v acd.View) forecast.Picture {
	p := forecast.Picture{At: v.At.In(b.location())}
	queues, _ := specs(b.config())
	rules := map[tel.QueueID]plan.QueueSpec{}
	for _, q := range queues {
		q = q.Defaults()
		rules[q.ID] = q
		p.Queues = append(p.Queues, forecast.Queue{ID: q.ID, Target: q.Target / time.Duration(max(1, q.Weight))})
	}
	for _, a := range v.Agents {
		x := forecast.Agent{
			ID: a.ID, State: e.plain(a.ID, a.State), Since: a.Since, Queue: a.Queue, Call: a.Call, Until: a.WrapUntil,
			Reason: a.Reason, ShiftEnd: a.ShiftEnds, Skills: a.Skills,
		}
		if works(x.State) { // a pause or a logout that was asked for during the call
			x.Leaves, x.Pauses = a.After == tel.AgentLoggedOut, a.After == tel.AgentPaused
			x.Reason = a.AfterReason
		}
		for _, q := range a.Queues {
			if after, ever := opens(rules[q], a.ID); ever {
				x.Serves = append(x.Serves, forecast.Serving{Queue: q, After: after})
			}
		}
		p.Agents = append(p.Agents, x)
	}
	for _, q := range v.Queues {
		for _, c := range q.Waiting {
			x := forecast.Caller{Call: c.Call, Queue: q.ID, Priority: c.Priority, Since: c.Since}
			for _, n := range c.Needs {
				x.Needs = append(x.Needs, forecast.Need{Skill: n.Skill, Level: n.Level, Relax: relaxes(rules[q.ID], n.Level)})
			}
			p.Waiting = append(p.Waiting, x)
		}
		for _, c := range q.Callbacks {
			if c.Next.IsZero() && !q.Closed {
				p.Waiting = append(p.Waiting, forecast.Caller{Call: tel.CallID("callback/" + string(c.ID)), Queue: q.ID, Since: c.Since, Callback: true})
			}
		}
	}
	return p
}

// works says that the agent has a call or its after-call work in hand.
func works(s tel.AgentState) bool {
	return s == tel.AgentRinging || s == tel.AgentTalking || s == tel.AgentInternal || s == tel.AgentWrapUp
}

// opens is after how long a wait an agent takes a queue's callers; false is never.
func opens(q plan.QueueSpec, agent tel.AgentID) (after time.Duration, ever bool) {
	level := q.Grades[agent].Level
	if len(q.Levels) == 0 || level == 0 {
		return 0, true
	}
	for _, r := range q.Levels {
		if r.UpTo >= level {
			return r.After, true
		}
	}
	return 0, false
}

// relaxes is how long a wait costs one level of what is asked for; 0 is that nothing does.
func relaxes(q plan.QueueSpec, level int) time.Duration {
	for _, r := range q.Relax {
		if r.Level == 0 && level > 0 {
			return r.After / time.Duration(level)
		}
	}
	return 0
}

// location is the clock on the wall of the office.
func (b *Box) location() *time.Location {
	if zone := b.numbering.Load().plan.Zone; zone != nil {
		return zone
	}
	return time.UTC
}
