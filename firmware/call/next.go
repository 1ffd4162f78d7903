package call

import (
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// step is one run of the machine: it collects the effects of one input.
type step struct {
	s   *State
	in  any
	now time.Time
	out []Effect
}

// Next applies one input to the state and returns what must be done, in order. It is pure: the
// same state, input and instant give the same result.
func Next(s State, in any, now time.Time) (State, []Effect) {
	s = s.clone()
	st := step{s: &s, in: in, now: now}
	if s.Stage == tel.StageEnded {
		st.orphan(in)
		return s, st.out
	}
	switch in := in.(type) {
	case Begin:
		st.begin(in.Decision)
	case Rerouted:
		s.Onward = nil
		st.route(in.Decision)
	case Redirected:
		st.redirected(in)
	case Dialed:
		st.dialed(in)
	case LegEvent:
		st.legEvent(in)
	case tel.Offer:
		st.offered(in)
	case tel.Withdraw:
		st.withdrawn(in)
	case tel.Overflow:
		st.overflowed(in)
	case tel.Announce:
		st.announce(in)
	case tel.Seated:
		st.seated()
	case tel.SeatRefused:
		st.unseated(in.Why)
	case tel.SeatEnded:
		st.unseated(in.Why)
	case tel.ConferenceSays:
		st.says(in)
	case tel.ConferenceTaped:
		st.roomTaped(in)
	case tel.AskCallback:
		st.askCallback()
	case tel.CallbackAnswered:
		st.callbackAnswered(in)
	case ParkedAt:
		st.parkedAt(in)
	case Adopt:
		st.adopt(in)
	case HandedOver:
		st.handedOver(in)
	case Scripted:
		st.script(in.Event)
	case Summon:
		st.summon(in)
	case Reviewed:
		st.reviewed(in)
	case Review:
		st.review()
	case Remode:
		st.remode(in)
	case WhenFree:
		st.whenFree(in.OK)
	case Freed:
		st.freed()
	case Wake:
		st.woke(in.Key)
	case TapeJudged:
		st.tapeJudged(in.Rule)
	case TapeFailed:
		st.tapeFailed(in)
	case TapeOrder:
		st.tapeWish(in.What, nil)
	case End:
		st.finish(in.Cause, "box")
	}
	st.settle()
	if s.Stage != tel.StageEnded {
		st.noteLines()
		st.taping()
	}
	return s, st.out
}

// clone copies what a step may change in place, so that Next leaves its argument alone.
func (s State) clone() State {
	s.Groups = slices.Clone(s.Groups)
	for i := range s.Groups {
		s.Groups[i].Legs = slices.Clone(s.Groups[i].Legs)
	}
	s.Peer, s.Moving, s.Parked, s.Ring = copied(s.Peer), copied(s.Moving), copied(s.Parked), copied(s.Ring)
	s.Accepted, s.Callback, s.Seat, s.Onward = copied(s.Accepted), copied(s.Callback), copied(s.Seat), copied(s.Onward)
	if s.Ring != nil {
		s.Ring.Branches = slices.Clone(s.Ring.Branches)
	}
	s.Owed = slices.Clone(s.Owed)
	for i := range s.Owed {
		s.Owed[i].Legs = slices.Clone(s.Owed[i].Legs)
	}
	s.Moves, s.Uses = slices.Clip(s.Moves), slices.Clone(s.Uses)
	s.Paged = slices.Clone(s.Paged)
	s.Tapes = slices.Clone(s.Tapes)
	s.Watchers, s.Supervised = slices.Clone(s.Watchers), slices.Clip(s.Supervised)
	return s
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

func (st *step) do(all ...Effect) {
	st.out = append(st.out, all...)
	for _, e := range all {
		switch e := e.(type) { // the process may die before it is decided
		case DoResolve:
			st.s.Onward = &Onward{To: e.To, As: e.As}
		case DoRoute:
			st.s.Onward = &Onward{Number: e.Number, As: e.As}
		}
	}
}

func (st *step) tell(m tel.ToQueue) { st.do(DoTellQueue{m}) }

func (st *step) stage(x tel.CallStage) {
	if st.s.Stage != x {
		st.s.Stage, st.s.Since = x, st.now
	}
}

// moved notes a change of the parties for the record.
func (st *step) moved(m tel.Move) {
	m.At = st.now
	st.s.Moves = append(st.s.Moves, m)
}

func (st *step) begin(d Decision) {
	s := st.s
	s.Started, s.Since, s.In = st.now, st.now, s.Caller.Party
	if s.Caller.Number == "" {
		s.Caller.Number, s.Caller.Name = s.From, s.FromName
	}
	if s.Caller.Agent != "" && d.Kind != AgentCommand && d.Kind != Refuse {
		st.engage(&s.Caller)
	}
	st.route(d)
}

// route sends the caller, answered or not, to a destination.
func (st *step) route(d Decision) {
	s := st.s
	if s.calling() && d.Kind != ToOutside { // a customer is called outside or not at all
		if d.Cause == tel.CauseNone {
			d.Cause = tel.CauseForbidden
		}
		st.refuse(d.Cause)
		return
	}
	st.forwarded(d)
	switch d.Kind {
	case ToDevices:
		st.ring(Ring{Branches: []Branch{{Devices: d.Devices, Agent: d.Agent}}})
	case ToOutside:
		if d.Emergency {
			s.Emergency, s.Lines = true, d.Attempts
		}
		b := Branch{Attempts: d.Attempts}
		if s.calling() {
			b.For = callbackRing
		}
		st.ring(Ring{Branches: []Branch{b}})
	case ToRing:
		st.ring(d.Ring)
	case ToQueue:
		st.enqueue(d)
	case ToScript:
		st.startScript(d.Script)
	case ToEcho, ToSound:
		st.startTest(d)
	case ToPark:
		st.park(d)
	case ToSlot, ToPickup, ToReplace:
		st.fetch(d)
	case ToPage:
		st.page(d)
	case ToWatch:
		if s.Moving != nil { // nobody is sent into the conversation of others
			st.refuse(tel.CauseForbidden)
			return
		}
		st.watch(d.Watch)
	case ToWish:
		st.do(DoWhenFree{d.Cancel})
	case AgentCommand:
		st.accept()
		st.stage(tel.StageGreeting)
		s.HangAfter = true
		st.do(DoCommand{d.Agent, d.Command, d.Reason}, DoPlay{s.Caller.ID, Sound{Names: []string{"tone_confirm"}}})
	case Refuse:
		st.refuse(d.Cause)
	}
}

// refuse turns the caller away: by signalling before the answer, by words after it. A party who was
// transferred goes back to who sent it.
func (st *step) refuse(c tel.Cause) {
	s := st.s
	s.Ring = nil
	if s.calling() {
		s.Callback.Cause = c
	}
	if s.Moving != nil {
		st.transferFailed(c)
		return
	}
	st.report(c.SIPStatus())
	if !s.Caller.Up {
		st.finish(c, "box")
		return
	}
	s.HangAfter, s.LastCause = true, c
	st.stage(tel.StageGreeting)
	st.do(DoPlay{s.Caller.ID, Sound{Names: []string{regret(c), "goodbye"}}})
}

// regret is the sentence for a caller whose call cannot go on.
func regret(c tel.Cause) string {
	switch c {
	case tel.CauseUnallocated:
		return "wrong_number"
	case tel.CauseCongestion:
		return "busy_all"
	default:
		return "unavailable"
	}
}

// accept answers the caller, if nobody has yet: the call has reached somebody, or a part of the box that
// speaks.
func (st *step) accept() {
	st.report(sipOK)
	if !st.s.Caller.Up {
		st.s.Caller.Up = true
		st.do(DoAccept{st.s.Caller.ID})
	}
}

// woke runs a timer. A timer that has been overtaken finds nothing to do.
func (st *step) woke(key string) {
	s := st.s
	switch key {
	case wakeBranch:
		st.startDue()
	case wakePark:
		if s.Parked != nil && !st.now.Before(s.Parked.Until) && s.Parked.Slot != "" {
			st.parkedTooLong()
		}
	case wakeHandOver:
		if !st.now.Before(s.AnswerBy) {
			st.handedOver(HandedOver{Cause: tel.CauseTimeout})
		}
	case wakeTape: // taping looks at the time
	case wakeNotice:
		st.noticeMissed()
	case wakePreempt:
		st.freed()
	case wakeReview:
		if !st.now.Before(s.ReviewAt) {
			st.review()
		}
	case wakePage:
		if s.Page {
			st.finish(tel.CauseNormal, "box")
		}
	case wakeTest:
		if s.Stage == tel.StageMenu && s.Script == nil {
			st.finish(tel.CauseNormal, "box")
		}
	default:
		if strings.HasPrefix(key, wakeScript) {
			st.scriptWoke(key)
			return
		}
		g := s.group(key)
		if g < 0 || st.now.Before(s.Groups[g].Deadline) {
			return
		}
		for _, l := range s.Groups[g].Legs {
			st.do(DoHangup{l.ID, tel.CauseNoAnswer})
		}
		s.oweGroup(s.Groups[g])
		st.groupFailed(g, tel.CauseNoAnswer)
	}
}
