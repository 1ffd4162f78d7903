package acd

import (
	"context"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Estimator tells how long a waiting caller will go on waiting: from and to whole minutes. ok is false
// when nothing can be said. Wait is called by the owner of the queues and must not block or ask it.
type Estimator interface {
	Wait(call tel.CallID) (minMinutes, maxMinutes int, ok bool)
}

// sent completes a message with what only the outside knows, and hands it over.
func (a *ACD) sent(m tel.ToCall) {
	switch say := m.(type) {
	case tel.Announce:
		if from, to, known := a.wait(say.Call); known && say.Estimate {
			say.WaitFrom, say.WaitTo = from, to
			m = say
		}
	case tel.CallbackAnswered:
		if from, to, known := a.wait(say.Call); known && say.Estimate {
			say.WaitFrom, say.WaitTo = from, to
			m = say
		}
	}
	a.cfg.Send(m)
}

// wait is the estimate for a caller, in minutes.
func (a *ACD) wait(call tel.CallID) (from, to int, known bool) {
	if a.cfg.Estimate == nil {
		return 0, 0, false
	}
	from, to, known = a.cfg.Estimate.Wait(call)
	return from, to, known && from >= 0 && to >= from && to > 0
}

// SetHours opens or closes a queue for callbacks. Every queue is open until told otherwise.
func (a *ACD) SetHours(ctx context.Context, queue tel.QueueID, open bool) error {
	return a.command(ctx, plan.Hours{Queue: queue, Open: open})
}

// Recall takes up callbacks and what was known of callers when their records outlived a loss of the state. What is
// known stays as it is.
func (a *ACD) Recall(ctx context.Context, callbacks []tel.CallbackChanged, memories []plan.Memory) error {
	return a.command(ctx, plan.Recall{Callbacks: callbacks, Memories: memories})
}

// Erase drops what is remembered of callers, and what they are owed: they have asked to be erased.
func (a *ACD) Erase(ctx context.Context, callers []plan.Alias) error {
	return a.command(ctx, plan.Erase{Callers: callers})
}

// DropCallback ends a request to be called back. Errors: plan.ErrUnknownCallback.
func (a *ACD) DropCallback(ctx context.Context, id tel.CallbackID) error {
	return a.command(ctx, plan.DropCallback{Callback: id})
}

// CallbackView is one open request to be called back.
type CallbackView struct {
	ID       tel.CallbackID
	Number   tel.Number
	Name     string
	Since    time.Time // original enqueue time
	Place    int       // in order of service, callers included, from 1; 0: none while it rests or the queue is closed
	Of       int       // how many have a place
	Promise  time.Time // zero: nothing was promised
	Next     time.Time // resting until then; zero: has its place in the queue
	Attempts int       // at which the customer was not reached
	Agent    tel.AgentID
}

// callbacks lists the requests of a queue, the oldest place first.
func callbacks(s *plan.State, queue tel.QueueID) []CallbackView {
	var all []CallbackView
	for _, c := range s.CallbacksOf(queue) {
		v := CallbackView{
			ID: c.ID, Number: c.Number, Name: c.Name, Since: c.EnqueuedAt, Promise: c.Promise, Next: c.Next, Attempts: c.Attempts,
		}
		if e := s.Entries[c.Call]; e != nil {
			in := s.Waiting(queue)
			v.Place, v.Of = 1+slices.IndexFunc(in, func(w plan.Entry) bool { return w.Call == c.Call }), len(in)
			for _, o := range e.Offers {
				if offer := s.Offers[o]; offer.Phase == plan.Accepted {
					v.Agent = offer.Agent
				}
			}
		}
		all = append(all, v)
	}
	return all
}
