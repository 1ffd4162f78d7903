package replay

import (
	"container/heap"
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// due is something that will happen in a rerun, unless it is called off.
type due struct {
	step
	order int        // of what has no place in the record, and of what has the same
	off   *bool      // called off
	gives tel.CallID // the caller gives up, if still waiting
}

type agenda []due

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	switch {
	case a[i].at != a[j].at:
		return a[i].at < a[j].at
	case a[i].index != a[j].index:
		return a[i].index < a[j].index
	default:
		return a[i].order < a[j].order
	}
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(due)) }
func (a *agenda) Pop() any {
	x := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return x
}

// notRecorded comes after what has a place in the record, at the same moment.
const notRecorded = math.MaxInt

// pending is an offer of a rerun.
type pending struct {
	pair
	was  *ring // in the record; nil: it was not made then
	made moment
	off  *bool // calls the answers off
}

// conversation is a talk of a rerun.
type conversation struct {
	agent tel.AgentID
	call  tel.CallID
	was   *talk // in the record, of this call or of another one
}

// rerun is a day as it would have been.
type rerun struct {
	*Story
	change Change
	absent map[tel.AgentID]bool
	state  plan.State
	now    moment
	shift  time.Duration // by which the wall clock was set
	todo   agenda
	order  int
	drawn  uint64
	out    Figures

	offers    map[tel.OfferID]*pending
	talks     map[tel.OfferID]*conversation
	rang      map[pair]int
	talked    map[tel.CallID]int
	placed    map[tel.CallID]int
	sentOn    map[tel.CallID]int
	announced map[tel.CallID]int
	patient   map[tel.CallID]*bool // calls the end of the patience off
}

// Rerun plays the day again. Callers come when they came; a caller who was answered talks as long as then, with
// whomever; one who gave up does so after the same wait. Agents come, pause and go when they did, and answer an
// offer that they were made as they did then. What the day does not know is drawn from it: see habits. With the
// zero Change the day comes out as it was, exactly. Errors: ErrChange, ErrNoQueue, and that of ctx.
func (s *Story) Rerun(ctx context.Context, c Change) (Figures, error) {
	r := &rerun{
		Story: s, change: c, state: s.start.Clone(), out: newFigures(s.From, s.To),
		offers: map[tel.OfferID]*pending{}, talks: map[tel.OfferID]*conversation{}, rang: map[pair]int{}, talked: map[tel.CallID]int{},
		placed: map[tel.CallID]int{}, sentOn: map[tel.CallID]int{}, announced: map[tel.CallID]int{}, patient: map[tel.CallID]*bool{},
	}
	if err := r.prepare(); err != nil {
		return Figures{}, err
	}
	return r.out, r.play(ctx)
}

// prepare fills the agenda with what happens of itself, and with what is under way at the beginning.
func (r *rerun) prepare() (err error) {
	if r.absent, err = r.Story.absent(r.change); err != nil {
		return err
	}
	for _, id := range sortedKeys(r.open) {
		x := r.open[id]
		r.rang[x.pair]++
		r.offers[id] = &pending{pair: x.pair, was: x, off: new(bool)}
		r.answers(r.offers[id], id, x)
	}
	for _, id := range sortedKeys(r.Story.talks) {
		o := r.start.Offers[id]
		r.talked[o.Call]++
		r.talks[id] = &conversation{o.Agent, o.Call, r.Story.talks[id]}
		r.goesOn(id, r.talks[id])
	}
	for _, id := range sortedKeys(r.start.Entries) {
		if e := r.start.Entries[id]; e.Callback == "" {
			r.waits(id, e.Queue)
		}
	}
	for _, x := range r.steps {
		if !r.absent[agentOf(x.event)] {
			r.todo = append(r.todo, due{step: x})
		}
	}
	heap.Init(&r.todo)
	if r.change.empty() {
		return nil
	}
	return r.otherwise()
}

// otherwise has the change take effect from the beginning of the day.
func (r *rerun) otherwise() error {
	if r.Story.members(r.change.Queue) == nil && r.start.Queues[r.change.Queue] == nil {
		return fmt.Errorf("%w: %s", ErrNoQueue, r.change.Queue)
	}
	if r.change.Agents > MostAgents || r.change.Agents < -MostAgents {
		return fmt.Errorf("%w: %d agents", ErrChange, r.change.Agents)
	}
	for i := range r.todo {
		if e, ok := r.todo[i].event.(plan.Configure); ok {
			altered, err := r.change.alter(e)
			if err != nil {
				return err
			}
			r.todo[i].event = altered
		}
	}
	if r.start.Queues[r.change.Queue] != nil {
		e, err := r.change.alter(configured(&r.start))
		if err != nil {
			return err
		}
		r.before(e)
	}
	span := r.staffed[r.change.Queue]
	for _, id := range r.change.extras() {
		r.later(span[0], plan.Told{Message: tel.AgentReachable{Agent: id, Reachable: true}})
		r.later(span[0], plan.Login{Agent: id})
		r.later(span[1], plan.Logout{Agent: id})
	}
	for _, id := range sortedKeys(r.absent) {
		if a := r.start.Agents[id]; a != nil && a.LoggedIn {
			r.before(plan.Logout{Agent: id})
		}
	}
	return nil
}

// before has something happen before all else.
func (r *rerun) before(e plan.Event) {
	r.order++
	heap.Push(&r.todo, due{step: step{at: 0, index: 0, seed: r.chance(), event: e}, order: r.order})
}

// later has something happen that is not in the record.
func (r *rerun) later(at moment, e plan.Event) *bool {
	return r.put(due{step: step{at: at, index: notRecorded, event: e}, off: new(bool)})
}

func (r *rerun) put(d due) *bool {
	r.order++
	d.order = r.order
	if d.index == notRecorded {
		d.seed = r.chance()
	}
	heap.Push(&r.todo, d)
	return d.off
}

// chance is a seed that nobody has drawn yet.
func (r *rerun) chance() uint64 {
	r.drawn++
	return math.Float64bits(lot("chance", strconv.FormatUint(r.drawn, 10)))
}

// play carries out the agenda, and what the queues themselves have set a time for.
func (r *rerun) play(ctx context.Context) error {
	for n := 0; ; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		for len(r.todo) > 0 && r.todo[0].off != nil && *r.todo[0].off {
			heap.Pop(&r.todo)
		}
		tick, wakes := r.tick()
		switch {
		case wakes && (len(r.todo) == 0 || (agenda{tick, r.todo[0]}).Less(0, 1)):
			if tick.at > r.end {
				return nil
			}
			r.do(tick)
		case len(r.todo) == 0 || r.todo[0].at > r.end:
			return nil
		default:
			r.do(heap.Pop(&r.todo).(due))
		}
	}
}

// tick is when the queues wake by themselves: as late as the box was then, if it woke for the same reason.
func (r *rerun) tick() (due, bool) {
	at, ok := r.state.Deadline()
	if !ok {
		return due{}, false
	}
	m := at.Sub(r.began) - r.shift
	if x, known := r.ticks[m]; known && x.at >= r.now {
		return due{step: x}, true
	}
	return due{step: step{at: max(m, r.now), index: notRecorded, event: plan.Tick{}}}, true
}

// do carries out one step.
func (r *rerun) do(d due) {
	r.now = d.at
	if d.gives != "" {
		if e := r.state.Entries[d.gives]; e == nil || e.Callback != "" {
			return
		}
	}
	if d.index == notRecorded && d.seed == 0 {
		d.seed = r.chance()
	}
	if m, ok := d.event.(plan.ClockMoved); ok {
		r.shift += m.By
	}
	if _, restart := d.event.(plan.Reconcile); restart && !r.change.empty() {
		d.event = r.restart()
	}
	var effects []plan.Effect
	r.state, effects = plan.Next(r.state, d.event, r.began.Add(r.now+r.shift), d.seed)
	r.follow(d.event)
	for _, x := range effects {
		switch x := x.(type) {
		case plan.Publish:
			r.out.take(x.Event)
		case plan.Send:
			r.sent(x.Message)
		}
	}
}

// restart is that of the box in a day that is not the recorded one: what the calls said of themselves then is of other
// talks. All calls survive it.
func (r *rerun) restart() plan.Reconcile {
	live := sortedKeys(r.state.Entries)
	for _, id := range sortedKeys(r.state.Offers) {
		live = append(live, r.state.Offers[id].Call)
	}
	for _, id := range sortedKeys(r.state.Agents) {
		for _, e := range r.state.Agents[id].Engaged {
			live = append(live, e.Call)
		}
	}
	return plan.Reconcile{Live: live}
}

// follow has callers and agents go on from what has just happened to them.
func (r *rerun) follow(e plan.Event) {
	told, ok := e.(plan.Told)
	if !ok {
		return
	}
	if m, ok := told.Message.(tel.Enqueue); ok {
		r.waits(m.Call, m.Queue)
		return
	}
	id := offerOf(e)
	if id == "" {
		return
	}
	o, c := r.state.Offers[id], r.talks[id]
	switch {
	case o != nil && o.Phase == plan.Talking && c == nil:
		r.converse(id, o)
	case o == nil && c != nil:
		delete(r.talks, id)
		r.wrapsUp(c)
	}
}

// waits has a caller give up who did not do so in the record, if the wait is longer than it was then.
func (r *rerun) waits(call tel.CallID, queue tel.QueueID) {
	n := r.placed[call]
	r.placed[call]++
	if off := r.patient[call]; off != nil { // patience is of one queue
		*off = true
	}
	var p place
	if c := r.calls[call]; c != nil && n < len(c.places) {
		p = *c.places[n]
	}
	if p.gave && p.queue == queue {
		return // when it did then
	}
	// Who waited at the beginning has no beginning of its own here: the wait is known from there.
	d, ever := r.habits.stays[queue].beyond(p.waited, lot("stay", string(call), strconv.Itoa(n)))
	if ever {
		r.patient[call] = r.put(due{
			step:  step{at: r.now + max(d, p.waited+1), index: notRecorded, event: plan.Told{Message: tel.CallerGone{Call: call, Cause: tel.CauseNormal}}},
			gives: call, off: new(bool),
		})
	}
}

// converse lets a conversation last as long as the caller's did in the record, or as long as somebody else's.
func (r *rerun) converse(id tel.OfferID, o *plan.Offer) {
	c := &conversation{agent: o.Agent, call: o.Call}
	r.talks[id] = c
	n := r.talked[o.Call]
	r.talked[o.Call]++
	if x := r.calls[o.Call]; x != nil && n < len(x.talks) {
		c.was = x.talks[n]
	} else {
		c.was = draw(r.habits.talks[o.Queue], lot("talk", string(o.Call), strconv.Itoa(n)))
	}
	r.goesOn(id, c)
}

// goesOn puts what happens in a conversation on the agenda. One whose end the record does not know lasts beyond
// the day.
func (r *rerun) goesOn(id tel.OfferID, c *conversation) {
	x := c.was
	if x == nil { // nobody ever talked in this queue: the call is over at once, and says so
		r.later(r.now, plan.Told{Message: tel.TalkEnded{Offer: id, Cause: tel.CauseNormal}})
		return
	}
	own := x.ownOf(r.calls[c.call])
	for _, h := range x.holds {
		if own {
			held := h.event.(plan.Told).Message.(tel.AgentHeld)
			held.Agent = c.agent
			r.replies(h, plan.Told{Message: held}, nil, own)
		}
	}
	if x.ended {
		r.replies(x.end, about(x.end.event, id), nil, own)
	}
}

// ownOf says that a talk is one of the call's own.
func (x *talk) ownOf(c *caller) bool {
	if c != nil {
		for _, t := range c.talks {
			if t == x {
				return true
			}
		}
	}
	return false
}

// replies puts the answer to what happens now on the agenda. Only an answer of the same has its place in the
// record.
func (r *rerun) replies(x reply, e plan.Event, off *bool, same bool) {
	d := due{step: step{at: r.now + x.after, index: x.index, seed: x.seed, event: e}, off: off}
	if !same {
		d.index = notRecorded
	}
	r.put(d)
}

// wrapsUp lets the agent do in the after-call work what was done then.
func (r *rerun) wrapsUp(c *conversation) {
	if c.was == nil {
		return
	}
	own := c.was.ownOf(r.calls[c.call])
	for _, w := range c.was.wraps {
		switch e := w.event.(type) {
		case plan.FinishWrapUp:
			e.Agent = c.agent
			r.replies(w, e, nil, own)
		case plan.ExtendWrapUp:
			e.Agent = c.agent
			r.replies(w, e, nil, own)
		}
	}
}

// sent lets a call react to what the queues told it.
func (r *rerun) sent(m tel.ToCall) {
	switch m := m.(type) {
	case tel.Offer:
		r.rings(m)
	case tel.Withdraw:
		r.withdrawn(m)
	case tel.Announce:
		n := r.announced[m.Call]
		r.announced[m.Call]++
		if c := r.calls[m.Call]; c != nil && n < len(c.heard) {
			r.replies(c.heard[n], c.heard[n].event, nil, true)
			return
		}
		r.later(r.now+r.habits.heard, plan.Told{Message: tel.Announced{Call: m.Call}})
	case tel.Overflow:
		r.overflows(m)
	}
}

// overflows sends a caller on, as in the record or to the next queue.
func (r *rerun) overflows(m tel.Overflow) {
	r.sentOn[m.Call]++
	n := r.sentOn[m.Call]
	if c := r.calls[m.Call]; c != nil {
		if x, known := c.again[n]; known {
			r.replies(x, x.event, nil, true)
			return
		}
		if n <= len(c.overflows) {
			return // to somewhere else
		}
	}
	if to, ok := strings.CutPrefix(m.To, "queue:"); ok {
		r.later(r.now, plan.Told{Message: tel.Enqueue{Call: m.Call, Queue: tel.QueueID(to), EnqueuedAt: r.began.Add(r.now + r.shift)}})
	}
}

// rings lets an agent answer an offer.
func (r *rerun) rings(m tel.Offer) {
	p := pair{m.Call, m.Agent}
	n := r.rang[p]
	r.rang[p]++
	x := &pending{pair: p, made: r.now, off: new(bool)}
	r.offers[m.Offer] = x
	if all := r.Story.rings[p]; n < len(all) {
		x.was = all[n]
	}
	if x.was != nil && (x.was.decided() || !x.was.withdrawn) {
		r.answers(x, m.Offer, x.was)
		return
	}
	chance := lot("ring", string(m.Call), string(m.Agent), strconv.Itoa(n))
	other := draw(r.habits.rings[ringKind{m.Queue, m.Agent, m.Callback.ID != ""}], chance)
	if other == nil {
		other = draw(r.habits.rings[ringKind{m.Queue, "", m.Callback.ID != ""}], chance)
	}
	if x.was == nil {
		if other != nil {
			r.answers(x, m.Offer, other)
		}
		return // where nobody ever answered, nobody does
	}
	// It was withdrawn then, after a while in which it rang: the same, and then somebody else's answer.
	r.answers(x, m.Offer, x.was)
	if other == nil {
		return
	}
	for _, a := range other.replies {
		if _, rings := a.event.(plan.Told).Message.(tel.OfferRinging); rings {
			continue
		}
		a.after = max(a.after, x.was.ended+1)
		r.replies(a, about(a.event, m.Offer), x.off, false)
	}
}

// answers puts the answers to an offer on the agenda.
func (r *rerun) answers(x *pending, id tel.OfferID, was *ring) {
	for _, a := range was.replies {
		r.replies(a, about(a.event, id), x.off, was == x.was)
	}
}

// withdrawn calls the answers to an offer off; the call says that nothing rings any more, or what crossed the
// withdrawal.
func (r *rerun) withdrawn(m tel.Withdraw) {
	x := r.offers[m.Offer]
	if x == nil || *x.off {
		return
	}
	*x.off = true
	if x.was != nil && x.was.withdrawn && x.made+x.was.ended == r.now {
		for _, a := range x.was.late {
			r.replies(a, about(a.event, m.Offer), nil, true)
		}
		return
	}
	r.later(r.now+r.habits.settled, plan.Told{Message: tel.OfferSettled{Offer: m.Offer}})
}
