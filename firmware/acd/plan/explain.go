package plan

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Verdict says in one word of a closed list why a member does or does not ring for a caller.
type Verdict string

// The verdicts on a member; the others are the names of agent states.
const (
	Eligible  Verdict = "eligible"
	TookCall  Verdict = "rings_for_this_caller"
	SparedNow Verdict = "refused_this_caller" // until the back-off ends
	Resting   Verdict = "phone_failed"        // short rest after a failed offer
	GoingHome Verdict = "shift_over"          // the shift ended, the work in hand goes on
	OutOfIt   Verdict = "out_of_queue"        // a member who does not serve this queue now
)

// Explanation is the verdict on one member of the caller's queue.
type Explanation struct {
	Agent   tel.AgentID
	Verdict Verdict
	Until   time.Time // when a spared or resting agent can ring again
}

// Explain tells for every member of the caller's queue why it does or does not ring for that
// caller at now. It is nil for a call that does not wait.
func (s *State) Explain(call tel.CallID, now time.Time) []Explanation {
	e := s.Entries[call]
	if e == nil || s.Queues[e.Queue] == nil {
		return nil
	}
	var list []Explanation
	for _, id := range s.Queues[e.Queue].Spec.Members {
		a := s.Agents[id]
		if a == nil {
			continue // a restored state before its configuration came
		}
		x := Explanation{Agent: id}
		switch o := s.Offers[a.Offer]; {
		case o != nil && o.Call == call:
			x.Verdict = TookCall
		case a.busy() != "":
			x.Verdict = a.busy()
		case !a.RestUntil.IsZero():
			x.Verdict, x.Until = Resting, a.RestUntil
		case e.spared(id, now):
			x.Verdict, x.Until = SparedNow, e.Refused[id].Until
		default:
			x.Verdict = Eligible
		}
		list = append(list, x)
	}
	for _, id := range sorted(s.Queues[e.Queue].Out) {
		list = append(list, Explanation{Agent: id, Verdict: OutOfIt})
	}
	return list
}
