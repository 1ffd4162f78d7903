package plan

import (
	"maps"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan/brute"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// bench is a state told to the brute-force solver: facts only, none of the planner's conclusions
// but who is free and who is present.
type bench struct {
	brute.Office
	agents  []tel.AgentID
	queues  []tel.QueueID
	callers []tel.CallID
}

// seat tells a state to the solver as of now. Of the callers those are told whom keep accepts.
func seat(s *State, now time.Time, seed uint64, keep func(*Entry) bool) bench {
	b := bench{Office: brute.Office{Now: now}, agents: sorted(s.Agents), queues: sorted(s.Queues)}
	for _, id := range b.agents {
		a := s.Agents[id]
		one := brute.Agent{
			Name: string(id), Free: a.free(), Present: a.present(), BusyUntil: a.WrapUntil, Idle: a.IdleSince, Skills: a.Spec.Skills,
		}
		for _, q := range b.queues {
			one.Calls = append(one.Calls, (&step{State: s, now: now}).today(a).of(q).Calls)
		}
		one.Talk = (&step{State: s, now: now}).today(a).talk()
		b.Agents = append(b.Agents, one)
	}
	for _, id := range b.queues {
		b.Queues = append(b.Queues, b.queue(s.Queues[id]))
	}
	for _, id := range sorted(s.Entries) {
		if e := s.Entries[id]; keep(e) {
			b.callers = append(b.callers, id)
			b.Callers = append(b.Callers, b.caller(s, e, now, seed))
		}
	}
	return b
}

func (b *bench) agent(id tel.AgentID) int { return slices.Index(b.agents, id) } // brute.None is -1, too

func (b *bench) queue(q *Queue) brute.Queue {
	x := brute.Queue{
		Strategy: string(q.Spec.Strategy), Last: b.agent(q.Last), Level: map[int]int{}, Target: q.Spec.Target, Weight: q.Spec.Weight,
		LevelsAbove: q.Spec.LevelsAbove, Soon: q.Spec.Soon, Needs: levelsOf(q.Spec.Needs), BestSkilled: q.Spec.BestSkilled,
		StickyWait: q.Spec.StickyWait,
	}
	for _, m := range q.Spec.Members {
		x.Members = append(x.Members, b.agent(m))
		x.Level[b.agent(m)] = q.Spec.Grades[m].Level
	}
	for _, r := range q.Spec.Levels {
		x.Rules = append(x.Rules, brute.Rule(r))
	}
	for _, r := range q.Spec.Relax {
		x.Relax = append(x.Relax, brute.Relax(r))
	}
	return x
}

func (b *bench) caller(s *State, e *Entry, now time.Time, seed uint64) brute.Caller {
	x := brute.Caller{
		Name: string(e.Call), Queue: slices.Index(b.queues, e.Queue), Priority: e.Priority, Joined: e.EnqueuedAt,
		Needs: levelsOf(e.Needs), Spared: map[int]bool{}, Sticky: b.agent(e.Sticky),
	}
	q := s.Queues[e.Queue]
	for i, id := range b.agents {
		if r, ok := e.Refused[id]; ok && now.Before(r.Until) {
			x.Spared[i] = true
		}
		drawn := draw(seed, e.Call, id)
		if q.Spec.Strategy == WeightedRandom {
			drawn = lot(drawn, q.Spec.Grades[id].Weight)
		}
		x.Lots = append(x.Lots, drawn)
	}
	return x
}

func levelsOf(needs []tel.Need) map[string]int {
	m := map[string]int{}
	for _, n := range needs {
		m[n.Skill] = n.Level
	}
	return m
}

// decided is whom the solver would have ring, by caller.
func (b *bench) decided() map[tel.CallID]tel.AgentID {
	order := b.Order()
	got := map[tel.CallID]tel.AgentID{}
	for i, a := range b.Solve(order) {
		if a != brute.None {
			got[b.callers[order[i]]] = b.agents[a]
		}
	}
	return got
}

// decisions are the first offers for each caller that a step made.
func decisions(out []Effect) map[tel.CallID]tel.AgentID {
	got := map[tel.CallID]tel.AgentID{}
	for _, x := range out {
		if p, ok := x.(Publish); ok {
			if ev, ok := p.Event.(tel.QueueOffered); ok && ev.Why.Merit != tel.MeritRingsAlong && ev.Why.Merit != tel.MeritAssigned {
				got[ev.Call] = ev.Agent
			}
		}
	}
	return got
}

// asks says that the caller could use an agent now.
func asks(s *State, e *Entry) bool {
	if e.pending() {
		return true
	}
	if e.For != "" || s.accepted(e) {
		return false // a person decided, or somebody is on the line
	}
	switch s.Queues[e.Queue].Spec.Strategy {
	case RingAll:
		return len(e.Offers) > 0 && !e.Overdue
	case ProgressiveRing:
		return len(e.Offers) > 0 && !e.Overdue && len(e.Offers) < e.Width
	default:
		return false
	}
}

// checkNobodyIdles: at this moment no caller who could use an agent and free agent who may take the
// caller exist side by side.
func (w *world) checkNobodyIdles(at time.Time) {
	if w.s.nfree == 0 {
		return
	}
	b := seat(&w.s, at, 0, func(e *Entry) bool { return len(w.s.Queues[e.Queue].free) > 0 && asks(&w.s, e) })
	for c := range b.Callers {
		for a := range b.Agents {
			if b.May(c, a) {
				e := w.s.Entries[b.callers[c]]
				w.t.Fatalf("at %v caller %s and agent %s both wait\n%+v\n%+v\n%+v", at, b.callers[c], b.agents[a], e, w.s.Agents[b.agents[a]], w.s.Queues[e.Queue].Spec)
			}
		}
	}
}

// advance lets time pass as the owner of the state does, with a tick at each deadline: just before it
// nobody idles, so the planner asked for it in time. Now and then the owner is late.
func (w *world) advance(d time.Duration) {
	end := w.now.Add(d)
	for w.r.IntN(16) > 0 {
		at, ok := w.s.Deadline()
		if !ok || at.After(end) {
			w.checkNobodyIdles(end)
			break
		}
		w.checkNobodyIdles(at.Add(-1))
		w.now = at
		w.do(Tick{})
	}
	w.now = end
}

// checkOrder: whoever was offered an agent was not preceded by somebody who could have had that
// agent and got nobody.
func (w *world) checkOrder(out []Effect) {
	for _, x := range out {
		p, ok := x.(Publish)
		if !ok {
			continue
		}
		ev, ok := p.Event.(tel.QueueOffered)
		if !ok {
			continue
		}
		if ev.Why.Merit == tel.MeritAssigned {
			continue // a person decided
		}
		served := w.s.Entries[ev.Call]
		if served == nil {
			w.t.Fatalf("offer for %s, who does not wait", ev.Call)
		}
		b := seat(&w.s, w.now, 0, func(e *Entry) bool { return e == served || e.pending() })
		agent := b.agent(ev.Agent)
		b.Agents[agent].Free = true // as before the offer
		for _, c := range b.Order() {
			if b.callers[c] == ev.Call {
				break
			}
			if b.May(c, agent) {
				w.t.Fatalf("%s overtook %s with agent %s", ev.Call, b.callers[c], ev.Agent)
			}
		}
	}
}

// foresee has the solver decide what this event leads to; nil when it is not asked, for it is slow.
func (w *world) foresee(e Event, seed uint64) map[tel.CallID]tel.AgentID {
	if w.r.IntN(16) > 0 || w.s.nfree == 0 && len(w.s.Entries) == 0 {
		return nil
	}
	s := w.s.Clone()
	st := &step{State: &s, now: w.now.Round(0).UTC(), seed: seed, keys: map[Key]bool{}}
	st.prepare(e)
	b := seat(&s, st.now, seed, (*Entry).pending)
	return b.decided()
}

func (w *world) checkForeseen(want map[tel.CallID]tel.AgentID, out []Effect) {
	if want == nil {
		return
	}
	w.foreseen += len(want)
	if got := decisions(out); !maps.Equal(got, want) {
		w.t.Fatalf("planner %v, brute force %v", got, want)
	}
}
