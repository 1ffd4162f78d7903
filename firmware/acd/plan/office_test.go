package plan

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

var t0 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// office is a state under test with its own clock and a record of everything that came out.
type office struct {
	t      *testing.T
	s      State
	now    time.Time
	out    []Effect // of the last event
	events []tel.Event
}

func newOffice(t *testing.T, queues []QueueSpec, agents ...tel.AgentID) *office {
	o := &office{t: t, s: NewState(), now: t0}
	var specs []AgentSpec
	for _, a := range agents {
		specs = append(specs, AgentSpec{ID: a})
	}
	for i := range queues {
		queues[i] = queues[i].Defaults()
	}
	o.do(Configure{queues, specs})
	return o
}

// staffed has every agent logged in, one second apart in the order given, so that the first has
// been idle longest.
func staffed(t *testing.T, queues []QueueSpec, agents ...tel.AgentID) *office {
	o := newOffice(t, queues, agents...)
	for _, a := range agents {
		o.tell(tel.AgentReachable{Agent: a, Reachable: true})
		o.do(Login{a})
		o.wait(time.Second)
	}
	return o
}

func (o *office) do(e Event) []Effect {
	o.s, o.out = Next(o.s, e, o.now, 7)
	for _, x := range o.out {
		if p, ok := x.(Publish); ok {
			o.events = append(o.events, p.Event)
		}
	}
	return o.out
}

func (o *office) tell(m tel.ToQueue) []Effect { return o.do(Told{m}) }

// wait lets time pass, stopping at each deadline as the owner of the state does.
func (o *office) wait(d time.Duration) {
	end := o.now.Add(d)
	for {
		at, ok := o.s.Deadline()
		if !ok || at.After(end) {
			break
		}
		o.now = at
		o.do(Tick{})
	}
	o.now = end
}

func (o *office) call(id tel.CallID, q tel.QueueID) []tel.Offer {
	o.tell(tel.Enqueue{Call: id, Queue: q, Caller: "0212345678", EnqueuedAt: o.now})
	return o.offers()
}

// offers are those made by the last event.
func (o *office) offers() []tel.Offer {
	var list []tel.Offer
	for _, x := range o.out {
		if s, ok := x.(Send); ok {
			if m, ok := s.Message.(tel.Offer); ok {
				list = append(list, m)
			}
		}
	}
	return list
}

func (o *office) withdrawals() []tel.Withdraw {
	var list []tel.Withdraw
	for _, x := range o.out {
		if s, ok := x.(Send); ok {
			if m, ok := s.Message.(tel.Withdraw); ok {
				list = append(list, m)
			}
		}
	}
	return list
}

func (o *office) one() tel.Offer {
	o.t.Helper()
	list := o.offers()
	if len(list) != 1 {
		o.t.Fatalf("%d offers, want 1", len(list))
	}
	return list[0]
}

func (o *office) state(a tel.AgentID) tel.AgentState { return o.s.Agents[a].State() }

func (o *office) wantState(a tel.AgentID, want tel.AgentState) {
	o.t.Helper()
	if got := o.state(a); got != want {
		o.t.Fatalf("agent %s is %v, want %v", a, got, want)
	}
}

func (o *office) left() []tel.QueueLeft {
	var list []tel.QueueLeft
	for _, e := range o.events {
		if l, ok := e.(tel.QueueLeft); ok {
			list = append(list, l)
		}
	}
	return list
}

func q1(members ...tel.AgentID) []QueueSpec {
	return []QueueSpec{{ID: "q", Members: members, WrapUp: 10 * time.Second}}
}
