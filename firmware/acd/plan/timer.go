package plan

import (
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// alarm names what a timer ends.
type alarm uint8

const (
	wrapUpEnds    alarm = iota // of an agent
	restEnds                   // of an agent
	offerEnds                  // lease, ring time or memory of an offer
	waitEnds                   // longest wait of a caller
	emptyEnds                  // grace of a queue without agents
	refusalFades               // a caller may ring an agent again
	memoryFades                // what is known of a caller is forgotten
	announceDue                // a waiting caller is told something
	callbackWakes              // a callback is tried again, or is too old
	opensMore                  // more agents are open to a caller
	ringWidens                 // one agent more may ring for a caller
	nobodySkilled              // grace of a caller whose skill nobody has who is there
	shiftEnds                  // of an agent
	settleEnds                 // of an agent: nobody waits longer for the end of a ring
)

// timer is a note that something may be due. Timers are never removed when their cause goes: a
// timer whose cause is gone is skipped when it comes up.
type timer struct {
	at   time.Time
	what alarm
	id   string
}

func (t timer) before(u timer) bool {
	if c := t.at.Compare(u.at); c != 0 {
		return c < 0
	}
	if t.what != u.what {
		return t.what < u.what
	}
	return strings.Compare(t.id, u.id) < 0
}

// timers is a binary heap, earliest first.
type timers []timer

func (h *timers) push(t timer) {
	*h = append(*h, t)
	a := *h
	for i := len(a) - 1; i > 0; {
		parent := (i - 1) / 2
		if !a[i].before(a[parent]) {
			break
		}
		a[i], a[parent] = a[parent], a[i]
		i = parent
	}
}

func (h *timers) pop() timer {
	a := *h
	top, last := a[0], len(a)-1
	a[0] = a[last]
	a[last] = timer{}
	a = a[:last]
	*h = a
	for i := 0; ; {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < last && a[child].before(a[least]) {
				least = child
			}
		}
		if least == i {
			return top
		}
		a[i], a[least] = a[least], a[i]
		i = least
	}
}

// due is the moment for which this timer would be set now; the zero time when its cause is gone.
func (s *State) due(t timer) time.Time {
	switch t.what {
	case wrapUpEnds:
		if a := s.Agents[tel.AgentID(t.id)]; a != nil {
			return a.WrapUntil
		}
	case restEnds:
		if a := s.Agents[tel.AgentID(t.id)]; a != nil {
			return a.RestUntil
		}
	case settleEnds:
		if a := s.Agents[tel.AgentID(t.id)]; a != nil {
			return a.SettleBy
		}
	case offerEnds:
		if o := s.Offers[tel.OfferID(t.id)]; o != nil {
			return o.Deadline
		}
	case waitEnds:
		if e := s.Entries[tel.CallID(t.id)]; e != nil && !e.Overdue && e.Callback == "" {
			if q := s.Queues[e.Queue]; q != nil && q.Spec.MaxWait > 0 {
				return e.Arrived.Add(q.Spec.MaxWait)
			}
		}
	case emptyEnds:
		if q := s.Queues[tel.QueueID(t.id)]; q != nil {
			return q.emptyDeadline()
		}
	case refusalFades:
		if e := s.Entries[tel.CallID(t.id)]; e != nil {
			for _, r := range e.Refused {
				if r.Until.Equal(t.at) {
					return t.at
				}
			}
		}
	case shiftEnds:
		if a := s.Agents[tel.AgentID(t.id)]; a != nil {
			return a.ShiftUntil
		}
	case announceDue:
		if e := s.Entries[tel.CallID(t.id)]; e != nil {
			return s.nextSpeech(e)
		}
	case callbackWakes:
		if c := s.Callbacks[tel.CallbackID(t.id)]; c != nil {
			return s.wakes(c)
		}
	case memoryFades:
		if m := s.Memories[tel.Number(t.id)]; m != nil {
			return m.Until
		}
	case opensMore:
		if e := s.Entries[tel.CallID(t.id)]; e != nil {
			if q := s.Queues[e.Queue]; q != nil {
				return q.opensNext(e)
			}
		}
	case nobodySkilled:
		if e := s.Entries[tel.CallID(t.id)]; e != nil {
			if q := s.Queues[e.Queue]; q != nil {
				return q.leavesUnskilled(e)
			}
		}
	case ringWidens:
		if e := s.Entries[tel.CallID(t.id)]; e != nil {
			return e.WidenAt
		}
	}
	return time.Time{}
}

// emptyDeadline is when the first caller of a queue without agents is sent on.
func (q *Queue) emptyDeadline() time.Time {
	if !q.Spec.LeaveEmpty || q.EmptySince.IsZero() || q.callers == 0 {
		return time.Time{}
	}
	var first time.Time
	for _, e := range q.waiting {
		if e.Callback != "" {
			continue
		}
		if at := q.leavesEmpty(e); first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}

// leavesEmpty is when this caller is sent on if the queue stays without agents.
func (q *Queue) leavesEmpty(e *Entry) time.Time {
	since := q.EmptySince
	if e.Arrived.After(since) {
		since = e.Arrived
	}
	return since.Add(q.Spec.EmptyGrace)
}

// arm sets a timer for a cause that has one.
func (s *State) arm(what alarm, id string) {
	t := timer{what: what, id: id}
	if t.at = s.due(t); !t.at.IsZero() {
		s.timers.push(t)
	}
}

// prune drops timers whose cause is gone from the top, so that Deadline tells the truth, and all
// of them when they have piled up.
func (s *State) prune() {
	for len(s.timers) > 0 && !s.due(s.timers[0]).Equal(s.timers[0].at) {
		s.renew(s.timers.pop())
	}
	if len(s.timers) > 1024+8*(len(s.Agents)+len(s.Entries)+len(s.Offers)+len(s.Memories)+len(s.Callbacks)) {
		s.rearm()
	}
}

// renew replaces a stale timer whose cause moved to a later time without setting one: the callers
// of an empty queue share a timer, and the first of them may have left; announcements wait for each
// other.
func (s *State) renew(stale timer) {
	switch stale.what {
	case emptyEnds, callbackWakes:
		if at := s.due(stale); at.After(stale.at) {
			stale.at = at
			s.timers.push(stale)
		}
	case announceDue:
		if e := s.Entries[tel.CallID(stale.id)]; e != nil && e.armed.Equal(stale.at) {
			e.armed = time.Time{}
			s.armAnnounce(e)
		}
	case wrapUpEnds, restEnds, settleEnds, offerEnds, waitEnds, refusalFades, memoryFades: // whoever moves these sets them
	}
}

// rearm sets every timer anew from the state.
func (s *State) rearm() {
	s.timers = s.timers[:0]
	for id := range s.Agents {
		s.arm(wrapUpEnds, string(id))
		s.arm(restEnds, string(id))
		s.arm(settleEnds, string(id))
		s.arm(shiftEnds, string(id))
	}
	for id := range s.Offers {
		s.arm(offerEnds, string(id))
	}
	for id, e := range s.Entries {
		s.arm(waitEnds, string(id))
		s.arm(opensMore, string(id))
		s.arm(ringWidens, string(id))
		s.arm(nobodySkilled, string(id))
		e.armed = time.Time{}
		s.armAnnounce(e)
		for _, r := range e.Refused {
			s.timers.push(timer{at: r.Until, what: refusalFades, id: string(id)})
		}
	}
	for id := range s.Memories {
		s.arm(memoryFades, string(id))
	}
	for id := range s.Callbacks {
		s.arm(callbackWakes, string(id))
	}
	for id := range s.Queues {
		s.arm(emptyEnds, string(id))
	}
}
