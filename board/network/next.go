// Package network gives a box its address: a fixed one, one by DHCP (RFC 2131), or, where nobody answers, one
// that it takes itself (RFC 3927), so that it can be reached by a cable alone.
package network

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// Lease is what a DHCP server granted.
type Lease struct {
	Address  netip.Prefix
	Router   netip.Addr // invalid: none
	DNS, NTP []netip.Addr
	Begun    time.Time
	Renew    time.Time // from when on it should be renewed (T1)
	Ends     time.Time
}

// Use is what an interface is set to. The zero value takes its address away.
type Use struct {
	Address  netip.Prefix
	Router   netip.Addr
	DNS, NTP []netip.Addr
}

// state is where the search for an address stands.
type state struct {
	cable bool
	fixed *Use
	held  *Lease     // granted and not over
	self  netip.Addr // taken by ourselves and in use
	trial netip.Addr // being asked for in the network
	busy  bool       // an exchange with a server goes on
	fails int        // exchanges without an answer, one after the other
	taken int        // addresses that we tried and somebody has
	stood time.Time  // when we last defended the one that we took ourselves
	try   time.Time  // when to ask a server again
	seed  uint64     // of the interface, so that it tries the same addresses each time (RFC 3927 section 2.1)
}

// event is what happens to the interface.
type event interface{ isEvent() }

type (
	cableIn  struct{}
	cableOut struct{}
	granted  struct{ lease Lease }
	refused  struct{} // DHCPNAK: the address is not ours any more
	silence  struct{} // no server answered
	free     struct{} // nobody has the address on trial
	occupied struct{} // somebody has it
	disputed struct{} // somebody uses the address that we took ourselves
	clock    struct{} // the time that was asked for has come
)

func (cableIn) isEvent()  {}
func (cableOut) isEvent() {}
func (granted) isEvent()  {}
func (refused) isEvent()  {}
func (silence) isEvent()  {}
func (free) isEvent()     {}
func (occupied) isEvent() {}
func (disputed) isEvent() {}
func (clock) isEvent()    {}

// effect is what is to be done.
type effect interface{ isEffect() }

type (
	discover struct{}                  // ask every server for an address
	renew    struct{ lease Lease }     // ask for more time
	probe    struct{ addr netip.Addr } // does anybody have this address?
	set      struct{ use Use }         // configure the interface
	defend   struct{ addr netip.Addr } // say that it is ours
	wake     struct{ at time.Time }    // a clock event then; takes the place of an earlier one
)

func (discover) isEffect() {}
func (renew) isEffect()    {}
func (probe) isEffect()    {}
func (set) isEffect()      {}
func (defend) isEffect()   {}
func (wake) isEffect()     {}

// Times of the search.
const (
	retryMin     = 5 * time.Second
	retryMax     = 2 * time.Minute
	manyTaken    = 10          // RFC 3927 section 9, MAX_CONFLICTS
	rateInterval = time.Minute // and RATE_LIMIT_INTERVAL

	defendInterval = 10 * time.Second // DEFEND_INTERVAL
)

// next is the whole of it: what an event at a time means. Times come from a clock that never jumps.
func next(s state, now time.Time, e event) (state, []effect) {
	switch e := e.(type) {
	case cableIn:
		return plugged(s, now)
	case cableOut:
		// What we have stays: calls go on when the cable is back in a second.
		s.cable, s.busy, s.trial = false, false, netip.Addr{}
		return s, nil
	case granted:
		s.busy, s.fails, s.taken, s.self, s.trial = false, 0, 0, netip.Addr{}, netip.Addr{}
		s.held, s.try = &e.lease, e.lease.Renew
		return s, []effect{set{Use{e.lease.Address, e.lease.Router, e.lease.DNS, e.lease.NTP}}, wake{s.try}}
	case refused:
		s.busy, s.held = true, nil
		return s, []effect{set{}, discover{}}
	case silence:
		return unanswered(s, now)
	case free:
		if !s.trial.IsValid() {
			return s, nil
		}
		s.self, s.trial = s.trial, netip.Addr{}
		return s, []effect{set{Use{Address: netip.PrefixFrom(s.self, 16)}}}
	case occupied:
		return conflict(s, now)
	case disputed:
		return dispute(s, now)
	case clock:
		return due(s, now)
	}
	return s, nil
}

func plugged(s state, now time.Time) (state, []effect) {
	if s.cable {
		return s, nil
	}
	s.cable = true
	if s.fixed != nil {
		return s, []effect{set{*s.fixed}}
	}
	s.busy, s.fails = true, 0
	if s.held != nil && now.Before(s.held.Ends) {
		return s, []effect{renew{*s.held}} // the same network, or another one?
	}
	s.held = nil
	return s, []effect{discover{}}
}

func unanswered(s state, now time.Time) (state, []effect) {
	s.busy = false
	if !s.cable {
		return s, nil
	}
	s.try = now.Add(min(retryMin<<min(s.fails, 8), retryMax))
	s.fails++
	if s.held != nil {
		if now.Before(s.held.Ends) {
			at := s.try
			if s.held.Ends.Before(at) {
				at = s.held.Ends
			}
			s.try = at
			return s, []effect{wake{at}}
		}
		return expired(s, now)
	}
	if s.self.IsValid() || s.trial.IsValid() {
		return s, []effect{wake{s.try}}
	}
	s.trial = candidate(s)
	return s, []effect{probe{s.trial}, wake{s.try}}
}

// expired gives up a lease that nobody prolonged, and asks for another.
func expired(s state, _ time.Time) (state, []effect) {
	s.held, s.busy = nil, true
	return s, []effect{set{}, discover{}}
}

func conflict(s state, now time.Time) (state, []effect) {
	if !s.trial.IsValid() {
		return s, nil
	}
	s.taken++
	if s.taken >= manyTaken {
		s.trial, s.try = netip.Addr{}, now.Add(rateInterval)
		return s, []effect{wake{s.try}}
	}
	s.trial = candidate(s)
	return s, []effect{probe{s.trial}}
}

// dispute is RFC 3927 section 2.5 (b): we say once that the address is ours, and leave it to who claims it again
// soon. Calls are cut then; two who have it would be worse.
func dispute(s state, now time.Time) (state, []effect) {
	if !s.self.IsValid() {
		return s, nil
	}
	if s.stood.IsZero() || now.Sub(s.stood) >= defendInterval {
		s.stood = now
		return s, []effect{defend{s.self}}
	}
	s.taken++
	s.self, s.stood = netip.Addr{}, time.Time{}
	if s.taken >= manyTaken {
		s.try = now.Add(rateInterval)
		return s, []effect{set{}, wake{s.try}}
	}
	s.trial = candidate(s)
	effects := []effect{set{}, probe{s.trial}}
	if !s.busy { // the search for a server goes on as it did
		effects = append(effects, wake{s.try})
	}
	return s, effects
}

func due(s state, now time.Time) (state, []effect) {
	if !s.cable || s.busy || s.fixed != nil || now.Before(s.try) {
		return s, nil
	}
	if s.held != nil && !now.Before(s.held.Ends) {
		return expired(s, now)
	}
	s.busy = true
	if s.held != nil && s.fails == 0 {
		return s, []effect{renew{*s.held}}
	}
	return s, []effect{discover{}} // any server that answers, not only the one that fell silent
}

// candidate is an address of 169.254.1.0 to 169.254.254.255, which RFC 3927 leaves to such interfaces.
func candidate(s state) netip.Addr {
	n := rand.New(rand.NewPCG(s.seed, uint64(s.taken))).IntN(254 * 256)
	return netip.AddrFrom4([4]byte{169, 254, byte(1 + n/256), byte(n % 256)})
}

// same tells whether an interface need not be touched.
func same(a, b Use) bool {
	return a.Address == b.Address && a.Router == b.Router && slices.Equal(a.DNS, b.DNS) && slices.Equal(a.NTP, b.NTP)
}
