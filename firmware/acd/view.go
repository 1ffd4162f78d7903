package acd

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// View is a picture of all queues and agents at one instant.
type View struct {
	At     time.Time
	Zone   string      // by whose clock the days of the figures begin
	Queues []QueueView // by id
	Agents []AgentView // by id
}

// QueueView is one queue.
type QueueView struct {
	ID       tel.QueueID
	Name     string
	Strategy plan.Strategy
	Members  []tel.AgentID
	Ready    int          // members who could ring now
	Waiting  []CallerView // in order of service; who asked to be called back is not among them

	Callbacks []CallbackView // oldest place first
	Closed    bool           // outside of the hours in which customers are called back
}

// CallerView is one waiting caller.
type CallerView struct {
	Call     tel.CallID
	Caller   tel.Number
	Name     string
	Priority int
	Since    time.Time   // original enqueue time
	Due      time.Time   // when the caller should have an agent; orders callers of one priority
	Needs    []tel.Need  // asked for by now
	Last     tel.AgentID // who served the caller last, if that counts here
	Ringing  []tel.AgentID
}

// AgentView is one agent.
type AgentView struct {
	ID        tel.AgentID
	Name      string
	State     tel.AgentState
	Since     time.Time
	Call      tel.CallID
	Queue     tel.QueueID
	Reason    string
	By        string    // who paused or logged out the agent, if not the agent
	WrapUntil time.Time // zero outside after-call work
	Help      bool      // asks for a supervisor
	Reachable bool
	LoginAt   time.Time
	ShiftEnds time.Time // zero: by the agent's own logout, or when the work in hand is done
	Queues    []tel.QueueID
	Out       []tel.QueueID // member, but not serving now
	Capacity  int           // pieces of work at once
	Load      int           // of them in hand
	Skills    map[string]int
	Today     plan.Tally // of all queues

	// After is what follows the work in hand: AgentReady, AgentPaused for AfterReason, or AgentLoggedOut.
	After       tel.AgentState
	AfterReason string
}

// Snapshot returns a picture of now.
func (a *ACD) Snapshot(ctx context.Context) (View, error) {
	answer := make(chan View, 1) // not a shared variable: the caller may have given up meanwhile
	err := a.post(ctx, letter{reply: make(chan error, 1), ask: func(s *plan.State, now time.Time) { answer <- view(s, now) }})
	if err != nil {
		return View{}, err
	}
	return <-answer, nil
}

// Explain tells for each member of the caller's queue why it does or does not ring.
func (a *ACD) Explain(ctx context.Context, call tel.CallID) ([]plan.Explanation, error) {
	answer := make(chan []plan.Explanation, 1)
	err := a.post(ctx, letter{reply: make(chan error, 1), ask: func(s *plan.State, now time.Time) { answer <- s.Explain(call, now) }})
	if err != nil {
		return nil, err
	}
	return <-answer, nil
}

func view(s *plan.State, now time.Time) View {
	v := View{At: now, Zone: s.Zone}
	queues, out := map[tel.AgentID][]tel.QueueID{}, map[tel.AgentID][]tel.QueueID{}
	for id, q := range s.Queues {
		qv := QueueView{ID: id, Name: q.Spec.Name, Strategy: q.Spec.Strategy, Members: slices.Clone(q.Spec.Members)}
		for m := range q.Out {
			out[m] = append(out[m], id)
		}
		for _, m := range q.Spec.Members {
			queues[m] = append(queues[m], id)
			if a := s.Agents[m]; a != nil && a.State() == tel.AgentReady {
				qv.Ready++
			}
		}
		qv.Callbacks, qv.Closed = callbacks(s, id), q.Closed
		for _, e := range s.Waiting(id) {
			if e.Callback != "" {
				continue
			}
			c := CallerView{Call: e.Call, Caller: e.Caller, Name: e.Name, Priority: e.Priority, Since: e.EnqueuedAt, Last: e.Sticky}
			c.Due, c.Needs = s.Outlook(e.Call, now)
			for _, o := range e.Offers {
				c.Ringing = append(c.Ringing, s.Offers[o].Agent)
			}
			qv.Waiting = append(qv.Waiting, c)
		}
		v.Queues = append(v.Queues, qv)
	}
	for id, a := range s.Agents {
		slices.Sort(queues[id])
		slices.Sort(out[id])
		after, reason := a.After()
		v.Agents = append(v.Agents, AgentView{
			ID: id, Name: a.Spec.Name, State: a.State(), Since: a.Shown.Since, Call: a.Shown.Call,
			Queue: a.Shown.Queue, Reason: a.Shown.Reason, By: a.Shown.By, WrapUntil: a.WrapUntil, Help: a.Help, Reachable: a.Reachable,
			LoginAt: a.LoginAt, ShiftEnds: a.ShiftUntil, Queues: queues[id], Out: out[id], Capacity: max(a.Spec.Capacity, 1), Load: a.Load(), Skills: a.Spec.Skills, Today: s.Today(id, now),
			After: after, AfterReason: reason,
		})
	}
	slices.SortFunc(v.Queues, func(x, y QueueView) int { return cmp.Compare(x.ID, y.ID) })
	slices.SortFunc(v.Agents, func(x, y AgentView) int { return cmp.Compare(x.ID, y.ID) })
	return v
}
