package call

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/ivr/spoken"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// maxOverflows bounds how often one caller is sent on by queues: a circle that no check of the
// configuration found, such as one that begins when all are full, ends in words and not in limbo.
const maxOverflows = 10

func (st *step) enqueue(d Decision) {
	s := st.s
	st.accept()
	s.Ring = nil
	s.Queue, s.Priority, s.Needs, s.Waiting, s.Greeted, s.Saying = d.Queue, d.QueuePriority, d.Needs[s.Language], true, false, false
	if s.Enqueued.IsZero() || d.NewPlace && !s.Answered.IsZero() {
		s.Enqueued = st.now // kept through overflow and transfer: the caller does not lose the place
	}
	st.transferred(s.Caller.Party)
	st.stage(tel.StageWaiting)
	greeting := d.Greeting
	if greeting == nil {
		greeting = []string{"greeting", "wait"}
	}
	greeting = st.greetingWithNotice(greeting, d)
	if len(greeting) == 0 {
		s.Greeted = true
		st.do(DoPlay{s.Caller.ID, music})
	} else {
		st.do(DoPlay{s.Caller.ID, Sound{Names: greeting}})
	}
	st.tell(s.place())
	if s.Greeted {
		st.tell(tel.CallerGreeted{Call: s.Call})
	}
}

// place is the wish for a place, also to make sure of one: it changes nothing where there is one.
func (s *State) place() tel.Enqueue {
	return tel.Enqueue{
		Call: s.Call, Queue: s.Queue, Caller: s.From, Name: s.FromName, Priority: s.Priority, Needs: s.Needs, EnqueuedAt: s.Enqueued,
	}
}

// waits says that the caller is in a queue and hears music, announcements or the talk about a callback.
func (s *State) waits() bool {
	return s.Waiting && (s.Stage == tel.StageWaiting || s.Stage == tel.StageRinging)
}

func (st *step) offered(o tel.Offer) {
	s := st.s
	if !s.waits() || s.Queue != o.Queue || s.group(string(o.Offer)) >= 0 {
		st.tell(tel.OfferFailed{Offer: o.Offer, Cause: tel.CauseCancelled})
		return
	}
	st.stage(tel.StageRinging)
	deadline := st.now.Add(o.Ring + grace)
	s.Groups = append(s.Groups, Group{Key: string(o.Offer), Offer: o.Offer, Agent: o.Agent, Deadline: deadline, Whisper: o.Whisper, Dialing: true})
	st.do(DoDialDevices{Key: string(o.Offer), Agent: o.Agent, Ring: o.Ring}, DoWake{string(o.Offer), deadline})
}

func (st *step) withdrawn(w tel.Withdraw) {
	s := st.s
	switch g := s.group(string(w.Offer)); {
	case g >= 0:
		st.drop(g, w.Cause)
	case s.Accepted != nil && s.Accepted.Offer == w.Offer:
		st.dropAccepted(w.Cause)
	case s.calling() && s.Caller.Offer == w.Offer && w.Offer != "":
		s.owe(w.Offer, false, s.Caller)
		s.Caller.Offer = "" // the queue has freed the agent
		st.asked(w)
		st.finish(w.Cause, "box")
		return
	}
	st.asked(w)
	st.backToWaiting()
}

// backToWaiting follows the end of the last attempt to reach an agent. The attempt to call a customer
// back is over then: the next one is another call.
func (st *step) backToWaiting() {
	s := st.s
	if s.Stage != tel.StageRinging || !s.Waiting || len(s.Groups) > 0 || s.Accepted != nil {
		return
	}
	if s.Callback != nil {
		st.finish(tel.CauseNoAnswer, "box")
		return
	}
	st.stage(tel.StageWaiting)
}

// accepted lets an agent who has picked up hear who waits. The caller goes on hearing music and other
// phones go on ringing: until the bridge the agent may hang up. Another agent who picks up meanwhile
// was too late.
func (st *step) accepted(peer LegState, g int) {
	s := st.s
	group := s.Groups[g]
	for _, l := range group.Legs {
		if l.ID != peer.ID || s.Accepted != nil {
			st.do(DoHangup{l.ID, tel.CauseAnsweredElsewhere})
			s.owe(group.Offer, false, l)
		}
	}
	s.Groups = append(s.Groups[:g:g], s.Groups[g+1:]...)
	if s.Accepted != nil {
		st.tell(tel.OfferFailed{Offer: group.Offer, Cause: tel.CauseAnsweredElsewhere})
		return
	}
	peer.Up, peer.Offer = true, group.Offer
	if peer.Agent == "" {
		peer.Agent = group.Agent
	}
	s.Accepted = &peer
	st.tell(tel.OfferAccepted{Offer: group.Offer})
	st.do(DoWhisper{Leg: peer.ID, Prompt: group.Whisper.Prompt, Waited: waited(group.Whisper.Since, st.now), Wait: !group.Whisper.Since.IsZero()})
}

func waited(since, now time.Time) time.Duration {
	if since.IsZero() {
		return 0
	}
	return max(0, now.Sub(since))
}

// whispered connects the caller with the agent who knows now who it is.
func (st *step) whispered() {
	s := st.s
	peer := *s.Accepted
	s.Accepted = nil
	st.dropAll(tel.CauseAnsweredElsewhere)
	s.Waiting = false
	st.meet(peer, false)
	st.answered(s.Peer)
}

// answered tells the queue that its agent talks, or has put the call on hold already.
func (st *step) answered(agent *LegState) {
	st.tell(tel.OfferAnswered{Offer: agent.Offer})
	if agent.Held {
		st.tell(tel.AgentHeld{Agent: agent.Agent, Call: st.s.Call, Held: true})
	}
}

// acceptedEnded is an agent who hung up during the whisper: the caller has kept the place.
func (st *step) acceptedEnded() {
	s := st.s
	offer := s.Accepted.Offer
	s.Accepted = nil
	st.tell(tel.OfferFailed{Offer: offer, Cause: tel.CauseRejected})
	st.backToWaiting()
}

func (st *step) overflowed(o tel.Overflow) {
	s := st.s
	if !s.waits() || s.Callback != nil {
		return
	}
	st.stopOffers()
	s.Queue, s.Waiting, s.Script = "", false, nil
	st.do(DoHush{s.Caller.ID})
	s.Overflows++
	if o.To == "hangup" || o.To == "" || s.Overflows > maxOverflows {
		st.refuse(tel.CauseCongestion)
		return
	}
	st.stage(tel.StageRouting)
	st.do(DoResolve{To: o.To})
}

// stopOffers ends what the queue has offered and has taken back by letting the caller go.
func (st *step) stopOffers() {
	st.dropAll(tel.CauseCancelled)
	st.dropAccepted(tel.CauseCancelled)
}

// dropAccepted hangs up the agent who hears who waits.
func (st *step) dropAccepted(c tel.Cause) {
	a := st.s.Accepted
	if a == nil {
		return
	}
	st.do(DoHangup{a.ID, c})
	st.s.owe(a.Offer, false, *a)
	st.s.Accepted = nil
}

// announce says something to the waiting caller over the music.
func (st *step) announce(a tel.Announce) {
	s := st.s
	var say []string
	switch {
	case a.Position > 0:
		say = spoken.Position(s.Language, a.Position)
	case a.MoreThan > 0:
		say = spoken.MoreThan(s.Language, a.MoreThan)
	}
	say = append(say, spoken.Wait(s.Language, a.WaitFrom, a.WaitTo)...)
	if a.Callback != 0 {
		say = append(say, spoken.CallbackOffer(a.Callback)...)
	}
	if a.Message != "" {
		say = append(say, a.Message)
	}
	if len(say) == 0 || !s.waits() || s.Script != nil || s.Callback != nil {
		st.tell(tel.Announced{Call: s.Call})
		return
	}
	s.Saying = true
	st.do(DoPlay{s.Caller.ID, Sound{Names: say, Language: s.Language, Over: true}})
}

// heardInQueue follows the end of the greeting or of an announcement.
func (st *step) heardInQueue() {
	s := st.s
	if s.Saying { // the music has gone on
		st.unsay()
		return
	}
	st.do(DoPlay{s.Caller.ID, music})
	if !s.Greeted {
		s.Greeted = true
		st.tell(tel.CallerGreeted{Call: s.Call})
		if t := &s.Tape; t.Greeting {
			t.Greeting, t.Noticed = false, true
		}
	}
}

func (st *step) unsay() {
	if st.s.Saying {
		st.s.Saying = false
		st.tell(tel.Announced{Call: st.s.Call})
	}
}

// askCallback begins to talk with the caller about being called back; the place is kept and an agent's
// answer cuts the talk off.
func (st *step) askCallback() {
	s := st.s
	if !s.waits() || s.Script != nil || s.Callback != nil {
		return
	}
	st.unsay()
	part := &ivr.Callback{Queue: string(s.Queue)}
	if _, ok := s.From.E164(); ok {
		part.Number = s.From
	}
	script := ivr.New(string(s.Call), s.Language, part)
	s.Script = &script
	st.script(ivr.Started{})
}

// callbackAnswered tells the caller whether the place is kept; if so the wait is over.
func (st *step) callbackAnswered(a tel.CallbackAnswered) {
	s := st.s
	if a.OK && s.waits() {
		st.stopOffers()
		s.Waiting = false
		st.stage(tel.StageMenu)
	}
	if a.OK {
		st.script(ivr.Agreed{From: a.WaitFrom, To: a.WaitTo})
		return
	}
	st.script(ivr.Checked{})
}

// goOn gives the caller back to the music. The place is asked for anew, in case the queue has given the
// old one to a callback whose confirmation was lost.
func (st *step) goOn() {
	s := st.s
	s.Script, s.Waiting, s.Greeted = nil, true, true
	if s.Stage != tel.StageRinging {
		st.stage(tel.StageWaiting)
	}
	st.do(DoPlay{s.Caller.ID, music})
	st.tell(s.place())
	st.tell(tel.CallerGreeted{Call: s.Call})
}
