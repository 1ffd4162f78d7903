package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Next carries out what is due at now, applies the event and gives every caller that can have one
// an agent. It returns the next state and the effects in the order in which they must be carried
// out. The given state is consumed. seed makes offer ids unguessable and decides what is left to
// chance; the same state, event, now and seed always give the same result.
func Next(s State, e Event, now time.Time, seed uint64) (State, []Effect) {
	st := &step{State: &s, now: now.Round(0).UTC(), seed: seed, keys: map[Key]bool{}}
	st.prepare(e)
	st.match()
	st.reposition()
	st.expire() // who has moved up far enough is told so at once
	st.report()
	s.prune()
	s.touched = s.touched[:0]
	for k := range st.keys {
		s.touched = append(s.touched, k)
	}
	slices.SortFunc(s.touched, func(a, b Key) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.ID, b.ID))
	})
	return s, st.out
}

// Touched lists the entities that the last Next changed, created or removed. It is valid until the
// next call of Next.
func (s *State) Touched() []Key { return s.touched }

// step is one run of Next.
type step struct {
	*State
	now  time.Time
	seed uint64
	out  []Effect
	keys map[Key]bool

	shifted []*Queue // places in them have changed
}

func (s *step) touch(kind, id string)          { s.keys[Key{kind, id}] = true }
func (s *step) send(m tel.ToCall)              { s.out = append(s.out, Send{m}) }
func (s *step) publish(e tel.Event)            { s.out = append(s.out, Publish{e}) }
func (s *step) refuse(err error)               { s.out = append(s.out, Refuse{err}) }
func (s *step) touchEntry(e *Entry)            { s.touch("entry", string(e.Call)); s.mark(s.Queues[e.Queue]) }
func (s *step) touchOffer(o *Offer)            { s.touch("offer", string(o.ID)) }
func (s *step) touchQueue(q *Queue)            { s.touch("queue", string(q.Spec.ID)); s.mark(q) }
func (s *step) idleFrom(a *Agent, t time.Time) { s.lift(a); a.IdleSince = t }

// changed must follow every change of an agent's facts.
func (s *step) changed(a *Agent) {
	if a.ShiftOver && a.LoggedIn && !a.holds() && a.WrapUntil.IsZero() && a.WrapOwed == 0 {
		s.signOff(a, ReasonShift, "")
		return
	}
	was := a.isPresent
	s.place(a)
	s.touch("agent", string(a.Spec.ID))
	for _, q := range s.memberOf[a.Spec.ID] {
		s.mark(q)
		s.weigh(q)
		if was != a.isPresent {
			s.seekSkilled(q)
		}
	}
}

// weigh notes when a queue loses its last agent or gets its first.
func (s *step) weigh(q *Queue) {
	if (q.present == 0) == !q.EmptySince.IsZero() {
		return
	}
	if q.present == 0 {
		q.EmptySince = s.now
		s.arm(emptyEnds, string(q.Spec.ID))
	} else {
		q.EmptySince = time.Time{}
	}
	s.publish(tel.QueueStaffed{Queue: q.Spec.ID, Name: q.Spec.Name, Staffed: q.present > 0, At: s.now})
	s.touchQueue(q)
}

// expire carries out every timer that is due.
func (s *step) expire() {
	for len(s.timers) > 0 && !s.timers[0].at.After(s.now) {
		t := s.timers.pop()
		if !s.due(t).Equal(t.at) {
			s.renew(t)
			continue
		}
		switch t.what {
		case wrapUpEnds:
			s.wrapUpEnded(s.Agents[tel.AgentID(t.id)], t.at)
		case restEnds:
			a := s.Agents[tel.AgentID(t.id)]
			a.RestUntil = time.Time{}
			s.changed(a)
		case settleEnds:
			s.settled(s.Agents[tel.AgentID(t.id)])
		case offerEnds:
			s.offerExpired(s.Offers[tel.OfferID(t.id)])
		case announceDue:
			e := s.Entries[tel.CallID(t.id)]
			e.armed = time.Time{}
			s.speak(e)
			s.armAnnounce(e)
		case callbackWakes:
			s.callbackWoken(s.Callbacks[tel.CallbackID(t.id)])
		case waitEnds:
			s.waitedTooLong(s.Entries[tel.CallID(t.id)])
		case emptyEnds:
			s.stayedEmpty(s.Queues[tel.QueueID(t.id)])
		case shiftEnds:
			s.shiftEnded(s.Agents[tel.AgentID(t.id)])
		case memoryFades:
			s.dropMemory(s.Memories[tel.Number(t.id)])
		case refusalFades: // matching looks at the time itself; the count stays for the back-off
			s.mark(s.Queues[s.Entries[tel.CallID(t.id)].Queue])
		case opensMore:
			e := s.Entries[tel.CallID(t.id)]
			e.opened = t.at
			s.mark(s.Queues[e.Queue])
			s.arm(opensMore, t.id)
		case nobodySkilled:
			e := s.Entries[tel.CallID(t.id)]
			s.overflow(e, tel.OutcomeEmpty, s.Queues[e.Queue].Spec.EmptyTo, whyNoSkill)
		case ringWidens:
			s.widen(s.Entries[tel.CallID(t.id)], t.at)
		}
	}
}

// prepare carries out what is due and the event, up to the question who gets whom.
func (s *step) prepare(e Event) {
	if m, ok := e.(ClockMoved); ok {
		s.clockMoved(m.By) // before anything is measured against the new time
	}
	r, again := e.(Reconcile)
	if again {
		s.unsettle() // nothing that may still ring has been quiet only because nobody listened
	}
	if !again || len(r.Live) > 0 { // after a restart no time runs out before it is known what holds
		s.expire()
	}
	s.apply(e)
	s.expire() // a limit may be zero: what the event made due is due now
}

func (s *step) apply(e Event) {
	switch e := e.(type) {
	case Told:
		s.told(e.Message)
	case Login:
		s.login(e)
	case Logout:
		s.logout(e)
	case Pause:
		s.pause(e)
	case Resume:
		s.resume(e)
	case FinishWrapUp:
		s.finishWrapUp(e)
	case ExtendWrapUp:
		s.extendWrapUp(e)
	case ForcePause:
		s.halt(e.Agent, e.Reason, e.By)
	case ForceLogout:
		s.dismiss(e.Agent, ReasonForced, e.By)
	case Help:
		s.help(e)
	case Shift:
		s.shift(e)
	case Serve:
		s.serve(e)
	case EnterQueue:
		s.enterQueue(e)
	case LeaveQueue:
		s.leaveQueue(e)
	case AddMember:
		s.addMember(e)
	case RemoveMember:
		s.removeMember(e)
	case SetSkills:
		s.setSkills(e)
	case Move:
		s.move(e)
	case Assign:
		s.assign(e)
	case Tick:
	case Configure:
		s.configure(e)
	case Reconcile:
		s.reconcile(e)
	case SetZone:
		s.setZone(e.Zone)
		s.touch("meta", "seq")
	case Drain:
		s.drain(e)
	case Hours:
		s.hours(e)
	case Recall:
		s.recall(e)
	case DropCallback:
		s.dropCallback(e)
	case Erase:
		s.erase(e)
	case ClockMoved: // done before the timers
	default:
		s.refuse(fmt.Errorf("unknown queue event %T", e))
	}
}

func (s *step) told(m tel.ToQueue) {
	switch m := m.(type) {
	case tel.Enqueue:
		s.enqueue(m)
	case tel.CallerGone:
		s.callerGone(m)
	case tel.OfferRinging:
		s.offerRinging(m)
	case tel.OfferFailed:
		s.offerFailed(m)
	case tel.OfferSettled:
		s.offerSettled(m)
	case tel.OfferAnswered:
		s.offerAnswered(m)
	case tel.TalkEnded:
		s.talkEnded(m)
	case tel.CallerKey:
		s.callerKey(m)
	case tel.CallerGreeted:
		s.callerGreeted(m)
	case tel.CallerNamed:
		s.callerNamed(m)
	case tel.Announced:
		s.announced(m)
	case tel.OfferAccepted:
		s.offerAccepted(m)
	case tel.WantCallback:
		s.wantCallback(m)
	case tel.CallbackMissed:
		s.callbackMissed(m)
	case tel.AgentEngaged:
		s.engaged(m)
	case tel.AgentDisengaged:
		s.disengaged(m)
	case tel.AgentReachable:
		s.reachable(m)
	case tel.AgentHeld:
		s.held(m)
	}
}

// offerID numbers offers.
func (s *step) offerID() tel.OfferID {
	return tel.OfferID(s.serial("o"))
}
