package replay

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// shop is a day of a box that is made up and recorded as a box records it. It shares no code with the rerun: its
// callers and agents act by themselves.
type shop struct {
	t       *testing.T
	r       *rand.Rand
	s       plan.State
	begin   time.Time
	now     time.Duration // since begin, by a clock that nobody sets
	shift   time.Duration
	n       uint64
	todo    agenda
	order   int
	journal []entry
	late    time.Duration // by which the box wakes too late, at most
	talking map[tel.OfferID]tel.CallID
	off     map[tel.OfferID]bool
	queues  []plan.QueueSpec
	agents  []plan.AgentSpec
	calls   int
	busy    time.Duration // of a call, on average
}

type entry struct {
	kind string
	body []byte
}

var morning = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func newShop(t *testing.T, seed uint64, agents int) *shop {
	s := &shop{t: t, r: rand.New(rand.NewPCG(seed, 9)), s: plan.NewState(), begin: morning, talking: map[tel.OfferID]tel.CallID{}, off: map[tel.OfferID]bool{}, busy: 150 * time.Second}
	for i := range agents {
		s.agents = append(s.agents, plan.AgentSpec{ID: tel.AgentID(fmt.Sprintf("a%02d", i))})
	}
	for i, id := range []tel.QueueID{"sales", "support"} {
		q := plan.QueueSpec{ID: id, Strategy: plan.LongestIdle, WrapUp: 20 * time.Second, AutoPause: 3}
		for j, a := range s.agents {
			if j%3 != i {
				q.Members = append(q.Members, a.ID)
			}
		}
		q.Waiting.Announce.Position, q.Waiting.Announce.After, q.Waiting.Announce.Every = true, 10*time.Second, time.Minute
		q.Waiting.Callback.Enabled = true
		q.Waiting.Short = 5 * time.Second
		s.queues = append(s.queues, q.Defaults())
	}
	s.queues[0].MaxWait, s.queues[0].MaxWaitTo = 4*time.Minute, "queue:support"
	return s
}

func (s *shop) in(d time.Duration, e plan.Event) {
	s.order++
	heap.Push(&s.todo, due{step: step{at: s.now + d, event: e}, order: s.order})
}

func (s *shop) tell(d time.Duration, m tel.ToQueue) { s.in(d, plan.Told{Message: m}) }

func (s *shop) some(mean time.Duration) time.Duration {
	return time.Duration(s.r.ExpFloat64()*float64(mean)) + time.Millisecond
}

// do decides and records as a box does.
func (s *shop) do(e plan.Event) {
	if m, ok := e.(plan.ClockMoved); ok {
		s.shift += m.By
	}
	at, seed := s.begin.Add(s.now+s.shift), s.r.Uint64()
	var effects []plan.Effect
	s.s, effects = plan.Next(s.s, e, at, seed)
	if len(s.s.Touched()) > 0 || len(effects) > 0 {
		s.n++
		b, err := Encode(s.n, e, at, seed, effects)
		if err != nil {
			s.t.Fatal(err)
		}
		s.journal = append(s.journal, entry{KindDecision, b})
	}
	s.react(e)
	for _, x := range effects {
		if m, ok := x.(plan.Send); ok {
			s.told(m.Message)
		}
	}
}

// whole writes a state, as a start does, and every so often.
func (s *shop) whole() {
	parts, err := EncodeState(&s.s)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, b := range parts {
		s.journal = append(s.journal, entry{KindState, b})
	}
}

// react follows what has just happened.
func (s *shop) react(e plan.Event) {
	id := offerOf(e)
	if id == "" {
		return
	}
	o := s.s.Offers[id]
	if o == nil || o.Phase != plan.Talking || s.talking[id] != "" {
		return
	}
	s.talking[id] = o.Call
	length := s.some(s.busy)
	s.tell(length, tel.TalkEnded{Offer: id, Cause: tel.CauseNormal})
	if s.r.IntN(5) == 0 {
		s.tell(length/4, tel.AgentHeld{Agent: o.Agent, Call: o.Call, Held: true})
		s.tell(length/2, tel.AgentHeld{Agent: o.Agent, Call: o.Call})
	}
	switch s.r.IntN(4) {
	case 0:
		s.in(length+s.some(8*time.Second), plan.FinishWrapUp{Agent: o.Agent})
	case 1:
		s.in(length+5*time.Second, plan.ExtendWrapUp{Agent: o.Agent, By: 15 * time.Second})
	}
}

// told is what calls do when the queues speak to them.
func (s *shop) told(m tel.ToCall) {
	ms := func(n int) time.Duration { return time.Duration(1+s.r.IntN(n)) * time.Millisecond }
	switch m := m.(type) {
	case tel.Offer:
		s.tell(ms(200), tel.OfferRinging{Offer: m.Offer})
		switch {
		case s.r.IntN(12) == 0:
			s.tell(time.Second+s.some(3*time.Second), tel.OfferFailed{Offer: m.Offer, Cause: tel.CauseRejected})
		case s.r.IntN(12) == 0: // does not answer
		case m.Callback.ID != "":
			s.tell(time.Second, tel.OfferAccepted{Offer: m.Offer})
			if s.r.IntN(3) == 0 {
				s.tell(20*time.Second, tel.CallbackMissed{Offer: m.Offer, Cause: tel.CauseNoAnswer})
			} else {
				s.tell(12*time.Second, tel.OfferAnswered{Offer: m.Offer})
			}
		default:
			s.tell(300*time.Millisecond+s.some(4*time.Second), tel.OfferAnswered{Offer: m.Offer})
		}
	case tel.Withdraw:
		if !s.off[m.Offer] {
			s.off[m.Offer] = true
			if s.r.IntN(10) > 0 { // else the answer crosses the withdrawal
				for i := range s.todo {
					if offerOf(s.todo[i].event) == m.Offer {
						s.todo[i].event = plan.Tick{}
					}
				}
			}
			s.tell(ms(300), tel.OfferSettled{Offer: m.Offer})
		}
	case tel.Announce:
		s.tell(2*time.Second+ms(4000), tel.Announced{Call: m.Call})
	case tel.Overflow:
		if m.To == "queue:support" {
			s.tell(ms(5), tel.Enqueue{Call: m.Call, Queue: "support", EnqueuedAt: s.begin.Add(s.now + s.shift)})
			s.tell(s.some(5*time.Minute), tel.CallerGone{Call: m.Call, Cause: tel.CauseNormal})
		}
	}
}

// open begins the day.
func (s *shop) open() {
	s.whole()
	s.do(plan.Configure{Queues: s.queues, Agents: s.agents})
	for i, a := range s.agents {
		from := time.Duration(i) * time.Minute
		s.tell(from, tel.AgentReachable{Agent: a.ID, Reachable: true})
		s.in(from+time.Second, plan.Login{Agent: a.ID})
		s.in(2*time.Hour+from*3, plan.Pause{Agent: a.ID, Reason: "lunch"})
		s.in(3*time.Hour+from*3, plan.Resume{Agent: a.ID})
		s.in(9*time.Hour, plan.Logout{Agent: a.ID})
	}
}

// comes has callers come within a span.
func (s *shop) comes(n int, span time.Duration) {
	for range n {
		s.calls++
		id := tel.CallID(fmt.Sprintf("c%05d", s.calls))
		at := time.Duration(s.r.Int64N(int64(span)))
		s.in(at, plan.Told{Message: tel.Enqueue{
			Call: id, Queue: []tel.QueueID{"sales", "support"}[s.r.IntN(2)], Caller: tel.Number(fmt.Sprintf("+39333%07d", s.r.IntN(n))), EnqueuedAt: s.begin.Add(s.now + at + s.shift),
		}})
		s.tell(at+2*time.Second, tel.CallerGreeted{Call: id})
		s.tell(at+s.some(3*time.Minute), tel.CallerGone{Call: id, Cause: tel.CauseNormal})
		if s.r.IntN(15) == 0 {
			s.tell(at+40*time.Second, tel.WantCallback{Call: id, Number: tel.Number(fmt.Sprintf("+39347%07d", s.calls))})
		}
	}
}

// run lets the time pass until end.
func (s *shop) run(end time.Duration) {
	for {
		wake, ok := s.s.Deadline()
		at := wake.Sub(s.begin) - s.shift
		if s.late > 0 && ok {
			at += time.Duration(s.r.Int64N(int64(s.late)))
		}
		switch {
		case ok && at <= end && (len(s.todo) == 0 || at <= s.todo[0].at):
			s.now = max(s.now, at)
			s.do(plan.Tick{})
		case len(s.todo) > 0 && s.todo[0].at <= end:
			d := heap.Pop(&s.todo).(due)
			s.now = d.at
			if e, ok := d.event.(plan.Told); ok {
				if g, ok := e.Message.(tel.CallerGone); ok && s.s.Entries[g.Call] == nil {
					continue // has left, or talks
				}
			}
			s.do(d.event)
		default:
			s.now = end
			return
		}
	}
}

// story reads the journal's day.
func (s *shop) story(from, to time.Time) *Story {
	s.t.Helper()
	r := NewReader(from, to)
	for _, e := range s.journal {
		if err := r.Take(e.kind, e.body); err != nil {
			s.t.Fatal(err)
		}
	}
	story, err := r.Story()
	if err != nil {
		s.t.Fatal(err)
	}
	return story
}

// standings are what the calls say of themselves after a restart at which nobody was lost.
func (s *shop) standings() (all []tel.Standing) {
	for _, id := range sortedKeys(s.s.Entries) {
		if e := s.s.Entries[id]; e.Callback == "" {
			all = append(all, tel.Standing{Call: id, Waits: &tel.Enqueue{Call: id, Queue: e.Queue, Caller: e.Caller, Name: e.Name, EnqueuedAt: e.EnqueuedAt}})
		}
	}
	for _, id := range sortedKeys(s.s.Offers) {
		if o := s.s.Offers[id]; o.Phase == plan.Talking {
			all = append(all, tel.Standing{Call: o.Call, Holds: []tel.HeldOffer{{Offer: id, Queue: o.Queue, Agent: o.Agent, Talking: true, Since: o.Answered}}})
		}
	}
	return all
}
