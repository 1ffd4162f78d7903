package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// destination checks that a destination exists.
func (v *validator) destination(path, to string) {
	d, err := dialplan.ParseDestination(to)
	if err != nil {
		v.found.add(path, "destination", "%s", err)
		return
	}
	ok := true
	switch d.Kind {
	case "queue":
		ok = slices.ContainsFunc(v.c.Queues, func(q Queue) bool { return string(q.ID) == d.What })
	case "ext":
		ok = slices.ContainsFunc(v.c.Agents, func(a Agent) bool { return string(a.Extension) == d.What }) ||
			slices.ContainsFunc(v.c.Phones, func(p Phone) bool { return string(p.Extension) == d.What })
	case "group":
		ok = slices.ContainsFunc(v.c.Groups, func(g Group) bool { return g.ID == d.What })
	case "hours":
		ok = slices.ContainsFunc(v.c.Hours, func(h Hours) bool { return h.ID == d.What })
	case "conference":
		ok = slices.ContainsFunc(v.c.Conferences, func(x Conference) bool { return string(x.ID) == d.What })
	case "menu":
		ok = slices.ContainsFunc(v.c.Menus, func(m Menu) bool { return m.ID == d.What })
	case "voicemail":
		ok = v.c.mailbox(tel.Number(d.What))
	case "outside":
		if _, known := dialplan.ClassOf(tel.Number(d.What)); !known {
			v.found.add(path, "number", "calls cannot be sent to %q: it is no outside number, or an emergency number", d.What)
			return
		}
	case "say":
		if !v.c.announcement(d.What) && !IsSentence(d.What) {
			v.found.add(path, "sentence", "the box has no sentence and no announcement %q", d.What)
			return
		}
	}
	if !ok {
		v.found.add(path, "unknown", "there is no %s %q", d.Kind, d.What)
	}
}

// place checks a destination that may be missing.
func (v *validator) place(path, to string) {
	if to != "" {
		v.destination(path, to)
	}
}

func (v *validator) dialling() {
	d := &v.c.Dialling
	if strings.Trim(string(d.Prefix), "0123456789") != "" || len(d.Prefix) > 3 {
		v.found.add("dialling.prefix", "number", "%q is not a prefix of up to 3 digits", d.Prefix)
	}
	v.duration("dialling.park_for", d.ParkFor, 10*time.Second, time.Hour)
	for action, code := range d.Codes {
		path := fmt.Sprintf("dialling.codes[%s]", action)
		if !slices.ContainsFunc(dialplan.Codes(), func(c dialplan.Code) bool { return string(c.Action) == action }) {
			v.found.add(path, "choice", "%q is no feature", action)
		}
		if code != "off" && (len(code) < 2 || code[0] != '*' && code[0] != '#' || strings.Trim(string(code), "*#0123456789") != "") {
			v.found.add(path, "code", "%q is not a code such as *43; write off to take one away", code)
		}
	}
	v.callers("dialling", d.Blocked, d.Anonymous)
	v.callers("dialling.vip", d.VIP, "")
	v.outlets()
	for i := range v.c.Hours {
		v.hours(fmt.Sprintf("hours[%d]", i), &v.c.Hours[i])
	}
	for i := range v.c.Groups {
		v.group(fmt.Sprintf("groups[%d]", i), &v.c.Groups[i])
	}
	for i := range v.c.Agents {
		v.agentCalls(fmt.Sprintf("agents[%d].calls", i), &v.c.Agents[i].Calls)
	}
	for i := range v.c.Routes {
		v.routeConditions(fmt.Sprintf("routes[%d]", i), &v.c.Routes[i])
	}
	v.calendar()
	v.toll()
	v.backup()
}

func (v *validator) outlets() {
	for i, o := range v.c.Dialling.Outlets {
		path := fmt.Sprintf("dialling.outlets[%d]", i)
		if !v.isVia(o.Via) {
			v.found.add(path+".via", "unknown", "there is no %q; write trunk:ID or line:ID", o.Via)
		}
		if slices.IndexFunc(v.c.Dialling.Outlets, func(other Outlet) bool { return other.Via == o.Via }) != i {
			v.found.add(path+".via", "duplicate", "%q is listed twice", o.Via)
		}
		if o.Number != "" {
			if _, err := tel.ParseNumber(string(o.Number)); err != nil {
				v.found.add(path+".number", "number", "%q is not a number", o.Number)
			}
		}
		for class := range o.Prices {
			v.class(path+".prices", class, false)
		}
	}
}

func (v *validator) isVia(via string) bool {
	kind, name, _ := strings.Cut(via, ":")
	return (kind == "trunk" || kind == "line") && v.ids[kind+"/"+name]
}

func (v *validator) class(path, class string, internal bool) {
	if !slices.Contains(dialplan.Classes(), dialplan.Class(class)) || class == "internal" && !internal {
		v.found.add(path, "choice", "%q is not one of local, mobile, international, premium", class)
	}
}

func (v *validator) callers(path string, patterns []string, anonymous string) {
	for i, p := range patterns {
		if start := strings.TrimSuffix(p, "*"); !dialplan.IsCallerPattern(p) {
			v.found.add(fmt.Sprintf("%s.blocked[%d]", path, i), "number", "%q is not a number, or the beginning of one with * behind it", start)
		}
	}
	if anonymous != "reject" {
		v.place(path+".anonymous", anonymous)
	}
}

func (v *validator) hours(path string, h *Hours) {
	v.id(path, "hours", h.ID)
	if h.Key < 0 || h.Key > 9 {
		v.found.add(path+".key", "range", "%d is not 0 to 9", h.Key)
	}
	spans := func(path string, texts []string, days bool) {
		for i, text := range texts {
			if _, err := dialplan.ParseSpans(text, days); err != nil {
				v.found.add(fmt.Sprintf("%s[%d]", path, i), "hours", "%s", err)
			}
		}
	}
	spans(path+".open", h.Open, true)
	spans(path+".eve", h.Eve, false)
	for i, e := range h.Exceptions {
		at := fmt.Sprintf("%s.exceptions[%d]", path, i)
		spans(at+".open", e.Open, false)
		for _, d := range [][2]string{{"from", e.From}, {"to", e.To}} {
			if _, err := dialplan.ParseDate(d[1]); err != nil {
				v.found.add(at+"."+d[0], "date", "%s", err)
			}
		}
	}
	if h.Then == "" {
		v.found.add(path+".then", "missing", "is missing: where calls go while it is open")
	}
	v.place(path+".then", h.Then)
	v.place(path+".closed", h.Closed)
	v.place(path+".holiday", h.Holiday)
}

func (v *validator) group(path string, g *Group) {
	v.id(path, "group", g.ID)
	v.number(path+".number", g.Number, false)
	v.duration(path+".ring", g.Ring, 5*time.Second, 3*time.Minute)
	if len(g.Members) == 0 {
		v.found.add(path+".members", "missing", "a group needs at least one member")
	}
	v.members(path+".members", g.Members)
	v.place(path+".busy", g.Busy)
	v.place(path+".no_answer", g.NoAnswer)
}

func (v *validator) members(path string, members []Member) {
	for i, m := range members {
		at := fmt.Sprintf("%s[%d]", path, i)
		if d, err := dialplan.ParseDestination(m.To); err == nil && d.Kind != "ext" && d.Kind != "outside" {
			v.found.add(at+".to", "destination", "%q cannot ring beside others; write ext:NUMBER or outside:NUMBER", m.To)
		} else {
			v.destination(at+".to", m.To)
		}
		v.duration(at+".after", m.After, 0, 3*time.Minute)
	}
}

func (v *validator) agentCalls(path string, a *AgentCalls) {
	v.duration(path+".ring", a.Ring, 5*time.Second, 3*time.Minute)
	v.members(path+".follow", a.Follow)
	v.place(path+".forward.always", a.Forward.Always)
	v.place(path+".forward.busy", a.Forward.Busy)
	v.place(path+".forward.no_answer", a.Forward.NoAnswer)
	v.place(path+".forward.unreachable", a.Forward.Unreachable)
	if a.PIN != "" && !dialplan.IsPIN(string(a.PIN)) {
		v.found.add(path+".pin", "pin", "use 4 to 10 digits, not all alike")
	}
	if len(a.PINDial) > 0 && a.PIN == "" {
		v.found.add(path+".pin", "missing", "is missing, but pin_dial needs it")
	}
	for i, class := range a.PINDial {
		v.class(fmt.Sprintf("%s.pin_dial[%d]", path, i), class, false)
	}
	v.callers(path, a.Blocked, a.Anonymous)
}

func (v *validator) routeConditions(path string, r *Route) {
	if r.Pattern != "" && (r.Prefix != "" || !dialplan.IsPattern(r.Pattern)) {
		v.found.add(path+".pattern", "pattern", "%q is not made of digits, X, Z, N and a final dot, or there is a prefix too", r.Pattern)
	}
	for i, a := range r.People {
		if !v.ids["agent/"+string(a)] {
			v.found.add(fmt.Sprintf("%s.people[%d]", path, i), "unknown", "there is no agent %q", a)
		}
	}
	if r.Hours != "" && !v.ids["hours/"+r.Hours] {
		v.found.add(path+".hours", "unknown", "there are no opening hours %q", r.Hours)
	}
}

func (v *validator) calendar() {
	b := &v.c.Box
	if _, known := dialplan.PatronOf(b.Town); b.Town != "" && !known && b.Patron == "" {
		v.found.add("box.town", "unknown", "the patron's day of %q is not in the list; write it into box.patron, such as 09-14", b.Town)
	}
	if b.Patron != "" {
		if d, err := dialplan.ParseDate(b.Patron); err != nil || d.Year != 0 {
			v.found.add("box.patron", "date", "%q is not a day of every year, such as 09-14", b.Patron)
		}
	}
	if b.EmergencyTest == "" {
		return
	}
	switch d, err := dialplan.ParseDestination(b.EmergencyTest); {
	case err != nil || d.Kind != "ext" && d.Kind != "say" && d.Kind != "echo":
		v.found.add("box.emergency_test", "destination", "%q: a test leads to ext:NUMBER, say:PROMPT or echo", b.EmergencyTest)
	default:
		v.destination("box.emergency_test", b.EmergencyTest)
	}
}

func (v *validator) toll() {
	t := &v.c.Toll
	for i, c := range t.Countries {
		if c != "all" && (!tel.KnownCountry(c) || c == tel.World) {
			v.found.add(fmt.Sprintf("toll.countries[%d]", i), "choice", "%q is not a country code such as FR, and not all", c)
		}
	}
	for _, caps := range []struct {
		path string
		c    Caps
	}{{"toll.person", t.Person}, {"toll.line", t.Line}, {"toll.box", t.Box}} {
		if c := caps.c; c.Calls < 0 || c.HourMinutes < 0 || c.DayMinutes < 0 {
			v.found.add(caps.path, "range", "must not be negative; 0 is no limit")
		}
	}
	if t.Night != "" && !v.ids["hours/"+t.Night] {
		v.found.add("toll.night", "unknown", "there are no opening hours %q", t.Night)
	}
	for i, class := range t.NightDial {
		v.class(fmt.Sprintf("toll.night_dial[%d]", i), class, false)
	}
}

// dialPlan finds what only the whole plan shows: codes that hide one another, forwards that come back
// to where they began, destinations that a person may not call. It looks at a plan without other
// mistakes, which it would repeat.
func (v *validator) dialPlan() {
	if len(v.found) > 0 {
		return
	}
	for _, err := range joined(v.c.DialPlan().Validate(v.c.queueIDs())) {
		v.found.add("dial plan", "dialplan", "%s", err)
	}
}

// joined takes apart what errors.Join put together.
func joined(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	return nil
}
