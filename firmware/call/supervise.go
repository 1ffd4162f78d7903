package call

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// ErrNoConversation is returned when the agent who shall be supervised talks with nobody.
var ErrNoConversation = errors.New("this person is not in a conversation")

// ErrNoPhone is returned when there is no phone to ring for a supervisor.
var ErrNoPhone = errors.New("there is no phone to ring")

// RefusedError says why somebody may not supervise.
type RefusedError struct{ Why tel.SupervisionEnd }

// Error implements error.
func (e RefusedError) Error() string {
	switch e.Why {
	case tel.SupervisionNoBasis:
		return "no legal basis for supervision is recorded (art. 4 L. 300/1970)"
	case tel.SupervisionExpired:
		return "the recorded legal basis for supervision does not hold today"
	case tel.SupervisionNotYours:
		return "this person may not supervise that one"
	case tel.SupervisionEmergency:
		return "nobody listens to a call for help"
	default:
		return "this kind of supervision is not allowed"
	}
}

// SuperviseFunc says what by may do in a conversation of agent that came from queue (empty: from none).
// It must not block.
type SuperviseFunc func(by, agent tel.AgentID, queue tel.QueueID, at time.Time) Permit

// permit asks what somebody may do; without a rule nobody may do anything.
func (x *Exchange) permit(by, agent tel.AgentID, queue tel.QueueID) Permit {
	if x.cfg.Supervise == nil {
		return Permit{Why: tel.SupervisionNoBasis}
	}
	return x.cfg.Supervise(by, agent, queue, time.Now())
}

// conversation is who talks in a call, for who wants to take part.
type conversation struct {
	agents    []tel.AgentID // who are in it and do not hold
	away      []tel.AgentID // who are in it and do
	queue     tel.QueueID
	watchers  []tel.AgentID
	emergency bool
	since     time.Time
}

// conversation is what of the state others may look at; nil when nobody talks.
func (s *State) conversation() *conversation {
	if s.Stage != tel.StageTalking || s.Peer == nil {
		return nil
	}
	c := &conversation{queue: s.Queue, emergency: s.Emergency, since: s.Since}
	for _, l := range []*LegState{s.Peer, &s.Caller} {
		switch {
		case l.Agent == "":
		case l.Held:
			c.away = append(c.away, l.Agent)
		default:
			c.agents = append(c.agents, l.Agent)
		}
	}
	for _, w := range s.Watchers {
		c.watchers = append(c.watchers, w.Agent)
	}
	return c
}

// watchable finds the conversation that a watch asks for: of an agent's several, the one that is not
// held, then the newest. It is called with mu held.
func (x *Exchange) watchable(w Watch) *actor {
	if w.Call != "" {
		return x.calls[w.Call]
	}
	if w.Ref != "" {
		for _, p := range x.places {
			if p.ref == w.Ref {
				return p.owner
			}
		}
		return nil
	}
	var best *actor
	var away bool
	var since time.Time
	for _, a := range x.calls {
		c := a.talk.Load()
		if c == nil {
			continue
		}
		here, gone := slices.Contains(c.agents, w.Agent), slices.Contains(c.away, w.Agent)
		if !here && !gone || best != nil && (!away && gone || away == gone && !c.since.After(since)) {
			continue
		}
		best, away, since = a, gone, c.since
	}
	return best
}

// Watch lets the agent by take part in the conversation that w names: the phone is rung, and who
// answers there takes part. Who takes part already changes the mode. Errors: ErrNoConversation, a
// RefusedError (the attempt is recorded), ErrNoPhone, ErrFull,
// ErrClosed.
func (x *Exchange) Watch(w Watch, by tel.AgentID, device tel.DeviceID) error {
	x.mu.Lock()
	target := x.watchable(w)
	x.mu.Unlock()
	var c *conversation
	if target != nil {
		c = target.talk.Load()
	}
	agent, queue := w.Agent, tel.QueueID("")
	if c != nil {
		queue = c.queue
		if all := slices.Concat(c.agents, c.away); agent == "" && len(all) > 0 {
			agent = all[0]
		}
	}
	p := x.permit(by, agent, queue)
	switch {
	case c != nil && c.emergency:
		return x.refused(w, by, agent, device, tel.SupervisionEmergency)
	case !p.allows(w.Mode) && (c != nil || p.refusal() != tel.SupervisionNotYours):
		return x.refused(w, by, agent, device, p.refusal())
	case c == nil:
		return ErrNoConversation
	case slices.Contains(c.watchers, by):
		if !target.tell(Remode{By: by, Mode: w.Mode}) {
			return ErrNoConversation
		}
		return nil
	case device == "":
		return ErrNoPhone
	}
	return x.callIn(w, agent, device)
}

// refused records an attempt that reached no call: as a call of no length of who tried.
func (x *Exchange) refused(w Watch, by, agent tel.AgentID, device tel.DeviceID, why tel.SupervisionEnd) error {
	now := time.Now()
	s := tel.Supervision{By: by, Party: "phone:" + string(device), Agent: agent, Call: w.Call, Mode: w.Mode, From: now, To: now, Why: why}
	x.cfg.Log.Warn("supervision is refused", "by", by, "of", agent, "mode", w.Mode, "why", why)
	x.cfg.Publish(tel.SupervisionRefused{Supervision: s})
	x.cfg.Record(tel.CallEnded{
		Call: tel.NewCallID(), Direction: tel.Internal, In: s.Party, Started: now, Ended: now,
		Cause: tel.CauseForbidden, EndedBy: "box", Supervised: []tel.Supervision{s},
	})
	return fmt.Errorf("supervise %s: %w", agent, RefusedError{why})
}

// Review asks anew whether those who take part in conversations may: the rules have changed.
func (x *Exchange) Review() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, a := range x.calls {
		if c := a.talk.Load(); c != nil && len(c.watchers) > 0 {
			a.tell(Review{})
		}
	}
}

// callIn rings the supervisor's phone, which shows whose conversation it is; who answers there is led into
// it.
func (x *Exchange) callIn(w Watch, agent tel.AgentID, device tel.DeviceID) error {
	plan := x.cfg.Plan()
	var number tel.Number
	if phones := plan.Devices(agent); len(phones) > 0 {
		_, number, _ = plan.AgentAt(phones[0])
	}
	a := x.summoning(tel.NewCallID(), plan, Summons{Devices: []tel.DeviceID{device}, Number: number, Watch: &w}, device)
	if err := x.add(a); err != nil {
		return err
	}
	a.tell(Summon{*a.state.Summons})
	x.begin(a)
	return nil
}

// permitted is what the one who asks for a part in this call may do.
func (a *actor) permitted(ad Adopt) Permit {
	subject := a.state.watched(*ad.Target.Watch, ad.Leg.Agent)
	if subject == nil {
		return Permit{}
	}
	return a.x.permit(ad.Leg.Agent, subject.Agent, a.state.Queue)
}

// review is what those who watch may do with the agent who talks now.
func (a *actor) review() Reviewed {
	r := Reviewed{Permits: map[tel.LegID]Permit{}}
	for _, w := range a.state.Watchers {
		if subject := a.state.subject(w.Now.Agent, w.Agent); subject != nil {
			r.Permits[w.ID] = a.x.permit(w.Agent, subject.Agent, w.queue(&a.state))
		}
	}
	return r
}

// mix gives the media engine the legs that are still there.
func (a *actor) mix(e DoMix) {
	var parties, watchers []Leg
	still := DoMix{}
	for _, id := range e.Parties {
		if l, ok := a.legs[id]; ok {
			parties, still.Parties = append(parties, l.Leg), append(still.Parties, id)
		}
	}
	for _, h := range e.Watchers {
		if l, ok := a.legs[h.Leg]; ok {
			watchers, still.Watchers = append(watchers, l.Leg), append(still.Watchers, h)
		}
	}
	all := slices.Concat(parties, watchers)
	if len(all) == 0 {
		return
	}
	if err := all[0].Mix(parties, watchers, still.gain); err != nil {
		a.log.Warn("audio is not mixed; a party may have gone in this instant", "err", err)
	}
}

// takeAlong makes the legs ours that come with the one of the adoption at hand.
func (a *actor) takeAlong(ids []tel.LegID) {
	ad := a.taking
	if ad == nil {
		return
	}
	for _, id := range ids {
		leg, ok := ad.along[id]
		if !ok {
			a.tell(LegEvent{Leg: id, Kind: LegEnded, Cause: tel.CauseNormal}) // it has ended meanwhile
			continue
		}
		leg.sink.owner.Store(a)
		a.keep(leg.Leg, leg.sink)
	}
}

// showWatchers publishes which supervisions have ended and which run.
func (a *actor) showWatchers() {
	for _, s := range a.state.Supervised[min(a.told, len(a.state.Supervised)):] {
		if s.Leg == "" {
			a.log.Warn("supervision is refused", "by", s.By, "of", s.Agent, "mode", s.Mode, "why", s.Why)
			a.x.cfg.Publish(tel.SupervisionRefused{Supervision: s})
		} else {
			a.log.Info("supervision ended", "by", s.By, "of", s.Agent, "mode", s.Mode, "why", s.Why)
			a.x.cfg.Publish(tel.SupervisionEnded{Supervision: s})
		}
		a.watched = slices.DeleteFunc(a.watched, func(was tel.Supervision) bool { return was.Leg == s.Leg && was.From.Equal(s.From) })
	}
	a.told = len(a.state.Supervised)
	for _, w := range a.state.Watchers {
		if !w.Now.From.IsZero() && !slices.Contains(a.watched, w.Now) {
			a.log.Info("supervision began", "by", w.Now.By, "of", w.Now.Agent, "mode", w.Now.Mode, "basis", w.Now.Basis)
			a.watched = append(a.watched, w.Now)
			a.x.cfg.Publish(tel.SupervisionStarted{Supervision: w.Now})
		}
	}
	a.talk.Store(a.state.conversation())
}

// loseWatchers ends what is left of the supervision of a call that is given up.
func (a *actor) loseWatchers() {
	st := step{s: &a.state, now: time.Now()}
	for i := range a.state.Watchers {
		w := &a.state.Watchers[i]
		if w.Engaged {
			a.x.cfg.Queue(tel.AgentDisengaged{Agent: w.Agent, Call: a.id})
		}
		st.pauseWatch(w, tel.SupervisionCallEnded)
	}
	a.state.Watchers = nil
}

// recoverWatchers finds the supervisors' legs again after a restart. Whether they may go on is asked
// anew once the call runs.
func (a *actor) recoverWatchers(take func(LegState) bool) {
	st := step{s: &a.state, now: time.Now()}
	a.told = len(a.state.Supervised)
	kept := a.state.Watchers[:0:0]
	for _, w := range a.state.Watchers {
		if take(w.LegState) {
			w.Live = false
			kept = append(kept, w)
			continue
		}
		st.pauseWatch(&w, tel.SupervisionLost)
	}
	a.state.Watchers, a.state.ReviewAt = kept, time.Time{}
	if len(kept) > 0 {
		a.tell(Wake{wakeWatch})
	}
}
