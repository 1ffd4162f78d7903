package appliance

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// now is the plan with what people have set up to this instant.
func (n *numbering) now() dialplan.Plan {
	p := n.plan
	if n.b != nil && n.b.personal != nil {
		p.Personal = n.b.personal.Current()
	}
	return p
}

// Route implements call.Plan.
func (n *numbering) Route(from string, caller, dialed tel.Number, at time.Time) call.Decision {
	if ofSelfCall(from) {
		return selfCallDecision(dialed)
	}
	p := n.now()
	r := dialplan.Request{Dialed: dialed, Caller: caller, At: at}
	switch kind, name, _ := strings.Cut(from, ":"); kind {
	case "phone":
		r.Device = tel.DeviceID(name)
		r.Last = n.lastCaller(r.Device)
	case "trunk":
		r.Trunk = tel.TrunkID(name)
	case "line":
		r.Line = tel.LineID(name)
	case "ext": // on behalf of a person who is at no phone of ours now
		return n.onBehalf(p, tel.Number(name), r)
	default:
		r.Stranger = true
	}
	return n.decision(p, dialplan.Route(p, r), r)
}

// onBehalf dials a number as a person would at an own phone, and outside numbers also without one.
func (n *numbering) onBehalf(p dialplan.Plan, as tel.Number, r dialplan.Request) call.Decision {
	if devices := n.Phones(as); len(devices) > 0 {
		r.Device = devices[0]
		return n.decision(p, dialplan.Route(p, r), r)
	}
	r.As = as
	return n.decision(p, dialplan.To(p, "outside:"+string(r.Dialed), r), r)
}

// Resolve implements call.Plan.
func (n *numbering) Resolve(to, as string, at time.Time) call.Decision {
	if ofSelfCall(as) {
		return call.Decision{Kind: call.Refuse, Cause: tel.CauseForbidden}
	}
	p := n.now()
	r := dialplan.Request{At: at}
	switch kind, name, _ := strings.Cut(as, ":"); kind {
	case "phone":
		r.Device = tel.DeviceID(name)
		x, _ := p.At(r.Device)
		r.As = x.Number
	case "ext":
		r.As = tel.Number(name)
	}
	if dialed, ok := strings.CutPrefix(to, dialedAgain); ok {
		return n.opened(p, tel.Number(dialed), r)
	}
	if strings.HasPrefix(to, trialOf) {
		return n.trialDecision()
	}
	if what, ok := strings.CutPrefix(to, calledBack); ok {
		return n.decision(p, n.customer(p, what, r), r)
	}
	return n.decision(p, dialplan.To(p, to, r), r)
}

// dialedAgain begins the destination of a script that has asked for the code which a number needs.
const dialedAgain = "dialed:"

// opened routes a number for which the right code was given.
func (n *numbering) opened(p dialplan.Plan, dialed tel.Number, r dialplan.Request) call.Decision {
	r.Dialed, r.As = dialed, ""
	if asked := dialplan.Route(p, r); asked.Action == dialplan.AskPIN {
		r.PIN = n.pin(asked.As)
	}
	return n.decision(p, dialplan.Route(p, r), r)
}

// pin is an extension's code.
func (n *numbering) pin(x tel.Number) string {
	for _, a := range n.cfg.Agents {
		if a.Extension == x {
			return string(a.Calls.PIN)
		}
	}
	return ""
}

// decision puts what the dial plan says into the words of calls.
func (n *numbering) decision(p dialplan.Plan, d dialplan.Decision, r dialplan.Request) call.Decision {
	out := n.destination(p, d, r)
	for _, f := range d.Forwards {
		out.Forwards = append(out.Forwards, tel.Move{Kind: tel.MoveForward, By: personOf(f.By), To: tel.Number(f.To), Why: f.Why})
	}
	return out
}

// destination is the decision without how the call came to it.
func (n *numbering) destination(p dialplan.Plan, d dialplan.Decision, r dialplan.Request) call.Decision {
	switch d.Action {
	case dialplan.Rings:
		return call.Decision{Kind: call.ToRing, Ring: ringOf(d)}
	case dialplan.Intercom:
		return call.Decision{Kind: call.ToRing, Ring: call.Ring{Branches: []call.Branch{{Devices: d.Devices, Agent: d.Agent, SkipBusy: true, Intercom: true}}}}
	case dialplan.Queue:
		return n.toQueue(d)
	case dialplan.Outside, dialplan.Emergency:
		return call.Decision{
			Kind: call.ToOutside, Emergency: d.Action == dialplan.Emergency && !d.Test, Attempts: attemptsOf(d.Attempts, d.Hide, d.As),
		}
	case dialplan.Page:
		return call.Decision{Kind: call.ToPage, Devices: d.Devices}
	case dialplan.Pickup:
		return call.Decision{Kind: call.ToPickup, Pickup: d.Devices}
	case dialplan.Park:
		return call.Decision{Kind: call.ToPark, Slots: p.ParkSlots(), ParkFor: n.cfg.Dialling.ParkFor}
	case dialplan.Unpark:
		return call.Decision{Kind: call.ToSlot, Slots: []tel.Number{d.Slot}}
	case dialplan.CallWhenFree, dialplan.StopWhenFree:
		return call.Decision{Kind: call.ToWish, Cancel: d.Action == dialplan.StopWhenFree}
	case dialplan.Listen, dialplan.Whisper, dialplan.Barge, dialplan.TakeOver:
		return call.Decision{Kind: call.ToWatch, Watch: call.Watch{Agent: d.Agent, Mode: tel.SupervisionMode(d.Action)}}
	case dialplan.Echo:
		return call.Decision{Kind: call.ToEcho}
	case dialplan.Milliwatt:
		return call.Decision{Kind: call.ToSound, Sound: call.Sound{Names: []string{"tone_milliwatt"}, Loop: true}}
	case dialplan.Login, dialplan.Logout, dialplan.Pause, dialplan.Resume, dialplan.FinishWrapUp, dialplan.ExtendWrapUp,
		dialplan.Help, dialplan.HelpDone, dialplan.Dispose:
		return call.Decision{Kind: call.AgentCommand, Agent: d.Agent, Command: string(d.Action), Reason: d.Reason}
	case dialplan.EnterQueue, dialplan.LeaveQueue:
		return call.Decision{Kind: call.AgentCommand, Agent: d.Agent, Command: string(d.Action), Reason: string(d.Queue)}
	case dialplan.LoginHere:
		return call.Decision{Kind: call.AgentCommand, Agent: d.Agent, Command: string(d.Action), Reason: written(d.Change)}
	case dialplan.Set:
		return call.Decision{Kind: call.AgentCommand, Agent: d.Agent, Command: setCommand, Reason: written(d.Change)}
	case dialplan.Menu, dialplan.Voicemail, dialplan.Messages, dialplan.RecordPrompt, dialplan.Say, dialplan.PromptTest, dialplan.AskPIN,
		dialplan.Conference:
		if s, ok := n.script(d, r); ok {
			return call.Decision{Kind: call.ToScript, Script: &s}
		}
	case dialplan.Hangup:
		return call.Decision{Kind: call.Refuse, Cause: tel.CauseUnreachable}
	}
	if d.Cause == tel.CauseNone {
		d.Cause = tel.CauseUnallocated
	}
	if d.Why != "" && n.b != nil {
		n.b.log.Info("call is turned away", "why", d.Why, "to", d.Number.Masked(), "phone", r.Device, "trunk", r.Trunk, "line", r.Line)
	}
	return call.Decision{Kind: call.Refuse, Cause: d.Cause}
}

// setCommand is an agent's command that changes a personal setting; its reason is the change.
const setCommand = "set"

// written is a change as a command carries it.
func written(c dialplan.Change) string {
	b, err := json.Marshal(c)
	if err != nil {
		return "" // a plain value of strings and numbers
	}
	return string(b)
}

func personOf(as tel.Number) string {
	if as == "" {
		return ""
	}
	return "ext:" + string(as)
}

func ringOf(d dialplan.Decision) call.Ring {
	r := d.Ring
	out := call.Ring{OnBusy: r.OnBusy, OnNoAnswer: r.OnNoAnswer, OnUnreachable: r.OnUnreachable, As: personOf(r.As)}
	for _, b := range r.Branches {
		out.Branches = append(out.Branches, call.Branch{
			Devices: b.Devices, Agent: b.Agent, Attempts: attemptsOf(b.Attempts, false, b.As),
			After: b.After, For: b.For, SkipBusy: b.Idle,
		})
	}
	return out
}

// attemptsOf are the ways out, with whose rights and caps they are tried.
func attemptsOf(all []dialplan.Attempt, hide bool, as tel.Number) []call.Attempt {
	var out []call.Attempt
	for _, a := range all {
		out = append(out, call.Attempt{Via: a.Via, Number: a.Number, Dialed: a.Dialed, From: a.From, Hide: hide, Person: as, Price: a.Price, Priced: a.Priced})
	}
	return out
}

// Devices implements call.Plan.
func (n *numbering) Devices(a tel.AgentID) []tel.DeviceID {
	p := n.now()
	for _, x := range p.Extensions {
		if x.Agent == a && a != "" {
			return p.Phones(x)
		}
	}
	return nil
}

// Phones implements call.Plan.
func (n *numbering) Phones(number tel.Number) []tel.DeviceID {
	p := n.now()
	for _, x := range p.Extensions {
		if x.Number == number && number != "" {
			return p.Phones(x)
		}
	}
	return nil
}

// AgentAt implements call.Plan: who has taken a seat at the phone, else whose phone it is.
func (n *numbering) AgentAt(d tel.DeviceID) (tel.AgentID, tel.Number, string) {
	x, _ := n.now().At(d)
	return x.Agent, x.Number, x.Name
}

// NameOf implements call.Plan.
func (n *numbering) NameOf(number tel.Number) string { return n.names[bookKey(number)] }

// bookKey is how the phone book compares numbers: in international form where they have one.
func bookKey(n tel.Number) tel.Number {
	if e164, ok := n.E164(); ok {
		return e164
	}
	return n
}

// DoorAt implements call.Plan.
func (n *numbering) DoorAt(d tel.DeviceID) (rune, bool) {
	key, ok := n.doors[d]
	return key, ok
}
