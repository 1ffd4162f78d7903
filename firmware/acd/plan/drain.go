package plan

import "time"

// Draining is while the box is about to restart, if ever nobody waits any more: whoever has a place keeps it and is served,
// and new callers are sent on as those of a full queue are, with a record. The zero value: it is not.
type Draining struct {
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// MaxDrain bounds a Drain; whoever wants more says so again.
const MaxDrain = 5 * time.Minute

// drain begins, goes on with or ends the draining of all queues.
func (s *step) drain(e Drain) {
	was := s.Draining
	if !s.now.Before(was.Until) {
		s.Draining.From = s.now
	}
	if s.Draining.Until = s.now.Add(min(e.For, MaxDrain)); e.For <= 0 {
		s.Draining = Draining{}
	}
	if s.Draining != was {
		s.touch("meta", "seq")
	}
}

// turnsAway reports that a caller is new to queues which drain. Who waited before keeps the place, also after a transfer.
func (d Draining) turnsAway(since, now time.Time) bool {
	return now.Before(d.Until) && !since.Before(d.From)
}
