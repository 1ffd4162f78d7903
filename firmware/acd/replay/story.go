package replay

import (
	"cmp"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// moment is a time of the story: since its first decision, by a clock that nobody sets.
type moment = time.Duration

// step is one event with when it happened and the chance that was drawn for it.
type step struct {
	at    moment
	index int // among the recorded ones; orders steps of one moment
	seed  uint64
	event plan.Event
}

// reply is a step that answers something; after is how long after it.
type reply struct {
	step
	after time.Duration
}

// pair is a call and an agent.
type pair struct {
	call  tel.CallID
	agent tel.AgentID
}

func comparePairs(a, b pair) int {
	return cmp.Or(cmp.Compare(a.call, b.call), cmp.Compare(a.agent, b.agent))
}

// ring is what became of one offer.
type ring struct {
	pair
	queue     tel.QueueID
	callback  bool // the agent was to call somebody
	made      moment
	replies   []reply // from when it was made
	withdrawn bool
	ended     time.Duration // when it was withdrawn, from when it was made
	late      []reply       // from the withdrawal
}

// decided says that the agent took the call or did not, by what the agent or the phone did.
func (r *ring) decided() bool {
	for _, x := range r.replies {
		switch x.event.(plan.Told).Message.(type) {
		case tel.OfferAnswered, tel.OfferFailed, tel.CallbackMissed:
			return !r.withdrawn
		}
	}
	return false
}

// talk is one conversation with an agent.
type talk struct {
	queue tel.QueueID
	began moment
	ended bool
	end   reply   // from the beginning
	holds []reply // from the beginning
	wraps []reply // what the agent did in the after-call work, from the end
}

// place is one wait of a caller.
type place struct {
	queue  tel.QueueID
	joined moment
	waited time.Duration // as long as is known
	left   bool
	gave   bool // up, or was cut off
}

// caller is what one call did.
type caller struct {
	places    []*place
	overflows []moment      // when it was sent on
	again     map[int]reply // the place that was asked for after the n-th overflow, from it
	announced []moment      // when it was told something
	heard     []reply       // the end of each announcement, from its beginning
	talks     []*talk
}

// Story is one day as it was recorded: what callers and agents did of themselves, and how they answered. It is
// made by a Reader and never changes.
type Story struct {
	From, To time.Time
	Recorded Figures // what came of it
	Breaks   int     // places inside of the day at which the journal begins anew with another state, as after a crash in the middle of a decision

	start plan.State
	began time.Time // of the first step, by the wall
	end   moment    // of what is told
	steps []step    // what happened of itself
	ticks map[moment]step
	calls map[tel.CallID]*caller
	rings map[pair][]*ring
	open  map[tel.OfferID]*ring // at the beginning
	talks map[tel.OfferID]*talk // at the beginning
	// staffed is from when to when somebody could take the calls of a queue.
	staffed map[tel.QueueID][2]moment
	habits  habits
}

// telling follows the recorded decisions and takes them apart.
type telling struct {
	*Story
	state  plan.State
	shift  time.Duration // by which the wall clock was set since the first step
	index  int
	offers map[tel.OfferID]*ring
	live   map[tel.OfferID]*talk
	last   map[tel.CallID]*talk // of each call, for its after-call work
}

func newTelling(s plan.State, from, to, at time.Time) *telling {
	t := &telling{
		Story: &Story{
			From: from, To: to, start: s.Clone(), began: at, ticks: map[moment]step{}, calls: map[tel.CallID]*caller{}, rings: map[pair][]*ring{},
			open: map[tel.OfferID]*ring{}, talks: map[tel.OfferID]*talk{}, staffed: map[tel.QueueID][2]moment{},
		},
		state: s, offers: map[tel.OfferID]*ring{}, live: map[tel.OfferID]*talk{}, last: map[tel.CallID]*talk{},
	}
	t.Recorded = newFigures(from, to)
	for _, id := range sortedKeys(s.Offers) { // what is under way at the beginning answers as it did, too
		o := s.Offers[id]
		if o.Phase == plan.Talking {
			t.talks[id] = t.talk(id, o, 0)
			continue
		}
		r := t.ring(tel.Offer{Call: o.Call, Agent: o.Agent, Queue: o.Queue}, 0)
		t.offers[id], t.open[id] = r, r
	}
	for _, id := range sortedKeys(s.Entries) {
		if e := s.Entries[id]; e.Callback == "" {
			t.call(id).places = []*place{{queue: e.Queue}}
		}
	}
	for id, q := range s.Queues {
		if q.EmptySince.IsZero() {
			t.staffed[id] = [2]moment{}
		}
	}
	return t
}

func (t *telling) call(id tel.CallID) *caller {
	c := t.calls[id]
	if c == nil {
		c = &caller{again: map[int]reply{}}
		t.calls[id] = c
	}
	return c
}

func (t *telling) ring(o tel.Offer, at moment) *ring {
	r := &ring{pair: pair{o.Call, o.Agent}, queue: o.Queue, callback: o.Callback.ID != "", made: at}
	t.rings[r.pair] = append(t.rings[r.pair], r)
	return r
}

func (t *telling) talk(id tel.OfferID, o *plan.Offer, at moment) *talk {
	x := &talk{queue: o.Queue, began: at}
	c := t.call(o.Call)
	c.talks = append(c.talks, x)
	t.live[id], t.last[o.Call] = x, x
	return x
}

// moment is a wall time of the record in the time of the story.
func (t *telling) moment(at time.Time) moment { return at.Sub(t.began) - t.shift }

// anew takes up the state that a journal begins again with.
func (t *telling) anew(s plan.State) error {
	was, err := t.state.Snapshot()
	if err != nil {
		return err
	}
	is, err := s.Snapshot()
	if err != nil {
		return err
	}
	if string(was) != string(is) {
		t.Breaks++
	}
	t.state = s
	return nil
}

// take follows one decision.
func (t *telling) take(d Decision, e plan.Event) {
	if m, ok := e.(plan.ClockMoved); ok {
		t.shift += m.By
	}
	t.index++
	s := step{at: t.moment(d.At), index: t.index, seed: d.Seed, event: e}
	t.end = s.at
	t.place(s)
	var effects []plan.Effect
	t.state, effects = plan.Next(t.state, e, d.At, d.Seed)
	if id := offerOf(e); id != "" && t.live[id] == nil {
		if o := t.state.Offers[id]; o != nil && o.Phase == plan.Talking {
			t.talk(id, o, s.at)
		}
	}
	for _, x := range effects {
		switch x := x.(type) {
		case plan.Publish:
			t.published(s.at, x.Event)
		case plan.Send:
			t.sent(s.at, x.Message)
		}
	}
}

// place files a step under what it answers, or under what happened of itself.
func (t *telling) place(s step) {
	switch e := s.event.(type) {
	case plan.Tick:
		if due, ok := t.state.Deadline(); ok {
			t.ticks[t.moment(due)] = s
		}
		return
	case plan.FinishWrapUp:
		if t.placeWrapUp(s, e.Agent) {
			return
		}
	case plan.ExtendWrapUp:
		if t.placeWrapUp(s, e.Agent) {
			return
		}
	case plan.Told:
		if t.placeTold(s, e.Message) {
			return
		}
	}
	t.steps = append(t.steps, s)
}

// placeTold files what a call told, unless it happened of itself.
func (t *telling) placeTold(s step, m tel.ToQueue) bool {
	if id := offerOf(s.event); id != "" {
		return t.placeAnswer(s, id)
	}
	switch m := m.(type) {
	case tel.AgentHeld:
		a := t.state.Agents[m.Agent]
		if a == nil || !a.Talking || t.live[a.Offer] == nil || t.state.Offers[a.Offer].Call != m.Call {
			return false
		}
		x := t.live[a.Offer]
		x.holds = append(x.holds, reply{s, s.at - x.began})
		return true
	case tel.Enqueue:
		c := t.call(m.Call)
		c.places = append(c.places, &place{queue: m.Queue, joined: s.at})
		n := len(c.overflows)
		if _, twice := c.again[n]; n == 0 || twice {
			return false
		}
		c.again[n] = reply{s, s.at - c.overflows[n-1]}
		return true
	case tel.Announced:
		c := t.call(m.Call)
		if n := len(c.heard); n < len(c.announced) {
			c.heard = append(c.heard, reply{s, s.at - c.announced[n]})
			return true
		}
	}
	return false
}

// placeAnswer files what answers an offer.
func (t *telling) placeAnswer(s step, id tel.OfferID) bool {
	if x := t.live[id]; x != nil && !x.ended {
		switch s.event.(plan.Told).Message.(type) {
		case tel.TalkEnded, tel.OfferFailed:
			x.ended, x.end = true, reply{s, s.at - x.began}
			return true
		}
	}
	r := t.offers[id]
	switch {
	case r == nil:
		return false
	case r.withdrawn:
		r.late = append(r.late, reply{s, s.at - r.made - r.ended})
	default:
		r.replies = append(r.replies, reply{s, s.at - r.made})
	}
	return true
}

// placeWrapUp files what an agent did in the after-call work of a call of the story.
func (t *telling) placeWrapUp(s step, agent tel.AgentID) bool {
	a := t.state.Agents[agent]
	if a == nil || a.WrapUntil.IsZero() {
		return false
	}
	x := t.last[a.WrapCall]
	if x == nil || !x.ended {
		return false
	}
	x.wraps = append(x.wraps, reply{s, s.at - x.began - x.end.after})
	return true
}

func (t *telling) published(at moment, e tel.Event) {
	t.Recorded.take(e)
	switch e := e.(type) {
	case tel.QueueLeft:
		if c := t.calls[e.Call]; c != nil && len(c.places) > 0 {
			p := c.places[len(c.places)-1]
			if p.queue == e.Queue && !p.left {
				p.waited, p.left, p.gave = at-p.joined, true, e.Outcome == tel.OutcomeAbandoned || e.Outcome == tel.OutcomeFailed
			}
		}
	case tel.QueueStaffed:
		span, known := t.staffed[e.Queue]
		switch {
		case e.Staffed && !known:
			span = [2]moment{at, at}
		case !e.Staffed:
			span[1] = at
		}
		t.staffed[e.Queue] = span
	}
}

func (t *telling) sent(at moment, m tel.ToCall) {
	switch m := m.(type) {
	case tel.Offer:
		t.offers[m.Offer] = t.ring(m, at)
	case tel.Withdraw:
		if r := t.offers[m.Offer]; r != nil && !r.withdrawn {
			r.withdrawn, r.ended = true, at-r.made
		}
	case tel.Announce:
		c := t.call(m.Call)
		c.announced = append(c.announced, at)
	case tel.Overflow:
		c := t.call(m.Call)
		c.overflows = append(c.overflows, at)
	}
}

// finish closes what is still open at the end of the day.
func (t *telling) finish(whole bool) *Story {
	if whole {
		t.end = t.moment(t.To)
	}
	for _, c := range t.calls {
		for _, p := range c.places {
			if !p.left {
				p.waited = t.end - p.joined
			}
		}
	}
	for id, q := range t.state.Queues {
		if span, known := t.staffed[id]; known && q.EmptySince.IsZero() {
			span[1] = t.end
			t.staffed[id] = span
		}
	}
	t.habits = learn(t.Story)
	return t.Story
}
