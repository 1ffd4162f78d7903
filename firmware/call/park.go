package call

import (
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr/spoken"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// parkDefault is how long a call may be parked before it goes back to who parked it.
const parkDefault = 2 * time.Minute

// park puts the caller into a numbered place. Who dials the code itself hears the number of the
// place and then transfers a party into it; who sends a party there need not wait.
func (st *step) park(d Decision) {
	s := st.s
	p := Parked{By: s.Caller.Party, Slots: d.Slots, For: d.ParkFor}
	if p.For <= 0 {
		p.For = parkDefault
	}
	if s.Moving != nil {
		p.By = s.Moving.By.Party
	}
	s.Parked = &p
	st.accept()
	st.stage(tel.StageParked)
	st.do(DoPark{d.Slots})
}

// parkedAt is the answer of the exchange: the place, or none.
func (st *step) parkedAt(at ParkedAt) {
	s := st.s
	switch {
	case s.Parked == nil || s.Stage != tel.StageParked:
		if at.Slot != "" {
			st.do(DoUnpark(at))
		}
	case at.Slot == "":
		s.Parked = nil
		st.refuse(tel.CauseCongestion)
	default:
		s.Parked.Slot, s.Parked.Until = at.Slot, st.now.Add(s.Parked.For)
		parked := tel.Move{Kind: tel.MoveParked, By: s.Parked.By, Party: s.Caller.Party, To: at.Slot}
		if n := len(s.Moves); n == 0 || !s.Recovered || s.Moves[n-1].Kind != parked.Kind || s.Moves[n-1].To != parked.To {
			st.moved(parked) // once, however often the program was started meanwhile
		}
		st.do(DoWake{wakePark, s.Parked.Until})
		if s.Moving != nil || s.Parked.By != s.Caller.Party {
			st.transferred(s.Caller.Party)
			st.do(DoPlay{s.Caller.ID, music})
			return
		}
		st.do(DoPlay{s.Caller.ID, Sound{Names: spoken.Digits(at.Slot)}})
	}
}

// fetched gives the parked caller to who dialled the place.
func (st *step) fetched(a Adopt) {
	s := st.s
	if s.Parked == nil || s.Parked.Slot != a.Target.Slot || s.Stage != tel.StageParked {
		st.do(DoDecline{Cause: tel.CauseUnallocated})
		return
	}
	st.takeIn(a)
	st.do(DoUnpark{s.Parked.Slot})
	st.moved(tel.Move{Kind: tel.MoveFetched, By: a.Leg.Party, Party: a.Leg.Party, To: s.Parked.Slot})
	s.Parked = nil
	peer := a.Leg
	if !peer.Up {
		peer.Up = true
		st.do(DoAccept{peer.ID})
	}
	peer.Offer, peer.Engaged = "", false
	s.Peer, s.Agent = &peer, peer.Agent
	if s.Answered.IsZero() {
		s.Answered = st.now
	}
	st.stage(tel.StageTalking)
	st.engage(s.Peer)
	st.connect()
}

// parkedTooLong rings who parked the call.
func (st *step) parkedTooLong() {
	s := st.s
	by := s.Parked.By
	st.do(DoUnpark{s.Parked.Slot})
	s.Parked = nil
	if by == s.Caller.Party || !strings.HasPrefix(by, "phone:") {
		st.refuse(tel.CauseNoAnswer)
		return
	}
	st.ringBack(Moving{By: LegState{Party: by}}, tel.CauseNoAnswer)
}
