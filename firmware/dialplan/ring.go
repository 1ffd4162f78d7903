package dialplan

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Ring is what rings for one number, and what follows when nobody takes the call. The destinations are
// for To, with As and Hops of the ring.
type Ring struct {
	Number        tel.Number  // the extension or the group
	Agent         tel.AgentID // whose phones ring; empty for a group
	Branches      []Branch
	OnBusy        string // every branch is busy or was declined; empty = the caller is told so
	OnNoAnswer    string
	OnUnreachable string     // nothing could ring
	As            tel.Number // whose rights the destinations use; empty = the configuration's
	Hops          int
}

// Branch is one thing that rings, or several together.
type Branch struct {
	Devices  []tel.DeviceID
	Attempts []Attempt     // an outside number, tried in order; empty when Devices are set
	Class    Class         // of the attempts
	As       tel.Number    // whose rights and caps the attempts use
	Agent    tel.AgentID   // whose devices they are
	After    time.Duration // since the first branch began to ring
	For      time.Duration // how long it rings
	Idle     bool          // devices that are on a call do not ring (call waiting is off)
}

// Devices lists the phones that ring at once.
func (r Ring) Devices() []tel.DeviceID {
	var all []tel.DeviceID
	for _, b := range r.Branches {
		if b.After == 0 {
			all = append(all, b.Devices...)
		}
	}
	return all
}

// forwards of an extension: what the person has set, else what the configuration says.
func (p Plan) forwards(x Extension) Forwards {
	f := x.Forward
	if x.Agent == "" {
		return f
	}
	set := p.Personal.People[x.Agent].Forward
	for _, one := range []struct{ set, to *string }{
		{&set.Always, &f.Always}, {&set.Busy, &f.Busy}, {&set.NoAnswer, &f.NoAnswer}, {&set.Unreachable, &f.Unreachable},
	} {
		if *one.set != "" {
			*one.to = *one.set
		}
	}
	return f
}

// reach calls a person: unwanted callers are turned away, forwards followed, phones rung.
func (p Plan) reach(x Extension, r Request) Decision {
	settings := p.Personal.People[x.Agent]
	blocked := x.Blocked
	if x.Agent == "" {
		settings = Person{}
	}
	for _, n := range settings.Blocked {
		blocked = append(slices.Clip(blocked), string(n))
	}
	if d, ok := p.screen(blocked, x.Anonymous, x.Number, r); ok {
		return d
	}
	f := p.forwards(x)
	switch {
	case f.Always != "":
		return p.divert(Diverted{x.Number, f.Always, tel.DivertAlways}, x.Number, r)
	case settings.DND && f.Busy != "":
		return p.divert(Diverted{x.Number, f.Busy, tel.DivertDoNotDisturb}, x.Number, r)
	case settings.DND:
		return reject(x.Number, tel.CauseBusy, WhyDND)
	}
	ring := Ring{
		Number: x.Number, Agent: x.Agent, As: x.Number, Hops: r.Hops + 1,
		OnBusy: f.Busy, OnNoAnswer: f.NoAnswer, OnUnreachable: f.Unreachable,
	}
	total := x.Ring
	if total == 0 {
		total = DefaultRing
	}
	if devices := p.Phones(x); len(devices) > 0 {
		ring.Branches = append(ring.Branches, Branch{Devices: devices, Agent: x.Agent, For: total, Idle: settings.NoWaiting})
	}
	for _, step := range x.Follow {
		if step.After < total {
			ring.Branches = p.branch(ring.Branches, step.To, x.Number, step.After, total-step.After, r)
		}
	}
	return p.ringing(ring, r)
}

// page speaks to the phones of a group that may be disturbed. Only people of the house may: a stranger's
// voice in every room is no announcement.
func (p Plan) page(g Group, r Request) Decision {
	if r.Device == "" {
		return reject(g.Number, tel.CauseForbidden, WhyForbidden)
	}
	d := Decision{Action: Page, Number: g.Number}
	at, _ := p.At(r.Device)
	for _, m := range g.Members {
		to, err := ParseDestination(m.To)
		x, ok := p.extension(tel.Number(to.What))
		if err != nil || to.Kind != "ext" || !ok || x.Number == at.Number || p.Personal.People[x.Agent].DND && x.Agent != "" {
			continue
		}
		d.Devices = append(d.Devices, p.Phones(x)...)
	}
	if len(d.Devices) == 0 {
		return reject(g.Number, tel.CauseUnreachable, WhyNoPhone)
	}
	return d
}

// ringGroup calls the members who may be disturbed. Their forwards are not followed: who answers a
// group's calls is the group's business.
func (p Plan) ringGroup(g Group, r Request) Decision {
	each := g.Ring
	if each == 0 {
		each = DefaultRing
	}
	ring := Ring{Number: g.Number, OnBusy: g.Busy, OnNoAnswer: g.NoAnswer, OnUnreachable: g.NoAnswer, Hops: r.Hops + 1}
	if ring.OnBusy == "" {
		ring.OnBusy = g.NoAnswer
	}
	turn := time.Duration(0)
	for _, m := range g.Members {
		after, long := m.After, each-m.After
		if g.InTurn {
			after, long = turn, each
		}
		if long <= 0 {
			continue
		}
		before := len(ring.Branches)
		ring.Branches = p.branch(ring.Branches, m.To, "", after, long, r)
		if len(ring.Branches) > before {
			turn += each // nobody waits for a member who cannot ring
		}
	}
	return p.ringing(ring, r)
}

// branch adds what a destination rings, with the rights of an extension, or nothing. Only phones and
// outside numbers ring beside others.
func (p Plan) branch(to []Branch, destination string, as tel.Number, after, long time.Duration, r Request) []Branch {
	d, err := ParseDestination(destination)
	if err != nil {
		return to
	}
	b := Branch{After: after, For: long, As: as}
	switch d.Kind {
	case "ext":
		x, _ := p.extension(tel.Number(d.What))
		settings := p.Personal.People[x.Agent]
		if x.Agent == "" {
			settings = Person{}
		}
		b.Devices, b.Agent, b.Idle = p.Phones(x), x.Agent, settings.NoWaiting
		if len(b.Devices) == 0 || settings.DND {
			return to
		}
	case "outside":
		r.As, r.direct = as, false
		out := p.outside(tel.Number(d.What), r)
		if out.Action != Outside {
			return to
		}
		b.Attempts, b.Class = out.Attempts, out.Class
	default:
		return to
	}
	return append(to, b)
}

// ringing is the decision for a ring; with nothing to ring the call goes on at once.
func (p Plan) ringing(ring Ring, r Request) Decision {
	if len(ring.Branches) > 0 {
		first := ring.Branches[0].After
		for _, b := range ring.Branches {
			first = min(first, b.After)
		}
		for i := range ring.Branches {
			ring.Branches[i].After -= first // the caller does not wait for a phone that is not there
		}
		return Decision{Action: Rings, Number: ring.Number, Agent: ring.Agent, Ring: &ring, VIP: p.vip(r)}
	}
	if ring.OnUnreachable != "" {
		return p.divert(Diverted{ring.As, ring.OnUnreachable, tel.DivertUnreachable}, ring.As, r)
	}
	return reject(ring.Number, tel.CauseUnreachable, WhyNoPhone)
}
