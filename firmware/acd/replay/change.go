package replay

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Change is what is otherwise in a rerun. The zero value changes nothing.
type Change struct {
	Queue    tel.QueueID    // whose callers it is for
	Agents   int            // more of them, or fewer, at most MostAgents
	Strategy plan.Strategy  // empty: as it was
	WrapUp   *time.Duration // after-call work of the queue; nil: as it was
}

// MostAgents bounds a change of the number of agents.
const MostAgents = 5

// Errors of a change.
var (
	ErrChange  = errors.New("that cannot be changed")
	ErrNoQueue = errors.New("the queue did not exist on that day")
)

func (c Change) empty() bool { return c.Agents == 0 && c.Strategy == "" && c.WrapUp == nil }

// extra names an agent who was not there.
func extra(i int) tel.AgentID { return tel.AgentID("what-if-" + strconv.Itoa(i+1)) }

// extras are the agents who come in addition.
func (c Change) extras() (all []tel.AgentID) {
	for i := range c.Agents {
		all = append(all, extra(i))
	}
	return all
}

// alter makes the configuration that would have been in force.
func (c Change) alter(e plan.Configure) (plan.Configure, error) {
	e.Queues, e.Agents = slices.Clone(e.Queues), slices.Clone(e.Agents)
	for _, id := range c.extras() {
		e.Agents = append(e.Agents, plan.AgentSpec{ID: id, Skills: c.skills(e)})
	}
	for i := range e.Queues {
		q := &e.Queues[i]
		if q.ID != c.Queue {
			continue
		}
		q.Members = append(slices.Clone(q.Members), c.extras()...)
		if c.Strategy != "" {
			q.Strategy = c.Strategy
		}
		if c.WrapUp != nil {
			q.WrapUp = *c.WrapUp
		}
	}
	if err := plan.Validate(e.Queues, e.Agents); err != nil {
		return e, fmt.Errorf("%w: %w", ErrChange, err)
	}
	return e, nil
}

// skills are the best that a member of the queue has in each: who comes in addition can serve every caller whom
// somebody of the queue can.
func (c Change) skills(e plan.Configure) map[string]int {
	best := map[string]int{}
	for _, q := range e.Queues {
		if q.ID != c.Queue {
			continue
		}
		for _, a := range e.Agents {
			if !slices.Contains(q.Members, a.ID) {
				continue
			}
			for skill, level := range a.Skills {
				best[skill] = max(best[skill], level)
			}
		}
	}
	return best
}

// configured is the configuration that a state is of.
func configured(s *plan.State) (e plan.Configure) {
	for _, id := range sortedKeys(s.Queues) {
		q := s.Queues[id]
		spec := q.Spec
		spec.Members = slices.Clone(q.Configured)
		e.Queues = append(e.Queues, spec)
	}
	for _, id := range sortedKeys(s.Agents) {
		a := s.Agents[id]
		if a.Removed {
			continue
		}
		spec := a.Spec
		if a.SkillsBy != "" {
			spec.Skills = a.Skilled
		}
		e.Agents = append(e.Agents, spec)
	}
	return e
}

// absent are the agents who stay at home where there are fewer: the last of those who served the queue.
func (s *Story) absent(c Change) (map[tel.AgentID]bool, error) {
	if c.Agents >= 0 {
		return nil, nil
	}
	came := map[tel.AgentID]bool{}
	for id, a := range s.start.Agents {
		came[id] = a.LoggedIn
	}
	for _, x := range s.steps {
		if in, ok := x.event.(plan.Login); ok {
			came[in.Agent] = true
		}
	}
	var served []tel.AgentID
	for _, m := range s.members(c.Queue) {
		if came[m] {
			served = append(served, m)
		}
	}
	if len(served) < -c.Agents {
		return nil, fmt.Errorf("%w: only %d agents served the queue", ErrChange, len(served))
	}
	out := map[tel.AgentID]bool{}
	for _, m := range served[len(served)+c.Agents:] {
		out[m] = true
	}
	return out, nil
}

// members are those of a queue in the configuration of the day, the last one that it had.
func (s *Story) members(queue tel.QueueID) (all []tel.AgentID) {
	if q := s.start.Queues[queue]; q != nil {
		all = q.Configured
	}
	for _, x := range s.steps {
		if e, ok := x.event.(plan.Configure); ok {
			for _, q := range e.Queues {
				if q.ID == queue {
					all = q.Members
				}
			}
		}
	}
	return all
}
