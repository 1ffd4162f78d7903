package call

import (
	"cmp"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// maxWatchers bounds who takes part in one conversation beside its parties.
const maxWatchers = 6

// maxSpans bounds what a call keeps of supervision: who plays with the keys stays in the mode he is in.
const maxSpans = 200

// The keys of a supervisor's phone that change the mode, as in other exchanges.
const (
	keyListen  = '4'
	keyWhisper = '5'
	keyBarge   = '6'
)

// wakeWatch lets a call see to its watchers after a restart; wakeReview asks anew whether they may.
const (
	wakeWatch  = "watch"
	wakeReview = "review"
)

// reviewEvery is how soon a supervisor whose legal basis has expired, or its day, is let go.
const reviewEvery = time.Minute

// Watch asks for a part in a conversation. Exactly one of Agent, Call and Ref says which.
type Watch struct {
	Agent tel.AgentID         `json:"agent,omitempty"` // the one in which this agent talks
	Call  tel.CallID          `json:"call,omitempty"`
	Ref   string              `json:"ref,omitempty"` // the one that has the leg of this reference (RFC 3911)
	Mode  tel.SupervisionMode `json:"mode"`
}

// Permit is what somebody may do in an agent's conversation at an instant.
type Permit struct {
	Modes  []tel.SupervisionMode
	Basis  string             // the legal basis, in words for the record
	Follow bool               // stay with the customer when the agent leaves
	Tone   bool               // the agent hears a tone when it begins
	Why    tel.SupervisionEnd // why not, when Modes lacks the one that was asked for
}

func (p Permit) allows(m tel.SupervisionMode) bool { return slices.Contains(p.Modes, m) }

// refusal is why the permit does not allow a mode.
func (p Permit) refusal() tel.SupervisionEnd {
	if p.Why != "" {
		return p.Why
	}
	return tel.SupervisionNoMode
}

// Watcher is a supervisor who takes part in a call.
type Watcher struct {
	LegState
	Now    tel.Supervision       `json:"now"` // the span that runs; From is zero while there is nobody to supervise
	Modes  []tel.SupervisionMode `json:"modes"`
	Follow bool                  `json:"follow,omitempty"`
	Live   bool                  `json:"live,omitempty"` // hears the conversation
}

// queue is where the customer came from: in another call it is remembered of the first.
func (w *Watcher) queue(s *State) tel.QueueID { return cmp.Or(s.Queue, w.Now.Queue) }

// The inputs and effects of supervision.
type (
	// Reviewed answers DoReview: what each watcher, by leg, may do with the agent who talks now.
	Reviewed struct{ Permits map[tel.LegID]Permit }
	// Review asks anew whether those who watch may: the rules may have changed.
	Review struct{}
	// Remode changes the mode of a watcher.
	Remode struct {
		By   tel.AgentID
		Mode tel.SupervisionMode
	}
	// DoReview asks anew whether those who watch may.
	DoReview struct{}
	// DoMix lets the parties and those who watch hear each other, as their modes say.
	DoMix struct {
		Parties  []tel.LegID // one or two who talk; none: who watches hears nothing
		Watchers []Heard
	}
	// DoTakeAlong makes legs ours that come with the one of the Adopt at hand.
	DoTakeAlong struct{ Legs []tel.LegID }
)

// Heard is a watcher as a mix knows it.
type Heard struct {
	Leg   tel.LegID
	Mode  tel.SupervisionMode
	Agent tel.LegID // to whom it whispers
}

func (DoReview) effect()    {}
func (DoMix) effect()       {}
func (DoTakeAlong) effect() {}

// gain is how loud a leg of the mix is heard by another: indexes are those of the parties, then of the
// watchers.
func (m DoMix) gain(from, to int) float64 {
	n := len(m.Parties)
	if from < n {
		return 1
	}
	switch m.Watchers[from-n].Mode {
	case tel.SuperviseBarge:
		return 1
	case tel.SuperviseWhisper:
		if to < n && m.Parties[to] == m.Watchers[from-n].Agent {
			return 1
		}
	}
	return 0
}

// subject is the leg of the agent whose conversation is, or would be, supervised by somebody: the one
// asked for while it is there, else the called agent, else the calling one. Nobody supervises a
// conversation of his own.
func (s *State) subject(asked, by tel.AgentID) *LegState {
	if s.Stage != tel.StageTalking || s.Peer == nil {
		return nil
	}
	both := []*LegState{s.Peer, &s.Caller}
	if by != "" && (s.Peer.Agent == by || s.Caller.Agent == by) {
		return nil
	}
	for _, l := range both {
		if l.Agent != "" && l.Agent == asked {
			return l
		}
	}
	for _, l := range both {
		if l.Agent != "" {
			return l
		}
	}
	return nil
}

// watched is the leg of the agent whom a watch asks for.
func (s *State) watched(w Watch, by tel.AgentID) *LegState {
	if w.Ref != "" {
		if leg, where := s.byRef(w.Ref); leg == nil || where >= 0 {
			return nil
		} else if leg.Agent != "" {
			return s.subject(leg.Agent, by)
		}
	}
	l := s.subject(w.Agent, by)
	if l != nil && w.Agent != "" && l.Agent != w.Agent {
		return nil
	}
	return l
}

// watching finds a watcher by leg.
func (s *State) watching(id tel.LegID) *Watcher {
	for i := range s.Watchers {
		if s.Watchers[i].ID == id {
			return &s.Watchers[i]
		}
	}
	return nil
}

// watch sends a supervisor, who has only come for that, into the conversation.
func (st *step) watch(w Watch) {
	st.s.Watch = &w
	st.stage(tel.StageRouting)
	st.giveAway(st.s.Caller, Target{Watch: &w})
}

// unwatched tells a supervisor why the conversation is not open to him: before the answer a phone that
// asked by signalling gets a status, everybody else words.
func (st *step) unwatched(c tel.Cause, why tel.SupervisionEnd) {
	s := st.s
	w := *s.Watch
	if why != "" {
		s.Supervised = append(s.Supervised, tel.Supervision{By: s.Caller.Agent, Party: s.Caller.Party, Agent: w.Agent, Call: w.Call, Mode: w.Mode, From: st.now, To: st.now, Why: why})
	}
	if w.Ref != "" && !s.Caller.Up {
		st.finish(c, "box")
		return
	}
	st.accept()
	s.HangAfter, s.LastCause = true, c
	st.stage(tel.StageGreeting)
	st.do(DoPlay{s.Caller.ID, Sound{Names: []string{sentence(why)}}})
}

// sentence is the prompt for a supervisor who is refused.
func sentence(why tel.SupervisionEnd) string {
	switch why {
	case "":
		return "supervision_no_call"
	case tel.SupervisionNoBasis, tel.SupervisionExpired:
		return "supervision_no_basis"
	default:
		return "supervision_refused"
	}
}

// admit answers a supervisor who wants to take part: it is the call that is watched.
func (st *step) admit(a Adopt) {
	s := st.s
	w := *a.Target.Watch
	subject := s.watched(w, a.Leg.Agent)
	switch {
	case s.Emergency:
		st.do(DoDecline{Cause: tel.CauseForbidden, Why: tel.SupervisionEmergency})
	case subject == nil:
		st.do(DoDecline{Cause: tel.CauseUnallocated})
	case !a.Permit.allows(w.Mode):
		st.do(DoDecline{Cause: tel.CauseForbidden, Why: a.Permit.refusal()})
	case w.Mode == tel.SuperviseTakeOver:
		st.do(DoTake{a.Leg.ID})
		st.takeOver(subject, a.Leg, a.Permit.Basis)
	case len(s.Watchers) >= maxWatchers:
		st.do(DoDecline{Cause: tel.CauseCongestion})
	default:
		st.do(DoTake{a.Leg.ID})
		for _, w := range slices.Clone(s.Watchers) {
			if w.Agent == a.Leg.Agent { // who comes again from another phone
				st.dismiss(w.ID, tel.SupervisionLeft, tel.CauseNormal)
			}
		}
		leg := a.Leg
		leg.Offer, leg.Engaged, leg.Held = "", false, false
		if !leg.Up {
			leg.Up = true
			st.do(DoAccept{leg.ID})
		}
		st.engage(&leg)
		s.Watchers = append(s.Watchers, Watcher{LegState: leg, Now: tel.Supervision{Agent: subject.Agent, Mode: w.Mode}})
		st.grant(&s.Watchers[len(s.Watchers)-1], subject, a.Permit)
		st.connect()
		st.tone(subject, a.Permit)
		st.reviewLater()
	}
}

// grant lets a watcher hear the conversation of an agent from now on.
func (st *step) grant(w *Watcher, subject *LegState, p Permit) {
	s := st.s
	w.Live, w.Modes, w.Follow = true, p.Modes, p.Follow
	w.Now = tel.Supervision{
		Leg: w.ID, Call: s.Call, By: w.Agent, Party: w.Party, Agent: subject.Agent, Queue: w.queue(s), Mode: w.Now.Mode, From: st.now, Basis: p.Basis,
	}
}

// tone tells an agent by ear that somebody takes part from now on.
func (st *step) tone(subject *LegState, p Permit) {
	if p.Tone && !subject.Held {
		st.do(DoPlay{subject.ID, Sound{Names: []string{"tone_watched"}}})
	}
}

// pauseWatch ends the span that runs.
func (st *step) pauseWatch(w *Watcher, why tel.SupervisionEnd) {
	if w.Now.From.IsZero() {
		return
	}
	w.Now.To, w.Now.Why = st.now, why
	st.s.Supervised = append(st.s.Supervised, w.Now)
	w.Now = tel.Supervision{Agent: w.Now.Agent, Queue: w.Now.Queue, Mode: w.Now.Mode}
	w.Live = false
}

// dismiss ends a watcher's part in the call; the caller sees to the audio of the others.
func (st *step) dismiss(id tel.LegID, why tel.SupervisionEnd, c tel.Cause) {
	s := st.s
	w := s.watching(id)
	if w == nil {
		return
	}
	st.pauseWatch(w, why)
	st.disengage(&w.LegState, c)
	s.Watchers = slices.DeleteFunc(s.Watchers, func(w Watcher) bool { return w.ID == id })
	st.do(DoHangup{id, c}) // also one that has ended: to hang it up is nothing
}

// watcherLeft is a supervisor who hung up: the parties talk on.
func (st *step) watcherLeft(id tel.LegID, c tel.Cause) {
	st.dismiss(id, tel.SupervisionLeft, c)
	if st.s.Stage == tel.StageTalking && st.s.Peer != nil {
		st.connect()
	}
}

// watchKey changes the mode by a key of the supervisor's phone; other keys do nothing.
func (st *step) watchKey(id tel.LegID, key rune) {
	w := st.s.watching(id)
	modes := map[rune]tel.SupervisionMode{keyListen: tel.SuperviseListen, keyWhisper: tel.SuperviseWhisper, keyBarge: tel.SuperviseBarge}
	if mode := modes[key]; mode != "" && w.Live && mode != w.Now.Mode {
		st.mode(w, mode)
	}
}

// remode changes the mode of the watcher who is the agent By.
func (st *step) remode(r Remode) {
	for i := range st.s.Watchers {
		if w := &st.s.Watchers[i]; w.Agent == r.By && w.Live && w.Now.Mode != r.Mode {
			st.mode(w, r.Mode)
			return
		}
	}
}

// mode begins a span of another mode, or says by words that this one is not allowed.
func (st *step) mode(w *Watcher, mode tel.SupervisionMode) {
	s := st.s
	if len(s.Supervised) >= maxSpans && mode != tel.SuperviseTakeOver {
		return
	}
	if !slices.Contains(w.Modes, mode) {
		refused := w.Now
		refused.Leg, refused.Mode, refused.From, refused.To, refused.Why = "", mode, st.now, st.now, tel.SupervisionNoMode
		s.Supervised = append(s.Supervised, refused)
		st.do(DoPlay{w.ID, Sound{Names: []string{sentence(tel.SupervisionNoMode)}}})
		return
	}
	if mode == tel.SuperviseTakeOver {
		st.changePlaces(w)
		return
	}
	next := w.Now
	st.pauseWatch(w, tel.SupervisionModeEnded)
	next.Mode, next.From = mode, st.now
	w.Now, w.Live = next, true
	st.connect()
}

// changePlaces makes a watcher take the call over.
func (st *step) changePlaces(w *Watcher) {
	s := st.s
	subject := s.subject(w.Now.Agent, w.Agent)
	if subject == nil {
		return
	}
	leg, basis, id := w.LegState, w.Now.Basis, w.ID
	st.pauseWatch(w, tel.SupervisionTaken)
	st.disengage(&leg, tel.CauseNormal) // and engaged again as a party
	s.Watchers = slices.DeleteFunc(s.Watchers, func(w Watcher) bool { return w.ID == id })
	st.takeOver(subject, leg, basis)
}

// takeOver gives the place of an agent to a supervisor; from now on the call counts as his.
func (st *step) takeOver(leg *LegState, by LegState, basis string) {
	s := st.s
	gone := *leg
	st.moved(tel.Move{Kind: tel.MoveTakenOver, By: by.Party, Party: gone.Party})
	s.Supervised = append(s.Supervised, tel.Supervision{
		Leg: by.ID, Call: s.Call, By: by.Agent, Party: by.Party, Agent: gone.Agent, Queue: s.Queue,
		Mode: tel.SuperviseTakeOver, From: st.now, To: st.now, Basis: basis, Why: tel.SupervisionTaken,
	})
	for _, w := range slices.Clone(s.Watchers) {
		if w.Agent == by.Agent { // he is there himself now
			st.dismiss(w.ID, tel.SupervisionTaken, tel.CauseNormal)
		}
	}
	st.swap(leg, by)
	st.connect()
}
