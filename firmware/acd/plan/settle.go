package plan

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// settle keeps other callers from an agent whose offer was withdrawn until the call says that no phone
// rings for it any more. Otherwise the next INVITE could overtake the CANCEL: the phone would show two
// calls or answer busy, and the agent would be blamed.
func (s *step) settle(a *Agent, offer tel.OfferID) {
	a.Settling, a.SettleBy = offer, s.now.Add(tel.SettleWithin)
	s.arm(settleEnds, string(a.Spec.ID))
}

// offerSettled looks for the agent itself: the offer may be forgotten, because its caller has gone.
func (s *step) offerSettled(m tel.OfferSettled) {
	if m.Offer == "" {
		return
	}
	for _, a := range s.Agents {
		if a.Settling == m.Offer {
			s.settled(a)
			return
		}
	}
}

// unsettle asks anew, after a restart, whether all is quiet where agents settled: the answer may have gone to the
// process that is no more.
func (s *step) unsettle() {
	for _, id := range sorted(s.Agents) {
		a := s.Agents[id]
		if a.Settling == "" {
			continue
		}
		s.settle(a, a.Settling)
		s.touch("agent", string(id))
		ask := tel.Withdraw{Offer: a.Settling, Agent: id, Cause: tel.CauseCancelled}
		if o := s.Offers[a.Settling]; o != nil { // otherwise its call is gone
			ask.Call = o.Call
		}
		s.send(ask)
	}
}

// settled frees the agent for other callers: first for the one who was assigned meanwhile, if both are
// still there.
func (s *step) settled(a *Agent) {
	a.Settling, a.SettleBy = "", time.Time{}
	next := a.Next
	a.Next = nil
	s.changed(a)
	if next == nil {
		return
	}
	if en := s.caller(next.Call); en != nil && a.assignable() == nil {
		s.assign(*next)
	}
}

// assignable says why an agent cannot be rung for an assigned caller; nil when that is possible.
func (a *Agent) assignable() error {
	switch {
	case a.Removed:
		return ErrUnknownAgent
	case !a.LoggedIn:
		return ErrLoggedOut
	case !a.Reachable:
		return ErrUnreachable
	case a.Offer != "", a.full():
		return ErrBusy
	default:
		return nil
	}
}
