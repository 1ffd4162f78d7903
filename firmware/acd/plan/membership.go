package plan

import (
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Absence is why a member does not serve a queue although logged in.
type Absence struct {
	Since  time.Time `json:"since"`
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by,omitempty"` // a supervisor, who alone can end it; empty: the agent
}

// belongs says that the agent is a member, whether serving or out.
func (q *Queue) belongs(a tel.AgentID) bool {
	return slices.Contains(q.Configured, a) || slices.Contains(q.Added, a)
}

// serving lists who serves the queue: the configured members in their order, then the added ones,
// without those who are out.
func (q *Queue) serving() []tel.AgentID {
	var all []tel.AgentID
	for _, list := range [][]tel.AgentID{q.Configured, q.Added} {
		for _, m := range list {
			if _, out := q.Out[m]; !out && !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	return all
}

// inherit keeps through a change of configuration who was added and who is out, as far as they are
// still there.
func (q *Queue) inherit(was *Queue, exists map[tel.AgentID]bool) {
	for _, m := range was.Added {
		if exists[m] && !slices.Contains(q.Configured, m) {
			q.Added = append(q.Added, m)
		}
	}
	for m, absence := range was.Out {
		if exists[m] && q.belongs(m) {
			q.absent(m, absence)
		}
	}
}

func (q *Queue) absent(m tel.AgentID, a Absence) {
	if q.Out == nil {
		q.Out = map[tel.AgentID]Absence{}
	}
	q.Out[m] = a
}

// back ends an absence.
func (q *Queue) back(m tel.AgentID) {
	delete(q.Out, m)
	if len(q.Out) == 0 {
		q.Out = nil
	}
}

// member finds the queue and the agent of a command about both, or refuses it.
func (s *step) member(agent tel.AgentID, queue tel.QueueID) (*Agent, *Queue) {
	a := s.agent(agent)
	if a == nil {
		return nil, nil
	}
	q := s.Queues[queue]
	if q == nil {
		s.refuse(ErrUnknownQueue)
		return nil, nil
	}
	return a, q
}

// serve chooses the queues that the agent serves; none named are all. What a supervisor ended stays.
func (s *step) serve(e Serve) {
	a := s.agent(e.Agent)
	if a == nil {
		return
	}
	for _, id := range e.Queues {
		switch q := s.Queues[id]; {
		case q == nil:
			s.refuse(ErrUnknownQueue)
			return
		case !q.belongs(e.Agent):
			s.refuse(ErrNotMember)
			return
		}
	}
	for _, q := range s.queues {
		if !q.belongs(e.Agent) {
			continue
		}
		out, is := q.Out[e.Agent]
		switch chosen := len(e.Queues) == 0 || slices.Contains(e.Queues, q.Spec.ID); {
		case chosen && is && out.By == "":
			q.back(e.Agent)
		case !chosen && !is:
			q.absent(e.Agent, Absence{Since: s.now})
		default:
			continue
		}
		s.staff(q)
		s.tellMember(q, e.Agent, "")
	}
	s.changed(a)
}

func (s *step) enterQueue(e EnterQueue) {
	a, q := s.member(e.Agent, e.Queue)
	if a == nil {
		return
	}
	switch out, is := q.Out[e.Agent]; {
	case !q.belongs(e.Agent):
		s.refuse(ErrNotMember)
	case is && out.By != "":
		s.refuse(ErrTakenOut)
	case is:
		q.back(e.Agent)
		s.staff(q)
		s.tellMember(q, e.Agent, "")
		s.changed(a)
	}
}

func (s *step) leaveQueue(e LeaveQueue) {
	a, q := s.member(e.Agent, e.Queue)
	if a == nil {
		return
	}
	switch out, is := q.Out[e.Agent]; {
	case !q.belongs(e.Agent):
		s.refuse(ErrNotMember)
	case is && out.By != "": // out already, and not by own choice
	case is && out.Reason == e.Reason:
	default:
		q.absent(e.Agent, Absence{Since: s.now, Reason: e.Reason})
		s.staff(q)
		s.tellMember(q, e.Agent, "")
		s.changed(a)
	}
}

// addMember has an agent serve a queue, configured for it or not.
func (s *step) addMember(e AddMember) {
	a, q := s.member(e.Agent, e.Queue)
	if a == nil {
		return
	}
	if !q.belongs(e.Agent) {
		q.Added = append(q.Added, e.Agent)
	}
	q.back(e.Agent)
	s.staff(q)
	s.tellMember(q, e.Agent, e.By)
	s.changed(a)
}

// removeMember takes an agent out of a queue until somebody adds the agent again.
func (s *step) removeMember(e RemoveMember) {
	a, q := s.member(e.Agent, e.Queue)
	if a == nil {
		return
	}
	if !q.belongs(e.Agent) {
		s.refuse(ErrNotMember)
		return
	}
	if slices.Contains(q.Configured, e.Agent) {
		by := e.By
		if by == "" {
			by = "supervisor"
		}
		q.absent(e.Agent, Absence{Since: s.now, Reason: ReasonForced, By: by})
	} else {
		q.Added = slices.DeleteFunc(q.Added, func(m tel.AgentID) bool { return m == e.Agent })
		q.back(e.Agent)
	}
	s.staff(q)
	s.tellMember(q, e.Agent, e.By)
	s.changed(a)
}

// tellMember tells observers whether an agent serves a queue now, and on whose word.
func (s *step) tellMember(q *Queue, agent tel.AgentID, by string) {
	_, serving := q.pos[agent]
	out := q.Out[agent]
	if out.By != "" {
		by = out.By
	}
	s.publish(tel.MembershipChanged{Queue: q.Spec.ID, Agent: agent, Serving: serving, Reason: out.Reason, By: by, At: s.now})
}

// staff makes those members whom the queue's lists name, and takes back the offers of who left. Only the
// indexes of who came or went are touched: a shift change must not cost a pass over all queues.
func (s *step) staff(q *Queue) {
	now := q.serving()
	was := q.Spec.Members
	q.Last = stillThere(q, now)
	for _, id := range was {
		if a := s.Agents[id]; a != nil && !slices.Contains(now, id) {
			s.lift(a)
			if a.isPresent {
				q.present--
			}
			s.memberOf[id] = slices.DeleteFunc(s.memberOf[id], func(other *Queue) bool { return other == q })
		}
	}
	for _, id := range now {
		if a := s.Agents[id]; a != nil && !slices.Contains(was, id) {
			s.lift(a)
			if a.isPresent {
				q.present++
			}
			all := s.memberOf[id]
			i, _ := slices.BinarySearchFunc(all, q, func(x, y *Queue) int { return strings.Compare(string(x.Spec.ID), string(y.Spec.ID)) })
			s.memberOf[id] = slices.Insert(all, i, q)
		}
	}
	q.Spec.Members = now
	s.sortMembers(q)
	for _, id := range slices.Concat(was, now) {
		if a := s.Agents[id]; a != nil {
			s.place(a)
		}
	}
	s.touchQueue(q)
	s.weigh(q)
	for _, id := range was {
		if a := s.Agents[id]; a != nil && !slices.Contains(now, id) {
			if o := s.Offers[a.Offer]; o != nil && o.Queue == q.Spec.ID && !o.Assigned {
				s.release(a, tel.CauseCancelled)
			}
		}
	}
	s.sendHopelessOn(q)
	s.seekSkilled(q)
}
