package plan

import (
	"maps"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Present says what holds as the events that led to it, for observers who begin anew: the agents, then of
// each queue who does not serve it and the waiting callers in their order with the offers made for them.
func (s *State) Present(now time.Time) []tel.Event {
	var all []tel.Event
	for _, id := range slices.Sorted(maps.Keys(s.Agents)) {
		all = append(all, changed(s.Agents[id]))
	}
	for _, id := range slices.Sorted(maps.Keys(s.Queues)) {
		for _, c := range s.CallbacksOf(id) {
			all = append(all, s.callbackShown(c, now))
		}
		for _, a := range slices.Sorted(maps.Keys(s.Queues[id].Out)) {
			out := s.Queues[id].Out[a]
			all = append(all, tel.MembershipChanged{Queue: id, Agent: a, Reason: out.Reason, By: out.By, At: out.Since})
		}
		for _, e := range s.Waiting(id) {
			if e.Callback != "" {
				continue
			}
			all = append(all, e.joined())
			for _, o := range e.Offers {
				if offer := s.Offers[o]; offer != nil {
					all = append(all, tel.QueueOffered{Queue: id, Call: e.Call, Offer: o, Agent: offer.Agent, At: offer.Made})
				}
			}
		}
	}
	return all
}
