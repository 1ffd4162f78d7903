package plan

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// State is all that the planner knows. The exported fields are the state; the unexported ones are
// indexes rebuilt from it. Next consumes the state it is given: use Clone to keep the old one.
type State struct {
	Queues  map[tel.QueueID]*Queue
	Agents  map[tel.AgentID]*Agent
	Entries map[tel.CallID]*Entry
	Offers  map[tel.OfferID]*Offer
	// Memories is what is known of callers, waiting or not, by their numbers.
	Memories  map[tel.Number]*Memory
	Callbacks map[tel.CallbackID]*Callback
	Seq       uint64 // offers made so far; part of their ids
	Zone      string // IANA name of the clock by which days begin; empty is UTC
	Draining  Draining

	queues   []*Queue // by id
	memberOf map[tel.AgentID][]*Queue
	nfree    int
	timers   timers
	touched  []Key
	marked   []*Queue // to be looked at by the next pass
	zone     *time.Location
	asked    map[string]int // numbers for what callers have needed
}

// Queue is one queue: its configuration and the little it must remember.
type Queue struct {
	Spec       QueueSpec   `json:"spec"`
	Last       tel.AgentID `json:"last,omitempty"`       // round robin: the member rung last
	EmptySince time.Time   `json:"empty_since,omitzero"` // since when no member could take a call
	Closed     bool        `json:"closed,omitempty"`     // outside of the hours in which customers are called back

	// Spec.Members are those who serve the queue now: the configured ones and the added ones, without
	// those who are out.
	Configured []tel.AgentID           `json:"configured,omitempty"`
	Added      []tel.AgentID           `json:"added,omitempty"` // by a supervisor
	Out        map[tel.AgentID]Absence `json:"out,omitempty"`

	waiting  []*Entry // in order of service
	free     []*Agent // longest idle first
	callers  int      // of waiting: those who are on the line, and no callbacks
	present  int      // members who could take a call soon
	pos      map[tel.AgentID]int
	member   []*Agent // by position; nil before the configuration came
	grade    []Grade  // by position
	tiered   bool     // some member is of another level than 0
	isMarked bool
}

// Entry is one waiting caller.
type Entry struct {
	Call       tel.CallID              `json:"call"`
	Queue      tel.QueueID             `json:"queue"`
	Caller     tel.Number              `json:"caller,omitempty"`
	Name       string                  `json:"name,omitempty"`
	Priority   int                     `json:"priority,omitempty"` // higher is served first
	EnqueuedAt time.Time               `json:"enqueued_at"`        // orders callers; kept through overflow
	Arrived    time.Time               `json:"arrived"`            // in this queue; its limits count from here
	Offers     []tel.OfferID           `json:"offers,omitempty"`   // that ring now
	Offered    int                     `json:"offered,omitempty"`  // offers made so far
	Rang       []tel.AgentID           `json:"rang,omitempty"`     // whose phones have rung so far, each once, the first mostRang
	Refused    map[tel.AgentID]Refusal `json:"refused,omitempty"`
	Overdue    bool                    `json:"overdue,omitempty"`  // max wait passed while an agent rang
	Callback   tel.CallbackID          `json:"callback,omitempty"` // no caller: the request of one who hung up
	Greeted    bool                    `json:"greeted,omitempty"`  // the greeting is over
	Speech     Speech                  `json:"speech,omitzero"`
	For        tel.AgentID             `json:"for,omitempty"` // assigned to: nobody rings along

	NobodySince time.Time   `json:"nobody_since,omitzero"` // since when no member with the skills could take a call soon
	Needs       []tel.Need  `json:"needs,omitempty"`       // of this call alone
	Sticky      tel.AgentID `json:"sticky,omitempty"`      // who served the caller last
	// Width is how many agents may ring at once in a progressive ring; at WidenAt it grows.
	Width   int       `json:"width,omitempty"`
	WidenAt time.Time `json:"widen_at,omitzero"`

	armed  time.Time      // of the timer for the next announcement
	kept   tel.CallbackID // while leaving: the request that keeps the place
	why    string         // while leaving: of an overflow
	due    time.Time      // orders callers of one priority; see QueueSpec.due
	needs  []tel.Need     // of the call and its queue
	asks   int            // a number for needs
	opened time.Time      // the last moment at which more agents were opened to the caller, as timers go
}

// Refusal remembers that an agent did not take this caller.
type Refusal struct {
	Times int       `json:"times"`
	Until time.Time `json:"until"`
	Cause tel.Cause `json:"cause"`
}

// Phase is where an offer stands.
type Phase string

// The phases of an offer.
const (
	Reserved Phase = "reserved" // sent to the call; the lease runs
	Ringing  Phase = "ringing"  // the ring time runs
	Accepted Phase = "accepted" // the agent has picked up and hears who waits; nobody is connected yet
	Talking  Phase = "talking"  // the agent has the caller
	Void     Phase = "void"     // withdrawn; kept for a moment in case an answer crossed
)

// Offer is one attempt to give one caller to one agent, and afterwards their conversation.
type Offer struct {
	ID       tel.OfferID `json:"id"`
	Call     tel.CallID  `json:"call"`
	Queue    tel.QueueID `json:"queue"`
	Agent    tel.AgentID `json:"agent"`
	Phase    Phase       `json:"phase"`
	Made     time.Time   `json:"made"`
	Answered time.Time   `json:"answered,omitzero"`  // since when they talk
	Deadline time.Time   `json:"deadline,omitzero"`  // ends the phase; none while talking
	Assigned bool        `json:"assigned,omitempty"` // by a supervisor or the agent; need not serve the queue
}

// NewState returns a state without queues and agents.
func NewState() State {
	s := State{
		Queues:    map[tel.QueueID]*Queue{},
		Agents:    map[tel.AgentID]*Agent{},
		Entries:   map[tel.CallID]*Entry{},
		Offers:    map[tel.OfferID]*Offer{},
		Memories:  map[tel.Number]*Memory{},
		Callbacks: map[tel.CallbackID]*Callback{},
	}
	s.reindex()
	return s
}

// Clone returns an independent copy.
func (s State) Clone() State {
	c := State{
		Queues:    make(map[tel.QueueID]*Queue, len(s.Queues)),
		Agents:    make(map[tel.AgentID]*Agent, len(s.Agents)),
		Entries:   make(map[tel.CallID]*Entry, len(s.Entries)),
		Offers:    make(map[tel.OfferID]*Offer, len(s.Offers)),
		Memories:  make(map[tel.Number]*Memory, len(s.Memories)),
		Callbacks: make(map[tel.CallbackID]*Callback, len(s.Callbacks)),
		Seq:       s.Seq, Zone: s.Zone, Draining: s.Draining,
	}
	for id, q := range s.Queues {
		n := Queue{Spec: q.Spec, Last: q.Last, EmptySince: q.EmptySince, Closed: q.Closed}
		n.Spec.Members, n.Spec.Distribution = slices.Clone(q.Spec.Members), q.Spec.clone()
		n.Configured, n.Added, n.Out = slices.Clone(q.Configured), slices.Clone(q.Added), maps.Clone(q.Out)
		c.Queues[id] = &n
	}
	for id, a := range s.Agents {
		n := *a
		n.Engaged = slices.Clone(a.Engaged)
		n.Spec.Skills, n.Skilled = maps.Clone(a.Spec.Skills), maps.Clone(a.Skilled)
		if a.Next != nil {
			next := *a.Next
			n.Next = &next
		}
		if a.Work != nil {
			n.Work = &Work{Day: a.Work.Day, Queues: maps.Clone(a.Work.Queues)}
		}
		c.Agents[id] = &n
	}
	for id, e := range s.Entries {
		n := *e
		n.Offers, n.Rang, n.Needs = slices.Clone(e.Offers), slices.Clone(e.Rang), slices.Clone(e.Needs)
		n.Refused = nil
		for agent, r := range e.Refused {
			n.refuse(agent, r)
		}
		c.Entries[id] = &n
	}
	for id, o := range s.Offers {
		n := *o
		c.Offers[id] = &n
	}
	for id, m := range s.Memories {
		n := *m
		if m.Lost != nil {
			lost := *m.Lost
			n.Lost = &lost
		}
		c.Memories[id] = &n
	}
	for id, b := range s.Callbacks {
		n := *b
		c.Callbacks[id] = &n
	}
	c.reindex()
	return c
}

func (e *Entry) refuse(agent tel.AgentID, r Refusal) {
	if e.Refused == nil {
		e.Refused = map[tel.AgentID]Refusal{}
	}
	e.Refused[agent] = r
}

// Deadline is when Next wants a Tick; ok is false when nothing is due.
func (s *State) Deadline() (at time.Time, ok bool) {
	if len(s.timers) == 0 {
		return time.Time{}, false
	}
	return s.timers[0].at, true
}

// Waiting lists the callers of a queue in order of service.
func (s *State) Waiting(queue tel.QueueID) []Entry {
	q := s.Queues[queue]
	if q == nil {
		return nil
	}
	all := make([]Entry, len(q.waiting))
	for i, e := range q.waiting {
		all[i] = *e
	}
	return all
}

// byIdle orders agents: longest idle first, then id.
func byIdle(a, b *Agent) int {
	if c := a.IdleSince.Compare(b.IdleSince); c != 0 {
		return c
	}
	return strings.Compare(string(a.Spec.ID), string(b.Spec.ID))
}

// byTurn orders the callers of all queues: priority, then who is due first, then original enqueue
// time, then id. Nothing in it moves while callers wait, so nobody can be overtaken for ever.
func byTurn(a, b *Entry) int {
	if a.Priority != b.Priority {
		if a.Priority > b.Priority {
			return -1
		}
		return 1
	}
	if c := a.due.Compare(b.due); c != 0 {
		return c
	}
	if c := a.EnqueuedAt.Compare(b.EnqueuedAt); c != 0 {
		return c
	}
	return strings.Compare(string(a.Call), string(b.Call))
}

// spared says that the caller must not ring this agent yet.
func (e *Entry) spared(agent tel.AgentID, now time.Time) bool {
	r, ok := e.Refused[agent]
	return ok && now.Before(r.Until)
}

// anySpared says that some agent is closed to this caller, so that a failure to find an agent
// tells nothing about the callers behind.
func (e *Entry) anySpared(now time.Time) bool {
	for _, r := range e.Refused {
		if now.Before(r.Until) {
			return true
		}
	}
	return false
}

// pending says that the caller needs an agent.
func (e *Entry) pending() bool { return len(e.Offers) == 0 && !e.Overdue }

// reindex rebuilds every unexported field.
func (s *State) reindex() {
	s.queues, s.memberOf, s.nfree, s.timers, s.touched = nil, map[tel.AgentID][]*Queue{}, 0, nil, nil
	s.marked = nil
	s.asked = map[string]int{}
	s.setZone(s.Zone)
	for _, q := range s.Queues {
		s.queues = append(s.queues, q)
		q.waiting, q.free, q.present, q.callers = nil, nil, 0, 0
		s.sortMembers(q)
		q.isMarked = false
		s.mark(q)
	}
	slices.SortFunc(s.queues, func(a, b *Queue) int { return strings.Compare(string(a.Spec.ID), string(b.Spec.ID)) })
	for _, q := range s.queues {
		for _, m := range q.Spec.Members {
			s.memberOf[m] = append(s.memberOf[m], q)
		}
	}
	for _, e := range s.Entries {
		if q := s.Queues[e.Queue]; q != nil {
			s.assess(q, e)
			q.waiting = append(q.waiting, e)
			if e.Callback == "" {
				q.callers++
			}
		}
	}
	for _, q := range s.queues {
		slices.SortFunc(q.waiting, byTurn)
	}
	for _, a := range s.Agents {
		a.isFree, a.isPresent = false, false
		s.place(a)
	}
	s.rearm()
}

// place enters the agent in the indexes of its queues according to its facts. It must be called
// before IdleSince changes (lift) and after any other change.
func (s *State) place(a *Agent) {
	if p := a.present(); p != a.isPresent {
		a.isPresent = p
		for _, q := range s.memberOf[a.Spec.ID] {
			if p {
				q.present++
			} else {
				q.present--
			}
		}
	}
	if f := a.free(); f != a.isFree {
		if f {
			a.isFree = true
			s.nfree++
			for _, q := range s.memberOf[a.Spec.ID] {
				i, _ := slices.BinarySearchFunc(q.free, a, byIdle)
				q.free = slices.Insert(q.free, i, a)
			}
		} else {
			s.lift(a)
		}
	}
}

// lift takes the agent out of the free lists, which are ordered by IdleSince.
func (s *State) lift(a *Agent) {
	if !a.isFree {
		return
	}
	a.isFree = false
	s.nfree--
	for _, q := range s.memberOf[a.Spec.ID] {
		if i, ok := slices.BinarySearchFunc(q.free, a, byIdle); ok {
			q.free = slices.Delete(q.free, i, i+1)
		}
	}
}
