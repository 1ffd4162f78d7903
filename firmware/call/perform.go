package call

import (
	"errors"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// perform carries out one effect.
func (a *actor) perform(e Effect) {
	if a.tape(e) || a.room(e) {
		return
	}
	switch e := e.(type) {
	case DoDialDevices:
		a.dialDevices(e)
	case DoDialOut:
		a.dialOut(e)
	case DoTellQueue:
		if !a.x.cfg.Queue(e.Message) {
			a.log.Error("queue does not take messages", "message", e.Message)
		}
	case DoCommand:
		a.x.cfg.Command(e.Agent, e.Command, e.Reason)
	case DoResolve:
		a.handle(Rerouted{a.plan.Resolve(e.To, e.As, time.Now())})
	case DoRoute:
		a.handle(Rerouted{a.routed(e)})
	case DoRedirect:
		a.handle(Redirected{e.Key, a.plan.Route(e.As, a.state.From, e.Number, time.Now())})
	case DoWake:
		a.timers = append(a.timers, time.AfterFunc(time.Until(e.At), func() { a.tell(Wake{e.Key}) }))
	case DoPark:
		a.handle(ParkedAt{a.x.park(e.Slots, a)})
	case DoUnpark:
		a.x.unpark(e.Slot, a)
	case DoHandOver:
		a.handOver(e)
	case DoTake:
		a.take(e.Leg)
	case DoTakeAlong:
		a.takeAlong(e.Legs)
	case DoReview:
		a.handle(a.review())
	case DoDecline:
		if a.taking != nil {
			a.taking.from.tell(HandedOver{Leg: a.taking.Leg.ID, Cause: e.Cause, Why: e.Why})
		}
	case DoPreempt:
		a.preempt(e.Vias)
	case DoClerk:
		if c := a.x.cfg.Clerk; c != nil {
			c.Do(a.id, e.Order, func(answer ivr.Event) { a.tell(Scripted{answer}) })
		}
	case DoOpenDoor:
		a.openDoor(e)
	case DoWhisper:
		a.with(e.Leg, func(l Leg) { l.Play(Sound{Names: e.words(a.plan.Language())}) })
	case DoForget:
		a.forget()
	case DoReport:
		a.report(e)
	case DoWhenQuiet:
		a.x.whenQuiet(a.plan, e.Offer, e.Agent)
	case DoWhenFree:
		a.handle(WhenFree{a.x.wishFor(a.state.Caller.Party, a.plan, e.Cancel)})
	case DoEnd:
		a.end(e.Record)
	default:
		a.command(e)
	}
}

// command gives a leg its order; a leg that is gone needs none.
func (a *actor) command(e Effect) {
	switch e := e.(type) {
	case DoAlert:
		a.with(a.state.Caller.ID, func(l Leg) { l.Alert(e.Early) })
	case DoAccept:
		a.with(e.Leg, Leg.Accept)
	case DoHangup:
		a.x.leaves(e.Leg, a)
		a.with(e.Leg, func(l Leg) { l.Hangup(e.Cause) })
	case DoPlay:
		a.with(e.Leg, func(l Leg) { l.Play(e.Sound) })
	case DoHush:
		a.with(e.Leg, Leg.Hush)
	case DoJoin:
		a.join(e.A, e.B)
	case DoPart:
		a.with(e.Leg, Leg.Part)
	case DoMix:
		a.mix(e)
	case DoPage:
		a.speakTo(e)
	case DoEcho:
		a.with(e.Leg, Leg.Echo)
	case DoRecord:
		a.record(e)
	case DoStopRecord:
		a.with(e.Leg, Leg.StopRecord)
	case DoDigit:
		from, to := a.legs[e.From], a.legs[e.To]
		if from.Leg != nil && to.Leg != nil && (e.Beside || !from.PassesDTMF() || strings.HasPrefix(to.Party(), "line:")) {
			to.SendDTMF(string(e.Digit))
		}
	case DoFlash:
		from, to := a.legs[e.From], a.legs[e.To]
		if from.Leg != nil && to.Leg != nil && (e.Beside || !from.PassesDTMF() || strings.HasPrefix(to.Party(), "line:")) {
			if f, ok := to.Leg.(Flasher); ok {
				f.Flash()
			}
		}
	case DoAnswerRefer:
		a.with(e.Leg, func(l Leg) {
			if r, ok := l.(Referrer); ok {
				r.AnswerRefer(e.Status)
			}
		})
	case DoNotifyRefer:
		a.with(e.Leg, func(l Leg) {
			if r, ok := l.(Referrer); ok {
				r.NotifyRefer(e.Status, e.Final)
			}
		})
	}
}

func (a *actor) with(id tel.LegID, do func(Leg)) {
	if l, ok := a.legs[id]; ok {
		do(l.Leg)
	}
}

func (a *actor) join(x, y tel.LegID) {
	lx, ly := a.legs[x], a.legs[y]
	if lx.Leg == nil || ly.Leg == nil {
		return
	}
	if err := lx.Join(ly.Leg); err != nil {
		a.log.Warn("audio is not joined; a party may have gone in this instant", "err", err)
	}
}

// speakTo lets the phones that are still there hear the caller.
func (a *actor) speakTo(e DoPage) {
	from := a.legs[e.From]
	if from.Leg == nil {
		return
	}
	var to []Leg
	for _, id := range e.To {
		if l, ok := a.legs[id]; ok {
			to = append(to, l.Leg)
		}
	}
	if err := from.Page(to); err != nil {
		a.log.Warn("an announcement is not heard everywhere", "err", err)
	}
}

func (a *actor) outgoing(ring time.Duration) Outgoing {
	o := Outgoing{Call: a.state.Call, From: a.state.From, FromName: a.state.FromName, Ring: ring, Emergency: a.state.Emergency, Forwards: a.state.Forwards}
	if s := a.state.Summons; s != nil { // the phones of who wants the call show whom it will reach
		o.From, o.FromName = s.Number, a.plan.NameOf(s.Number)
	}
	return o
}

func (a *actor) dialDevices(e DoDialDevices) {
	devices := e.Devices
	if e.Agent != "" {
		devices = a.plan.Devices(e.Agent)
	}
	d := Dialed{Key: e.Key, Cause: tel.CauseUnreachable}
	out := a.outgoing(e.Ring)
	out.Intercom, out.Offered = e.Intercom, e.Agent != ""
	for _, dev := range devices {
		if !a.x.dial("phone:"+string(dev), e.SkipBusy) {
			d.Cause = tel.CauseBusy
			continue
		}
		d.Legs = append(d.Legs, a.dialDevice(dev, out)...)
	}
	a.handle(d)
}

// dialDevice rings one phone that Exchange.dial has taken, at every place where it is registered.
func (a *actor) dialDevice(dev tel.DeviceID, out Outgoing) (all []LegState) {
	defer a.x.wasDialled("phone:" + string(dev))
	s := a.newSink()
	legs, err := a.x.cfg.Dialer.DialDevice(dev, out, s.event)
	if err != nil {
		a.log.Warn("phone cannot be rung", "device", dev, "err", err)
	}
	for _, l := range legs {
		a.keepRinging(l, s)
		all = append(all, a.identify(LegState{ID: l.ID(), Party: l.Party(), Ref: l.Ref(), Out: true}))
	}
	return all
}

// openDoor opens a door for the party that pressed its key, and says so.
func (a *actor) openDoor(e DoOpenDoor) {
	dev, _ := strings.CutPrefix(e.Door, "phone:")
	a.log.Info("door opened", "door", dev, "by", e.By)
	if a.x.cfg.Door != nil {
		a.x.cfg.Door(tel.DeviceID(dev))
	}
	a.x.cfg.Publish(tel.DoorOpened{Door: tel.DeviceID(dev), By: e.By, Call: a.id, At: time.Now()})
}

// identify notes who is at a phone.
func (a *actor) identify(l LegState) LegState {
	if dev, ok := strings.CutPrefix(l.Party, "phone:"); ok {
		l.Agent, l.Number, l.Name = a.plan.AgentAt(tel.DeviceID(dev))
		if key, ok := a.plan.DoorAt(tel.DeviceID(dev)); ok {
			l.Door = key
		}
	}
	return l
}

func (a *actor) dialOut(e DoDialOut) {
	d := Dialed{Key: e.Key, Via: e.Via}
	s := a.newSink()
	out := a.outgoing(ringOutside)
	out.Number, out.Hide, out.Attempt = e.From, e.Hide, e.Attempt
	if e.Person != "" {
		out.Diverted = a.state.divertedBy("ext:" + string(e.Person))
	}
	l, err := a.x.cfg.Dialer.DialOut(e.Via, e.Number, out, s.event)
	if err != nil {
		a.log.Warn("line does not take the call", "via", e.Via, "err", err)
		d.Cause = dialCause(err)
	} else {
		a.keepRinging(l, s)
		d.Legs = []LegState{{ID: l.ID(), Party: l.Party(), Ref: l.Ref(), Number: e.Number, Out: true}}
	}
	a.handle(d)
}

// dialCause is why a line does not take a call: an error may know better than that it has no room.
func dialCause(err error) tel.Cause {
	if why, ok := errors.AsType[interface {
		error
		Cause() tel.Cause
	}](err); ok {
		return why.Cause()
	}
	return tel.CauseCongestion
}

// end writes the record; the notes of the audio are taken while the legs still know them.
func (a *actor) end(r tel.CallEnded) {
	for _, s := range []*LegState{&a.state.Caller, a.state.Peer} {
		if l := a.noted(s); l != nil {
			note := l.Note()
			if r.Answered.IsZero() { // nobody was there to be heard
				note.Sound = tel.LegSound{}
			}
			r.Media = append(r.Media, note)
		}
	}
	a.x.ended(r)
	a.x.cfg.Record(r)
	a.forget()
}

// noted finds a leg even when the state already forgot the id of the one that ended.
func (a *actor) noted(s *LegState) Leg {
	if s == nil {
		return nil
	}
	for id, l := range a.legs {
		if id == s.ID || s.ID == "" && l.Ref() == s.Ref {
			return l.Leg
		}
	}
	return nil
}
