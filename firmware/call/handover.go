package call

import (
	"maps"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// adoption is an Adopt on its way to another call, with the leg itself.
type adoption struct {
	Adopt
	leg   held
	along map[tel.LegID]held // of those who watch and come with it
	from  *actor
}

// ringing is which phones ring in a call, for who wants to pick one up.
type ringing struct {
	parties []string
	since   time.Time
}

// handOver offers a leg to the call that the target names.
func (a *actor) handOver(e DoHandOver) {
	to := a.x.owner(e.Target, a)
	leg, ok := a.legs[e.Leg.ID]
	a.offered[e.Leg.ID] = LegEvent{}
	along := map[tel.LegID]held{}
	for _, w := range e.Watchers {
		if l, ok := a.legs[w.ID]; ok {
			along[w.ID], a.offered[w.ID] = l, LegEvent{}
		}
	}
	ad := adoption{Adopt: Adopt{Leg: e.Leg, Target: e.Target, Watchers: e.Watchers, Tape: a.state.tapeChain()}, leg: leg, along: along, from: a}
	if to == nil || !ok || !to.tell(ad) {
		a.handle(a.nobodyThere(e))
	}
}

// nobodyThere answers for a call that does not exist. Who asks to watch one without the right to do so
// learns only that.
func (a *actor) nobodyThere(e DoHandOver) HandedOver {
	h := HandedOver{Leg: e.Leg.ID, Cause: tel.CauseUnallocated}
	if w := e.Target.Watch; w != nil {
		p := a.x.permit(e.Leg.Agent, w.Agent, "")
		if why := p.refusal(); !p.allows(w.Mode) && why != tel.SupervisionNotYours { // a right may hang on the queue of a call
			h.Cause, h.Why = tel.CauseForbidden, why
		}
	}
	return h
}

// take makes the leg of the adoption at hand ours. The other call learns so; what still reaches it
// for the leg comes here.
func (a *actor) take(id tel.LegID) {
	ad := a.taking
	if ad == nil || ad.Leg.ID != id {
		return
	}
	ad.leg.sink.owner.Store(a)
	a.keep(ad.leg.Leg, ad.leg.sink)
	if !ad.from.tell(handed{HandedOver{Leg: id, Into: a.id, OK: true, Along: slices.Collect(maps.Keys(ad.along))}, a}) {
		a.tell(LegEvent{Leg: id, Kind: LegEnded, Cause: tel.CauseNormal}) // the other call has ended, and its leg with it
	}
}

// handed is a HandedOver with the call that has the leg now.
type handed struct {
	HandedOver
	to *actor
}

// gave forgets a leg that another call has taken, and tells that call if the leg has ended meanwhile.
func (a *actor) gave(h handed) {
	for _, id := range append(h.Along, h.Leg) {
		delete(a.legs, id)
		a.moved[id] = h.to
		if end := a.offered[id]; end.Kind == LegEnded {
			h.to.tell(end)
		}
		delete(a.offered, id)
	}
}

// owner finds the call that a target names; never the one that asks.
func (x *Exchange) owner(t Target, asks *actor) *actor {
	x.mu.Lock()
	defer x.mu.Unlock()
	var found *actor
	switch {
	case t.Watch != nil:
		found = x.watchable(*t.Watch)
	case t.Slot != "":
		found = x.parked[t.Slot]
	case t.Ref != "":
		for _, p := range x.places {
			if p.ref == t.Ref {
				found = p.owner
			}
		}
	default:
		found = x.longestRinging(t.Ringing)
	}
	if found == asks {
		return nil
	}
	return found
}

// longestRinging finds, of the calls that ring on one of the phones, the one that has waited longest.
// It is called with mu held.
func (x *Exchange) longestRinging(phones []tel.DeviceID) *actor {
	var best *actor
	var since time.Time
	for _, a := range x.calls {
		r := a.ringing.Load()
		if r == nil || best != nil && !r.since.Before(since) {
			continue
		}
		if slices.ContainsFunc(phones, func(d tel.DeviceID) bool { return slices.Contains(r.parties, "phone:"+string(d)) }) {
			best, since = a, r.since
		}
	}
	return best
}

// park gives the call the first free of the places; empty when all are taken.
func (x *Exchange) park(slots []tel.Number, a *actor) tel.Number {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range slots {
		if x.parked[s] == nil {
			x.parked[s] = a
			return s
		}
	}
	return ""
}

func (x *Exchange) unpark(slot tel.Number, a *actor) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.parked[slot] == a {
		delete(x.parked, slot)
	}
}

// place is where a leg is.
type place struct {
	ref, party string
	owner      *actor
	rings      bool // by us, unanswered: after a CANCEL the phone may ring on for a while
	leaves     bool // hung up: the phone is free, although the other end has not confirmed it
}

// index makes a leg known to other calls: by its reference, and as a phone or line that is in a call.
func (x *Exchange) index(l Leg, a *actor, rings bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.places[l.ID()] = place{ref: l.Ref(), party: l.Party(), owner: a, rings: rings}
}

// answered notes that a phone rings no more: it talks.
func (x *Exchange) answered(id tel.LegID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if p, ok := x.places[id]; ok {
		p.rings = false
		x.places[id] = p
	}
}

// leaves frees a phone before it is told that its call is over: who learns of the end there may ring it.
func (x *Exchange) leaves(id tel.LegID, a *actor) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if p := x.places[id]; p.owner == a && !p.rings {
		p.leaves = true
		x.places[id] = p
	}
}

func (x *Exchange) unindex(id tel.LegID, a *actor) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.places[id].owner == a {
		delete(x.places, id)
		if len(x.completion.wishes) > 0 {
			time.AfterFunc(wishPause, x.grant)
		}
	}
}

// inCall reports whether a party has a leg in any call, but for one that is hung up.
func (x *Exchange) inCall(party string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.busy(party)
}

// busy is inCall with mu held.
func (x *Exchange) busy(party string) bool {
	for _, p := range x.places {
		if p.party == party && !p.leaves {
			return true
		}
	}
	return x.dialled[party] > 0
}

// dial takes a phone for a call that is about to ring it; false when it must be free and is not. The phone counts
// as busy from here on, until its leg does and wasDialled was called: of two calls that come in the same instant one
// finds it busy.
func (x *Exchange) dial(party string, mustBeFree bool) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if mustBeFree && x.busy(party) {
		return false
	}
	x.dialled[party]++
	return true
}

func (x *Exchange) wasDialled(party string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.dialled[party]--; x.dialled[party] == 0 {
		delete(x.dialled, party)
	}
}

// preempt cuts one call that is no emergency off one of the lines, so that an emergency call can have
// it. Freed follows when that call has ended; the line may need a moment more.
func (a *actor) preempt(vias []string) {
	victim := a.x.cutOff(vias)
	if victim == nil {
		a.tell(Freed{})
		return
	}
	a.log.Warn("a call is cut to free a line for an emergency call", "cut", victim.id)
	a.x.wg.Go(func() {
		select {
		case <-victim.over:
			a.tell(Freed{})
		case <-a.over:
		}
	})
}

// cutOff ends a call which is no emergency on the first of the lines that has one.
func (x *Exchange) cutOff(vias []string) *actor {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, via := range vias {
		for _, p := range x.places {
			if p.party == via && !p.owner.urgent.Load() && p.owner.tell(End{tel.CausePreempted}) {
				return p.owner
			}
		}
	}
	return nil
}
