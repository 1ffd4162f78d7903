package conference

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The inputs of the machine beside the messages of calls (tel.ToConference).
type (
	// Order is the wish of somebody at the page. Call is the member that it is about, where it is about one.
	Order struct {
		What Wish
		Call tel.CallID
	}
	// Configured is what the configuration says of the room from now on; nil: there is none any more.
	Configured struct{ Spec *Spec }
	// Returned says that the calls of an earlier process are back; who has not come is gone.
	Returned struct{}
)

// Wish is what somebody wants of a room.
type Wish string

// The wishes.
const (
	Mute      Wish = "mute"
	Unmute    Wish = "unmute"
	Remove    Wish = "remove"
	Lock      Wish = "lock"
	Unlock    Wish = "unlock"
	MuteAll   Wish = "mute_all" // but the leaders
	UnmuteAll Wish = "unmute_all"
	End       Wish = "end"

	Record     Wish = "record" // on demand
	RecordStop Wish = "record_stop"
)

// Wishes lists every one.
func Wishes() []Wish {
	return []Wish{Mute, Unmute, Remove, Lock, Unlock, MuteAll, UnmuteAll, End, Record, RecordStop}
}

// Effect is something the owner must do, in order; each type below is one.
type Effect interface{ effect() }

// The effects.
type (
	// Tell is a message to a call.
	Tell struct{ Message tel.ToCall }
	// Mix lets the members hear each other anew: all who are there, and who of them is heard.
	Mix struct{ Voices []Voice }
)

// Voice is a member as the mixer knows it.
type Voice struct {
	Leg   tel.LegID
	Heard bool
}

func (Tell) effect() {}
func (Mix) effect()  {}

// step is one run of the machine.
type step struct {
	s   *State
	now time.Time
	out []Effect
	mix bool

	kept bool // whose voices are kept has changed
}

// Next applies one input and returns what must be done, in order. It is pure.
func Next(s State, in any, now time.Time) (State, []Effect) {
	s.Members = slices.Clone(s.Members)
	st := step{s: &s, now: now}
	switch in := in.(type) {
	case tel.EnterConference:
		st.enter(in)
	case tel.LeaveConference:
		st.leave(in.Call, "")
	case tel.ConferenceHeld:
		st.held(in)
	case tel.ConferenceKey:
		st.key(in)
	case Order:
		st.order(in)
	case Configured:
		st.configured(in.Spec)
	case Returned:
		for _, m := range slices.Clone(s.Members) {
			if m.Away {
				st.leave(m.Call, "")
			}
		}
		st.forgetTape() // in case that the process died before it was done
	case tel.ConferenceSaid:
		st.said(in.Call)
	case TapeFailed:
		st.tapeFailed(in)
	case Tick:
		st.ticked()
	}
	st.settle()
	st.taping()
	return s, st.out
}

func (st *step) tell(m tel.ToCall) { st.out = append(st.out, Tell{m}) }

// say lets a member hear words; one whose phone holds the room hears none, and none cut short that it is recorded.
func (st *step) say(m *Member, names ...string) {
	if !m.Held && !m.Away && !m.Telling {
		st.tell(tel.ConferenceSays{Call: m.Call, Names: names})
	}
}

// settle brings sound to where the state wants it: the mix first, then the music.
func (st *step) settle() {
	s := st.s
	if st.mix {
		var all []Voice
		for i := range s.Members {
			if m := &s.Members[i]; !m.Away {
				all = append(all, Voice{m.Leg, s.heard(m)})
			}
		}
		// What else is to be heard comes after it: a mix ends what a newcomer hears.
		st.out = slices.Insert(st.out, 0, Effect(Mix{all}))
	}
	alone := len(s.Members) == 1
	var music []Effect
	for i := range s.Members {
		m := &s.Members[i]
		want := !s.Spec.NoMusic && (s.Waits() || alone) && !m.Held && !m.Away
		if want == m.Music {
			continue
		}
		m.Music = want
		says := tel.ConferenceSays{Call: m.Call}
		if want {
			says.Names, says.Loop = []string{"music"}, true
		}
		if !m.Held && !m.Away {
			music = append(music, Tell{says})
		}
	}
	at := 0
	if st.mix {
		at = 1
	}
	st.out = slices.Insert(st.out, at, music...) // words are said over music, and music would end words
}

// enter gives a seat.
func (st *step) enter(e tel.EnterConference) {
	s := st.s
	m := Member{
		Call: e.Call, Leg: e.Leg, Party: e.Party, Number: e.Number, Name: e.Name, Agent: e.Agent, Since: st.now,
		Leader: e.Leader, Muted: s.Spec.Silent && !e.Leader, Ear: Ear{Never: e.Refused},
	}
	if was := s.member(e.Call); was != nil { // back after a restart, or another party in its place
		m.Since, m.Leader, m.Muted = was.Since, was.Leader || e.Leader, was.Muted
		if was.Leg == m.Leg {
			m.Held, m.Music = was.Held, was.Music
		}
		m.Ear = was.Ear
		m.Never = e.Refused
		m.Telling = false                       // the words of before were said to who was there before
		m.Taped = was.Taped && was.Leg == m.Leg // its call has written down of which leg
		if was.Party != m.Party {
			m.Told, m.Tells = false, 0
		}
		*was = m
		st.tell(tel.Seated{Call: e.Call})
		st.mix = true
		return
	}
	switch {
	case len(s.Members) >= min(s.Spec.Limit, MaxParties):
		st.tell(tel.SeatRefused{Call: e.Call, Why: tel.SeatFull})
		return
	case s.Locked && !e.Leader && !e.Again:
		st.tell(tel.SeatRefused{Call: e.Call, Why: tel.SeatLocked})
		return
	}
	if len(s.Members) == 0 {
		s.Since, s.Tape = st.now, Taping{Rule: s.Spec.Tape}
	}
	waited := s.Waits()
	s.Opened = s.Opened || e.Leader
	if s.Spec.Tones && !e.Again {
		st.tones("tone_joined")
	}
	s.Members = append(s.Members, m)
	st.mix = true
	st.tell(tel.Seated{Call: e.Call})
	me := &s.Members[len(s.Members)-1]
	switch {
	case e.Again:
	case s.Waits():
		st.say(me, "conference_await")
	case len(s.Members) == 1:
		st.say(me, "conference_alone")
	case me.Muted:
		st.say(me, "conference_muted")
	case waited && s.Spec.Tones: // everybody hears everybody from now on
		st.say(me, "tone_joined")
	}
}

// tones tells everybody who is there, by ear, that somebody comes or goes.
func (st *step) tones(name string) {
	for i := range st.s.Members {
		if !st.s.Waits() {
			st.say(&st.s.Members[i], name)
		}
	}
}

// leave takes a seat back. A reason is told to the call, which ends then.
func (st *step) leave(call tel.CallID, why tel.SeatEnd) {
	s := st.s
	m := s.member(call)
	if m == nil {
		return
	}
	leader, away := m.Leader, m.Away
	s.Members = slices.DeleteFunc(s.Members, func(m Member) bool { return m.Call == call })
	st.mix = true
	if why != "" && !away {
		st.tell(tel.SeatEnded{Call: call, Why: why})
	}
	if len(s.Members) == 0 {
		st.endTape(tapeOver)
		s.empty()
		return
	}
	if s.Spec.Tones && why != tel.SeatOver {
		st.tones("tone_left")
	}
	if leader && !s.led() {
		s.Locked = false // nobody is left who could open it
		if s.Spec.EndAfter && why != tel.SeatOver {
			st.end()
		}
	}
}

// end sends everybody away.
func (st *step) end() {
	for _, m := range slices.Clone(st.s.Members) {
		st.leave(m.Call, tel.SeatOver)
	}
}

func (st *step) held(h tel.ConferenceHeld) {
	m := st.s.member(h.Call)
	if m == nil || m.Held == h.Held {
		return
	}
	m.Held, st.mix = h.Held, true
	if h.Held {
		m.Music = false // it hears nothing; back again, it is told anew
	}
}

// key reads the commands of a member's phone: a star and a digit.
func (st *step) key(k tel.ConferenceKey) {
	m := st.s.member(k.Call)
	if m == nil {
		return
	}
	if st.optsOut(m, k.Key) {
		return
	}
	command := m.Star && k.Key != '*'
	m.Star = k.Key == '*'
	switch {
	case !command:
	case k.Key == '6':
		st.muted(m, !m.Muted)
	case !m.Leader:
	case k.Key == '1':
		st.locked(!st.s.Locked, m)
	case k.Key == '2':
		st.record(!st.s.Tape.Asked, m)
	case k.Key == '3':
		if last := st.lastParty(); last != nil {
			st.leave(last.Call, tel.SeatRemoved)
		}
	case k.Key == '5':
		all := !slices.ContainsFunc(st.s.Members, func(m Member) bool { return !m.Leader && !m.Muted })
		st.muteAll(!all)
	case k.Key == '0':
		st.end()
	}
}

// lastParty is who came last and is no leader; nil: nobody.
func (st *step) lastParty() *Member {
	for i := len(st.s.Members) - 1; i >= 0; i-- {
		if m := &st.s.Members[i]; !m.Leader {
			return m
		}
	}
	return nil
}

// muted silences a member, or gives its voice back, and says so to it.
func (st *step) muted(m *Member, on bool) {
	if m.Muted == on {
		return
	}
	m.Muted, st.mix = on, true
	st.say(m, map[bool]string{true: "conference_muted", false: "conference_unmuted"}[on])
}

func (st *step) muteAll(on bool) {
	for i := range st.s.Members {
		if m := &st.s.Members[i]; !m.Leader {
			st.muted(m, on)
		}
	}
}

// locked locks the room; by hears it, if it was a member's wish.
func (st *step) locked(on bool, by *Member) {
	if st.s.Locked == on || len(st.s.Members) == 0 {
		return
	}
	st.s.Locked = on
	if by != nil {
		st.say(by, map[bool]string{true: "conference_locked", false: "conference_unlocked"}[on])
	}
}

func (st *step) order(o Order) {
	m := st.s.member(o.Call)
	switch o.What {
	case Mute, Unmute:
		if m != nil {
			st.muted(m, o.What == Mute)
		}
	case Remove:
		if m != nil {
			st.leave(m.Call, tel.SeatRemoved)
		}
	case Lock, Unlock:
		st.locked(o.What == Lock, nil)
	case MuteAll, UnmuteAll:
		st.muteAll(o.What == MuteAll)
	case End:
		st.end()
	case Record, RecordStop:
		st.record(o.What == Record, nil)
	}
}

// configured takes what holds from now on. Who is inside stays, also above a new limit.
func (st *step) configured(spec *Spec) {
	s := st.s
	if spec == nil {
		for _, m := range slices.Clone(s.Members) {
			st.leave(m.Call, tel.SeatGone)
		}
		return
	}
	if s.Waits() != (spec.Await && !s.Opened) {
		st.mix = true
	}
	s.Spec = *spec
}
