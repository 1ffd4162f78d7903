package plan

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// maxMemories bounds what is remembered of callers; who would be forgotten first makes room.
const maxMemories = 10000

// Memory is what the queues remember of one caller who does not wait, so that somebody who calls
// again is not a stranger.
type Memory struct {
	Caller tel.Number  `json:"caller"`
	Agent  tel.AgentID `json:"agent,omitempty"` // who served the caller last
	Served time.Time   `json:"served,omitzero"` // when
	Lost   *Place      `json:"lost,omitempty"`  // the place that the caller gave up
	Until  time.Time   `json:"until,omitzero"`  // when all of it is forgotten
}

// Place is a place in a queue that a caller has left unserved.
type Place struct {
	Queue      tel.QueueID `json:"queue"`
	EnqueuedAt time.Time   `json:"enqueued_at"`
	Priority   int         `json:"priority,omitempty"`
	LeftAt     time.Time   `json:"left_at"`
}

func (s *step) touchMemory(m *Memory) { s.touch("memory", string(m.Caller)) }

// remember returns what is known of the caller and keeps it at least until the given time. It is
// nil for a caller who withholds the number: nobody can be recognised by that.
func (s *step) remember(caller tel.Number, until time.Time) *Memory {
	if caller == "" {
		return nil
	}
	m := s.Memories[caller]
	if m == nil {
		if len(s.Memories) >= maxMemories {
			s.dropMemory(s.firstToFade())
		}
		m = &Memory{Caller: caller}
		s.Memories[caller] = m
	}
	if until.After(m.Until) {
		m.Until = until
		s.arm(memoryFades, string(caller))
	}
	s.touchMemory(m)
	return m
}

// recallMemory takes up what was written down of a caller, unless something newer is known or all of it has faded.
func (s *step) recallMemory(known Memory) {
	if s.Memories[known.Caller] != nil || !known.Until.After(s.now) {
		return
	}
	m := s.remember(known.Caller, known.Until.Round(0).UTC())
	if m == nil {
		return
	}
	m.Agent, m.Served = known.Agent, known.Served.Round(0).UTC()
	if known.Lost != nil {
		place := *known.Lost
		place.EnqueuedAt, place.LeftAt = earlier(place.EnqueuedAt, s.now), earlier(place.LeftAt, s.now)
		m.Lost = &place
	}
}

func (s *step) dropMemory(m *Memory) {
	delete(s.Memories, m.Caller)
	s.touchMemory(m)
}

// firstToFade finds the memory that ends first; among equals the one of the smallest number, so
// that a replay forgets the same caller.
func (s *State) firstToFade() *Memory {
	var first *Memory
	for _, m := range s.Memories {
		if first == nil || m.Until.Before(first.Until) || m.Until.Equal(first.Until) && m.Caller < first.Caller {
			first = m
		}
	}
	return first
}

// erase takes callers out of what is remembered, and ends what they are owed.
func (s *step) erase(e Erase) {
	for _, a := range e.Callers {
		if m := s.Memories[a.Number]; m != nil {
			s.dropMemory(m)
		}
		for _, id := range sorted(s.Callbacks) {
			c := s.Callbacks[id]
			if c.Number != a.Number && c.Caller != a.Number {
				continue
			}
			c.Name = ""
			for _, n := range []*tel.Number{&c.Number, &c.Caller} {
				if *n == a.Number {
					*n = a.Alias
				}
			}
			s.endCallback(c, tel.CallbackDropped, "", "")
		}
	}
}
