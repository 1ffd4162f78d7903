package config

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// DialPlan is the numbering that a valid configuration describes. Personal is empty: people's own
// settings are kept apart.
func (c *Config) DialPlan() dialplan.Plan {
	p := dialplan.Plan{
		Codes: c.codes(), Slots: dialplan.Slots{First: c.Dialling.ParkFirst, Last: c.Dialling.ParkLast},
		OutsidePrefix: c.Dialling.Prefix, Blocked: c.Dialling.Blocked, VIP: c.Dialling.VIP, Anonymous: c.Dialling.Anonymous,
		EmergencyTest: c.Box.EmergencyTest, Calendar: c.calendar(), Pauses: c.Pauses.list(), Dispositions: c.dispositions(),
	}
	if zone, err := time.LoadLocation(c.Box.Timezone); err == nil {
		p.Zone = zone
	}
	for i := range c.Agents {
		x := c.Agents[i].extension()
		x.Mailbox = c.mailbox(x.Number)
		p.Extensions = append(p.Extensions, x)
	}
	for _, ph := range c.Phones {
		if ph.Extension == "" {
			continue
		}
		x := dialplan.Extension{Number: ph.Extension, Name: ph.Name, Devices: []tel.DeviceID{ph.ID}, Allow: classes(ph.Dial)}
		if ph.Dial == nil {
			x.Allow = []dialplan.Class{dialplan.Internal}
		}
		p.Extensions = append(p.Extensions, x)
	}
	for _, q := range c.Queues {
		p.Queues = append(p.Queues, dialplan.QueueNumber{Number: q.Number, Queue: q.ID})
	}
	for _, g := range c.Groups {
		group := dialplan.Group{ID: g.ID, Number: g.Number, Name: g.Name, Page: g.Page, InTurn: g.InTurn, Ring: g.Ring, Busy: g.Busy, NoAnswer: g.NoAnswer}
		for _, m := range g.Members {
			group.Members = append(group.Members, dialplan.Member{To: m.To, After: m.After})
		}
		p.Groups = append(p.Groups, group)
	}
	for _, m := range c.Menus {
		p.Menus = append(p.Menus, m.ID)
	}
	for _, x := range c.Conferences {
		p.Conferences = append(p.Conferences, dialplan.ConferenceNumber{Number: x.Number, ID: x.ID})
	}
	for i := range c.Hours {
		p.Hours = append(p.Hours, c.Hours[i].table())
	}
	c.ways(&p)
	return p
}

func (c *Config) queueIDs() []tel.QueueID {
	var ids []tel.QueueID
	for _, q := range c.Queues {
		ids = append(ids, q.ID)
	}
	return ids
}

func (c *Config) codes() []dialplan.Code {
	all := dialplan.Codes()
	for i := range all {
		if own, ok := c.Dialling.Codes[string(all[i].Action)]; ok {
			all[i].Code = own
		}
	}
	return slices.DeleteFunc(all, func(code dialplan.Code) bool { return code.Code == "off" })
}

func (c *Config) calendar() dialplan.Calendar {
	patron, _ := dialplan.PatronOf(c.Box.Town)
	if d, err := dialplan.ParseDate(c.Box.Patron); err == nil {
		patron = dialplan.Feast{Name: "Santo patrono", Month: d.Month, Day: d.Day}
	}
	return dialplan.Calendar{Patron: patron}
}

func classes(names []string) []dialplan.Class {
	if names == nil {
		return nil
	}
	all := []dialplan.Class{}
	for _, n := range names {
		all = append(all, dialplan.Class(n))
	}
	return all
}

func (a *Agent) extension() dialplan.Extension {
	x := dialplan.Extension{
		Number: a.Extension, Name: a.Name, Agent: a.ID, Devices: a.devices(), Allow: classes(a.Dial),
		PIN: string(a.Calls.PIN), PINAllow: classes(a.Calls.PINDial), Ring: a.Calls.Ring, Forward: dialplan.Forwards(a.Calls.Forward),
		Blocked: a.Calls.Blocked, Anonymous: a.Calls.Anonymous, Pickup: a.Calls.Pickup, Office: a.Calls.Office,
		LoginPIN: a.Work.LoginPIN,
	}
	for _, m := range a.Calls.Follow {
		x.Follow = append(x.Follow, dialplan.FollowStep(m))
	}
	return x
}

func (h *Hours) table() dialplan.Hours {
	t := dialplan.Hours{ID: h.ID, Key: h.Key, Holidays: h.Holidays, Then: h.Then, Closed: h.Closed, Holiday: h.Holiday}
	t.Open, t.Eve = spans(h.Open, true), spans(h.Eve, false)
	for _, e := range h.Exceptions {
		from, _ := dialplan.ParseDate(e.From)
		to, _ := dialplan.ParseDate(e.To)
		t.Exceptions = append(t.Exceptions, dialplan.Exception{Name: e.Name, From: from, To: to, Open: spans(e.Open, false)})
	}
	return t
}

func spans(texts []string, days bool) []dialplan.Span {
	var all []dialplan.Span
	for _, text := range texts {
		some, _ := dialplan.ParseSpans(text, days)
		all = append(all, some...)
	}
	return all
}

// ways adds trunks and lines: where calls leave and where they come in.
func (c *Config) ways(p *dialplan.Plan) {
	for _, t := range c.Trunks {
		via := "trunk:" + string(t.ID)
		p.Outlets = append(p.Outlets, c.outlet(via, false))
		for _, number := range sortedNumbers(t.In) {
			in := dialplan.Inbound{Via: via, Number: number, To: t.In[number]}
			if number == "*" {
				in.Number = ""
			}
			p.Inbound = append(p.Inbound, in)
		}
	}
	for _, l := range c.Lines {
		via := "line:" + string(l.ID)
		p.Outlets = append(p.Outlets, c.outlet(via, l.Type == LineGSM))
		if l.In != "" {
			p.Inbound = append(p.Inbound, dialplan.Inbound{Via: via, To: l.In})
		}
	}
	for _, r := range c.Routes {
		route := dialplan.OutsideRoute{
			Prefix: tel.Number(r.Prefix), Pattern: r.Pattern, Hours: r.Hours, Via: r.Via, Cheapest: r.Cheapest,
			Form: dialplan.E164, Strip: r.Strip, Prepend: tel.Number(r.Prepend),
		}
		for _, a := range c.Agents {
			if slices.Contains(r.People, a.ID) {
				route.People = append(route.People, a.Extension)
			}
		}
		p.Routes = append(p.Routes, route)
	}
}

func (c *Config) outlet(via string, mobile bool) dialplan.Outlet {
	out := dialplan.Outlet{Via: via, Mobile: mobile}
	for _, o := range c.Dialling.Outlets {
		if o.Via == via {
			out.Number, out.Emergency = o.Number, o.Emergency
			out.Prices = map[dialplan.Class]tel.Money{}
			for class, price := range o.Prices {
				out.Prices[dialplan.Class(class)] = price
			}
		}
	}
	return out
}

func sortedNumbers(in map[tel.Number]string) []tel.Number {
	var all []tel.Number
	for n := range in {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}
