package call

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Summons is a call that begins at the phones of who wants it: who answers there is the caller of the
// number. A wish to be called back (completion on busy) begins so, and click to dial (RFC 5359 section 2.18).
type Summons struct {
	Devices []tel.DeviceID `json:"devices"` // rung together
	Number  tel.Number     `json:"number"`
	Watch   *Watch         `json:"watch,omitempty"` // instead: the conversation, of who has the number, to take part in
	// Script is instead what the box goes through with who answers.
	Script *ivr.State `json:"script,omitempty"`

	Attempts []Attempt `json:"attempts,omitempty"` // instead of Devices: the ways to a number outside
	To       string    `json:"to,omitempty"`       // instead of Number: a destination of the dial plan
}

// Summon begins a call by ringing phones that then dial the number.
type Summon struct{ Summons }

// DoReport tells who asked for the call away from the phone how far it is, as RFC 3515 tells a
// referrer; after Final there is no more.
type DoReport struct {
	Status int
	Final  bool
}

func (DoReport) effect() {}

// Click is a wish for a call that a person utters at a screen (RFC 5359 section 2.18).
type Click struct {
	Call   tel.CallID   // names the call in Config.Progress
	Device tel.DeviceID // the phone that asks: its person's phones ring, its rights count
	Number tel.Number   // what that person would have dialled
	Silent bool         // nobody wants to know how it goes
}

// Click begins a call at the phones of a person. What that person may not dial is refused before any
// phone rings; CauseNone says that they ring.
func (x *Exchange) Click(c Click) tel.Cause {
	plan := x.cfg.Plan()
	_, person, _ := plan.AgentAt(c.Device)
	from := "phone:" + string(c.Device)
	d := plan.Route(from, person, c.Number, time.Now())
	if d.Kind == Refuse {
		return d.Cause
	}
	devices := plan.Phones(person)
	if len(devices) == 0 {
		devices = []tel.DeviceID{c.Device}
	}
	a := x.summoning(c.Call, plan, Summons{Devices: devices, Number: c.Number}, c.Device)
	if d.Kind == ToOutside {
		a.state.Direction = tel.Outbound
	}
	if !c.Silent {
		a.state.Told = sipTrying
	}
	a.urgent.Store(d.Emergency)
	return x.summon(a)
}

// Script rings phones of one person, which show a number, and goes through a script, not started yet, with who
// answers there. Errors: ErrNoPhone, ErrFull, ErrClosed.
func (x *Exchange) Script(devices []tel.DeviceID, shows tel.Number, script ivr.State) error {
	if len(devices) == 0 {
		return ErrNoPhone
	}
	a := x.summoning(tel.NewCallID(), x.cfg.Plan(), Summons{Devices: devices, Number: shows, Script: &script}, devices[0])
	if err := x.add(a); err != nil {
		return err
	}
	a.tell(Summon{*a.state.Summons})
	x.begin(a)
	return nil
}

// summoning is a call that is about to ring the phones of who wants it, one of which is at.
func (x *Exchange) summoning(id tel.CallID, plan Plan, to Summons, at tel.DeviceID) *actor {
	_, from, name := plan.AgentAt(at)
	return newActor(x, plan, State{
		Call: id, Direction: tel.Internal, From: from, FromName: name, To: to.Number, Summons: &to,
		Language: plan.Language(), Zone: plan.Zone(), Stage: tel.StageRouting,
	})
}

// summon lets the phones ring.
func (x *Exchange) summon(a *actor) tel.Cause {
	if err := x.add(a); err != nil {
		return tel.CauseCongestion
	}
	a.tell(Summon{*a.state.Summons})
	x.begin(a)
	return tel.CauseNone
}

// SIP statuses that a referrer is told.
const (
	sipTrying  = 100
	sipRinging = 180
	sipOK      = 200
)

// report tells who asked for the call how far it is. The first final status is the last word.
func (st *step) report(status int) {
	s := st.s
	if s.Told == 0 || status <= s.Told {
		return
	}
	s.Told = status
	if status >= sipOK {
		s.Told = 0
	}
	st.do(DoReport{status, status >= sipOK})
}

// summon rings who wants the call.
func (st *step) summon(in Summon) {
	s := st.s
	if s.Started.IsZero() { // else the process has died meanwhile
		s.Started, s.Since = st.now, st.now
	}
	s.Summons = &in.Summons
	if len(in.Attempts) > 0 {
		st.ring(Ring{Branches: []Branch{{Attempts: in.Attempts, For: visitRing}}})
		return
	}
	st.ring(Ring{Branches: []Branch{{Devices: in.Devices, For: wishRing}}})
}

// summoned makes who answered the caller of the number.
func (st *step) summoned(caller LegState) {
	s := st.s
	n, to, watch, script := s.Summons.Number, s.Summons.To, s.Summons.Watch, s.Summons.Script
	for i := range s.Groups {
		for _, l := range s.Groups[i].Legs {
			if l.ID != caller.ID {
				st.do(DoHangup{l.ID, tel.CauseAnsweredElsewhere})
			}
		}
	}
	s.Groups, s.Ring, s.Summons = nil, nil, nil
	caller.Up = true
	s.Caller, s.In, s.From, s.FromName = caller, caller.Party, caller.Number, caller.Name
	st.engage(&s.Caller)
	if watch != nil {
		st.watch(*watch)
		return
	}
	if script != nil {
		st.startScript(script)
		return
	}
	st.stage(tel.StageRouting)
	if to != "" {
		st.do(DoResolve{To: to})
		return
	}
	st.do(DoRoute{As: caller.Party, Number: n})
}

// report passes the progress on to who asked for the call.
func (a *actor) report(e DoReport) {
	if a.x.cfg.Progress != nil {
		a.x.cfg.Progress(a.id, e.Status, e.Final)
	}
}

// routed asks the plan where a number leads that somebody dialled in the course of a call. Who calls for
// help is announced to the house however the number came about.
func (a *actor) routed(e DoRoute) Decision {
	now := time.Now()
	d := a.plan.Route(e.As, a.state.From, e.Number, now)
	if d.Emergency {
		a.x.cfg.Publish(tel.EmergencyCalled{Call: a.id, From: e.As, Name: a.state.FromName, Number: e.Number, At: now})
	}
	return d
}
