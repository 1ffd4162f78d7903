package plan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// reconciling is one Reconcile at work.
type reconciling struct {
	*step
	calls  []tel.Standing // in the order of their ids
	at     map[tel.CallID]*tel.Standing
	silent map[tel.CallID]bool       // survived and say nothing of themselves
	held   map[tel.OfferID]bool      // by some call
	talks  map[tel.AgentID]heldOffer // what each agent is on the line for, as the calls say
}

type heldOffer struct {
	call tel.CallID
	tel.HeldOffer
}

// reconcile makes the state agree with the calls that survived a restart. Who is on the line is believed first, so
// that nobody who talks is taken for one who waits; then what no call says is over: talks, offers, places, engagements;
// last, who says to wait and has no place gets one. Running it twice changes nothing more, and the order in which the
// calls are listed does not matter.
func (s *step) reconcile(e Reconcile) {
	r := &reconciling{
		step: s, calls: slices.Clone(e.Calls), at: map[tel.CallID]*tel.Standing{}, silent: map[tel.CallID]bool{},
		held: map[tel.OfferID]bool{}, talks: map[tel.AgentID]heldOffer{},
	}
	slices.SortFunc(r.calls, func(a, b tel.Standing) int { return strings.Compare(string(a.Call), string(b.Call)) })
	for _, id := range e.Live {
		r.silent[id] = true
	}
	for i := range r.calls {
		r.at[r.calls[i].Call] = &r.calls[i]
		for _, h := range r.calls[i].Holds {
			r.held[h.Offer] = true
		}
	}
	r.endTalks()
	r.believeTalks()
	r.endWaits()
	r.endOffers()
	r.believeAccepted()
	r.engagements()
	r.places()
	for _, id := range sorted(s.Entries) {
		s.leaveIfOverdue(s.Entries[id])
	}
	s.keepCallbacks()
}

// survived says that the call is there, whatever it says.
func (r *reconciling) survived(id tel.CallID) bool { return r.at[id] != nil || r.silent[id] }

// endTalks ends the conversations that no call has. After-call work follows them.
func (r *reconciling) endTalks() {
	for _, id := range sorted(r.Offers) {
		if o := r.Offers[id]; o.Phase == Talking && !r.held[id] && !r.silent[o.Call] {
			r.endTalk(o)
		}
	}
}

// believeTalks has the agents talk who do so in a call. An agent who is in two queue calls at once stays with the one that
// the state knows, else with the first; the other call is told that its offer is void, as ever.
func (r *reconciling) believeTalks() {
	for _, known := range []bool{true, false} {
		for i := range r.calls {
			for _, h := range r.calls[i].Holds {
				if o := r.Offers[h.Offer]; h.Talking && known == (o != nil && o.Phase == Talking) {
					r.talking(r.calls[i].Call, h)
				}
			}
		}
	}
}

func (r *reconciling) talking(call tel.CallID, h tel.HeldOffer) {
	o := r.Offers[h.Offer]
	if o == nil { // its record is lost, or it was withdrawn so long ago that nobody thought of an answer any more
		if h.Offer == "" || h.Agent == "" {
			return
		}
		o = &Offer{ID: h.Offer, Call: call, Queue: h.Queue, Agent: h.Agent, Phase: Void, Made: earlier(h.Since, r.now)}
		r.Offers[o.ID] = o
	}
	a := r.person(o.Agent)
	if _, twice := r.talks[o.Agent]; twice {
		r.send(tel.Withdraw{Offer: o.ID, Call: call, Agent: o.Agent, Cause: tel.CauseCancelled})
		r.forget(o)
		return
	}
	r.talks[o.Agent] = heldOffer{call, h}
	if other := r.Offers[a.Offer]; other != nil && other != o {
		if other.Call == o.Call {
			r.end(other, tel.CauseAnsweredElsewhere, true)
		} else {
			r.end(other, tel.CauseBusy, true)
		}
	}
	if o.Phase != Talking {
		if r.Entries[o.Call] == nil {
			o.Phase = Void // answered all the same
		}
		r.offerAnswered(tel.OfferAnswered{Offer: o.ID})
		if !h.Since.IsZero() {
			o.Answered = earlier(h.Since, r.now)
		}
	}
	if c := r.Callbacks[h.Callback]; c != nil {
		r.endCallback(c, tel.CallbackReached, o.Agent, call)
	}
	if a.Held != h.Held {
		a.Held = h.Held
		r.changed(a)
	}
}

// person is an agent whom a call names; one whose record is lost is known again by the configuration that follows.
func (r *reconciling) person(id tel.AgentID) *Agent {
	if r.Agents[id] == nil {
		r.Agents[id] = &Agent{Spec: AgentSpec{ID: id}}
	}
	return r.Agents[id]
}

// endWaits takes out who does not wait any more: callers whose call is gone, and who has been picked up by somebody to
// whom nothing was offered.
func (r *reconciling) endWaits() {
	for _, id := range sorted(r.Entries) {
		e := r.Entries[id]
		switch st := r.at[id]; {
		case e == nil || e.Callback != "" || r.silent[id]: // with another that has left
		case st == nil:
			r.leave(e, tel.OutcomeFailed, "", "", tel.CauseInternalError)
		case st.Waits == nil:
			r.leave(e, tel.OutcomeWithdrawn, "", "", tel.CauseCancelled)
		}
	}
}

// endOffers takes back what rang: the calls have hung it up, and nobody is to blame for that.
func (r *reconciling) endOffers() {
	for _, id := range sorted(r.Offers) {
		o := r.Offers[id]
		if o == nil || o.Phase == Talking {
			continue
		}
		switch there := r.survived(o.Call); {
		case there && r.silent[o.Call] && o.Phase == Accepted: // the call says how it goes on
		case !there && o.Phase == Void:
			r.forget(o)
		case o.Phase == Void, r.held[id]:
		case there:
			r.end(o, tel.CauseCancelled, true)
		default: // of a callback: the caller of any other has left above
			r.end(o, tel.CauseCancelled, o.Phase != Accepted)
			if r.Offers[id] != nil {
				r.forget(o)
			}
		}
	}
}

// believeAccepted keeps the agents who are calling a customer. Where the request is served otherwise by now, or by this
// very call, whose last steps its own journal has lost, their call is told so.
func (r *reconciling) believeAccepted() {
	for i := range r.calls {
		for _, h := range r.calls[i].Holds {
			if h.Talking {
				continue
			}
			o, e := r.Offers[h.Offer], r.Entries[r.calls[i].Call]
			if o == nil || o.Phase == Void || e == nil || e.Callback == "" {
				if o != nil && o.Phase == Talking {
					r.endTalk(o)
				}
				r.send(tel.Withdraw{Offer: h.Offer, Call: r.calls[i].Call, Agent: h.Agent, Cause: tel.CauseCancelled})
				continue
			}
			r.offerAccepted(tel.OfferAccepted{Offer: h.Offer}) // nothing, where that is known
		}
	}
}

// engagements makes the agents be in those calls outside of the queues that say so.
func (r *reconciling) engagements() {
	type place struct {
		agent tel.AgentID
		call  tel.CallID
	}
	on := map[place]bool{}
	for i := range r.calls {
		for _, m := range r.calls[i].On {
			on[place{m.Agent, r.calls[i].Call}] = true
		}
	}
	for _, id := range sorted(r.Agents) {
		r.disengage(r.Agents[id], func(e Engagement) bool { return !r.silent[e.Call] && !on[place{id, e.Call}] })
	}
	for i := range r.calls {
		for _, m := range r.calls[i].On {
			r.person(m.Agent)
			r.engaged(m.AgentEngaged)
			r.step.held(tel.AgentHeld{Agent: m.Agent, Call: m.Call, Held: m.Held})
		}
	}
}

// places gives who waits a place in the order of arrival, unless there is one. Whose queue is not known before the
// configuration comes stands there until then.
func (r *reconciling) places() {
	var all []tel.Enqueue
	for i := range r.calls {
		if r.calls[i].Waits != nil {
			all = append(all, *r.calls[i].Waits)
		}
	}
	slices.SortStableFunc(all, func(a, b tel.Enqueue) int {
		return cmp.Or(a.EnqueuedAt.Compare(b.EnqueuedAt), strings.Compare(string(a.Call), string(b.Call)))
	})
	for _, m := range all {
		if r.Queues[m.Queue] != nil {
			r.enqueue(m)
		} else if r.Entries[m.Call] == nil {
			r.stands(m)
		}
		e := r.caller(m.Call)
		if e == nil {
			continue
		}
		if e.Caller != m.Caller || e.Name != m.Name {
			r.callerNamed(tel.CallerNamed{Call: m.Call, Caller: m.Caller, Name: m.Name})
		}
		r.callerGreeted(tel.CallerGreeted{Call: m.Call})
		r.announced(tel.Announced{Call: m.Call})
	}
}

// stands keeps a caller whose queue is not known: the configuration gives the place or sends the caller on.
func (r *reconciling) stands(m tel.Enqueue) {
	at := m.EnqueuedAt
	if at.IsZero() {
		at = r.now
	}
	e := &Entry{
		Call: m.Call, Queue: m.Queue, Caller: m.Caller, Name: m.Name, Priority: m.Priority,
		EnqueuedAt: earlier(at, r.now), Arrived: r.now, Needs: clean(m.Needs), Greeted: true,
	}
	r.Entries[e.Call] = e
	r.touch("entry", string(e.Call))
	r.publish(e.joined())
}
