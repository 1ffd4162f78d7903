package call

import (
	"slices"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// music is what a waiting or held party hears; ringback what an answered one hears while it rings.
var (
	music    = Sound{Names: []string{"music"}, Loop: true}
	ringback = Sound{Names: []string{"tone_ringback"}, Loop: true}
)

func (st *step) legEvent(e LegEvent) {
	switch e.Kind {
	case LegRecorded:
		st.recorded(e)
		return
	case LegQuiet:
		st.quiet(e.Leg)
		return
	}
	leg, where := st.s.leg(e.Leg)
	if leg == nil {
		return // a leg that already lost: it ends by itself
	}
	if e.Kind == LegMachine {
		st.s.Machine = st.s.Machine.Or(e.Machine)
		return
	}
	if st.scriptEvent(where, e) || st.seatEvent(leg, where, e) {
		return
	}
	switch e.Kind {
	case LegProgress:
		st.progress(leg, where, e.Early)
	case LegAnswered:
		switch {
		case where >= 0 && st.s.Page:
			st.listens(*leg, where)
		case where >= 0:
			st.won(*leg, where)
		}
	case LegEnded:
		st.legEnded(leg, where, e)
	case LegHeld:
		st.held(leg, where, e.Held)
	case LegPlayed:
		if st.noticePlayed(leg.ID) {
			return
		}
		st.played(where)
	case LegSilent:
		if where == asWatcher && !leg.Held {
			st.do(DoHangup{leg.ID, tel.CauseMediaTimeout}) // its phone is gone
		}
		if (where == asCaller || where == asPeer) && leg.Up && !leg.Held && st.s.Stage == tel.StageTalking {
			st.finish(tel.CauseMediaTimeout, "box")
		}
	case LegDigit:
		if where == asWatcher {
			st.watchKey(leg.ID, e.Digit)
			return
		}
		st.digit(leg, where, e.Digit, e.Beside)
	case LegFlash:
		st.flash(leg, where, e.Beside)
	case LegRefer:
		st.referred(leg, where, e)
	}
}

func (st *step) progress(leg *LegState, g int, early bool) {
	s := st.s
	if g < 0 {
		return
	}
	leg.Rang = true
	group := &s.Groups[g]
	first := !group.Rang
	group.Rang = true
	if s.Summons == nil {
		st.report(sipRinging)
	}
	if s.Page {
		return // who speaks does not wait for anybody
	}
	if group.Offer != "" {
		if first {
			st.tell(tel.OfferRinging{Offer: group.Offer})
		}
		return // a queued caller hears music, not the agent's phone
	}
	if first && s.Moving != nil && !s.Moving.Returned && s.Moving.By.ID != "" {
		st.do(DoNotifyRefer{s.Moving.By.ID, 180, false})
	}
	if early && group.Outside && len(s.Groups) == 1 {
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
		st.do(DoPlay{s.Caller.ID, ringback})
	}
}

// won makes the leg that answered first the caller's peer; every other attempt is void.
func (st *step) won(peer LegState, g int) {
	s := st.s
	if s.Summons != nil {
		st.summoned(peer)
		return
	}
	group := s.Groups[g]
	arrived := !slices.ContainsFunc(group.Legs, func(l LegState) bool { return l.ID == peer.ID }) // picked up elsewhere
	switch w := group.Whisper; {
	case group.Offer == "" || arrived:
	case s.Callback != nil:
		st.agentForCallback(peer, g)
		return
	case s.Accepted != nil || w != tel.Whisper{}:
		st.accepted(peer, g)
		return
	}
	peer.Up = true
	st.othersLose(peer.ID)
	if peer.Agent == "" && !arrived {
		peer.Agent = group.Agent
	}
	st.meet(peer, arrived)
	switch {
	case s.calling():
		st.reached()
	case group.Offer != "" && !arrived:
		s.Waiting = false
		s.Peer.Offer = group.Offer
		st.tell(tel.OfferAnswered{Offer: group.Offer})
	case group.Offer != "": // the queue's caller is taken by somebody to whom it was not offered
		s.Waiting = false
		st.tell(tel.CallerGone{Call: s.Call, Cause: tel.CauseAnsweredElsewhere})
		st.engage(s.Peer)
	default:
		st.engage(s.Peer)
	}
	st.transferred(peer.Party)
}

// othersLose hangs up everything that rings but the winner.
func (st *step) othersLose(winner tel.LegID) {
	for _, g := range st.s.Groups {
		g.Legs = slices.DeleteFunc(slices.Clone(g.Legs), func(l LegState) bool { return l.ID == winner })
		for _, l := range g.Legs {
			st.do(DoHangup{l.ID, tel.CauseAnsweredElsewhere})
		}
		st.s.oweGroup(g)
	}
}

// meet connects the caller with the peer who won; nothing else rings any more. A peer who has arrived,
// and was not called, is answered.
func (st *step) meet(peer LegState, arrived bool) {
	s := st.s
	st.dropAccepted(tel.CauseAnsweredElsewhere) // a colleague was faster than the whisper
	s.Groups, s.Ring, s.Early, s.Saying, s.Script = nil, nil, "", false, nil
	s.Peer, s.Agent = &peer, peer.Agent
	if s.Answered.IsZero() {
		s.Answered = st.now
	}
	st.stage(tel.StageTalking)
	st.do(DoHush{s.Caller.ID})
	st.accept()
	if arrived {
		st.do(DoAccept{peer.ID})
	}
	if s.Caller.Held || peer.Held {
		st.connect()
		return
	}
	st.do(DoJoin{s.Caller.ID, peer.ID})
}

// engage tells the queues that an agent is on a call which did not come from them.
func (st *step) engage(l *LegState) {
	if l.Agent != "" && l.Offer == "" && !l.Engaged {
		if l.Engaged = true; !st.s.engagedBeside(l) {
			st.tell(st.s.engagement(l.Agent))
		}
	}
}

func (s *State) engagement(a tel.AgentID) tel.AgentEngaged {
	return tel.AgentEngaged{Agent: a, Call: s.Call, Internal: s.Direction == tel.Internal, Outbound: s.Direction == tel.Outbound}
}

// disengage gives back what the queues hold for a party that leaves the conversation.
func (st *step) disengage(l *LegState, c tel.Cause) {
	switch {
	case l.Offer != "" && st.s.calling():
		st.missed(l)
	case l.Offer != "":
		st.tell(tel.TalkEnded{Offer: l.Offer, Cause: c})
	case l.Engaged && !st.s.engagedBeside(l):
		st.tell(tel.AgentDisengaged{Agent: l.Agent, Call: st.s.Call})
	}
	l.Offer, l.Engaged = "", false
}

// engagedBeside reports whether the agent of a leg is in the call by another one too, as a supervisor to whom the call
// is transferred that the other telephone listens to.
func (s *State) engagedBeside(l *LegState) bool {
	also := func(x *LegState) bool { return x.Engaged && x.Agent == l.Agent && x.ID != l.ID }
	return also(&s.Caller) || s.Peer != nil && also(s.Peer) ||
		slices.ContainsFunc(s.Paged, func(x LegState) bool { return also(&x) }) ||
		slices.ContainsFunc(s.Watchers, func(w Watcher) bool { return also(&w.LegState) })
}

func (st *step) legEnded(leg *LegState, where int, e LegEvent) {
	s := st.s
	by := "box"
	if s.Moving != nil && s.Moving.By.ID == leg.ID {
		s.Moving.By.ID = ""
	}
	switch {
	case where == asCaller:
		if e.Remote {
			by = "caller"
		}
		if s.calling() {
			s.Callback.Left = e.Remote
		}
		c := e.Cause
		if s.Answered.IsZero() && c == tel.CauseNormal {
			c = tel.CauseCancelled
		}
		s.Caller.ID = "" // gone: nothing is left to hang up
		st.finish(c, by)
	case where == asPeer:
		if e.Remote {
			by = "callee"
		}
		s.Peer.ID = ""
		st.finish(e.Cause, by)
	case where == asAccepted:
		st.acceptedEnded()
	case where == asListener:
		st.stopsListening(leg, e.Cause)
	case where == asWatcher:
		st.watcherLeft(leg.ID, e.Cause)
	case where == asTransferor: // it has done its part: the transfer goes on without it
	case where >= 0:
		st.groupLegEnded(leg, where, e)
	}
}

func (st *step) groupLegEnded(leg *LegState, g int, e LegEvent) {
	s := st.s
	gone := *leg
	if s.Early == gone.ID {
		s.Early = ""
		st.do(DoPart{s.Caller.ID})
	}
	group := &s.Groups[g]
	if !e.Remote { // given up by us: it rings until the CANCEL is through
		s.owe(group.Offer, false, gone)
	}
	group.Legs = slices.DeleteFunc(group.Legs, func(l LegState) bool { return l.ID == gone.ID })
	if e.Redirect != "" && st.redirect(&gone, g, e.Redirect) {
		return
	}
	if len(group.Legs) == 0 {
		st.groupFailed(g, e.Cause)
	}
}

// held plays music to the one while the other is away (RFC 3264 section 8.4).
func (st *step) held(leg *LegState, where int, held bool) {
	s := st.s
	if leg.Held == held || s.Peer == nil || s.Stage != tel.StageTalking || where == asTransferor || where == asWatcher {
		leg.Held = held
		return
	}
	leg.Held = held
	if leg.Offer != "" || leg.Engaged {
		st.tell(tel.AgentHeld{Agent: leg.Agent, Call: s.Call, Held: held})
	}
	if s.watchedNow() {
		st.connect()
		return
	}
	switch other := s.other(leg); {
	case held && other.Held: // now both are away
		st.do(DoHush{leg.ID})
	case held:
		st.do(DoPart{s.Caller.ID}, DoPlay{other.ID, music})
	case other.Held: // back, but alone
		st.do(DoPlay{leg.ID, music})
	default:
		st.do(DoHush{s.Caller.ID}, DoHush{s.Peer.ID}, DoJoin{s.Caller.ID, s.Peer.ID})
	}
}

// connect puts the audio of a conversation to where it belongs.
func (st *step) connect() {
	s := st.s
	switch {
	case s.watchedNow():
		st.connectWatched()
	case s.Caller.Held && s.Peer.Held:
	case s.Caller.Held:
		st.do(DoPlay{s.Peer.ID, music})
	case s.Peer.Held:
		st.do(DoPlay{s.Caller.ID, music})
	default:
		st.do(DoHush{s.Caller.ID}, DoHush{s.Peer.ID}, DoJoin{s.Caller.ID, s.Peer.ID})
	}
}

func (st *step) played(where int) {
	s := st.s
	if where == asAccepted {
		st.whispered()
		return
	}
	if where != asCaller {
		return
	}
	switch {
	case s.HangAfter:
		c := s.LastCause
		if c == tel.CauseNone {
			c = tel.CauseNormal
		}
		st.finish(c, "box")
	case s.calling() && !s.Callback.Dialed:
		st.callCustomer()
	case s.waits():
		st.heardInQueue()
	case s.Stage == tel.StageParked && s.Parked != nil:
		st.do(DoPlay{s.Caller.ID, music})
	}
}

// digit carries a key to the other party. The actor leaves it to the media bridge where the key came
// as telephone-event (RFC 4733), and not beside the audio.
func (st *step) digit(leg *LegState, where int, digit rune, beside bool) {
	s := st.s
	if (where == asCaller || where == asPeer) && st.tapeKey(leg, digit) {
		return
	}
	if where == asCaller && s.waits() && s.Callback == nil {
		st.tell(tel.CallerKey{Call: s.Call, Key: digit})
		return
	}
	if s.Peer == nil || s.Stage != tel.StageTalking || (where != asCaller && where != asPeer) {
		return
	}
	other := s.other(leg)
	if other.Door != 0 && other.Door == digit {
		st.do(DoOpenDoor{Door: other.Party, By: leg.Party})
		return
	}
	st.do(DoDigit{From: leg.ID, To: other.ID, Digit: digit, Beside: beside})
}

// flash carries the key R of somebody in the office to the line of an outside party. Who calls from outside has no say
// over our lines: behind a flash an exchange dials what it is told.
func (st *step) flash(leg *LegState, where int, beside bool) {
	s := st.s
	if s.Peer == nil || s.Stage != tel.StageTalking || (where != asCaller && where != asPeer) || leg.outside() {
		return
	}
	if other := s.other(leg); other.outside() && !other.Held {
		st.do(DoFlash{From: leg.ID, To: other.ID, Beside: beside})
	}
}

// finish ends every leg, tells the queue, and writes the call's record.
func (st *step) finish(c tel.Cause, by string) {
	s := st.s
	if c == tel.CauseNone {
		c = tel.CauseNormal
	}
	st.noteLines()
	st.endLines(c)
	st.report(c.SIPStatus())
	st.endPart(TapeCallEnd)
	why := tel.CauseCancelled
	if c == tel.CauseAnsweredElsewhere {
		why = c // by a branch of the caller's network: no phone of ours has missed the call (RFC 3326)
	}
	st.dropAll(why)
	s.Ring = nil
	if m := s.Moving; m != nil && m.By.ID != "" && !m.Returned {
		st.do(DoNotifyRefer{m.By.ID, 503, true})
		if !m.Attended { // otherwise it is one of the two below
			st.do(DoHangup{m.By.ID, c})
		}
	}
	answeredAt := ""
	if s.Peer != nil {
		answeredAt = s.Peer.Party
		if s.Peer.ID != "" {
			st.do(DoHangup{s.Peer.ID, c})
		}
	}
	st.dropAccepted(why)
	st.parting()
	s.untaped(st.now, TapeCallEnd, "")
	st.rise()
	for i := range s.Paged {
		st.do(DoHangup{s.Paged[i].ID, c})
		st.disengage(&s.Paged[i], c)
	}
	if s.Caller.ID != "" {
		st.do(DoHangup{s.Caller.ID, c})
	}
	if s.Parked != nil && s.Parked.Slot != "" {
		st.do(DoUnpark{s.Parked.Slot})
	}
	if s.Peer != nil {
		st.disengage(s.Peer, c)
	}
	if s.Waiting {
		st.tell(tel.CallerGone{Call: s.Call, Cause: c})
	}
	st.disengage(&s.Caller, c)
	st.stage(tel.StageEnded)
	if s.Callback != nil && s.Caller.Party == "" { // no agent has picked up: the request waits on
		st.do(DoForget{})
		return
	}
	st.do(DoEnd{tel.CallEnded{
		Call: s.Call, Direction: s.Direction, From: s.From, To: s.To, In: s.In, Out: answeredAt, DivertedBy: s.DivertedBy, ForeignCLI: s.ForeignCLI,
		Queue: s.Queue, Agent: s.Agent, Started: s.Started, Answered: s.Answered, Ended: st.now,
		Cause: c, EndedBy: by, Recovered: s.Recovered, Moves: s.Moves,
		Supervised: s.Supervised, Machine: s.Machine, Recordings: s.Tapes, Lines: s.lineUses(),
	}})
}
