package call

import (
	"slices"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// maxLineUses bounds the uses of lines that a call remembers; of a call that tries more the oldest are forgotten.
const maxLineUses = 64

// LineUse is a use of a line by a leg of the call; To is zero while it lasts.
type LineUse struct {
	Leg tel.LegID `json:"leg,omitempty"` // none: the line took no call
	tel.LineUse
}

// onLine reports whether a leg occupies a trunk or a line.
func (l *LegState) onLine() bool { return l.ID != "" && tel.OutsideParty(l.Party) }

// everyLeg lists the legs of the call, wherever they are, but for those who supervise: they are at phones.
func (s *State) everyLeg() []*LegState {
	all := []*LegState{&s.Caller}
	for _, l := range []*LegState{s.Peer, s.Accepted} {
		if l != nil {
			all = append(all, l)
		}
	}
	if s.Moving != nil {
		all = append(all, &s.Moving.By)
	}
	for i := range s.Paged {
		all = append(all, &s.Paged[i])
	}
	for g := range s.Groups {
		for i := range s.Groups[g].Legs {
			all = append(all, &s.Groups[g].Legs[i])
		}
	}
	return all
}

// noteLines compares the uses of lines with the legs that there are after an input, so that no way on which a leg comes,
// is picked up or goes can forget one.
func (st *step) noteLines() {
	s := st.s
	if d, ok := st.in.(Dialed); ok && d.Via != "" && len(d.Legs) == 0 {
		st.useLine(LineUse{LineUse: tel.LineUse{Line: d.Via, Out: true, From: st.now, To: st.now, Cause: d.Cause}})
	}
	var legs []*LegState
	for _, l := range s.everyLeg() { // a transferor that is rung again is in two places
		if l.onLine() && !slices.ContainsFunc(legs, func(o *LegState) bool { return o.ID == l.ID }) {
			legs = append(legs, l)
		}
	}
	for i := range s.Uses {
		u := &s.Uses[i]
		if !u.To.IsZero() {
			continue
		}
		there := slices.IndexFunc(legs, func(l *LegState) bool { return l.ID == u.Leg })
		if there < 0 {
			u.To, u.Cause = st.now, st.lineEnd(*u)
			continue
		}
		if legs[there].Up && u.Answered.IsZero() {
			u.Answered = st.now
		}
		legs = slices.Delete(legs, there, there+1)
	}
	for _, l := range legs {
		u := LineUse{l.ID, tel.LineUse{Line: l.Party, Out: l.Out, From: st.now}}
		if l.Up {
			u.Answered = st.now
		}
		_, u.Took = st.in.(Adopt)
		st.useLine(u)
	}
}

// lineEnd is why a use ended whose leg is gone.
func (st *step) lineEnd(u LineUse) tel.Cause {
	if e, ok := st.in.(LegEvent); ok && e.Kind == LegEnded && e.Leg == u.Leg && e.Cause != tel.CauseNone {
		return e.Cause
	}
	if u.Answered.IsZero() {
		return tel.CauseCancelled
	}
	return tel.CauseNormal
}

func (st *step) useLine(u LineUse) {
	s := st.s
	if len(s.Uses) >= maxLineUses {
		s.Uses = slices.Delete(s.Uses, 0, 1)
	}
	s.Uses = append(s.Uses, u)
}

// endLines ends the uses that last, with the call.
func (st *step) endLines(c tel.Cause) {
	for i := range st.s.Uses {
		if u := &st.s.Uses[i]; u.To.IsZero() {
			u.To, u.Cause = st.now, c
		}
	}
}

// lineUses are the uses as the record has them.
func (s *State) lineUses() (all []tel.LineUse) {
	for _, u := range s.Uses {
		all = append(all, u.LineUse)
	}
	return all
}
