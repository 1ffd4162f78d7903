package call

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Rooms are the conference rooms. Their methods must not block; false: the owner is overloaded.
type Rooms interface {
	// Enter asks for a seat for the leg, which the room may mix with others until Leave.
	Enter(m tel.EnterConference, leg Leg) bool
	Tell(m tel.ToConference) bool
}

// Seat is a caller's place in a conference room.
type Seat struct {
	Room   tel.ConferenceID `json:"room"`
	Leader bool             `json:"leader,omitempty"`
	In     bool             `json:"in,omitempty"`    // the room has given it
	Taped  string           `json:"taped,omitempty"` // the part that is recorded of it now
}

// The effects of conferences.
type (
	// DoEnter asks for the seat of the caller; Again is of EnterConference.
	DoEnter struct{ Again bool }
	// DoTellRoom is a message to the owner of the rooms.
	DoTellRoom struct{ Message tel.ToConference }
)

func (DoEnter) effect()    {}
func (DoTellRoom) effect() {}

// sit sends the caller, whose code was right, into a conference room.
func (st *step) sit(e ivr.Enter) {
	s := st.s
	s.Script = nil
	s.Seat = &Seat{Room: tel.ConferenceID(e.Room), Leader: e.Leader}
	st.do(DoHush{s.Caller.ID})
	st.stage(tel.StageMeeting)
	st.enter()
}

// enter asks the room for the seat.
func (st *step) enter() {
	s := st.s
	s.untaped(st.now, TapeParted, "") // another party takes the seat
	st.do(DoEnter{})
	if s.Caller.Held {
		st.do(DoTellRoom{tel.ConferenceHeld{Call: s.Call, Conference: s.Seat.Room, Held: true}})
	}
}

// seated is the room's yes.
func (st *step) seated() {
	s := st.s
	if s.Seat == nil || s.Seat.In {
		return
	}
	s.Seat.In = true
	if s.Answered.IsZero() {
		s.Answered = st.now
	}
	st.moved(tel.Move{Kind: tel.MoveSeated, Party: s.Caller.Party, To: tel.Number(s.Seat.Room)})
}

// unseated says in words why there is no seat, or none any more, and lets the caller go.
func (st *step) unseated(why tel.SeatEnd) {
	s := st.s
	if s.Seat == nil {
		return
	}
	st.rise() // the room has done so already; who lends it the leg has not
	s.HangAfter, s.LastCause = true, tel.CauseNormal
	words := "conference_over"
	switch why {
	case tel.SeatFull:
		words, s.LastCause = "conference_full", tel.CauseCongestion
	case tel.SeatLocked:
		words, s.LastCause = "conference_closed", tel.CauseForbidden
	case tel.SeatRemoved:
		words = "conference_removed"
	}
	st.stage(tel.StageGreeting)
	st.do(DoPart{s.Caller.ID}, DoPlay{s.Caller.ID, Sound{Names: []string{words, "goodbye"}}})
}

// rise gives the seat back.
func (st *step) rise() {
	s := st.s
	if s.Seat == nil {
		return
	}
	s.untaped(st.now, TapeParted, "")
	if s.Seat.In {
		st.moved(tel.Move{Kind: tel.MoveUnseated, Party: s.Caller.Party, To: tel.Number(s.Seat.Room)})
	}
	st.do(DoTellRoom{tel.LeaveConference{Call: s.Call, Conference: s.Seat.Room}})
	s.Seat = nil
}

// seatEvent tells the room what happens on the leg of its member; false when it is not for it.
func (st *step) seatEvent(leg *LegState, where int, e LegEvent) bool {
	s := st.s
	if s.Seat == nil || where != asCaller {
		return false
	}
	switch e.Kind {
	case LegDigit:
		st.do(DoTellRoom{tel.ConferenceKey{Call: s.Call, Conference: s.Seat.Room, Key: e.Digit}})
	case LegHeld:
		if leg.Held != e.Held {
			leg.Held = e.Held
			st.do(DoTellRoom{tel.ConferenceHeld{Call: s.Call, Conference: s.Seat.Room, Held: e.Held}})
		}
	case LegPlayed:
		st.do(DoTellRoom{tel.ConferenceSaid{Call: s.Call, Conference: s.Seat.Room}})
	case LegSilent:
		if !leg.Held {
			st.finish(tel.CauseMediaTimeout, "box")
		}
	default:
		return false
	}
	return true
}

// says lets the caller hear what the room says to it.
func (st *step) says(m tel.ConferenceSays) {
	s := st.s
	switch {
	case s.Seat == nil:
	case len(m.Names) == 0:
		st.do(DoHush{s.Caller.ID})
	default:
		st.do(DoPlay{s.Caller.ID, Sound{Names: m.Names, Language: s.Language, Loop: m.Loop, Over: !m.Loop}})
	}
}

// roomTaped notes what the room records of the caller.
func (st *step) roomTaped(m tel.ConferenceTaped) {
	s := st.s
	if s.Seat == nil {
		return
	}
	switch {
	case m.ID == "": // somebody in the room has refused: all of it is deleted
		for i := range s.Tapes {
			if s.Tapes[i].Chain == m.Chain {
				s.Tapes[i].Why = m.Why
			}
		}
	case m.Why != "" || m.Failed != "":
		if s.Seat.Taped == m.ID {
			s.untaped(st.now, m.Why, m.Failed)
		}
	case len(s.Tapes) < maxTapes:
		s.untaped(st.now, TapeParted, "")
		s.Seat.Taped = m.ID
		s.Tapes = append(s.Tapes, tel.Recorded{ID: m.ID, Chain: m.Chain, Legs: []tel.LegID{s.Caller.ID}, From: st.now})
	}
}

// untaped ends what the room records of the caller, if it does.
func (s *State) untaped(now time.Time, why, failed string) {
	if s.Seat == nil || s.Seat.Taped == "" {
		return
	}
	s.Seat.Taped = ""
	last := s.lastTape()
	last.To, last.Why, last.Failed = now, why, failed
}

// room carries out the effects of conferences; false for another effect.
func (a *actor) room(e Effect) bool {
	r := a.x.cfg.Rooms
	switch e := e.(type) {
	case DoEnter:
		s := &a.state
		l, ok := a.legs[s.Caller.ID]
		if s.Seat == nil {
			return true
		}
		m := tel.EnterConference{
			Call: s.Call, Conference: s.Seat.Room, Leg: s.Caller.ID, Party: s.Caller.Party, Number: s.From, Name: s.FromName,
			Agent: s.Caller.Agent, Leader: s.Seat.Leader, Again: e.Again, Refused: s.Tape.Refused,
		}
		if r == nil || !ok || !r.Enter(m, l.Leg) {
			a.tell(tel.SeatRefused{Call: s.Call, Why: tel.SeatGone})
		}
	case DoTellRoom:
		if r != nil && !r.Tell(e.Message) {
			a.log.Error("a conference room does not take messages", "message", e.Message)
		}
	default:
		return false
	}
	return true
}
