package call

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// pageLimit ends an announcement that somebody forgot to hang up.
const pageLimit = 2 * time.Minute

// keyPage names the group of phones that are paged.
const keyPage = "page"

// DoPage lets the phones hear From, and nobody else anybody.
type DoPage struct {
	From tel.LegID
	To   []tel.LegID
}

func (DoPage) effect() {}

// page speaks to several phones at once, which answer by themselves: one way, with whoever is free.
func (st *step) page(d Decision) {
	s := st.s
	st.accept()
	s.Ring, s.Page = nil, true
	st.transferred(s.Caller.Party)
	st.stage(tel.StageTalking)
	s.Groups = append(s.Groups, Group{Key: keyPage, Deadline: st.now.Add(ringReturn)})
	st.do(
		DoDialDevices{Key: keyPage, Devices: d.Devices, Ring: ringReturn - grace, SkipBusy: true, Intercom: true},
		DoWake{keyPage, st.now.Add(ringReturn)}, DoWake{wakePage, st.now.Add(pageLimit)},
	)
}

// listens takes a phone that has answered among those who hear.
func (st *step) listens(leg LegState, g int) {
	s := st.s
	leg.Up = true
	s.Groups[g].Legs = slices.DeleteFunc(s.Groups[g].Legs, func(l LegState) bool { return l.ID == leg.ID })
	if len(s.Groups[g].Legs) == 0 {
		s.Groups = slices.Delete(s.Groups, g, g+1)
	}
	s.Paged = append(slices.Clip(s.Paged), leg)
	st.engage(&s.Paged[len(s.Paged)-1])
	if s.Answered.IsZero() {
		s.Answered = st.now
	}
	st.speak()
}

// speak lets everybody who listens hear the caller.
func (st *step) speak() {
	var to []tel.LegID
	for _, l := range st.s.Paged {
		to = append(to, l.ID)
	}
	if len(to) > 0 {
		st.do(DoPage{st.s.Caller.ID, to})
	}
}

// stopsListening is a phone that hung up; when it was the last the announcement is over.
func (st *step) stopsListening(leg *LegState, c tel.Cause) {
	s := st.s
	st.disengage(leg, c)
	id := leg.ID
	s.Paged = slices.DeleteFunc(slices.Clone(s.Paged), func(l LegState) bool { return l.ID == id })
	if len(s.Paged) == 0 && len(s.Groups) == 0 {
		st.finish(c, "box")
		return
	}
	st.speak()
}
