package plan

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

var eventsFlag = flag.Int("plan.events", eventsByDefault, "random calls and actions of agents in the property test")

// world drives a state with random events and checks, after each, what must always hold.
type world struct {
	t        *testing.T
	r        *rand.Rand
	s        State
	now      time.Time
	queues   []QueueSpec
	agents   []AgentSpec
	calls    int
	calm     bool          // few callers: agents wait for them
	known    []tel.OfferID // recent offers, so that stale messages are sent too
	joined   map[tel.CallID]int
	left     map[tel.CallID]int
	shown    map[tel.AgentID]tel.AgentState
	days     map[tel.AgentID]tel.AgentChanged // the interval of each agent that runs, as observers know it
	lives    lives
	log      []logged
	foreseen int // offers that the solver had foreseen
	ending   rings
}

type logged struct {
	kind   string
	body   []byte
	at     time.Time
	seed   uint64
	effect []byte
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, r: rand.New(rand.NewPCG(seed, 1)), s: NewState(), now: t0,
		joined: map[tel.CallID]int{}, left: map[tel.CallID]int{}, shown: map[tel.AgentID]tel.AgentState{}, lives: newLives(),
		days: map[tel.AgentID]tel.AgentChanged{}, ending: rings{at: map[tel.OfferID]tel.AgentID{}, until: map[tel.OfferID]time.Time{}},
	}
	for i := range 7 {
		w.agents = append(w.agents, AgentSpec{ID: tel.AgentID(fmt.Sprintf("a%d", i))})
		w.contract(&w.agents[i])
	}
	w.calm = seed%2 == 1
	w.configure()
	return w
}

// contract varies what an agent's configuration says.
func (w *world) contract(a *AgentSpec) {
	a.Capacity, a.RingOnInternal = w.r.IntN(3), w.r.IntN(3) == 0
	a.WrapUp = []time.Duration{0, 0, -1, 7 * time.Second}[w.r.IntN(4)]
}

func (w *world) configure() {
	w.queues = nil
	w.agents[w.r.IntN(len(w.agents))].Skills = someSkills(w.r)
	w.contract(&w.agents[w.r.IntN(len(w.agents))])
	for i := range 1 + w.r.IntN(4) {
		q := QueueSpec{
			ID:        tel.QueueID(fmt.Sprintf("q%d", i)),
			Strategy:  Strategies()[w.r.IntN(len(Strategies()))],
			Ring:      time.Duration(1+w.r.IntN(20)) * time.Second,
			WrapUp:    time.Duration(w.r.IntN(3)) * 5 * time.Second,
			Backoff:   time.Duration(1+w.r.IntN(20)) * time.Second,
			AutoPause: w.r.IntN(4), AutoLogout: w.r.IntN(4) == 0,
		}
		if w.r.IntN(3) == 0 {
			q.MaxWait = time.Duration(1+w.r.IntN(60)) * time.Second
		}
		if w.r.IntN(3) == 0 {
			q.MaxLength = 1 + w.r.IntN(6)
		}
		if w.r.IntN(3) == 0 {
			q.LeaveEmpty, q.EmptyGrace = true, time.Duration(w.r.IntN(10))*time.Second
		}
		q.Waiting = w.waiting()
		for _, a := range w.agents {
			if w.r.IntN(2) == 0 {
				q.Members = append(q.Members, a.ID)
			}
		}
		w.r.Shuffle(len(q.Members), func(i, j int) { q.Members[i], q.Members[j] = q.Members[j], q.Members[i] })
		if w.r.IntN(2) == 0 {
			q.Distribution = someDistribution(w.r, q.Members)
		}
		w.queues = append(w.queues, q)
	}
	keep := w.agents
	if w.r.IntN(4) == 0 { // one agent leaves the firm for a while
		gone := keep[w.r.IntN(len(keep))].ID
		keep = slices.DeleteFunc(slices.Clone(keep), func(a AgentSpec) bool { return a.ID == gone })
		for i := range w.queues {
			w.queues[i].Members = slices.DeleteFunc(w.queues[i].Members, func(m tel.AgentID) bool { return m == gone })
		}
	}
	w.do(Configure{w.queues, keep})
}

func (w *world) pickOffer() tel.OfferID {
	if len(w.known) == 0 {
		return "o0"
	}
	return w.known[w.r.IntN(len(w.known))]
}

func (w *world) pickCall() tel.CallID {
	if ids := sorted(w.s.Entries); len(ids) > 0 && w.r.IntN(4) > 0 {
		return ids[w.r.IntN(len(ids))]
	}
	return tel.CallID(fmt.Sprintf("c%d", w.r.IntN(w.calls+1)))
}

func (w *world) random() Event {
	agent := w.agents[w.r.IntN(len(w.agents))].ID
	cause := []tel.Cause{tel.CauseNoAnswer, tel.CauseBusy, tel.CauseRejected, tel.CauseUnreachable, tel.CauseCancelled}[w.r.IntN(5)]
	if w.r.IntN(8) == 0 {
		return w.duty(agent)
	}
	switch w.r.IntN(50) {
	case 0, 1, 2, 3, 4, 5, 6:
		if w.calm && w.r.IntN(4) > 0 {
			return Tick{}
		}
		w.calls++
		q := tel.QueueID(fmt.Sprintf("q%d", w.r.IntN(5))) // sometimes one that does not exist
		back := time.Duration(w.r.IntN(30)-2) * time.Second
		return Told{tel.Enqueue{
			Call: tel.CallID(fmt.Sprintf("c%d", w.calls)), Queue: q, Caller: w.number(),
			Priority: w.r.IntN(8) / 6, EnqueuedAt: w.now.Add(-back),
			Needs: [][]tel.Need{nil, nil, someNeeds(w.r)}[w.r.IntN(3)],
		}}
	case 7:
		return Told{tel.Enqueue{Call: w.pickCall(), Queue: tel.QueueID(fmt.Sprintf("q%d", w.r.IntN(4))), EnqueuedAt: w.now}}
	case 8, 9, 10:
		return Told{tel.CallerGone{Call: w.pickCall(), Cause: cause}}
	case 11, 12, 13:
		return Told{tel.OfferRinging{Offer: w.pickOffer()}}
	case 14, 15:
		if w.r.IntN(3) == 0 {
			return Told{tel.OfferSettled{Offer: w.pickOffer()}}
		}
		return Told{tel.OfferFailed{Offer: w.pickOffer(), Cause: cause}}
	case 16, 17, 18, 19:
		return Told{tel.OfferAnswered{Offer: w.pickOffer()}}
	case 20, 21, 22, 23, 24:
		return Told{tel.TalkEnded{Offer: w.pickOffer(), Cause: tel.CauseNormal}}
	case 25, 26:
		return Told{tel.AgentEngaged{Agent: agent, Call: tel.CallID(fmt.Sprintf("x%d", w.r.IntN(3))), Internal: w.r.IntN(2) == 0}}
	case 27, 28, 29:
		return Told{tel.AgentDisengaged{Agent: agent, Call: tel.CallID(fmt.Sprintf("x%d", w.r.IntN(3)))}}
	case 30:
		return Told{tel.AgentReachable{Agent: agent, Reachable: w.r.IntN(4) > 0, Silent: w.r.IntN(2) == 0}}
	case 31, 32:
		return Login{agent}
	case 33:
		return Logout{agent}
	case 34:
		return Pause{agent, []string{"break", "mail"}[w.r.IntN(2)]}
	case 35, 36:
		return Resume{agent}
	case 37:
		if w.r.IntN(2) == 0 {
			return ExtendWrapUp{agent, time.Duration(w.r.IntN(90)) * time.Second}
		}
		return FinishWrapUp{agent}
	case 38:
		if w.r.IntN(40) == 0 {
			return SetZone{[]string{"Europe/Rome", "Pacific/Kiritimati", "Mars/Olympus", "Local", ""}[w.r.IntN(5)]}
		}
		if w.r.IntN(40) == 0 {
			return Drain{time.Duration(w.r.IntN(600)-60) * time.Second}
		}
		if w.r.IntN(40) == 0 {
			return Reconcile{Live: sorted(w.s.Entries)}
		}
		if w.r.IntN(10) == 0 {
			return Reconcile{Calls: w.standings()}
		}
	case 39:
		if w.r.IntN(100) == 0 {
			by := time.Duration(w.r.IntN(48)-24) * time.Hour
			w.now = w.now.Add(by)
			return ClockMoved{by}
		}
	default:
		return w.randomLife()
	}
	return Tick{}
}

// duty is something that agents and supervisors do beside answering calls.
func (w *world) duty(agent tel.AgentID) Event {
	queue := tel.QueueID(fmt.Sprintf("q%d", w.r.IntN(5)))
	other := tel.CallID(fmt.Sprintf("x%d", w.r.IntN(3)))
	switch w.r.IntN(17) {
	case 15:
		if w.r.IntN(2) == 0 {
			return SetSkills{Agent: agent}
		}
		return SetSkills{agent, someSkills(w.r), "carla"}
	case 0, 1:
		return Told{tel.AgentHeld{Agent: agent, Call: other, Held: w.r.IntN(2) == 0}}
	case 2:
		return Told{tel.AgentEngaged{Agent: agent, Call: other, Outbound: true}}
	case 3:
		return Help{agent, w.r.IntN(2) == 0}
	case 4, 5:
		return Shift{agent, w.now.Add(time.Duration(w.r.IntN(60)-10) * time.Second)}
	case 6:
		return Serve{agent, []tel.QueueID{queue}}
	case 7:
		return Serve{Agent: agent}
	case 8:
		return LeaveQueue{agent, queue, "mail"}
	case 9:
		return EnterQueue{agent, queue}
	case 10:
		return AddMember{agent, queue, "carla"}
	case 11:
		return RemoveMember{agent, queue, "carla"}
	case 12:
		return Move{w.pickCall(), queue, "carla"}
	case 13:
		return Assign{w.pickCall(), agent, "carla"}
	case 14:
		return ForcePause{agent, "", "carla"}
	default:
		return ForceLogout{agent, "carla"}
	}
}

// do runs one event and checks every invariant.
func (w *world) do(e Event) {
	if in, ok := e.(Told); ok {
		if m, ok := in.Message.(tel.Enqueue); ok {
			w.do(Tick{}) // so that only the request itself decides whether this is a new place
			if old := w.s.Entries[m.Call]; old == nil || old.Queue != m.Queue && old.Callback == "" {
				w.joined[m.Call]++
			}
		}
	}
	seed := w.r.Uint64()
	want := w.foresee(e, seed)
	body, err := json.Marshal(e)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []Effect
	w.s, out = Next(w.s, e, w.now, seed)
	effects, err := json.Marshal(out)
	if err != nil {
		w.t.Fatal(err)
	}
	w.log = append(w.log, logged{e.Kind(), body, w.now, seed, effects})
	if m, ok := e.(ClockMoved); ok {
		for id, d := range w.days { // observers follow the clock on the wall
			d.Since = d.Since.Add(m.By)
			w.days[id] = d
		}
	}
	w.count(out)
	w.follow(e, out)
	w.ending.follow(w, e, out)
	w.check(out)
	w.checkForeseen(want, out)
}

func (w *world) count(out []Effect) {
	for _, x := range out {
		p, ok := x.(Publish)
		if !ok {
			continue
		}
		switch ev := p.Event.(type) {
		case tel.QueueLeft:
			w.left[ev.Call]++
		case tel.QueueOffered:
			w.known = append(w.known, ev.Offer)
			if len(w.known) > 12 {
				w.known = w.known[1:]
			}
		case tel.AgentChanged:
			w.shown[ev.Agent] = ev.State
			w.began(ev)
		case tel.AgentInterval:
			w.spent(ev)
		}
	}
}

// spent: the intervals of an agent's day follow each other without a gap, and each is what was shown.
func (w *world) spent(ev tel.AgentInterval) {
	if ev.To.Before(ev.From) || !ev.To.Equal(w.now.Round(0)) {
		w.t.Fatalf("interval %+v ends at another time than %v", ev, w.now)
	}
	if now, known := w.days[ev.Agent]; known && (!now.Since.Equal(ev.From) || now.State != ev.State || now.Reason != ev.Reason || now.Call != ev.Call) {
		w.t.Fatalf("interval %+v was shown as %+v", ev, now)
	}
	delete(w.days, ev.Agent)
}

// began: an interval begins only after the one before was told.
func (w *world) began(ev tel.AgentChanged) {
	if now, runs := w.days[ev.Agent]; runs && (now.State != ev.State || now.Reason != ev.Reason || now.Call != ev.Call || now.Queue != ev.Queue) {
		w.t.Fatalf("%+v began, and nobody was told that %+v ended", ev, now)
	}
	w.days[ev.Agent] = ev
}

// drain stops arrivals, lets everybody work and answer, and demands that every caller is served.
func (w *world) drain() {
	w.do(Configure{w.queues, w.agents})
	var busy []QueueSpec
	for _, q := range w.queues {
		q.Members = nil
		for _, a := range w.agents {
			q.Members = append(q.Members, a.ID)
		}
		busy = append(busy, q)
	}
	for i := range w.agents { // everybody learns everything, for a skill that nobody has may be waited for
		w.agents[i].Skills = map[string]int{}
		for _, skill := range languages {
			w.agents[i].Skills[skill] = MaxSkill
		}
	}
	w.queues = busy
	w.do(Configure{w.queues, w.agents})
	for i := 0; len(w.s.Entries) > 0; i++ {
		if i > 3000 {
			w.t.Fatalf("%d callers starve", len(w.s.Entries))
		}
		for _, a := range w.agents {
			w.do(Told{tel.AgentReachable{Agent: a.ID, Reachable: true}})
			w.do(Login{a.ID})
			w.do(Resume{a.ID})
			w.do(Serve{Agent: a.ID})
			w.do(SetSkills{Agent: a.ID})
			for _, q := range w.queues {
				w.do(AddMember{a.ID, q.ID, "carla"})
			}
			for x := range 3 {
				w.do(Told{tel.AgentDisengaged{Agent: a.ID, Call: tel.CallID(fmt.Sprintf("x%d", x))}})
			}
			if o := w.s.Offers[w.s.Agents[a.ID].Offer]; o != nil {
				if o.Phase == Talking {
					w.do(Told{tel.TalkEnded{Offer: o.ID}})
				} else {
					w.do(Told{tel.OfferAnswered{Offer: o.ID}})
				}
			}
		}
		w.now = w.now.Add(time.Second)
		w.do(Tick{})
	}
}

func TestWhateverHappensTheQueueStaysFair(t *testing.T) {
	perWorld, seed, heldBack := 2000, 0, 0
	defer func() {
		if t.Failed() {
			t.Logf("in the world of seed %d", seed)
		}
	}()
	for ; seed*perWorld < *eventsFlag; seed++ {
		w := newWorld(t, uint64(seed))
		for n := 0; n < perWorld; {
			if w.r.IntN(3) == 0 {
				w.advance(time.Duration(w.r.IntN(4000)) * time.Millisecond)
			}
			if w.r.IntN(500) == 0 {
				w.configure()
			}
			if w.r.IntN(40) == 0 {
				w.comesBack()
			}
			e := w.random()
			if _, idle := e.(Tick); !idle {
				n++
			}
			w.do(e)
		}
		heldBack += w.lives.heldBack
		w.drain()
		if seed%10 == 0 {
			w.checkReplay()
		}
	}
	if t.Logf("%d callers waited for one agent beside others who were free", heldBack); heldBack < seed/8 {
		t.Error("too few to tell whether somebody wakes the queue when that wait ends")
	}
}

// checkReplay runs the log again from its JSON, restarting from a snapshot now and then, and
// demands the same bytes out.
func (w *world) checkReplay() {
	s := NewState()
	for i, l := range w.log {
		e, err := DecodeEvent(l.kind, l.body)
		if err != nil {
			w.t.Fatal(err)
		}
		var out []Effect
		s, out = Next(s, e, l.at, l.seed)
		effects, err := json.Marshal(out)
		if err != nil || !bytes.Equal(effects, l.effect) {
			w.t.Fatalf("event %d (%s): replayed\n%s\nwas\n%s (%v)", i, l.kind, effects, l.effect, err)
		}
		if i%97 == 0 {
			s = w.throughJSON(s, i%2 == 0)
		}
	}
	a, _ := s.Snapshot()
	b, _ := w.s.Snapshot()
	if !bytes.Equal(a, b) {
		w.t.Fatal("replay ended in another state")
	}
}

func (w *world) throughJSON(s State, whole bool) State {
	before, err := s.Snapshot()
	if err != nil {
		w.t.Fatal(err)
	}
	deadline, ok := s.Deadline()
	var r State
	if whole {
		if r, err = Restore(before); err != nil {
			w.t.Fatal(err)
		}
	} else {
		kept := map[string][]byte{}
		for _, k := range s.Keys() {
			b, there, err := s.Entity(k)
			if err != nil || !there {
				w.t.Fatalf("entity %v: %v %v", k, there, err)
			}
			kept[k.String()] = b
		}
		var errs []error
		if r, errs = RestoreEntities(kept); len(errs) > 0 {
			w.t.Fatal(errs)
		}
	}
	after, err := r.Snapshot()
	if err != nil || !bytes.Equal(before, after) {
		w.t.Fatalf("restored\n%s\nfrom\n%s", after, before)
	}
	// A restored state may wake once for nothing, because back-offs that are over are kept for
	// their count; it must never wake late.
	if again, okAgain := r.Deadline(); ok && (!okAgain || again.After(deadline)) {
		w.t.Fatalf("restored deadline %v %v, was %v %v", again, okAgain, deadline, ok)
	}
	return r
}
