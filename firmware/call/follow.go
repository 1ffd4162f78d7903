package call

import (
	"slices"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Who watches follows the customer: through hold, transfers, parks and into other calls. Whoever the
// customer talks with next, it is asked anew whether he may be supervised.

// reviewed goes on with the watchers who may hear the agent who talks now.
func (st *step) reviewed(r Reviewed) {
	s := st.s
	var tones []func()
	changed := false
	for _, w := range slices.Clone(s.Watchers) {
		subject := s.subject(w.Now.Agent, w.Agent)
		mine := s.watching(w.ID)
		runs := !w.Now.From.IsZero() && subject != nil && subject.Agent == w.Now.Agent
		switch p := r.Permits[w.ID]; {
		case runs && p.allows(w.Now.Mode) && !s.Emergency: // also after a restart
			mine.Live, mine.Modes, mine.Follow = true, p.Modes, p.Follow
			changed = changed || !w.Live
			continue
		case runs:
			st.pauseWatch(mine, p.refusal())
			st.dismiss(w.ID, p.refusal(), tel.CauseForbidden)
		case subject == nil || s.Emergency || !p.allows(w.Now.Mode):
			st.pauseWatch(mine, tel.SupervisionMoved)
			if subject != nil {
				s.Supervised = append(s.Supervised, tel.Supervision{
					Call: s.Call, By: w.Agent, Party: w.Party, Agent: subject.Agent, Queue: s.Queue, Mode: w.Now.Mode, From: st.now, To: st.now, Why: p.refusal(),
				})
			}
			st.dismiss(w.ID, tel.SupervisionMoved, tel.CauseForbidden)
		default:
			st.pauseWatch(mine, tel.SupervisionMoved)
			st.grant(mine, subject, p)
			tones = append(tones, func() { st.tone(subject, p) })
		}
		changed = true
	}
	if changed && s.Stage == tel.StageTalking && s.Peer != nil {
		st.connect()
	}
	for _, tone := range tones {
		tone()
	}
	st.reviewLater()
}

// reviewLater sets the clock for the next review while anybody hears the conversation.
func (st *step) reviewLater() {
	s := st.s
	if s.watchedNow() && !st.now.Before(s.ReviewAt) {
		s.ReviewAt = st.now.Add(reviewEvery)
		st.do(DoWake{wakeReview, s.ReviewAt})
	}
}

// review asks anew about those who hear a conversation.
func (st *step) review() {
	if st.s.watchedNow() {
		st.do(DoReview{})
	}
}

// settle runs after every input: whoever watches loses the conversation when the agent has left it,
// and may hear the next one only after it was asked whether that is allowed.
func (st *step) settle() {
	s := st.s
	if len(s.Watchers) == 0 || s.Stage == tel.StageEnded {
		return
	}
	if s.Stage == tel.StageTalking && s.Peer != nil {
		for _, w := range s.Watchers {
			if subject := s.subject(w.Now.Agent, w.Agent); !w.Live || subject == nil || subject.Agent != w.Now.Agent {
				st.do(DoReview{})
				return
			}
		}
		return
	}
	paused := false
	for _, w := range slices.Clone(s.Watchers) {
		if !w.Live {
			continue
		}
		paused = true
		st.pauseWatch(s.watching(w.ID), tel.SupervisionMoved)
		if !w.Follow {
			st.dismiss(w.ID, tel.SupervisionMoved, tel.CauseNormal)
		}
	}
	if paused && len(s.Watchers) > 0 {
		st.do(st.mix(nil))
	}
}

// mix is who hears whom now; a watcher who may not hear this conversation hears nobody.
func (st *step) mix(parties []tel.LegID) DoMix {
	m := DoMix{Parties: parties}
	for _, w := range st.s.Watchers {
		subject := st.s.subject(w.Now.Agent, w.Agent)
		switch {
		case len(parties) == 0:
			m.Watchers = append(m.Watchers, Heard{Leg: w.ID, Mode: tel.SuperviseListen})
		case w.Live && subject != nil && subject.Agent == w.Now.Agent:
			m.Watchers = append(m.Watchers, Heard{Leg: w.ID, Mode: w.Now.Mode, Agent: subject.ID})
		}
	}
	return m
}

// connectWatched puts the audio of a conversation that is watched to where it belongs. While the one
// holds, who watches hears the other without the music; who has barged in is talked to instead of it.
func (st *step) connectWatched() {
	s := st.s
	var present []tel.LegID
	barged := false
	for _, w := range s.Watchers {
		barged = barged || w.Live && w.Now.Mode == tel.SuperviseBarge
	}
	for _, l := range []*LegState{&s.Caller, s.Peer} {
		if l.Held {
			st.do(DoPart{l.ID}, DoHush{l.ID})
		} else {
			present = append(present, l.ID)
		}
	}
	if len(present) == 2 {
		st.do(DoHush{s.Caller.ID}, DoHush{s.Peer.ID})
	}
	st.do(st.mix(present))
	if len(present) != 1 {
		return
	}
	if barged {
		st.do(DoHush{present[0]})
	} else {
		st.do(DoPlay{present[0], music})
	}
}

// passOn lets go of the watchers who went along with a party that another call has taken.
func (st *step) passOn(along []tel.LegID) {
	s := st.s
	for i := range s.Watchers {
		if w := &s.Watchers[i]; slices.Contains(along, w.ID) {
			st.pauseWatch(w, tel.SupervisionMoved)
			st.disengage(&w.LegState, tel.CauseTransferred)
		}
	}
	s.Watchers = slices.DeleteFunc(s.Watchers, func(w Watcher) bool { return slices.Contains(along, w.ID) })
}

// followers are those who would go along.
func (s *State) followers() []Watcher {
	return slices.DeleteFunc(slices.Clone(s.Watchers), func(w Watcher) bool { return !w.Follow })
}

// takeIn makes the leg of an adoption ours, with those who watch its party.
func (st *step) takeIn(a Adopt) {
	s := st.s
	st.do(DoTake{a.Leg.ID})
	st.joinChain(&a.Leg, a.Tape)
	if len(a.Watchers) == 0 {
		return
	}
	var legs []tel.LegID
	for _, w := range a.Watchers {
		w.Live, w.Now, w.Engaged = false, tel.Supervision{Agent: w.Now.Agent, Queue: w.Now.Queue, Mode: w.Now.Mode}, false
		st.engage(&w.LegState)
		s.Watchers, legs = append(s.Watchers, w), append(legs, w.ID)
	}
	st.do(DoTakeAlong{legs})
	for len(s.Watchers) > maxWatchers {
		st.dismiss(s.Watchers[len(s.Watchers)-1].ID, tel.SupervisionMoved, tel.CauseCongestion)
	}
}

// watchedNow reports whether anybody takes part in the conversation.
func (s *State) watchedNow() bool {
	return slices.ContainsFunc(s.Watchers, func(w Watcher) bool { return w.Live })
}

// parting ends the part of all who watch, at the end of the call.
func (st *step) parting() {
	for _, w := range slices.Clone(st.s.Watchers) {
		st.dismiss(w.ID, tel.SupervisionCallEnded, tel.CauseNormal)
	}
}
