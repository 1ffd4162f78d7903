package call

import (
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// handOverWait is how long another call may take to answer for a leg.
const handOverWait = 5 * time.Second

// referred is a phone's wish to send its partner elsewhere (RFC 3515): to a number, or into the place
// that the phone has in another of its calls (RFC 5589 section 7, Replaces).
func (st *step) referred(leg *LegState, where int, e LegEvent) {
	s := st.s
	if where != asCaller && where != asPeer || s.Stage != tel.StageTalking || s.Peer == nil || s.Moving != nil || s.Hops >= maxHops {
		st.do(DoAnswerRefer{leg.ID, 603})
		return
	}
	st.do(DoAnswerRefer{leg.ID, 202})
	if e.Replaces == "" {
		st.sendTo(*leg, e.To)
		return
	}
	s.Moving = &Moving{By: *leg, Attended: true}
	st.giveAway(*s.other(leg), Target{Ref: e.Replaces})
}

// sendTo is a blind transfer: the conversation of the transferor ends here, its partner goes to the
// number with the transferor's rights.
func (st *step) sendTo(by LegState, to tel.Number) {
	s := st.s
	stays := *s.other(&by)
	st.do(DoPart{stays.ID})
	st.disengage(&by, tel.CauseTransferred)
	if stays.Offer != "" { // the agent is sent on by the queue's caller: that conversation is over
		st.disengage(&stays, tel.CauseTransferred)
		st.engage(&stays)
	}
	s.Moving = &Moving{By: by, To: to}
	st.moved(tel.Move{Kind: tel.MoveBlind, By: by.Party, Party: stays.Party, To: to})
	if stays.ID == s.Peer.ID { // the called one stays: from now on it is the one who calls
		s.From, s.FromName = stays.Number, stays.Name
	}
	s.Caller, s.Peer = stays, nil
	s.As = by.Party
	s.Hops++
	st.stage(tel.StageRouting)
	st.do(DoRoute{As: by.Party, Number: to})
}

// transferred tells the transferor of its success: the one it sent is where it should be.
func (st *step) transferred(party string) {
	s := st.s
	m := s.Moving
	if m == nil {
		return
	}
	s.Moving = nil
	switch {
	case m.Returned:
		st.moved(tel.Move{Kind: tel.MoveReturned, By: m.By.Party, Party: party})
	case m.By.ID != "":
		st.do(DoNotifyRefer{m.By.ID, 200, true}, DoHangup{m.By.ID, tel.CauseTransferred})
	}
}

// transferFailed gives the party back to the transferor: on the leg that is still up, or by ringing
// its phone again. The second time it is turned away.
func (st *step) transferFailed(c tel.Cause) {
	s := st.s
	m := *s.Moving
	s.Moving = nil
	switch {
	case m.Returned:
		st.refuse(c)
	case m.By.ID != "":
		st.do(DoNotifyRefer{m.By.ID, c.SIPStatus(), true})
		s.Peer, s.Agent = &m.By, m.By.Agent
		st.stage(tel.StageTalking)
		st.engage(s.Peer)
		st.connect()
	default:
		st.ringBack(m, c)
	}
}

// ringBack rings the transferor whose phone has left; the caller stays the caller, so that the
// transferor sees who comes back.
func (st *step) ringBack(m Moving, c tel.Cause) {
	s := st.s
	device, isPhone := strings.CutPrefix(m.By.Party, "phone:")
	if !isPhone {
		st.refuse(c)
		return
	}
	m.Returned = true
	s.Moving = &m
	st.do(DoPlay{s.Caller.ID, ringback})
	st.ring(Ring{Branches: []Branch{{Devices: []tel.DeviceID{tel.DeviceID(device)}, For: ringReturn}}})
}

// giveAway offers a leg of this call to another one.
func (st *step) giveAway(leg LegState, to Target) {
	st.s.AnswerBy = st.now.Add(handOverWait)
	st.do(DoHandOver{Leg: leg, Target: to, Watchers: st.s.followers()}, DoWake{wakeHandOver, st.s.AnswerBy})
}

// fetch is a call that only came to take a place in another: what is parked or rings elsewhere.
func (st *step) fetch(d Decision) {
	s := st.s
	t := Target{Ref: d.Replaces, EarlyOnly: d.EarlyOnly, Ringing: d.Pickup}
	if d.Kind == ToSlot && len(d.Slots) > 0 {
		t.Slot = d.Slots[0]
	}
	if s.Moving != nil { // somebody sends his partner to fetch a call: who answers is talked to
		st.transferred(s.Caller.Party)
	}
	st.stage(tel.StageRouting)
	st.giveAway(s.Caller, t)
}

// handedOver is the answer of the other call.
func (st *step) handedOver(h HandedOver) {
	s := st.s
	attended := s.Moving != nil && s.Moving.Attended
	switch {
	case !attended && s.Stage != tel.StageRouting:
		// too late: the wait for the answer is over
	case h.OK:
		st.left(h)
	case s.Watch != nil:
		st.unwatched(h.Cause, h.Why)
	case attended:
		by := s.Moving.By.ID
		s.Moving = nil
		if by != "" {
			st.do(DoNotifyRefer{by, h.Cause.SIPStatus(), true})
		}
	default:
		st.refuse(h.Cause)
	}
}

// left ends what remains of this call when its leg went on in another.
func (st *step) left(h HandedOver) {
	s := st.s
	by := ""
	if s.Moving != nil {
		by = s.Moving.By.Party
		if s.Moving.By.ID != "" {
			st.do(DoNotifyRefer{s.Moving.By.ID, 200, true})
		}
		s.Moving = nil
	}
	gone := &s.Caller
	if s.Peer != nil && s.Peer.ID == h.Leg {
		gone = s.Peer
	}
	st.report(sipOK)
	st.moved(tel.Move{Kind: tel.MoveInto, By: by, Party: gone.Party, Call: h.Into})
	gone.ID = ""
	st.disengage(gone, tel.CauseTransferred)
	st.passOn(h.Along)
	st.finish(tel.CauseTransferred, "box")
}

// adopt takes a leg of another call into this one, or declines it.
func (st *step) adopt(a Adopt) {
	s := st.s
	switch t := a.Target; {
	case s.calling():
		st.do(DoDecline{Cause: tel.CauseUnallocated}) // what rings is a customer who is not on the line
	case s.Moving != nil:
		st.do(DoDecline{Cause: tel.CauseCongestion}) // two transfers cross: neither may lose its party
	case t.Watch != nil:
		st.admit(a)
	case t.Slot != "":
		st.fetched(a)
	case t.Ref != "":
		leg, where := s.byRef(t.Ref)
		switch {
		case leg == nil:
			st.do(DoDecline{Cause: tel.CauseUnallocated})
		case where >= 0:
			st.pickedUp(a, where)
		case t.EarlyOnly:
			st.do(DoDecline{Cause: tel.CauseBusy}) // RFC 3891 section 3: 486 when it is answered already
		default:
			st.replace(leg, a)
		}
	default:
		for g := range s.Groups {
			for _, l := range s.Groups[g].Legs {
				for _, d := range t.Ringing {
					if l.Party == "phone:"+string(d) {
						st.pickedUp(a, g)
						return
					}
				}
			}
		}
		st.do(DoDecline{Cause: tel.CauseUnallocated})
	}
}

// pickedUp lets somebody else answer what rings.
func (st *step) pickedUp(a Adopt, g int) {
	st.takeIn(a)
	st.moved(tel.Move{Kind: tel.MovePickup, By: a.Leg.Party, Party: a.Leg.Party})
	st.won(a.Leg, g)
}

// replace gives the place of a leg to another one and hangs the first up (RFC 3891 section 3).
func (st *step) replace(leg *LegState, a Adopt) {
	st.takeIn(a)
	st.moved(tel.Move{Kind: tel.MoveReplaced, By: leg.Party, Party: a.Leg.Party})
	st.swap(leg, a.Leg)
	st.rejoin()
}

// swap puts a leg in the place of the caller or the peer, who is hung up; its sound is still to come.
func (st *step) swap(leg *LegState, by LegState) {
	s := st.s
	gone := *leg
	if s.Stage == tel.StageTalking || s.Early != "" {
		st.do(DoPart{gone.ID})
	}
	st.disengage(&gone, tel.CauseTransferred)
	if !by.Up {
		by.Up = true
		st.do(DoAccept{by.ID})
	}
	by.Offer, by.Engaged = "", false
	*leg = by
	st.do(DoHangup{gone.ID, tel.CauseTransferred})
	st.engage(leg)
	if leg == &s.Caller {
		s.From, s.FromName = by.Number, by.Name
	} else {
		s.Agent = by.Agent
	}
}

// rejoin gives a caller who took another's place the sound of that place.
func (st *step) rejoin() {
	s := st.s
	switch {
	case s.Stage == tel.StageTalking && s.Peer != nil:
		st.connect()
	case s.Early != "":
		st.do(DoJoin{s.Caller.ID, s.Early})
	case s.waits(): // the place is the newcomer's now
		s.Script, s.Greeted = nil, true
		st.unsay()
		st.do(DoPlay{s.Caller.ID, music})
		st.tell(tel.CallerNamed{Call: s.Call, Caller: s.From, Name: s.FromName})
		st.tell(tel.CallerGreeted{Call: s.Call})
	case s.Stage == tel.StageParked:
		st.do(DoPlay{s.Caller.ID, music})
	case s.Script != nil:
		st.script(ivr.Resumed{}) // the newcomer hears the question again
	case s.Seat != nil: // the seat is the newcomer's now
		st.enter()
	case s.Stage == tel.StageRinging:
		st.do(DoPlay{s.Caller.ID, ringback})
	}
}
