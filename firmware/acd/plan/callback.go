package plan

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Callback is the request of a caller who hung up and kept the place. While it can be served it has
// an Entry like a caller; between two attempts, and outside of the queue's hours, it has none.
type Callback struct {
	ID         tel.CallbackID `json:"id"`
	Queue      tel.QueueID    `json:"queue"`
	Number     tel.Number     `json:"number"`           // to be called
	Caller     tel.Number     `json:"caller,omitempty"` // who asked; empty: withheld
	Wish       tel.CallID     `json:"wish,omitempty"`   // the call in which they asked
	Name       string         `json:"name,omitempty"`
	Priority   int            `json:"priority,omitempty"`
	Needs      []tel.Need     `json:"needs,omitempty"` // as of the call
	EnqueuedAt time.Time      `json:"enqueued_at"`
	Asked      time.Time      `json:"asked"`
	Promise    time.Time      `json:"promise,omitzero"`
	Expires    time.Time      `json:"expires"`            // given up then
	Attempts   int            `json:"attempts,omitempty"` // at which the customer was not reached
	Next       time.Time      `json:"next,omitzero"`      // resting until then
	Call       tel.CallID     `json:"call,omitempty"`     // of its entry; empty: it has none
}

func (s *step) touchCallback(c *Callback) { s.touch("callback", string(c.ID)) }

// wantCallback lets the caller go and keeps the place. There is one request per number and queue:
// who asks twice keeps the better place.
func (s *step) wantCallback(m tel.WantCallback) {
	e := s.caller(m.Call)
	if e == nil {
		return
	}
	q := s.Queues[e.Queue]
	if q == nil || !q.Spec.Waiting.Callback.Enabled || m.Number == "" || s.accepted(e) || len(s.Callbacks) >= maxCallbacks {
		s.send(tel.CallbackAnswered{Call: e.Call})
		return
	}
	c := s.callbackOf(e.Queue, m.Number)
	if c == nil {
		spec := q.Spec.Waiting.Callback
		c = &Callback{
			ID: tel.CallbackID(s.serial("cb")), Queue: e.Queue, Number: m.Number, Caller: e.Caller, Wish: e.Call, Name: e.Name,
			Priority: e.Priority, Needs: e.Needs, EnqueuedAt: e.EnqueuedAt, Asked: s.now, Expires: s.now.Add(spec.Expire),
		}
		if spec.Promise > 0 {
			c.Promise = s.now.Add(spec.Promise)
		}
		s.Callbacks[c.ID] = c
	} else if e.EnqueuedAt.Before(c.EnqueuedAt) && !s.carriedOut(c) {
		s.stepAside(c)
		c.EnqueuedAt = e.EnqueuedAt
	}
	e.kept = c.ID
	s.leave(e, tel.OutcomeCallback, "", "", tel.CauseCancelled)
	s.send(s.agreed(e, q, c))
	s.queueUp(c)
}

// longestSaid is the longest promise that is said to the caller in minutes.
const longestSaid = 2 * time.Hour

// agreed tells the caller that the place is kept, and within what time the call is promised. Whoever sends it knows
// better if the wait is forecast. At night, and while an attempt rests, nobody knows.
func (s *step) agreed(e *Entry, q *Queue, c *Callback) tel.CallbackAnswered {
	m := tel.CallbackAnswered{Call: e.Call, OK: true}
	if q.Closed || !c.Next.IsZero() {
		return m
	}
	m.Estimate = true
	if left := c.Promise.Sub(s.now); !c.Promise.IsZero() && left > 0 && left <= longestSaid {
		m.WaitTo = int((left + time.Minute - 1) / time.Minute)
	}
	return m
}

// callbackOf finds the open request for a number.
func (s *State) callbackOf(queue tel.QueueID, n tel.Number) *Callback {
	if n == "" || len(s.Callbacks) == 0 {
		return nil
	}
	for _, id := range sorted(s.Callbacks) {
		if c := s.Callbacks[id]; c.Queue == queue && (sameNumber(c.Number, n) || sameNumber(c.Caller, n)) {
			return c
		}
	}
	return nil
}

// sameNumber compares numbers in whatever form they were shown or typed.
func sameNumber(a, b tel.Number) bool {
	if a == b {
		return a != ""
	}
	wideA, okA := a.E164()
	wideB, okB := b.E164()
	return okA && okB && wideA == wideB
}

// carriedOut says that an agent's phone rings for the request, or more.
func (s *State) carriedOut(c *Callback) bool {
	e := s.Entries[c.Call]
	return e != nil && len(e.Offers) > 0
}

// queueUp gives the request its place among the callers, unless it rests or its queue is closed.
func (s *step) queueUp(c *Callback) {
	s.touchCallback(c)
	s.arm(callbackWakes, string(c.ID))
	q := s.Queues[c.Queue]
	if c.Call != "" || q == nil || q.Closed || !c.Next.IsZero() || len(s.Entries) >= MaxEntries {
		s.showCallback(c)
		return
	}
	c.Call = tel.CallID(s.serial("cb"))
	e := &Entry{
		Call: c.Call, Queue: c.Queue, Callback: c.ID, Caller: c.Number, Name: c.Name,
		Priority: c.Priority, EnqueuedAt: c.EnqueuedAt, Arrived: s.now, Greeted: true,
		Needs: c.Needs, Sticky: s.servedBy(q, c.Number),
	}
	s.enter(e)
	s.showCallback(c)
}

// stepAside takes the request's entry away; the offers of it that are open end.
func (s *step) stepAside(c *Callback) {
	e := s.Entries[c.Call]
	c.Call = ""
	s.touchCallback(c)
	if e != nil {
		s.takeOut(e)
		for _, id := range slices.Clone(e.Offers) {
			s.end(s.Offers[id], tel.CauseCancelled, true)
		}
	}
}

// callAgain gives the entry of a request another call: each attempt is one, and the one before is over.
func (s *step) callAgain(e *Entry) {
	c := s.Callbacks[e.Callback]
	if c == nil {
		return
	}
	s.takeOut(e)
	e.Call = tel.CallID(s.serial("cb"))
	c.Call = e.Call
	s.enter(e)
	s.arm(callbackWakes, string(c.ID))
	s.touchCallback(c)
}

// callbackMissed is the end of an attempt at which the customer was not reached.
func (s *step) callbackMissed(m tel.CallbackMissed) {
	o := s.Offers[m.Offer]
	if o == nil {
		return
	}
	e := s.Entries[o.Call]
	if o.Phase != Accepted || e == nil || e.Callback == "" {
		s.talkEnded(tel.TalkEnded(m))
		return
	}
	c := s.Callbacks[e.Callback]
	s.end(o, m.Cause, false)
	if c == nil || s.Callbacks[c.ID] != c {
		return
	}
	spec := CallbackSpec{Enabled: true}.defaults()
	if q := s.Queues[c.Queue]; q != nil {
		spec = q.Spec.Waiting.Callback
	}
	s.stepAside(c)
	c.Attempts++
	if c.Attempts >= spec.Attempts || !spec.Enabled {
		s.endCallback(c, tel.CallbackUnreached, "", "")
		return
	}
	c.Next = s.now.Add(spec.Gap)
	s.queueUp(c)
}

// callbackReached is the connection of the customer with the agent.
func (s *step) callbackReached(e *Entry, agent tel.AgentID) {
	if c := s.Callbacks[e.Callback]; c != nil {
		s.endCallback(c, tel.CallbackReached, agent, e.Call)
	}
}

// servedAfterAll ends the request of a caller whom an agent answered while the wish was on its way.
func (s *step) servedAfterAll(call tel.CallID, agent tel.AgentID) {
	for _, id := range sorted(s.Callbacks) {
		if c := s.Callbacks[id]; c.Wish == call {
			s.endCallback(c, tel.CallbackReturned, agent, call)
		}
	}
}

// callbackWoken ends a rest, or a request that has become too old.
func (s *step) callbackWoken(c *Callback) {
	if !c.Expires.After(s.now) {
		s.endCallback(c, tel.CallbackExpired, "", "")
		return
	}
	c.Next = time.Time{}
	s.queueUp(c)
}

// wakes is when a request has something to do by itself. One that is being carried out does not
// become too old.
func (s *State) wakes(c *Callback) time.Time {
	if s.carriedOut(c) {
		return time.Time{}
	}
	if !c.Next.IsZero() && c.Next.Before(c.Expires) {
		return c.Next
	}
	return c.Expires
}

func (s *step) endCallback(c *Callback, how tel.CallbackOutcome, agent tel.AgentID, call tel.CallID) {
	delete(s.Callbacks, c.ID)
	s.stepAside(c)
	ev := c.event(s.now)
	ev.State, ev.Outcome, ev.Agent, ev.Call, ev.Next = tel.CallbackEnded, how, agent, call, time.Time{}
	s.publish(ev)
}

// showCallback tells observers where a request stands.
func (s *step) showCallback(c *Callback) { s.publish(s.callbackShown(c, s.now)) }

func (s *State) callbackShown(c *Callback, now time.Time) tel.CallbackChanged {
	ev := c.event(now)
	if e := s.Entries[c.Call]; e != nil {
		for _, id := range e.Offers {
			if o := s.Offers[id]; o.Phase == Accepted {
				ev.State, ev.Agent = tel.CallbackDialing, o.Agent
			}
		}
	}
	return ev
}

// CallbacksOf lists the open requests of a queue, the oldest place first.
func (s *State) CallbacksOf(queue tel.QueueID) []*Callback {
	var all []*Callback
	for _, id := range sorted(s.Callbacks) {
		if c := s.Callbacks[id]; c.Queue == queue {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b *Callback) int { return a.EnqueuedAt.Compare(b.EnqueuedAt) })
	return all
}

func (c *Callback) event(now time.Time) tel.CallbackChanged {
	state := tel.CallbackWaiting
	if !c.Next.IsZero() {
		state = tel.CallbackResting
	}
	return tel.CallbackChanged{
		Callback: c.ID, Queue: c.Queue, State: state, Number: c.Number, Caller: c.Caller, Name: c.Name, Priority: c.Priority, Needs: c.Needs,
		EnqueuedAt: c.EnqueuedAt, Asked: c.Asked, Promise: c.Promise, Expires: c.Expires, Attempts: c.Attempts, Next: c.Next, Call: c.Call, At: now,
	}
}

// hours opens or closes a queue for callbacks: nobody is called back at night. Who is being called
// now is not cut off.
func (s *step) hours(e Hours) {
	q := s.Queues[e.Queue]
	if q == nil || q.Closed != e.Open {
		return
	}
	q.Closed = !e.Open
	s.touchQueue(q)
	for _, id := range sorted(s.Callbacks) {
		c := s.Callbacks[id]
		switch {
		case c.Queue != e.Queue:
		case e.Open:
			s.queueUp(c)
		case !s.carriedOut(c):
			s.stepAside(c)
			s.showCallback(c)
		}
	}
}

// recall takes up requests that were written down before the box lost its memory. One that is known,
// or whose number has asked again, is left as it is.
func (s *step) recall(e Recall) {
	for _, m := range e.Memories {
		s.recallMemory(m)
	}
	for _, m := range e.Callbacks {
		if s.Callbacks[m.Callback] != nil || m.Callback == "" || m.Number == "" || m.State == tel.CallbackEnded ||
			!m.Expires.After(s.now) || len(s.Callbacks) >= maxCallbacks || s.callbackOf(m.Queue, m.Number) != nil {
			continue
		}
		c := &Callback{
			ID: m.Callback, Queue: m.Queue, Number: m.Number, Caller: m.Caller, Name: m.Name, Priority: m.Priority, Needs: clean(m.Needs),
			EnqueuedAt: earlier(m.EnqueuedAt, s.now), Asked: earlier(m.Asked, s.now), Promise: m.Promise.Round(0).UTC(), Expires: m.Expires.Round(0).UTC(),
			Attempts: m.Attempts, Next: m.Next.Round(0).UTC(),
		}
		if !c.Next.After(s.now) {
			c.Next = time.Time{}
		}
		if s.Queues[c.Queue] == nil {
			ev := c.event(s.now)
			ev.State, ev.Outcome = tel.CallbackEnded, tel.CallbackDropped
			s.publish(ev)
			continue
		}
		s.Callbacks[c.ID] = c
		s.queueUp(c)
	}
}

func earlier(a, b time.Time) time.Time {
	if a = a.Round(0).UTC(); a.After(b) {
		return b
	}
	return a
}

// dropCallback ends a request on somebody's command.
func (s *step) dropCallback(e DropCallback) {
	c := s.Callbacks[e.Callback]
	if c == nil {
		s.refuse(ErrUnknownCallback)
		return
	}
	s.endCallback(c, tel.CallbackDropped, "", "")
}

// keepCallbacks lets requests follow a new configuration or a restart: those of a queue that is gone
// end, the others have their place.
func (s *step) keepCallbacks() {
	for _, id := range sorted(s.Callbacks) {
		switch c := s.Callbacks[id]; {
		case s.Queues[c.Queue] == nil:
			s.endCallback(c, tel.CallbackDropped, "", "")
		case c.Call == "" && c.Next.IsZero() && !s.Queues[c.Queue].Closed:
			s.queueUp(c)
		}
	}
}

// mendCallbacks makes requests and their entries agree after records were lost. Without its request an
// entry is nobody; without an entry a request gets a new one when the configuration comes.
func (s *State) mendCallbacks() {
	for _, id := range sorted(s.Entries) {
		e := s.Entries[id]
		if e.Callback == "" {
			continue
		}
		c := s.Callbacks[e.Callback]
		if c != nil && c.Queue == e.Queue && (c.Call == id || s.Entries[c.Call] == nil) {
			c.Call = id
			continue
		}
		delete(s.Entries, id)
		for _, o := range e.Offers {
			if a := s.Agents[s.Offers[o].Agent]; a != nil && a.Offer == o {
				a.Offer, a.Talking, a.Accepted = "", false, false
			}
			delete(s.Offers, o)
		}
	}
	for _, c := range s.Callbacks {
		if s.Entries[c.Call] == nil {
			c.Call = ""
		}
	}
}
