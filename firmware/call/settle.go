package call

import (
	"slices"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// maxOwed bounds the ended offers that a call remembers; of older ones the queue's own time limit counts.
const maxOwed = 64

// Owed is an offer that has ended for this call while its phones may still ring: the end of a leg is told
// at once, but a CANCEL waits for the phone's first answer (RFC 3261 section 9.1). The queue is told
// OfferSettled when it has asked (Withdraw) and nothing rings any more.
type Owed struct {
	Offer   tel.OfferID `json:"offer"`
	Legs    []tel.LegID `json:"legs,omitempty"`    // not quiet yet
	Dialing bool        `json:"dialing,omitempty"` // more may come: Dialed is still to arrive
	Asked   int         `json:"asked,omitempty"`   // so many answers are due
}

// owe remembers the phones of an offer that were hung up. An offer without phones owes nothing.
func (s *State) owe(offer tel.OfferID, dialing bool, legs ...LegState) {
	if offer == "" || len(legs) == 0 && !dialing {
		return
	}
	i := slices.IndexFunc(s.Owed, func(o Owed) bool { return o.Offer == offer })
	if i < 0 {
		if len(s.Owed) >= maxOwed {
			s.Owed = s.Owed[1:]
		}
		i = len(s.Owed)
		s.Owed = append(s.Owed, Owed{Offer: offer})
	}
	o := &s.Owed[i]
	o.Dialing = o.Dialing || dialing
	for _, l := range legs {
		o.Legs = append(o.Legs, l.ID)
	}
}

// oweGroup is owe for an attempt that is dropped.
func (s *State) oweGroup(g Group) { s.owe(g.Offer, g.Dialing, g.Legs...) }

// DoWhenQuiet has the queue told OfferSettled once no phone of the agent rings for what an earlier process
// has hung up.
type DoWhenQuiet struct {
	Offer tel.OfferID
	Agent tel.AgentID
}

func (DoWhenQuiet) effect() {}

// asked answers Withdraw now, or when the phones of the offer are quiet.
func (st *step) asked(w tel.Withdraw) {
	s, offer := st.s, w.Offer
	for i := range s.Owed {
		if s.Owed[i].Offer == offer {
			s.Owed[i].Asked++
			return
		}
	}
	if s.Peer != nil && s.Peer.Offer == offer { // its agent talks: the answer has crossed the question
		return
	}
	if s.Recovered && w.Agent != "" {
		st.do(DoWhenQuiet{offer, w.Agent})
		return
	}
	st.tell(tel.OfferSettled{Offer: offer})
}

// whenQuiet answers Withdraw for a call that knows nothing of the offer.
func (x *Exchange) whenQuiet(plan Plan, offer tel.OfferID, agent tel.AgentID) {
	x.cfg.Dialer.WhenQuiet(plan.Devices(agent), func() { x.cfg.Queue(tel.OfferSettled{Offer: offer}) })
}

// quiet strikes a phone that rings no more.
func (st *step) quiet(leg tel.LegID) {
	for i := range st.s.Owed {
		o := &st.s.Owed[i]
		o.Legs = slices.DeleteFunc(o.Legs, func(l tel.LegID) bool { return l == leg })
	}
	st.settleOwed()
}

// settleOwed forgets the offers for which nothing rings any more, and says so where it was asked.
func (st *step) settleOwed() {
	st.s.Owed = slices.DeleteFunc(st.s.Owed, func(o Owed) bool {
		if len(o.Legs) > 0 || o.Dialing {
			return false
		}
		for range o.Asked {
			st.tell(tel.OfferSettled{Offer: o.Offer})
		}
		return true
	})
}

// lateDialed hangs up what was made for an attempt that is over.
func (st *step) lateDialed(d Dialed) {
	for _, l := range d.Legs {
		st.do(DoHangup{l.ID, tel.CauseCancelled})
	}
	for i := range st.s.Owed {
		if o := &st.s.Owed[i]; o.Dialing && string(o.Offer) == d.Key {
			o.Dialing = false
			for _, l := range d.Legs {
				o.Legs = append(o.Legs, l.ID)
			}
		}
	}
	st.settleOwed()
}

// orphan answers what still arrives for a call that has ended, so that no reservation, no leg, no agent
// and no other call is left hanging.
func (st *step) orphan(in any) {
	switch in := in.(type) {
	case tel.Offer:
		st.tell(tel.OfferFailed{Offer: in.Offer, Cause: tel.CauseCancelled})
	case tel.Withdraw:
		st.asked(in)
	case LegEvent:
		if in.Kind == LegQuiet {
			st.quiet(in.Leg)
		}
	case Dialed:
		st.lateDialed(in)
	case Adopt:
		st.do(DoDecline{Cause: tel.CauseUnallocated})
	case ParkedAt:
		if in.Slot != "" {
			st.do(DoUnpark(in))
		}
	}
}
