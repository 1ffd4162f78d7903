package call

import (
	"slices"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// music is what a waiting or held party hears.
var music = Sound{Names: []string{"music"}, Loop: true}

func (st *step) legEvent(e LegEvent) {
	s := st.s
	leg, g := s.leg(e.Leg)
	if leg == nil {
		return // a leg that already lost: it ends by itself
	}
	switch e.Kind {
	case LegProgress:
		st.progress(leg, g, e.Early)
	case LegAnswered:
		if g >= 0 {
			st.won(leg, g)
		}
	case LegEnded:
		st.legEnded(leg, g, e)
	case LegHeld:
		st.held(leg, e.Held)
	case LegPlayed:
		st.played(leg)
	case LegSilent:
		if g < 0 && leg.Up && !leg.Held && s.Stage == tel.StageTalking {
			st.finish(tel.CauseMediaTimeout, "box")
		}
	case LegDigit:
		st.digit(leg, e.Digit)
	}
}

func (st *step) progress(leg *LegState, g int, early bool) {
	s := st.s
	if g < 0 {
		return
	}
	if group := &s.Groups[g]; !group.Rang {
		group.Rang = true
		if group.Offer != "" {
			st.tell(tel.OfferRinging{Offer: group.Offer})
		}
	}
	if s.Groups[g].Offer != "" {
		return // a queued caller hears music, not the agent's phone
	}
	if early && s.Groups[g].Key == "out" {
		if s.Early == "" {
			s.Early = leg.ID
			if !s.Caller.Up {
				st.do(DoAlert{Early: true})
			}
			st.do(DoJoin{s.Caller.ID, leg.ID})
		}
		return
	}
	if !s.Caller.Up {
		st.do(DoAlert{})
	} else if s.Early == "" {
		st.do(DoPlay{s.Caller.ID, Sound{Names: []string{"tone_ringback"}, Loop: true}})
	}
}

// won makes the leg that answered first the caller's peer; every other attempt is void.
func (st *step) won(leg *LegState, g int) {
	s := st.s
	peer, group := *leg, s.Groups[g]
	peer.Up = true
	for i := range s.Groups {
		for _, l := range s.Groups[i].Legs {
			if l.ID != peer.ID {
				st.do(DoHangup{l.ID, tel.CauseAnsweredElsewhere})
			}
		}
	}
	s.Groups, s.Vias = nil, nil
	s.Peer, s.Early = &peer, ""
	s.Agent, s.Offer = group.Agent, group.Offer
	s.Answered = st.now
	st.stage(tel.StageTalking)
	st.do(DoHush{s.Caller.ID})
	st.accept()
	st.do(DoJoin{s.Caller.ID, peer.ID})
	switch {
	case group.Offer != "":
		st.tell(tel.OfferAnswered{Offer: group.Offer})
	case group.Agent != "":
		st.tell(tel.AgentEngaged{Agent: group.Agent, Call: s.Call, Internal: s.Direction == tel.Internal})
	}
}

func (st *step) legEnded(leg *LegState, g int, e LegEvent) {
	s := st.s
	switch {
	case leg.ID == s.Caller.ID:
		by := "box"
		if e.Remote {
			by = "caller"
		}
		c := e.Cause
		if s.Answered.IsZero() && c == tel.CauseNormal {
			c = tel.CauseCancelled
		}
		s.Caller.ID = "" // gone: nothing is left to hang up
		st.finish(c, by)
	case s.Peer != nil && leg.ID == s.Peer.ID:
		by := "box"
		if e.Remote {
			by = "callee"
		}
		s.Peer.ID = ""
		st.finish(e.Cause, by)
	case g >= 0:
		id := leg.ID
		if s.Early == id {
			s.Early = ""
			st.do(DoPart{s.Caller.ID})
		}
		group := &s.Groups[g]
		group.Legs = slices.DeleteFunc(group.Legs, func(l LegState) bool { return l.ID == id })
		if len(group.Legs) == 0 {
			st.groupFailed(g, e.Cause)
		}
	}
}

// held plays music to the one while the other is away (RFC 3264 section 8.4).
func (st *step) held(leg *LegState, held bool) {
	s := st.s
	if leg.Held == held || s.Peer == nil || s.Stage != tel.StageTalking {
		leg.Held = held
		return
	}
	was := s.Caller.Held || s.Peer.Held
	leg.Held = held
	is := s.Caller.Held || s.Peer.Held
	other := s.Caller.ID
	if leg.ID == other {
		other = s.Peer.ID
	}
	switch {
	case is && !was:
		st.do(DoPart{s.Caller.ID}, DoPlay{other, music})
	case !is && was:
		st.do(DoHush{s.Caller.ID}, DoHush{s.Peer.ID}, DoJoin{s.Caller.ID, s.Peer.ID})
	}
}

func (st *step) played(leg *LegState) {
	s := st.s
	if leg.ID != s.Caller.ID {
		return
	}
	switch {
	case s.HangAfter:
		c := s.LastCause
		if c == tel.CauseNone {
			c = tel.CauseNormal
		}
		st.finish(c, "box")
	case s.Queue != "" && (s.Stage == tel.StageWaiting || s.Stage == tel.StageRinging):
		st.do(DoPlay{s.Caller.ID, music})
	}
}

// digit carries a key to the other party. The actor leaves it to the media bridge where both legs
// pass telephone-events (RFC 4733) themselves.
func (st *step) digit(leg *LegState, digit rune) {
	s := st.s
	if s.Peer == nil || s.Stage != tel.StageTalking {
		return
	}
	to := s.Peer.ID
	if leg.ID == to {
		to = s.Caller.ID
	}
	st.do(DoDigit{From: leg.ID, To: to, Digit: digit})
}

// finish ends every leg, tells the queue, and writes the call's record.
func (st *step) finish(c tel.Cause, by string) {
	s := st.s
	if c == tel.CauseNone {
		c = tel.CauseNormal
	}
	st.dropAll(tel.CauseCancelled)
	answeredAt := ""
	if s.Peer != nil {
		answeredAt = s.Peer.Party
		if s.Peer.ID != "" {
			st.do(DoHangup{s.Peer.ID, c})
		}
	}
	if s.Caller.ID != "" {
		st.do(DoHangup{s.Caller.ID, c})
	}
	st.release(c)
	st.stage(tel.StageEnded)
	st.do(DoEnd{tel.CallEnded{
		Call: s.Call, Direction: s.Direction, From: s.From, To: s.To, In: s.Caller.Party, Out: answeredAt,
		Queue: s.Queue, Agent: s.Agent, Started: s.Started, Answered: s.Answered, Ended: st.now,
		Cause: c, EndedBy: by, Recovered: s.Recovered,
	}})
}

// release gives back what the queue's owner holds for this call.
func (st *step) release(c tel.Cause) {
	s := st.s
	switch {
	case s.Offer != "":
		st.tell(tel.TalkEnded{Offer: s.Offer, Cause: c})
	case s.Queue != "":
		st.tell(tel.CallerGone{Call: s.Call, Cause: c})
	case s.Agent != "":
		st.tell(tel.AgentDisengaged{Agent: s.Agent, Call: s.Call})
	}
	if s.CallerIs != "" {
		st.tell(tel.AgentDisengaged{Agent: s.CallerIs, Call: s.Call})
	}
}
